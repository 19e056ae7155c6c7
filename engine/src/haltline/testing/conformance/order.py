"""BRK-040 … 054: an order is placed once, found again, cancelled, and never makes more than was asked for."""

from decimal import Decimal

import msgspec

from haltline.api import Capability
from haltline.errors import Refused
from haltline.model.id import OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.case import case
from haltline.testing.conformance.world import VenueFault

_NEVER = OrderId("999999999")


@case("BRK-040", Capability.MARKET_ORDERS)
async def market_order(bench: Bench) -> None:
    """an order at the market moves the position by its quantity"""
    report = await bench.filled(bench.order(Side.SELL, 3))
    assert (report.side, report.status) == (Side.SELL, OrderStatus.FILLED)
    assert await bench.held() == await bench.world.held(bench.world.account) == -3 * bench.world.lot


@case("BRK-041", Capability.MARKET_ORDERS, Capability.CLIENT_ORDER_IDS)
async def one_client_id_is_one_order(bench: Bench) -> None:
    """the same client id twice is one order"""
    request = bench.order(Side.BUY, 2)
    first = await bench.filled(request)
    second = await bench.submit(request)
    assert second.order_id == first.order_id
    assert await bench.world.held(bench.world.account) == 2 * bench.world.lot
    assert await bench.world.orders() == 1


@case("BRK-042", Capability.CLIENT_ORDER_IDS)
async def unknown_is_none(bench: Bench) -> None:
    """an order that was never sent is not found"""
    assert await bench.find(bench.order()) is None


@case("BRK-043", Capability.LIMIT_ORDERS, Capability.CLIENT_ORDER_IDS)
async def working_is_found(bench: Bench) -> None:
    """a working order is found by its client id"""
    request = bench.order(Side.BUY, 2, type=OrderType.LIMIT)
    sent = await bench.submit(request)
    found = await bench.find(request)
    assert found is not None
    assert found.order_id == sent.order_id
    assert (found.status.is_working, found.filled, found.quantity) == (True, Decimal(0), request.quantity)


@case("BRK-044", Capability.MARKET_ORDERS, Capability.CLIENT_ORDER_IDS)
async def filled_is_found(bench: Bench) -> None:
    """a filled order is found with what it filled and at which price"""
    found = await bench.filled(bench.order(Side.BUY, 2))
    assert found.filled == 2 * bench.world.lot
    price = found.average_price
    assert price is None or abs(price - bench.world.price) <= 20 * bench.world.tick


@case("BRK-045", Capability.LIMIT_ORDERS, Capability.CANCEL_ORDERS)
async def cancelled_is_gone(bench: Bench) -> None:
    """a cancelled order no longer works, and is found as such"""
    request = bench.order(Side.BUY, type=OrderType.LIMIT)
    await bench.cancel(await bench.submit(request))
    await bench.gone(request)
    found = await bench.find(request)
    assert found is None or not found.status.is_working


@case("BRK-046", Capability.LIMIT_ORDERS, Capability.CANCEL_ORDERS)
async def cancelling_what_is_gone(bench: Bench) -> None:
    """cancelling what is cancelled, filled or was never there is no error"""
    resting = bench.order(Side.BUY, type=OrderType.LIMIT)
    report = await bench.submit(resting)
    await bench.cancel(report)
    await bench.gone(resting)
    await bench.cancel(report)
    await bench.cancel(await bench.filled(bench.order(Side.BUY)))
    await bench.cancel(msgspec.structs.replace(report, order_id=_NEVER))


@case("BRK-047", Capability.STOP_ORDERS, Capability.CANCEL_ORDERS, Capability.PULL_ORDERS)
async def stops_are_cancelled(bench: Bench) -> None:
    """a stop is cancelled like any other order"""
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    request = bench.order(Side.SELL, type=OrderType.STOP, reduce_only=True)
    await bench.cancel(await bench.submit(request))
    await bench.gone(request)


@case("BRK-048")
async def unknown_symbol(bench: Bench) -> None:
    """an order in what the venue does not trade is refused"""
    await _refused(bench, msgspec.structs.replace(bench.order(), symbol=Symbol("NO-SUCH-THING")))


@case("BRK-049")
async def no_whole_lot(bench: Bench) -> None:
    """a quantity that the venue does not trade is refused, never rounded up"""
    await _refused(bench, msgspec.structs.replace(bench.order(), quantity=bench.world.lot / 1000))


@case("BRK-050", VenueFault.PARTIAL)
async def partial_fill(bench: Bench) -> None:
    """a part that filled is told as a part, and is held"""
    await bench.world.arm(VenueFault.PARTIAL)
    request = bench.order(Side.BUY, 4)
    await bench.submit(request)
    found: OrderReport | None = await bench.find(request)
    assert found is not None
    assert Decimal(0) < found.filled < request.quantity
    assert found.status is OrderStatus.PARTIALLY_FILLED
    assert await bench.held() == found.filled
    await bench.until_held(found.filled)


async def _refused(bench: Bench, request: OrderRequest) -> None:
    try:
        report = await bench.submit(request)
    except Refused as refusal:
        assert str(refusal), "a refusal says why"
        assert await bench.world.held(bench.world.account) == 0
        return
    raise AssertionError(f"it was taken: {report}")
