"""Whatever happens at a broker, and wherever the process ends: enforcement does what it says, once, and never more.

A machine drives a real executor on the paper venue by a manual clock: prices move, people trade, calls fail before or
after their effect, the process is killed at any call or write and another goes on with the same journal.
"""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from haltline.api import BrokerSetup, Registry
from haltline.builtins.action.order import ORDER_ACTIONS
from haltline.builtins.action.size import SIZE_ACTIONS
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.executor import Executor
from haltline.enforce.resume import KINDS, unfinished
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import LegIntent, LegOutcome, Receipt
from haltline.journal.record import Entry, RecordKind, entry_of
from haltline.model.account import AccountSpec
from haltline.model.event import ActionOutcome, Fill, OutcomeStatus, Quote
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, OrderType, Side
from haltline.model.plan import PlannedAction
from haltline.runtime.writer import InlineWriter

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
SPEC = InstrumentSpec(symbol=MNQ, tick_size=Decimal("0.25"), tick_value=Decimal("0.50"))
D = Decimal

FAULTS: dict[str, list[tuple[str, type[Exception]]]] = {
    "snapshot": [("before", Transient), ("after", Transient)],
    "find_order": [("before", Transient)],
    "submit": [("before", Transient), ("before", OutcomeUnknown), ("after", OutcomeUnknown), ("before", Refused)],
    "cancel": [("before", Transient), ("before", OutcomeUnknown), ("after", OutcomeUnknown)],
}
faults = st.one_of(
    *(st.tuples(st.just(verb), st.sampled_from(kinds), st.integers(1, 3)) for verb, kinds in FAULTS.items())
)
actions = st.one_of(
    st.tuples(st.sampled_from(["flatten", "close_position", "cancel_orders"]), st.just(())),
    st.tuples(st.just("reduce_to"), st.integers(0, 3).map(lambda size: (("quantity", size),))),
    st.tuples(st.just("place_stop"), st.just((("distance", 50),))),
)


class _Killed(BaseException):
    """The process is no more."""


class _MortalLedger:
    """A journal whose writer may die before or after a write."""

    def __init__(self, world: "EnforcementMachine") -> None:
        self._world = world
        self._inner = InlineWriter(world.journal)

    async def record(self, entries: list[Entry], *, durable: bool) -> None:
        self._world.pass_by()
        await self._inner.record(entries, durable=durable)
        self._world.pass_by()


