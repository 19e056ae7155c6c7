"""The two desks behind caps: the rehearsal that sends nothing, and the counting one that stops in time."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, PRICE, FakeVenue, LaneWorld

from haltline.api import Action, Desk, HandledBy
from haltline.enforce.cap import Reach, capped_desk, is_entry
from haltline.enforce.order import quantity_of
from haltline.journal.receipt import Receipt
from haltline.model.event import OutcomeStatus
from haltline.model.id import IncidentId, OrderId, Symbol
from haltline.model.order import Aim, OrderReport, OrderStatus, OrderType, Side
from haltline.model.plan import Caps, Over, PlannedAction

NEEDS, DONE = OutcomeStatus.NEEDS_CONSENT, OutcomeStatus.DONE
CUSTOM = "custom"


def stop(key: str = "stop", *, reduce_only: bool = False, quantity: int = 3) -> OrderReport:
    """One that protects the long position."""
    return OrderReport(
        account=EVAL, order_id=OrderId(key), symbol=MNQ, side=Side.SELL, quantity=Decimal(quantity),
        type=OrderType.STOP, status=OrderStatus.WORKING, stop_price=PRICE - 100, reduce_only=reduce_only,
    )  # fmt: skip


async def run(work: Callable[[Desk], Awaitable[None]], caps: Caps, world: LaneWorld | None = None) -> Receipt:
    """An action of a plugin under caps; in `work` the first call is the rehearsal, the second the real one."""

    async def carry_out(planned: PlannedAction, desk: Desk) -> None:
        await work(desk)

    action = Action(name=CUSTOM, meaning="", handled_by=HandledBy.ENFORCE, run=carry_out)
    made = LaneWorld(extra=(action,), **({"venue": world.venue} if world is not None else {}))
    async with made.lane():
        made.executor.accept([msgspec.structs.replace(made.plan(CUSTOM, "a"), caps=caps)])
        await made.settle()
    return made.receipt("a")


class Twice:
    """Work that is done only when it counts, so that the rehearsal finds nothing."""

    def __init__(self, work: Callable[[Desk], Awaitable[None]]) -> None:
        self._work = work
        self._calls = 0

    async def __call__(self, desk: Desk) -> None:
        self._calls += 1
        if self._calls > 1:
            await self._work(desk)


async def test_a_rehearsal_shows_the_account_as_if_it_had_been_done() -> None:
    seen = []

    async def work(desk: Desk) -> None:
        await desk.reduce(EVAL, MNQ, to=Decimal(1))
        await desk.reduce(EVAL, MES, to=Decimal(1))
        present = await desk.snapshot(EVAL)
        seen.append((quantity_of(present, MNQ), quantity_of(present, MES)))

    assert (await run(work, Caps(max_positions=0))).status is NEEDS
    assert seen == [(1, -1)]


@pytest.mark.parametrize("is_found_late", [False, True])
async def test_a_position_that_is_taken_down_in_two_steps_counts_as_what_both_take_off(*, is_found_late: bool) -> None:
    async def work(desk: Desk) -> None:
        await desk.reduce(EVAL, MNQ, to=Decimal(2))
        await desk.reduce(EVAL, MNQ, to=Decimal(0))

    receipt = await run(Twice(work) if is_found_late else work, Caps(max_notional=100_000))
    assert (receipt.status, "touch positions worth 125,994.00 (max_notional: 100000)" in receipt.reason) == (
        NEEDS,
        True,
    )


async def test_what_two_orders_took_off_one_position_by_leave_is_told_as_their_sum() -> None:
    async def work(desk: Desk) -> None:
        await desk.reduce(EVAL, MNQ, to=Decimal(2))
        await desk.reduce(EVAL, MNQ, to=Decimal(0))

    receipt = await run(work, Caps(max_notional=100_000, over=Over.PROCEED))
    assert receipt.beyond.startswith("beyond its caps it touched positions worth 125,994.00 (max_notional: 100000);")


async def test_a_stop_that_was_placed_by_leave_is_an_order_and_touches_no_position() -> None:
    async def work(desk: Desk) -> None:
        await desk.place_stop(EVAL, MNQ, distance=Decimal(50))

    receipt = await run(work, Caps(max_positions=0, max_orders=0, over=Over.PROCEED))
    assert receipt.beyond == "beyond its caps it touched 1 orders (max_orders: 0); 'over: proceed'"


def test_what_is_asked_for_again_counts_once_in_size_and_twice_in_orders() -> None:
    reach = Reach()
    reach.cut(MNQ, size=Decimal(3), to=Decimal(0))
    reach.cut(MNQ, size=Decimal(2), to=Decimal(0))
    assert (reach.cuts, reach.orders) == ({MNQ: 3}, 2)
    reach.cut(MNQ, size=Decimal(5), to=Decimal(1))
    assert (reach.cuts, reach.orders) == ({MNQ: 5}, 3)


async def test_a_position_that_is_small_enough_by_then_costs_no_order_in_a_rehearsal() -> None:
    async def work(desk: Desk) -> None:
        await desk.reduce(EVAL, MNQ, to=Decimal(1))
        await desk.reduce(EVAL, MNQ, to=Decimal(1))
        await desk.reduce(EVAL, MNQ, to=Decimal(2))

    assert "would touch 1 orders" in (await run(work, Caps(max_orders=0))).reason


async def test_an_exit_that_is_cancelled_twice_counts_once_in_a_rehearsal() -> None:
    world = LaneWorld()
    world.venue.orders = {OrderId("stop"): stop()}

    async def work(desk: Desk) -> None:
        await desk.cancel(EVAL, stop())
        await desk.cancel(EVAL, stop())
        assert (await desk.snapshot(EVAL)).orders == ()

    receipt = await run(work, Caps(max_orders=0), world)
    assert "would touch 1 orders" in receipt.reason


@pytest.mark.parametrize("verb", ["place_stop", "move_stop", "reduce", "cancel", "cancel unseen"])
async def test_what_a_rehearsal_did_not_find_is_stopped_before_it_is_sent(verb: str) -> None:
    world = LaneWorld()
    world.venue.orders = {OrderId("stop"): stop()}

    async def work(desk: Desk) -> None:
        if verb != "cancel unseen":
            await desk.snapshot(EVAL)
        match verb:
            case "place_stop":
                await desk.place_stop(EVAL, MES, distance=Decimal(50))
            case "move_stop":
                await desk.move_stop(EVAL, MNQ, price=PRICE - 50)
            case "reduce":
                await desk.reduce(EVAL, MNQ, to=Decimal(1))
            case _:
                await desk.cancel(EVAL, stop())

    receipt = await run(Twice(work), Caps(max_orders=0), world)
    assert (receipt.status, receipt.legs, receipt.beyond) == (NEEDS, (), "")
    assert "went on to touch 1 orders (max_orders: 0), and was stopped before that" in receipt.reason


async def test_a_reduction_to_what_is_held_anyway_counts_nothing() -> None:
    async def work(desk: Desk) -> None:
        await desk.reduce(EVAL, MNQ, to=Decimal(3))

    assert (await run(Twice(work), Caps(max_orders=0))).status is DONE


@pytest.mark.parametrize("params", [{"distance": 50.0}, {"price": 20_900.0}])
async def test_a_stop_within_its_caps_is_at_the_venue(params: dict[str, float]) -> None:
    for most, stops in ((1, [Decimal(3)]), (0, [])):
        world = LaneWorld()
        planned = msgspec.structs.replace(world.plan("place_stop", "a", **params), caps=Caps(max_orders=most))
        async with world.lane():
            world.executor.accept([planned])
            await world.settle()
        assert [order.quantity for order in world.venue.orders.values()] == stops
        assert ("would touch 1 orders" in world.receipt("a").reason) is (not stops)


async def test_a_reduction_by_an_amount_fixes_its_aim_under_caps_too() -> None:
    world = LaneWorld()
    planned = msgspec.structs.replace(world.plan("reduce_by", "a", quantity=1.0), caps=Caps(max_orders=5))
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    assert (world.receipt("a").status, world.venue.held[MNQ]) == (DONE, 2)
    assert world.receipt("a").aims[MNQ].to == 2


async def test_a_rehearsal_of_a_repeat_reaches_for_what_was_fixed_at_the_first_try() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: Decimal(2)}))
    first_aim = {MNQ: Aim(held=Decimal(3), to=Decimal(2))}
    planned = msgspec.structs.replace(
        world.plan("reduce_by", "a", quantity=1.0), caps=Caps(max_orders=0), aims=first_aim
    )  # fmt: skip
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    assert (world.receipt("a").status, world.venue.held[MNQ]) == (DONE, 2)


async def test_a_rehearsal_of_a_first_try_reaches_for_what_it_would_fix_and_puts_nothing_on_record() -> None:
    world = LaneWorld()
    planned = msgspec.structs.replace(world.plan("reduce_by", "a", quantity=1.0), caps=Caps(max_orders=0))
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    assert ("would touch 1 orders" in world.receipt("a").reason, world.receipt("a").aims) == (True, {})


async def test_caps_that_cap_nothing_cost_no_rehearsal() -> None:
    calls = []
    for caps in (None, Caps()):
        world = LaneWorld()
        async with world.lane():
            world.executor.accept([msgspec.structs.replace(world.plan("flatten", "a"), caps=caps)])
            await world.settle()
        calls.append(world.venue.calls)
    assert calls[0] == calls[1]


async def test_what_went_beyond_its_caps_names_the_incident_that_needs_consent() -> None:
    world = LaneWorld()
    planned = msgspec.structs.replace(
        world.plan("flatten", "a"), caps=Caps(max_orders=0), incidents=(IncidentId("loss/eval/1"),)
    )
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    assert "an operator's consent to 'loss/eval/1' lets it go on, once" in world.receipt("a").reason


async def test_an_action_that_has_nothing_to_run_needs_no_rehearsal() -> None:
    world = LaneWorld()
    planned = msgspec.structs.replace(world.plan("flatten", "a"), caps=Caps(max_orders=0))
    empty = Action(name="flatten", meaning="", handled_by=HandledBy.ENFORCE)
    desk = object()
    assert await capped_desk(empty, planned, desk, lambda symbol: None, Reach()) is desk  # type: ignore[arg-type]  # only handed on


async def test_an_order_that_only_reduces_is_no_entry_however_large_it_is() -> None:
    there = await FakeVenue(held={MNQ: Decimal(1)}).snapshot(EVAL)
    assert not is_entry(stop(reduce_only=True, quantity=9), there)
    assert is_entry(stop(quantity=9), there)
    assert not is_entry(stop(quantity=1), there)


@pytest.mark.parametrize(("held", "is_one"), [("0", True), ("-0.5", True), ("0.5", True), ("3", False), ("4", False)])
async def test_a_sale_is_an_entry_unless_as_much_is_held(held: str, *, is_one: bool) -> None:
    assert is_entry(stop(), await FakeVenue(held={MNQ: Decimal(held)}).snapshot(EVAL)) is is_one


async def test_a_small_order_that_adds_to_a_small_position_is_an_entry() -> None:
    there = await FakeVenue(held={MNQ: Decimal("-0.5")}).snapshot(EVAL)
    assert is_entry(msgspec.structs.replace(stop(), quantity=Decimal("0.25")), there)


async def test_both_desks_know_the_economics_of_an_instrument() -> None:
    seen = []

    async def look(desk: Desk) -> None:
        spec = desk.instrument(MNQ)
        seen.append((spec is not None and spec.symbol, desk.instrument(Symbol("WHAT"))))
        await desk.reduce(EVAL, MNQ, to=Decimal(2))

    assert (await run(look, Caps(max_positions=1))).status is DONE
    assert seen == [(MNQ, None), (MNQ, None)]
