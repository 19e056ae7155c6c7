"""What the executor takes and what it leaves, and when it says that nothing is under way."""

import asyncio
from decimal import Decimal

import pytest
from lane_world import EVAL, MNQ, SPECS, FakeVenue, LaneWorld, Pushes

from haltline.api import Registry
from haltline.builtins.action.size import SIZE_ACTIONS
from haltline.builtins.action.state import STATE_ACTIONS
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.executor import Executor
from haltline.errors import InvariantBroken
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import Receipt
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, ActionId
from haltline.model.plan import PlannedAction
from haltline.runtime.writer import InlineWriter

MAIN = AccountId("main")


@pytest.mark.parametrize("action", STATE_ACTIONS, ids=lambda action: action.name)
def test_what_the_kernel_or_the_notifier_does_is_left_to_them(action) -> None:
    world = LaneWorld(extra=STATE_ACTIONS)
    world.executor.accept([world.plan(action.name, "a")])
    assert (world.executor.is_idle, world.executor.progress()) == (True, ())


def two_accounts(clock: ManualClock) -> tuple[Executor, list[Receipt]]:
    """An executor of two accounts, as it comes without a budget of its own."""
    registry, receipts = Registry(), list[Receipt]()
    for action in SIZE_ACTIONS:
        registry.add_action(action)
    executor = Executor(
        actions=registry.actions, brokers={EVAL: FakeVenue(held={MNQ: Decimal(3)}), MAIN: FakeVenue()}, clock=clock,
        ledger=InlineWriter(MemoryJournal()), report=lambda outcome, receipt: receipts.append(receipt),
        instruments=SPECS,
    )  # fmt: skip
    return executor, receipts


def close(account: AccountId) -> PlannedAction:
    return PlannedAction(id=ActionId(f"close {account}"), at=1, name="close_position", account=account, symbol=MNQ)


async def test_while_one_account_is_busy_not_everything_is_idle_and_the_usual_limits_hold() -> None:
    clock = ManualClock(NS_PER_S)
    executor, receipts = two_accounts(clock)
    executor.accept([close(EVAL)])
    assert not executor.is_idle
    async with asyncio.TaskGroup() as group:
        lanes = [group.create_task(executor.run_lane(account)) for account in executor.accounts]
        for _ in range(200):
            await asyncio.sleep(0)
            if executor.is_idle:
                break
            wake = clock.next_wake_ns()
            if wake is not None:
                clock.advance_to(wake)
        for lane in lanes:
            lane.cancel()
    assert [(receipt.status, receipt.held_ns) for receipt in receipts] == [(OutcomeStatus.DONE, NS_PER_S)]


async def test_a_broken_invariant_in_the_last_look_at_what_is_watched_ends_the_lane() -> None:
    world = LaneWorld()

    def break_down(verb: str) -> None:
        lane = world.executor._lanes[EVAL]
        if verb == "snapshot" and lane.watched and lane.running is None:
            raise InvariantBroken("stop")

    world.venue.on_call = break_down
    world.executor.accept([world.plan("close_position", "a")])
    lane = asyncio.ensure_future(world.executor.run_lane(EVAL))
    for _ in range(500):
        if lane.done():
            break
        await world.step()
    assert isinstance(lane.exception(), InvariantBroken)
    assert world.receipts == []


async def test_where_nothing_was_refused_nothing_is_written() -> None:
    world = LaneWorld()
    writes: list[int] = []

    async def record(entries, *, durable) -> None:
        writes.append(len(entries))

    world.executor._ledger.record = record  # type: ignore[method-assign]  # a spy
    await world.executor.tell_refused()
    assert (writes, world.receipts) == ([], [])


async def test_what_the_kernel_has_heard_is_looked_at_at_once_and_not_at_the_next_look() -> None:
    venue = FakeVenue(held={MNQ: Decimal(3)})
    world = LaneWorld(venue=venue, pushes=Pushes(venue))
    async with world.lane():
        world.executor.accept([world.plan("flatten", "a")])
        for _ in range(50):
            await asyncio.sleep(0)
        assert (world.executor._lanes[EVAL].watched != [], world.clock.now()) == (True, NS_PER_S)
        venue.held[MNQ] = Decimal(1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert venue.closes == [-3], "nobody has said anything yet"
        world.executor.look_again()
        for _ in range(50):
            await asyncio.sleep(0)
        assert (venue.closes, world.clock.now()) == ([-3, -1], NS_PER_S)
        await world.settle()
    assert world.receipt("a").status is OutcomeStatus.DONE
