"""Half an hour of trouble at four venues: is a breach missed, anything flattened falsely, does anything leak?

    uv run python tests/perf/venue_soak.py [projectx bybit binance hyperliquid] [--minutes 30] [--seed 11]

The engine is the real one, its journal on disk, with the genuine clients (project-x-py and pysignalr, ccxt.pro); all
venues are simulators in one process of their own, on loopback, in their real wire formats. At each of them somebody
trades on the venue's own screen, the market walks, crashes and tells phantom prices, and faults strike: requests are
refused, hang, come late, are cut, are answered with nonsense or twice; streams fall silent, break, close, are out of
order; sessions end; clocks differ; venues go down and come back. Operators ask and order meanwhile.

`venue_play` judges with the venue's own knowledge. Prints one JSON object; ends with 1 where something is wrong.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from soak import rss_mb
from venue_desk import SYMBOLS, Desk, desk_of
from venue_play import MOST_UNITS, Breach, Findings, Play, Told

from haltline import Haltline
from haltline.api.control import Caller
from haltline.journal.store import Journal

ANN = Caller(platform="telegram", user="1")
LOOKS = ("status", "incidents", "limits", "health", "accounts", "history 5", "nonsense")
TELL_S = 0.1
SETTLED_S = 90.0
"""Growth counts from here on: clients have opened what they keep open."""
MOST_GROWN = {"tasks": 12, "files": 16, "threads": 3}
MOST_MB_PER_MINUTE = 1.5


# -- the venues' process -----------------------------------------------------------------------------------------------


def serve(names: Sequence[str], seconds: float, seed: int, pipe: Connection) -> None:
    """The venues' process."""
    uvloop.run(_serve(names, seconds, seed, pipe))


