"""A position comes down by one order at a time, each under an id of its own, and never by more than was asked for."""

from decimal import Decimal

import msgspec
import pytest
from desk_world import ACTION, EVAL, MES, MNQ, DeskVenue, DeskWorld, before, legs, order_of

from haltline.clock import NS_PER_S
from haltline.enforce.budget import Budget
from haltline.enforce.ledger import client_id
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.journal.receipt import LegState
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, Side

D = Decimal
THREE_ORDERS = Budget(orders=3, grace_s=0.0, call_s=5.0)


def resting(world: DeskWorld, leg: str, *, filled: bool = False) -> None:
    """An order of a former life, as the venue has it; somebody has opened anew since it filled."""
    world.venue.rests, rests = True, world.venue.rests
    report = world.venue._take(order_of(leg))
    world.venue.rests = rests
    if filled:
        world.venue.end(report, OrderStatus.FILLED, 3)
        del world.venue.orders[report.order_id]


@pytest.mark.parametrize("count", [1, 2])
async def test_after_a_restart_the_last_order_is_waited_for_while_it_works(count: int) -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3)}, rests=True))
    names = [f"reduce MNQ {number}" for number in range(count)]
    for name in names:
        resting(world, name, filled=name != names[-1])

    def fill(verb: str) -> None:
        if world.venue.calls.count("find_order") == 3 and world.venue.held[MNQ]:
            world.venue.fill(client_id(ACTION, names[-1]))

    world.on_call(fill)
    desk = world.desk(before(*((name, order_of(name)) for name in names)))
    await world.do(desk.reduce(EVAL, MNQ, to=D(0)))
    assert (world.venue.sent, world.venue.held[MNQ]) == ([], 0)


async def test_after_a_restart_the_next_order_has_the_next_number() -> None:
    world = DeskWorld()
    resting(world, "reduce MNQ 0", filled=True)
    desk = world.desk(before(("reduce MNQ 0", order_of("reduce MNQ 0"))))
    await world.do(desk.reduce(EVAL, MNQ, to=D(0)))
    assert legs(desk) == ["reduce MNQ 0", "reduce MNQ 1"]


async def test_after_a_restart_an_order_that_was_cut_off_keeps_the_id_it_was_put_on_record_with() -> None:
    world = DeskWorld()
    taken_over = msgspec.structs.replace(order_of("reduce MNQ 0"), client_id="of somebody who gave way")
    desk = world.desk(before(("reduce MNQ 0", taken_over), ended=""))
    await world.do(desk.reduce(EVAL, MNQ, to=D(0)))
    assert [request.client_id for request in world.venue.sent] == ["of somebody who gave way"]


async def test_orders_that_take_nothing_off_are_given_up_after_so_many() -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3)}, rests=True), budget=THREE_ORDERS)

    def end(verb: str) -> None:
        for report in [each for each in world.venue.orders.values() if each.status.is_working]:
            world.venue.end(report)

    world.on_call(end)
    desk = world.desk()
    with pytest.raises(Transient, match=r"^MNQ is still \+3 after 3 orders$"):
        await world.do(desk.reduce(EVAL, MNQ, to=D(0)))
    assert [request.client_id for request in world.venue.sent] == [client_id(ACTION, name) for name in legs(desk)]
    assert legs(desk) == ["reduce MNQ 0", "reduce MNQ 1", "reduce MNQ 2"]


async def test_orders_that_are_refused_while_somebody_trades_are_given_up_after_so_many() -> None:
    world = DeskWorld(budget=THREE_ORDERS)

    def trade(verb: str) -> None:
        if verb == "submit":
            world.venue.held[MNQ] += 1
            raise Refused("another size by now")

    world.on_call(trade)
    desk = world.desk()
    with pytest.raises(Transient, match=r"^MNQ is still \+6 after 3 orders$"):
        await world.do(desk.reduce(EVAL, MNQ, to=D(0)))
    assert [request.quantity for request in world.venue.sent] == [3, 4, 5]
    assert legs(desk) == ["reduce MNQ 0", "reduce MNQ 1", "reduce MNQ 2"]


async def test_what_an_order_has_done_is_shown_while_it_is_waited_for() -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3)}, rests=True))

    def fill(verb: str) -> None:
        if verb == "find_order":
            world.venue.fill(client_id(ACTION, "reduce MNQ 0"))
            world.venue.held[MNQ] = D(3 if world.venue.calls.count("find_order") < 3 else 0)

    world.on_call(fill)
    desk = world.desk()
    await world.do(desk.reduce(EVAL, MNQ, to=D(0)))
    assert desk.book.legs[0].state is LegState.FILLED


