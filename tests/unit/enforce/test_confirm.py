"""Flat means flat: two witnesses must show it, for a while, or the receipt says that they do not."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from lane_world import EVAL, MES, MNQ, QUICK, FakeVenue, LaneWorld, Pushes

from haltline.clock import NS_PER_S
from haltline.enforce.budget import Budget
from haltline.enforce.confirm import Confirmation, Step
from haltline.enforce.witness import NoWitness
from haltline.errors import Transient
from haltline.journal.receipt import Proof, Remaining
from haltline.model.event import OutcomeStatus
from haltline.model.order import Side

DONE, FAILED, UNKNOWN = OutcomeStatus.DONE, OutcomeStatus.FAILED, OutcomeStatus.UNKNOWN


def pushing(**more: object) -> LaneWorld:
    venue = FakeVenue(held={MNQ: Decimal(3), MES: Decimal(-2)})
    return LaneWorld(venue=venue, pushes=Pushes(venue, **more))  # type: ignore[arg-type]  # a test's short hand


async def flatten(world: LaneWorld, on_step: Callable[[], None] = lambda: None, name: str = "flatten") -> None:
    async with world.lane():
        world.executor.accept([world.plan(name, "a")])
        await world.settle(on_step)


async def test_a_flatten_is_done_once_both_witnesses_have_shown_it_for_the_hold_time() -> None:
    world = pushing()
    await flatten(world)
    receipt = world.receipt("a")
    assert (receipt.status, receipt.proof, receipt.held_ns) == (DONE, Proof.PUSH_AND_PULL, NS_PER_S)
    assert receipt.reached_at == NS_PER_S
    assert receipt.ended_at >= 2 * NS_PER_S
    assert str(receipt).endswith("confirmed by push and by pull, held for 1s")
    assert receipt.took_ns == 0


async def test_without_pushes_two_pulls_that_far_apart_confirm_and_the_receipt_says_so() -> None:
    world = LaneWorld()
    await flatten(world)
    receipt = world.receipt("a")
    assert (receipt.status, receipt.proof) == (DONE, Proof.PULL_TWICE)
    assert receipt.proven_at is not None
    assert receipt.reached_at is not None
    assert receipt.proven_at - receipt.reached_at == NS_PER_S
    assert "confirmed by pull twice, held for 1s (the broker pushes nothing to go by)" in str(receipt)


async def test_a_close_is_confirmed_for_its_symbol_alone() -> None:
    world = pushing()
    await flatten(world, name="close_position")
    assert world.receipt("a").proof is Proof.PUSH_AND_PULL
    assert world.venue.held == {MNQ: 0, MES: -2}


@pytest.mark.parametrize("has_pushes", [True, False])
async def test_what_is_opened_again_while_it_is_watched_is_closed_again(has_pushes: bool) -> None:
    world = pushing() if has_pushes else LaneWorld()
    reopened: list[int] = []

    def reopen() -> None:
        if world.executor._lanes[EVAL].watched and not reopened:
            reopened.append(world.clock.now())
            world.venue.held[MNQ] = Decimal(1)
            world.executor.look_again()

    await flatten(world, reopen)
    receipt = world.receipt("a")
    assert receipt.status is DONE
    assert world.venue.held[MNQ] == 0
    assert receipt.reached_at is not None
    assert receipt.reached_at >= reopened[0]
    if has_pushes:
        assert receipt.reached_at - reopened[0] <= QUICK.look_ns


async def test_a_new_order_while_it_is_watched_is_cancelled() -> None:
    world = pushing()
    placed: list[str] = []

    def place() -> None:
        if world.executor._lanes[EVAL].watched and not placed:
            placed.append(world.venue.rest(MNQ, Side.BUY))

    await flatten(world, place)
    assert world.receipt("a").status is DONE
    assert not world.venue.orders


async def test_somebody_who_opens_again_and_again_makes_it_fail_and_not_run_for_ever() -> None:
    world = pushing()

    def reopen() -> None:
        if world.executor._lanes[EVAL].watched:
            world.venue.held[MNQ] = Decimal(1)

    async with world.lane():
        world.executor.accept([world.plan("flatten", "a")])
        while not world.receipts:
            await world.step()
            reopen()
    receipt = world.receipt("a")
    assert receipt.status is FAILED
    assert receipt.ended_at - receipt.started_at >= 0


async def test_what_does_not_stay_so_until_its_time_is_up_says_so() -> None:
    world = pushing()
    world.budget = Budget(grace_s=0.0, action_ns=NS_PER_S // 2)
    world.__post_init__()

    def reopen() -> None:
        if world.executor._lanes[EVAL].watched and world.clock.now() > NS_PER_S + NS_PER_S * 6 // 10:
            world.venue.held[MNQ] = Decimal(1)

    await flatten(world, reopen)
    assert world.receipt("a").status is FAILED
    assert "it did not stay so: the account is not flat: +1 MNQ" in world.receipt("a").reason


async def test_pushes_that_lag_are_waited_for() -> None:
    world = pushing(follows=False, shown=Remaining(positions={MNQ: Decimal(3)}))
    assert world.pushes is not None
    pushes = world.pushes

    def catch_up() -> None:
        if world.clock.now() >= 2 * NS_PER_S:
            pushes.follows = True

    await flatten(world, catch_up)
    receipt = world.receipt("a")
    assert (receipt.status, receipt.proof, pushes.corrections) == (DONE, Proof.PUSH_AND_PULL, 0)
    assert receipt.ended_at >= 3 * NS_PER_S


async def test_pushes_that_stay_silent_are_corrected_from_a_pull_and_the_receipt_says_so() -> None:
    world = pushing(follows=False, shown=Remaining(positions={MNQ: Decimal(3)}))
    assert world.pushes is not None
    pushes = world.pushes

    def obey() -> None:
        pushes.follows = pushes.corrections > 0

    await flatten(world, obey)
    receipt = world.receipt("a")
    assert (receipt.status, receipt.proof, pushes.corrections) == (DONE, Proof.PULL_TWICE, 1)
    assert "confirmed by pull twice, held for 1s (its pushes did not show it for 3s and were corrected)" in str(receipt)


async def test_pushes_that_contradict_even_their_correction_leave_it_unknown() -> None:
    world = pushing(follows=False, shown=Remaining(positions={MNQ: Decimal(3)}))
    await flatten(world)
    receipt = world.receipt("a")
    assert receipt.status is UNKNOWN
    assert "its pushes or later answers do not confirm it [E803]" in receipt.reason
    assert receipt.proof is None
    assert receipt.confirmation == ""


async def test_a_correction_waits_while_something_is_on_its_way_to_the_kernel() -> None:
    world = pushing(follows=False, shown=Remaining(positions={MNQ: Decimal(3)}), is_busy=True)
    assert world.pushes is not None
    pushes = world.pushes

    def settle_down() -> None:
        pushes.is_busy = world.clock.now() < 5 * NS_PER_S
        pushes.follows = pushes.corrections > 0

    await flatten(world, settle_down)
    assert world.receipt("a").status is DONE
    assert pushes.corrections == 1


async def test_a_stream_that_breaks_meanwhile_leaves_two_pulls() -> None:
    world = pushing()
    assert world.pushes is not None
    pushes = world.pushes

    def break_off() -> None:
        if world.executor._lanes[EVAL].watched:
            pushes.follows, pushes.shown = False, None

    await flatten(world, break_off)
    assert (world.receipt("a").status, world.receipt("a").proof) == (DONE, Proof.PULL_TWICE)


async def test_a_broker_that_cannot_be_asked_again_leaves_it_unknown() -> None:
    world = LaneWorld()

    def cut_off() -> None:
        if world.executor._lanes[EVAL].watched:
            world.venue.script["snapshot", "before"] = [Transient("down")] * 500

    await flatten(world, cut_off)
    receipt = world.receipt("a")
    assert receipt.status is UNKNOWN
    assert receipt.remaining is not None


async def test_a_broker_that_is_away_for_a_moment_while_it_is_watched_does_no_harm() -> None:
    world = LaneWorld()
    world.budget = Budget(grace_s=0.0, call_s=0.0)  # a call that does not answer at once is cut off
    world.__post_init__()
    faults: list[Exception | str | None] = [Transient("down"), KeyError("a bug"), "hang"]

    def disturb() -> None:
        if world.executor._lanes[EVAL].watched and faults:
            world.venue.script["snapshot", "before"] = faults[:]
            faults.clear()

    await flatten(world, disturb)
    assert world.receipt("a").status is DONE
    assert not world.venue.script["snapshot", "before"]


async def test_the_lane_goes_on_while_something_is_watched() -> None:
    world = LaneWorld()
    sent: list[int] = []
    world.venue.on_call = lambda verb: sent.append(world.clock.now()) if verb == "submit" else None
    async with world.lane():
        world.executor.accept([world.plan("close_position", "first"), world.plan("close_position", "second", MES)])
        await world.settle()
    assert sent == [NS_PER_S, NS_PER_S]
    assert {receipt.status for receipt in world.receipts} == {DONE}


async def test_with_no_hold_time_nothing_needs_the_clock() -> None:
    world = pushing()
    world.budget = Budget(hold_ns=0)
    world.__post_init__()
    await flatten(world)
    assert world.clock.now() == NS_PER_S
    assert "confirmed by push and by pull" in str(world.receipt("a"))
    assert "held" not in str(world.receipt("a"))


async def test_a_flatten_that_is_watched_is_looked_at_when_the_kernel_has_heard_something() -> None:
    world = pushing()
    async with world.lane():
        world.executor.accept([world.plan("flatten", "a")])
        while not world.executor._lanes[EVAL].watched:
            await world.step()
        world.executor.look_again()
        await world.settle()
    assert world.receipt("a").status is DONE


async def test_killed_while_it_is_watched_it_is_confirmed_anew_by_the_next_life() -> None:
    world = LaneWorld()
    async with world.lane():
        world.executor.accept([world.plan("flatten", "a")])
        for _ in range(40):
            await asyncio.sleep(0)
        assert world.executor._lanes[EVAL].watched
    again = world.again()
    async with again.lane():
        await again.settle()
    assert again.receipt("a").proof is Proof.PULL_TWICE
    assert sorted(world.venue.closes) == [-3, 2]


def test_nothing_is_pushed_to_no_witness() -> None:
    nobody = NoWitness()
    assert nobody.seen(EVAL) is None  # type: ignore[func-returns-value]  # that is the point
    assert nobody.activity(EVAL) is None  # type: ignore[func-returns-value]  # that is the point


def confirmation() -> Confirmation:
    return Confirmation(budget=Budget(), reached_at=0, pulled_at=0)


async def test_pushes_that_catch_up_during_a_pull_must_hold_as_well() -> None:
    world = pushing(follows=False, shown=Remaining(positions={MNQ: Decimal(3)}, working_orders=0))
    assert world.pushes is not None
    agreed: list[int] = []

    def catch_up(verb: str) -> None:
        assert world.pushes is not None
        if verb == "snapshot" and world.executor._lanes[EVAL].watched and not world.pushes.follows:
            world.pushes.follows = True
            agreed.append(world.clock.now())

    world.venue.on_call = catch_up
    await flatten(world)
    receipt = world.receipt("a")
    assert (receipt.status, receipt.proof) == (DONE, Proof.PUSH_AND_PULL)
    assert receipt.ended_at >= agreed[0] + NS_PER_S


async def test_pushes_that_contradict_the_last_pull_are_not_passed_over() -> None:
    world = pushing()
    assert world.pushes is not None
    contradicted: list[int] = []

    def contradict(verb: str) -> None:
        assert world.pushes is not None
        confirmations = [job.confirmation for job in world.executor._lanes[EVAL].watched]
        is_last = any(each is not None and each.agreed_at is not None for each in confirmations)
        if verb == "snapshot" and is_last and not contradicted:
            contradicted.append(world.clock.now())
            world.pushes.follows = False
            world.pushes.shown = Remaining(positions={MNQ: Decimal(1)}, working_orders=0)

    world.venue.on_call = contradict
    await flatten(world)
    assert contradicted
    assert (world.receipt("a").status, world.pushes.corrections) == (UNKNOWN, 1)


@pytest.mark.parametrize("name", ["reduce_to", "cancel_orders"])
async def test_what_is_neither_a_flatten_nor_a_close_is_not_held(name: str) -> None:
    world = pushing()
    async with world.lane():
        world.executor.accept([world.plan(name, "a", **({"quantity": 1.0} if name == "reduce_to" else {}))])
        await world.settle()
    assert (world.receipt("a").status, world.receipt("a").proof, world.receipt("a").ended_at) == (DONE, None, NS_PER_S)


async def test_a_proof_is_as_of_when_it_was_asked_for_and_not_of_when_the_answer_came() -> None:
    world = pushing()

    def take_time(verb: str) -> None:
        if verb == "snapshot" and world.executor._lanes[EVAL].watched:
            world.clock.advance_to(world.clock.now() + 1000)

    world.venue.on_call = take_time
    await flatten(world)
    receipt = world.receipt("a")
    assert receipt.proven_at == receipt.ended_at - 1000
    assert world.outcomes[0].at == receipt.proven_at


async def test_what_is_done_again_began_when_it_was_begun_first() -> None:
    world = pushing()
    reopened: list[int] = []

    def reopen() -> None:
        if world.executor._lanes[EVAL].watched and world.clock.now() > NS_PER_S and not reopened:
            reopened.append(world.clock.now())
            world.venue.held[MNQ] = Decimal(1)
            world.executor.look_again()

    await flatten(world, reopen)
    receipt = world.receipt("a")
    assert (receipt.status, receipt.started_at) == (DONE, NS_PER_S)
    assert receipt.reached_at is not None and receipt.reached_at >= reopened[0]


def test_the_hold_begins_when_the_second_witness_agrees() -> None:
    watched = confirmation()
    assert watched.next_step(NS_PER_S * 2, agrees=True) is Step.WAIT
    assert watched.next_step(NS_PER_S * 3 - 1, agrees=True) is Step.WAIT
    assert watched.next_step(NS_PER_S * 3, agrees=True) is Step.CONCLUDE


def test_what_agreed_and_does_no_longer_is_asked_for_at_once() -> None:
    watched = confirmation()
    watched.next_step(1, agrees=True)
    assert watched.next_step(2, agrees=False) is Step.PULL
    watched.pulled(2)
    assert watched.next_step(3, agrees=False) is Step.WAIT
    assert watched.next_step(NS_PER_S + 3, agrees=False) is Step.PULL


def test_a_confirmation_never_lasts_for_ever() -> None:
    assert confirmation().next_step(100 * NS_PER_S, agrees=True) is Step.DOUBT
