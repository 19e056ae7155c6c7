"""Every request is visible while it lives, and its receipt says what became of it, at what price, in what time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, QUICK, SPECS, FakeVenue, LaneWorld

from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.legs import History, LegBook
from haltline.enforce.progress import Progress, Stage
from haltline.enforce.verify import remaining_of
from haltline.errors import OutcomeUnknown, Refused, SessionClosed, Transient
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import LegIntent, LegOutcome, LegState, Receipt, Remaining, slippage_of
from haltline.journal.record import Entry, RecordKind
from haltline.model.event import OutcomeStatus
from haltline.model.id import ActionId, OrderId
from haltline.model.order import Aim, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.runtime.writer import InlineWriter

D = Decimal
ORDER = OrderRequest(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=D(3), client_id="c", reduce_only=True)
INTENT = LegIntent(action=ActionId("a"), leg="reduce MNQ 0", account=EVAL, order=ORDER, mark=D("20999.5"))
REPORT = OrderReport(
    account=EVAL, order_id=OrderId("v1"), symbol=MNQ, side=Side.SELL, quantity=D(3), type=OrderType.MARKET,
    status=OrderStatus.FILLED, filled=D(3), average_price=D("20998.25"),
)  # fmt: skip


async def carry_out(world: LaneWorld, name: str = "close_position", **params: float) -> Receipt:
    async with world.lane():
        world.executor.accept([world.plan(name, "a", **params)])
        await world.settle()
    return world.receipt("a")


def states(receipt: Receipt) -> list[LegState | None]:
    return [leg.state for leg in receipt.legs]


async def test_a_close_shows_its_price_its_slippage_and_its_time() -> None:
    world = LaneWorld()
    (leg,) = (await carry_out(world)).legs
    assert (leg.state, leg.side, leg.quantity, leg.filled, leg.symbol) == (LegState.FILLED, "sell", 3, 3, MNQ)
    assert (leg.price, leg.mark, leg.slippage) == (D(21_000), D("20999.0"), D("-1.0"))
    assert leg.sent_at == leg.ended_at == NS_PER_S
    assert str(leg) == "sell 3 MNQ: filled at 21,000, 1 better than the mark in 0s"


async def test_every_change_is_shown_in_its_order() -> None:
    world = LaneWorld()
    await carry_out(world)
    seen = [(each.stage, [leg.state for leg in each.legs]) for each in world.progress]
    assert seen == [
        (Stage.RUNNING, []),
        (Stage.RUNNING, [LegState.PLANNED]),
        (Stage.RUNNING, [LegState.SENT]),
        (Stage.RUNNING, [LegState.FILLED]),
        (Stage.CONFIRMING, [LegState.FILLED]),
        (Stage.OVER, [LegState.FILLED]),
    ]
    assert world.progress[-1].receipt == world.receipt("a")


async def test_a_watcher_that_raises_is_told_no_more_and_holds_nothing_up() -> None:
    world = LaneWorld()
    calls: list[Progress] = []

    def careless(progress: Progress) -> None:
        calls.append(progress)
        raise ValueError("a bug")

    world.executor.watchers.insert(0, careless)
    assert (await carry_out(world)).status is OutcomeStatus.DONE
    assert len(calls) == 1
    assert world.progress[-1].stage is Stage.OVER


async def test_progress_lists_what_runs_what_waits_and_what_is_confirmed() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [None, "hang"]
    async with world.lane():
        plan = [world.plan("close_position", "a"), world.plan("close_position", "b", MES)]
        world.executor.accept([*plan, world.plan("place_stop", "c", MES, distance=5)])
        await world.until_called("submit", 2)
        found = {each.action: each.stage for each in world.executor.progress()}
        assert found == {"a": Stage.CONFIRMING, "b": Stage.RUNNING, "c": Stage.WAITING}
        assert world.executor.progress()[0].legs[0].state is LegState.SENT


async def test_an_order_in_doubt_is_shown_as_unknown_until_it_is_found() -> None:
    world = LaneWorld()
    world.venue.script["submit", "after"] = [OutcomeUnknown("reset")]
    await carry_out(world)
    seen = [each.legs[0].state for each in world.progress if each.legs]
    assert seen.index(LegState.UNKNOWN) < seen.index(LegState.FILLED)


async def test_an_outcome_that_stays_unknown_ends_as_unknown() -> None:
    world = LaneWorld()
    world.venue.script["submit", "after"] = [OutcomeUnknown("reset")]
    world.venue.script["find_order", "before"] = [Transient("down")] * 500
    receipt = await carry_out(world)
    assert (receipt.status, states(receipt)) == (OutcomeStatus.UNKNOWN, [LegState.UNKNOWN])


async def test_what_never_arrived_is_stuck_with_its_reason() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [Transient("no route")] * 500
    receipt = await carry_out(world)
    assert receipt.status is OutcomeStatus.FAILED
    assert [(leg.state, leg.detail, leg.status) for leg in receipt.legs] == [(LegState.STUCK, "no route", "")]


async def test_an_order_that_works_and_does_not_fill_is_stuck_when_time_is_up() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D(3)}, rests=True))
    receipt = await carry_out(world)
    assert receipt.status is OutcomeStatus.FAILED
    assert [(leg.state, leg.detail) for leg in receipt.legs] == [(LegState.STUCK, "still working")]


async def test_a_closed_session_leaves_the_leg_stuck_and_nothing_queued_at_the_venue() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [SessionClosed("the market of MNQ is closed")]
    receipt = await carry_out(world)
    assert receipt.status is OutcomeStatus.FAILED
    assert "the market of MNQ is closed [E801]" in receipt.reason
    assert [(leg.state, leg.status) for leg in receipt.legs] == [(LegState.STUCK, "refused")]
    assert not world.venue.by_client


async def test_a_cancel_that_a_closed_venue_refuses_is_stuck_too() -> None:
    world = LaneWorld()
    world.venue.rest(MNQ, Side.BUY)
    world.venue.script["cancel", "before"] = [SessionClosed("closed")]
    receipt = await carry_out(world, "cancel_orders")
    assert (receipt.status, states(receipt)) == (OutcomeStatus.FAILED, [LegState.STUCK])


async def test_a_refusal_is_shown_as_one() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [Refused("price band")]
    receipt = await carry_out(world)
    assert [(leg.state, leg.detail) for leg in receipt.legs] == [(LegState.REFUSED, "price band")]


async def test_what_is_below_the_smallest_lot_is_stuck_and_the_reason_says_why() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D("0.4")}))
    world.venue.script["submit", "before"] = [Refused("bad quantity")]
    receipt = await carry_out(world)
    assert states(receipt) == [LegState.STUCK]
    assert "0.4 MNQ is less than the smallest lot of 1, and the venue does not take it: bad quantity" in receipt.reason


async def test_a_closed_venue_is_the_reason_even_below_the_smallest_lot() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D("0.4")}))
    world.venue.script["submit", "before"] = [SessionClosed("closed")]
    assert (await carry_out(world)).reason == "closed [E801]"


async def test_what_is_left_is_told_with_its_size_in_money() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [Refused("no")]
    left = (await carry_out(world)).remaining
    assert left is not None
    assert left.notional == {MNQ: D("125994.0"), MES: D("209990.0")}
    assert str(left) == "-2 MES (209,990.00), +3 MNQ (125,994.00), no working order"


async def test_without_a_value_the_size_is_told_without_money() -> None:
    snapshot = await FakeVenue(held={MNQ: D(3)}).snapshot(EVAL)
    assert remaining_of(snapshot).notional == {}
    assert remaining_of(snapshot, lambda symbol: None).notional == {}


def filling_late(world: LaneWorld, fault: Exception | None = None) -> None:
    """The order fills after the third question about it, and the next one fails."""
    asked = [0]

    def on_call(verb: str) -> None:
        asked[0] += verb == "find_order"
        if verb == "snapshot" and asked[0] == 3:
            asked[0] += 1
            world.venue.fill(next(iter(world.venue.by_client)))
            world.venue.script["find_order", "before"] = [fault]

    world.venue.on_call = on_call


@pytest.mark.parametrize("fault", [Transient("down"), KeyError("a bug")])
async def test_a_last_word_that_the_broker_does_not_give_leaves_the_leg_as_it_was_heard_of(fault: Exception) -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D(3)}, rests=True))
    filling_late(world, fault)
    receipt = await carry_out(world)
    assert (receipt.status, states(receipt)) == (OutcomeStatus.DONE, [LegState.ACKNOWLEDGED])
    assert receipt.unsettled == (), "what is done leaves nothing to another try"


async def test_an_order_that_filled_unheard_is_asked_for_its_price_in_the_end() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D(3)}, rests=True))
    filling_late(world)
    (leg,) = (await carry_out(world)).legs
    assert (leg.state, leg.price) == (LegState.FILLED, 21_000)


async def test_the_mark_is_the_one_of_the_decision() -> None:
    world = LaneWorld()
    marks = [20_999.0]
    world.executor._mark_of = lambda symbol: marks[0]
    planned = world.plan("close_position", "a")
    world.executor.accept([planned])
    marks[0] = 20_000.0
    async with world.lane():
        await world.settle()
    assert world.receipt("a").legs[0].mark == D("20999.0")


async def test_without_a_mark_there_is_no_slippage() -> None:
    world = LaneWorld()
    world.executor._mark_of = lambda symbol: None
    (leg,) = (await carry_out(world)).legs
    assert (leg.mark, leg.slippage) == (None, None)
    assert "mark" not in str(leg)


def book(history: History | None = None) -> LegBook:
    ledger = InlineWriter(MemoryJournal())
    clock = ManualClock(NS_PER_S)
    return LegBook(clock=clock, ledger=ledger, history=history or History(), changed=lambda: None)


@pytest.mark.parametrize(
    ("status", "filled", "state", "word"),
    [
        ("pending", 0, LegState.ACKNOWLEDGED, "accepted"),
        ("working", 0, LegState.ACKNOWLEDGED, "accepted"),
        ("partially_filled", 1, LegState.PARTIAL, "accepted"),
        ("filled", 3, LegState.FILLED, "accepted"),
        ("cancelled", 1, LegState.PARTIAL, "accepted"),
        ("rejected", 1, LegState.PARTIAL, "accepted"),
        ("rejected", 0, LegState.REFUSED, "refused"),
        ("expired", 0, LegState.REFUSED, "accepted"),
    ],
)
async def test_the_venues_word_becomes_a_state(status: str, filled: int, state: LegState, word: str) -> None:
    legs = book()
    await legs.begin(INTENT)
    report = msgspec.structs.replace(REPORT, status=OrderStatus(status), filled=D(filled))
    await legs.answer("reduce MNQ 0", report)
    assert (legs.legs[0].state, legs.legs[0].status) == (state, word)


async def test_a_stop_that_works_is_done() -> None:
    legs = book()
    await legs.begin(INTENT)
    stop = msgspec.structs.replace(REPORT, type=OrderType.STOP, status=OrderStatus.WORKING, filled=D(0))
    await legs.answer("reduce MNQ 0", stop)
    assert legs.legs[0].state is LegState.DONE


async def test_the_same_word_twice_is_written_once() -> None:
    journal = MemoryJournal()
    legs = LegBook(clock=ManualClock(1), ledger=InlineWriter(journal), history=History(), changed=lambda: None)
    await legs.begin(INTENT)
    await legs.answer("reduce MNQ 0", REPORT)
    count = len(list(journal.iterate()))
    newest = msgspec.structs.replace(legs.legs[0])
    await legs.answer("reduce MNQ 0", REPORT)
    assert (len(list(journal.iterate())), legs.legs[0]) == (count, newest)


async def test_unsettled_are_orders_that_may_have_arrived_or_still_work() -> None:
    history = History(
        inherited={"x": msgspec.structs.replace(INTENT, leg="old", order=msgspec.structs.replace(ORDER, client_id="x"))}
    )
    legs = book(history)
    await legs.begin(INTENT)
    assert [intent.leg for intent in history.unsettled().values()] == ["reduce MNQ 0", "old"]
    await legs.answer("reduce MNQ 0", msgspec.structs.replace(REPORT, status=OrderStatus.WORKING, filled=D(0)))
    assert [intent.leg for intent in history.unsettled().values()] == ["reduce MNQ 0", "old"]
    await legs.answer("reduce MNQ 0", REPORT)
    assert list(history.unsettled()) == ["x"]


async def test_a_cancel_is_no_order_that_may_have_arrived() -> None:
    history = History()
    await book(history).begin(LegIntent(action=ActionId("a"), leg="cancel v1", account=EVAL, cancels=OrderId("v1")))
    assert history.unsettled() == {}


async def test_an_order_in_doubt_that_was_sent_again_under_its_id_is_known_by_the_newer_word() -> None:
    older = msgspec.structs.replace(INTENT, action=ActionId("weak"), leg="reduce MNQ 2")
    history = History(inherited={"c": older})
    legs = book(history)
    assert (history.unsettled(), history.handed()) == ({"c": older}, {"c": older})
    await legs.begin(INTENT)
    assert (history.unsettled(), history.handed()) == ({"c": INTENT}, {})
    await legs.answer("reduce MNQ 0", REPORT)
    assert (history.unsettled(), history.handed()) == ({}, {})


async def test_an_order_that_was_taken_over_is_settled_with_its_own_answer_and_asked_for_again_after_a_restart() -> (
    None
):
    older = msgspec.structs.replace(INTENT, action=ActionId("weak"))
    history = History(inherited={"c": older})
    legs = book(history)
    await legs.take_over(ActionId("a"), older, msgspec.structs.replace(REPORT, status=OrderStatus.WORKING, filled=D(0)))
    (left,) = history.unsettled().values()
    assert (left.action, left.leg, history.handed()) == ("a", "taken over: reduce MNQ 0", {"c": older})
    await legs.take_over(ActionId("a"), older, REPORT)
    assert history.unsettled() == {}


async def test_an_order_taken_over_is_a_request_of_ours_with_its_fill_and_the_mark_of_its_own_decision() -> None:
    journal = MemoryJournal()
    legs = LegBook(clock=ManualClock(1), ledger=InlineWriter(journal), history=History(), changed=lambda: None)
    for _ in range(2):
        await legs.take_over(ActionId("heir"), msgspec.structs.replace(INTENT, action=ActionId("weak")), REPORT)
    (leg,) = legs.legs
    assert (leg.action, leg.leg, leg.state, leg.filled) == ("heir", "taken over: reduce MNQ 0", LegState.FILLED, 3)
    assert (leg.price, leg.mark, leg.slippage) == (D("20998.25"), D("20999.5"), D("1.25"))
    assert len(list(journal.iterate())) == 1, "the same word twice is written once"


async def test_a_request_that_is_sent_again_was_sent_when_it_was_sent_first_and_keeps_what_is_known_of_it() -> None:
    clock = ManualClock(NS_PER_S)
    legs = LegBook(clock=clock, ledger=InlineWriter(MemoryJournal()), history=History(), changed=lambda: None)
    await legs.begin(INTENT)
    legs.missed("reduce MNQ 0", "no route")
    clock.advance_to(2 * NS_PER_S)
    await legs.begin(INTENT)
    (leg,) = legs.legs
    assert (leg.state, leg.sent_at, leg.detail) == (LegState.SENT, NS_PER_S, "no route")


@dataclass
class Written:
    """A `Ledger` that remembers what was written, and whether it was waited for."""

    entries: list[tuple[RecordKind, bool]] = field(default_factory=list)

    async def record(self, entries: Sequence[Entry], *, durable: bool) -> None:
        self.entries += [(entry.kind, durable) for entry in entries]


async def test_a_request_and_an_aim_are_on_the_disk_before_anything_is_sent_and_an_answer_holds_nothing_up() -> None:
    ledger = Written()
    legs = LegBook(clock=ManualClock(1), ledger=ledger, history=History(), changed=lambda: None)
    await legs.fix(ActionId("a"), {MNQ: Aim(held=D(3), to=D(1))})
    await legs.begin(INTENT)
    await legs.answer("reduce MNQ 0", REPORT)
    intent, outcome = RecordKind.INTENT, RecordKind.OUTCOME
    assert ledger.entries == [(intent, True), (intent, True), (outcome, False)]


async def test_what_is_to_be_reached_is_written_once_and_nothing_where_there_is_nothing_to_reach() -> None:
    ledger = Written()
    legs = LegBook(clock=ManualClock(1), ledger=ledger, history=History(), changed=lambda: None)
    assert await legs.fix(ActionId("a"), {}) == {}
    assert ledger.entries == []
    first = {MNQ: Aim(held=D(3), to=D(1))}
    assert await legs.fix(ActionId("a"), first) == first
    assert await legs.fix(ActionId("a"), {MNQ: Aim(held=D(1), to=D(0))}) == first
    assert len(ledger.entries) == 1


async def test_only_orders_that_were_accepted_and_have_not_filled_are_unfinished() -> None:
    legs = book()
    reports = {
        "works": msgspec.structs.replace(REPORT, status=OrderStatus.WORKING, filled=D(0)),
        "partly": msgspec.structs.replace(REPORT, status=OrderStatus.PARTIALLY_FILLED, filled=D(1)),
        "filled": REPORT,
        "refused": msgspec.structs.replace(REPORT, status=OrderStatus.REJECTED, filled=D(0)),
        "sent": None,
    }
    for leg, report in reports.items():
        await legs.begin(msgspec.structs.replace(INTENT, leg=leg))
        if report is not None:
            await legs.answer(leg, report)
    await legs.begin(LegIntent(action=ActionId("a"), leg="cancel v1", account=EVAL, cancels=OrderId("v1")))
    await legs.cancelled("cancel v1")
    found = legs.unfinished_orders()
    assert [intent.leg for intent, _ in found] == ["works", "partly"]
    assert {order.client_id for _, order in found} == {"c"}


async def test_a_request_on_record_that_nobody_took_up_after_a_restart_did_not_reach_the_broker() -> None:
    legs = book(History(begun={"reduce MNQ 0": INTENT}))
    legs.close(OutcomeStatus.FAILED)
    assert [(leg.state, leg.detail) for leg in legs.legs] == [(LegState.STUCK, "it did not reach the broker")]


@pytest.mark.parametrize("status", [OutcomeStatus.DONE, OutcomeStatus.SUPERSEDED])
async def test_what_is_done_or_handed_on_leaves_its_requests_as_they_were_last_heard_of(status: OutcomeStatus) -> None:
    legs = book(History(begun={"reduce MNQ 0": INTENT}))
    legs.close(status)
    assert [leg.state for leg in legs.legs] == [LegState.PLANNED]


async def test_a_request_of_the_first_version_has_no_state_and_gets_none() -> None:
    old = LegOutcome(action=ActionId("a"), leg="reduce MNQ 0", status="accepted")
    legs = book(History(ended={"reduce MNQ 0": old}))
    legs.close(OutcomeStatus.FAILED)
    assert legs.legs == (old,)


async def test_a_request_that_was_sent_and_not_answered_ends_as_unknown_where_the_action_failed() -> None:
    legs = book()
    await legs.begin(INTENT)
    legs.close(OutcomeStatus.FAILED)
    assert legs.legs[0].state is LegState.UNKNOWN


@pytest.mark.parametrize(
    ("side", "price", "worse"), [(1, D(101), D(1)), (1, D(99), D(-1)), (-1, D(101), D(-1)), (-1, None, None)]
)
def test_slippage_is_how_much_worse_than_the_mark(side: int, price: Decimal | None, worse: Decimal | None) -> None:
    assert slippage_of(side, price, D(100)) == worse


def test_a_leg_in_words() -> None:
    leg = LegOutcome(
        action=ActionId("a"), leg="reduce MNQ 0", status="accepted", state=LegState.PARTIAL, symbol=MNQ, side="sell",
        quantity=D(3), filled=D(1), price=D("20998.125"), mark=D("20999"), slippage=D("0.875"), sent_at=1,
        ended_at=1 + NS_PER_S, detail="price band",
    )  # fmt: skip
    assert str(leg) == ("sell 3 MNQ: partial (1 filled) at 20,998.125, 0.875 worse than the mark in 1s (price band)")
    assert str(msgspec.structs.replace(leg, slippage=D(0))).count("at the mark") == 1
    assert str(LegOutcome(action=ActionId("a"), leg="cancel v1", status="cancelled")) == "cancel v1: cancelled"


def test_records_of_the_first_version_are_still_read() -> None:
    leg = (
        b'{"type":"leg","action":"a","leg":"reduce MNQ 0","status":"accepted","detail":"","order_id":"1","filled":"3"}'
    )
    old = msgspec.json.decode(leg, type=LegOutcome | Receipt)
    assert isinstance(old, LegOutcome)
    assert (old.state, old.filled, old.price) == (None, 3, None)
    receipt = (
        b'{"type":"action","action":"a","name":"flatten","account":"eval","status":"done","started_at":1,"ended_at":2,'
        b'"symbol":null,"legs":[' + leg.replace(b'"type":"leg",', b"") + b'],"remaining":{"positions":{},'
        b'"working_orders":0},"reason":"","rules":["r"],"proven_at":2}'
    )
    read = msgspec.json.decode(receipt, type=LegOutcome | Receipt)
    assert isinstance(read, Receipt)
    assert str(read) == "1 request in 0s; the broker shows no position, no working order"
    intent = msgspec.json.decode(b'{"type":"leg","action":"a","leg":"x","account":"eval"}', type=LegIntent)
    assert intent.mark is None
    assert Remaining().notional == {}


def test_the_budget_that_is_given_counts() -> None:
    assert QUICK.wait_ns(0) < QUICK.wait_ns(3)
    assert SPECS[MNQ].multiplier == 2
