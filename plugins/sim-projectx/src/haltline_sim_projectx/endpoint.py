"""The REST calls of the gateway, by name: what each asks, checks and answers."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from aiohttp import web

from haltline_sim_projectx.failure import CANCEL, CLOSE, LOGIN, PARTIAL, PLACE, SEARCH, Refusal, answer
from haltline_sim_projectx.market import Market
from haltline_sim_projectx.record import Account, Json, Order, OrderKind
from haltline_sim_projectx.token import Tokens


class Platform(Protocol):
    """What the calls work on."""

    market: Market
    tokens: Tokens
    user: str
    key: str


type Call = Callable[[Platform, Json], web.Response]


def serve(platform: Platform, name: str, body: Json) -> web.Response:
    """Carry out a call; a refusal is answered with the code that its name has for this call."""
    call, codes = CALLS[name]
    try:
        return call(platform, body)
    except Refusal as refusal:
        return answer(code=codes.get(refusal.name, codes.get("UnknownError", 1)), text=refusal.text)


def _login(platform: Platform, body: Json) -> web.Response:
    if body.get("userName") != platform.user or body.get("apiKey") != platform.key:
        return answer({"token": None}, code=LOGIN["InvalidCredentials"])
    return answer({"token": platform.tokens.issue(platform.user)})


def _validate(platform: Platform, body: Json) -> web.Response:
    return answer({"newToken": platform.tokens.issue(platform.user)})


def _logout(platform: Platform, body: Json) -> web.Response:
    return answer()


def _accounts(platform: Platform, body: Json) -> web.Response:
    wants_active = bool(body.get("onlyActiveAccounts", True))
    found = [each for each in platform.market.accounts.values() if each.can_trade or not wants_active]
    return answer({"accounts": [account.to_json() for account in found]})


def _contracts(platform: Platform, body: Json) -> web.Response:
    wanted = str(body.get("searchText", "")).lower()
    found = [each for each in platform.market.contracts.values() if wanted in f"{each.name} {each.id}".lower()]
    return answer({"contracts": [each.to_json() for each in found if each.is_active or wanted]})


def _contract(platform: Platform, body: Json) -> web.Response:
    return answer({"contract": platform.market.contract(body.get("contractId")).to_json()})


def _positions(platform: Platform, body: Json) -> web.Response:
    account = platform.market.account(body.get("accountId"))
    return answer({"positions": [position.to_json() for position in account.positions.values()]})


def _close(platform: Platform, body: Json) -> web.Response:
    account = platform.market.account(body.get("accountId"))
    platform.market.close(account, platform.market.contract(body.get("contractId")))
    return answer()


def _partly_close(platform: Platform, body: Json) -> web.Response:
    account = platform.market.account(body.get("accountId"))
    platform.market.close(account, platform.market.contract(body.get("contractId")), int(body.get("size") or 0))
    return answer()


def _working(platform: Platform, body: Json) -> web.Response:
    account = platform.market.account(body.get("accountId"))
    return answer({"orders": [order.to_json() for order in platform.market.working(account.id)]})


def _orders(platform: Platform, body: Json) -> web.Response:
    account = platform.market.account(body.get("accountId"))
    found = [order for order in platform.market.orders.values() if order.account_id == account.id]
    return answer({"orders": [order.to_json() for order in found if _is_within(order.created, body)]})


def _order(platform: Platform, body: Json) -> web.Response:
    found = platform.market.orders.get(int(body.get("orderId") or 0))
    return answer({"order": None if found is None else found.to_json()}, code=0 if found else CANCEL["OrderNotFound"])


def _trades(platform: Platform, body: Json) -> web.Response:
    account = platform.market.account(body.get("accountId"))
    found = [trade for trade in platform.market.trades if trade.account_id == account.id]
    return answer({"trades": [trade.to_json() for trade in found if _is_within(trade.created, body)]})


def _place(platform: Platform, body: Json) -> web.Response:
    market = platform.market
    order = market.place(
        market.account(body.get("accountId")), market.contract(body.get("contractId")), OrderKind(body.get("type", 0)),
        int(body.get("side", -1)), int(body.get("size") or 0), limit=body.get("limitPrice"), stop=body.get("stopPrice"),
        trail=body.get("trailPrice"), tag=body.get("customTag"),
    )  # fmt: skip
    return answer({"orderId": order.id})


def _cancel(platform: Platform, body: Json) -> web.Response:
    platform.market.cancel(_found(platform, body))
    return answer()


def _modify(platform: Platform, body: Json) -> web.Response:
    order = _found(platform, body)
    order.size = int(body.get("size") or order.size)
    order.limit_price = body.get("limitPrice") or order.limit_price
    order.stop_price = body.get("stopPrice") or order.stop_price
    order.trail = body.get("trailPrice") or order.trail
    return answer()


def _bars(platform: Platform, body: Json) -> web.Response:
    platform.market.contract(body.get("contractId"))
    return answer({"bars": []})


def _found(platform: Platform, body: Json) -> Order:
    account: Account = platform.market.account(body.get("accountId"))
    found = platform.market.orders.get(int(body.get("orderId") or 0))
    if found is None or found.account_id != account.id:
        raise Refusal("OrderNotFound")
    return found


def _is_within(stamp: str, body: Json) -> bool:
    at = datetime.fromisoformat(stamp)
    start, end = body.get("startTimestamp"), body.get("endTimestamp")
    return (not start or at >= datetime.fromisoformat(start)) and (not end or at <= datetime.fromisoformat(end))


CALLS: dict[str, tuple[Call, dict[str, int]]] = {
    "Auth/loginKey": (_login, LOGIN),
    "Auth/validate": (_validate, {}),
    "Auth/logout": (_logout, {}),
    "Account/search": (_accounts, {}),
    "Contract/search": (_contracts, SEARCH),
    "Contract/available": (_contracts, SEARCH),
    "Contract/searchById": (_contract, SEARCH),
    "Position/searchOpen": (_positions, SEARCH),
    "Position/closeContract": (_close, CLOSE),
    "Position/partialCloseContract": (_partly_close, PARTIAL),
    "Order/searchOpen": (_working, SEARCH),
    "Order/search": (_orders, SEARCH),
    "Order/searchById": (_order, SEARCH),
    "Order/place": (_place, PLACE),
    "Order/cancel": (_cancel, CANCEL),
    "Order/modify": (_modify, CANCEL),
    "Trade/search": (_trades, SEARCH),
    "History/retrieveBars": (_bars, SEARCH),
}
