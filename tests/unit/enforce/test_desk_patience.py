"""How long a desk waits before it asks again, what it says when its time is up, and which answer still counts."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from desk_world import EVAL, MES, MNQ, DeskVenue, DeskWorld

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S
from haltline.enforce.desk import ActionDesk
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.id import AccountId
from haltline.model.order import Side

D = Decimal
OTHER = AccountId("other")
DOUBLING = [0, 50, 150, 350, 750]
type Verb = Callable[[ActionDesk, DeskWorld], Awaitable[object]]


async def close(desk: ActionDesk, world: DeskWorld) -> None:
    await desk.reduce(EVAL, MNQ, to=D(0))


async def place(desk: ActionDesk, world: DeskWorld) -> None:
    await desk.place_stop(EVAL, MNQ, distance=D(100))


async def move(desk: ActionDesk, world: DeskWorld) -> None:
    await desk.move_stop(EVAL, MNQ, price=D(20_900))


async def cancel(desk: ActionDesk, world: DeskWorld) -> None:
    await desk.cancel(EVAL, world.venue.orders[world.venue.rest(MES, Side.BUY)])


async def look(desk: ActionDesk, world: DeskWorld) -> None:
    await desk.snapshot(EVAL)


@pytest.mark.parametrize(
    ("work", "verb"), [(close, "submit"), (place, "submit"), (move, "submit"), (cancel, "cancel"), (look, "snapshot")]
)
async def test_what_does_not_arrive_is_repeated_after_pauses_that_double(work: Verb, verb: str) -> None:
    world = DeskWorld()
    world.venue.script[verb, "before"] = [Transient("down")] * 4
    await world.do(work(world.desk(), world))
    assert world.times(verb) == DOUBLING


async def test_the_next_order_and_the_look_at_it_begin_with_the_shortest_pause() -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3)}, rests=True))
    world.venue.script["submit", "before"] = [Transient("down"), Transient("down")]

    def trade(verb: str) -> None:
        if verb == "submit" and len(world.venue.sent) == 2:
            world.venue.held[MNQ] = D(4)
            raise Refused("another size by now")
        if verb == "snapshot" and world.venue.calls.count("find_order") == 3:
            world.venue.fill(world.venue.sent[-1].client_id)

    world.on_call(trade)
    await world.do(close(world.desk(), world))
    assert world.times("submit") == [0, 50, 50, 100]
    assert world.times("find_order")[:3] == [100, 150, 250]


@pytest.mark.parametrize("work", [place, move])
async def test_a_stop_that_is_not_listed_is_looked_for_at_once_and_then_after_pauses(work: Verb) -> None:
    world = DeskWorld()

    def hide(verb: str) -> None:
        world.venue.hidden = set(world.venue.orders) if world.venue.calls.count("snapshot") < 5 else set()

    world.on_call(hide)
    await world.do(work(world.desk(), world))
    assert world.times("snapshot")[:5] == [0, 0, 100, 300, 700]


async def test_a_pause_that_the_broker_asked_for_is_not_cut_short_by_a_failure_that_asks_for_none() -> None:
    world = DeskWorld()
    world.venue.script["cancel", "before"] = [Transient("slow down", retry_after_s=2.0)]
    world.venue.script["snapshot", "before"] = [Transient("down")]
    desk = world.desk()
    await world.do(cancel(desk, world))
    assert world.times("snapshot")[:2] == [0, 2_000]


async def test_a_pause_of_less_than_a_second_is_honoured() -> None:
    world = DeskWorld()
    world.venue.script["snapshot", "before"] = [Transient("slow down", retry_after_s=0.5)]
    await world.do(look(world.desk(), world))
    assert world.times("snapshot") == [0, 500]


async def test_when_to_come_back_is_told_until_that_instant() -> None:
    world = DeskWorld()
    desk = world.desk()
    told: list[int | None] = [desk.come_back_at]
    world.venue.script["snapshot", "before"] = [Transient("slow down", retry_after_s=2.0)]
    world.on_call(lambda verb: told.append(desk.come_back_at))
    await world.do(desk.snapshot(EVAL), on_step=lambda: told.append(desk.come_back_at))
    assert told == [None, None, 3 * NS_PER_S, None]


@pytest.mark.parametrize(
    ("faults", "text"),
    [
        ({"submit": [Transient("no route")] * 500}, r"^not confirmed within 30s \(no route\)$"),
        ({"snapshot": [Transient("no route")] * 500}, r"^not confirmed within 30s \(no route\)$"),
        ({"snapshot": [TimeoutError()] * 500}, r"^not confirmed within 30s \(the broker did not answer in time\)$"),
        ({"snapshot": [Transient("no route")]}, r"^not confirmed within 30s$"),
    ],
    ids=["never arrives", "no answer", "silence", "got over"],
)
async def test_an_action_whose_time_is_up_says_what_was_in_the_way(
    faults: dict[str, list[Exception]], text: str
) -> None:
    world = DeskWorld(venue=DeskVenue(held={MNQ: D(3)}, rests=True))
    for verb, errors in faults.items():
        world.venue.script[verb, "before"] = list(errors)
    with pytest.raises(Transient, match=text):
        await world.do(close(world.desk(), world))


async def test_what_stays_in_doubt_is_told_with_the_cause_of_the_doubt() -> None:
    world = DeskWorld()
    world.venue.script["submit", "before"] = [OutcomeUnknown("reset")]
    world.venue.script["find_order", "before"] = [Transient("down")] * 500
    with pytest.raises(OutcomeUnknown, match=r"\(reset\)$"):
        await world.do(close(world.desk(), world))


async def test_what_was_seen_of_another_account_proves_nothing_of_this_one() -> None:
    world = DeskWorld()
    asked: list[AccountId] = []
    snapshot = world.venue.snapshot

    async def noted(account: AccountId) -> AccountSnapshot:
        asked.append(account)
        return await snapshot(account)

    world.venue.snapshot = noted  # type: ignore[method-assign]  # a spy
    desk = world.desk()
    await desk.newest(EVAL)
    await desk.newest(OTHER)
    await desk.newest(OTHER)
    assert asked == [EVAL, OTHER]
