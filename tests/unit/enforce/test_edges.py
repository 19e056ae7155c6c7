"""Every way out of the desk and the executor that the other stories do not take."""

import asyncio
import contextlib
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue, LaneWorld, Pushes

from haltline.api import Action, Desk, HandledBy
from haltline.clock import NS_PER_S
from haltline.enforce import executor as executor_module
from haltline.enforce.legs import History
from haltline.enforce.order import protecting_stop, reducing_order
from haltline.enforce.resume import KINDS, unfinished
from haltline.enforce.verify import is_half_done, shortfall
from haltline.enforce.wait import Wait
from haltline.enforce.witness import NoWitness
from haltline.errors import InvariantBroken, OutcomeUnknown, Refused, Transient
from haltline.journal.receipt import LegIntent, LegOutcome, LegState, Receipt, Remaining
from haltline.journal.record import RecordKind, entry_of
from haltline.model.event import OutcomeStatus
from haltline.model.id import ActionId, OrderId, RuleId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.model.plan import PlannedAction

D = Decimal


async def carry_out(world: LaneWorld, name: str, **params: float) -> OutcomeStatus:
    async with world.lane():
        world.executor.accept([world.plan(name, "a", **params)])
        await world.settle()
    return world.receipt("a").status


async def test_an_action_with_nothing_to_run_fails_aloud() -> None:
    world = LaneWorld(extra=(Action(name="empty", meaning="", handled_by=HandledBy.ENFORCE),))
    assert await carry_out(world, "empty") is OutcomeStatus.FAILED
    assert "action 'empty' brings nothing to run" in world.receipt("a").reason


@pytest.mark.parametrize("size", [None, float("nan"), float("inf"), -1.0])
async def test_a_reduction_to_a_size_that_is_no_number_fails_and_the_lane_goes_on(size: float | None) -> None:
    world = LaneWorld()
    unsized = replace_params(world.plan("reduce_to", "unsized"), {"quantity": size})
    async with world.lane():
        world.executor.accept([unsized, world.plan("flatten", "f")])
        await world.settle()
    assert "'quantity'" in world.receipt("unsized").reason
    assert (world.receipt("unsized").status, world.receipt("f").status) == (OutcomeStatus.FAILED, OutcomeStatus.DONE)


async def test_a_position_that_is_no_number_is_not_as_small_as_was_asked_for() -> None:
    held = Remaining(positions={MNQ: D("NaN")})
    planned = replace_params(LaneWorld().plan("reduce_to", "a"), {"quantity": 2.0})
    assert shortfall(planned, held) == "the position is still +NaN MNQ, not 2.0"


def replace_params(planned: PlannedAction, params: dict[str, float | None]) -> PlannedAction:
    return msgspec.structs.replace(planned, params=params)


async def test_a_stop_that_would_be_below_zero_is_refused() -> None:
    world = LaneWorld()
    assert await carry_out(world, "place_stop", distance=50_000) is OutcomeStatus.FAILED
    assert "would be at" in world.receipt("a").reason


async def test_a_stop_without_a_mark_stands_away_from_the_average_price() -> None:
    world = LaneWorld()
    world.executor._mark_of = lambda symbol: None
    assert await carry_out(world, "place_stop", distance=100) is OutcomeStatus.DONE
    assert [order.stop_price for order in world.venue.orders.values()] == [D(20_900)]


async def test_a_stop_that_the_venue_refuses_is_not_tried_for_ever() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [Refused("no stops here")]
    assert await carry_out(world, "place_stop", distance=100) is OutcomeStatus.FAILED
    assert world.venue.calls.count("submit") == 1


async def test_an_order_in_doubt_that_vanished_is_sent_again() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D(3)}, rests=True))
    lost = [1]

    def lose(verb: str) -> None:
        if verb == "find_order" and lost and world.venue.by_client:
            lost.clear()
            world.venue.by_client.clear()
            world.venue.orders.clear()
            world.venue.rests = False

    world.venue.on_call = lose
    assert await carry_out(world, "close_position") is OutcomeStatus.DONE
    assert world.venue.held[MNQ] == 0


@pytest.mark.parametrize("verb", ["snapshot", "find_order"])
async def test_a_broken_invariant_ends_the_lane(verb: str) -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D(3)}, rests=verb == "find_order"))
    world.venue.script[verb, "before"] = [InvariantBroken("stop")]
    lane = asyncio.ensure_future(world.executor.run_lane(EVAL))
    world.executor.accept([world.plan("close_position", "a")])
    with pytest.raises(InvariantBroken):
        await lane


