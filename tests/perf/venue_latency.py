"""From a breach at a venue to the order that answers it, through the genuine clients; prints one JSON object.

    uv run python tests/perf/venue_latency.py [projectx bybit binance hyperliquid] [--rounds 100]

Each venue is a simulator in a process of its own, on loopback, with its real wire format; the engine is the real one
with its journal on disk. In each round somebody buys at the venue, and the price falls in small steps, the last of
which breaks a rule of the position: a move, as markets make them. After a single jump the engine waits for a second
price, or a second (ADR 0020). The venue's own clock stands at both ends:

    breach → order    the venue sends the price → the closing order arrives there, in milliseconds

Beside it stands the 500 ms that the origin of this product aimed at. What is in it: the venue's push, the client
library, the decision, an fsync, a signed request. A real venue adds its network, twice. The first rounds are told
apart: they open connections and fill caches. So is what else the machine had to do.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from haltline import Haltline

ORIGIN_MS = 500.0
STEPS, BROKEN, STEP_S = (0.9994, 0.9988, 0.9982, 0.9976), 0.9969, 0.1
"""The price on its way, as parts of where it began; the limit stands at 0.9970."""
WARM = 2
RULES = """version: 1
rules:
  - id: open-loss
    each: position
    limit: {value: -position.unrealized_pnl, at: LOSS}
    then: [close_position]
"""
SETUP = """version: 1
mode: live
plugins: [PLUGIN]
accounts: {eval: {broker: venue, balance: 50000, calendar: 24/7, mark: last}}
brokers: {venue: {kind: KIND, config: CONFIG}}
rules: [rules.yaml]
store: {path: haltline.db}
"""


@dataclass(frozen=True)
class Venue:
    """One venue: how its simulator is driven, and how the engine is set up for it."""

    plugin: str
    symbol: str
    start: float
    size: float
    call: str
    pause_s: float
    """Between two rounds: a breach every second would measure the venue's limit of calls, which makes enforcement wait.
    ProjectX takes 200 a minute, and a breach with what is read around it about a dozen; Binance weighs its calls.
    """

    @property
    def loss(self) -> float:
        """What a fall of 0.3 % costs, roughly: the rule's limit."""
        return round(self.start * 0.003 * self.size * (2 if self.plugin == "broker_projectx" else 1), 2)


VENUES = {
    "projectx": Venue("broker_projectx", "MNQZ5", 21_000.0, 4, "Position/closeContract", 6.0),
    "bybit": Venue("broker_ccxt", "BTCUSDT", 50_000.0, 0.1, "place", 2.0),
    "binance": Venue("broker_ccxt", "BTCUSDT", 50_000.0, 0.1, "place", 6.0),
    "hyperliquid": Venue("broker_ccxt", "BTC", 50_000.0, 0.1, "place", 6.0),
}


def serve(name: str, rounds: int, pipe: Connection) -> None:
    """The venue's process: opens positions, breaks limits, and times what comes back."""
    uvloop.run(_serve(name, VENUES[name], rounds, pipe))


