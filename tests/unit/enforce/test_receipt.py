"""A receipt is on the disk before it is told, and says of a second round what that round has shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue, LaneWorld, Pushes

from haltline.api import Action, Desk, HandledBy
from haltline.clock import NS_PER_S
from haltline.enforce.budget import Budget
from haltline.errors import Transient
from haltline.journal.receipt import Receipt, Remaining
from haltline.journal.record import Entry, RecordKind
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import OrderId
from haltline.model.plan import PlannedAction

DONE, FAILED, SUPERSEDED, UNKNOWN = (
    OutcomeStatus.DONE, OutcomeStatus.FAILED, OutcomeStatus.SUPERSEDED, OutcomeStatus.UNKNOWN,
)  # fmt: skip
HALF_S = NS_PER_S // 2


@dataclass
class Disk:
    """A `Ledger` and a `Report`: what was told, and how far the disk was by then."""

    told: list[tuple[str, str]] = field(default_factory=list)
    buffered: list[str] = field(default_factory=list)
    flushed: list[str] = field(default_factory=list)

    async def record(self, entries: Sequence[Entry], *, durable: bool) -> None:
        for entry in entries:
            if entry.kind is RecordKind.OUTCOME and b'"type":"action"' in entry.body:
                self.buffered.append(msgspec.json.decode(entry.body, type=Receipt).action)
        if durable:
            self.flushed += self.buffered
            self.buffered = []

    def report(self, outcome: ActionOutcome, receipt: Receipt) -> None:
        on = "disk" if receipt.action in self.flushed else "record" if receipt.action in self.buffered else "nothing"
        self.told.append((receipt.action, on))


def on_disk(world: LaneWorld) -> Disk:
    """Let the world's executor write to a disk that is watched."""
    disk = Disk()
    world.executor._ledger, world.executor._report = disk, disk.report
    return disk


@pytest.mark.parametrize(
    ("name", "params"), [("flatten", {}), ("place_stop", {"distance": 50}), ("reduce_to", {"quantity": 1})]
)
async def test_a_receipt_is_on_the_disk_before_it_is_told(name: str, params: dict[str, float]) -> None:
    world = LaneWorld()
    disk = on_disk(world)
    async with world.lane():
        world.executor.accept([world.plan(name, "a", **params)])
        await world.settle()
    assert disk.told == [("a", "disk")]


