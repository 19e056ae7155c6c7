"""The Python API: an engine inside your own program."""

import asyncio
import os
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from haltline.api import Feed
from haltline.clock import Clock, SteadyClock, SystemClock
from haltline.config.load import load_book, load_setup, named_plugins
from haltline.config.settings import RuleBook
from haltline.control.note import SqliteNoteTable
from haltline.enforce.budget import Budget
from haltline.enforce.progress import OnProgress, Progress
from haltline.errors import EngineError
from haltline.journal.memory import MemoryJournal
from haltline.journal.store import Journal
from haltline.model.event import Event
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Intent, Side
from haltline.model.plan import Permission, Result
from haltline.model.verdict import Transition
from haltline.notify.table import MemoryOutboxTable, SqliteOutboxTable
from haltline.plugins.load import PluginRequest, load_plugins
from haltline.runtime.compose import Parts
from haltline.runtime.engine import Engine
from haltline.runtime.health import EngineStatus
from haltline.runtime.publish import Subscriber
from haltline.runtime.reload import ReloadReport
from haltline.runtime.sidetable import set_aside
from haltline.runtime.supervise import Supervisor, wait_for_either
from haltline.runtime.writer import InlineWriter, ThreadWriter

_KEPT = 1000
_POLL_S = 0.002
_STANDING_STILL = Budget(hold_ns=0)
"""On a clock that is moved by hand nothing can be held for a time: nobody would move it meanwhile."""


def load_parts(path: Path, *, environ: Mapping[str, str] | None = None) -> Parts:
    """Plugins, set-up and rules of a ``haltline.yaml``; raises ConfigError with every problem."""
    environ = os.environ if environ is None else environ
    wanted = [PluginRequest(name=entry.name, required=entry.required) for entry in named_plugins(path)]
    registry = load_plugins(wanted).registry
    setup = load_setup(path, registry, environ=environ)
    book = load_book(setup.rule_files, registry, environ=environ)
    return Parts(setup=setup, book=book, registry=registry, origin=setup, environ=environ)


