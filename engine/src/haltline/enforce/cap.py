"""How much one enforcement may touch: counted in a rehearsal before anything is sent, and again as it goes on.

Glossary. A *rehearsal* runs the action on a desk that sends nothing, over a snapshot pulled for it: what it would
touch is known for every action, whoever wrote it. Its *reach* is that in numbers. Contract: beyond a cap nothing of the
action is sent but the cancelling of entries, which no cap ever holds back; what has changed since the rehearsal is
counted again before each further position.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from haltline.api import AccountSnapshot, Action, Desk
from haltline.enforce.order import ZERO, quantity_of
from haltline.errors import EngineError
from haltline.journal.receipt import LegOutcome
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Aim, OrderReport
from haltline.model.plan import Caps, Over, PlannedAction

type ValueOf = Callable[[Symbol], Decimal | None]
"""The money that one unit of a symbol stands for; None where it is not known."""


class OverCap(EngineError):
    """An action would touch more than it may without consent; says how much, and by whose word it may."""


@dataclass(slots=True)
class Reach:
    """What an action touches: sizes taken off positions, and how many orders it sends or cancels but for entries."""

    cuts: dict[Symbol, Decimal] = field(default_factory=dict)
    orders: int = 0
    _spans: dict[Symbol, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def cut(self, symbol: Symbol, *, size: Decimal, to: Decimal) -> None:
        """One more order that takes a position down: in all, from the largest it was seen to the smallest asked for."""
        largest, smallest = self._spans.get(symbol, (size, to))
        largest, smallest = max(size, largest), min(to, smallest)
        self._spans[symbol] = largest, smallest
        self.cuts[symbol] = largest - smallest
        self.orders += 1

    def excess(self, caps: Caps, value_of: ValueOf) -> str:
        """What of it is beyond the caps, in words; empty if nothing. A price that is not known is beyond any cap."""
        found = []
        if caps.max_positions is not None and len(self.cuts) > caps.max_positions:
            found.append(f"{len(self.cuts)} positions (max_positions: {caps.max_positions})")
        if caps.max_notional is not None:
            values = {symbol: value_of(symbol) for symbol in self.cuts}
            unknown = sorted(symbol for symbol, value in values.items() if value is None)
            money = sum((self.cuts[symbol] * value for symbol, value in values.items() if value is not None), ZERO)
            if unknown:
                found.append(f"{', '.join(unknown)}, whose worth is not known (max_notional: {caps.max_notional:g})")
            elif money > Decimal(str(caps.max_notional)):
                found.append(f"positions worth {money:,.2f} (max_notional: {caps.max_notional:g})")
        if caps.max_orders is not None and self.orders > caps.max_orders:
            found.append(f"{self.orders} orders (max_orders: {caps.max_orders})")
        return " and ".join(found)


def beyond(planned: PlannedAction, reach: Reach, legs: Iterable[LegOutcome], value_of: ValueOf) -> str:
    """What of an action that may go beyond its caps went beyond them, and why it might, in words; empty if nothing.

    Counted are the exits it cancelled, which are in `reach`, and what its orders did, in this life and those before.
    """
    caps = planned.caps
    if caps is None or not _is_free(planned, caps):
        return ""
    excess = _with_orders(reach, legs).excess(caps, value_of)
    why = f"consented to by {planned.consent}" if planned.consent else "'over: proceed'"
    return f"beyond its caps it touched {excess}; {why}" if excess else ""


def _with_orders(reach: Reach, legs: Iterable[LegOutcome]) -> Reach:
    found = Reach(orders=reach.orders)
    for leg in legs:
        if leg.symbol is not None:
            found.orders += 1
            if leg.filled:
                found.cuts[leg.symbol] = found.cuts.get(leg.symbol, ZERO) + leg.filled
    return found


def _is_free(planned: PlannedAction, caps: Caps) -> bool:
    """Whether an action may go beyond its caps, by the set-up's word or an operator's."""
    return caps.over is Over.PROCEED or bool(planned.consent)


async def capped_desk(action: Action, planned: PlannedAction, desk: Desk, value_of: ValueOf, reach: Reach) -> Desk:
    """The desk the action is given: one that counts in `reach` where it has caps, and stops it if it may not go on.

    Raises OverCap if a rehearsal goes beyond them; entries that it cancels are cancelled all the same.
    """
    caps = planned.caps
    if caps is None or caps.is_open or action.run is None:
        return desk
    if _is_free(planned, caps):
        return _Noting(desk, reach)
    wanted, entries = await rehearse(action, planned, desk)
    excess = wanted.excess(caps, value_of)
    if excess:
        for order in entries:
            await desk.cancel(order.account, order)
        raise OverCap(_text(planned, f"would touch {excess}; nothing of it was sent"))
    return _Counting(desk, reach, planned, caps, value_of)


async def rehearse(action: Action, planned: PlannedAction, desk: Desk) -> tuple[Reach, list[OrderReport]]:
    """Run an action that has an account without sending anything: its reach, and the entries that it would cancel."""
    assert action.run is not None and planned.account is not None
    rehearsal = _Rehearsal(desk, await desk.snapshot(planned.account))
    await action.run(planned, rehearsal)
    return rehearsal.reach, rehearsal.entries


class _Rehearsal:
    """`api.Desk` over a snapshot: notes what is asked for, and shows the account as if it had been done."""

    def __init__(self, desk: Desk, snapshot: AccountSnapshot) -> None:
        self._desk = desk
        self._snapshot = snapshot
        self.reach = Reach()
        self.entries: list[OrderReport] = []
        self._cancelled: set[OrderId] = set()

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        present = self._snapshot
        positions = tuple(msgspec.structs.replace(held, quantity=self._left(held.symbol)) for held in present.positions)
        orders = tuple(order for order in present.orders if order.order_id not in self._cancelled)
        return msgspec.structs.replace(present, positions=positions, orders=orders)

    def _left(self, symbol: Symbol) -> Decimal:
        held = quantity_of(self._snapshot, symbol)
        return held - self.reach.cuts.get(symbol, ZERO).copy_sign(held)

    def instrument(self, symbol: Symbol) -> InstrumentSpec | None:
        return self._desk.instrument(symbol)

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        if is_entry(order, self._snapshot):
            self.entries.append(order)
        elif order.order_id not in self._cancelled:
            self.reach.orders += 1
        self._cancelled.add(order.order_id)

    async def fix(self, aims: Mapping[Symbol, Aim]) -> Mapping[Symbol, Aim]:
        return await self._desk.fix({}) or aims

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        size = abs(self._left(symbol))
        if size > to:
            self.reach.cut(symbol, size=size, to=to)

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        self.reach.orders += 1

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        self.reach.orders += 1


class _Noting:
    """`api.Desk` that counts the exits it cancels, by what the action itself has looked at: it costs no call."""

    def __init__(self, desk: Desk, reach: Reach) -> None:
        self._desk = desk
        self._reach = reach
        self._last: AccountSnapshot | None = None

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        self._last = await self._desk.snapshot(account)
        return self._last

    def instrument(self, symbol: Symbol) -> InstrumentSpec | None:
        return self._desk.instrument(symbol)

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        if self._last is None or not is_entry(order, self._last):
            self._count()
        await self._desk.cancel(account, order)

    def _count(self) -> None:
        self._reach.orders += 1

    async def fix(self, aims: Mapping[Symbol, Aim]) -> Mapping[Symbol, Aim]:
        return await self._desk.fix(aims)

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        await self._desk.reduce(account, symbol, to=to, was=was)

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        await self._desk.place_stop(account, symbol, distance=distance)

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        await self._desk.move_stop(account, symbol, price=price)


class _Counting(_Noting):
    """One that counts everything, looks again before each position, and stops before what would go beyond the caps."""

    def __init__(self, desk: Desk, reach: Reach, planned: PlannedAction, caps: Caps, value_of: ValueOf) -> None:
        super().__init__(desk, reach)
        self._planned = planned
        self._caps = caps
        self._value_of = value_of

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        size = abs(quantity_of(await self.snapshot(account), symbol))
        if size > to:
            self._reach.cut(symbol, size=size, to=to)
            self._require()
        await super().reduce(account, symbol, to=to, was=was)

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        self._count()
        await super().place_stop(account, symbol, distance=distance)

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        self._count()
        await super().move_stop(account, symbol, price=price)

    def _count(self) -> None:
        super()._count()
        self._require()

    def _require(self) -> None:
        excess = self._reach.excess(self._caps, self._value_of)
        if excess:
            raise OverCap(_text(self._planned, f"went on to touch {excess}, and was stopped before that"))


def is_entry(order: OrderReport, snapshot: AccountSnapshot) -> bool:
    """Whether a working order could enlarge exposure, as the broker shows the account."""
    exposure = quantity_of(snapshot, order.symbol) * order.side.sign
    return not order.reduce_only and order.remaining > -exposure


def _text(planned: PlannedAction, what: str) -> str:
    about = planned.incidents[0] if planned.incidents else planned.id
    return f"{planned.name} {what}; an operator's consent to {about!r} lets it go on, once"
