"""BRK-055 … 059: a reduce-only order makes a position smaller, or does nothing."""

from haltline.api import Capability
from haltline.errors import Refused
from haltline.model.order import OrderRequest, Side
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.case import case

_NEEDS = (Capability.REDUCE_ONLY, Capability.MARKET_ORDERS)


async def _try(bench: Bench, request: OrderRequest) -> None:
    """Send it; the venue may refuse. Then wait until nothing of it works any more."""
    try:
        await bench.submit(request)
    except Refused:
        return
    await bench.gone(request)


@case("BRK-055", *_NEEDS)
async def nothing_to_reduce(bench: Bench) -> None:
    """without a position it opens none"""
    await _try(bench, bench.order(Side.SELL, reduce_only=True))
    assert await bench.world.held(bench.world.account) == 0


@case("BRK-056", *_NEEDS)
async def never_flips(bench: Bench) -> None:
    """larger than the position, it ends flat and never on the other side"""
    await bench.world.trade(bench.world.account, Side.BUY, 2 * bench.world.lot)
    await _try(bench, bench.order(Side.SELL, 5, reduce_only=True))
    left = await bench.world.held(bench.world.account)
    assert left in (0, 2 * bench.world.lot), f"it held 2 lots, and then {left}"


@case("BRK-057", *_NEEDS)
async def never_enlarges(bench: Bench) -> None:
    """in the direction of the position, it makes nothing larger"""
    await bench.world.trade(bench.world.account, Side.BUY, 2 * bench.world.lot)
    await _try(bench, bench.order(Side.BUY, 2, reduce_only=True))
    assert await bench.world.held(bench.world.account) == 2 * bench.world.lot


@case("BRK-058", *_NEEDS)
async def reduces_by_a_part(bench: Bench) -> None:
    """smaller than the position, it reduces by exactly its size"""
    await bench.world.trade(bench.world.account, Side.SELL, 3 * bench.world.lot)
    await bench.filled(bench.order(Side.BUY, 1, reduce_only=True))
    assert await bench.held() == -2 * bench.world.lot


@case("BRK-059", *_NEEDS)
async def twice_the_whole(bench: Bench) -> None:
    """two of the whole size, one after the other, end flat"""
    await bench.world.trade(bench.world.account, Side.BUY, 2 * bench.world.lot)
    await _try(bench, bench.order(Side.SELL, 2, reduce_only=True))
    await _try(bench, bench.order(Side.SELL, 2, reduce_only=True))
    assert await bench.world.held(bench.world.account) == 0
