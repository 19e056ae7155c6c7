"""Hours of trouble in a minute: does anything grow, is a breach missed, is an account flattened that broke nothing?

    uv run python tests/perf/soak.py [--minutes 1] [--seed 7] [--trace]          prints one JSON object

The engine is the real one, its journal on disk; the venue is `haltline_sim_paper` in a process of its own. 500
positions in 25 accounts, fifty rules and a loss rule, a quote for every symbol in turn. Meanwhile, one after the other
without a pause: prices crash (or nearly), faults strike whatever the engine sends, the link is cut and the venue
restarted, operators pause, override and look, rules are changed and read again, every message goes to a channel. What
the engine does every few minutes (looking after its journal, saving) it does every few seconds here.

A reference model decides what must have happened: `crash` means that the account must be flat at the venue, and its
incident over, within LONGEST_S; anything that fires without one is false. `--trace` adds what grew, line by line.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from haltline_sim_paper.fault import Fault, FaultKind, HumanTrade
from haltline_sim_paper.wire import Break, Cut, Mend, Price, Submit

sys.path.insert(0, str(Path(__file__).parent))

from book import rule_specs
from hand import Hand

from haltline.api.control import Caller
from haltline.clock import NS_PER_S
from haltline.errors import Refused
from haltline.journal.size import size_of_journal
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, OrderType, Side
from haltline.model.plan import Result
from haltline.model.verdict import Phase
from haltline.runtime import engine as engine_module
from haltline.runtime import upkeep
from haltline.runtime.embed import Haltline, load_parts

ACCOUNTS = 25
PER_ACCOUNT = 20
LOT = Decimal(10)
CALM, NEAR, CRASHED = 100.0, 97.7, 90.0
"""Bids: at the second the account has lost nearly as much as it may, at the third much more."""
LIMIT = 40
LONGEST_S = 90.0
FEWEST = 3
"""Crashes that there are in any case, however short it lasts."""
KEPT_NS = 5 * NS_PER_S
PASS_NS = 5 * NS_PER_S
BEYOND_NS = 6 * KEPT_NS
"""Quotes behind the three newest saved states stay, and those are five seconds apart, or a little more."""
ANN = Caller(platform="telegram", user="1")
RULE = "open-loss"
STRUCK = (
    Fault(kind=FaultKind.REJECT, reason="not now"), Fault(kind=FaultKind.THROTTLE, after_s=0.3),
    Fault(kind=FaultKind.DELAY, after_s=0.5), Fault(kind=FaultKind.HANG), Fault(kind=FaultKind.LOST_ACK),
    Fault(kind=FaultKind.DROP), Fault(kind=FaultKind.DROP, verb="snapshot"), Fault(kind=FaultKind.EXPIRE),
    Fault(kind=FaultKind.RESTART, after_s=0.5), Fault(kind=FaultKind.PARTIAL_REJECT),
    Fault(kind=FaultKind.LATE_FILL, after_s=0.2), Fault(kind=FaultKind.DUPLICATE_FILL, count=3),
    Fault(kind=FaultKind.REORDER, count=2), Fault(kind=FaultKind.MUTE, count=3), Fault(kind=FaultKind.HUMAN),
)  # fmt: skip


@dataclass
class Model:
    """What must happen, and what did: `broken` are accounts whose rule is broken by a crash of ours."""

    broken: dict[str, int] = field(default_factory=dict)
    crashes: int = 0
    near_misses: int = 0
    flat_s: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    refired: int = 0

    def hear(self, result: Result) -> None:
        """Something was put on record: what fired or was planned must have a reason."""
        for transition in result.transitions:
            if transition.rule == RULE and transition.phase is Phase.BREACHED:
                self._fired(str(transition.account), f"{transition.incident} fired")
        for action in result.plan:
            if action.name == "flatten" and action.account not in self.broken:
                self.false.append(f"{action.id} was planned")

    def _fired(self, account: str, text: str) -> None:
        if account not in self.broken:
            self.false.append(text)
            return
        self.refired += self.broken[account] > 0
        self.broken[account] += 1


@dataclass(frozen=True)
class Sample:
    """What the process holds at one instant. Blocks of memory are counted, because a list of all objects (`gc`) would
    hold tuples that another thread is making, which cannot be finished then.
    """

    second: float
    rss_mb: float
    blocks: int
    tasks: int
    files: int
    threads: int
    crashes: int


class Soak:
    """Everybody who makes trouble, each a task, until `over`."""

    def __init__(self, haltline: Haltline, hand: Hand, folder: Path, seed: int) -> None:
        self.model = Model()
        self.samples: list[Sample] = []
        self.done: Counter[str] = Counter()
        self.beyond = 0
        self.over = asyncio.Event()
        self._haltline = haltline
        self._kernel = haltline.engine.kernel
        self._hand = hand
        self._folder = folder
        self._lot = random.Random(seed)
        self._prices = dict.fromkeys((symbol for number in range(ACCOUNTS) for symbol in symbols_of(number)), CALM)
        self._free = asyncio.Queue[int]()
        self._begun = time.monotonic()
        haltline.engine.publisher.subscribers.append(self.model.hear)
        for number in range(ACCOUNTS):
            self._free.put_nowait(number)

    async def run(self, seconds: float) -> None:
        """Open everything, then trouble for so long; what has begun comes to its end."""
        for symbol in self._prices:
            await self._say(symbol)
        for number in range(ACCOUNTS):
            await self._open(number)
        self._begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            market = group.create_task(self._market())
            troubles = (self._trade, self._trade, self._operate, self._reload, self._cut, self._sample)
            others = [group.create_task(trouble()) for trouble in troubles]
            await asyncio.sleep(seconds)  # sleeps: this is how long it lasts
            end = time.monotonic() + 3 * LONGEST_S
            while self.model.crashes < FEWEST and time.monotonic() < end:  # noqa: ASYNC110 - counted by two tasks
                await asyncio.sleep(0.5)  # sleeps: a busy machine has not come far by now
            self.over.set()
            await asyncio.wait(others)
            await self._clear_up()
            market.cancel()

    async def _clear_up(self) -> None:
        """Quotes alone until the journal has let go of what is too old: a busy machine may be behind with that."""
        end = time.monotonic() + 2 * LONGEST_S
        while True:
            self.beyond = await asyncio.to_thread(beyond_retention, self._folder)
            if not self.beyond or time.monotonic() > end:
                return
            await asyncio.sleep(0.5)  # sleeps: a look at the journal from outside

    # -- trouble -------------------------------------------------------------------------------------------------------

    async def _trade(self) -> None:
        """One account after the other: a crash and its end, or nearly one."""
        while not self.over.is_set():
            number = await self._free.get()
            if self._lot.random() < 0.25:
                await self._nearly(number)
            else:
                await self._crash(number)
            self._free.put_nowait(number)

    async def _nearly(self, number: int) -> None:
        symbol = self._lot.choice(symbols_of(number))
        self.model.near_misses += 1
        await self._move(symbol, NEAR)
        await asyncio.sleep(0.5)  # sleeps: nothing may happen meanwhile
        await self._move(symbol, CALM)

    async def _crash(self, number: int) -> None:
        account, symbol = f"a{number}", self._lot.choice(symbols_of(number))
        if self._lot.random() < 0.6:
            await self._strike(account, symbol)
        self.model.broken[account] = 0
        self.model.crashes += 1
        begun = time.monotonic()
        await self._move(symbol, CRASHED)
        if await self._until(lambda: self._is_over(account), begun + LONGEST_S):
            self.model.flat_s.append(time.monotonic() - begun)
        else:
            self.model.missed.append(f"{account}: fired {self.model.broken[account]} times, not flat in {LONGEST_S} s")
        await self._hand.do(Mend(), type(None))
        await self._move(symbol, CALM)
        await self._until(lambda: self._is_calm(account, symbol), time.monotonic() + LONGEST_S)
        await self._open(number)
        await self._until(lambda: self._is_open(account), time.monotonic() + LONGEST_S)
        del self.model.broken[account]

    async def _strike(self, account: str, symbol: str) -> None:
        fault = self._lot.choice(STRUCK)
        if fault.kind is FaultKind.HUMAN:
            trade = HumanTrade(account=AccountId(account), symbol=Symbol(symbol), side=Side.BUY, quantity=LOT)
            fault = Fault(kind=FaultKind.HUMAN, trade=trade)
        self.done[f"fault {fault.kind}"] += 1
        await self._hand.do(Break(fault=fault), type(None))

    async def _cut(self) -> None:
        """The broker's link goes down, whatever goes on. Each time every rule of every position is UNKNOWN for a while,
        which is twelve thousand records: much oftener, and the journal would be busy with nothing else.
        """
        while not self.over.is_set():
            await self._rest(self._lot.uniform(12, 20))
            away_s = self._lot.choice((None, 0.3, 1.0))
            self.done["link cut" if away_s is None else "venue away"] += 1
            await self._hand.do(Cut(away_s=away_s), type(None))

    async def _operate(self) -> None:
        """People look, hold back and make room; all of it on record."""
        while not self.over.is_set():
            account = f"a{self._lot.randrange(ACCOUNTS)}"
            line = self._lot.choice(
                (
                    "status", "incidents", "limits", "health", "accounts", f"pause {account} 1s", f"status {account}",
                    f"override account-0 {account} 2s extra=5 soak", "history 5", "silence position-3 2s", "nonsense",
                )
            )  # fmt: skip
            reply = await self._haltline.engine.control.say(ANN, line)
            confirm = next((button for button in reply.buttons if button.command == "confirm"), None)
            if confirm is not None:
                await self._haltline.engine.control.say(ANN, f"confirm {confirm.arguments['nonce']}")
            self.done[f"command {line.split()[0]}"] += 1
            await self._rest(0.2)

    async def _reload(self) -> None:
        """The rule file says something else each time, and once in a while nonsense."""
        while not self.over.is_set():
            await self._rest(4)
            number = self.done["reload"] = self.done["reload"] + 1
            write_rules(self._folder, loosest=number % 3, is_broken=number % 4 == 0)
            with suppress(Refused, ValueError, RuntimeError):
                try:
                    await self._haltline.reload(why="soak")
                except Exception:
                    if number % 4:
                        raise

    async def _market(self) -> None:
        """A quote for every symbol in turn; the price of each is where the model has put it."""
        while True:
            for symbol in self._prices:
                await self._say(symbol)
                await asyncio.sleep(0.001)  # sleeps: the pace of the market

    async def _say(self, symbol: str) -> None:
        now, bid = time.time_ns(), self._prices[symbol]
        bid += now // 1000 % 7 * 0.001
        quote = Quote(at=now, received_at=now, symbol=Symbol(symbol), bid=bid, ask=bid + 0.02, last=bid, mark=bid)
        self.done["quotes"] += 1
        await self._hand.do(Price(quote=quote), type(None))

    # -- what must follow ----------------------------------------------------------------------------------------------

    async def _move(self, symbol: str, price: float) -> None:
        """A price jumps; it is said twice, so that it is believed."""
        self._prices[symbol] = price
        await self._say(symbol)
        await self._say(symbol)

    async def _open(self, number: int) -> None:
        """Somebody orders by hand until the account holds what it should, and places an order that waits. Orders have
        client ids, so that one whose answer was lost is not placed twice.
        """
        account, times = AccountId(f"a{number}"), self.model.crashes
        there = await self._hand.snapshot(account)
        held = {position.symbol for position in there.positions}
        for symbol in symbols_of(number):
            if symbol not in held:
                await self._order(account, symbol, f"open-{symbol}-{times}", None)
        await self._order(account, symbols_of(number)[0], f"wait-{number}-{times}", Decimal(50))

    async def _order(self, account: AccountId, symbol: str, client_id: str, limit: Decimal | None) -> None:
        order = OrderRequest(
            account=account, symbol=Symbol(symbol), side=Side.BUY, quantity=LOT, limit_price=limit, client_id=client_id,
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        )  # fmt: skip
        await self._hand.do(Submit(order=order), dict)

    async def _is_over(self, account: str) -> bool:
        if not self.model.broken[account] or self._is_live(account):
            return False
        under_way = (*self._haltline.progress(), *self._kernel.enforcements())
        if any(each.account == account for each in under_way):
            return False
        there = await self._hand.snapshot(AccountId(account))
        return not there.positions and not there.orders

    def _is_live(self, account: str) -> bool:
        return any(view.rule == RULE and view.entity == account for view in self._kernel.incidents())

    async def _is_calm(self, account: str, symbol: str) -> bool:
        return self._kernel.state.instruments[symbol].mark > NEAR and not self._is_live(account)

    async def _is_open(self, account: str) -> bool:
        return self._kernel.state.accounts[account].open_positions == PER_ACCOUNT

    async def _until(self, is_so: Callable[[], Awaitable[bool]], end: float) -> bool:
        while time.monotonic() < end:
            if await is_so():
                return True
            await asyncio.sleep(0.02)  # sleeps: a look at the venue from outside
        return False

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.over.wait()

    async def _sample(self) -> None:
        while not self.over.is_set():
            await self._rest(2)
            gc.collect()
            self.samples.append(
                Sample(
                    second=round(time.monotonic() - self._begun, 1), rss_mb=round(rss_mb(), 1),
                    blocks=sys.getallocatedblocks(), tasks=len(asyncio.all_tasks()), files=len(os.listdir("/dev/fd")),
                    threads=threading.active_count(), crashes=self.model.crashes,
                )
            )  # fmt: skip


def rss_mb() -> float:
    """Resident memory now, in MB; the peak where the system does not tell."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def symbols_of(number: int) -> list[str]:
    """The symbols of an account, in the order in which they are quoted."""
    return [f"S{number:02d}{each:02d}" for each in range(PER_ACCOUNT)]


