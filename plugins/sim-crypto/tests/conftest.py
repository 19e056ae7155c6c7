"""The three simulators and the genuine clients that talk to them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim
from haltline_sim_crypto.server import CryptoSim

VENUES: dict[str, type[CryptoSim]] = {"bybit": BybitSim, "binance": BinanceSim, "hyperliquid": HyperliquidSim}
_OPTIONS: dict[str, dict[str, Any]] = {
    "bybit": {"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}},
    "binance": {
        "fetchCurrencies": False, "fetchMarkets": {"types": ["linear"]}, "warnOnFetchOpenOrdersWithoutSymbol": False,
    },
    "hyperliquid": {"fetchMarkets": {"types": ["swap"]}},
}  # fmt: skip
_NO_SNAPSHOT = {"watchPositions": {"fetchPositionsSnapshot": False}}


@dataclass
class Desk:
    """A simulator and a genuine client of it. What is watched is kept by name."""

    sim: Any
    client: Any
    symbol: str
    watching: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    seen: dict[str, list[Any]] = field(default_factory=dict)
    failed: list[Exception] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def buys(self, quantity: float, **more: Any) -> Any:
        return await self.trades("buy", quantity, **more)

    async def sells(self, quantity: float, **more: Any) -> Any:
        return await self.trades("sell", quantity, **more)

    async def trades(self, side: str, quantity: float, **more: Any) -> Any:
        last = float(self.sim.market("BTC").last) if self.sim.venue == "hyperliquid" else None
        return await self.client.create_order(self.symbol, "market", side, quantity, last, more)

    async def bids(self, quantity: float, price: float, **more: Any) -> Any:
        return await self.client.create_order(self.symbol, "limit", "buy", quantity, price, more)

    def watch(self, name: str, ask: Callable[[], Awaitable[Any]]) -> None:
        """Keep what a watch gives until the test is over."""
        self.seen[name] = []
        self.watching[name] = asyncio.create_task(self._watch(name, ask))

    async def _watch(self, name: str, ask: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                self.seen[name].append(await ask())
            except Exception as failure:
                self.failed.append(failure)
                if len(self.failed) > 100:
                    raise
                await asyncio.sleep(0)
            self.news.set()

    async def until(self, look: Callable[[], Any], *, timeout_s: float = 5) -> Any:
        """What is found as soon as there is something."""
        async with asyncio.timeout(timeout_s):
            while not (found := look()):
                self.news.clear()
                self.sim.watch.changed()
                await self.news.wait()
        return found


@asynccontextmanager
async def open_desk(venue: str, *, options: dict[str, Any] | None = None, **given: Any) -> AsyncIterator[Desk]:
    pro = pytest.importorskip("ccxt.pro")
    name = {"binance": "binanceusdm"}.get(venue, venue)
    base = getattr(pro, name)
    client_given = given.pop("client", {})
    if venue == "hyperliquid":

        class Quiet(base):  # type: ignore[misc,valid-type]
            async def initialize_client(self) -> bool:
                """No builder fee, no referrer."""
                return True

        base = Quiet
    async with VENUES[venue](**given) as sim:
        wanted = {
            **sim.credentials, "enableRateLimit": False, "timeout": 3000, "timeout_on_exit": 0,
            "options": _OPTIONS[venue] | _NO_SNAPSHOT | (options or {}),
        }  # fmt: skip
        client = sim.redirect(base(wanted | client_given))
        quote = "USDC" if venue == "hyperliquid" else "USDT"
        desk = Desk(sim, client, f"BTC/{quote}:{quote}")
        try:
            await client.load_markets()
            yield desk
        finally:
            for task in desk.watching.values():
                task.cancel()
            await asyncio.gather(*desk.watching.values(), return_exceptions=True)
            await client.close()


@pytest.fixture(params=list(VENUES))
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    """Each venue in turn; a client that says something the venue would not take fails the test."""
    async with open_desk(request.param) as desk:
        yield desk
        assert desk.sim.violations == []


@pytest.fixture
def at() -> Callable[..., Any]:
    """One venue, as the test wants it."""
    return open_desk
