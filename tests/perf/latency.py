"""From a breach to the order that answers it, on the live engine under load; prints one JSON object.

    uv run python tests/perf/latency.py [--breaches 100] [--sort move] [--positions 500] [--rate 5000] [--profile FILE]

A breach takes half a second to a second where little else runs, so 100 of each sort take two minutes or three; beside
ten busy processes it was five seconds. How far it is stands on the standard error. By nearest rank p99 of fewer than
100 breaches, and p99.9 of fewer than 1000, is the slowest of them.

The engine is the real one: journal on disk with its fsyncs, the system's clock, uvloop, fifty rules and a loss rule per
account, 500 positions in ten accounts. The venue is another process on loopback TCP that quotes without pause. Each
breach is one quote that breaks an account's loss rule; the engine flattens the account (fifty positions), and the venue
opens it again for the next round. Breaches are of two sorts: a move is close enough to the quote before to be believed,
and is acted on at once; a jump is not, and waits for a quote that agrees with it, which comes when it is the symbol's
turn again (positions / rate later). What is flat must hold for `--hold` seconds, 0.1 here and a whole one by default of
the engine: nothing happens meanwhile that is measured. Milliseconds throughout. The stages:

    read → planned        the quote is read from the socket → the plan is on disk
    agreed → planned      of a jump: the quote that agrees is read → the plan is on disk
    read → first call     … → the first request is handed to the broker's connection
    read → first order    … → the first order is
    sent → order arrived  the venue sends the quote → the venue has the first order (both by the machine's clock)
    read → flat           … → the venue, asked again, shows no position
"""

import argparse
import asyncio
import cProfile
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

sys.path.insert(0, str(Path(__file__).parent))

from book import members, rule_specs
from loopback import CALM, CRASHED, LOOPBACK, NEAR, LoopbackBroker, LoopbackFeed

from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.clock import NS_PER_S, SystemClock
from haltline.config.settings import BrokerEntry, RuleBook, Setup, StoreEntry
from haltline.enforce.budget import Budget
from haltline.journal.receipt import Receipt
from haltline.model.event import ActionOutcome
from haltline.model.id import AccountId, RuleId
from haltline.model.plan import Result
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, RuleSpec, Scope
from haltline.runtime.compose import Parts
from haltline.runtime.embed import Haltline
from haltline.runtime.pace import calm, settle

LOSS = RuleSpec(
    id=RuleId("open-loss"),
    each=Scope.ACCOUNT,
    limit=LimitSpec(value="-account.unrealized_pnl", comparison=Comparison.AT, threshold=40.0),
    then=(ActionSpec(name="block_entries"), ActionSpec(name="flatten")),
)
SORTS = ("move", "jump")
SAMPLE_S = 0.002
LONGEST_S = 60.0
HOLD_S = 0.1


@dataclass
class Breach:
    """One breach; every instant in UTC nanoseconds, 0 until it happened."""

    account: str
    sort: str
    sent: int = 0
    read: int = 0
    agreed: int = 0
    planned: int = 0
    called: int = 0
    ordered: int = 0
    arrived: int = 0
    flat: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Load:
    """What the machine and the loop went through meanwhile."""

    lags: list[float] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    collections: list[float] = field(default_factory=list)
    snapshots: list[float] = field(default_factory=list)
    writes: dict[str, list[float]] = field(default_factory=dict)