def write_rules(folder: Path, *, loosest: int = 0, is_broken: bool = False) -> None:
    """Fifty rules that hold, one of which differs from time to time, and the one that is broken by a crash."""
    rules: list[dict[str, Any]] = []
    for number, spec in enumerate(rule_specs(per_position=10, per_account=40)):
        rule: dict[str, Any] = {"id": str(spec.id), "each": spec.each.value, "then": ["block_entries", "notify"]}
        if spec.limit is None:
            rule["when"] = spec.when
        else:
            extra = loosest if number == 7 else 0
            rule["limit"] = {"value": spec.limit.value, "at": float(str(spec.limit.threshold)) + extra, "warn": 0.8}
        rules.append(rule)
    at = "none" if is_broken else LIMIT
    then = ["block_entries", "flatten", "notify"]
    loss = {"id": RULE, "each": "account", "limit": {"value": "-account.unrealized_pnl", "at": at}, "then": then}
    (folder / "rules.yaml").write_text(yaml.safe_dump({"version": 1, "rules": [*rules, loss]}), "utf-8")


def write_setup(folder: Path, port: int) -> None:
    """The set-up file."""
    every = [symbol for number in range(ACCOUNTS) for symbol in symbols_of(number)]
    setup = {
        "version": 1, "mode": "live", "plugins": ["sim_paper"],
        "brokers": {"venue": {"kind": "paper_remote", "config": {"port": port, "timeout_s": 1}}},
        "accounts": {f"a{number}": {"broker": "venue", "balance": 1_000_000} for number in range(ACCOUNTS)},
        "instruments": {symbol: {"calendar": "24/7"} for symbol in every},
        "channels": {"log": {"kind": "jsonl", "config": {"path": "messages.jsonl"}}},
        "operators": {"ann": {"role": "admin", "identities": {"telegram": 1}}},
        "store": {"path": "journal.db"}, "rules": ["rules.yaml"],
    }  # fmt: skip
    (folder / "haltline.yaml").write_text(yaml.safe_dump(setup), "utf-8")


