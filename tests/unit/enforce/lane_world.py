"""A venue of two symbols that hangs where it is told to, and an executor before it on a clock moved by hand."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from haltline.api import AccountSnapshot, Action, EventSink, Registry, Started
from haltline.builtins.action.order import ORDER_ACTIONS
from haltline.builtins.action.size import SIZE_ACTIONS
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.budget import Budget
from haltline.enforce.executor import Executor
from haltline.enforce.progress import Progress
from haltline.enforce.resume import KINDS, unfinished
from haltline.errors import Refused
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import Receipt, Remaining
from haltline.journal.record import RecordKind, entry_of
from haltline.model.event import AccountReport, ActionOutcome, PositionReport
from haltline.model.id import AccountId, ActionId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.model.plan import PlannedAction
from haltline.runtime.writer import InlineWriter

EVAL, MNQ, MES = AccountId("eval"), Symbol("MNQ"), Symbol("MES")
SPECS = {
    MNQ: InstrumentSpec(symbol=MNQ, tick_size=Decimal("0.25"), tick_value=Decimal("0.50")),
    MES: InstrumentSpec(symbol=MES, tick_size=Decimal("0.25"), tick_value=Decimal("1.25")),
}
QUICK = Budget(grace_s=0.0, call_s=5.0)
PRICE = Decimal(21_000)


@dataclass
class FakeVenue:
    """`api.Broker`. `script` holds what happens to the next calls of a verb: an error to raise before or after the
    effect, or ``hang`` before or after it. `on_call` is told of every call.
    """

    held: dict[Symbol, Decimal] = field(default_factory=dict)
    orders: dict[OrderId, OrderReport] = field(default_factory=dict)
    by_client: dict[str, OrderReport] = field(default_factory=dict)
    script: dict[tuple[str, str], list[Exception | str | None]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    on_call: Callable[[str], None] = lambda verb: None
    rests: bool = False

    async def run(self, sink: EventSink, started: Started) -> None:
        started()
        await asyncio.Event().wait()

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        await self._meet("snapshot", "before")
        positions = tuple(
            PositionReport(at=1, received_at=1, account=account, symbol=symbol, quantity=held, average_price=PRICE)
            for symbol, held in self.held.items()
            if held
        )
        return AccountSnapshot(
            account=AccountReport(at=1, received_at=1, account=account, balance=Decimal(50_000)),
            positions=positions, orders=tuple(self.orders.values()),
        )  # fmt: skip

    async def submit(self, request: OrderRequest) -> OrderReport:
        await self._meet("submit", "before")
        report = self.by_client.get(request.client_id) or self._take(request)
        await self._meet("submit", "after")
        return report

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        await self._meet("cancel", "before")
        self.orders.pop(order_id, None)
        await self._meet("cancel", "after")

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        await self._meet("find_order", "before")
        return self.by_client.get(client_id)

    def rest(self, symbol: Symbol, side: Side, *, stop: bool = False) -> OrderId:
        """Somebody's own working order."""
        order_id = OrderId(f"v{len(self.by_client) + len(self.orders) + 100}")
        self.orders[order_id] = OrderReport(
            account=EVAL, order_id=order_id, symbol=symbol, side=side, quantity=Decimal(1),
            type=OrderType.STOP if stop else OrderType.LIMIT, status=OrderStatus.WORKING,
            stop_price=PRICE if stop else None,
        )  # fmt: skip
        return order_id

    def fill(self, client: str) -> None:
        """An order that rested fills now."""
        report = self.by_client[client]
        self.held[report.symbol] += report.quantity * report.side.sign
        self.orders.pop(report.order_id, None)
        self.by_client[client] = msgspec.structs.replace(
            report, status=OrderStatus.FILLED, filled=report.quantity, average_price=PRICE
        )

    @property
    def closes(self) -> list[Decimal]:
        """What our orders have done, signed, oldest first."""
        return [report.filled * report.side.sign for report in self.by_client.values() if report.filled]

    def _take(self, request: OrderRequest) -> OrderReport:
        held = self.held.get(request.symbol, Decimal(0))
        if request.reduce_only and (held * request.side.sign >= 0 or request.quantity > abs(held)):
            raise Refused("reduce-only: there is nothing to reduce")
        report = OrderReport(
            account=request.account, order_id=OrderId(f"v{len(self.by_client)}"), symbol=request.symbol,
            side=request.side, quantity=request.quantity, type=request.type, status=OrderStatus.WORKING,
            client_id=request.client_id, reduce_only=request.reduce_only, stop_price=request.stop_price,
        )  # fmt: skip
        self.by_client[request.client_id] = report
        if request.type is OrderType.MARKET and not self.rests:
            self.fill(request.client_id)
        else:
            self.orders[report.order_id] = report
        return self.by_client[request.client_id]

    async def _meet(self, verb: str, stage: str) -> None:
        if stage == "before":
            self.calls.append(verb)
            self.on_call(verb)
        waiting = self.script.get((verb, stage))
        event = waiting.pop(0) if waiting else None
        if isinstance(event, Exception):
            raise event
        if event == "hang":
            await asyncio.Event().wait()