async def require_end(world: LaneWorld, name: str) -> None:
    """The lane that carries out this action ends with a broken invariant."""
    lane = asyncio.ensure_future(world.executor.run_lane(EVAL))
    world.executor.accept([world.plan(name, "a")])
    for _ in range(200):
        if lane.done():
            break
        await world.step()
    with pytest.raises(InvariantBroken):
        await lane


@pytest.mark.parametrize(("name", "after"), [("cancel_orders", 1), ("close_position", 2), ("close_position", 4)])
async def test_a_broken_invariant_while_it_is_judged_or_watched_ends_the_lane(name: str, after: int) -> None:
    world = LaneWorld()
    world.venue.script["snapshot", "before"] = [None] * after + [InvariantBroken("stop")]
    await require_end(world, name)


async def test_what_cannot_be_judged_because_the_broker_breaks_down_is_unknown() -> None:
    world = LaneWorld()
    world.venue.script["snapshot", "before"] = [None, *[ValueError("no JSON")] * 100]
    assert await carry_out(world, "cancel_orders") is OutcomeStatus.UNKNOWN
    assert world.receipt("a").remaining is None
    assert world.receipt("a").reason.endswith("(the broker plugin raised ValueError: no JSON)")


async def test_what_was_refused_has_failed_though_it_cannot_be_judged() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [Refused("price band")]

    def break_down(verb: str) -> None:
        if verb == "submit":
            world.venue.script["snapshot", "before"] = [None, *[ValueError("no JSON")] * 100]

    world.venue.on_call = break_down
    assert await carry_out(world, "place_stop", distance=100) is OutcomeStatus.FAILED
    assert (world.receipt("a").reason, world.receipt("a").remaining) == ("price band [E801]", None)


async def test_an_action_of_no_account_is_refused_for_none() -> None:
    world = LaneWorld()
    for key, rules in (("x", ()), ("y", (RuleId("loss"), RuleId("other")))):
        world.executor.accept([PlannedAction(id=ActionId(key), at=1, name="flatten", account=None, rules=rules)])
    await world.executor.tell_refused()
    assert [(outcome.account, outcome.rule, outcome.at) for outcome in world.outcomes] == [
        ("", None, NS_PER_S), ("", "loss", NS_PER_S)
    ]  # fmt: skip


async def test_an_outcome_names_the_orders_that_were_cancelled() -> None:
    world = LaneWorld()
    entry = world.venue.rest(MNQ, Side.BUY)
    assert await carry_out(world, "flatten") is OutcomeStatus.DONE
    assert world.outcomes[0].cancelled == (entry,)


async def test_a_broken_invariant_in_the_last_word_ends_the_lane() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D(3)}, rests=True))
    asked = [0]

    def fill(verb: str) -> None:
        asked[0] += verb == "find_order"
        if verb == "snapshot" and asked[0] == 2:
            asked[0] += 1
            world.venue.fill(next(iter(world.venue.by_client)))
            world.venue.script["find_order", "before"] = [InvariantBroken("stop")]

    world.venue.on_call = fill
    await require_end(world, "close_position")


async def test_a_flatten_that_never_comes_to_an_end_is_told_as_not_flat() -> None:
    world = LaneWorld()

    def open_again(verb: str) -> None:
        if verb == "snapshot":
            world.venue.held[MNQ] = D(1)

    world.venue.on_call = open_again
    assert await carry_out(world, "close_position") is OutcomeStatus.FAILED


async def test_only_so_many_finished_actions_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "_REMEMBERED", 2)
    world = LaneWorld()
    world.executor.mark_finished([ActionId("a"), ActionId("b"), ActionId("b"), ActionId("c")])
    assert world.executor._known == {"b", "c"}
    assert world.executor.accounts == (EVAL,)


async def test_an_action_is_resumed_once() -> None:
    world = LaneWorld()
    planned = world.plan("flatten", "a")
    world.executor.resume([planned, planned], {})
    world.executor.resume([planned], {})
    async with world.lane():
        await world.settle()
    assert len(world.receipts) == 1


async def test_the_marks_of_a_flatten_are_those_of_what_pushes_show() -> None:
    venue = FakeVenue(held={MNQ: D(3), MES: D(-2)})
    world = LaneWorld(venue=venue, pushes=Pushes(venue))
    marks = {MNQ: 20_999.0}
    world.executor._mark_of = marks.get
    world.executor.accept([world.plan("flatten", "a")])
    marks.clear()
    async with world.lane():
        await world.settle()
    assert {leg.symbol: leg.mark for leg in world.receipt("a").legs} == {MNQ: D("20999.0"), MES: None}


