"""How the platform says no: HTTP 200 with `success: false` and a code whose meaning depends on the call."""

from aiohttp import web

from haltline_sim_projectx.record import Json

LOGIN = {
    "UserNotFound": 1,
    "PasswordVerificationFailed": 2,
    "InvalidCredentials": 3,
    "ApiKeyAuthenticationDisabled": 10,
}
PLACE = {
    "AccountNotFound": 1, "OrderRejected": 2, "InsufficientFunds": 3, "AccountViolation": 4, "OutsideTradingHours": 5,
    "OrderPending": 6, "UnknownError": 7, "ContractNotFound": 8, "ContractNotActive": 9, "AccountRejected": 10,
}  # fmt: skip
CANCEL = {
    "AccountNotFound": 1,
    "OrderNotFound": 2,
    "Rejected": 3,
    "Pending": 4,
    "UnknownError": 5,
    "AccountRejected": 6,
}
CLOSE = {
    "AccountNotFound": 1, "PositionNotFound": 2, "ContractNotFound": 3, "ContractNotActive": 4, "OrderRejected": 5,
    "OrderPending": 6, "UnknownError": 7, "AccountRejected": 8,
}  # fmt: skip
PARTIAL = {
    "AccountNotFound": 1, "PositionNotFound": 2, "ContractNotFound": 3, "ContractNotActive": 4, "InvalidCloseSize": 5,
    "OrderRejected": 6, "OrderPending": 7, "UnknownError": 8, "AccountRejected": 9,
}  # fmt: skip
SEARCH = {"AccountNotFound": 1, "ContractNotFound": 1}


class Refusal(Exception):
    """Answered as `success: false`; `name` is looked up in the table of the call."""

    def __init__(self, name: str, text: str | None = None) -> None:
        super().__init__(name)
        self.name = name
        self.text = text


def answer(body: Json | None = None, *, code: int = 0, text: str | None = None) -> web.Response:
    """A reply; a code other than 0 says no."""
    return web.json_response({**(body or {}), "success": code == 0, "errorCode": code, "errorMessage": text})
