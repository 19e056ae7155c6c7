"""A cancel is over when the order is seen to work no more, and says meanwhile what is known of it."""

import pytest
from desk_world import ACTION, EVAL, MNQ, DeskVenue, DeskWorld, legs
from lane_world import MES

from haltline.enforce.legs import History
from haltline.enforce.precedence import Superseded
from haltline.errors import OutcomeUnknown, Transient
from haltline.journal.receipt import LegIntent, LegState
from haltline.model.id import ActionId
from haltline.model.order import OrderReport, Side
from haltline.model.plan import PlannedAction

STRONGER = PlannedAction(id=ActionId("flat"), at=1, name="flatten", account=EVAL)


def world_with_order(*, lists_ended: bool = False) -> tuple[DeskWorld, OrderReport]:
    world = DeskWorld(venue=DeskVenue(lists_ended=lists_ended))
    return world, world.venue.orders[world.venue.rest(MNQ, Side.BUY)]


async def test_an_order_that_is_still_listed_as_cancelled_works_no_more() -> None:
    world, order = world_with_order(lists_ended=True)
    await world.do(world.desk().cancel(EVAL, order))
    assert world.venue.calls.count("cancel") == 1


async def test_after_a_restart_an_order_that_is_listed_as_cancelled_was_cancelled() -> None:
    world, order = world_with_order(lists_ended=True)
    world.venue.end(order)
    leg = f"cancel {order.order_id}"
    intent = LegIntent(action=ACTION, leg=leg, account=EVAL, cancels=order.order_id)
    history = History(begun={leg: intent})
    await world.do(world.desk(history).recall())
    assert history.ended[leg].status == "cancelled"


async def test_a_cancel_in_doubt_is_shown_as_unknown_with_what_went_wrong() -> None:
    world, order = world_with_order()
    world.venue.script["cancel", "before"] = [OutcomeUnknown("reset")]
    await world.do(world.desk().cancel(EVAL, order))
    assert world.shown == [
        (LegState.PLANNED, ""), (LegState.SENT, ""), (LegState.UNKNOWN, "reset"), (LegState.DONE, "")
    ]  # fmt: skip


async def test_a_cancel_that_did_not_arrive_is_planned_again_and_says_why() -> None:
    world, order = world_with_order()
    world.venue.script["cancel", "before"] = [Transient("down")]
    await world.do(world.desk().cancel(EVAL, order))
    assert world.shown[2:] == [(LegState.PLANNED, "down"), (LegState.DONE, "")]


async def test_a_cancel_that_may_have_arrived_and_is_not_seen_to_take_effect_ends_as_unknown() -> None:
    world, order = world_with_order()
    world.venue.script["cancel", "before"] = [OutcomeUnknown("reset"), *[Transient("down")] * 500]
    with pytest.raises(OutcomeUnknown, match=r"^not confirmed within 30s \(reset\)$"):
        await world.do(world.desk().cancel(EVAL, order))


async def test_a_doubt_that_is_over_does_not_make_the_next_failure_unknown() -> None:
    world, order = world_with_order()
    other = world.venue.orders[world.venue.rest(MES, Side.BUY)]
    world.venue.script["cancel", "after"] = [OutcomeUnknown("reset")]
    desk = world.desk()
    await world.do(desk.cancel(EVAL, order))
    world.venue.script["cancel", "before"] = [Transient("down")] * 500
    with pytest.raises(Transient, match=r"\(down\)$"):
        await world.do(desk.cancel(EVAL, other))


async def test_a_cancel_that_waits_is_not_sent_again_once_it_must_give_way() -> None:
    world, order = world_with_order()
    world.venue.script["cancel", "before"] = [Transient("down")]
    desk = world.desk()
    with pytest.raises(Superseded):
        await world.do(desk.cancel(EVAL, order), on_step=lambda: desk.make_way(STRONGER))
    assert world.venue.calls.count("cancel") == 1


async def test_whoever_must_give_way_puts_nothing_on_record() -> None:
    world, order = world_with_order()
    desk = world.desk()
    desk.make_way(STRONGER)
    with pytest.raises(Superseded):
        await desk.cancel(EVAL, order)
    assert (legs(desk), list(world.journal.iterate())) == ([], [])