class EnforcementMachine(RuleBasedStateMachine):
    """One account, one symbol, many lives."""

    @initialize(
        max_fill=st.sampled_from([None, 1]), latency_ms=st.sampled_from([0, 300]), start=st.sampled_from([3, -4, 1])
    )
    def open(self, max_fill: int | None, latency_ms: int, start: int) -> None:
        config: dict[str, object] = {"latency_ms": latency_ms} | ({"max_fill": max_fill} if max_fill else {})
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock(NS_PER_S)
        self.journal = MemoryJournal()
        self.waiting: dict[tuple[str, str], list[Exception]] = {}
        self.life: int | None = None
        self.trades: list[tuple[int, int]] = []
        self.calls = 0
        self.count = 0
        self.price = 21_000
        self.disturbed = self.met_a_trader = False
        self.broker = PaperBroker(
            BrokerSetup(
                name="p", config=config, accounts=[AccountSpec(id=EVAL, balance=D(9_000_000))], instruments=[SPEC],
                clock=self.clock,
            ),
            faults=self.on_call,
        )  # fmt: skip
        self.fills: list[Fill] = []
        self.broker.venue.sink = self.hear
        self.move(self.price)
        self.by_hand(start)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    def hear(self, event: Any) -> None:
        if isinstance(event, Fill):
            self.fills.append(event)

    def pass_by(self) -> None:
        """One instant at which the process may end."""
        if self.life is not None:
            self.life -= 1
            if self.life < 0:
                raise _Killed

    def on_call(self, verb: str, stage: str) -> None:
        self.pass_by()
        self.calls += stage == "before"
        if stage == "before" and self.trades and self.trades[0][0] <= self.calls:
            self.by_hand(self.trades.pop(0)[1])
            self.disturbed = self.met_a_trader = True
        waiting = self.waiting.get((verb, stage))
        if waiting:
            self.disturbed = True
            raise waiting.pop()

    def by_hand(self, quantity: int) -> None:
        side = Side.BUY if quantity > 0 else Side.SELL
        self.broker.venue.execute(
            EVAL, MNQ, side, quantity=D(abs(quantity)), price=D(self.price), now=self.clock.now()
        )  # fmt: skip

    def held(self) -> Decimal:
        return sum((p.quantity for p in self.broker.venue.snapshot(EVAL, self.clock.now()).positions), D(0))

    @rule(price=st.integers(20_900, 21_100))
    def move(self, price: int) -> None:
        self.price, now = price, self.clock.now()
        self.broker.on_quote(Quote(at=now, received_at=now, symbol=MNQ, bid=float(price), ask=price + 0.25))

    @rule(quantity=st.integers(-5, 5).filter(bool))
    def trade(self, quantity: int) -> None:
        self.by_hand(quantity)

    @rule(side=st.sampled_from(Side), quantity=st.integers(1, 4), is_stop=st.booleans(), distance=st.integers(1, 150))
    def order(self, side: Side, quantity: int, is_stop: bool, distance: int) -> None:
        away = D(distance if is_stop == (side is Side.BUY) else -distance)
        price = D(self.price) + away
        kind = OrderType.STOP if is_stop else OrderType.LIMIT
        request = OrderRequest(account=EVAL, symbol=MNQ, side=side, quantity=D(quantity), type=kind)
        prices = {"stop_price": price} if is_stop else {"limit_price": price}
        self.broker.venue.submit(msgspec.structs.replace(request, **prices), self.clock.now())

    @rule(fault=faults)
    def break_something(self, fault: tuple[str, tuple[str, type[Exception]], int]) -> None:
        verb, (stage, kind), count = fault
        self.waiting.setdefault((verb, stage), []).extend([kind("a fault")] * count)

    @rule(call=st.integers(1, 8), quantity=st.integers(-5, 5).filter(bool))
    def somebody_will_trade(self, call: int, quantity: int) -> None:
        self.trades = [(call, quantity)]

    @rule()
    def mend(self) -> None:
        self.waiting.clear()
        self.trades.clear()

    @rule(action=actions, lives=st.lists(st.integers(0, 14), max_size=2))
    def act(self, action: tuple[str, tuple[tuple[str, int], ...]], lives: list[int]) -> None:
        """Plan an action and carry it out, in as many lives as it takes."""
        name, params = action
        self.count += 1
        self.calls, self.disturbed, self.met_a_trader = 0, bool(lives), False
        before = self.held()
        planned = PlannedAction(
            id=ActionId(f"a{self.count}"), at=1, name=name, account=EVAL, symbol=MNQ, params=dict(params)
        )
        self.journal.append([entry_of(RecordKind.PLAN, self.clock.now(), planned)])
        was_pending = any(o.status == "pending" for o in self.broker.venue.snapshot(EVAL, self.clock.now()).orders)
        for life in [*lives, None]:
            if self.live(life):
                break
        (receipt,) = [each for each in self.receipts() if each.action == planned.id]
        if receipt.status is OutcomeStatus.DONE:
            self.require_promise(planned, before)
        else:
            assert self.disturbed or was_pending, f"nothing was in the way of {receipt}"

    def live(self, life: int | None) -> bool:
        """One process, from its start to its end; True if it came to rest."""
        registry = Registry()
        for action in (*ORDER_ACTIONS, *SIZE_ACTIONS):
            registry.add_action(action)
        heard: list[ActionOutcome] = []
        executor = Executor(
            actions=registry.actions, brokers={EVAL: self.broker}, clock=self.clock, ledger=_MortalLedger(self),
            report=lambda outcome, receipt: heard.append(outcome), instruments={MNQ: SPEC},
            mark_of=lambda symbol: float(self.price),
        )  # fmt: skip
        left = unfinished(self.journal.iterate(kinds=KINDS))
        executor.mark_finished([action for action in left.planned if action in left.receipts])
        self.life = life
        try:
            return self.loop.run_until_complete(self.run_lane(executor, left))
        finally:
            self.life = None

    async def run_lane(self, executor: Executor, left: Any) -> bool:
        lane = asyncio.ensure_future(executor.run_lane(EVAL))
        executor.resume(left.actions, left.histories)
        for _ in range(3_000):
            for _ in range(4):
                await asyncio.sleep(0)
            if lane.done():
                assert isinstance(lane.exception(), _Killed)
                return False
            if executor.is_idle:
                break
            wake = self.clock.next_wake_ns()
            if wake is not None:
                self.clock.advance_to(wake)
                self.broker.venue.advance(self.clock.now())
                self.move(self.price)
        else:
            raise AssertionError("enforcement does not come to rest")
        lane.cancel()
        await asyncio.wait([lane])
        return True

    def require_promise(self, planned: PlannedAction, before: Decimal) -> None:
        """What was reported as done is so at the venue."""
        now = self.broker.venue.snapshot(EVAL, self.clock.now())
        held = self.held()
        working = [order for order in now.orders if order.status.is_working]
        match planned.name:
            case "flatten" | "close_position":
                assert held == 0
                assert working == []
            case "reduce_to":
                assert abs(held) <= D(str(planned.params["quantity"]))
            case "place_stop" if held and not self.met_a_trader:
                ours = [o for o in working if o.type.is_stop and o.side.sign * held < 0]
                assert any(order.remaining >= abs(held) for order in ours)

    def receipts(self) -> list[Receipt]:
        bodies = [record.body for record in self.journal.iterate(kinds=[RecordKind.OUTCOME])]
        outcomes = [msgspec.json.decode(body, type=LegOutcome | Receipt) for body in bodies]
        return [outcome for outcome in outcomes if isinstance(outcome, Receipt)]

    @invariant()
    def no_order_of_ours_opens_or_turns_a_position(self) -> None:
        if not hasattr(self, "fills"):
            return
        ours = {order["order_id"] for order in self.our_orders()}
        held = D(0)
        for fill in self.fills:
            after = held + fill.quantity * fill.side.sign
            if fill.order_id in ours:
                assert abs(after) < abs(held)
                assert after * held >= 0
            held = after

    @invariant()
    def every_order_of_ours_was_on_record_and_is_there_once(self) -> None:
        if not hasattr(self, "fills"):
            return
        bodies = [record.body for record in self.journal.iterate(kinds=[RecordKind.INTENT])]
        intents = [msgspec.json.decode(body, type=LegIntent) for body in bodies]
        recorded = {intent.order.client_id for intent in intents if intent.order is not None}
        sent = [order["client_id"] for order in self.our_orders()]
        assert set(sent) <= recorded
        assert len(set(sent)) == len(sent)

    @invariant()
    def every_action_has_one_receipt_that_names_each_request_once(self) -> None:
        if not hasattr(self, "fills"):
            return
        receipts = self.receipts()
        assert len({receipt.action for receipt in receipts}) == len(receipts) == self.count
        for receipt in receipts:
            legs = [leg.leg for leg in receipt.legs]
            assert len(set(legs)) == len(legs)

    def our_orders(self) -> list[dict[str, Any]]:
        rows: Any = self.broker.venue.to_builtins()["rows"]
        reports = [row[2]["report"] for row in rows if row[0] == "order"]
        return [report for report in reports if report["client_id"].startswith("hl-")]


def test_enforcement_keeps_its_promises_whatever_happens() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        EnforcementMachine, settings=settings(deadline=None, max_examples=60, stateful_step_count=15)
    )
