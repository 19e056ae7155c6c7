"""Stops that a desk places and moves: one for the whole position, under an id of its own, and none that outlives it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from desk_world import ACTION, EVAL, MES, MNQ, DeskVenue, DeskWorld, before, legs, order_of, stop_of

from haltline.enforce.desk import ActionDesk
from haltline.enforce.ledger import client_id
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.id import OrderId
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side

D = Decimal
PRICE = D(20_900)
MOVED = "stop MNQ at 20900"
type Work = Callable[[DeskWorld, ActionDesk], Awaitable[ActionDesk]]


async def place(world: DeskWorld, desk: ActionDesk | None = None) -> ActionDesk:
    """A stop 100 away from the mark."""
    desk = desk or world.desk()
    await world.do(desk.place_stop(EVAL, MNQ, distance=D(100)))
    return desk


async def move(world: DeskWorld, desk: ActionDesk | None = None) -> ActionDesk:
    """A stop at 20,900."""
    desk = desk or world.desk()
    await world.do(desk.move_stop(EVAL, MNQ, price=PRICE))
    return desk


STOPS = [(place, "stop MNQ"), (move, MOVED)]


def ours(*names: str) -> list[str]:
    """The ids of these legs."""
    return [client_id(ACTION, name) for name in names]


def after_submit(world: DeskWorld, *sizes: int) -> None:
    """Somebody trades: after each of our first orders the position has that size."""

    def trade(verb: str) -> None:
        if verb == "snapshot" and 0 < len(world.venue.sent) <= len(sizes):
            world.venue.held[MNQ] = D(sizes[len(world.venue.sent) - 1])

    world.on_call(trade)


@pytest.mark.parametrize(("held", "stop", "side"), [(1, 20_899, Side.SELL), (-1, 21_099, Side.BUY)])
async def test_a_stop_of_a_single_lot_stands_on_its_losing_side(held: int, stop: int, side: Side) -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(held)}))
    desk = await place(world)
    assert [(request.stop_price, request.side) for request in world.venue.sent] == [(stop, side)]
    assert legs(desk) == ["stop MNQ"]


async def test_without_a_position_no_stop_is_sent() -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(0)}))
    await place(world)
    assert world.venue.sent == []


@pytest.mark.parametrize("first", [MNQ, MES])
async def test_without_a_mark_the_average_price_of_its_own_position_counts(first: str) -> None:
    held = {MNQ: D(3), MES: D(2)} if first == MNQ else {MES: D(2), MNQ: D(3)}
    world = DeskWorld(venue=DeskVenue(held=held, averages={MNQ: D(20_000), MES: D(5_000)}), mark=None)
    await place(world)
    assert [request.stop_price for request in world.venue.sent] == [19_900]


async def test_a_stop_that_covers_too_little_is_followed_by_one_under_another_id_and_then_cancelled() -> None:
    world = DeskWorld()
    entry, others_stop = world.venue.rest(MNQ, Side.BUY), world.venue.rest(MNQ, Side.SELL, stop=True)
    after_submit(world, 5)
    desk = await place(world)
    assert legs(desk)[:2] == ["stop MNQ", "stop MNQ 1"]
    assert [request.client_id for request in world.venue.sent] == ours("stop MNQ", "stop MNQ 1")
    assert world.venue.working() == {entry: 1, others_stop: 1, ours("stop MNQ 1")[0]: 5}


async def test_a_stop_that_has_ended_and_is_still_listed_is_not_cancelled() -> None:
    world = DeskWorld()
    after_submit(world, 5)

    def end(verb: str) -> None:
        for report in [each for each in world.venue.orders.values() if each.quantity == 3 and each.status.is_working]:
            world.venue.end(report)

    world.on_call(end)
    await place(world)
    assert world.venue.working() == {ours("stop MNQ 1")[0]: 5}
    assert world.venue.calls.count("cancel") == 0


async def test_a_stop_that_covers_all_again_is_not_cancelled() -> None:
    """The position grew, and was back at its size when the second stop was refused."""
    world = DeskWorld()
    after_submit(world, 5)

    def shrink(verb: str) -> None:
        if verb == "submit" and len(world.venue.sent) == 2:
            world.venue.held[MNQ] = D(3)
            raise Refused("the size is not that of the position")

    world.on_call(shrink)
    await place(world)
    assert world.venue.working() == {ours("stop MNQ")[0]: 3}


async def test_a_stop_that_is_refused_while_somebody_trades_is_followed_by_one_under_the_next_id() -> None:
    world = DeskWorld()

    def grow(verb: str) -> None:
        if verb == "submit" and world.venue.held[MNQ] == 3:
            world.venue.held[MNQ] = D(5)
            raise Refused("the size is not that of the position")

    world.on_call(grow)
    assert legs(await place(world)) == ["stop MNQ", "stop MNQ 1"]
    assert world.venue.working() == {ours("stop MNQ 1")[0]: 5}


@pytest.mark.parametrize("work", [place, move])
async def test_a_stop_leaves_what_else_its_action_has_asked_for(work: Work) -> None:
    """A plugin's action, say, that cancels an entry, closes a part, and protects the rest."""
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3)}, rests=True))
    desk = world.desk(before(("reduce MNQ 0", order_of("reduce MNQ 0"))))
    await world.venue.submit(order_of("reduce MNQ 0"))
    await world.do(desk.cancel(EVAL, world.venue.orders[world.venue.rest(MNQ, Side.BUY)]))
    await work(world, desk)
    assert list(world.venue.working()) == [*ours("reduce MNQ 0"), *(each.client_id for each in world.venue.sent[1:])]
    assert len(world.venue.sent) == 2


