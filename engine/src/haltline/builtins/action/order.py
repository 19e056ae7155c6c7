"""Actions on working orders, and the way to flat that `flatten` and `close_position` share."""

from collections.abc import Sequence
from decimal import Decimal

from haltline.api import AccountSnapshot, Action, Capability, Desk, HandledBy, Kind, Parameter
from haltline.builtins.action.attempt import Attempts, account_of
from haltline.model.event import PositionReport
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderReport
from haltline.model.plan import PlannedAction
from haltline.model.rule import Evidence, Scope

AT_BROKER = frozenset(Scope) - {Scope.INTENT}


def is_protective(order: OrderReport, positions: Sequence[PositionReport]) -> bool:
    """Whether the order can only shrink a position: reduce-only, or a stop on its losing side no larger than it."""
    if order.reduce_only:
        return True
    size = sum((position.quantity for position in positions if position.symbol == order.symbol), Decimal(0))
    closes = size * order.side.sign < 0
    return order.type.is_stop and closes and order.remaining <= abs(size)


def _concerns(order: OrderReport, request: PlannedAction) -> bool:
    if request.order_id is not None:
        return order.order_id == request.order_id
    side = request.params.get("side")
    right_side = side in (None, "any", order.side.value)
    return right_side and request.symbol in (None, order.symbol)


def _keeps(order: OrderReport, snapshot: AccountSnapshot, request: PlannedAction) -> bool:
    if request.order_id is not None or request.params.get("keep_protective") is False:
        return False
    return is_protective(order, snapshot.positions)


async def cancel_orders(request: PlannedAction, desk: Desk) -> None:
    """Cancel the working orders the request concerns; the rest are tried even when one cannot be cancelled."""
    account = account_of(request)
    snapshot = await desk.snapshot(account)
    attempts = Attempts()
    for order in snapshot.orders:
        if order.status.is_working and _concerns(order, request) and not _keeps(order, snapshot, request):
            await attempts.run(desk.cancel(account, order))
    attempts.close()


async def flatten(request: PlannedAction, desk: Desk) -> None:
    """Cancel what could open, close every position, then cancel what is left; largest position first.

    Protective orders stay until their position is closed, so that nothing is ever naked on the way.
    """
    await make_flat(account_of(request), None, desk)


async def make_flat(account: AccountId, symbol: Symbol | None, desk: Desk) -> None:
    """Leave no position and no working order of a symbol, or (None) of the account, in the order that `flatten` says.

    Raises what weighs most of what failed, once all of it was tried.
    """
    snapshot = await desk.snapshot(account)
    attempts = Attempts()
    for order in _working(snapshot, symbol):
        if not is_protective(order, snapshot.positions):
            await attempts.run(desk.cancel(account, order))
    for held in _held(snapshot) if symbol is None else (symbol,):
        await attempts.run(desk.reduce(account, held, to=Decimal(0)))
    remaining = await desk.snapshot(account)
    for order in _working(remaining, symbol):
        if not _guards_open_position(order, remaining):
            await attempts.run(desk.cancel(account, order))
    attempts.close()


def _working(snapshot: AccountSnapshot, symbol: Symbol | None) -> list[OrderReport]:
    return [order for order in snapshot.orders if order.status.is_working and symbol in (None, order.symbol)]


def _held(snapshot: AccountSnapshot) -> list[Symbol]:
    """What is held, the largest first."""
    return [each.symbol for each in sorted(snapshot.positions, key=_size, reverse=True) if each.quantity]


def _guards_open_position(order: OrderReport, snapshot: AccountSnapshot) -> bool:
    """A stop stays where closing its position failed: a position we could not close must keep its protection."""
    is_open = any(position.symbol == order.symbol and position.quantity for position in snapshot.positions)
    return is_open and is_protective(order, snapshot.positions)


def _size(position: PositionReport) -> float:
    price = position.average_price
    return float(abs(position.quantity)) * (float(abs(price)) if price.is_finite() else 1.0)


CANCEL_ORDERS = Action(
    name="cancel_orders",
    meaning="cancel working orders: of the account, of the entity's symbol, or the one order of an order rule",
    handled_by=HandledBy.ENFORCE,
    parameters=(
        Parameter(
            name="side",
            kind=Kind.ENUM,
            meaning="only orders of this side",
            default="any",
            required=False,
            choices=("any", "buy", "sell"),
        ),
        Parameter(
            name="keep_protective",
            kind=Kind.BOOL,
            meaning="keep orders that can only shrink a position: reduce-only ones, and stops on its losing side",
            default=True,
            required=False,
        ),
    ),
    needs=frozenset({Capability.CANCEL_ORDERS, Capability.PULL_ORDERS}),
    scopes=AT_BROKER,
    run=cancel_orders,
    rank=20,
    evidence=Evidence.WITNESS,
    example="then: [{cancel_orders: {side: buy}}]",
)

FLATTEN = Action(
    name="flatten",
    meaning="cancel every working order and close every position of the account, protective orders last",
    handled_by=HandledBy.ENFORCE,
    needs=frozenset(
        {
            Capability.CANCEL_ORDERS,
            Capability.MARKET_ORDERS,
            Capability.REDUCE_ONLY,
            Capability.PULL_ORDERS,
            Capability.PULL_POSITIONS,
        }
    ),
    scopes=AT_BROKER,
    run=flatten,
    rank=50,
    evidence=Evidence.CORROBORATED,
    example="then: [block_entries, flatten]",
)

ORDER_ACTIONS = (CANCEL_ORDERS, FLATTEN)