async def _serve(names: Sequence[str], seconds: float, seed: int, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    desks = [desk_of(name, random.Random(f"{seed} faults {name}")) for name in names]
    for desk in desks:
        await desk.sim.__aenter__()
        desk.say(desk.start)
    pipe.send([(desk.name, desk.plugin, desk.config, desk.limit, desk.unit) for desk in desks])
    await loop.run_in_executor(None, pipe.recv)
    plays = {
        desk.name: Play(desk, random.Random(f"{seed} {desk.name}"), lambda *what: pipe.send(what)) for desk in desks
    }
    loop.add_reader(pipe.fileno(), lambda: _hear(pipe, plays))
    os.set_blocking(pipe.fileno(), True)  # uvloop has changed that
    async with asyncio.TaskGroup() as group:
        for play in plays.values():
            group.create_task(play.run(seconds))
    loop.remove_reader(pipe.fileno())
    os.set_blocking(pipe.fileno(), True)
    pipe.send(("over", {name: _told(play.desk, play.found, play.told) for name, play in plays.items()}))
    await loop.run_in_executor(None, pipe.recv)
    for desk in desks:
        await desk.sim.__aexit__(None, None, None)


def _hear(pipe: Connection, plays: dict[str, Play]) -> None:
    while pipe.poll():
        for name, told in pipe.recv().items():
            plays[name].hear(told)


def _told(desk: Desk, found: Findings, told: Told | None) -> dict[str, Any]:
    return {
        "found": found, "connections": desk.connections(), "outages": desk.sim.outage_count,
        "requests": len(desk.sim.requests), "violations": sorted(set(getattr(desk.sim, "violations", [])))[:20],
        "realized": {"venue": desk.truth().realized, "engine": told.realized if told is not None else None},
    }  # fmt: skip


# -- the engine's process ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """What the process holds at one instant."""

    second: float
    rss_mb: float
    objects: int
    tasks: int
    files: int
    threads: int


@dataclass
class Watched:
    """What is seen of the engine from inside its process."""

    samples: list[Sample] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    results: dict[str, Any] = field(default_factory=dict)
    tasks: Counter[str] = field(default_factory=Counter)


class Watch:
    """The engine's side: tells the venues what the engine thinks, plays the operators, and looks for leaks."""

    def __init__(self, engine: Haltline, names: Sequence[str], pipe: Connection, seed: int) -> None:
        self.seen = Watched()
        self._engine = engine
        self._kernel = engine.engine.kernel
        self._names = names
        self._pipe = pipe
        self._lot = random.Random(f"{seed} operators")
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._over = asyncio.Event()
        self._statuses: dict[str, str] = {}

    async def run(self) -> None:
        """Until the venues say that it is over."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pipe.fileno(), self._hear)
        os.set_blocking(self._pipe.fileno(), True)  # uvloop has changed that
        self._pipe.send("up")
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(each()) for each in (self._tell, self._order, self._look, self._sample)]
            await self._over.wait()
            self.seen.tasks.update(getattr(each.get_coro(), "__qualname__", "?") for each in asyncio.all_tasks())
            for each in others:
                each.cancel()
        loop.remove_reader(self._pipe.fileno())

    def _hear(self) -> None:
        while self._pipe.poll():
            try:
                what, about = self._pipe.recv()
            except EOFError:
                what, about = "over", {}  # the venues have died: nothing was shown
            if what == "over":
                self.seen.results = about
                self._over.set()
            else:
                self._orders.put_nowait(f"{what} {about}")

    async def _tell(self) -> None:
        while True:
            told = {name: self._opinion(name) for name in self._names}
            for name, each in told.items():
                if self._statuses.get(name) != each.connection:
                    self._statuses[name] = each.connection
                    self.seen.done[f"{name} {each.connection}"] += 1
            self._pipe.send(told)
            await asyncio.sleep(TELL_S)  # sleeps: the pace of the watch

    def _opinion(self, name: str) -> Told:
        account = self._kernel.state.accounts[name]
        held = account.book.get(SYMBOLS[name])
        incidents = tuple(
            f"{view.rule} {view.phase}" for view in self._kernel.incidents() if view.entity.split("/")[0] == name
        )
        under_way = [each for each in self._engine.progress() if each.account == name]
        waiting = [each for each in self._kernel.enforcements() if each.account == name]
        return Told(
            at=time.monotonic(), quantity=0.0 if held is None else held.quantity,
            average=0.0 if held is None else held.average_price,
            orders=len(account.order_book), fills=account.day.fills, cash=account.balance,
            realized=account.day.realized_pnl,
            is_quiet=not under_way and not waiting and not len(self._engine.engine.inbox),
            connection=str(account.connection), incidents=incidents, suspects=tuple(account.suspects.values()),
        )  # fmt: skip

    async def _order(self) -> None:
        while True:
            await self._say(await self._orders.get())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._lot.uniform(0.5, 3))  # sleeps: the pace of the watch
            await self._say(self._lot.choice(LOOKS))

    async def _say(self, line: str) -> None:
        control = self._engine.engine.control
        reply = await control.say(ANN, line)
        confirm = next((button for button in reply.buttons if button.command == "confirm"), None)
        if confirm is not None:
            await control.say(ANN, f"confirm {confirm.arguments['nonce']}")
        self.seen.done[f"command {line.split(maxsplit=1)[0]}"] += 1

    async def _sample(self) -> None:
        begun = time.monotonic()
        while True:
            await asyncio.sleep(5)  # sleeps: the pace of the watch
            gc.collect()
            self.seen.samples.append(
                Sample(
                    second=round(time.monotonic() - begun, 1), rss_mb=round(rss_mb(), 1),
                    objects=len(gc.get_objects()), tasks=len(asyncio.all_tasks()), files=len(os.listdir("/dev/fd")),
                    threads=threading.active_count(),
                )
            )  # fmt: skip


def write(folder: Path, told: Sequence[tuple[str, str, dict[str, object], float, float]]) -> None:
    """Set-up and rules: the loss of each account, and the size of each position."""
    setup = {
        "version": 1, "mode": "live", "plugins": sorted({plugin for _, plugin, *_ in told}),
        "accounts": {
            name: {"broker": name, "balance": 50_000, "calendar": "24/7", "mark": "last"} for name, *_ in told
        },
        "brokers": {name: {"kind": name, "config": config} for name, _, config, *_ in told},
        "operators": {"ann": {"role": "admin", "identities": {"telegram": 1}}},
        "channels": {"log": {"kind": "jsonl", "config": {"path": "messages.jsonl"}}},
        "store": {"path": "haltline.db"}, "rules": ["rules.yaml"],
    }  # fmt: skip
    rules: list[dict[str, object]] = []
    for name, _, _, limit, unit in told:
        loss = {"value": "-account.unrealized_pnl", "at": limit}
        size = {"value": "abs(position.quantity)", "at": round((MOST_UNITS + 0.5) * unit, 4)}
        rules += [
            {"id": f"loss-{name}", "each": "account", "where": f"account.id == '{name}'", "limit": loss,
             "then": ["flatten", "notify"]},
            {"id": f"size-{name}", "each": "position", "where": f"position.account == '{name}'", "limit": size,
             "then": ["close_position", "notify"]},
        ]  # fmt: skip
    (folder / "haltline.yaml").write_text(yaml.safe_dump(setup), "utf-8")
    (folder / "rules.yaml").write_text(yaml.safe_dump({"version": 1, "rules": rules}), "utf-8")


async def soak(folder: Path, names: Sequence[str], *, seconds: float, seed: int) -> dict[str, Any]:
    """Run it; returns the figures."""
    here, there = multiprocessing.Pipe()
    given = (names, seconds, seed, there)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=given, daemon=True)
    process.start()
    told = await asyncio.get_running_loop().run_in_executor(None, here.recv)
    write(folder, told)
    load = os.getloadavg()[0]
    before = len(asyncio.all_tasks()), len(os.listdir("/dev/fd"))
    async with Haltline.open(folder / "haltline.yaml", environ=os.environ) as engine:
        watch = Watch(engine, names, here, seed)
        await watch.run()
        status = engine.status()
    await asyncio.sleep(0.5)  # sleeps: sockets that were closed leave a moment later
    after = len(asyncio.all_tasks()), len(os.listdir("/dev/fd"))
    here.send("bye")
    process.join(10)
    return report(watch.seen, folder) | {
        "minutes": round(seconds / 60, 2), "seed": seed, "events": status.events, "conflated": status.conflated,
        "left_after_the_end": {"tasks": after[0] - before[0], "files": after[1] - before[1]},
        "load": [round(load, 1), round(os.getloadavg()[0], 1)], "processors": os.cpu_count(),
    }  # fmt: skip


# -- what came of it ---------------------------------------------------------------------------------------------------


def report(seen: Watched, folder: Path) -> dict[str, Any]:
    """The figures, and `wrong`: every reason why this was no success."""
    found: dict[str, Findings] = {name: told["found"] for name, told in seen.results.items()}
    journal = Journal.read(folder / "haltline.db")
    try:
        verified = journal.verify()
    finally:
        journal.close()
    growth = grown(seen.samples)
    wrong = [text for each in found.values() for text in (*each.missed, *each.false, *each.differences)]
    wrong += [] if found else ["the venues' process has died"]
    wrong += [f"the journal does not verify: {verified.reason}"] if verified.broken_seq is not None else []
    if growth.get("minutes", 0) >= 2:  # in less, reconnects under way are all there is to see
        wrong += [f"{name} grew by {growth[name]}" for name, most in MOST_GROWN.items() if growth[name] > most]
    if growth.get("minutes", 0) >= 5 and growth["rss_mb_per_minute"] > MOST_MB_PER_MINUTE:
        wrong.append(f"memory grows by {growth['rss_mb_per_minute']} MB a minute")
    every = [breach for each in found.values() for breach in each.breaches if breach.at]
    return {
        "wrong": wrong,
        "missed": sum(len(each.missed) for each in found.values()),
        "false": sum(len(each.false) for each in found.values()),
        "differences": sum(len(each.differences) for each in found.values()),
        "agreements": sum(each.agreements for each in found.values()),
        "breaches": len(every),
        "calm": times([each for each in every if not each.trouble]),
        "in_trouble": times([each for each in every if each.trouble]),
        "venues": {name: of_venue(told) for name, told in seen.results.items()},
        "engine": dict(sorted(seen.done.items())), "growth": growth,
        "tasks": {name: count for name, count in seen.tasks.most_common() if count > 1},
        "journal_records": verified.records,
        "messages": (folder / "messages.jsonl").read_text("utf-8").count("\n"),
        "samples": [asdict(each) for each in seen.samples[:: max(1, len(seen.samples) // 30)]],
    }  # fmt: skip


def of_venue(told: dict[str, Any]) -> dict[str, Any]:
    """One venue's figures."""
    found: Findings = told["found"]
    found.breaches = [each for each in found.breaches if each.at]
    slowest = sorted((each for each in found.breaches if each.flat_ms), key=lambda each: -(each.flat_ms or 0))[:3]
    return {
        "breaches": dict(Counter(each.kind for each in found.breaches)),
        "calm": times([each for each in found.breaches if not each.trouble]),
        "in_trouble": times([each for each in found.breaches if each.trouble]),
        "slowest": [f"{each.kind} {each.flat_ms:.0f} ms, {each.trouble or 'calm'}" for each in slowest],
        "agreements": found.agreements, "done": dict(sorted(found.done.items())),
        **{name: told[name] for name in ("connections", "outages", "requests", "violations", "realized")},
    }  # fmt: skip


def times(found: Sequence[Breach]) -> dict[str, float]:
    """How long it took until the first order, and until the account was flat, by rank."""
    told: dict[str, float] = {"count": len(found)}
    for name, take in (("order", lambda each: each.order_ms), ("flat", lambda each: each.flat_ms)):
        told |= ranks(name, found, take)
    return told


def ranks(name: str, found: Sequence[Breach], take: Callable[[Breach], float | None]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    ordered = sorted(value for each in found if (value := take(each)) is not None)
    if not ordered:
        return {}
    at = {"p50": len(ordered) // 2, "p99": min(len(ordered) - 1, int(len(ordered) * 0.99)), "max": len(ordered) - 1}
    return {f"{name}_{rank}_ms": round(ordered[place], 1) for rank, place in at.items()}


def grown(samples: Sequence[Sample]) -> dict[str, float]:
    """The second half beside the first, from when clients have settled; the medians of both, so that a reconnect under
    way at one instant is no leak. Memory as a slope, over the second half.
    """
    settled = [each for each in samples if each.second >= min(SETTLED_S, samples[-1].second / 3)] if samples else []
    if len(settled) < 4:
        return {}
    middle = len(settled) // 2
    first, last = settled[:middle], settled[middle:]
    minutes = (last[-1].second - last[0].second) / 60
    return {
        **{name: _median(last, name) - _median(first, name) for name in ("tasks", "files", "threads", "objects")},
        "rss_mb_per_minute": round(_slope([(each.second / 60, each.rss_mb) for each in last]), 3),
        "minutes": round(minutes, 1),
    }  # fmt: skip


def _median(samples: Sequence[Sample], name: str) -> float:
    return float(sorted(getattr(each, name) for each in samples)[len(samples) // 2])


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares."""
    x, y = sum(each for each, _ in points) / len(points), sum(each for _, each in points) / len(points)
    spread = sum((each - x) ** 2 for each, _ in points)
    return sum((each - x) * (other - y) for each, other in points) / spread if spread else 0.0


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venues", nargs="*", choices=[*SYMBOLS, []], default=[])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument(
        "--keep", type=Path, help="a folder for journal, set-up and messages; a temporary one if left out"
    )
    given = parser.parse_args()
    names = given.venues or list(SYMBOLS)
    with tempfile.TemporaryDirectory(prefix="haltline-soak-") as made:
        folder = given.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        found = uvloop.run(soak(folder, names, seconds=given.minutes * 60, seed=given.seed))
    sys.stdout.write(json.dumps(found, indent=1, default=str) + "\n")
    sys.exit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
