"""Actions on the size of positions: close, reduce, and protect."""

from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from haltline.api import Action, Capability, Desk, HandledBy, Kind, Parameter
from haltline.builtins.action.attempt import Attempts, account_of
from haltline.builtins.action.order import make_flat
from haltline.errors import Refused
from haltline.model.event import PositionReport
from haltline.model.id import Symbol
from haltline.model.order import Aim
from haltline.model.plan import PlannedAction
from haltline.model.rule import Evidence, Scope

ZERO = Decimal(0)
ONE_POSITION = frozenset({Scope.POSITION, Scope.ORDER, Scope.FILL, Scope.INSTRUMENT})
_REDUCE_NEEDS = frozenset({Capability.MARKET_ORDERS, Capability.REDUCE_ONLY, Capability.PULL_POSITIONS})


def _number(request: PlannedAction, name: str) -> Decimal | None:
    """A parameter as the decimal people wrote; None where left out; raises Refused for NaN or below 0."""
    given = request.params.get(name)
    if given is None:
        return None
    number = Decimal(str(given)) if not isinstance(given, bool) else Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise Refused(f"action {request.name!r}: parameter {name!r} was {given!r}; it must be a number of 0 or more")
    return number


def _required(request: PlannedAction, name: str) -> Decimal:
    number = _number(request, name)
    if number is None:
        raise Refused(f"action {request.name!r}: parameter {name!r} is missing")
    return number


def _symbol(request: PlannedAction) -> Symbol:
    if request.symbol is None:
        raise Refused(f"action {request.name!r} acts on one position and was planned without a symbol")
    return request.symbol


async def _positions(request: PlannedAction, desk: Desk) -> list[PositionReport]:
    """Open positions the request concerns, largest first."""
    snapshot = await desk.snapshot(account_of(request))
    found = [p for p in snapshot.positions if p.quantity and request.symbol in (None, p.symbol)]
    return sorted(found, key=lambda position: abs(position.quantity), reverse=True)


async def close_position(request: PlannedAction, desk: Desk) -> None:
    """Flatten one symbol: nothing of it is left that could open the position again, now or later.

    An exit without a position is an entry: what only protects goes last, and stays where closing failed.
    """
    await make_flat(account_of(request), _symbol(request), desk)


async def reduce_to(request: PlannedAction, desk: Desk) -> None:
    """Bring one position down to `quantity`; a smaller one is left alone, and so is every order, also at 0."""
    await desk.reduce(account_of(request), _symbol(request), to=_required(request, "quantity"))


async def reduce_by(request: PlannedAction, desk: Desk) -> None:
    """Take `quantity`, or `fraction` of its size, off each position concerned; never below zero.

    The sizes to reach are fixed at the first try, so that a repeat never takes off more: a position that is as small by
    then, or has turned, or was opened since, is left alone.
    """
    account = account_of(request)
    quantity, fraction = _number(request, "quantity"), _number(request, "fraction")
    if (quantity is None) == (fraction is None):
        raise Refused("action 'reduce_by' needs exactly one of 'quantity' and 'fraction'")
    if quantity is not None:
        _symbol(request)
    wanted = {
        position.symbol: Aim(held=position.quantity, to=_less(abs(position.quantity), quantity, fraction))
        for position in await _positions(request, desk)
    }
    attempts = Attempts()
    for symbol, aim in (await desk.fix(wanted)).items():
        await attempts.run(desk.reduce(account, symbol, to=aim.to, was=aim.held))
    attempts.close()


def _less(size: Decimal, quantity: Decimal | None, fraction: Decimal | None) -> Decimal:
    cut = quantity if quantity is not None else size * (fraction or ZERO)
    return max(ZERO, size - cut)


async def reduce_gross_to(request: PlannedAction, desk: Desk) -> None:
    """Cut positions, largest first, until their sizes (times their weights, where `weighted`) add up to `quantity`.

    What is still too much is counted anew before each cut, so a repeat, or somebody else's exit, never leads too far.
    """
    account = account_of(request)
    limit = _required(request, "quantity")
    is_weighted = request.params.get("weighted") is True
    attempts, tried = Attempts(), set[Symbol]()
    spared = ZERO
    while True:
        held = [_Held.of(position, desk, is_weighted=is_weighted) for position in await _positions(request, desk)]
        excess = sum((item.size * item.weight for item in held), ZERO) - limit - spared
        left = [item for item in held if item.symbol not in tried]
        if excess <= 0 or not left:
            break
        item = max(left, key=lambda item: item.size * item.weight)
        tried.add(item.symbol)
        cut = min(item.size, item.lots_for(excess))
        if not await attempts.run(desk.reduce(account, item.symbol, to=item.size - cut, was=item.signed)):
            spared += cut * item.weight  # no other position pays for the one that could not be cut
    attempts.close()


