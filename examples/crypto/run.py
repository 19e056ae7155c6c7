"""A bad day at a crypto venue, with everything but the venue and the trader as you would run it.

    uv run python examples/crypto/run.py binance
    uv run python examples/crypto/run.py bybit
    uv run python examples/crypto/run.py hyperliquid

The engine and the client of the venue (ccxt) are real; the venue is a simulator on this machine that speaks its wire
format and checks every signature, and the trader is scripted.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from haltline import Haltline
from haltline.journal.receipt import Receipt
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId
from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim
from haltline_sim_crypto.server import CryptoSim

HERE = Path(__file__).parent
MAIN = AccountId("main")
VENUES = {
    "binance": (BinanceSim, "BTCUSDT", {"BINANCE_API_KEY": "apiKey", "BINANCE_API_SECRET": "secret"}),
    "bybit": (BybitSim, "BTCUSDT", {"BYBIT_API_KEY": "apiKey", "BYBIT_API_SECRET": "secret"}),
    "hyperliquid": (
        HyperliquidSim, "BTCUSDC", {"HYPERLIQUID_WALLET": "walletAddress", "HYPERLIQUID_KEY": "privateKey"},
    ),
}  # fmt: skip
"""A venue's simulator, what is traded there, and which of its credentials the set-up wants in which variable."""


async def main(venue: str) -> None:
    """Play the day."""
    simulator, symbol, variables = VENUES[venue]
    with tempfile.TemporaryDirectory() as folder:
        for name in (f"{venue}.yaml", "rules.yaml"):
            shutil.copy(HERE / name, folder)
        async with simulator() as sim:
            own = {variable: sim.credentials[name] for variable, name in variables.items()}
            environ = {**os.environ, **own, "VENUE_HOST": f"127.0.0.1:{sim.port}"}
            async with Haltline.open(Path(folder) / f"{venue}.yaml", environ=environ) as engine:
                await play(engine, sim, symbol)
            assert not sim.position(symbol).quantity


async def play(engine: Haltline, sim: CryptoSim, symbol: str) -> None:
    """Prices, a loss, the flatten, and a trade that was not to be."""
    receipts = list[Receipt]()
    engine.watch_actions(lambda progress: receipts.append(progress.receipt) if progress.receipt else None)
    state = engine.engine.kernel.state

    await sim.wait_for_stream("private")
    sim.price(symbol, 60_010)
    await until(lambda: symbol in state.names and state.names[symbol].mark == 60_010.0)
    print("live price:    ", symbol, " at ", state.names[symbol].mark, sep="")

    sim.trades(symbol, "0.1")
    sim.orders(symbol, "-0.1", stop=50_000, reduces=True)
    await until(lambda: symbol in state.accounts[MAIN].book)
    print("the trader:    buys 0.1 BTC, with a stop at 50000")

    for price in range(60_000, 57_000, -200):
        sim.price(symbol, price)
        await asyncio.sleep(0.05)
        if state.accounts[MAIN].day.loss >= 200:
            break

    await until(lambda: any(receipt.name == "flatten" for receipt in receipts))
    told(receipts[-1])
    print(f"the venue:     holds {float(sim.position(symbol).quantity):g} BTC, working orders {len(sim.open_orders)}")
    answer = engine.check(account="main", symbol=symbol, side="buy", quantity=0.01)
    print("may he buy?    ", "yes" if answer.allowed else f"no: {answer.reasons[0]}", sep="")

    sim.trades(symbol, "-0.05")
    print("the trader:    sells 0.05 BTC on the venue's own screen")
    await until(lambda: any(receipt.name == "close_position" for receipt in receipts))
    told(receipts[-1])
    print(f"the venue:     holds {float(sim.position(symbol).quantity):g} BTC")


def told(receipt: Receipt) -> None:
    """A receipt in a line."""
    assert receipt.status is OutcomeStatus.DONE, receipt
    proof = receipt.proof.value if receipt.proof else "nobody"
    print(f"the engine:    {receipt.name} done, confirmed by {proof}")


async def until(look: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    """Wait for something to become so."""
    async with asyncio.timeout(timeout_s):
        while not look():  # noqa: ASYNC110 - what the engine and the venue do comes by no event of ours
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    if sys.argv[1:] not in [[venue] for venue in VENUES]:
        sys.exit(f"usage: run.py {'|'.join(VENUES)}")
    asyncio.run(main(sys.argv[1]))
