"""BRK-001 … 019: a snapshot is the venue's truth, whole, exact and of one account."""

import math
import time
from decimal import Decimal

from haltline.api import AccountSnapshot, Capability
from haltline.errors import Refused
from haltline.model.event import InstrumentUpdate
from haltline.model.id import AccountId
from haltline.model.order import OrderType, Side
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.case import case
from haltline.testing.conformance.world import VenueFault

_DIGITS = 24
_HOUR_NS = 3600 * 10**9
_ZERO = Decimal(0)


def check_numbers(found: AccountSnapshot) -> None:
    """Everything in a snapshot is finite, exact and in its place."""
    report = found.account
    for name in ("equity", "margin_used", "margin_available"):
        value = getattr(report, name)
        assert value is None or math.isfinite(value), f"{name} was {value!r}"
    assert report.balance is None or report.balance.is_finite()
    for position in found.positions:
        assert position.quantity.is_finite()
        assert not position.quantity or position.average_price > 0, f"average price was {position.average_price}"
        for exact in (position.quantity, position.average_price):
            assert len(exact.normalize().as_tuple().digits) <= _DIGITS, f"{exact} carries the noise of a float"
    for order in found.orders:
        assert order.quantity > 0
        assert _ZERO <= order.filled <= order.quantity
        assert order.status.is_working, f"an order that is {order.status} was among the working ones"
        assert order.account == report.account


@case("BRK-001")
async def flat_account(bench: Bench) -> None:
    """a flat account has money, no position and no order"""
    found = await bench.snapshot()
    assert found.account.account == bench.world.account
    assert found.account.balance is not None or found.account.equity is not None, "neither balance nor equity is said"
    assert [each for each in found.positions if each.quantity] == []
    assert found.orders == ()
    check_numbers(found)


@case("BRK-002")
async def foreign_long(bench: Bench) -> None:
    """what somebody else bought is held, above zero, at its price"""
    await bench.world.trade(bench.world.account, Side.BUY, 3 * bench.world.lot)
    found = await bench.snapshot()
    (position,) = [each for each in found.positions if each.quantity]
    assert (position.symbol, position.quantity) == (bench.world.symbol, 3 * bench.world.lot)
    assert abs(position.average_price - bench.world.price) <= 20 * bench.world.tick
    check_numbers(found)


@case("BRK-003")
async def foreign_short(bench: Bench) -> None:
    """a short position is below zero"""
    await bench.world.trade(bench.world.account, Side.SELL, 2 * bench.world.lot)
    assert await bench.held() == -2 * bench.world.lot
    check_numbers(await bench.snapshot())


@case("BRK-004")
async def flat_again(bench: Bench) -> None:
    """what was closed is no longer held"""
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.world.trade(bench.world.account, Side.SELL, bench.world.lot)
    assert await bench.held() == 0


@case("BRK-005", Capability.LIMIT_ORDERS, Capability.PULL_ORDERS)
async def working_limit(bench: Bench) -> None:
    """a resting limit order is shown whole and exact"""
    request = bench.order(Side.BUY, 2, type=OrderType.LIMIT)
    await bench.submit(request)
    (order,) = (await bench.snapshot()).orders
    assert (order.symbol, order.side, order.type) == (request.symbol, Side.BUY, OrderType.LIMIT)
    assert (order.quantity, order.filled, order.limit_price) == (request.quantity, _ZERO, request.limit_price)
    assert order.client_id == request.client_id


@case("BRK-006", Capability.STOP_ORDERS, Capability.PULL_ORDERS)
async def working_stop(bench: Bench) -> None:
    """a resting stop is among the working orders, with its price, and is a stop"""
    await bench.world.trade(bench.world.account, Side.BUY, 2 * bench.world.lot)
    request = bench.order(Side.SELL, 2, type=OrderType.STOP, reduce_only=True)
    await bench.submit(request)
    (order,) = (await bench.snapshot()).orders
    assert (order.side, order.type, order.stop_price) == (Side.SELL, OrderType.STOP, request.stop_price)
    assert order.remaining == 2 * bench.world.lot


@case("BRK-007", VenueFault.MUTE)
async def pull_without_pushes(bench: Bench) -> None:
    """a pull shows what no push has told"""
    await bench.world.arm(VenueFault.MUTE)
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    assert await bench.held() == bench.world.lot


@case("BRK-008")
async def unknown_account(bench: Bench) -> None:
    """an account that the client does not have is refused"""
    try:
        found = await bench.snapshot(AccountId("nobody-has-this-one"))
    except Refused:
        return
    raise AssertionError(f"a snapshot of an unknown account showed {found}")


@case("BRK-009", needs_other=True)
async def accounts_apart(bench: Bench) -> None:
    """two accounts do not mix"""
    other = bench.world.other
    assert other is not None
    await bench.world.trade(other, Side.SELL, 2 * bench.world.lot)
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    assert (await bench.held(), await bench.held(other)) == (bench.world.lot, -2 * bench.world.lot)
    await bench.until(lambda: bench.told(other) == -2 * bench.world.lot, "the push for the other account")
    await bench.until_held(bench.world.lot)


@case("BRK-010")
async def times_are_utc(bench: Bench) -> None:
    """times are UTC in nanoseconds"""
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.until_held(bench.world.lot)
    found = await bench.snapshot()
    now = time.time_ns()
    for event in (*bench.heard, found.account, *found.positions):
        assert abs(event.received_at - now) < _HOUR_NS, f"{type(event).__name__} was received at {event.received_at}"
        assert abs(event.at - now) < 24 * _HOUR_NS, f"{type(event).__name__} is of {event.at}"


@case("BRK-011")
async def economics_are_the_same_again(bench: Bench) -> None:
    """what an instrument is worth is told the same by every client"""
    async with Bench(bench.world) as second:
        await second.start()
    first_told = {update.spec.symbol: update.spec for update in bench.of(InstrumentUpdate)}
    second_told = {update.spec.symbol: update.spec for update in second.of(InstrumentUpdate)}
    assert first_told == second_told
    assert all(min(spec.tick_size, spec.tick_value, spec.lot_size) > 0 for spec in first_told.values())


@case("BRK-012", Capability.HEDGE_MODE)
async def both_sides_are_two_positions(bench: Bench) -> None:
    """with both sides open, a market is told as two positions, each under a name of its own"""
    await bench.world.trade(bench.world.account, Side.BUY, 3 * bench.world.lot)
    await bench.world.trade(bench.world.account, Side.SELL, 2 * bench.world.lot)
    told = [each for each in (await bench.snapshot()).positions if each.quantity]
    assert sorted(each.quantity for each in told) == [-2 * bench.world.lot, 3 * bench.world.lot]
    assert len({each.symbol for each in told}) == len(told), "two positions under one name: one hides the other"


@case("BRK-013", VenueFault.UNKNOWN_SYMBOL)
async def unknown_symbol_is_not_hidden(bench: Bench) -> None:
    """a position in what the set-up does not name is shown all the same"""
    await bench.world.arm(VenueFault.UNKNOWN_SYMBOL)
    found = await bench.snapshot()
    shown = [each for each in found.positions if each.quantity]
    assert len(shown) == 1, "a position that is not shown looks like a flat account"
    check_numbers(found)