async def test_what_gave_way_is_on_record_when_it_is_told_and_holds_nothing_up_for_the_disk() -> None:
    world = LaneWorld()
    disk = on_disk(world)
    world.venue.script["submit", "before"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert disk.told == [("weak", "record"), ("strong", "disk")]
    assert disk.flushed == ["weak", "strong"], "the first request of what took over made it durable"


async def test_what_was_refused_is_on_record_when_it_is_told_and_waits_for_no_disk() -> None:
    world = LaneWorld()
    disk = on_disk(world)
    world.executor._lanes[EVAL].capacity = 0
    world.executor.accept([world.plan("flatten", "a")])
    await world.executor.tell_refused()
    assert disk.told == [("a", "record")]


async def test_a_cancel_of_an_order_that_is_gone_waits_for_no_disk_because_nothing_was_sent() -> None:
    venue = FakeVenue()
    world = LaneWorld(venue=venue, pushes=Pushes(venue))
    disk = on_disk(world)
    async with world.lane():
        world.executor.accept([msgspec.structs.replace(world.plan("cancel_orders", "a"), order_id=OrderId("gone"))])
        await world.settle()
    assert (disk.told, world.venue.calls) == ([("a", "record")], [])


def holding(hold_ns: int, action_ns: int) -> LaneWorld:
    """A world without pushes: what was closed is looked at again after the hold time."""
    return LaneWorld(budget=Budget(grace_s=0.0, hold_ns=hold_ns, action_ns=action_ns))


def reopening(world: LaneWorld, then: dict[tuple[str, str], list[Exception | str | None]]) -> list[int]:
    """Somebody opens again while it is watched, once; from the next look on that happens at the venue. When it was."""
    reopened: list[int] = []

    def reopen(verb: str) -> None:
        if world.executor._lanes[EVAL].watched and verb == "snapshot" and not reopened:
            reopened.append(world.clock.now())
            world.venue.held[MNQ] = Decimal(1)
            world.venue.script.update(then)

    world.venue.on_call = reopen
    return reopened


async def test_a_second_round_has_as_much_time_as_the_first_whenever_it_begins() -> None:
    world = holding(hold_ns=19 * NS_PER_S // 10, action_ns=2 * NS_PER_S)
    reopened = reopening(world, {("submit", "before"): [Transient("down")] * 5})
    async with world.lane():
        world.executor.accept([world.plan("close_position", "a")])
        await world.settle()
    assert reopened == [NS_PER_S + 19 * NS_PER_S // 10]
    assert (world.receipt("a").status, world.venue.held[MNQ]) == (DONE, 0)


async def test_a_second_round_that_nobody_could_judge_shows_nothing_as_left() -> None:
    world = holding(hold_ns=NS_PER_S, action_ns=30 * NS_PER_S)
    reopening(world, {("snapshot", "before"): [None, *[KeyError("a bug")] * 100]})
    async with world.lane():
        world.executor.accept([world.plan("close_position", "a")])
        await world.settle()
    receipt = world.receipt("a")
    assert (receipt.status, receipt.remaining) == (FAILED, None), "what the round before showed is old"


async def test_what_gives_way_in_its_second_round_shows_nothing_as_left() -> None:
    world = holding(hold_ns=NS_PER_S, action_ns=30 * NS_PER_S)
    reopening(world, {("submit", "before"): ["hang"]})
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit", 2)
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert (world.receipt("weak").status, world.receipt("weak").remaining) == (SUPERSEDED, None)
    assert world.receipt("strong").remaining == Remaining(positions={}, working_orders=0)


async def test_what_stood_back_began_when_it_was_begun_first() -> None:
    async def slowly(request: PlannedAction, desk: Desk) -> None:
        await desk.snapshot(EVAL)

    world = LaneWorld(extra=(Action(name="hedge", meaning="", handled_by=HandledBy.ENFORCE, run=slowly, rank=30),))
    world.venue.script["snapshot", "before"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("hedge", "later")])
        await world.until_called("snapshot")
        world.clock.advance_to(world.clock.now() + HALF_S)
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    later = world.receipt("later")
    assert (later.status, later.started_at) == (DONE, NS_PER_S)
    assert later.ended_at >= NS_PER_S + HALF_S


async def test_once_the_word_is_given_the_broker_is_asked_no_more() -> None:
    world = LaneWorld()
    calls: list[int] = []

    def cut_off(verb: str) -> None:
        if world.executor._lanes[EVAL].watched and "snapshot" not in dict(world.venue.script):
            world.venue.script["snapshot", "before"] = [Transient("down")] * 5_000

    world.venue.on_call = cut_off
    world.executor._report = lambda outcome, receipt: (
        calls.append(len(world.venue.calls)), world.receipts.append(receipt)
    )  # fmt: skip
    async with world.lane():
        world.executor.accept([world.plan("close_position", "a")])
        await world.settle()
        for _ in range(5):
            await world.step()
    assert world.receipt("a").status is UNKNOWN
    assert calls == [len(world.venue.calls)]


@pytest.mark.parametrize("left", [0, 1])
async def test_a_look_at_what_gives_way_meanwhile_changes_nothing_whatever_it_shows(left: int) -> None:
    world = LaneWorld()
    taken: list[int] = []

    def take_over(verb: str) -> None:
        lane = world.executor._lanes[EVAL]
        if verb == "snapshot" and lane.watched and lane.running is None and not taken:
            taken.append(world.clock.now())
            world.venue.held[MNQ] = Decimal(left)
            world.executor.accept([world.plan("flatten", "strong")])

    world.venue.on_call = take_over
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak"), world.plan("close_position", "other", MES)])
        await world.settle()
    assert taken == [2 * NS_PER_S], "when the hold time was over"
    assert (world.receipt("weak").status, world.receipt("weak").remaining) == (SUPERSEDED, None)
    assert (world.receipt("other").status, world.receipt("strong").status) == (SUPERSEDED, DONE)
    assert not any(world.venue.held.values())
