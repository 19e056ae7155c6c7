"""The engine on a paper account, moved through a session of generated prices, with the trader at the broker's door.

Time is virtual and moved by hand, so the same seed always gives the same story. Nothing is scripted but prices and the
trader's orders: rules, enforcement, journal and messages are the engine's own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import msgspec

from haltline.cli.demo.floor import Floor
from haltline.cli.demo.history import calibrate
from haltline.cli.demo.market import STRESSED_DAY, SYMBOLS, Market, make_market
from haltline.cli.demo.screen import Scene
from haltline.cli.demo.story import Line, Voice
from haltline.cli.demo.teller import Teller
from haltline.cli.demo.trader import ACCOUNT, Deed, Trader
from haltline.clock import NS_PER_S, ManualClock
from haltline.config.load import load_book, load_setup
from haltline.control.status import Status, status_of
from haltline.journal.chain import VerifyReport
from haltline.journal.receipt import LegOutcome, Receipt
from haltline.journal.record import Entry, RecordKind
from haltline.journal.recover import Store
from haltline.journal.store import Journal
from haltline.kernel.kernel import Kernel
from haltline.kernel.view import Gauge, Reasoning
from haltline.model.id import Symbol
from haltline.model.plan import Result
from haltline.model.verdict import Phase
from haltline.runtime.compose import Parts
from haltline.runtime.embed import Haltline

RULE = "daily-loss"
_SHOWN_LIMITS = ("daily-loss", "drawdown", "size", "overtrading")
_EPILOGUE_STEPS = 30
_GRACE_NS = 30 * NS_PER_S
_TURNS = 40
_RECENT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How everything looks after one line of the story (`line`), or after one step of time (None)."""

    line: Line | None
    scene: Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is left when the story is over: why the rule fired (then), and whether the record of it all is intact."""

    reasoning: Reasoning
    journal: VerifyReport
    status: Status
    lines: Sequence[Line]


class Stage:
    """One run of the demonstration."""

    def __init__(self, *, seed: int) -> None:
        self.market: Market = make_market(calibrate(STRESSED_DAY), seed=seed)
        self.ending: Ending | None = None
        self._clock = ManualClock(self.market.start_ns)
        self._teller = Teller(
            title_of=self._title, lock_end=self._lock_end, receipt_of=self._receipt_of, told=self._note
        )
        self._store: Store | None = None
        self._floor = Floor(seen=self._teller.see_event, rings=self._teller.see_message)
        self._parts = load_demo_parts(self._floor)
        self._trader = Trader(self.market.start_ns)
        self._titles = {str(rule.id): rule.title for rule in self._parts.book.rules}
        self._kernel: Kernel | None = None
        self._locked_since: int | None = None
        self._reasoning: Reasoning | None = None
        self._equity: list[float] = []
        self._moments: list[Moment] = []
        self._at = 0

    async def play(self) -> AsyncIterator[Moment]:
        """Every step in order; `ending` is known afterwards."""
        async with Haltline.from_parts(self._parts, clock=self._clock) as engine:
            self._floor.begin()
            self._kernel = engine.engine.kernel
            self._store = engine.engine.store
            engine.engine.publisher.subscribers.append(self._see)
            epilogue = 0
            for step in range(len(self.market.prices[0])):
                self._at = step
                await self._step(engine, step)
                self._note(None)
                moments, self._moments = self._moments, []
                for moment in moments:
                    yield moment
                epilogue += self._trader.is_done
                if epilogue > _EPILOGUE_STEPS:
                    break
            self.ending = Ending(
                reasoning=self._reasoning or self._kernel.explain(RULE, ACCOUNT),
                journal=engine.engine.store.verify(),
                status=status_of(self._kernel),
                lines=list(self._teller.lines),
            )

    def keep_journal(self, path: Path) -> None:
        """Write the journal of the story to a new file; raises JournalError where that cannot be done."""
        assert self._store is not None
        with Journal.open(path) as journal:
            journal.append([Entry(record.kind, record.at, record.body) for record in self._store.iterate()])

    async def _step(self, engine: Haltline, step: int) -> None:
        now = self.market.instant(step)
        await self._settle(engine, now)
        self._clock.advance_to(now)
        for quote in self.market.quotes(step):
            engine.put(quote)
        await self._settle(engine, now)
        assert self._kernel is not None
        account = self._kernel.state.accounts[ACCOUNT]
        if account.locked and self._locked_since is None:
            self._locked_since = now
        self._equity.append(account.equity)
        price = {symbol: path[step] for symbol, path in zip(SYMBOLS, self.market.prices, strict=True)}
        held = {Symbol(symbol): position.quantity for symbol, position in account.book.items()}
        for deed in self._trader.act(now, price, held, self._locked_since):
            await self._do(engine, deed, now)

    async def _do(self, engine: Haltline, deed: Deed, now: int) -> None:
        self._teller.tell(now, Voice.TRADER, deed.words)
        if deed.order is not None:
            await self._floor.counter.submit(deed.order)
        if deed.question is not None:
            self._teller.see_answer(now, engine.engine.check(deed.question))
        await self._settle(engine, now + _GRACE_NS)

    async def _settle(self, engine: Haltline, until: int) -> None:
        """Let the engine finish what it began, moving the clock to whatever it waits for, but not past `until`."""
        for _ in range(_TURNS * _TURNS):
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if engine.engine.is_idle:
                return
            wake = self._clock.next_wake_ns()
            if wake is None or wake > until:
                return
            self._clock.advance_to(wake)

    def _see(self, result: Result) -> None:
        """Tell what the engine decided; when the rule fires, keep why."""
        assert self._kernel is not None
        if any(moved.rule == RULE and moved.phase is Phase.BREACHED for moved in result.transitions):
            self._reasoning = self._kernel.explain(RULE, ACCOUNT)
        self._teller.see_result(result)

    def _note(self, line: Line | None) -> None:
        if self._kernel is not None:
            self._moments.append(Moment(line=line, scene=self._scene(self._kernel)))

    def _scene(self, kernel: Kernel) -> Scene:
        status, step = status_of(kernel), self._at
        return Scene(
            label=self.market.label,
            status=status,
            prices={symbol: list(path[: step + 1]) for symbol, path in zip(SYMBOLS, self.market.prices, strict=True)},
            equity=list(self._equity),
            lines=list(self._teller.lines),
            message=self._teller.message,
            limits=_limits(status.gauges),
        )

    def _title(self, rule: str) -> str:
        return self._titles.get(rule) or rule

    def _receipt_of(self, action: str) -> Receipt | None:
        """The receipt that the journal holds for an action."""
        assert self._store is not None
        for record in reversed(self._store.tail(_RECENT)):
            if record.kind is RecordKind.OUTCOME:
                found = msgspec.json.decode(record.body, type=LegOutcome | Receipt)
                if isinstance(found, Receipt) and found.action == action:
                    return found
        return None

    def _lock_end(self) -> int | None:
        assert self._kernel is not None
        return next((lock.until for lock in self._kernel.governor.locks), None)


def load_demo_parts(floor: Floor) -> Parts:
    """Set-up and rules of the demonstration, read from the package as from any folder."""
    with as_file(files("haltline.cli.demo") / "setup") as folder:
        setup = load_setup(folder / "haltline.yaml", floor.registry, environ={})
        book = load_book(setup.rule_files, floor.registry, environ={})
    return Parts(setup=setup, book=book, registry=floor.registry)


def _limits(gauges: Sequence[Gauge]) -> list[Gauge]:
    found = {gauge.rule: gauge for gauge in gauges}
    return [found[rule] for rule in _SHOWN_LIMITS if rule in found]
