"""What hangs keeps nothing else of an action waiting, is looked at again, and does not use up a venue's calls."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue, LaneWorld

from haltline.api import AccountSnapshot, Action, Desk, HandledBy
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.budget import Budget
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, Side
from haltline.model.plan import PlannedAction

MYM, M2K = Symbol("MYM"), Symbol("M2K")


@dataclass
class SlackVenue(FakeVenue):
    """A venue at which some orders are not cancelled though it says so, and those for some symbols do not fill."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(NS_PER_S))
    stuck: set[OrderId] = field(default_factory=set)
    halted: set[Symbol] = field(default_factory=set)
    down: set[Symbol] = field(default_factory=set)
    sent: dict[Symbol, float] = field(default_factory=dict)
    looked: list[float] = field(default_factory=list)
    turns: int = 0

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        self.looked.append(self.clock.now() / NS_PER_S - 1)
        return await super().snapshot(account)

    async def submit(self, request: OrderRequest) -> OrderReport:
        if request.symbol in self.down:
            raise Transient("down")
        return await super().submit(request)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        await self._meet("cancel", "before")
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if order_id not in self.stuck:
            self.orders.pop(order_id, None)

    def _take(self, request: OrderRequest) -> OrderReport:
        self.sent.setdefault(request.symbol, self.clock.now() / NS_PER_S - 1)
        self.rests = request.symbol in self.halted
        return super()._take(request)

    def keep(self, symbol: Symbol) -> None:
        """An entry that nobody can cancel."""
        self.stuck.add(self.rest(symbol, Side.BUY))

    def open_again(self) -> None:
        """Halted markets go on: what rests there fills, and what is stuck goes."""
        for client in [each.client_id for each in self.orders.values() if each.client_id]:
            self.fill(client)
        for order_id in self.stuck:
            self.orders.pop(order_id, None)
        self.halted.clear()
        self.stuck.clear()


def world(*, halted: set[Symbol] | None = None, **more: int) -> tuple[SlackVenue, LaneWorld]:
    held = {MNQ: Decimal(3), MES: Decimal(-2), MYM: Decimal(1), M2K: Decimal(1)}
    venue = SlackVenue(held=held, halted=halted or set())
    return venue, LaneWorld(venue=venue, clock=venue.clock, budget=Budget(**{"grace_s": 0.0, "call_s": 5.0, **more}))


async def flatten(made: LaneWorld, *, mended_at: float = 1e9) -> float:
    """Carry one out, and give the second at which it was over; the venue is mended on the way."""
    venue = made.venue
    assert isinstance(venue, SlackVenue)

    def look() -> None:
        if made.clock.now() / NS_PER_S - 1 >= mended_at and (venue.halted or venue.stuck):
            venue.open_again()

    async with made.lane():
        made.executor.accept([made.plan("flatten", "f")])
        await made.settle(look)
    return made.clock.now() / NS_PER_S - 1


@pytest.mark.parametrize("orders", [1, 9])
async def test_orders_that_nobody_can_cancel_keep_no_position_open(orders: int) -> None:
    venue, made = world()
    for _ in range(orders):
        venue.keep(MNQ)
    await flatten(made)
    assert max(venue.sent.values()) <= 2.0
    assert not any(venue.held.values())
    receipt = made.receipt("f")
    assert (receipt.status, receipt.remaining and receipt.remaining.working_orders) == (OutcomeStatus.FAILED, orders)
    assert receipt.ended_at - receipt.started_at == 30 * NS_PER_S


async def test_a_position_whose_order_does_not_fill_keeps_no_other_open() -> None:
    venue, made = world(halted={MNQ})
    await flatten(made)
    assert venue.sent == {MNQ: 0.0, MES: 5.0, MYM: 5.0, M2K: 5.0}
    assert {symbol: held for symbol, held in venue.held.items() if held} == {MNQ: Decimal(3)}
    assert len(venue.by_client) == 4


async def test_of_several_that_do_not_fill_only_the_first_is_waited_for() -> None:
    venue, made = world(halted={MNQ, MES, MYM})
    await flatten(made)
    assert venue.sent == {MNQ: 0.0, MES: 5.0, MYM: 5.0, M2K: 5.0}
    assert len(venue.by_client) == 4


async def test_what_is_left_alone_is_waited_for_as_ever() -> None:
    venue, made = world(halted={MNQ})
    assert 20.0 <= await flatten(made, mended_at=20.0) <= 23.1
    assert (made.receipt("f").status, len(venue.closes)) == (OutcomeStatus.DONE, 4)