class Haltline:
    """A running engine: ``async with Haltline.open("haltline.yaml") as engine``."""

    def __init__(
        self, parts: Parts, *, clock: Clock | None = None, in_memory: bool = False,
        feeds: Mapping[str, Feed] | None = None, budget: Budget | None = None,
        subscribers: Sequence[Subscriber] = (), watch: bool = False, patience_ns: int | None = None,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._patience_ns = patience_ns
        self._ready = asyncio.Event()
        self._subscribers = tuple(subscribers)
        self._watch = watch
        self._clock = clock or SystemClock()
        self._in_memory = in_memory
        self._feeds = feeds
        self._budget = budget or (None if isinstance(self._clock, SystemClock) else _STANDING_STILL)
        self._engine: Engine | None = None
        self._store: Journal | MemoryJournal | None = None
        self._supervisor: Supervisor | None = None

    @classmethod
    def open(
        cls, path: str | Path, *, clock: Clock | None = None, environ: Mapping[str, str] | None = None,
        watch: bool = False,
    ) -> Self:  # fmt: skip
        """An engine for a set-up file, with its journal on disk; raises ConfigError with every problem.

        With `watch` it reads its rule files again whenever they change, as `haltline run` does.
        """
        return cls(load_parts(Path(path), environ=environ), clock=clock, watch=watch)

    @classmethod
    def from_parts(
        cls, parts: Parts, *, clock: Clock | None = None, in_memory: bool = True,
        feeds: Mapping[str, Feed] | None = None, budget: Budget | None = None,
        subscribers: Sequence[Subscriber] = (), watch: bool = False, patience_ns: int | None = None,
    ) -> Self:  # fmt: skip
        """An engine from parts already loaded; with `in_memory` nothing is written to disk.

        `subscribers` are told of every result from the first one on, those of recovery included. With `patience_ns`
        entering waits no longer than that for brokers to answer.
        """
        return cls(
            parts, clock=clock, in_memory=in_memory, feeds=feeds, budget=budget, subscribers=subscribers, watch=watch,
            patience_ns=patience_ns,
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        """Recover, connect, reconcile; returns once every broker's accounts are confirmed, or after `proceed`."""
        ready = self._ready
        self._engine = engine = self._make()
        engine.publisher.subscribers.extend(self._subscribers)
        self._supervisor = supervisor = Supervisor(self._clock)
        await supervisor.__aenter__()
        supervisor.once("engine", lambda: engine.run(ready.set))
        try:
            until = None if self._patience_ns is None else self._clock.now() + self._patience_ns
            await wait_for_either(ready, self._clock, until)
        except BaseException as error:
            await self._leave(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Save and stop; raises what ended the engine, if something did."""
        self.engine.stop()
        await self._leave(kind, error, trace)

    @property
    def engine(self) -> Engine:
        """The parts behind this door; raises EngineError outside `async with`."""
        if self._engine is None:
            raise EngineError("the engine is not running; use it inside `async with Haltline.open(...)` [E810]")
        return self._engine

    def proceed(self) -> None:
        """Wait no longer for brokers that have not answered: `async with` goes on, what can be guarded is guarded."""
        self._ready.set()

    def put(self, event: Event) -> None:
        """Give the engine an event of your own: a quote, a fill, an operator's request."""
        self.engine.inbox.put(event)

    def add_rule(self, rule: Mapping[str, object] | str) -> None:
        """Add a rule (or replace the one of its id) from the next event on; raises ConfigError with every problem.

        A mapping is one rule as in a rule file; a text is YAML: one rule, or a whole file with ``rules:``.
        """
        self.engine.reloader.add(self._read(rule))

    async def reload(self, *, by: str = "program", why: str = "") -> ReloadReport:
        """Read the set-up's rule files again; returns once what they say is in force and on record.

        Rules added with `add_rule` stay. Raises ConfigError with every problem: then nothing has changed, and the
        failure shows in `status().rules` and on every channel until a reload succeeds. `by` and `why` go on record.
        """
        return await self.engine.reloader.reload(by=by, why=why)

    def check(
        self, *, account: str, symbol: str, side: str, quantity: float, price: float | None = None,
        stop_price: float | None = None, confidence: float | None = None, source: str = "", strategy: str = "",
    ) -> Permission:  # fmt: skip
        """May this order be sent now? Answers at once, from the state as it is; changes nothing."""
        return self.engine.check(
            Intent(
                account=AccountId(account), symbol=Symbol(symbol), side=Side(side), quantity=quantity, price=price,
                stop_price=stop_price, confidence=confidence, source=source, strategy=strategy,
            )
        )  # fmt: skip

    def subscribe(self, callback: Callable[[Transition], None]) -> Callable[[], None]:
        """Call back on every change of an incident, after it is on record; returns what ends the subscription.

        The callback runs on the event loop: it must be quick and must not raise.
        """

        def each(result: Result) -> None:
            for transition in result.transitions:
                callback(transition)

        subscribers = self.engine.publisher.subscribers
        subscribers.append(each)
        return lambda: subscribers.remove(each) if each in subscribers else None

    async def incidents(self) -> AsyncGenerator[Transition]:
        """Every change of an incident from now on; a reader that falls 1,000 behind misses the oldest."""
        waiting: deque[Transition] = deque(maxlen=_KEPT)
        wake = asyncio.Event()

        def take(transition: Transition) -> None:
            waiting.append(transition)
            wake.set()

        end = self.subscribe(take)
        try:
            while True:
                await wake.wait()
                wake.clear()
                while waiting:
                    yield waiting.popleft()
        finally:
            end()

    async def until_idle(self) -> None:
        """Return once every event is processed, every action ended and every message delivered."""
        while not self.engine.is_idle:  # noqa: ASYNC110 - five parts would each need an event for one rare caller
            await asyncio.sleep(_POLL_S)

    def status(self) -> EngineStatus:
        """The engine in one record."""
        return self.engine.status()

    def progress(self) -> tuple[Progress, ...]:
        """What enforcement has under way: every action with the state of its requests, account by account."""
        return self.engine.progress()

    def watch_actions(self, callback: OnProgress) -> Callable[[], None]:
        """Call back on every change of an action or of one of its requests; returns what ends it.

        The callback runs on the event loop, between two requests: it must be quick. One that raises is told no more.
        """
        watchers = self.engine.watchers
        watchers.append(callback)
        return lambda: watchers.remove(callback) if callback in watchers else None

    def _make(self) -> Engine:
        steady = SteadyClock() if isinstance(self._clock, SystemClock) else None  # a clock moved by hand is never late
        if self._in_memory:
            store = self._store = MemoryJournal()
            return Engine(
                self._parts, clock=self._clock, store=store, table=MemoryOutboxTable(), writer=InlineWriter(store),
                directory=None, feeds=self._feeds, budget=self._budget, steady=steady,
                watch=self._watch,
            )  # fmt: skip
        path = self._parts.setup.store.path
        journal = self._store = Journal.open(path)
        try:
            damage = set_aside(journal, self._clock.now())
            return Engine(
                self._parts, clock=self._clock, store=journal, table=SqliteOutboxTable(journal.connection),
                writer=ThreadWriter(journal), directory=path.parent, feeds=self._feeds, budget=self._budget,
                steady=steady, watch=self._watch, notes=SqliteNoteTable(journal.connection), damage=damage,
            )  # fmt: skip
        except BaseException:
            journal.close()
            raise

    async def _leave(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._supervisor is not None
        try:
            await self._supervisor.finish(kind, error, trace)
        except BaseExceptionGroup as group:
            raise _only(group) from group
        finally:
            self._engine = None
            if self._store is not None:
                self._store.close()

    def _read(self, rule: Mapping[str, object] | str) -> RuleBook:
        text = rule if isinstance(rule, str) else yaml.safe_dump(dict(rule), sort_keys=False)
        if "\nrules:" not in f"\n{text}":
            lines = text.splitlines()
            is_list = text.lstrip().startswith("- ")
            body = lines if is_list else [("- " if number == 0 else "  ") + line for number, line in enumerate(lines)]
            text = "version: 1\nrules:\n" + "\n".join("  " + line for line in body) + "\n"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "added.yaml"
            file.write_text(text, encoding="utf-8")
            return load_book([file], self._parts.registry, environ=os.environ)


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure inside nested groups of one; otherwise the group."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found
