"""A bad day at Hyperliquid, with everything but the venue and the trader as you would run it.

    uv run python examples/hyperliquid/run.py

The engine and the client of the venue (ccxt) are real; the venue is a simulator on this machine that speaks its wire
format and checks every signature, and the trader is scripted.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from haltline import Haltline
from haltline.journal.receipt import Receipt
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId
from haltline_sim_crypto.hyperliquid import HyperliquidSim

HERE = Path(__file__).parent
MAIN, SYMBOL = AccountId("main"), "BTCUSDC"


async def main() -> None:
    """Play the day."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder) / "desk"
        shutil.copytree(HERE, desk, ignore=shutil.ignore_patterns("var", "__pycache__", "*.py"))
        async with HyperliquidSim() as sim:
            keys = sim.credentials
            own = {"HYPERLIQUID_WALLET": keys["walletAddress"], "HYPERLIQUID_KEY": keys["privateKey"]}
            environ = {**os.environ, **own, "VENUE_HOST": f"127.0.0.1:{sim.port}"}
            async with Haltline.open(desk / "haltline.yaml", environ=environ) as engine:
                await play(engine, sim)
            assert not sim.position(SYMBOL).quantity


async def play(engine: Haltline, sim: HyperliquidSim) -> None:
    """Prices, a loss, the flatten, and a trade that was not to be."""
    receipts = list[Receipt]()
    engine.watch_actions(lambda progress: receipts.append(progress.receipt) if progress.receipt else None)
    state = engine.engine.kernel.state

    await sim.wait_for_stream("private")
    sim.price(SYMBOL, 60_010)
    await until(lambda: SYMBOL in state.names and state.names[SYMBOL].mark == 60_010.0)
    print("live price:    ", SYMBOL, " at ", state.names[SYMBOL].mark, sep="")

    sim.trades(SYMBOL, "0.1")
    sim.orders(SYMBOL, "-0.1", stop=50_000, reduces=True)
    await until(lambda: SYMBOL in state.accounts[MAIN].book)
    print("the trader:    buys 0.1 BTC, with a stop at 50000")

    for price in range(60_000, 57_000, -200):
        sim.price(SYMBOL, price)
        await asyncio.sleep(0.05)
        if state.accounts[MAIN].day.loss >= 200:
            break

    await until(lambda: any(receipt.name == "flatten" for receipt in receipts))
    told(receipts[-1])
    print(f"the venue:     holds {float(sim.position(SYMBOL).quantity):g} BTC, working orders {len(sim.open_orders)}")
    answer = engine.check(account="main", symbol=SYMBOL, side="buy", quantity=0.01)
    print("may he buy?    ", "yes" if answer.allowed else f"no: {answer.reasons[0]}", sep="")

    sim.trades(SYMBOL, "-0.05")
    print("the trader:    sells 0.05 BTC on the venue's own screen")
    await until(lambda: any(receipt.name == "close_position" for receipt in receipts))
    told(receipts[-1])
    print(f"the venue:     holds {float(sim.position(SYMBOL).quantity):g} BTC")


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
    asyncio.run(main())
