"""The platform's codes as our errors. What a code means depends on the call."""

from collections.abc import Mapping

from haltline.errors import OutcomeUnknown, Refused, SessionClosed

type Names = Mapping[int, str]

LOGIN: Names = {
    1: "UserNotFound", 2: "PasswordVerificationFailed", 3: "InvalidCredentials", 4: "AppNotFound",
    5: "AppVerificationFailed", 6: "InvalidDevice", 7: "AgreementsNotSigned", 8: "UnknownError",
    9: "ApiSubscriptionNotFound", 10: "ApiKeyAuthenticationDisabled",
}  # fmt: skip
PLACE: Names = {
    1: "AccountNotFound", 2: "OrderRejected", 3: "InsufficientFunds", 4: "AccountViolation", 5: "OutsideTradingHours",
    6: "OrderPending", 7: "UnknownError", 8: "ContractNotFound", 9: "ContractNotActive", 10: "AccountRejected",
}  # fmt: skip
CANCEL: Names = {
    1: "AccountNotFound", 2: "OrderNotFound", 3: "Rejected", 4: "Pending", 5: "UnknownError", 6: "AccountRejected",
}  # fmt: skip
CLOSE: Names = {
    1: "AccountNotFound", 2: "PositionNotFound", 3: "ContractNotFound", 4: "ContractNotActive", 5: "OrderRejected",
    6: "OrderPending", 7: "UnknownError", 8: "AccountRejected",
}  # fmt: skip
PARTIAL: Names = {
    1: "AccountNotFound", 2: "PositionNotFound", 3: "ContractNotFound", 4: "ContractNotActive", 5: "InvalidCloseSize",
    6: "OrderRejected", 7: "OrderPending", 8: "UnknownError", 9: "AccountRejected",
}  # fmt: skip
NAMES: Mapping[str, Names] = {
    "Auth/loginKey": LOGIN, "Order/place": PLACE, "Order/cancel": CANCEL, "Position/closeContract": CLOSE,
    "Position/partialCloseContract": PARTIAL,
}  # fmt: skip
MUTATING = frozenset({"Order/place", "Order/cancel", "Position/closeContract", "Position/partialCloseContract"})

_HOURS = ("trading hours", "market is closed", "market closed", "session is closed", "outside of hours")
_IN_DOUBT = frozenset({"OrderPending", "Pending", "UnknownError"})
"""A pending order may still be carried out, or be the one that was asked for."""


class Answered(Refused):
    """The platform answered `success: false`; `name` is what its code means for this call, empty if it is not known."""

    def __init__(self, call: str, name: str, text: str) -> None:
        self.name = name
        super().__init__(f"{call}: {name or 'refused'}{f' ({text})' if text else ''}")


def failure_of(call: str, code: int, text: str) -> Exception:
    """What a refusal of a call is to us."""
    name = NAMES.get(call, {}).get(code, "")
    words = f"{call}: {name or f'code {code}'}{f' ({text})' if text else ''}"
    is_closed = name == "OutsideTradingHours" or any(each in text.lower() for each in _HOURS)
    if is_closed:
        return SessionClosed(words)
    if name in _IN_DOUBT and call in MUTATING:
        return OutcomeUnknown(words)
    return Answered(call, name or f"code {code}", text)