async def test_several_that_are_left_are_looked_at_in_rounds_that_grow_apart() -> None:
    venue, made = world(halted={MNQ, MES})
    venue.keep(MYM)
    assert 12.0 <= await flatten(made, mended_at=12.0) <= 20.1
    assert (made.receipt("f").status, len(venue.closes)) == (OutcomeStatus.DONE, 4)
    assert venue.calls.count("snapshot") < 60


async def test_of_two_that_are_left_neither_waits_for_the_other() -> None:
    venue, made = world(halted={MNQ})
    venue.down.add(MES)

    def look() -> None:
        if made.clock.now() > 13 * NS_PER_S:
            venue.down.clear()

    async with made.lane():
        made.executor.accept([made.plan("flatten", "f")])
        await made.settle(look)
    assert {symbol: held for symbol, held in venue.held.items() if held} == {MNQ: Decimal(3)}
    assert 12.0 <= venue.sent[MES] <= 20.1


def rounds(venue: SlackVenue) -> list[float]:
    """The seconds after the first share at which the venue was looked at, each once."""
    return list(dict.fromkeys(second for second in venue.looked if second >= 5.0))


async def test_the_rounds_begin_at_once_and_each_rests_twice_as_long_as_the_one_before() -> None:
    venue, made = world(halted={MNQ, MES})
    await flatten(made)
    assert rounds(venue) == [5.0, 7.0, 11.0, 19.0, 30.0]
    assert made.receipt("f").status is OutcomeStatus.FAILED


async def test_what_is_left_alone_after_some_rounds_is_waited_for_without_a_rest() -> None:
    venue, made = world(halted={MNQ, MES})
    client: list[str] = []

    def look() -> None:
        if made.clock.now() / NS_PER_S - 1 >= 6.0 and not client:
            client.extend(each.client_id for each in venue.orders.values() if each.symbol == MES)
            venue.fill(client[0])

    async with made.lane():
        made.executor.accept([made.plan("flatten", "f")])
        await made.settle(look)
    assert [second for second in rounds(venue) if second <= 9.0][:2] == [5.0, 7.0]
    assert len([second for second in rounds(venue) if 7.0 < second < 9.0]) >= 2, "it is asked for as often as ever"


async def test_what_took_effect_while_a_round_rested_is_on_the_receipt() -> None:
    venue, made = world()
    for _ in range(2):
        venue.keep(MNQ)
    assert 3.0 <= await flatten(made, mended_at=3.0) <= 9.0
    receipt = made.receipt("f")
    assert receipt.status is OutcomeStatus.DONE
    assert [leg.status for leg in receipt.legs if leg.leg.startswith("cancel")] == ["cancelled", "cancelled"]


async def test_what_fails_before_its_share_is_up_is_not_run_again() -> None:
    _, made = world(orders=0)
    await flatten(made)
    receipt = made.receipt("f")
    assert (receipt.status, receipt.ended_at) == (OutcomeStatus.FAILED, receipt.started_at)
    assert receipt.reason.startswith("MNQ is still +3 after 0 orders")


async def test_a_cancel_that_alone_was_left_may_take_as_long_as_any_call() -> None:
    venue, made = world(cancel_ns=8)
    venue.rest(MNQ, Side.BUY)
    venue.turns = 5
    async with made.lane():
        made.executor.accept([made.plan("cancel_orders", "c", MNQ)])
        await made.settle()
    assert made.receipt("c").status is OutcomeStatus.DONE


async def test_in_later_rounds_a_cancel_has_still_the_time_that_an_answer_takes() -> None:
    venue, made = world(cancel_ns=NS_PER_S)
    for _ in range(2):
        venue.keep(MNQ)
    venue.turns = 5

    def look() -> None:
        if made.clock.now() > 4 * NS_PER_S:
            venue.stuck.clear()

    async with made.lane():
        made.executor.accept([made.plan("cancel_orders", "c", None, keep_protective=False)])
        await made.settle(look)
    assert (made.receipt("c").status, venue.orders) == (OutcomeStatus.DONE, {})