async def _serve(name: str, venue: Venue, rounds: int, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    sim, config, buy = _simulator(name, venue)
    async with sim:
        pipe.send(config())
        sim.price(venue.symbol, venue.start)
        await loop.run_in_executor(None, pipe.recv)
        for _ in range(rounds):
            sim.price(venue.symbol, venue.start)
            buy()
            await loop.run_in_executor(None, pipe.recv)  # the engine has seen the position
            before = len(sim.calls(venue.call))
            for step in STEPS:
                sim.price(venue.symbol, round(venue.start * step, 2))
                await asyncio.sleep(STEP_S)  # sleeps: prices of one instant are one observation
            began = time.perf_counter()
            sim.price(venue.symbol, round(venue.start * BROKEN, 2))
            await sim.watch.until(lambda seen=before: len(sim.calls(venue.call)) > seen or None, timeout_s=30.0)
            pipe.send((time.perf_counter() - began) * 1e3)
            await loop.run_in_executor(None, pipe.recv)  # the engine has seen that it is closed
        pipe.send(None)


def _simulator(name: str, venue: Venue) -> tuple[Any, Callable[[], str], Callable[[], object]]:
    """The simulator, what the engine's config says once it is up, and somebody who buys there."""
    if name == "projectx":
        from haltline_sim_projectx.server import KEY, USER, ProjectXSim

        projectx = ProjectXSim()
        trader = projectx.trader("PRACTICE77")
        return (
            projectx,
            lambda: json.dumps({
                "user": USER, "key": KEY, "accounts": {"eval": "PRACTICE77"}, "contracts": ["MNQ"],
                "api_url": f"{projectx.url}/api", "hub_url": f"{projectx.url}/hubs",
            }),
            lambda: trader.buys(venue.symbol, int(venue.size)),
        )  # fmt: skip
    from haltline_sim_crypto.binance import BinanceSim
    from haltline_sim_crypto.bybit import BybitSim
    from haltline_sim_crypto.hyperliquid import HyperliquidSim

    kinds: dict[str, Any] = {"bybit": BybitSim, "binance": BinanceSim, "hyperliquid": HyperliquidSim}
    sim = kinds[name](balance=100_000, limits=False)
    names = {"apiKey": "api_key", "secret": "api_secret", "walletAddress": "wallet", "privateKey": "private_key"}

    def config() -> str:
        keys = {names[key]: value for key, value in sim.credentials.items() if key in names}
        return json.dumps({**keys, "host": f"127.0.0.1:{sim.port}"})

    return sim, config, lambda: sim.trades(venue.symbol, venue.size)


async def measure(name: str, rounds: int) -> list[float]:
    """The milliseconds of each round."""
    venue, (here, there) = VENUES[name], multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(name, rounds, there), daemon=True)
    process.start()
    loop = asyncio.get_running_loop()
    config = await loop.run_in_executor(None, here.recv)
    found: list[float] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        text = SETUP.replace("PLUGIN", venue.plugin).replace("KIND", name).replace("CONFIG", config)
        (folder / "haltline.yaml").write_text(text)
        (folder / "rules.yaml").write_text(RULES.replace("LOSS", str(venue.loss)))
        async with Haltline.open(folder / "haltline.yaml", environ=os.environ) as engine:
            book = engine.engine.kernel.state.accounts["eval"].book
            here.send("up")
            for _ in range(rounds):
                await until(lambda: any(each.quantity and each.mark == each.mark for each in book.values()))
                await engine.until_idle()
                here.send("held")
                found.append(await loop.run_in_executor(None, here.recv))
                await until(lambda: not any(each.quantity for each in book.values()))
                await engine.until_idle()
                await asyncio.sleep(venue.pause_s)  # sleeps: the venue's limits of calls
                here.send("flat")
            await loop.run_in_executor(None, here.recv)
    process.join(10)
    return found


async def until(holds: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
    """Wait for something to become so."""
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - what a venue does comes by no event of ours
            await asyncio.sleep(0.002)


def summary(found: list[float]) -> dict[str, float]:
    """Percentiles, by rank, of the rounds after the first ones."""
    ordered = sorted(found[WARM:])
    return {
        "rounds": len(ordered),
        "warm_up_max_ms": round(max(found[:WARM]), 2),
        "p50_ms": round(ordered[len(ordered) // 2], 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
        "max_ms": round(ordered[-1], 2),
        "origin_ms": ORIGIN_MS,
    }


def main() -> None:
    """Measure one venue after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venues", nargs="*", choices=[*VENUES, []], default=[])
    parser.add_argument("--rounds", type=int, default=100)
    given = parser.parse_args()
    before = os.getloadavg()[0]
    report: dict[str, object] = {
        name: summary(uvloop.run(measure(name, given.rounds + WARM))) for name in given.venues or VENUES
    }
    report["machine"] = {"processors": os.cpu_count(), "load_before": before, "load_after": os.getloadavg()[0]}
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
