"""How much one enforcement may touch: counted in a rehearsal before anything is sent, and again as it goes on.

Glossary. A *rehearsal* runs the action on a desk that sends nothing, over a snapshot pulled for it: what it would
touch is known for every action, whoever wrote it. Its *reach* is that in numbers. Contract: beyond a cap nothing of the
action is sent but the cancelling of entries, which no cap ever holds back; what has changed since the rehearsal is
counted again before each further position.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from haltline.api import AccountSnapshot, Action, Desk
from haltline.enforce.order import ZERO, quantity_of
from haltline.errors import EngineError
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

    def excess(self, caps: Caps, value_of: ValueOf) -> str:
        """What of it is beyond the caps, in words; empty if nothing. A price that is not known is beyond any cap."""
        found = []
        if caps.max_positions is not None and len(self.cuts) > caps.max_positions:
            found.append(f"{len(self.cuts)} positions (max_positions: {caps.max_positions})")
        if caps.max_notional is not None and self.cuts:
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


def beyond(planned: PlannedAction, reach: Reach, value_of: ValueOf) -> str:
    """What of an action that may go beyond its caps went beyond them, and why it might, in words; empty if nothing."""
    caps = planned.caps
    excess = reach.excess(caps, value_of) if caps is not None and _is_free(planned, caps) else ""
    why = f"consented to by {planned.consent}" if planned.consent else "'over: proceed'"
    return f"beyond its caps it touched {excess}; {why}" if excess else ""


def _is_free(planned: PlannedAction, caps: Caps) -> bool:
    """Whether an action may go beyond its caps, by the set-up's word or an operator's."""
    return caps.over is Over.PROCEED or bool(planned.consent)


async def capped_desk(
    action: Action, planned: PlannedAction, desk: Desk, value_of: ValueOf, reach: Reach | None = None
) -> Desk:
    """The desk the action is given: one that counts in `reach` where it has caps, and stops it if it may not go on.

    Raises OverCap if a rehearsal goes beyond them; entries that it cancels are cancelled all the same.
    """
    caps, account, reach = planned.caps, planned.account, reach if reach is not None else Reach()
    if caps is None or caps.is_open:
        return desk
    if account is None or action.run is None:
        return desk
    if _is_free(planned, caps):
        return _Noting(desk, reach)
    wanted, entries = await rehearse(action, planned, desk)
    excess = wanted.excess(caps, value_of)
    if excess:
        for order in entries:
            await desk.cancel(account, order)
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
        positions = tuple(
            msgspec.structs.replace(held, quantity=quantity_of(present, held.symbol) - self._cut(held.symbol))
            for held in present.positions
        )
        orders = tuple(order for order in present.orders if order.order_id not in self._cancelled)
        return msgspec.structs.replace(present, positions=positions, orders=orders)

    def _cut(self, symbol: Symbol) -> Decimal:
        held = quantity_of(self._snapshot, symbol)
        return self.reach.cuts.get(symbol, ZERO) * (1 if held > 0 else -1)

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
        size = abs(quantity_of(self._snapshot, symbol))
        cut = self.reach.cuts.get(symbol, ZERO)
        if size - cut > to:
            self.reach.cuts[symbol] = size - to
            self.reach.orders += 1

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        self.reach.orders += 1

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        self.reach.orders += 1


class _Noting:
    """`api.Desk` that counts what is really done, by what the action itself has looked at: it costs no call."""

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
            self._reach.orders += 1
            self._require()
        await self._desk.cancel(account, order)

    async def fix(self, aims: Mapping[Symbol, Aim]) -> Mapping[Symbol, Aim]:
        return await self._desk.fix(aims)

    async def _seen(self, account: AccountId) -> AccountSnapshot | None:
        return self._last

    def _require(self) -> None:
        """Called before each request, which is counted already."""

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        seen = await self._seen(account)
        size = abs(quantity_of(seen, symbol) if seen is not None else was)
        if size > to:
            self._reach.cuts[symbol] = max(self._reach.cuts.get(symbol, ZERO), size - to)
            self._reach.orders += 1
            self._require()
        await self._desk.reduce(account, symbol, to=to, was=was)

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        self._reach.orders += 1
        self._require()
        await self._desk.place_stop(account, symbol, distance=distance)

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        self._reach.orders += 1
        self._require()
        await self._desk.move_stop(account, symbol, price=price)


class _Counting(_Noting):
    """The same, looking again before each position, and stopping before the first request beyond the caps."""

    def __init__(self, desk: Desk, reach: Reach, planned: PlannedAction, caps: Caps, value_of: ValueOf) -> None:
        super().__init__(desk, reach)
        self._planned = planned
        self._caps = caps
        self._value_of = value_of

    async def _seen(self, account: AccountId) -> AccountSnapshot | None:
        return await self.snapshot(account)

    def _require(self) -> None:
        excess = self._reach.excess(self._caps, self._value_of)
        if excess:
            raise OverCap(_text(self._planned, f"went on to touch {excess}, and was stopped before that"))


def is_entry(order: OrderReport, snapshot: AccountSnapshot) -> bool:
    """Whether a working order could enlarge exposure, as the broker shows the account."""
    held = quantity_of(snapshot, order.symbol)
    against = held * order.side.sign < 0
    return not order.reduce_only and (not against or order.remaining > abs(held))


def _text(planned: PlannedAction, what: str) -> str:
    about = planned.incidents[0] if planned.incidents else planned.id
    return f"{planned.name} {what}; an operator's consent to {about!r} lets it go on, once"
