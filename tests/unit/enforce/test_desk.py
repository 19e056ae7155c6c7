"""Desk and executor against the paper broker with faults: nothing twice, nothing unconfirmed, nothing silent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from haltline.api import Action, BrokerSetup, Desk, HandledBy, Registry
from haltline.builtins.action.order import ORDER_ACTIONS
from haltline.builtins.action.size import SIZE_ACTIONS
from haltline.builtins.action.state import STATE_ACTIONS
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.budget import Budget
from haltline.enforce.executor import Executor
from haltline.enforce.ledger import client_id
from haltline.enforce.resume import KINDS, unfinished
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import Receipt
from haltline.journal.record import RecordKind, entry_of
from haltline.model.account import AccountSpec
from haltline.model.event import ActionOutcome, OutcomeStatus, Quote
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, OrderType, Side
from haltline.model.plan import PlannedAction
from haltline.runtime.writer import InlineWriter

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
SPEC = InstrumentSpec(symbol=MNQ, tick_size=Decimal("0.25"), tick_value=Decimal("0.50"))
type Fault = Exception | None


@dataclass
class World:
    """A paper broker with scripted faults, an executor on a manual clock, and what they reported."""

    config: dict[str, object] = field(default_factory=dict)
    faults: dict[tuple[str, str], list[Fault]] = field(default_factory=dict)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NS_PER_S))
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    receipts: list[Receipt] = field(default_factory=list)
    outcomes: list[ActionOutcome] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    extra: tuple[Action, ...] = ()

    def __post_init__(self) -> None:
        setup = BrokerSetup(
            name="paper", config=self.config, accounts=[AccountSpec(id=EVAL, balance=Decimal(50_000))],
            instruments=[SPEC], clock=self.clock,
        )  # fmt: skip
        self.broker = PaperBroker(setup, faults=self._fault)
        registry = Registry()
        for action in (*ORDER_ACTIONS, *SIZE_ACTIONS, *STATE_ACTIONS, *self.extra):
            registry.add_action(action)
        self.executor = Executor(
            actions=registry.actions, brokers={EVAL: self.broker}, clock=self.clock, ledger=InlineWriter(self.journal),
            report=self._report, instruments={MNQ: SPEC}, mark_of=lambda symbol: 21_000.0, budget=Budget(),
        )  # fmt: skip
        self.quote(21_000.0)

    def _fault(self, verb: str, stage: str) -> None:
        if stage == "before":
            self.calls.append(verb)
        waiting = self.faults.get((verb, stage))
        fault = waiting.pop(0) if waiting else None
        if fault is not None:
            raise fault

    def _report(self, outcome: ActionOutcome, receipt: Receipt) -> None:
        self.outcomes.append(outcome)
        self.receipts.append(receipt)

    def quote(self, price: float) -> None:
        now = self.clock.now()
        self.broker.on_quote(Quote(at=now, received_at=now, symbol=MNQ, bid=price, ask=price + 0.25))

    async def trade(self, quantity: int, **more: object) -> None:
        side = Side.BUY if quantity > 0 else Side.SELL
        request = {"account": EVAL, "symbol": MNQ, "side": side, "quantity": Decimal(abs(quantity)), **more}
        await self.broker.submit(OrderRequest(**request))  # type: ignore[arg-type]  # a test's short hand
        self.calls.clear()

    async def position(self) -> Decimal:
        return sum((p.quantity for p in (await self.broker.snapshot(EVAL)).positions), Decimal(0))

    def plan(self, name: str, key: str = "a1", *, shadow: bool = False, **params: float | str | bool) -> PlannedAction:
        return PlannedAction(
            id=ActionId(key), at=1, name=name, account=EVAL, symbol=MNQ, params=dict(params), shadow=shadow
        )

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.executor.run_lane(EVAL))
            yield
            task.cancel()

    async def carry_out(self, *plan: PlannedAction, on_step: Callable[[], None] = lambda: None) -> None:
        """Run a plan to its end; the clock moves whenever everybody sleeps."""
        async with self.lane():
            self.executor.accept(plan)
            await self.settle(on_step)

    async def settle(self, on_step: Callable[[], None] = lambda: None) -> None:
        for _ in range(2_000):
            for _ in range(5):
                await asyncio.sleep(0)
            if self.executor.is_idle:
                return
            wake = self.clock.next_wake_ns()
            if wake is not None:
                self.clock.advance_to(wake)
                self.broker.venue.advance(self.clock.now())
                on_step()
        raise AssertionError("the executor does not come to rest")


async def test_a_flatten_closes_the_position_and_cancels_what_works() -> None:
    world = World()
    await world.trade(3)
    await world.trade(1, type=OrderType.LIMIT, limit_price=Decimal(20_000))
    await world.carry_out(world.plan("flatten"))
    assert await world.position() == 0
    assert world.outcomes[0].status is OutcomeStatus.DONE
    assert "no position, no working order" in world.outcomes[0].detail


async def test_every_request_is_on_record_before_it_is_sent() -> None:
    world = World()
    await world.trade(3)
    kinds: list[list[RecordKind]] = []
    world.faults["submit", "before"] = [None]
    submit = world.broker.submit

    async def watched(request: OrderRequest) -> object:
        kinds.append([record.kind for record in world.journal.records])
        return await submit(request)

    world.broker.submit = watched  # type: ignore[method-assign, assignment]  # a spy
    await world.carry_out(world.plan("close_position"))
    assert kinds == [[RecordKind.INTENT]]


async def test_two_lost_requests_are_followed_by_exactly_one_close() -> None:
    world = World()
    await world.trade(3)
    world.faults = {("submit", "before"): [Transient("no route"), Transient("no route")]}
    await world.carry_out(world.plan("close_position"))
    assert world.calls.count("submit") == 3
    assert await world.position() == 0
    assert len(world.receipts[0].legs) == 1


async def test_an_order_whose_acknowledgement_was_lost_is_found_and_not_sent_again() -> None:
    world = World()
    await world.trade(3)
    world.faults = {("submit", "after"): [OutcomeUnknown("connection reset")]}
    await world.carry_out(world.plan("close_position"))
    assert world.calls.count("submit") == 1
    assert await world.position() == 0
    assert world.outcomes[0].status is OutcomeStatus.DONE


async def test_a_request_that_never_arrived_is_sent_again_under_the_same_id() -> None:
    world = World()
    await world.trade(3)
    world.faults = {("submit", "before"): [OutcomeUnknown("timeout")]}
    await world.carry_out(world.plan("close_position"))
    found = await world.broker.find_order(EVAL, client_id(ActionId("a1"), "reduce MNQ 0"))
    assert world.calls.count("submit") == 2
    assert found is not None
    assert await world.position() == 0


async def test_a_refusal_stops_and_the_outcome_says_why() -> None:
    world = World()
    await world.trade(3)
    world.broker.venue.reject_next("market closed")
    await world.carry_out(world.plan("close_position"))
    assert world.outcomes[0].status is OutcomeStatus.FAILED
    assert "market closed" in world.outcomes[0].detail
    assert world.receipts[0].remaining is not None
    assert world.receipts[0].remaining.positions == {MNQ: Decimal(3)}


async def test_a_broker_that_stays_away_fails_the_action_when_its_time_is_up() -> None:
    world = World()
    await world.trade(3)
    world.faults = {("submit", "before"): [Transient("down")] * 500}
    await world.carry_out(world.plan("close_position"))
    assert world.outcomes[0].status is OutcomeStatus.FAILED
    assert "not confirmed within 30s (down)" in world.outcomes[0].detail


async def test_an_outcome_that_stays_unknown_is_reported_as_unknown() -> None:
    world = World()
    await world.trade(3)
    world.faults = {
        ("submit", "before"): [OutcomeUnknown("cut off")],
        ("find_order", "before"): [Transient("down")] * 500,
    }
    await world.carry_out(world.plan("close_position"))
    assert world.outcomes[0].status is OutcomeStatus.UNKNOWN


async def test_partial_fills_are_followed_until_nothing_is_left() -> None:
    world = World(config={"max_fill": 1})
    await world.trade(1)
    for _ in range(4):
        await world.trade(1)
    await world.carry_out(world.plan("flatten"), on_step=lambda: world.quote(21_000.0))
    assert await world.position() == 0
    assert world.outcomes[0].status is OutcomeStatus.DONE


async def test_an_order_with_latency_is_waited_for_and_not_doubled() -> None:
    world = World()
    await world.trade(-4)
    world.broker.venue._latency_ns = 700_000_000
    await world.carry_out(world.plan("reduce_to", quantity=1))
    assert await world.position() == -1
    assert world.calls.count("submit") == 1


async def test_a_smaller_position_is_left_alone() -> None:
    world = World()
    await world.trade(2)
    await world.carry_out(world.plan("reduce_to", quantity=5))
    assert await world.position() == 2
    assert world.receipts[0].legs == ()


async def test_a_stop_is_placed_below_the_mark_at_a_tick_and_confirmed() -> None:
    world = World()
    await world.trade(2)
    await world.carry_out(world.plan("place_stop", distance=10.1))
    stop = (await world.broker.snapshot(EVAL)).orders[0]
    assert (stop.side, stop.stop_price, stop.quantity, stop.reduce_only) == (
        Side.SELL, Decimal("20990.00"), Decimal(2), True,
    )  # fmt: skip


async def test_a_position_that_is_protected_gets_no_second_stop() -> None:
    world = World()
    await world.trade(2)
    await world.carry_out(world.plan("place_stop", distance=10), world.plan("place_stop", "a2", distance=10))
    assert len((await world.broker.snapshot(EVAL)).orders) == 1


async def test_a_stop_at_a_price_replaces_a_looser_one_after_the_new_one_works() -> None:
    world = World()
    await world.trade(2)
    await world.carry_out(world.plan("place_stop", "a1", price=20_900), world.plan("place_stop", "a2", price=20_950.1))
    stops = [order for order in (await world.broker.snapshot(EVAL)).orders if order.status.is_working]
    assert [(stop.stop_price, stop.quantity) for stop in stops] == [(Decimal("20950.25"), Decimal(2))]


async def test_a_stop_is_never_loosened() -> None:
    world = World()
    await world.trade(2)
    await world.carry_out(world.plan("place_stop", "a1", price=20_950), world.plan("place_stop", "a2", price=20_900))
    stops = [order for order in (await world.broker.snapshot(EVAL)).orders if order.status.is_working]
    assert [stop.stop_price for stop in stops] == [Decimal("20950.00")]


async def test_a_stop_of_a_position_that_is_gone_is_not_placed() -> None:
    world = World()
    await world.carry_out(world.plan("place_stop", price=20_900))
    assert (await world.broker.snapshot(EVAL)).orders == ()


async def test_the_least_harmful_action_goes_first() -> None:
    world = World()
    await world.trade(2)
    await world.carry_out(
        world.plan("place_stop", "c", distance=10), world.plan("flatten", "b"), world.plan("cancel_orders", "a")
    )
    assert [receipt.name for receipt in world.receipts] == ["cancel_orders", "flatten", "place_stop"]


async def test_a_shadow_action_is_never_carried_out() -> None:
    world = World()
    await world.trade(2)
    await world.carry_out(world.plan("flatten", shadow=True))
    assert await world.position() == 2
    assert not world.receipts


async def test_an_action_that_was_accepted_is_not_carried_out_again() -> None:
    world = World()
    await world.carry_out(world.plan("flatten"), world.plan("flatten"))
    assert len(world.receipts) == 1


async def test_an_action_whose_outcome_is_on_record_is_left() -> None:
    world = World()
    world.executor.mark_finished([ActionId("a1")])
    await world.carry_out(world.plan("flatten"))
    assert world.receipts == []


async def test_an_action_for_an_account_without_a_broker_fails_aloud() -> None:
    world = World()
    planned = PlannedAction(id=ActionId("x"), at=1, name="flatten", account=AccountId("other"))
    world.executor.accept([planned])
    await world.executor.tell_refused()
    assert "no broker serves account 'other'" in world.outcomes[0].detail
    assert [outcome.account for outcome in world.outcomes] == ["other"]


async def test_more_actions_than_a_lane_holds_are_refused_aloud() -> None:
    world = World()
    world.executor._lanes[EVAL].capacity = 1
    world.executor.accept([world.plan("flatten", "a"), world.plan("flatten", "b")])
    assert world.receipts == []
    await world.executor.tell_refused()
    assert "[E802]" in world.outcomes[0].detail
    left = unfinished(world.journal.iterate(kinds=KINDS))
    assert left.receipts["b"] == world.receipts[0], "on record, so that no restart takes it up"
    await world.executor.tell_refused()
    assert len(world.receipts) == 1


async def test_an_action_that_raises_anything_fails_alone() -> None:
    async def broken(request: PlannedAction, desk: Desk) -> None:
        raise ZeroDivisionError("oops")

    world = World(extra=(Action(name="broken", meaning="", handled_by=HandledBy.ENFORCE, run=broken),))
    await world.carry_out(world.plan("broken"), world.plan("flatten", "b"))
    assert "the action raised ZeroDivisionError: oops" in world.outcomes[0].detail
    assert world.outcomes[1].status is OutcomeStatus.DONE


async def test_a_refused_cancel_is_no_failure_when_the_order_is_gone() -> None:
    world = World()
    await world.trade(1, type=OrderType.LIMIT, limit_price=Decimal(20_000))
    world.faults = {("cancel", "after"): [Refused("already done")]}
    await world.carry_out(world.plan("cancel_orders"))
    assert world.outcomes[0].status is OutcomeStatus.DONE


async def test_after_a_restart_a_request_in_doubt_is_recognised_by_its_id() -> None:
    world = World()
    await world.trade(3)
    planned = world.plan("close_position")
    world.journal.append([entry_of(RecordKind.PLAN, 1, planned)])
    world.faults = {("submit", "after"): [OutcomeUnknown("killed")], ("find_order", "before"): [Transient("x")] * 999}
    async with world.lane():
        world.executor.accept([planned])
        for _ in range(20):
            await asyncio.sleep(0)
    left = unfinished(world.journal.iterate(kinds=KINDS))
    assert [action.id for action in left.actions] == ["a1"]
    again = World()
    again.broker, again.journal = world.broker, world.journal
    world.faults, world.calls = {}, []
    again.executor._brokers = {EVAL: world.broker}
    async with again.lane():
        again.executor.resume(left.actions, left.histories)
        await again.settle()
    assert world.calls.count("submit") == 0
    assert again.outcomes[0].status is OutcomeStatus.DONE


@pytest.mark.parametrize("leg", ["reduce MNQ 0", "reduce MNQ 1"])
def test_client_ids_depend_on_action_and_leg_alone(leg: str) -> None:
    assert client_id(ActionId("a"), leg) == client_id(ActionId("a"), leg)
    assert client_id(ActionId("a"), leg) != client_id(ActionId("b"), leg)
    assert len(client_id(ActionId("a"), leg)) <= 32


def test_a_client_id_is_the_one_that_every_version_has_made() -> None:
    assert client_id(ActionId("a"), "reduce MNQ 0") == "hl-cb23fddc701451a7ebe161a8"


async def test_after_a_restart_the_receipt_names_the_close_that_was_cut_off() -> None:
    receipt = await resumed_after_a_cut("close_position", ("submit", "after"))
    assert [(leg.leg, leg.status, leg.filled) for leg in receipt.legs] == [
        ("cancel eval-2", "cancelled", Decimal(0)), ("reduce MNQ 0", "accepted", Decimal(3))
    ]  # fmt: skip


async def test_after_a_restart_the_receipt_names_the_cancel_that_was_cut_off() -> None:
    receipt = await resumed_after_a_cut("cancel_orders", ("cancel", "after"))
    assert [(leg.leg, leg.status) for leg in receipt.legs] == [("cancel eval-2", "cancelled")]


@pytest.mark.parametrize("name", ["close_position", "cancel_orders"])
async def test_after_a_restart_a_request_that_never_arrived_is_sent_and_named_once(name: str) -> None:
    verb = "submit" if name == "close_position" else "cancel"
    receipt = await resumed_after_a_cut(name, (verb, "before"))
    assert len(receipt.legs) == len({leg.leg for leg in receipt.legs}) == (2 if name == "close_position" else 1)
    assert receipt.status is OutcomeStatus.DONE


async def resumed_after_a_cut(name: str, at: tuple[str, str]) -> Receipt:
    """Hold 3 and have an entry order; the process ends at that call; the receipt of the one that goes on."""
    world = World()
    await world.trade(3)
    await world.trade(1, type=OrderType.LIMIT, limit_price=Decimal(20_000))
    planned = world.plan(name)
    world.journal.append([entry_of(RecordKind.PLAN, 1, planned)])
    world.faults = {at: [OutcomeUnknown("killed")]}
    world.faults["find_order", "before"] = [Transient("x")] * 99
    world.faults["snapshot", "before"] = [*[None] * (3 if name == "close_position" else 1), *[Transient("x")] * 99]
    if name == "close_position" and at[1] == "before":
        world.faults.pop(("find_order", "before"))
        world.faults["submit", "before"] = [OutcomeUnknown("killed")] * 99
    async with world.lane():
        world.executor.accept([planned])
        for _ in range(20):
            await asyncio.sleep(0)
    world.faults = {}
    left = unfinished(world.journal.iterate(kinds=KINDS))
    again = World()
    again.broker, again.journal = world.broker, world.journal
    again.executor._brokers = {EVAL: world.broker}
    again.executor._ledger = InlineWriter(world.journal)
    async with again.lane():
        again.executor.resume(left.actions, left.histories)
        await again.settle()
    return again.receipts[0]


async def test_a_close_refused_because_somebody_turned_the_position_closes_what_is_there_now() -> None:
    world = World()
    await world.trade(3)
    human_before_the_first_order(world, -5)
    await world.carry_out(world.plan("close_position"))
    assert await world.position() == 0
    assert world.outcomes[0].status is OutcomeStatus.DONE


async def test_a_stop_refused_because_somebody_turned_the_position_protects_what_is_there_now() -> None:
    world = World()
    await world.trade(3)
    human_before_the_first_order(world, -5)
    await world.carry_out(world.plan("place_stop", distance=50.0))
    (stop,) = (await world.broker.snapshot(EVAL)).orders
    assert (stop.side, stop.quantity, stop.stop_price) == (Side.BUY, Decimal(2), Decimal(21_050))


async def test_a_stop_for_a_position_that_grows_meanwhile_is_replaced_by_one_for_all_of_it() -> None:
    world = World()
    await world.trade(3)
    human_before_the_first_order(world, 2)
    await world.carry_out(world.plan("place_stop", distance=50.0))
    (stop,) = (await world.broker.snapshot(EVAL)).orders
    assert (stop.side, stop.quantity) == (Side.SELL, Decimal(5))
    assert world.outcomes[0].status is OutcomeStatus.DONE


async def test_of_a_position_that_is_no_whole_number_of_lots_the_whole_ones_are_closed_and_the_rest_is_told() -> None:
    world = World()
    by_hand(world, "3.4")
    await world.carry_out(world.plan("close_position"))
    assert await world.position() == Decimal("0.4")
    assert world.outcomes[0].status is OutcomeStatus.FAILED
    assert "the broker shows +0.4 MNQ" in world.outcomes[0].detail


async def test_a_stop_covers_the_whole_lots_of_a_position() -> None:
    world = World()
    by_hand(world, "3.4")
    await world.carry_out(world.plan("place_stop", distance=50.0))
    (stop,) = (await world.broker.snapshot(EVAL)).orders
    assert stop.quantity == 3
    assert world.outcomes[0].status is OutcomeStatus.DONE


def by_hand(world: World, quantity: str) -> None:
    size = Decimal(quantity)
    side = Side.BUY if size > 0 else Side.SELL
    world.broker.venue.execute(
        EVAL, MNQ, side, quantity=abs(size), price=Decimal(21_000), now=world.clock.now()
    )  # fmt: skip


def human_before_the_first_order(world: World, quantity: int) -> None:
    submit, waiting = world.broker.submit, [quantity]

    async def interrupted(request: OrderRequest) -> object:
        if waiting:
            by_hand(world, str(waiting.pop()))
        return await submit(request)

    world.broker.submit = interrupted  # type: ignore[method-assign, assignment]  # somebody trades in between


async def test_a_broker_that_raises_anything_leaves_doubt_and_the_lane_alive() -> None:
    world = World()
    await world.trade(2)
    world.faults[("snapshot", "before")] = [None, None, None, KeyError("a bug")] * 20
    await world.carry_out(world.plan("flatten", "a1"), world.plan("close_position", "a2"))
    assert len(world.receipts) == 2
    assert all(receipt.status is not OutcomeStatus.DONE or receipt.remaining for receipt in world.receipts)


async def test_an_outcome_is_as_of_the_instant_its_proof_was_asked_for() -> None:
    world = World()
    await world.trade(2)
    await world.carry_out(world.plan("flatten"))
    (receipt,), (outcome,) = world.receipts, world.outcomes
    assert receipt.proven_at is not None
    assert outcome.at == receipt.proven_at <= receipt.ended_at == outcome.received_at


async def test_a_reduction_that_somebody_undoes_before_it_is_confirmed_is_made_once_more() -> None:
    world = World()
    await world.trade(3)
    snapshots = world.broker.snapshot
    asked = 0

    async def interrupted(account: AccountId) -> object:
        nonlocal asked
        asked += 1
        if asked == 3:
            by_hand(world, "2")
        return await snapshots(account)

    world.broker.snapshot = interrupted  # type: ignore[method-assign, assignment]  # somebody trades in between
    await world.carry_out(world.plan("reduce_to", quantity=1))
    assert await world.position() == 1
    assert world.outcomes[0].status is OutcomeStatus.DONE


@pytest.mark.parametrize(("name", "pulls"), [("close_position", 5), ("flatten", 5)])
async def test_what_is_confirmed_later_is_not_pulled_twice_in_a_moment(name: str, pulls: int) -> None:
    """A venue that counts calls lets so many more breaches be answered in a minute."""
    world = World()
    await world.trade(3)
    await world.carry_out(world.plan(name))
    assert world.outcomes[0].status is OutcomeStatus.DONE
    assert world.calls.count("snapshot") == pulls


async def test_a_snapshot_from_before_a_request_or_of_a_while_ago_proves_nothing() -> None:
    world = World()
    await world.trade(3)
    world.executor.accept([world.plan("flatten")])
    (_, _, job) = world.executor._lanes[EVAL].waiting[0]
    desk = world.executor._desk(EVAL, job)
    await desk.snapshot(EVAL)
    world.clock.advance_to(world.clock.now() + NS_PER_S)
    at, _ = await desk.newest(EVAL)
    assert at == world.clock.now()
    request = OrderRequest(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(3), client_id="close")
    await desk._mutate(world.broker.submit(request))
    _, present = await desk.newest(EVAL)
    assert not any(each.quantity for each in present.positions)
