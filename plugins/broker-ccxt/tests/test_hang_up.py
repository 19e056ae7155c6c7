"""Found by a stop on a slow machine: a connection that was still being made when all were closed lived on, unowned."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import ccxt.pro
import pytest
from aiohttp import web

from haltline_broker_ccxt.client import make_exchange


class SlowVenue:
    """A websocket that is answered once `may_answer` is set. `asked` once somebody wants it, `gone` once it is over."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.port = 0
        self.has_opened = False
        self.gone = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.set()
        try:
            await self.may_answer.wait()
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            self.has_opened = True
            async for _ in socket:
                pass
        finally:
            self.gone.set()
        return socket


@contextlib.asynccontextmanager
async def slow_venue() -> AsyncIterator[SlowVenue]:
    venue = SlowVenue()
    application = web.Application()
    application.router.add_get("/ws", venue.serve)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    venue.port = int(runner.addresses[0][1])
    try:
        yield venue
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("made_by", ["ccxt", "us"])
async def test_a_connection_that_is_still_being_made_is_given_up_with_the_others(made_by: str) -> None:
    async with slow_venue() as venue:
        exchange = (
            ccxt.pro.binanceusdm() if made_by == "ccxt" else make_exchange("binanceusdm", {}, tap=lambda *said: False)
        )
        url = f"ws://127.0.0.1:{venue.port}/ws"
        exchange.client(url).connectionTimeout = 120_000  # it does not end by itself while we look
        future = exchange.watch(url, "prices")
        await asyncio.wait_for(venue.asked.wait(), 30)
        client = exchange.clients[url]
        await client.close()
        exchange.clients.clear()
        assert future.cancelled()
        if made_by == "us":
            await asyncio.wait_for(venue.gone.wait(), 30)
        venue.may_answer.set()
        if made_by == "ccxt":
            await asyncio.wait_for(client.connected, 30)
            await client.close()
        assert venue.has_opened is (made_by == "ccxt"), "ccxt makes the connection that nobody wants any more"
        await exchange.close()


async def test_a_connection_that_was_closed_before_it_was_begun_is_not_begun() -> None:
    async with slow_venue() as venue:
        exchange = make_exchange("binanceusdm", {}, tap=lambda *said: False)
        exchange.watch(f"ws://127.0.0.1:{venue.port}/ws", "prices")
        for client in exchange.clients.values():
            await client.close()
        exchange.clients.clear()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not venue.asked.is_set()
        await exchange.close()