@pytest.mark.parametrize(("work", "name"), STOPS)
async def test_after_a_restart_a_stop_of_ours_that_was_outgrown_is_cancelled(work: Work, name: str) -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(5)}))
    names = [name, f"{name} 1"]
    orders = [stop_of(names[0], 3, 20_900), stop_of(names[1], 5, 20_900)]
    for order in orders:
        await world.venue.submit(order)
    await work(world, world.desk(before(*zip(names, orders, strict=True))))
    assert world.venue.working() == {ours(names[1])[0]: 5}


@pytest.mark.parametrize("work", [place, move])
async def test_a_stop_whose_position_is_gone_before_it_is_confirmed_is_cancelled(work: Work) -> None:
    """Not every venue lets a stop only reduce: left behind, it would open a position."""
    world = DeskWorld()
    others_stop = world.venue.rest(MNQ, Side.SELL, stop=True)
    after_submit(world, 0)
    await work(world, world.desk())
    assert world.venue.working() == {others_stop: 1}


async def test_a_stop_for_one_symbol_leaves_ours_for_another() -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3), MES: D(2)}))
    desk = world.desk()
    await world.do(desk.place_stop(EVAL, MES, distance=D(100)))
    await place(world, desk)
    assert world.venue.working() == {ours("stop MES")[0]: 2, ours("stop MNQ")[0]: 3}


@pytest.mark.parametrize(("work", "name"), STOPS)
async def test_after_a_restart_a_stop_that_works_and_is_not_listed_yet_is_waited_for(work: Work, name: str) -> None:
    world = DeskWorld()
    order = stop_of(name, price=20_900)
    report = await world.venue.submit(order)
    world.venue.hidden.add(report.order_id)
    world.on_call(lambda verb: world.venue.hidden.clear() if world.venue.calls.count("snapshot") > 3 else None)
    await work(world, world.desk(before((name, order))))
    assert world.venue.sent == [order]


@pytest.mark.parametrize(("work", "name"), STOPS)
async def test_a_stop_that_the_venue_does_not_find_is_asked_for_under_its_id_again(work: Work, name: str) -> None:
    """It may be on its way still: under another id there would be two."""
    world = DeskWorld()
    await work(world, world.desk(before((name, stop_of(name)))))
    assert [request.client_id for request in world.venue.sent] == ours(name)


