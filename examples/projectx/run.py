"""A bad day at a ProjectX account, with everything but the platform and the trader as you would run it.

    uv run python examples/projectx/run.py

The engine and both clients of the platform (project-x-py for REST, pysignalr for the hubs) are real; the platform is a
simulator on this machine, and the trader is scripted.
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
from haltline.model.verdict import Transition
from haltline_sim_projectx.server import KEY, USER, ProjectXSim

HERE = Path(__file__).parent
EVAL = AccountId("eval")


async def main() -> None:
    """Play the day."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder) / "desk"
        shutil.copytree(HERE, desk, ignore=shutil.ignore_patterns("var", "__pycache__", "*.py"))
        async with ProjectXSim() as sim:
            own = {"PROJECT_X_USERNAME": USER, "PROJECT_X_API_KEY": KEY, "PROJECTX_URL": sim.url}
            trader = sim.trader("PRACTICE77")
            async with Haltline.open(desk / "haltline.yaml", environ={**os.environ, **own}) as engine:
                await play(engine, sim)
            assert trader.is_flat


async def play(engine: Haltline, sim: ProjectXSim) -> None:
    """Prices, a loss, the flatten, and a trade that was not to be."""
    trader, receipts, changes = sim.trader("PRACTICE77"), list[Receipt](), list[Transition]()
    engine.subscribe(changes.append)
    engine.watch_actions(lambda progress: receipts.append(progress.receipt) if progress.receipt else None)
    state = engine.engine.kernel.state

    sim.price("MNQZ5", 21_000.0)
    await until(lambda: "MNQZ5" in state.names and state.names["MNQZ5"].last == 21_000.0)
    print("live price:    MNQZ5 at", state.names["MNQZ5"].last)

    trader.buys("MNQZ5", 4)
    trader.sells("MNQZ5", 4, stop=20_900.0)
    await until(lambda: "MNQZ5" in state.accounts[EVAL].book)
    print("the trader:    buys 4 MNQ, with a stop 100 points below")

    for price in range(20_990, 20_730, -10):
        sim.price("MNQZ5", float(price))
        if any(change.rule == "daily-loss" and change.phase.value == "breached" for change in changes):
            break
        await asyncio.sleep(0.05)

    await until(lambda: any(receipt.name == "flatten" for receipt in receipts))
    told(receipts[-1])
    print("the platform:  holds", trader.holds("MNQZ5"), "MNQ, working orders", len(sim.market.working(77)))
    answer = engine.check(account="eval", symbol="MNQZ5", side="buy", quantity=1)
    print("may he buy?    ", "yes" if answer.allowed else f"no: {answer.reasons[0]}", sep="")

    trader.sells("MNQZ5", 2)
    print("the trader:    sells 2 MNQ at the platform's own screen")
    await until(lambda: any(receipt.name == "close_position" for receipt in receipts))
    told(receipts[-1])
    print("the platform:  holds", trader.holds("MNQZ5"), "MNQ")


def told(receipt: Receipt) -> None:
    """A receipt in a line."""
    assert receipt.status is OutcomeStatus.DONE
    proof = receipt.proof.value if receipt.proof else "nobody"
    print(f"the engine:    {receipt.name} done, confirmed by {proof}")


async def until(look: Callable[[], object], *, timeout_s: float = 15.0) -> None:
    """Wait for something to become so."""
    async with asyncio.timeout(timeout_s):
        while not look():  # noqa: ASYNC110 - what the engine and the platform do comes by no event of ours
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main())