async def test_an_inherited_cancel_is_nothing_to_take_over() -> None:
    world = LaneWorld()
    cancel = LegIntent(action=ActionId("w"), leg="cancel v1", account=EVAL, cancels=OrderId("v1"))
    async with world.lane():
        world.executor.accept([world.plan("flatten", "a")], {ActionId("a"): History(inherited={"x": cancel})})
        await world.settle()
    assert world.receipt("a").status is OutcomeStatus.DONE


async def test_an_inherited_stop_that_never_arrived_gives_its_id_to_nobody() -> None:
    world = LaneWorld()
    stop = OrderRequest(
        account=EVAL, symbol=MNQ, side=Side.SELL, quantity=D(3), type=OrderType.STOP, stop_price=D(1), client_id="s"
    )
    intent = LegIntent(action=ActionId("w"), leg="stop MNQ", account=EVAL, order=stop)
    async with world.lane():
        world.executor.accept([world.plan("flatten", "a")], {ActionId("a"): History(inherited={"s": intent})})
        await world.settle()
    assert "s" not in world.venue.by_client
    assert world.receipt("a").status is OutcomeStatus.DONE


async def test_a_cancel_in_doubt_that_took_effect_is_done() -> None:
    world = LaneWorld()
    order = world.venue.rest(MNQ, Side.BUY)
    world.venue.script["cancel", "after"] = [OutcomeUnknown("reset")]
    assert await carry_out(world, "cancel_orders") is OutcomeStatus.DONE
    assert [(leg.order_id, leg.state) for leg in world.receipt("a").legs] == [(order, LegState.DONE)]


async def test_the_last_word_of_an_order_that_the_venue_has_forgotten_changes_nothing() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D(3)}, rests=True))
    asked = [0]

    def fill_and_forget(verb: str) -> None:
        asked[0] += verb == "find_order"
        if verb == "snapshot" and asked[0] == 2:
            asked[0] += 1
            world.venue.fill(next(iter(world.venue.by_client)))
            world.venue.by_client.clear()

    world.venue.on_call = fill_and_forget
    assert await carry_out(world, "close_position") is OutcomeStatus.DONE
    assert [leg.state for leg in world.receipt("a").legs] == [LegState.ACKNOWLEDGED]


def test_of_the_records_of_a_journal_only_those_of_enforcement_count() -> None:
    world = LaneWorld()
    planned = world.plan("flatten", "a")
    world.journal.append([entry_of(RecordKind.NOTICE, 1, planned)])
    left = unfinished(world.journal.iterate())
    assert [action.id for action in left.actions] == ["a"]
    assert RecordKind.NOTICE not in KINDS


def test_an_instrument_that_nobody_describes_is_traded_as_it_is() -> None:
    order = reducing_order(EVAL, MNQ, held=D("1.5"), to=D(0), spec=None, client="c")
    stop = protecting_stop(EVAL, MNQ, held=D("1.5"), stop=D("0.123"), spec=None, client="c")
    assert (order.quantity, stop.stop_price) == (D("1.5"), D("0.123"))


async def test_cutting_a_wait_twice_or_when_nothing_waits_is_no_harm() -> None:
    wait = Wait()
    wait.cut()
    waiting = asyncio.ensure_future(wait.for_(asyncio.Event().wait(), longest_s=60.0))
    await asyncio.sleep(0)
    wait.cut()
    wait.cut()
    await asyncio.sleep(0)
    wait.cut()  # the end is on its way already
    with pytest.raises(TimeoutError):
        await waiting
    short = asyncio.ensure_future(wait.for_(asyncio.Event().wait(), longest_s=0.0, grace_s=60.0))
    await asyncio.sleep(0)
    wait.cut()
    with pytest.raises(TimeoutError):
        await short


async def test_there_is_nobody_to_correct_without_a_witness() -> None:
    snapshot = await FakeVenue().snapshot(EVAL)
    assert NoWitness().correct(snapshot, since=None)


async def test_an_order_whose_fill_the_position_does_not_show_yet_is_given_time() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: D(3)}))
    take = world.venue._take

    def late(request: OrderRequest) -> OrderReport:
        report = take(request)
        world.venue.held[MNQ] = D(3)  # the position lags
        return report

    world.venue._take = late  # type: ignore[method-assign]  # a spy
    before = world.clock.now()

    def show(verb: str) -> None:
        if world.clock.now() > before + NS_PER_S:
            world.venue.held[MNQ] = D(0)

    world.venue.on_call = show
    assert await carry_out(world, "close_position") is OutcomeStatus.DONE
    assert world.venue.calls.count("submit") == 1


