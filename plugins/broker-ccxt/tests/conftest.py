"""A venue on loopback with both halves of a broker on it, and what the reading half has told."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable

import pytest

from haltline.api import Broker, BrokerRole, BrokerSetup
from haltline.clock import SystemClock
from haltline.model.account import AccountSpec
from haltline.model.event import Event
from haltline_broker_ccxt.plugin import KINDS
from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim

SIMS = {"bybit": BybitSim, "binance": BinanceSim, "hyperliquid": HyperliquidSim}


def config_of(venue: str, sim, **more: object) -> dict[str, object]:
    given = sim.credentials
    if venue == "hyperliquid":
        keys = {"wallet": given["walletAddress"], "private_key": given["privateKey"]}
        symbols = {"BTCUSDC": "BTC/USDC:USDC"}
    else:
        keys = {"api_key": given["apiKey"], "api_secret": given["secret"]}
        symbols = {"BTCUSDT": "BTC/USDT:USDT"}
    quick = {"timeout_s": 2.0, "silence_s": 2.0, "reconcile_s": 0.7}
    return {**keys, "symbols": symbols, "host": f"127.0.0.1:{sim.port}", **quick, **more}


class Desk:
    """A simulator, and a broker as the engine makes it: `reader` and `actuator`."""

    def __init__(self, venue: str, sim, config: dict[str, object], directory=None) -> None:
        self.sim = sim
        self.symbol = "BTCUSDC" if venue == "hyperliquid" else "BTCUSDT"
        self.heard: list[Event] = []
        accounts = [AccountSpec(id="main", positions_from_broker=True)]
        setup = BrokerSetup(
            name="venue", config=config, accounts=accounts, instruments=[], clock=SystemClock(),
            role=BrokerRole.READER, directory=directory,
        )  # fmt: skip
        kind = next(each for each in KINDS if each.name == venue)
        self.reader: Broker = kind.make(setup)
        self.actuator: Broker = kind.make(dataclasses.replace(setup, role=BrokerRole.ACTUATOR))

    def of(self, kind: type) -> list:
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, look: Callable[[], object], timeout_s: float = 60.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not look():  # noqa: ASYNC110 - the venue tells nobody of us when it is done
                await asyncio.sleep(0.01)

    def calls(self, call: str) -> list[dict[str, object]]:
        return [dict(each.parameters) for each in self.sim.calls(call)]


@contextlib.asynccontextmanager
async def open_desk(venue: str, *, hedged: bool = False, directory=None, **more: object) -> AsyncIterator[Desk]:
    async with SIMS[venue](limits=False, hedged=hedged) as sim:
        desk = Desk(venue, sim, config_of(venue, sim, **more), directory)
        started = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(desk.reader.run(desk.heard.append, started.set)),
                group.create_task(desk.actuator.run(desk.heard.append, lambda: None)),
            ]
            try:
                await desk.until(lambda: started.is_set() or running[0].done())
                await sim.wait_for_stream("private")
                yield desk
            finally:
                for task in running:
                    task.cancel()


@contextlib.asynccontextmanager
async def open_raw(venue: str, *, hedged: bool = False, **config: object) -> AsyncIterator[tuple]:
    """ccxt as it comes, on a simulator."""
    import ccxt.pro

    name = "binanceusdm" if venue == "binance" else venue
    async with SIMS[venue](limits=False, hedged=hedged) as sim:
        types = ["swap"] if venue == "hyperliquid" else ["linear"]
        options = {"fetchMarkets": {"types": types}, "defaultType": "swap", **config.pop("options", {})}
        raw = sim.redirect(getattr(ccxt.pro, name)({**sim.credentials, "options": options, **config}))
        raw.has = {**raw.has, "fetchCurrencies": False}
        raw.timeout_on_exit = 0
        await raw.load_markets()
        try:
            yield sim, raw
        finally:
            await raw.close()


@pytest.fixture
def desks() -> Callable[..., contextlib.AbstractAsyncContextManager[Desk]]:
    return open_desk


@pytest.fixture
def raws() -> Callable[..., contextlib.AbstractAsyncContextManager[tuple]]:
    return open_raw


@contextlib.asynccontextmanager
async def open_bare(venue: str, **more: object) -> AsyncIterator[Desk]:
    """A broker whose halves are made and do not run; the venue counts what it is asked."""
    async with SIMS[venue](**more) as sim:
        desk = Desk(venue, sim, config_of(venue, sim))
        try:
            yield desk
        finally:
            await desk.reader.close()
            await desk.actuator.close()


@pytest.fixture
def bares() -> Callable[..., contextlib.AbstractAsyncContextManager[Desk]]:
    return open_bare
