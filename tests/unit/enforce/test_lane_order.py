"""A lane keeps its order whatever is taken out of it, and disturbs nobody without need."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, LaneWorld, Pushes

from haltline.api import Action, HandledBy
from haltline.clock import NS_PER_S
from haltline.enforce.desk import ActionDesk
from haltline.enforce.lane import Job, Lane
from haltline.enforce.legs import History
from haltline.errors import Transient
from haltline.journal.receipt import LegIntent
from haltline.journal.record import RecordKind
from haltline.model.event import OutcomeStatus
from haltline.model.id import ActionId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.model.plan import PlannedAction
from haltline.runtime.writer import InlineWriter


def job(name: str, key: str, rank: int, symbol: Symbol = MNQ) -> Job:
    planned = PlannedAction(id=ActionId(key), at=1, name=name, account=EVAL, symbol=symbol)
    return Job(planned=planned, action=Action(name=name, meaning="", handled_by=HandledBy.ENFORCE, rank=rank))


def test_those_that_wait_keep_their_order_when_some_become_pointless() -> None:
    lane = Lane(100)
    lane.push(job("reduce_to", "pointless", 1))
    for rank in (10, 2, 11, 12, 3, 4):
        lane.push(job("custom", f"c{rank}", rank))
    lane.push(job("close_position", "close", 50))
    taken = []
    while (each := lane.take()) is not None:
        taken.append(each.planned.id)
    assert taken == ["c2", "c3", "c4", "c10", "c11", "c12", "close"]
    assert [weak.planned.id for weak, _ in lane.ended] == ["pointless"]


def test_what_waits_for_something_that_is_watched_keeps_no_other_action_back() -> None:
    lane = Lane(100)
    watched = job("close_position", "watched", 50)
    lane.watched.append(watched)
    for each in (job("reduce_to", "made pointless by it", 1), job("reduce_to", "of another symbol", 30, MES)):
        lane.push(each)
    taken = lane.take()
    assert taken is lane.running and taken is not None and taken.planned.id == "of another symbol"
    assert lane.take() is None
    lane.watched.remove(watched)
    last = lane.take()
    assert last is not None and last.planned.id == "made pointless by it"


def test_what_stands_back_comes_right_behind_the_one_that_goes_before_it() -> None:
    lane = Lane(100)
    back, behind = job("custom", "back", 1), job("flatten", "behind", 90)
    for each in (job("custom", "first", 5), behind, job("custom", "between", 50)):
        lane.push(each)
    lane.stand_back(back, behind.planned)
    assert sorted((rank, each.planned.id) for rank, _, each in lane.waiting if each is back) == [(90, "back")]


def test_the_running_one_is_asked_to_make_way_only_for_what_goes_before_it() -> None:
    lane, asked = Lane(100), []
    lane.push(job("reduce_to", "r", 30))
    running = lane.take()
    assert running is not None
    running.desk = SimpleNamespace(make_way=lambda planned: asked.append(planned.id))  # type: ignore[assignment]  # a fake
    lane.push(job("reduce_to", "other", 30, MES))
    lane.push(job("notify", "n", 5))
    assert asked == []
    lane.push(job("flatten", "f", 90))
    assert asked == ["f"]


async def test_an_order_that_ended_before_its_cancel_begins_costs_no_call() -> None:
    venue = LaneWorld().venue
    world = LaneWorld(venue=venue, pushes=Pushes(venue))
    planned = msgspec.structs.replace(world.plan("cancel_orders", "lock@eval:1"), order_id="long gone")
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    receipt = world.receipt("lock@eval:1")
    assert (receipt.status, world.venue.calls) == (OutcomeStatus.DONE, [])
    assert receipt.started_at == receipt.ended_at == world.clock.now()
    assert receipt.remaining is not None and receipt.remaining.positions == {MNQ: Decimal(3), MES: Decimal(-2)}
    records = world.journal.iterate(kinds=[RecordKind.OUTCOME])
    assert [b'"lock@eval:1"' in record.body for record in records] == [True]


async def test_a_cancel_that_was_begun_before_a_restart_is_looked_into_though_its_order_has_ended() -> None:
    venue = LaneWorld().venue
    world = LaneWorld(venue=venue, pushes=Pushes(venue))
    planned = msgspec.structs.replace(world.plan("cancel_orders", "lock@eval:1"), order_id="gone")
    intent = LegIntent(action=planned.id, leg="cancel gone", account=EVAL, cancels=OrderId("gone"))
    async with world.lane():
        world.executor.accept([planned], {planned.id: History(begun={"cancel gone": intent})})
        await world.settle()
    assert [leg.status for leg in world.receipt("lock@eval:1").legs] == ["cancelled"]


@pytest.mark.parametrize("key", ["operator@eval:cancel_orders:1", "lock@eval:1"])
async def test_an_order_is_looked_for_where_an_operator_asks_or_no_pushes_tell(key: str) -> None:
    venue = LaneWorld().venue
    world = LaneWorld(venue=venue, pushes=Pushes(venue, follows=key.startswith("operator")))
    planned = msgspec.structs.replace(world.plan("cancel_orders", key), order_id="long gone")
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    assert "snapshot" in venue.calls


async def test_a_position_that_somebody_turned_is_closed_without_waiting_for_the_last_fill_to_show() -> None:
    world = LaneWorld()

    def turned(verb: str) -> None:
        if verb == "snapshot" and len(world.venue.closes) == 1 and world.venue.held[MNQ] == 0:
            world.venue.held[MNQ] = Decimal(-9)

    world.venue.on_call = turned
    begun = world.clock.now()
    async with world.lane():
        world.executor.accept([world.plan("close_position", "c")])
        await world.until_called("submit", 2)
    assert world.venue.closes == [Decimal(-3), Decimal(9)]
    assert world.clock.now() - begun < world.budget.settle_ns


async def test_what_comes_while_something_is_watched_begins_at_once() -> None:
    world = LaneWorld()
    async with world.lane():
        world.executor.accept([world.plan("close_position", "a")])
        for _ in range(200):  # without the clock: what is watched stays so
            await asyncio.sleep(0)
        assert world.executor._lanes[EVAL].watched
        before = world.venue.calls.count("submit")
        world.executor.accept([world.plan("close_position", "b", MES)])
        for _ in range(20):
            await asyncio.sleep(0)
        assert world.venue.calls.count("submit") == before + 1
        await world.settle()
    assert [world.receipt(key).status for key in "ab"] == [OutcomeStatus.DONE] * 2


async def test_what_never_ran_began_when_it_ended() -> None:
    world = LaneWorld()
    async with world.lane():
        world.executor.accept(
            [world.plan("reduce_to", "r", quantity=1.0), world.plan("reduce_to", "s", MES, quantity=1.0)]
        )
        world.executor.accept([world.plan("flatten", "f")])
        await world.settle()
    receipt = world.receipt("s")
    assert receipt.status is OutcomeStatus.SUPERSEDED
    assert receipt.started_at == receipt.ended_at > 0


async def test_a_time_that_the_broker_names_is_on_the_receipt_of_what_failed_and_of_nothing_else() -> None:
    later = Transient("too many requests", retry_after_s=100.0)
    for errors, status in (([later, later], OutcomeStatus.FAILED), ([], OutcomeStatus.DONE)):
        world = LaneWorld()
        world.venue.script[("submit", "before")] = list(errors)
        async with world.lane():
            world.executor.accept([world.plan("reduce_to", "r", quantity=1.0)])
            await world.settle()
        receipt = world.receipt("r")
        assert receipt.status is status
        assert (receipt.retry_at is not None and receipt.retry_at >= 101 * NS_PER_S) is bool(errors)


async def test_what_did_not_stay_so_is_done_again_with_as_much_time_as_before() -> None:
    world = LaneWorld()
    desk = ActionDesk(
        ActionId("a"), broker=world.venue, clock=world.clock, ledger=InlineWriter(world.journal), budget=world.budget,
        instruments={}, mark_of=lambda symbol: None,
    )  # fmt: skip
    world.clock.advance_to(world.clock.now() + world.budget.action_ns)
    world.venue.script[("snapshot", "before")] = [Transient("away"), Transient("away"), Transient("away")]
    desk.renew()
    waiting = asyncio.ensure_future(desk.snapshot(EVAL))
    while not waiting.done():
        await world.step()
    assert (await waiting).account.account == EVAL


@pytest.mark.parametrize(
    ("working", "status"), [({"mine", "other"}, None), ({"other"}, "cancelled"), (set(), "cancelled")]
)
async def test_a_cancel_that_was_cut_off_took_effect_if_its_own_order_works_no_more(
    working: set[str], status: str | None
) -> None:
    world = LaneWorld()
    for name in working:
        world.venue.orders[OrderId(name)] = OrderReport(
            account=EVAL, order_id=OrderId(name), symbol=MNQ, side=Side.BUY, quantity=Decimal(1),
            type=OrderType.LIMIT, status=OrderStatus.WORKING,
        )  # fmt: skip
    intent = LegIntent(action=ActionId("a"), leg="cancel mine", account=EVAL, cancels=OrderId("mine"))
    history = History(begun={"cancel mine": intent})
    desk = ActionDesk(
        ActionId("a"), broker=world.venue, clock=world.clock, ledger=InlineWriter(world.journal), budget=world.budget,
        instruments={}, mark_of=lambda symbol: None, history=history,
    )  # fmt: skip
    await desk.recall()
    ended = history.ended.get("cancel mine")
    assert (None if ended is None else ended.status) == status


async def test_a_stop_that_would_be_at_nothing_is_refused() -> None:
    world = LaneWorld()
    async with world.lane():
        world.executor.accept([world.plan("place_stop", "p", distance=20_999.0)])
        await world.settle()
    receipt = world.receipt("p")
    assert receipt.status is OutcomeStatus.FAILED
    assert "would be at 0" in receipt.reason and "submit" not in world.venue.calls
