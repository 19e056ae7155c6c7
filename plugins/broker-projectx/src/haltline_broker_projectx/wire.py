"""The platform's records, read and made ours. Sizes are positive there; the direction of a position is its `type`."""

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any

import msgspec

from haltline.clock import from_iso
from haltline.errors import Transient
from haltline.model.event import AccountReport, Fill, OrderUpdate, PositionReport, Quote
from haltline.model.id import AccountId, FillId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side

type Positive = Annotated[int, msgspec.Meta(ge=0)]

TYPES = {
    1: OrderType.LIMIT, 2: OrderType.MARKET, 3: OrderType.STOP_LIMIT, 4: OrderType.STOP, 5: OrderType.TRAILING_STOP,
    6: OrderType.LIMIT, 7: OrderType.LIMIT,
}  # fmt: skip
"""6 and 7 join the bid and the ask: limit orders whose price the platform chooses."""
CODES = {OrderType.LIMIT: 1, OrderType.MARKET: 2, OrderType.STOP_LIMIT: 3, OrderType.STOP: 4}
STATUSES = {
    0: OrderStatus.PENDING, 1: OrderStatus.WORKING, 2: OrderStatus.FILLED, 3: OrderStatus.CANCELLED,
    4: OrderStatus.EXPIRED, 5: OrderStatus.REJECTED, 6: OrderStatus.PENDING, 7: OrderStatus.WORKING,
    8: OrderStatus.WORKING,
}  # fmt: skip
"""7 (a cancel is under way) and 8 (suspended) can still fill."""
SIDES = {0: Side.BUY, 1: Side.SELL}
SIDE_CODES = {Side.BUY: 0, Side.SELL: 1}
LONG, SHORT = 1, 2
REMOVED = 2