class _Held(NamedTuple):
    """One position as the gross count sees it."""

    symbol: Symbol
    signed: Decimal
    weight: Decimal
    lot: Decimal

    @property
    def size(self) -> Decimal:
        """The size without its sign."""
        return abs(self.signed)

    @classmethod
    def of(cls, position: PositionReport, desk: Desk, *, is_weighted: bool) -> "_Held":
        spec = desk.instrument(position.symbol)
        weight = Decimal(str(spec.weight)) if spec and is_weighted and spec.weight > 0 else Decimal(1)
        return cls(position.symbol, position.quantity, weight, spec.lot_size if spec else Decimal(1))

    def lots_for(self, excess: Decimal) -> Decimal:
        """The smallest quantity in whole lots that takes `excess` off the count."""
        return (excess / self.weight / self.lot).to_integral_value(ROUND_CEILING) * self.lot


async def place_stop(request: PlannedAction, desk: Desk) -> None:
    """Protect the whole position with a stop at `distance` from the mark, or at `price`, which only ever tightens."""
    distance, price = _number(request, "distance"), _number(request, "price")
    if (distance is None) == (price is None):
        raise Refused("action 'place_stop' needs exactly one of 'distance' and 'price'")
    if not (distance or price):
        raise Refused("action 'place_stop': the parameter was 0; it must be more than 0")
    if distance is not None:
        await desk.place_stop(account_of(request), _symbol(request), distance=distance)
        return
    assert price is not None  # exactly one of the two is given
    await desk.move_stop(account_of(request), _symbol(request), price=price)


_QUANTITY = Parameter(name="quantity", kind=Kind.QUANTITY, meaning="the size to reach, 0 or more; may be an expression")

CLOSE_POSITION = Action(
    name="close_position",
    meaning="cancel the working orders of the entity's symbol and close its position at the market, reduce-only, "
    "protective orders last",
    handled_by=HandledBy.ENFORCE,
    needs=_REDUCE_NEEDS | {Capability.CANCEL_ORDERS, Capability.PULL_ORDERS},
    scopes=ONE_POSITION,
    run=close_position,
    rank=40,
    evidence=Evidence.CORROBORATED,
    example="then: [close_position, notify]",
)

REDUCE_TO = Action(
    name="reduce_to",
    meaning="bring the position of the entity's symbol down to a size",
    handled_by=HandledBy.ENFORCE,
    parameters=(_QUANTITY,),
    needs=_REDUCE_NEEDS,
    scopes=ONE_POSITION,
    run=reduce_to,
    rank=30,
    evidence=Evidence.FRESH,
    example="then: [{reduce_to: {quantity: 5}}]",
)

REDUCE_BY = Action(
    name="reduce_by",
    meaning="take a quantity off the position, or a fraction off it (in an account rule: off each position)",
    handled_by=HandledBy.ENFORCE,
    parameters=(
        Parameter(
            name="quantity",
            kind=Kind.QUANTITY,
            meaning="how much to take off; only in rules about one symbol",
            required=False,
        ),
        Parameter(
            name="fraction",
            kind=Kind.FRACTION,
            meaning="which part of the size to take off: 50%; exactly one of the two is given",
            required=False,
        ),
    ),
    needs=_REDUCE_NEEDS,
    scopes=ONE_POSITION | {Scope.ACCOUNT, Scope.PORTFOLIO},
    run=reduce_by,
    rank=30,
    evidence=Evidence.FRESH,
    example="then: [{reduce_by: {fraction: 50%}}]",
)

REDUCE_GROSS_TO = Action(
    name="reduce_gross_to",
    meaning="cut positions, largest first and in whole lots, until their sizes add up to a quantity",
    handled_by=HandledBy.ENFORCE,
    parameters=(
        _QUANTITY,
        Parameter(
            name="weighted",
            kind=Kind.BOOL,
            meaning="multiply each size by the instrument's weight, as the rule's own count should",
            default=False,
            required=False,
        ),
    ),
    needs=_REDUCE_NEEDS,
    scopes=frozenset({Scope.ACCOUNT}),
    run=reduce_gross_to,
    rank=30,
    evidence=Evidence.FRESH,
    example="then: [{reduce_gross_to: {quantity: 5}}]",
)

PLACE_STOP = Action(
    name="place_stop",
    meaning="place a protective stop for the whole position: at a distance from the mark where there is none yet, or "
    "at a price, which replaces looser stops and follows the price while the incident lives",
    handled_by=HandledBy.ENFORCE,
    parameters=(
        Parameter(
            name="distance", kind=Kind.PRICE, meaning="distance from the mark in price, more than 0", required=False
        ),
        Parameter(
            name="price",
            kind=Kind.PRICE,
            meaning="where the stop is to stand, usually an expression; exactly one of the two is given",
            required=False,
        ),
    ),
    needs=frozenset(
        {Capability.STOP_ORDERS, Capability.CANCEL_ORDERS, Capability.PULL_POSITIONS, Capability.PULL_ORDERS}
    ),
    scopes=ONE_POSITION,
    run=place_stop,
    rank=60,
    evidence=Evidence.CORROBORATED,
    example="then: [{place_stop: {distance: 10}}]",
    follows=True,
)

SIZE_ACTIONS = (CLOSE_POSITION, REDUCE_TO, REDUCE_BY, REDUCE_GROSS_TO, PLACE_STOP)
