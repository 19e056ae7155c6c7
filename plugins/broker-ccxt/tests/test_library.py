"""More of what ccxt does with what a venue says: merged, kept, mutated, stale. What we tell comes from none of it."""

import asyncio
import contextlib
import subprocess
import sys
from decimal import Decimal

import pytest

from haltline.model.event import ConnectionStatus, ConnectionUpdate, Fill, OrderUpdate, PositionReport
from haltline.model.order import OrderStatus

pytestmark = pytest.mark.long
BTC = "BTC/USDT:USDT"
NO_SNAPSHOT = {"watchPositions": {"fetchPositionsSnapshot": False}}


def held(desk) -> dict[str, Decimal]:
    return {report.symbol: report.quantity for report in desk.of(PositionReport)}


def test_registering_the_plugin_imports_no_ccxt() -> None:
    script = "import sys, haltline_broker_ccxt.plugin; assert not {'ccxt', 'aiohttp'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


async def test_each_state_of_an_order_is_told_where_the_library_merges_them(raws, desks) -> None:
    """What `watch_orders` hands out is the last state of what came since the last call: New and Filled are one."""

    def places_and_fills(sim) -> None:
        sim.orders("BTC", "0.1", price=49_000)
        sim.price("BTC", 48_000)

    async with raws("bybit") as (sim, raw):
        sim.price("BTC", 50_000)
        task = asyncio.ensure_future(raw.watch_orders())
        await sim.wait_for_stream("private", topic="order")
        places_and_fills(sim)
        await asyncio.wait_for(task, 60)
        states = [each["status"] for each in task.result()]
        with contextlib.suppress(TimeoutError):
            states += [each["status"] for each in await asyncio.wait_for(raw.watch_orders(), 1)]
        assert "open" not in states or len(states) < 2
    async with desks("bybit") as desk:
        desk.sim.price("BTC", 50_000)
        await desk.sim.wait_for_stream("private", topic="order")
        places_and_fills(desk.sim)
        await desk.until(lambda: desk.of(Fill))
        await desk.until(lambda: any(each.order.status is OrderStatus.FILLED for each in desk.of(OrderUpdate)))
        told = [each.order.status for each in desk.of(OrderUpdate)]
        assert told[0] is OrderStatus.WORKING
        assert told[-1] is OrderStatus.FILLED


async def test_what_was_told_does_not_change_where_the_library_s_is_its_live_cache(raws, desks) -> None:
    async with raws("bybit") as (sim, raw):
        sim.price("BTC", 50_000)
        task = asyncio.ensure_future(raw.watch_ticker(BTC))
        await sim.wait_for_stream("public")
        for _ in range(600):
            if task.done():
                break
            sim.price("BTC", 51_000)
            await asyncio.sleep(0.05)
        first = task.result()
        before = dict(first)
        sim.price("BTC", 52_000)
        with contextlib.suppress(TimeoutError):
            while first["last"] == before["last"]:
                sim.price("BTC", 52_000)
                found = await asyncio.wait_for(raw.watch_ticker(BTC), 2)
                if found is not first:
                    break
        kept = raw.tickers[BTC]
        assert kept is first or kept["last"] != before["last"]
    async with desks("bybit") as desk:
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT") == Decimal("0.1"))
        report = desk.of(PositionReport)[-1]
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT") == Decimal("0.2"))
        assert report.quantity == Decimal("0.1")
        with pytest.raises(AttributeError):
            report.quantity = Decimal(0)


async def test_a_snapshot_that_fails_hangs_the_library_s_watching_and_not_ours(raws, desks) -> None:
    """`watch_positions` asks by REST first, in a task of its own; where that fails, nobody is told and all wait on."""
    errors: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    async with raws("bybit") as (sim, raw):
        sim.arm("status", "positions", status=500, count=None)
        task = asyncio.ensure_future(raw.watch_positions())
        async with asyncio.timeout(60):
            while not sim.calls("positions"):  # noqa: ASYNC110 - the library tells nobody that it asked
                await asyncio.sleep(0.01)
        sim.trades("BTC", "0.1")
        await asyncio.sleep(1.0)
        assert not task.done(), "the pitfall is gone: the failure is told"
        task.cancel()
    async with desks("bybit") as desk:
        await desk.sim.wait_for_stream("private", topic="position")
        desk.sim.arm("status", "positions", status=500, count=None)
        asked = len(desk.calls("positions"))
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT") == Decimal("0.1"))
        await desk.until(lambda: len(desk.calls("positions")) > asked + 2)  # each of them has failed
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT") == Decimal("0.2"))
        desk.sim.faults.clear()


async def test_the_library_s_cache_of_positions_at_binance_stays_open_and_ours_is_flat(raws, desks) -> None:
    async with raws("binance", options=NO_SNAPSHOT) as (sim, raw):
        task = asyncio.ensure_future(raw.watch_positions())
        await sim.wait_for_stream("private")
        sim.trades("BTC", "0.1")
        await asyncio.wait_for(task, 60)
        task = asyncio.ensure_future(raw.watch_positions())
        await asyncio.sleep(0)
        sim.trades("BTC", "-0.1")
        await asyncio.wait_for(task, 60)
        stale = [each for each in _flat(raw.positions) if each["contracts"]]
        assert stale, "the pitfall is gone: the library's cache is flat"
    async with desks("binance") as desk:
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT") == Decimal("0.1"))
        desk.sim.arm("status", "positions", status=500, count=None)  # nothing but the stream can tell it
        desk.sim.trades("BTC", "-0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT") == 0)
        desk.sim.faults.clear()
        assert not any(each.quantity for each in (await desk.actuator.snapshot("main")).positions)


async def test_every_settle_coin_of_bybit_is_asked_for_where_the_library_asks_for_one(raws, desks) -> None:
    async with raws("bybit") as (sim, raw):
        await raw.fetch_positions()
        assert {each.parameters.get("settleCoin") for each in sim.calls("positions")} == {"USDT"}
    async with desks("bybit") as desk:
        await desk.actuator.snapshot("main")
        for call in ("positions", "open_orders"):
            assert {each.get("settleCoin") for each in desk.calls(call)} >= {"USDT", "USDC"}


async def test_nothing_comes_back_by_itself_in_the_library_and_everything_does_in_ours(raws, desks) -> None:
    async with raws("binance", options=NO_SNAPSHOT) as (sim, raw):
        task = asyncio.ensure_future(raw.watch_positions())
        await sim.wait_for_stream("private")
        opened = sim.streams.opened
        sim.streams.abort()
        with pytest.raises(Exception, match=r"losed|reset|ost"):
            await asyncio.wait_for(task, 60)
        await asyncio.sleep(0.5)
        assert sim.streams.opened == opened, "the pitfall is gone: it connects again unasked"
    async with desks("binance") as desk:
        opened = desk.sim.streams.opened
        desk.sim.streams.abort()
        await desk.until(lambda: desk.sim.streams.opened > opened)
        await desk.until(lambda: desk.of(ConnectionUpdate)[-1].status is ConnectionStatus.CONNECTED)


def _flat(found: object) -> list[dict]:
    if isinstance(found, dict) and "contracts" in found:
        return [found]
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [each for one in inner for each in _flat(one)]