class Meter:
    """Marks the instants of one breach per account at a time."""

    def __init__(self, clock: SystemClock) -> None:
        self.open: dict[str, Breach] = {}
        self.done: list[Breach] = []
        self.failures: Counter[str] = Counter()
        self._clock = clock

    def begin(self, account: str, sort: str) -> Breach:
        """The next breach of an account."""
        breach = self.open[account] = Breach(account, sort)
        return breach

    def on_crash(self, account: str, sent: int, now: int) -> None:
        """A quote of a crashed symbol was read."""
        breach = self.open.get(account)
        if breach is not None and not breach.read:
            breach.sent, breach.read = sent, now
        elif breach is not None and not breach.agreed:
            breach.agreed = now

    def on_result(self, result: Result) -> None:
        """Something was put on record."""
        for action in result.plan:
            if action.name == "flatten" and action.account in self.open:
                self.open[action.account].planned = self._clock.now()

    def on_call(self, verb: str, account: AccountId, at: int) -> None:
        """A request is about to be sent."""
        breach = self.open.get(account)
        if breach is None or not breach.planned:
            return
        breach.called = breach.called or at
        if verb == "submit":
            breach.ordered = breach.ordered or at

    def on_answer(self, verb: str, account: AccountId, arrived: int) -> None:
        """The venue has answered; `arrived` is when the request reached it."""
        breach = self.open.get(account)
        if breach is not None and verb == "submit":
            breach.arrived = breach.arrived or arrived

    def on_outcome(self, outcome: ActionOutcome, receipt: Receipt) -> None:
        """An action has ended."""
        breach = self.open.pop(receipt.account, None)
        if breach is None:
            return
        if receipt.remaining is not None and not receipt.remaining.positions:
            breach.flat = receipt.ended_at if receipt.reached_at is None else receipt.reached_at
            self.done.append(breach)
        else:
            self.failures[f"{receipt.status}: {receipt.reason}"] += 1
        breach.over.set()


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p99, p99.9 and the largest, by nearest rank."""
    if not values:
        return {}
    ranked = sorted(values)

    def at(part: float) -> float:
        return round(ranked[min(len(ranked) - 1, int(len(ranked) * part))], 3)

    return {"p50": at(0.5), "p99": at(0.99), "p99.9": at(0.999), "max": round(ranked[-1], 3)}


def parts_of(positions: int, port: int, path: Path) -> Parts:
    """The set-up of the measurement, as `haltline run` would have read it from files."""
    registry = Registry()
    for hook in (plugin.haltline_register_actions, plugin.haltline_register_functions, plugin.haltline_register_feeds):
        hook(registry)
    registry.add_broker(LOOPBACK)
    accounts, instruments, _ = members(positions)
    setup = Setup(
        path=path / "haltline.yaml",
        directory=path,
        store=StoreEntry(path=path / "journal.db"),
        live=True,
        accounts=tuple(msgspec.structs.replace(account, broker="venue") for account in accounts),
        instruments=instruments,
        brokers=(BrokerEntry(name="venue", kind="loopback", config={"port": port}),),
    )
    return Parts(setup=setup, book=RuleBook(rules=(*rule_specs(), LOSS)), registry=registry)


@contextmanager
def venue(positions: int, rate: int) -> Iterator[int]:
    """The venue's process; its port."""
    script = Path(__file__).with_name("loopback.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(positions), str(rate)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class Bench:
    """An engine under load, and what is measured on it."""

    def __init__(self, engine: Haltline, feed: LoopbackFeed, meter: Meter, positions: int) -> None:
        self.engine = engine
        self.feed = feed
        self.meter = meter
        self.load = Load()
        self._positions = positions
        self._per_account = positions // len(engine.status().accounts)
        self._broker = cast("LoopbackBroker", engine.engine._brokers["venue"])
        self._broker.on_call, self._broker.on_answer = meter.on_call, meter.on_answer
        engine.engine.publisher.subscribers.append(meter.on_result)
        report = engine.engine._executor._report

        def reported(outcome: ActionOutcome, receipt: Receipt) -> None:
            report(outcome, receipt)
            meter.on_outcome(outcome, receipt)

        engine.engine._executor._report = reported
        self._watch_snapshots()
        self._watch_writes()

    def _watch_snapshots(self) -> None:
        kernel = self.engine.engine.kernel
        take = kernel.snapshot
        setattr(kernel, "snapshot", timed(take, self.load.snapshots))  # noqa: B010 - a test's hook on a method

    def _watch_writes(self) -> None:
        writer = cast("Any", self.engine.engine._writer)
        for name in ("run", "record"):
            times = self.load.writes[name] = []
            setattr(writer, name, timed_async(getattr(writer, name), times))

    async def breach(self, number: int, sort: str) -> None:
        """Break one account's rule by a move or a jump, wait until it is flat, and have everything opened again."""
        account = f"a{number % 10}"
        symbol = f"S{number % self._positions:05d}"
        instrument = self.engine.engine.kernel.state.instruments[symbol]
        if sort == "move":
            await self._broker.call("price", AccountId(""), (symbol, NEAR))
            await until(lambda: instrument.mark <= NEAR + 0.1, f"{symbol} is near")
        breach = self.meter.begin(account, sort)
        await self._broker.call("price", AccountId(""), (symbol, CRASHED))
        await until(breach.over.is_set, f"the {sort} of {symbol} is answered and {account} is flat")
        await self._broker.call("price", AccountId(""), (symbol, CALM))
        await until(lambda: instrument.mark >= CALM, f"{symbol} is calm")
        await self._broker.call("open", AccountId(""), account)
        await until(lambda: self._is_whole(account), f"{account} is open again")

    def _is_whole(self, account: str) -> bool:
        kernel = self.engine.engine.kernel
        state = kernel.state.accounts[account]
        live = any(view.entity == account and view.rule == LOSS.id for view in kernel.incidents())
        return state.open_positions == self._per_account and not live

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        """Sample the loop, the inbox and the collector meanwhile."""
        started: list[float] = []

        def collected(phase: str, info: dict[str, int]) -> None:
            if phase == "start":
                started.append(time.perf_counter())
            elif started:
                self.load.collections.append((time.perf_counter() - started.pop()) * 1000)

        gc.callbacks.append(collected)
        sampler = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            sampler.cancel()
            gc.callbacks.remove(collected)

    async def _sample(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(SAMPLE_S)  # sleeps: how late it wakes is what is measured
            self.load.lags.append((time.perf_counter() - before - SAMPLE_S) * 1000)
            self.load.depths.append(len(self.engine.engine.inbox))


async def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for something; ends the program by its name if it does not come."""
    end = time.monotonic() + LONGEST_S
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"within {LONGEST_S:g} s it did not come to this: {what}")
        await asyncio.sleep(0.005)  # sleeps: a measurement from outside


def timed[**P, R](call: Callable[P, R], times: list[float]) -> Callable[P, R]:
    """The call, its milliseconds noted."""

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        start = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            times.append((time.perf_counter() - start) * 1000)

    return run


def timed_async[**P](
    call: Callable[P, Coroutine[None, None, None]], times: list[float]
) -> Callable[P, Coroutine[None, None, None]]:
    """The same for a call that is awaited."""

    async def run(*args: P.args, **kwargs: P.kwargs) -> None:
        start = time.perf_counter()
        try:
            await call(*args, **kwargs)
        finally:
            times.append((time.perf_counter() - start) * 1000)

    return run


async def measure(
    *, breaches: int, positions: int = 500, rate: int = 5000, profile: Path | None = None, rest_s: float = 0.0,
    sorts: Sequence[str] = SORTS, hold_s: float = HOLD_S,
) -> dict[str, Any]:  # fmt: skip
    """Run the whole story and return the report."""
    clock = SystemClock()
    meter = Meter(clock)
    with tempfile.TemporaryDirectory() as name, venue(positions, rate) as port:
        folder = Path(name)
        parts = parts_of(positions, port, folder)
        owner = {symbol: f"a{i % 10}" for i, symbol in enumerate(members(positions)[2])}
        feed = LoopbackFeed(port, clock, lambda row, now: meter.on_crash(owner[row[0]], row[2], now))
        calm()
        budget = Budget(hold_ns=round(hold_s * NS_PER_S))
        feeds = {"flood": feed}
        async with Haltline.from_parts(parts, clock=clock, in_memory=False, feeds=feeds, budget=budget) as engine:
            settle()
            bench = Bench(engine, feed, meter, positions)
            await asyncio.sleep(1.0)  # sleeps: the start's own work is not what is measured
            profiler = cProfile.Profile() if profile else None
            async with bench.watch():
                if profiler:
                    profiler.enable()
                begun, quotes, events = time.perf_counter(), feed.quotes, engine.status().events
                busy = time.process_time()
                size = journal_bytes(folder)
                for number in range(breaches):
                    for sort in sorts:
                        await bench.breach(number, sort)
                    if number % 10 == 9:
                        print(f"{number + 1} of {breaches}", file=sys.stderr)
                await asyncio.sleep(rest_s)  # sleeps: quotes alone, for as long as was asked for
                took, busy = time.perf_counter() - begun, time.process_time() - busy
                if profiler and profile:
                    profiler.disable()
                    profiler.dump_stats(profile)
            status = engine.status()
            return report(
                bench, took=took, busy=busy, quotes=feed.quotes - quotes, events=status.events - events,
                conflated=status.conflated, grown=journal_bytes(folder) - size,
            )  # fmt: skip


def journal_bytes(folder: Path) -> int:
    """What the journal takes on disk, its write-ahead log included."""
    return sum(file.stat().st_size for file in folder.glob("journal.db*"))


def report(
    bench: Bench, *, took: float, busy: float, quotes: int, events: int, conflated: int, grown: int
) -> dict[str, Any]:
    """Everything in one mapping."""
    meter, load = bench.meter, bench.load

    return {
        "python": sys.version.split()[0],
        "loop": type(asyncio.get_running_loop()).__module__,
        "breaches": len(meter.done),
        "failures": dict(meter.failures),
        **{f"{sort}s": stages(done) for sort in SORTS if (done := [each for each in meter.done if each.sort == sort])},
        "seconds": round(took, 1),
        "processor_share": round(busy / took, 2),
        "quotes_per_s": round(quotes / took),
        "events_per_s": round(events / took),
        "conflated": conflated,
        "queue_depth": percentiles([float(depth) for depth in load.depths]),
        "loop_lag_ms": percentiles(load.lags),
        "collector_ms": percentiles(load.collections) | {"count": len(load.collections)},
        "snapshot_stall_ms": percentiles(load.snapshots) | {"count": len(load.snapshots)},
        "journal_write_ms": {name: percentiles(times) for name, times in load.writes.items()},
        "journal_mb_per_hour": round(grown / took * 3600 / 1e6),
    }


def stages(breaches: list[Breach]) -> dict[str, Any]:
    """How long each stage took, for breaches of one sort."""

    def stage(first: str, last: str) -> dict[str, float]:
        return percentiles([(getattr(each, last) - getattr(each, first)) / 1e6 for each in breaches])

    first_order = stage("read", "ordered")
    found = {
        "read_to_planned_ms": stage("read", "planned"),
        "read_to_first_call_ms": stage("read", "called"),
        "read_to_first_order_ms": first_order | {"target": "p99 < 20", "met": first_order.get("p99", 1e9) < 20},
        "sent_to_order_arrived_ms": stage("sent", "arrived"),
        "read_to_flat_ms": stage("read", "flat"),
    }
    if any(each.sort == "jump" for each in breaches):
        found["read_to_first_order_ms"] = first_order
        found["agreed_to_planned_ms"] = stage("agreed", "planned")
    return found


def run(work: Coroutine[None, None, dict[str, Any]]) -> dict[str, Any]:
    """On uvloop where there is one."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breaches", type=int, default=100, help="of each sort")
    parser.add_argument("--positions", type=int, default=500, help="a multiple of ten")
    parser.add_argument("--rate", type=int, default=5000, help="quotes a second")
    parser.add_argument("--rest", type=float, default=0.0, help="seconds of quotes alone after the last breach")
    parser.add_argument("--profile", type=Path, help="write cProfile's statistics of the loop's thread here")
    parser.add_argument("--sort", choices=SORTS, help="breaches of this sort alone")
    parser.add_argument("--hold", type=float, default=HOLD_S, help="seconds for which flat must hold")
    given = parser.parse_args()
    work = measure(
        breaches=given.breaches, positions=given.positions, rate=given.rate, profile=given.profile, rest_s=given.rest,
        sorts=(given.sort,) if given.sort else SORTS, hold_s=given.hold,
    )  # fmt: skip
    print(json.dumps(run(work), indent=2))


if __name__ == "__main__":
    main()
