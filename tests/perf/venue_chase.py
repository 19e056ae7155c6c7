"""How could a breach wait, or nothing be done about it? One breach after the other, with something going wrong.

    uv run python tests/perf/venue_chase.py [hyperliquid|bybit|binance] [--minutes 20] [--seed 1] [--accounts 1]

The venue, the engine and this script are processes of their own. In each round somebody buys, the price falls until it
breaks a limit, and in between, at random: either process is stopped for seconds, streams are cut, closed, silent or
full of rubbish, requests fail or hang, the venue goes away, its limit of calls is nearly used up, the clock of the
engine's host is set. A round fails where nothing was bought back within a minute (another one where the calls were
used up), where it was bought back without a breach, or where the engine does not hear of it. Prints one JSON object;
ends with 1 where a round failed, with the folder of that engine, its journal in it, under `--keep`.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parent))

from venue_latency import BROKEN, STEPS

from haltline import Haltline

START, SIZE, LIMIT = 50_000.0, 0.1, 15
PATIENCE_S, WINDOW_S = 60.0, 62.0
RULES = f"""version: 1
rules:
  - id: open-loss
    each: position
    limit: {{value: -position.unrealized_pnl, at: {LIMIT}}}
    then: [close_position]
"""


def serve(name: str, accounts: int, pipe: Connection) -> None:
    """The venue's process."""
    uvloop.run(_serve(name, accounts, pipe))


async def _serve(name: str, number: int, pipe: Connection) -> None:
    from haltline_sim_crypto.binance import BinanceSim
    from haltline_sim_crypto.bybit import BybitSim
    from haltline_sim_crypto.ethereum import address_of
    from haltline_sim_crypto.hyperliquid import HyperliquidSim

    kinds: dict[str, Any] = {"bybit": BybitSim, "binance": BinanceSim, "hyperliquid": HyperliquidSim}
    sim = kinds[name](balance=100_000)
    traders = [sim.account]
    for each in range(1, number):
        secret = "0x" + f"{each + 1}{each + 1}" * 32
        key = address_of(secret) if name == "hyperliquid" else f"key-{each}"
        traders.append(sim.add_account(f"a{each}", key=key, secret=secret, balance=100_000))
    async with sim:
        pipe.send([(sim.port, each.key, each.secret) for each in traders])
        await _obey(sim, traders, pipe)


async def _obey(sim: Any, traders: list[Any], pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    does: dict[str, Callable[..., Any]] = {
        "price": lambda at: sim.price("BTC", at),
        "buy": lambda who: sim.trades("BTC", SIZE, account=traders[who]),
        "held": lambda who: float(sim.position("BTC", account=traders[who]).quantity),
        "abort": sim.streams.abort, "close": sim.streams.close, "malformed": sim.streams.malformed,
        "mute": sim.streams.mute, "mend": sim.mend, "arm": lambda kind, call, more: sim.arm(kind, call, **more),
        "spend": lambda weight: sim.pace.spend("weight", _weight(sim), weight),
    }  # fmt: skip
    while True:
        what, *given = await loop.run_in_executor(None, pipe.recv)
        if what == "end":
            return
        if what in ("down", "up", "restart"):
            await getattr(sim, what)()
            pipe.send(None)
        else:
            said = does[what](*given)
            pipe.send(said if isinstance(said, float) else None)


def _weight(sim: Any) -> Any:
    from haltline_sim_crypto.limit import Limit

    return Limit(weight=2400 if sim.venue == "binance" else 1200, seconds=60.0)


def guard(folder: str, pipe: Connection) -> None:
    """The engine's process, whose clock can be set."""
    ahead, now_ns, now = [0.0], time.time_ns, time.time
    time.time_ns = lambda: now_ns() + round(ahead[0] * 1e9)
    time.time = lambda: now() + ahead[0]
    uvloop.run(_guard(Path(folder), ahead, pipe))


async def _guard(folder: Path, ahead: list[float], pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    async with Haltline.open(folder / "haltline.yaml", environ=os.environ) as engine:
        pipe.send(True)
        while True:
            what, *given = await loop.run_in_executor(None, pipe.recv)
            if what == "end":
                return
            if what == "set":
                ahead[0] += given[0]
            if what == "idle":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE_S):
                        await engine.until_idle()
            books = engine.engine.kernel.state.accounts
            pipe.send([any(each.quantity for each in books[name].book.values()) for name in sorted(books)])


class Peer:
    """A process that answers what it is told."""

    def __init__(self, target: Callable[..., None], *given: object) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=target, args=(*given, there), daemon=True)
        self.process.start()

    def __call__(self, *command: object) -> Any:
        self.pipe.send(command)
        return self.answer()

    def answer(self) -> Any:
        """What it says next; raises TimeoutError."""
        if not self.pipe.poll(90.0):
            raise TimeoutError("a process does not answer")
        return self.pipe.recv()

    def stop_for(self, seconds: float) -> None:
        """Stop it and let it go on."""
        os.kill(int(self.process.pid or 0), signal.SIGSTOP)
        time.sleep(seconds)  # sleeps: it stands still for so long
        os.kill(int(self.process.pid or 0), signal.SIGCONT)

    def end(self) -> None:
        """Let it end; it is killed where it does not."""
        with contextlib.suppress(OSError):
            self.pipe.send(("end",))
        self.process.join(20)
        if self.process.is_alive():
            self.process.kill()


