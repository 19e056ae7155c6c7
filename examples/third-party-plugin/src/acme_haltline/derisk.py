"""An action, made of the desk's verbs: each of them is journalled, retried and confirmed by the engine."""

from decimal import Decimal

from haltline.api import Action, Capability, Desk, HandledBy, Kind, Parameter
from haltline.errors import Refused
from haltline.model.plan import PlannedAction
from haltline.model.rule import Scope


async def derisk(request: PlannedAction, desk: Desk) -> None:
    """Cancel the symbol's orders that are not reduce-only, then keep only `part` of the position."""
    account, symbol = request.account, request.symbol
    if account is None or symbol is None:
        raise Refused("derisk acts on one position")
    snapshot = await desk.snapshot(account)
    for order in snapshot.orders:
        if order.symbol == symbol and order.status.is_working and not order.reduce_only:
            await desk.cancel(account, order)
    part = Decimal(str(request.params.get("part", 0.5)))
    for position in snapshot.positions:
        if position.symbol == symbol and position.quantity:
            await desk.reduce(account, symbol, to=abs(position.quantity) * part)


DERISK = Action(
    name="derisk",
    meaning="cancel a symbol's entries and keep only a part of its position",
    handled_by=HandledBy.ENFORCE,
    parameters=(Parameter(name="part", kind=Kind.FRACTION, meaning="how much to keep", default=0.5, required=False),),
    needs=frozenset({Capability.CANCEL_ORDERS, Capability.MARKET_ORDERS, Capability.REDUCE_ONLY}),
    scopes=frozenset({Scope.POSITION}),
    run=derisk,
    rank=30,
    example="then: [{derisk: {part: 25%}}]",
)
