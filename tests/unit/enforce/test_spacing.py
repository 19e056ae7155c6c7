"""Orders for one symbol: the first ones at once, more of them apart, so that nobody uses up the calls by opening."""

from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue

from haltline.api import BrokerCall, RateLimit
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.rate import ActingBroker, RateBudget
from haltline.enforce.spacing import APART_NS, AT_ONCE, Spacing
from haltline.errors import OutcomeUnknown, Transient
from haltline.model.order import OrderRequest, OrderType, Side


class Actor:
    """A venue that takes so many calls a minute, and somebody who opens again each time."""

    def __init__(self, calls: int = 11) -> None:
        self.clock = ManualClock(NS_PER_S)
        self.venue = FakeVenue(held={MNQ: Decimal(9), MES: Decimal(9)})
        limit = RateLimit(calls=calls, per_s=60.0)
        self.broker = ActingBroker(self.venue, RateBudget(name="venue", clock=self.clock, calls=limit, orders=None))
        self.sent = 0

    async def send(self, **more: object) -> None:
        self.venue.held |= {MNQ: Decimal(9), MES: Decimal(9)}
        order = OrderRequest(
            account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(1), reduce_only=True, client_id=f"c{self.sent}"
        )  # fmt: skip
        self.sent += 1
        await self.broker.submit(msgspec.structs.replace(order, **more))  # type: ignore[arg-type]  # a test's short hand


async def test_the_first_orders_for_a_symbol_go_out_at_once_and_more_of_them_apart() -> None:
    actor = Actor()
    for _ in range(AT_ONCE):
        await actor.send()
    with pytest.raises(Transient, match="the next one follows in 5") as told:
        await actor.send()
    assert told.value.retry_after_s == APART_NS / NS_PER_S
    actor.clock.advance_to(actor.clock.now() + APART_NS)
    await actor.send()
    with pytest.raises(Transient):
        await actor.send()


@pytest.mark.parametrize("failure", [Transient("no price to be had"), OutcomeUnknown("cut off")])
async def test_an_order_that_is_sent_again_and_again_because_it_does_not_get_through_is_one(failure: Exception) -> None:
    """A venue that answered with rubbish ten times had a close wait for more than half a minute."""
    actor = Actor(calls=60)
    for _ in range(31):
        actor.broker._claim(BrokerCall.FIND_ORDER)  # calls are scarce
    actor.venue.script["submit", "before"] = [failure] * 2 * AT_ONCE
    for _ in range(2 * AT_ONCE):
        with pytest.raises(type(failure)):
            await actor.send(client_id="close")
    await actor.send(client_id="close")
    for _ in range(AT_ONCE - 1):
        await actor.send()
    with pytest.raises(Transient, match=f"{AT_ONCE} orders for MNQ"):
        await actor.send()
    with pytest.raises(Transient, match=f"{AT_ONCE} orders for MNQ"):
        await actor.send(client_id="")


async def test_other_symbols_and_stops_wait_for_nothing_and_a_minute_later_all_is_as_before() -> None:
    actor = Actor()
    for _ in range(AT_ONCE):
        await actor.send()
    await actor.send(symbol=MES)
    await actor.send(type=OrderType.STOP, stop_price=Decimal(90))
    actor.clock.advance_to(actor.clock.now() + 61 * NS_PER_S)
    for _ in range(AT_ONCE):
        await actor.send()


def order(client: int = 0, **more: object) -> OrderRequest:
    close = OrderRequest(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(1), client_id=f"c{client}")
    return msgspec.structs.replace(close, **more)  # type: ignore[arg-type]  # a test's short hand


def send(spacing: Spacing, *orders: OrderRequest) -> None:
    """They go out, unless it is too soon."""
    for each in orders:
        spacing.require(each)
        spacing.note(each)


def test_the_refusal_says_how_many_went_out_and_when_the_next_one_may() -> None:
    clock = ManualClock(NS_PER_S)
    spacing = Spacing(clock)
    send(spacing, *(order(number) for number in range(AT_ONCE - 1)))
    clock.advance_to(3 * NS_PER_S)
    send(spacing, order(AT_ONCE))
    clock.advance_to(4 * NS_PER_S)
    with pytest.raises(Transient) as told:
        spacing.require(order(9))
    assert str(told.value) == "6 orders for MNQ within a minute: the next one follows in 4.0 s"
    assert told.value.retry_after_s == 4.0


def test_after_a_minute_as_many_as_before_go_out_at_once() -> None:
    clock = ManualClock(NS_PER_S)
    spacing = Spacing(clock)
    send(spacing, *(order(number) for number in range(AT_ONCE)))
    clock.advance_to(61 * NS_PER_S)
    send(spacing, *(order(number) for number in range(10, 10 + AT_ONCE)))
    with pytest.raises(Transient):
        spacing.require(order(99))


def test_within_a_minute_those_beyond_the_first_are_always_apart() -> None:
    clock = ManualClock(NS_PER_S)
    spacing = Spacing(clock)
    send(spacing, *(order(number) for number in range(AT_ONCE)))
    clock.advance_to(61 * NS_PER_S - 1)
    send(spacing, order(10))
    with pytest.raises(Transient):
        spacing.require(order(11))


def test_one_order_alone_is_forgotten_after_its_minute_like_many() -> None:
    clock = ManualClock(NS_PER_S)
    spacing = Spacing(clock)
    send(spacing, order(0))
    clock.advance_to(70 * NS_PER_S)
    send(spacing, *(order(number) for number in range(1, 1 + AT_ONCE)))


def test_the_same_order_goes_out_again_at_once_and_counts_once() -> None:
    spacing = Spacing(ManualClock(NS_PER_S))
    send(spacing, *(order(number) for number in range(AT_ONCE)))
    send(spacing, order(0), order(0), order(3))
    with pytest.raises(Transient, match=f"{AT_ONCE} orders for MNQ"):
        spacing.require(order(99))


def test_orders_without_an_id_count_each() -> None:
    spacing = Spacing(ManualClock(NS_PER_S))
    send(spacing, *(order(client_id="") for _ in range(AT_ONCE)))
    with pytest.raises(Transient):
        spacing.require(order(client_id=""))


def test_stops_neither_wait_nor_make_orders_wait() -> None:
    spacing = Spacing(ManualClock(NS_PER_S))
    send(spacing, *(order(100 + number, type=OrderType.STOP) for number in range(2 * AT_ONCE)))
    send(spacing, *(order(number) for number in range(AT_ONCE)))
    send(spacing, order(99, type=OrderType.STOP))


async def test_while_calls_are_plenty_nothing_is_spaced() -> None:
    actor = Actor(calls=1_000)
    for _ in range(3 * AT_ONCE):
        await actor.send()