@contextmanager
def venue(folder: Path) -> Iterator[int]:
    """The venue's process; its port."""
    words = [sys.executable, "-m", "haltline_sim_paper", "--book", str(folder / "book.db")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def soak(folder: Path, port: int, *, seconds: float, seed: int, trace: bool = False) -> dict[str, object]:
    """Run it; returns the figures."""
    upkeep.FIRST_AFTER_NS = upkeep.PASS_EVERY_NS = engine_module.SAVE_EVERY_NS = PASS_NS
    write_setup(folder, port)
    write_rules(folder)
    parts = load_parts(folder / "haltline.yaml")
    store = replace(parts.setup.store, keep_quotes_ns=KEPT_NS, keep_incidents_ns=KEPT_NS)
    parts = replace(parts, setup=replace(parts.setup, store=store))
    async with Hand(port) as hand, Haltline(parts) as haltline:
        trouble = Soak(haltline, hand, folder, seed)
        if trace:
            tracemalloc.start()
        before = tracemalloc.take_snapshot() if trace else None
        await trouble.run(seconds)
        grown = tracemalloc.take_snapshot().compare_to(before, "lineno")[:15] if before is not None else []
        status = haltline.status()
    return {**figures(trouble, folder), "events": status.events, "conflated": status.conflated,
            "grown": [str(each) for each in grown]}  # fmt: skip


def figures(trouble: Soak, folder: Path) -> dict[str, object]:
    """What came of it, as one mapping."""
    model, samples = trouble.model, trouble.samples
    journal = Journal.open(folder / "journal.db")
    try:
        rows = {share.kind: share.records for share in size_of_journal(journal, 0).shares}
    finally:
        journal.close()
    ranked = sorted(model.flat_s)
    half = samples[len(samples) // 2 :]
    third = max(1, len(half) // 3)
    return {
        "crashes": model.crashes, "near_misses": model.near_misses, "missed": model.missed, "false": model.false,
        "refired": model.refired,
        "flat_s": {"p50": round(ranked[len(ranked) // 2], 2), "max": round(ranked[-1], 2)} if ranked else {},
        "done": dict(sorted(trouble.done.items())),
        "messages": (folder / "messages.jsonl").read_text("utf-8").count("\n"),
        "journal_rows": rows, "quotes_beyond_retention": trouble.beyond,
        "growth": {
            name: round(usual(half[-third:], name) - usual(half[:third], name), 1)
            for name in ("rss_mb", "blocks", "tasks", "files", "threads", "crashes")
        },
        "samples": [vars(each) for each in samples],
    }  # fmt: skip


def usual(samples: Sequence[Sample], name: str) -> float:
    """The median: a sample may fall into a moment in which the venue is away, or its connections are made anew."""
    return median(getattr(sample, name) for sample in samples)


def beyond_retention(folder: Path) -> int:
    """How many quotes the journal still has that should be gone by now; passes come some seconds apart."""
    old = "SELECT COUNT(*) FROM record WHERE kind = 'event' AND body LIKE '{\"type\":\"Quote\"%' AND at < ?"
    with closing(sqlite3.connect(f"file:{folder / 'journal.db'}?mode=ro", uri=True)) as reader:
        newest = reader.execute("SELECT MAX(at) FROM record").fetchone()[0]
        return int(reader.execute(old, (newest - BEYOND_NS,)).fetchone()[0])


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--trace", action="store_true", help="what grew, by tracemalloc; everything is slower")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="haltline-soak-") as name, venue(Path(name)) as port:
        work = soak(Path(name), port, seconds=given.minutes * 60, seed=given.seed, trace=given.trace)
        print(json.dumps(asyncio.run(work), indent=2))


if __name__ == "__main__":
    main()
