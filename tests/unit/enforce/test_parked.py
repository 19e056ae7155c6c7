"""What a crash cut off waits, parked, until its account is confirmed; what is decided meanwhile knows of it."""

from decimal import Decimal

import pytest
from lane_world import MES, MNQ, LaneWorld

from haltline.enforce.legs import History
from haltline.enforce.resume import KINDS, Unfinished, unfinished
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.plan import PlannedAction


async def cut_off(stage: str) -> LaneWorld:
    """A close of MNQ whose order was killed before or after it had reached the venue."""
    world = LaneWorld()
    world.venue.script[("submit", stage)] = ["hang"]
    world.executor.accept([world.plan("close_position", "close")])
    async with world.lane():
        await world.until_called("submit")
    return world


def parked(world: LaneWorld) -> tuple[LaneWorld, Unfinished]:
    """The next life, up to where what was left is parked."""
    world.venue.script.clear()
    world.venue.calls.clear()
    again = LaneWorld(venue=world.venue, clock=world.clock, journal=world.journal)
    left = unfinished(world.journal.iterate(kinds=KINDS))
    again.executor.park(left.actions, left.histories)
    return again, left


@pytest.mark.parametrize("stage", ["before", "after"])
async def test_a_flatten_decided_at_the_start_takes_over_from_a_close_that_was_cut_off(stage: str) -> None:
    world, left = parked(await cut_off(stage))
    world.executor.accept([world.plan("flatten", "flatten")])
    async with world.lane():
        world.executor.resume(left.actions, left.histories)
        await world.settle()
    assert sorted(world.venue.closes) == [Decimal(-3), Decimal(2)]
    close = world.receipt("close")
    assert (close.status, close.superseded_by) == (OutcomeStatus.SUPERSEDED, "flatten")
    assert [leg.leg for leg in close.legs] == ["reduce MNQ 0"]
    assert world.receipt("flatten").status is OutcomeStatus.DONE


async def test_what_is_parked_is_under_way_and_runs_only_once_it_is_resumed() -> None:
    world, left = parked(await cut_off("before"))
    assert not world.executor.is_idle
    assert [each.action for each in world.executor.progress()] == ["close"]
    async with world.lane():
        for _ in range(20):
            await world.step()
        assert world.venue.calls == []
        world.executor.resume(left.actions, left.histories)
        world.executor.resume(left.actions, left.histories)
        await world.settle()
    assert world.venue.closes == [Decimal(-3)]
    assert world.receipt("close").status is OutcomeStatus.DONE


async def test_what_a_parked_flatten_does_anyway_waits_for_it() -> None:
    first = LaneWorld()
    first.venue.script[("submit", "after")] = ["hang"]
    first.executor.accept([first.plan("flatten", "flatten")])
    async with first.lane():
        await first.until_called("submit")
    world, left = parked(first)
    world.executor.accept([world.plan("close_position", "close", MES)])
    async with world.lane():
        for _ in range(20):
            await world.step()
        assert world.venue.calls == []
        world.executor.resume(left.actions, left.histories)
        await world.settle()
    assert sorted(world.venue.closes) == [Decimal(-3), Decimal(2)]


async def test_a_plan_that_names_what_is_parked_again_changes_nothing() -> None:
    world, left = parked(await cut_off("after"))
    world.executor.accept(left.actions)
    async with world.lane():
        world.executor.resume(left.actions, left.histories)
        await world.settle()
    assert [receipt.action for receipt in world.receipts] == ["close"]
    assert world.venue.closes == [Decimal(-3)]


@pytest.mark.parametrize(("name", "account"), [("close_position", "gone"), ("close_position", None), ("what", "eval")])
async def test_what_has_no_lane_or_is_not_ours_is_not_parked(name: str, account: str | None) -> None:
    world = LaneWorld()
    planned = PlannedAction(
        id=ActionId("a"), at=1, name=name, account=None if account is None else AccountId(account), symbol=Symbol(MNQ)
    )
    world.executor.park([planned], {planned.id: History()})
    assert world.executor.is_idle
    world.executor.resume([planned], {})
    await world.executor.tell_refused()
    assert [receipt.status for receipt in world.receipts] == ([OutcomeStatus.FAILED] if name != "what" else [])