@dataclass
class Chase:
    """One venue and one engine, and what went wrong on purpose."""

    name: str
    number: int
    chance: random.Random
    folder: Path
    took: list[float] = field(default_factory=list)
    did: list[str] = field(default_factory=list)
    free_at: float = 0.0
    """When the venue's limit of calls has room again, on the monotonic clock."""

    def __post_init__(self) -> None:
        self.venue = Peer(serve, self.name, self.number)
        keys = self.venue.answer()
        (self.folder / "rules.yaml").write_text(RULES)
        (self.folder / "haltline.yaml").write_text("\n".join(_setup(self.name, keys)))
        self.engine = Peer(guard, str(self.folder))
        self.engine.answer()

    def round(self) -> str:
        """Buy, break the limit, wait; returns what is wrong, empty for nothing."""
        who = self.chance.randrange(self.number)
        self.did = []
        self.venue("price", START)
        self._trouble()
        self.engine("idle")
        time.sleep(self.chance.choice([0.0, 0.3, 1.0]))  # sleeps: people take their time
        self.venue("buy", who)
        self._trouble()
        if not self._until(lambda: self.engine("look")[who] or not self.venue("held", who), PATIENCE_S + WINDOW_S):
            return "the engine does not hear of the position"
        for step in STEPS if self.chance.random() < 0.65 else ():
            self.venue("price", round(START * step, 1))
            time.sleep(self.chance.choice([0.02, 0.1, 0.4]))  # sleeps: so does a market
        self._trouble()
        if not self.venue("held", who):
            return "it was closed without a breach"
        self.venue("price", round(START * BROKEN, 1))
        began = time.monotonic()
        self._trouble()
        patience_s = PATIENCE_S + max(0.0, self.free_at - time.monotonic())
        if not self._until(lambda: not self.venue("held", who), patience_s):
            return "nothing was done about the breach"
        self.took.append(time.monotonic() - began)
        self.venue("mend")
        closed = self._until(lambda: not self.engine("look")[who], PATIENCE_S + WINDOW_S)
        time.sleep(self.chance.choice([0.2, 1.0, 3.0, 6.0]))  # sleeps: people take their time
        return "" if closed else "the engine does not hear of the close"

    def end(self) -> None:
        """End both processes."""
        self.engine.end()
        self.venue.end()

    def _trouble(self) -> None:
        """Something, in one of three cases."""
        if self.chance.random() < 0.33:
            what = self.chance.choice(TROUBLES)
            self.did.append(what)
            self._do(what)

    def _do(self, what: str) -> None:
        chance = self.chance
        match what:
            case "engine stops":
                self.engine.stop_for(chance.uniform(0.5, 5))
            case "venue stops":
                self.venue.stop_for(chance.uniform(0.5, 5))
            case "venue away":
                self.venue("down")
                time.sleep(chance.uniform(0.3, 4))  # sleeps: it is away for so long
                self.venue("up")
            case "clock set":
                self.engine("set", chance.choice([-90, -20, -5, -0.2, 0.2, 5, 30, 90]))
            case "calls spent":
                self.venue("spend", chance.randint(200, 1100))
                self.free_at = time.monotonic() + WINDOW_S
            case "fault" | "hang":
                kind = "hang" if what == "hang" else chance.choice(["status", "drop", "truncate", "garbage", "delay"])
                call = chance.choice(["*", "place", "positions", "tickers", "order"])
                more = {"count": chance.randint(1, 2 if what == "hang" else 6), "after_s": chance.uniform(0.2, 5)}
                self.venue("arm", kind, call, {**more, "status": chance.choice([429, 500, 502])})
            case _:
                self.venue(what)

    def _until(self, is_so: Callable[[], object], longest_s: float) -> bool:
        end = time.monotonic() + longest_s
        while not is_so():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)  # sleeps: a process tells nobody of us when it is done
        return True