async def test_what_is_left_of_an_order_that_ended_half_filled_is_sent_at_once() -> None:
    world = DeskWorld()
    take = world.venue._take

    def part(request: OrderRequest) -> OrderReport:
        if len(world.venue.sent) > 1:
            return take(request)
        report = world.venue.end(take(request), OrderStatus.CANCELLED, 1)
        world.venue.held[MNQ] = D(2)
        return report

    world.venue._take = part  # type: ignore[method-assign]  # the venue fills one of three and cancels the rest
    await world.do(world.desk().reduce(EVAL, MNQ, to=D(0)))
    assert [request.quantity for request in world.venue.sent] == [3, 2]
    assert world.times("submit") == [0, 0]


async def test_a_fill_that_the_position_never_shows_is_believed_for_three_seconds() -> None:
    world = DeskWorld()
    take = world.venue._take

    def lag(request: OrderRequest) -> OrderReport:
        report = take(request)
        world.venue.held[MNQ] = D(3 if len(world.venue.sent) == 1 else 0)
        return report

    world.venue._take = lag  # type: ignore[method-assign]  # the first fill is undone, or never was
    await world.do(world.desk().reduce(EVAL, MNQ, to=D(0)))
    first, second = world.times("submit")
    assert first == 0
    assert 3_000 <= second < 5_000


async def test_an_order_in_doubt_that_is_found_to_work_leaves_no_doubt() -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3)}, rests=True))
    world.venue.script["submit", "after"] = [OutcomeUnknown("reset")]
    with pytest.raises(Transient, match=r"^not confirmed within 30s$"):
        await world.do(world.desk().reduce(EVAL, MNQ, to=D(0)))


async def test_a_position_that_is_seen_to_be_down_leaves_no_doubt() -> None:
    world = DeskWorld()
    order = world.venue.orders[world.venue.rest(MES, Side.BUY)]
    world.venue.script["submit", "after"] = [OutcomeUnknown("reset")]
    world.on_call(lambda verb: world.venue.by_client.clear() if verb == "find_order" else None)
    desk = world.desk()
    await world.do(desk.reduce(EVAL, MNQ, to=D(0)))
    world.venue.script["cancel", "before"] = [Transient("down")] * 500
    with pytest.raises(Transient, match=r"\(down\)$"):
        await world.do(desk.cancel(EVAL, order))


@pytest.mark.parametrize(("held", "known"), [("3", False), ("1", True)])
async def test_a_refusal_of_whole_lots_or_of_what_nobody_describes_is_told_as_it_is(held: str, known: bool) -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(held)}))
    world.instruments = world.instruments if known else {}
    world.venue.script["submit", "before"] = [Refused("price band")]
    with pytest.raises(Refused, match=r"^price band$"):
        await world.do(world.desk().reduce(EVAL, MNQ, to=D(0)))


async def test_without_a_mark_of_the_decision_the_one_in_force_counts() -> None:
    world = DeskWorld()
    desk = world.desk()
    await world.do(desk.reduce(EVAL, MNQ, to=D(0)))
    assert desk.book.legs[0].mark == D("20999.0")


@pytest.mark.parametrize("fault", [None, Transient("down")])
async def test_the_last_word_on_an_order_is_left_out_where_the_venue_has_none(fault: Exception | None) -> None:
    """Of two orders that work, the first is unknown to the venue, or cannot be asked for."""
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3)}, rests=True))
    names = ["reduce MNQ 0", "reduce MNQ 1"]
    desk = world.desk(before(*((name, order_of(name)) for name in names)))
    world.venue._take(order_of(names[1]))
    world.venue.fill(client_id(ACTION, names[1]))
    world.venue.script["find_order", "before"] = [fault]
    await world.do(desk.settle())
    seen = [leg.state for leg in desk.book.legs]
    assert seen == [LegState.ACKNOWLEDGED, LegState.FILLED if fault is None else LegState.ACKNOWLEDGED]


async def test_after_a_restart_nobody_asks_for_what_has_ended() -> None:
    world = DeskWorld()
    await world.do(world.desk(before(("reduce MNQ 0", order_of("reduce MNQ 0")))).recall())
    assert (world.venue.calls, world.clock.now()) == ([], NS_PER_S)