async def test_a_cancel_that_hangs_is_left_too() -> None:
    venue, made = world(cancel_ns=NS_PER_S // 10, call_s=600)
    for _ in range(3):
        venue.rest(MNQ, Side.BUY)
    venue.script["cancel", "before"] = ["hang"] * 3
    async with made.lane(), asyncio.timeout(30):
        made.executor.accept([made.plan("flatten", "f")])
        while not made.executor.is_idle:
            await made.step()
    assert made.receipt("f").status is OutcomeStatus.DONE
    assert (len(venue.closes), venue.orders) == (4, {})


async def test_what_is_stronger_takes_over_while_rounds_rest() -> None:
    venue, made = world(halted={MNQ, MES})
    async with made.lane():
        made.executor.accept([made.plan("reduce_by", "r", None, fraction=0.5)])
        while made.clock.now() < 7 * NS_PER_S:
            await made.step()
        venue.open_again()
        made.executor.accept([made.plan("flatten", "f")])
        began = made.clock.now()
        await made.settle()
    assert (made.receipt("r").status, made.receipt("f").status) == (OutcomeStatus.SUPERSEDED, OutcomeStatus.DONE)
    assert made.receipt("r").ended_at == began
    assert not any(venue.held.values())


async def test_what_failed_for_another_reason_than_time_is_not_run_again() -> None:
    venue, made = world()
    venue.script["submit", "before"] = [Refused("price band")]
    await flatten(made)
    assert made.receipt("f").status is OutcomeStatus.FAILED
    assert len(venue.by_client) == 3
    assert made.receipt("f").ended_at == made.receipt("f").started_at


async def test_an_action_about_one_symbol_has_all_the_time_for_it() -> None:
    venue, made = world(halted={MNQ})
    async with made.lane():
        made.executor.accept([made.plan("close_position", "c", MNQ)])
        await made.settle()
    assert made.receipt("c").reason.startswith("not confirmed within 30s")
    assert len(venue.by_client) == 1


async def test_a_close_that_does_not_fill_keeps_no_other_close_waiting_for_long() -> None:
    venue, made = world(halted={MNQ})
    async with made.lane():
        made.executor.accept([made.plan("close_position", "a", MNQ), made.plan("close_position", "b", MES)])
        await made.settle()
    assert venue.sent == {MNQ: 0.0, MES: pytest.approx(5.0, abs=2)}
    assert made.receipt("a").reason.startswith("not confirmed within 5s, and other actions wait")
    assert [each.symbol for each in made.receipt("a").unsettled] == [MNQ]
    assert made.receipt("b").status is OutcomeStatus.DONE


async def test_an_entry_that_nobody_can_cancel_keeps_no_close_waiting_for_long() -> None:
    venue, made = world()
    venue.keep(MNQ)
    (stuck,) = venue.stuck
    async with made.lane():
        cancel = msgspec.structs.replace(made.plan("cancel_orders", "a", MNQ), order_id=stuck)
        made.executor.accept([cancel, made.plan("close_position", "b", MES)])
        await made.settle()
    assert venue.sent[MES] <= 4.0
    assert made.receipt("a").reason.startswith("not confirmed within 2s, and other actions wait")


async def test_an_action_in_doubt_that_others_wait_for_says_so() -> None:
    venue, made = world()
    venue.script["submit", "before"] = [OutcomeUnknown("no answer")] * 100
    async with made.lane():
        made.executor.accept([made.plan("close_position", "a", MNQ), made.plan("close_position", "b", MES)])
        while not made.receipts:
            await made.step()
        venue.script.clear()
        await made.settle()
    assert made.receipt("a").status is OutcomeStatus.UNKNOWN
    assert "and other actions wait (no answer)" in made.receipt("a").reason
    assert made.receipt("b").status is OutcomeStatus.DONE


async def test_an_order_that_nobody_can_cancel_keeps_the_position_of_its_own_symbol_no_longer_open() -> None:
    async def cancel_then_close(request: PlannedAction, desk: Desk) -> None:
        seen = await desk.snapshot(EVAL)
        failed = []
        for order in seen.orders:
            try:
                await desk.cancel(EVAL, order)
            except Transient as failure:
                failed.append(failure)
        await desk.reduce(EVAL, MNQ, to=Decimal(0))
        for failure in failed:
            raise failure

    both = Action(name="both", meaning="", handled_by=HandledBy.ENFORCE, run=cancel_then_close)
    venue, _ = world()
    made = LaneWorld(venue=venue, clock=venue.clock, extra=(both,))
    venue.keep(MNQ)
    async with made.lane():
        made.executor.accept([made.plan("both", "a", MNQ)])
        await made.settle()
    assert venue.sent == {MNQ: 2.0}
    assert made.receipt("a").status is OutcomeStatus.FAILED


async def test_nobody_is_asked_before_the_time_that_a_venue_names_and_then_all_at_once() -> None:
    venue, made = world()
    venue.script["submit", "before"] = [Transient("too many requests", retry_after_s=9.0)]
    assert 10.0 <= await flatten(made) <= 10.5
    assert venue.sent == {MNQ: 9.0, MES: 9.0, MYM: 9.0, M2K: 9.0}
    assert venue.calls.count("submit") == 5


class LaggingVenue(SlackVenue):
    """Positions are shown as they were two seconds ago."""

    def __init__(self, **more: object) -> None:
        super().__init__(**more)  # type: ignore[arg-type]
        self.past: list[tuple[int, dict[Symbol, Decimal]]] = []

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        now, real = self.clock.now(), self.held
        self.past.append((now, dict(real)))
        self.held = [held for at, held in self.past if at <= now - 2 * NS_PER_S or at == self.past[0][0]][-1]
        try:
            return await super().snapshot(account)
        finally:
            self.held = real


async def test_an_order_that_fills_at_the_end_of_a_share_is_given_time_to_show_in_the_next_round() -> None:
    venue = LaggingVenue(held={MNQ: Decimal(10)}, halted={MNQ})
    made = LaneWorld(venue=venue, clock=venue.clock)

    def fill_late() -> None:
        if venue.halted and made.clock.now() >= 55 * NS_PER_S // 10:
            venue.open_again()

    async with made.lane():
        made.executor.accept([made.plan("reduce_to", "r", MNQ, quantity=5)])
        await made.settle(fill_late)
    assert (made.receipt("r").status, venue.held) == (OutcomeStatus.DONE, {MNQ: Decimal(5)})
    assert venue.closes == [Decimal(-5)]


@pytest.mark.parametrize(("fault", "why"), [(None, ""), (Transient("down"), " (down)")])
async def test_what_yields_says_what_was_in_its_way(fault: Exception | None, why: str) -> None:
    venue, made = world(halted={MNQ} if fault is None else set())
    venue.script["submit", "before"] = [fault] * 100
    async with made.lane():
        made.executor.accept([made.plan("close_position", "a", MNQ), made.plan("close_position", "b", MES)])
        while not made.receipts:
            await made.step()
        venue.script.clear()
        await made.settle()
    assert made.receipt("a").reason == f"not confirmed within 5s, and other actions wait{why} [E801]"


async def test_a_time_that_a_venue_names_for_a_question_is_kept_as_well() -> None:
    venue, made = world()
    venue.script["snapshot", "before"] = [Transient("too many requests", retry_after_s=9.0)]
    assert 10.0 <= await flatten(made) <= 10.5
    assert set(venue.sent.values()) == {9.0}


@pytest.mark.parametrize(
    ("name", "symbol", "params"), [("flatten", None, {}), ("flatten", MNQ, {}), ("reduce_by", None, {"fraction": 0.5})]
)
async def test_what_is_about_the_whole_account_has_all_the_time_though_others_wait(
    name: str, symbol: Symbol | None, params: dict[str, float]
) -> None:
    _, made = world(halted={MNQ})
    whole = msgspec.structs.replace(made.plan(name, "a", None, **params), symbol=symbol)
    async with made.lane():
        made.executor.accept([whole, made.plan("place_stop", "b", MES, distance=50)])
        await made.settle()
    assert made.receipt("a").reason.startswith("not confirmed within 30s")


async def test_a_time_that_a_venue_names_beyond_the_end_of_an_action_makes_it_no_longer() -> None:
    venue, made = world()
    venue.script["submit", "before"] = [Transient("too many requests", retry_after_s=100.0)] * 4
    assert await flatten(made) == 30.0


async def test_a_doubt_is_the_reason_whatever_failed_after_it() -> None:
    venue, made = world()
    venue.script["submit", "after"] = [OutcomeUnknown("no answer")]
    venue.script["find_order", "before"] = [Transient("away")] * 500
    async with made.lane():
        made.executor.accept([made.plan("close_position", "a", MNQ), made.plan("close_position", "b", MES)])
        while not made.receipts:
            await made.step()
        venue.script.clear()
        await made.settle()
    assert made.receipt("a").reason == "not confirmed within 5s, and other actions wait (no answer) [E803]"
