"""The conformance suite on the genuine client, ccxt.pro, against the three simulated venues."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest

from haltline.api import Broker, BrokerSetup
from haltline.clock import SystemClock
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Side
from haltline.testing.broker import BrokerCase, VenueFault, broker_cases, check_broker, check_broker_record
from haltline_broker_ccxt.plugin import BINANCE, BYBIT, HYPERLIQUID
from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim

CLOCK = SystemClock()
CALLS = {
    VenueFault.LOST_ACK: ("drop", "place", {"stage": "after"}),
    VenueFault.LOST_REQUEST: ("drop", "place", {}),
    VenueFault.LOST_CANCEL: ("drop", "cancel", {"stage": "after"}),
    VenueFault.HANG: ("hang", "positions", {"count": 2}),  # the reading half may meet one
    VenueFault.GARBAGE: ("garbage", "positions", {}),
}
REFUSALS = {VenueFault.REFUSE: "insufficient_margin", VenueFault.THROTTLE: "rate_limit"}
OTHERS = (
    VenueFault.WRONG_KEY, VenueFault.DROP, VenueFault.MUTE, VenueFault.SILENCE, VenueFault.DUPLICATE,
    VenueFault.REORDER, VenueFault.AWAY, VenueFault.NOT_JSON, VenueFault.MISSING_FIELD, VenueFault.NOT_A_NUMBER,
    VenueFault.HUGE_NUMBER, VenueFault.UNKNOWN_SYMBOL,
)  # fmt: skip


class CryptoWorld:
    """One simulator in this process; `BTC` is traded."""

    faults = frozenset({*CALLS, *REFUSALS, *OTHERS})
    account, other = AccountId("main"), None
    symbol, ccxt = Symbol("BTCUSDT"), "BTC/USDT:USDT"
    lot, tick, price = Decimal("0.01"), Decimal("0.1"), Decimal(60000)
    patience_s = 90.0
    sim_class: type
    hostile: Mapping[VenueFault, object]

    def __init__(self, sim) -> None:
        self._sim = sim
        self._taken = 0
        self._push = sim.streams.push
        self._key = sim.account.key

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._sim.account.secret,)

    def keys(self) -> dict[str, str]:
        given = self._sim.credentials
        return {"api_key": given["apiKey"], "api_secret": given["secret"]}

    def make(self, config: Mapping[str, object] | None = None) -> Broker:
        usual = {
            **self.keys(), "host": f"127.0.0.1:{self._sim.port}", "symbols": {self.symbol: self.ccxt},
            "timeout_s": 5.0, "silence_s": 1.5, "quote_silence_s": 20.0, "reconcile_s": 0.7,
        }  # fmt: skip
        accounts = [AccountSpec(id=self.account)]
        setup = BrokerSetup(
            name="venue", config={**usual, **(config or {})}, accounts=accounts, instruments=[], clock=CLOCK
        )
        return self.kind.make(setup)

    async def move(self, price: Decimal) -> None:
        self._sim.price("BTC", price)

    async def trade(self, account: AccountId, side: Side, quantity: Decimal) -> None:
        self._sim.trades("BTC", quantity * side.sign)
        self._taken += 1

    async def held(self, account: AccountId) -> Decimal:
        return self._sim.position("BTC").quantity

    async def orders(self) -> int:
        return len(self._sim.account.orders) - self._taken

    async def arm(self, fault: VenueFault) -> None:
        if fault in self.hostile:
            said = self.hostile[fault]
            self._sim.streams.says(said if isinstance(said, str) else json.dumps(said))
            return
        await self._break(fault)

    async def _break(self, fault: VenueFault) -> None:
        sim = self._sim
        if fault in CALLS:
            kind, call, more = CALLS[fault]
            sim.arm(kind, call, **more)
        elif fault in REFUSALS:
            sim.refuse(REFUSALS[fault], "place")
        else:
            await self._break_more(fault)

    async def _break_more(self, fault: VenueFault) -> None:
        sim = self._sim
        match fault:
            case VenueFault.WRONG_KEY:
                del sim.accounts[self._key]
            case VenueFault.DROP:
                sim.streams.abort()
            case VenueFault.MUTE:
                sim.streams.push = lambda link, message: None
            case VenueFault.SILENCE:
                sim.streams.mute()
            case VenueFault.DUPLICATE | VenueFault.REORDER:
                sim.arm(fault.value, count=2)
            case VenueFault.UNKNOWN_SYMBOL:
                sim.trades("SOL", 1)
            case _:
                await sim.down()

    async def mend(self) -> None:
        self._sim.faults.clear()
        self._sim.streams.unmute()
        self._sim.streams.push = self._push
        self._sim.accounts[self._key] = self._sim.account
        await self._sim.up()


class BybitWorld(CryptoWorld):
    kind, sim_class = BYBIT, BybitSim
    hostile: ClassVar = {
        VenueFault.NOT_JSON: "<html>502 Bad Gateway</html>",
        VenueFault.MISSING_FIELD: {"topic": "position", "creationTime": 1, "data": [{"symbol": "BTCUSDT"}]},
        VenueFault.NOT_A_NUMBER: {
            "topic": "position", "creationTime": 1, "data": [{"symbol": "BTCUSDT", "side": "Buy", "size": "NaN"}],
        },
        VenueFault.HUGE_NUMBER: {
            "topic": "position", "creationTime": 1, "data": [{"symbol": "BTCUSDT", "side": "Buy", "size": "Infinity"}],
        },
    }  # fmt: skip


class BinanceWorld(CryptoWorld):
    kind, sim_class = BINANCE, BinanceSim
    hostile: ClassVar = {
        VenueFault.NOT_JSON: "<html>502 Bad Gateway</html>",
        VenueFault.MISSING_FIELD: {"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {"P": [{"s": "BTCUSDT"}]}},
        VenueFault.NOT_A_NUMBER: {"e": "ACCOUNT_UPDATE", "T": 1, "a": {"P": [{"s": "BTCUSDT", "pa": "NaN"}]}},
        VenueFault.HUGE_NUMBER: {"e": "ACCOUNT_UPDATE", "T": 1, "a": {"P": [{"s": "BTCUSDT", "pa": "Infinity"}]}},
    }


class HyperliquidWorld(CryptoWorld):
    kind, sim_class = HYPERLIQUID, HyperliquidSim
    faults = CryptoWorld.faults - {VenueFault.WRONG_KEY}  # reading takes no key there
    symbol, ccxt, tick = Symbol("BTCUSDC"), "BTC/USDC:USDC", Decimal(1)
    hostile: ClassVar = {
        VenueFault.NOT_JSON: "<html>502 Bad Gateway</html>",
        VenueFault.MISSING_FIELD: {"channel": "clearinghouseState", "data": {"clearinghouseState": {}}},
        VenueFault.NOT_A_NUMBER: {"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": {"markPx": "NaN"}}},
        VenueFault.HUGE_NUMBER: {"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": {"markPx": "Infinity"}}},
    }

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._sim.credentials["privateKey"],)

    def keys(self) -> dict[str, str]:
        given = self._sim.credentials
        return {"wallet": given["walletAddress"], "private_key": given["privateKey"]}


WORLDS = (BybitWorld, BinanceWorld, HyperliquidWorld)
CASES = [
    pytest.param(world, case, id=f"{world.kind.name}-{case}", marks=[] if world is BybitWorld else [pytest.mark.long])
    for world in WORLDS
    for case in broker_cases(world)
]
"""What the venues share is shown at Bybit each time; .ci/run shows it at the others as well."""


@contextlib.asynccontextmanager
async def open_world(world: type[CryptoWorld], _: Path | None = None) -> AsyncIterator[CryptoWorld]:
    async with world.sim_class(limits=False) as sim:
        yield world(sim)


@pytest.mark.parametrize(("world", "case"), CASES)
async def test_a_venue_keeps_its_promise(world: type[CryptoWorld], case: BrokerCase) -> None:
    async with open_world(world) as opened:
        await check_broker(case, opened)


def open_bybit(folder: Path) -> contextlib.AbstractAsyncContextManager[CryptoWorld]:
    """For ``python -m haltline.testing.conformance``."""
    return open_world(BybitWorld, folder)


def open_binance(folder: Path) -> contextlib.AbstractAsyncContextManager[CryptoWorld]:
    """The same."""
    return open_world(BinanceWorld, folder)


def open_hyperliquid(folder: Path) -> contextlib.AbstractAsyncContextManager[CryptoWorld]:
    """The same."""
    return open_world(HyperliquidWorld, folder)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.kind.name)
def test_the_record_that_the_docs_show_is_of_these_cases(world: type[CryptoWorld]) -> None:
    check_broker_record(Path(__file__).parents[1] / f"conformance/{world.kind.name}.json", world)
