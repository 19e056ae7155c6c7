"""The requests that reduce and protect a position, rounded to what the venue trades."""

from collections.abc import Collection
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from haltline.api import AccountSnapshot
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderType, Side

ZERO = Decimal(0)


def quantity_of(snapshot: AccountSnapshot, symbol: Symbol) -> Decimal:
    """The signed size of a position, 0 if there is none."""
    return sum((position.quantity for position in snapshot.positions if position.symbol == symbol), ZERO)


def whole_lots(held: Decimal, spec: InstrumentSpec | None) -> Decimal:
    """The part of a position (signed) that is whole lots; all of it where it is smaller than one."""
    lot = spec.lot_size if spec is not None else None
    if not lot or abs(held) < lot:
        return held
    return (held / lot).to_integral_value(ROUND_DOWN) * lot


def reducing_order(
    account: AccountId, symbol: Symbol, *, held: Decimal, to: Decimal, spec: InstrumentSpec | None, client: str
) -> OrderRequest:
    """A reduce-only market order that brings `held` (signed) down to size `to` or the next whole lot below it.

    A position that is no whole number of lots is closed by the whole ones first; what is left is tried as it is.
    """
    size = abs(held)
    lot = spec.lot_size if spec is not None else None
    cut = size - to
    if lot:
        cut = min((cut / lot).to_integral_value(ROUND_CEILING) * lot, whole_lots(size, spec))
    side = Side.SELL if held > 0 else Side.BUY
    return OrderRequest(
        account=account,
        symbol=symbol,
        side=side,
        quantity=cut,
        reduce_only=True,
        client_id=client,
        type=OrderType.MARKET,
    )


def protecting_stop(
    account: AccountId, symbol: Symbol, *, held: Decimal, stop: Decimal, spec: InstrumentSpec | None, client: str
) -> OrderRequest:
    """A reduce-only stop for the whole position at the tick nearest to the market's side of `stop`."""
    is_long = held > 0
    if spec is not None and spec.tick_size:
        rounding = ROUND_CEILING if is_long else ROUND_FLOOR
        stop = (stop / spec.tick_size).to_integral_value(rounding) * spec.tick_size
    return OrderRequest(
        account=account, symbol=symbol, side=Side.SELL if is_long else Side.BUY, quantity=abs(held),
        type=OrderType.STOP, stop_price=stop, reduce_only=True, client_id=client,
    )  # fmt: skip


def is_as_tight(order: OrderReport, price: Decimal, held: Decimal) -> bool:
    """Whether a stop stands at `price` or closer to the market."""
    return order.stop_price is not None and (order.stop_price >= price if held > 0 else order.stop_price <= price)


def protects(order: OrderReport, symbol: Symbol, held: Decimal) -> bool:
    """Whether a working stop covers the whole position."""
    return (
        order.symbol == symbol
        and order.status.is_working
        and order.type.is_stop
        and order.side.sign * held < 0
        and order.remaining >= abs(held)
    )


def has_tight_stop(snapshot: AccountSnapshot, symbol: Symbol, price: Decimal, held: Decimal) -> bool:
    """Whether a working stop covers the whole position at `price` or closer to the market."""
    return any(protects(order, symbol, held) and is_as_tight(order, price, held) for order in snapshot.orders)


def is_looser(order: OrderReport, symbol: Symbol, price: Decimal, held: Decimal, ours: Collection[str]) -> bool:
    """Whether a tight stop makes this one needless: a looser one for the whole position, or one of `ours` too small."""
    if protects(order, symbol, held):
        return order.stop_price is not None and not is_as_tight(order, price, held)
    return order.client_id in ours and order.status.is_working


def is_passed(price: Decimal, held: Decimal, mark: float | None) -> bool:
    """Whether the market stands at a stop's price or beyond it, so that it would trigger at once; no mark says no."""
    if mark is None:
        return False
    return Decimal(str(mark)) <= price if held > 0 else Decimal(str(mark)) >= price
