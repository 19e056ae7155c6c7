"""A try that failed may have left an order: the next one looks for it before it sizes its own."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MNQ, FakeVenue, LaneWorld

from haltline.clock import NS_PER_S
from haltline.enforce.legs import History
from haltline.errors import Refused, Transient
from haltline.journal.receipt import LegIntent, Receipt
from haltline.journal.record import RecordKind, entry_of
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, ActionId, OrderId
from haltline.model.order import OrderRequest, OrderStatus, OrderType, Side

D = Decimal


class HaltedVenue(FakeVenue):
    """Orders at the market rest, and cancels of them refused where it is `stubborn`, without effect if `is_deaf`."""

    stubborn = False
    is_deaf = False

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        if self.stubborn:
            raise Refused("not while the market is halted")
        if self.is_deaf:
            return
        await super().cancel(account, order_id)
        for client, report in self.by_client.items():
            if report.order_id == order_id:
                self.by_client[client] = msgspec.structs.replace(report, status=OrderStatus.CANCELLED)


@pytest.fixture
def halted() -> LaneWorld:
    return LaneWorld(venue=HaltedVenue(held={MNQ: D(10)}, rests=True))


async def carry_out(
    made: LaneWorld, name: str, key: str, earlier: Sequence[OrderRequest] = (), **params: float
) -> Receipt:
    async with made.lane():
        planned = msgspec.structs.replace(made.plan(name, key, MNQ, **params), earlier=tuple(earlier))
        made.executor.accept([planned])
        await made.settle()
    return made.receipt(key)


async def test_what_a_failed_try_left_working_is_told(halted: LaneWorld) -> None:
    receipt = await carry_out(halted, "reduce_to", "r", quantity=5)
    (left,) = receipt.unsettled
    assert (receipt.status, left.symbol, left.quantity) == (OutcomeStatus.FAILED, MNQ, 5)
    assert halted.outcomes[-1].unsettled == receipt.unsettled


async def test_an_order_of_an_earlier_try_is_cancelled_before_another_is_sized(halted: LaneWorld) -> None:
    first = await carry_out(halted, "reduce_to", "r", quantity=5)
    second = await carry_out(halted, "reduce_to", "r~1", first.unsettled, quantity=5)
    assert [order.status for order in halted.venue.by_client.values()] == [OrderStatus.CANCELLED, OrderStatus.WORKING]
    assert [each.client_id for each in second.unsettled] == list(halted.venue.by_client)[1:]
    halted.venue.fill(second.unsettled[0].client_id)
    assert halted.venue.held == {MNQ: D(5)}


async def test_a_reduction_waits_for_an_order_that_cannot_be_cancelled_and_never_takes_off_more(
    halted: LaneWorld,
) -> None:
    first = await carry_out(halted, "reduce_to", "r", quantity=5)
    HaltedVenue.stubborn = True
    try:
        second = await carry_out(halted, "reduce_to", "r~1", first.unsettled, quantity=5)
    finally:
        HaltedVenue.stubborn = False
    assert (len(halted.venue.by_client), second.unsettled) == (1, first.unsettled)
    halted.venue.fill(first.unsettled[0].client_id)
    third = await carry_out(halted, "reduce_to", "r~2", second.unsettled, quantity=5)
    assert (third.status, third.unsettled, halted.venue.held) == (OutcomeStatus.DONE, (), {MNQ: D(5)})
    assert len(halted.venue.by_client) == 1


@pytest.mark.parametrize("name", ["flatten", "close_position"])
async def test_a_close_goes_on_beside_an_order_that_cannot_be_cancelled(halted: LaneWorld, name: str) -> None:
    first = await carry_out(halted, name, "c")
    halted.venue.rests = False
    HaltedVenue.stubborn = True
    try:
        await carry_out(halted, name, "c~1", first.unsettled)
    finally:
        HaltedVenue.stubborn = False
    assert halted.venue.held == {MNQ: D(0)}
    assert len(halted.venue.by_client) == 2


async def test_an_order_that_is_not_to_be_found_gives_its_id_to_the_next_one(halted: LaneWorld) -> None:
    halted.venue.rests = False
    halted.venue.script["submit", "before"] = [Transient("reset")] * 100
    first = await carry_out(halted, "reduce_to", "r", quantity=5)
    (lost,) = first.unsettled
    halted.venue.script.clear()
    second = await carry_out(halted, "reduce_to", "r~1", first.unsettled, quantity=5)
    assert (second.status, second.unsettled) == (OutcomeStatus.DONE, ())
    assert (list(halted.venue.by_client), halted.venue.held) == ([lost.client_id], {MNQ: D(5)})


async def test_an_order_of_an_earlier_try_that_filled_meanwhile_is_not_sent_again(halted: LaneWorld) -> None:
    first = await carry_out(halted, "reduce_to", "r", quantity=5)
    halted.venue.fill(first.unsettled[0].client_id)
    second = await carry_out(halted, "reduce_to", "r~1", first.unsettled, quantity=5)
    assert (second.status, len(halted.venue.by_client), halted.venue.held) == (OutcomeStatus.DONE, 1, {MNQ: D(5)})
    assert "cancel" not in halted.venue.calls


@pytest.mark.parametrize("name", ["flatten", "close_position"])
async def test_an_order_that_takes_no_cancel_has_its_share_of_the_time_and_the_close_all_the_rest(
    halted: LaneWorld, name: str
) -> None:
    first = await carry_out(halted, name, "c")
    halted.venue.rests, began, sent = False, halted.clock.now(), list[float]()

    def note(verb: str) -> None:
        if verb == "submit":
            sent.append((halted.clock.now() - began) / NS_PER_S)

    halted.venue.on_call = note
    halted.venue.script["submit", "before"] = [Transient("down")] * 7
    HaltedVenue.is_deaf = True
    try:
        await carry_out(halted, name, "c~1", first.unsettled)
    finally:
        HaltedVenue.is_deaf = False
    assert 2.0 <= sent[0] <= 2.5
    assert sent[-1] - sent[0] > 2.5
    assert len(sent) == 8
    assert halted.venue.held == {MNQ: D(0)}


async def test_a_cancel_of_an_earlier_order_is_tried_again_before_another_is_sized(halted: LaneWorld) -> None:
    first = await carry_out(halted, "reduce_to", "r", quantity=5)
    halted.venue.rests = False
    halted.venue.script["cancel", "before"] = [Transient("down")] * 3
    second = await carry_out(halted, "reduce_to", "r~1", first.unsettled, quantity=5)
    assert [order.status for order in halted.venue.by_client.values()] == [OrderStatus.CANCELLED, OrderStatus.FILLED]
    assert (second.status, halted.venue.held) == (OutcomeStatus.DONE, {MNQ: D(5)})


async def test_while_the_broker_cannot_be_asked_what_is_left_is_handed_on(halted: LaneWorld) -> None:
    first = await carry_out(halted, "reduce_to", "r", quantity=5)
    halted.venue.script["find_order", "before"] = [Transient("away")] * 100
    second = await carry_out(halted, "reduce_to", "r~1", first.unsettled, quantity=5)
    assert (second.status, second.unsettled) == (OutcomeStatus.FAILED, first.unsettled)


async def test_a_try_that_is_cut_off_knows_it_in_its_next_life(halted: LaneWorld) -> None:
    first = await carry_out(halted, "reduce_to", "r", quantity=5)
    planned = msgspec.structs.replace(halted.plan("reduce_to", "r~1", MNQ, quantity=5), earlier=first.unsettled)
    halted.journal.append([entry_of(RecordKind.PLAN, 1, planned)])
    again = halted.again()
    async with again.lane():
        await again.settle()
    assert [order.status for order in halted.venue.by_client.values()] == [OrderStatus.CANCELLED, OrderStatus.WORKING]


def test_only_orders_at_the_market_are_left_there() -> None:
    def order(client: str, kind: OrderType) -> OrderRequest:
        return OrderRequest(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=D(1), type=kind, client_id=client)

    begun = {
        kind.value: LegIntent(action=ActionId("a"), leg=kind.value, account=EVAL, order=order(kind.value, kind))
        for kind in (OrderType.MARKET, OrderType.STOP)
    }
    own = order("market", OrderType.MARKET)
    other = order("other", OrderType.MARKET)
    history = History(begun=begun, earlier={"market": own, "other": other, "stop2": order("stop2", OrderType.STOP)})
    assert history.left_at_the_market() == (own, other)