TROUBLES = (
    "engine stops", "venue stops", "venue away", "clock set", "calls spent", "fault", "fault", "fault", "hang", "abort",
    "close", "malformed", "mute", "restart",
)  # fmt: skip


def _setup(name: str, keys: list[tuple[int, str, str]]) -> Iterator[str]:
    names = ("wallet", "private_key") if name == "hyperliquid" else ("api_key", "api_secret")
    yield "version: 1\nmode: live\nplugins: [broker_ccxt]\nrules: [rules.yaml]\nstore: {path: haltline.db}\naccounts:"
    for number in range(len(keys)):
        yield f"  a{number}: {{broker: v{number}, balance: 100000, calendar: 24/7, mark: last}}"
    yield "brokers:"
    for number, (port, key, secret) in enumerate(keys):
        config = {names[0]: key, names[1]: secret, "host": f"127.0.0.1:{port}"}
        yield f"  v{number}: {{kind: {name}, config: {json.dumps(config)}}}"


def chase(name: str, *, minutes: float, seed: int, accounts: int, keep: Path) -> dict[str, object]:
    """Rounds until the time is up, on a new engine every few minutes; the first failure ends it."""
    end, chance = time.monotonic() + minutes * 60, random.Random(seed)
    took: list[float] = []
    while time.monotonic() < end:
        folder = Path(tempfile.mkdtemp())
        now = Chase(name, accounts, chance, folder)
        until = min(end, time.monotonic() + chance.uniform(120, 300))
        wrong = ""
        while not wrong and time.monotonic() < until:
            wrong = now.round()
        now.end()
        took += now.took
        if wrong:
            shutil.copytree(folder, keep, dirs_exist_ok=True)
        shutil.rmtree(folder)
        if wrong:
            return {"breaches": len(took), "wrong": wrong, "trouble": now.did, "seed": seed, "kept": str(keep)}
    took.sort()
    return {"breaches": len(took), "p50_s": round(took[len(took) // 2], 2), "longest_s": round(took[-1], 2)}


def main() -> int:
    """Chase one venue."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venue", nargs="?", choices=["hyperliquid", "bybit", "binance"], default="hyperliquid")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("venue-chase"))
    given = parser.parse_args()
    found = chase(given.venue, minutes=given.minutes, seed=given.seed, accounts=given.accounts, keep=given.keep)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 1 if "wrong" in found else 0


if __name__ == "__main__":
    sys.exit(main())
