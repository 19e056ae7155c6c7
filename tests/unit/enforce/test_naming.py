"""What a venue calls by another name than the set-up is held and traded under ours."""

from decimal import Decimal

import lane_world
import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue, LaneWorld

from haltline.api import AccountSnapshot, EventSink, Started
from haltline.enforce.naming import NamingBroker
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderRequest, OrderStatus, OrderType, Side

FRONT, NEXT = Symbol("MNQZ5"), Symbol("MNQH6")
SPEC = msgspec.structs.replace(lane_world.SPECS[MNQ], aliases=(FRONT, NEXT))
SPECS = {MNQ: SPEC, FRONT: SPEC, NEXT: SPEC, MES: lane_world.SPECS[MES]}
D = Decimal


@pytest.fixture(autouse=True)
def aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_world, "SPECS", SPECS)


async def carry_out(venue: FakeVenue, name: str, **params: float) -> LaneWorld:
    world = LaneWorld(venue=venue)
    async with world.lane():
        world.executor.accept([world.plan(name, "a", **params)])
        await world.settle()
    return world


@pytest.mark.parametrize(("name", "left"), [("close_position", 0), ("flatten", 0), ("reduce_to", 1)])
async def test_a_position_under_an_alias_is_closed_under_its_alias(name: str, left: int) -> None:
    venue = FakeVenue(held={FRONT: D(3)})
    venue.rest(FRONT, Side.BUY)
    world = await carry_out(venue, name, **({"quantity": 1.0} if left else {}))
    receipt = world.receipt("a")
    assert (receipt.status, venue.held, len(venue.orders)) == (OutcomeStatus.DONE, {FRONT: left}, 1 if left else 0)
    assert {order.symbol for order in venue.by_client.values()} == {FRONT}
    assert receipt.remaining is not None and set(receipt.remaining.positions) == ({MNQ} if left else set())


async def test_two_names_of_one_instrument_are_closed_one_after_the_other() -> None:
    venue = FakeVenue(held={MNQ: D(1), FRONT: D(3), NEXT: D(-2)})
    world = await carry_out(venue, "close_position")
    assert (world.receipt("a").status, set(venue.held.values())) == (OutcomeStatus.DONE, {D(0)})
    assert sorted(venue.closes) == [-3, -1, 2]


async def test_the_names_of_the_venue_stay_where_they_are_ours() -> None:
    venue = FakeVenue(held={MES: D(2), Symbol("ES"): D(1)})
    shown = await NamingBroker(venue, SPECS).snapshot(EVAL)
    assert shown == await venue.snapshot(EVAL)


async def test_an_order_is_sent_and_found_under_the_name_in_which_the_account_has_orders() -> None:
    venue = FakeVenue(rests=True)
    broker = NamingBroker(venue, SPECS)
    request = OrderRequest(
        account=EVAL, symbol=MNQ, side=Side.BUY, quantity=D(1), type=OrderType.MARKET, client_id="c"
    )  # fmt: skip
    assert (await broker.submit(request)).symbol == MNQ
    assert venue.by_client["c"].symbol == MNQ  # nothing is known of another name
    venue.rest(FRONT, Side.BUY)
    await broker.snapshot(EVAL)
    assert (await broker.submit(msgspec.structs.replace(request, client_id="d"))).symbol == MNQ
    assert venue.by_client["d"].symbol == FRONT
    found = await broker.find_order(EVAL, "d")
    assert found is not None and (found.symbol, found.status) == (MNQ, OrderStatus.WORKING)
    assert await broker.find_order(EVAL, "x") is None
    await broker.cancel(EVAL, OrderId(found.order_id))
    assert found.order_id not in venue.orders


class Fixed(FakeVenue):
    """One that lists what is not held any more."""

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        found = await super().snapshot(account)
        gone = msgspec.structs.replace(found.positions[0], symbol=MNQ, quantity=D(0))
        return msgspec.structs.replace(found, positions=(*found.positions, gone))

    async def run(self, sink: EventSink, started: Started) -> None:
        started()


async def test_a_position_of_nothing_under_our_name_hides_none_under_another() -> None:
    shown = await NamingBroker(Fixed(held={FRONT: D(3)}), SPECS).snapshot(EVAL)
    assert [(each.symbol, each.quantity) for each in shown.positions] == [(MNQ, 3), (MNQ, 0)]


async def test_its_connection_is_that_of_the_broker() -> None:
    begun: list[bool] = []
    await NamingBroker(Fixed(), SPECS).run(lambda event: None, lambda: begun.append(True))
    assert begun == [True]