@pytest.mark.parametrize(("work", "name"), STOPS)
async def test_a_stop_that_was_refused_is_not_asked_for_again(work: Work, name: str) -> None:
    world = DeskWorld()
    await work(world, world.desk(before((name, stop_of(name)), ended="refused")))
    assert [request.client_id for request in world.venue.sent] == ours(f"{name} 1")
    assert "find_order" not in world.venue.calls


@pytest.mark.parametrize("work", [place, move])
async def test_a_stop_that_was_in_doubt_and_works_leaves_no_doubt(work: Work) -> None:
    world = DeskWorld()
    entry = world.venue.orders[world.venue.rest(MES, Side.BUY)]
    world.venue.script["submit", "after"] = [OutcomeUnknown("reset")]
    world.on_call(lambda verb: world.venue.by_client.clear() if verb == "find_order" else None)
    desk = world.desk()
    await work(world, desk)
    world.venue.script["cancel", "before"] = [Transient("down")] * 500
    with pytest.raises(Transient, match=r"\(down\)$"):
        await world.do(desk.cancel(EVAL, entry))


async def test_a_moved_stop_that_is_outgrown_is_followed_by_one_under_another_id() -> None:
    world = DeskWorld()
    after_submit(world, 5)
    desk = await move(world)
    assert legs(desk)[:2] == [MOVED, f"{MOVED} 1"]
    assert [request.client_id for request in world.venue.sent] == ours(MOVED, f"{MOVED} 1")
    assert world.venue.working() == {ours(f"{MOVED} 1")[0]: 5}


@pytest.mark.parametrize(("work", "name"), STOPS)
async def test_stops_that_do_not_stay_are_placed_anew_at_once_and_given_up_after_five(work: Work, name: str) -> None:
    world = DeskWorld()

    def end(verb: str) -> None:
        for report in list(world.venue.orders.values()):
            if report.status.is_working:
                world.venue.end(report)

    world.on_call(end)
    desk = world.desk()
    with pytest.raises(Transient, match=r"^no stop stays in place after 5 orders$"):
        await work(world, desk)
    assert legs(desk) == [name, *(f"{name} {number}" for number in range(1, 5))]
    assert [request.client_id for request in world.venue.sent] == ours(*legs(desk))
    assert world.times("submit")[1] == 0


async def test_a_position_that_was_closed_for_its_stop_and_is_opened_again_is_left_alone() -> None:
    world = DeskWorld(mark=20_000.0)
    world.venue.script["submit", "before"] = [Refused("it would trigger at once")]

    def open_again(verb: str) -> None:
        if verb == "snapshot" and world.venue.calls.count("snapshot") == 5:  # the fourth shows that it is closed
            world.venue.held[MNQ] = D(2)

    world.on_call(open_again)
    desk = await move(world)
    assert legs(desk) == [MOVED, "reduce MNQ 0"]
    assert [request.type for request in world.venue.sent] == [OrderType.STOP, OrderType.MARKET]


async def test_a_looser_stop_that_is_listed_again_after_its_cancel_is_not_cancelled_for_ever() -> None:
    world = DeskWorld()
    old = OrderReport(
        account=EVAL, order_id=OrderId("old"), symbol=MNQ, side=Side.SELL, quantity=D(3), type=OrderType.STOP,
        status=OrderStatus.WORKING, stop_price=D(20_500),
    )  # fmt: skip
    world.venue.orders[old.order_id] = old

    lists: list[str] = []

    def flicker(verb: str) -> None:
        """Every other list is one of before the cancel."""
        if verb == "snapshot" and "cancel" in world.venue.calls:
            lists.append(verb)
            world.venue.orders.pop(old.order_id, None)
            if len(lists) % 2 == 0:
                world.venue.orders[old.order_id] = old

    world.on_call(flicker)
    await move(world)
    assert world.venue.calls.count("cancel") == 1