async def test_a_request_that_fails_for_a_moment_is_planned_again_under_its_leg() -> None:
    world = LaneWorld()
    world.venue.rest(MNQ, Side.BUY)
    world.venue.script["cancel", "before"] = [Transient("down")]
    assert await carry_out(world, "cancel_orders") is OutcomeStatus.DONE
    assert OrderStatus.WORKING.is_working
    assert len(world.receipt("a").legs) == 1


async def test_an_action_that_says_it_is_done_and_is_not_fails() -> None:
    world = LaneWorld()

    async def nothing(request: PlannedAction, desk: Desk) -> None:
        return

    world.executor.accept([world.plan("close_position", "a")])
    job = world.executor._lanes[EVAL].waiting[0][2]
    job.action = replace(job.action, run=nothing)
    async with world.lane():
        await world.settle()
    assert world.receipt("a").reason == "the position is still +3 MNQ [E801]"


async def test_a_plugin_that_swallows_the_end_of_what_stands_back_is_run_again() -> None:
    runs: list[Decimal] = []

    async def stubborn(request: PlannedAction, desk: Desk) -> None:
        runs.append(sum(world.venue.held.values(), D(0)))
        with contextlib.suppress(Exception):
            await desk.snapshot(EVAL)

    world = LaneWorld(extra=(Action(name="hedge", meaning="", handled_by=HandledBy.ENFORCE, run=stubborn, rank=30),))
    world.venue.script["snapshot", "before"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("hedge", "later")])
        await world.until_called("snapshot")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert runs == [D(1), D(0)]
    assert world.receipt("later").status is OutcomeStatus.DONE


async def test_a_pull_that_comes_back_after_the_watched_one_gave_way_is_left() -> None:
    world = LaneWorld()
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        for _ in range(40):
            await asyncio.sleep(0)
        assert world.executor._lanes[EVAL].watched
        world.venue.script["snapshot", "before"] = ["hang"]
        count = world.venue.calls.count("snapshot")
        await world.until_called("snapshot", count + 1)
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert world.receipt("weak").status is OutcomeStatus.SUPERSEDED
    assert world.receipt("strong").status is OutcomeStatus.DONE


async def test_after_a_restart_a_stop_that_was_refused_is_not_sent_under_its_id_again() -> None:
    world = LaneWorld()
    refused = LegOutcome(action=ActionId("a"), leg="stop MNQ", status="refused")
    async with world.lane():
        world.executor.look_again()
        planned = world.plan("place_stop", "a", distance=100)
        world.executor.accept([planned], {ActionId("a"): History(ended={"stop MNQ": refused})})
        await world.settle()
    assert [leg.leg for leg in world.receipt("a").legs] == ["stop MNQ", "stop MNQ 1"]


@pytest.mark.parametrize(
    ("answers", "begun"), [([None, Refused("no"), Refused("no")], True), ([Refused("no")] * 3, False)]
)
async def test_an_outcome_tells_whether_some_of_it_was_done(answers: list[Refused | None], begun: bool) -> None:
    world = LaneWorld()
    world.venue.script[("submit", "before")] = list(answers)
    world.executor.accept([world.plan("flatten", "f")])
    async with world.lane():
        await world.settle()
    (outcome,) = world.outcomes
    assert (outcome.status, outcome.begun) == (OutcomeStatus.FAILED, begun)


@pytest.mark.parametrize(
    ("symbol", "filled", "remaining", "is_so"),
    [
        (None, 1, Remaining(positions={MES: D(2)}, working_orders=0), True),
        (None, 1, Remaining(positions={}, working_orders=1), True),
        (None, 1, Remaining(positions={}, working_orders=0), False),
        (None, 1, None, True),
        (None, 0, Remaining(positions={MES: D(2)}, working_orders=0), False),
        (MNQ, 1, Remaining(positions={MES: D(2)}, working_orders=0), False),
        (MNQ, 1, Remaining(positions={MNQ: D(2)}, working_orders=0), True),
    ],
)
def test_half_done_is_what_filled_something_and_is_not_seen_to_have_nothing_left(
    symbol: Symbol | None, filled: int, remaining: Remaining | None, is_so: bool
) -> None:
    legs = (LegOutcome(action=ActionId("a"), leg="close", status="filled", filled=D(filled)),)
    receipt = Receipt(
        action=ActionId("a"), name="x", account=EVAL, status=OutcomeStatus.FAILED, started_at=0, ended_at=1, legs=legs,
        symbol=symbol, remaining=remaining,
    )  # fmt: skip
    assert is_half_done(receipt) is is_so