class WireAccount(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """`/Account/search`, `GatewayUserAccount`."""

    id: int
    name: str = ""
    balance: float | None = None
    can_trade: bool | None = None
    simulated: bool | None = None


class WireContract(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """`/Contract/*`."""

    id: str
    name: str
    tick_size: float
    tick_value: float
    active_contract: bool = True
    symbol_id: str = ""


class WirePosition(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """`/Position/searchOpen`, `GatewayUserPosition`."""

    account_id: int
    contract_id: str
    type: int
    size: Positive
    average_price: float
    creation_timestamp: str | None = None

    @property
    def held(self) -> int:
        """The signed size; raises ValueError where the direction is not said."""
        if self.size == 0:
            return 0
        if self.type not in (LONG, SHORT):
            raise ValueError(f"a position of type {self.type} has no direction")
        return self.size if self.type == LONG else -self.size


class WireOrder(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """`/Order/*`, `GatewayUserOrder`."""

    id: int
    account_id: int
    contract_id: str
    status: int
    type: int
    side: int
    size: Positive
    limit_price: float | None = None
    stop_price: float | None = None
    fill_volume: int | None = None
    filled_price: float | None = None
    custom_tag: str | None = None
    creation_timestamp: str | None = None
    update_timestamp: str | None = None


class WireTrade(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """`/Trade/search`, `GatewayUserTrade`. `profit_and_loss` is None for a half-turn that opens."""

    id: int
    account_id: int
    contract_id: str
    creation_timestamp: str
    price: float
    side: int
    size: Positive
    profit_and_loss: float | None = None
    fees: float | None = None
    voided: bool = False
    order_id: int | None = None


class WireQuote(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """`GatewayQuote`: any field may be missing."""

    last_price: float | None = None
    best_bid: float | None = None
    best_ask: float | None = None
    timestamp: str | None = None


def read[T](content: object, kind: type[T], *, what: str) -> T:
    """A record out of an answer; raises Transient where a field is missing or of another kind."""
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as mistake:
        raise Transient(f"{what} cannot be read: {mistake}") from mistake


def read_all[T](reply: dict[str, Any], key: str, kind: type[T]) -> Sequence[T]:
    """A list of an answer; a list that is not there is not an empty one: raises Transient."""
    return read(reply.get(key), list[kind], what=f"the list of {key}")  # type: ignore[valid-type]


def stamp_of(text: str | None, otherwise: int) -> int:
    """An instant of the platform; `otherwise` where it says none or nonsense."""
    if not text:
        return otherwise
    try:
        return from_iso(text if text.endswith("Z") or "+" in text[10:] else f"{text}Z")
    except ValueError:
        return otherwise


def money(value: float) -> Decimal:
    """A number as it was written; raises ValueError for one that is none."""
    if not isfinite(value):
        raise ValueError(f"{value} is no amount")
    return Decimal(str(value))


def account_report(told: WireAccount, account: AccountId, now: int) -> AccountReport:
    """Balance and whether the account may trade; the platform tells no equity."""
    balance = None if told.balance is None else money(told.balance)
    return AccountReport(at=now, received_at=now, account=account, balance=balance, can_trade=told.can_trade)


def position_report(
    told: WirePosition, account: AccountId, symbol: Symbol, now: int, *, is_gone: bool = False
) -> PositionReport:
    """A position with its sign."""
    held = 0 if is_gone else told.held
    opened = stamp_of(told.creation_timestamp, 0) if held else 0
    return PositionReport(
        at=now, received_at=now, account=account, symbol=symbol, quantity=Decimal(held),
        average_price=money(told.average_price), opened_at=opened or None,
    )  # fmt: skip


def flat_report(account: AccountId, symbol: Symbol, now: int) -> PositionReport:
    """Nothing is held."""
    return PositionReport(
        at=now, received_at=now, account=account, symbol=symbol, quantity=Decimal(0), average_price=Decimal(0)
    )


def order_report(told: WireOrder, account: AccountId, symbol: Symbol, now: int, *, client_id: str = "") -> OrderReport:
    """An order; one of a status that is not known counts as working, so that it is cancelled with the others."""
    status = STATUSES.get(told.status, OrderStatus.WORKING)
    filled = told.fill_volume or (told.size if status is OrderStatus.FILLED else 0)
    if status is OrderStatus.WORKING and 0 < filled < told.size:
        status = OrderStatus.PARTIALLY_FILLED
    return OrderReport(
        account=account, order_id=OrderId(str(told.id)), symbol=symbol, side=_side(told.side),
        quantity=Decimal(told.size), type=TYPES.get(told.type, OrderType.LIMIT), status=status, filled=Decimal(filled),
        limit_price=_price(told.limit_price), stop_price=_price(told.stop_price),
        client_id=client_id or told.custom_tag or "", placed_at=stamp_of(told.creation_timestamp, now),
        average_price=_price(told.filled_price) if filled else None,
    )  # fmt: skip


def order_update(report: OrderReport, now: int) -> OrderUpdate:
    """An order as an event."""
    return OrderUpdate(at=now, received_at=now, order=report)


def fill_of(told: WireTrade, account: AccountId, symbol: Symbol, now: int, *, voided: bool) -> Fill:
    """An execution; what it closed is worth the platform's own figure, before the fee."""
    pnl = None if told.profit_and_loss is None else money(told.profit_and_loss)
    return Fill(
        at=stamp_of(told.creation_timestamp, now), received_at=now, account=account, symbol=symbol,
        fill_id=FillId(str(told.id)), side=_side(told.side), quantity=Decimal(told.size), price=money(told.price),
        fee=abs(money(told.fees or 0.0)), pnl=pnl, voided=voided,
        order_id=None if told.order_id is None else OrderId(str(told.order_id)),
    )  # fmt: skip


def quote_of(told: WireQuote, symbol: Symbol, now: int) -> Quote | None:
    """A quote of the prices that are there; None where there is none."""
    bid, ask, last = (_finite(price) for price in (told.best_bid, told.best_ask, told.last_price))
    if bid is ask is last is None:
        return None
    at = min(stamp_of(told.timestamp, now), now)
    return Quote(at=at, received_at=now, symbol=symbol, bid=bid, ask=ask, last=last, source="projectx")


def _side(code: int) -> Side:
    found = SIDES.get(code)
    if found is None:
        raise ValueError(f"{code} is no side")
    return found


def _price(value: float | None) -> Decimal | None:
    return None if value is None or not isfinite(value) else Decimal(str(value))


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) and value > 0.0 else None