@dataclass
class Pushes:
    """`Witness`: what was pushed, set by hand; `follows` makes it show what the venue shows."""

    venue: FakeVenue
    follows: bool = True
    shown: Remaining | None = None
    corrections: int = 0
    is_busy: bool = False

    def seen(self, account: AccountId) -> Remaining | None:
        if not self.follows:
            return self.shown
        held = {symbol: quantity for symbol, quantity in self.venue.held.items() if quantity}
        working = Counter(order.symbol for order in self.venue.orders.values())
        return Remaining(positions=held, working_orders=working.total(), orders=dict(working))

    def is_working(self, account: AccountId, order_id: str) -> bool | None:
        return any(order.order_id == order_id for order in self.venue.orders.values()) if self.follows else None

    def activity(self, account: AccountId) -> object:
        return self.shown

    def correct(self, snapshot: AccountSnapshot, *, since: object) -> bool:
        if self.is_busy:
            return False
        self.corrections += 1
        return True


@dataclass
class LaneWorld:
    """One account, one lane, one life; `again` is the next life with the same venue and journal."""

    venue: FakeVenue = field(default_factory=lambda: FakeVenue(held={MNQ: Decimal(3), MES: Decimal(-2)}))
    clock: ManualClock = field(default_factory=lambda: ManualClock(NS_PER_S))
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    budget: Budget = QUICK
    pushes: Pushes | None = None
    extra: tuple[Action, ...] = ()
    receipts: list[Receipt] = field(default_factory=list)
    outcomes: list[ActionOutcome] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        registry = Registry()
        for action in (*ORDER_ACTIONS, *SIZE_ACTIONS, *self.extra):
            registry.add_action(action)
        self.executor = Executor(
            actions=registry.actions, brokers={EVAL: self.venue}, clock=self.clock, report=self._report,
            ledger=InlineWriter(self.journal), instruments=SPECS, mark_of=lambda symbol: 20_999.0, budget=self.budget,
            witness=self.pushes,
        )  # fmt: skip
        self.executor.watchers.append(self.progress.append)

    def _report(self, outcome: ActionOutcome, receipt: Receipt) -> None:
        self.outcomes.append(outcome)
        self.receipts.append(receipt)

    def plan(self, name: str, key: str, symbol: Symbol | None = MNQ, **params: float | str | bool) -> PlannedAction:
        """A planned action, on record as the kernel's publisher puts it there."""
        planned = PlannedAction(
            id=ActionId(key), at=1, name=name, account=EVAL, symbol=None if name == "flatten" else symbol,
            params=dict(params),
        )  # fmt: skip
        self.journal.append([entry_of(RecordKind.PLAN, 1, planned)])
        return planned

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.executor.run_lane(EVAL))
            yield
            task.cancel()

    async def until_called(self, verb: str, count: int = 1) -> None:
        """Let the lane go on until the venue has been called so often."""
        for _ in range(1_000):
            if self.venue.calls.count(verb) >= count:
                return
            await self.step()
        raise AssertionError(f"{verb} was called {self.venue.calls.count(verb)} times")

    async def step(self) -> None:
        """Everybody takes their turn; if all sleep, time passes."""
        for _ in range(6):
            await asyncio.sleep(0)
        wake = self.clock.next_wake_ns()
        if wake is not None:
            self.clock.advance_to(wake)

    async def settle(self, on_step: Callable[[], None] = lambda: None) -> None:
        """Until nothing is under way."""
        for _ in range(3_000):
            if self.executor.is_idle:
                return
            await self.step()
            on_step()
        raise AssertionError("the executor does not come to rest")

    def receipt(self, key: str) -> Receipt:
        """The only receipt of an action."""
        (found,) = [receipt for receipt in self.receipts if receipt.action == key]
        return found

    def again(self, **more: object) -> "LaneWorld":
        """The next life after a kill: the venue, the journal, and what the journal says is left."""
        self.venue.script.clear()
        self.venue.calls.clear()
        world = LaneWorld(venue=self.venue, clock=self.clock, journal=self.journal, budget=self.budget, **more)  # type: ignore[arg-type]  # a test's short hand
        left = unfinished(self.journal.iterate(kinds=KINDS))
        world.executor.mark_finished([action for action in left.planned if action in left.receipts])
        world.executor.resume(left.actions, left.histories)
        return world
