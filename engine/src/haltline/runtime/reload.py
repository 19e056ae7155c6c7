"""Other rules for a running engine, all or nothing: load, check, rehearse on a copy of the state, then exchange.

Everything that can fail happens before any live part is touched. What fails changes nothing, is told on every channel,
and stays visible until the files are good again.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from haltline.api import Message
from haltline.clock import NS_PER_S, Clock, to_iso
from haltline.compose.kernel import compile_book, meaning_problems
from haltline.compose.rehearsal import rehearse
from haltline.config.book import digest_of
from haltline.config.diagnose import explained
from haltline.config.load import load_book, load_setup, named_plugins
from haltline.config.settings import RuleBook, Setup
from haltline.config.waiting import changes_that_wait
from haltline.control.basis import Beginning, basis_of, in_force
from haltline.errors import ConfigError, EngineError, Problem
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event
from haltline.model.loosening import LooseningSort
from haltline.model.plan import Result
from haltline.model.rule import Severity
from haltline.model.verdict import Phase
from haltline.rules.compile import CompiledRules
from haltline.rules.difference import RuleDifference, compare_rules, listed
from haltline.rules.exchange import Waiting
from haltline.runtime.arming import GapWatch
from haltline.runtime.compose import Parts
from haltline.runtime.health import HealthBook, RulesStatus
from haltline.runtime.loosening import Held, hold_setup, plan_for, requests_for
from haltline.runtime.publish import Publisher
from haltline.runtime.pump import Pump, Swap
from haltline.runtime.rulefile import Look, changed_files, look

POLL_NS = NS_PER_S
_SERVICE = "rules"
NOBODY = frozenset({"", "program", "file watch", "start", "haltline"})
"""Who asks for a reload without being a person: what loosens then has nobody's name yet."""


class ReloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload did. `result` is what followed at once, empty where the rules say what they said before;
    `waiting` lists changes of the set-up that need a restart, `held` what guards less and must wait before it counts.
    """

    digest: str
    difference: RuleDifference
    result: Result
    waiting: tuple[str, ...] = ()
    held: tuple[Waiting, ...] = ()


@dataclass(frozen=True, slots=True)
class _Loaded:
    setup: Setup
    book: RuleBook


@dataclass(frozen=True, slots=True)
class _Rehearsed:
    compiled: CompiledRules
    book: RuleBook
    held: tuple[Waiting, ...]


class Reloader:
    """The rules of one engine: what the files say, what was added by hand, and whether the last look at them failed."""

    def __init__(
        self, parts: Parts, *, kernel: Kernel, pump: Pump, clock: Clock, health: HealthBook, publisher: Publisher,
        held: Held, put: Callable[[Event], None],
    ) -> None:  # fmt: skip
        self._parts = parts
        self._origin = parts.origin or parts.setup
        self._kernel = kernel
        self._pump = pump
        self._clock = clock
        self._health = health
        self._publisher = publisher
        self._files = held.wanted
        self._held = held
        self._put = put
        self._freed = asyncio.Event()
        self._freed.set()
        self._follows = False
        self._known: frozenset[str] = frozenset()
        self._held_setup = held.waiting
        self._gaps = GapWatch(parts, kernel)
        publisher.subscribers.append(self._hear)
        self._added: tuple[RuleBook, ...] = ()
        self._read = self._origin
        self._turn = asyncio.Lock()
        self.book = parts.book
        self.status = RulesStatus(digest=parts.book.digest, rules=len(parts.book.rules), since=clock.now())

    def add(self, added: RuleBook) -> None:
        """Add rules, or replace those of the same ids, from the next turn on; raises ConfigError with all problems."""
        merged = merged_books(self._files, (*self._added, added))
        usable = self._usable(merged, compile_book(merged, self._parts.registry))
        self._added = (*self._added, added)
        self._want(usable.book, usable.compiled, by="program", why="rules were added")
        self._ask(usable.held, by="", why="rules were added")

    async def reload(self, *, by: str, why: str = "") -> ReloadReport:
        """Read the files again and use what they say, from the next turn on; returns once it is in force and on record.

        Raises ConfigError with every problem: then nothing has changed. Raises EngineError if the engine ends before.
        """
        async with self._turn:
            try:
                loaded = await asyncio.to_thread(self._load)
                return await self._exchange(loaded, by=by, why=why)
            except ConfigError as refusal:
                await self._refuse(refusal.problems)
                raise

    async def watch(self) -> None:
        """Look at the files every second, and reload them once they look the same twice, until cancelled."""
        earlier: Look = {}
        settled: Look | None = None
        while True:
            await self._clock.sleep_until(self._clock.now() + POLL_NS)
            seen = await self._look()
            if seen != settled and seen == earlier and await self._try(seen, settled):
                settled = seen
            earlier = seen

    async def _try(self, seen: Look, settled: Look | None) -> bool:
        """One reload by the watch; False where somebody wrote while the files were read."""
        async with self._turn:
            try:
                loaded = await asyncio.to_thread(self._load)
            except ConfigError as refusal:
                if await self._look() != seen:
                    return False
                await self._refuse(refusal.problems)
                return True
            if await self._look() != seen:
                return False
            names = listed(changed_files(settled, seen)) if settled is not None else ""
            try:
                await self._exchange(loaded, by="file watch", why=f"changed: {names}" if names else "")
            except ConfigError as refusal:
                await self._refuse(refusal.problems)
            return True

    async def _look(self) -> Look:
        return await asyncio.to_thread(look, self._read, self._files.files)

    def _load(self) -> _Loaded:
        """The files as they are; raises ConfigError with all problems, whatever is wrong with them."""
        path, registry = self._origin.path, self._parts.registry
        environ = os.environ if self._parts.environ is None else self._parts.environ
        try:
            setup = load_setup(path, registry, environ=environ)
            book = load_book(setup.rule_files, registry, environ=environ)
            problems = [each for each in meaning_problems(setup, book, registry) if each.severity == "error"]
            if problems:
                raise explained(ConfigError(problems), {**setup.sources, **book.sources})
        except ConfigError as refusal:
            raise ConfigError([*refusal.problems, *self._plugin_problems()]) from refusal
        except Exception as error:
            raise ConfigError([_unforeseen(error)]) from error
        return _Loaded(setup, book)

    def _plugin_problems(self) -> list[Problem]:
        try:
            named = {entry.name for entry in named_plugins(self._origin.path)}
        except ConfigError:
            return []
        if named == {entry.name for entry in self._origin.plugins}:
            return []
        what = "the list of plugins was edited, and plugins are loaded at a start only"
        return [Problem(code="E831", where="plugins", what=what, cure="restart the engine to apply it")]

    async def _exchange(self, loaded: _Loaded, *, by: str, why: str) -> ReloadReport:
        rehearsed = await self._rehearsed(loaded.book)
        book, held = rehearsed.book, rehearsed.held
        self._files, self._read = loaded.book, loaded.setup
        waiting = changes_that_wait(self._origin, loaded.setup)
        difference = _difference(self.book, book)
        result = Result()
        if book.digest != self.book.digest:
            swap = self._want(book, rehearsed.compiled, by=by, why=why)
            await swap.done.wait()
            if swap.result is None:
                raise EngineError("the engine ended before the rules were exchanged [E810]")
            result = swap.result
        self._held_setup = self._waiting_of(loaded.setup)
        self._ask(held, by=by, why=why)
        await self._accepted(difference, result, waiting, by=by, why=why)
        return ReloadReport(digest=book.digest, difference=difference, result=result, waiting=waiting, held=held)

    async def follow(self) -> None:
        """Use what the files say as far as it may be used, at the start and whenever something is let go."""
        by, why = "start", "edited while nothing ran"
        while True:
            await self._freed.wait()
            async with self._turn:
                self._freed.clear()
                self._follows = True
                try:
                    if by != "start" or self._has_begun_behind():
                        await self._apply(by=by, why=why)
                finally:
                    self._follows = False
            by, why = "haltline", "its time had come"

    def _has_begun_behind(self) -> bool:
        """Whether files and kernel do not agree at the start."""
        book = self._kernel.loosenings
        return bool(
            self._files.digest != self.book.digest or self._held_setup or self._read.loosening is not book.policy
            or any(each.sort is not LooseningSort.REQUEST for each in book)
        )  # fmt: skip

    async def _apply(self, *, by: str, why: str) -> None:
        try:
            rehearsed = await self._rehearsed(self._files)
            if rehearsed.book.digest != self.book.digest:
                difference = _difference(self.book, rehearsed.book)
                swap = self._want(rehearsed.book, rehearsed.compiled, by=by, why=why)
                await swap.done.wait()
                await self._tell_exchange(difference, swap.result or Result(), by=by, why=why)
            self._ask(rehearsed.held, by=by, why=why)
        except ConfigError as refusal:
            await self._refuse(refusal.problems)

    @property
    def is_idle(self) -> bool:
        """Whether nothing that was let go is still to be applied."""
        return not (self._freed.is_set() or self._follows)

    def _hear(self, _: Result) -> None:
        released = self._kernel.loosenings.released() - self._known
        if released:
            self._known |= released
            self._freed.set()

    def _waiting_of(self, edited: Setup) -> tuple[Waiting, ...]:
        """What of an edited set-up guards less and will wait at a restart, too."""
        return hold_setup(self._parts.setup, edited, policy=self._kernel.loosenings.policy)[1]

    def _ask(self, held: Sequence[Waiting], *, by: str, why: str) -> None:
        """Have the kernel keep what waits, and forget what does not wait any more."""
        operator = "" if by in NOBODY else by
        events = requests_for(
            self._kernel, [*held, *self._held_setup], policy=self._read.loosening, operator=operator, reason=why,
            now=self._clock.now(),
        )  # fmt: skip
        for event in events:
            self._put(event)
        self._known &= self._kernel.loosenings.released()

    def _usable(self, merged: RuleBook, compiled: CompiledRules) -> _Rehearsed:
        """What of rules that are valid may be used now; where that does not go without the rest, all of it waits."""
        book, exchange = plan_for(self._kernel, self.book, merged)
        held = exchange.waiting if exchange is not None else ()
        if book is merged or book.digest == merged.digest:
            return _Rehearsed(compiled, merged, held)
        try:
            return _Rehearsed(compile_book(book, self._parts.registry), book, held)
        except ConfigError:
            return _Rehearsed(self._kernel.compiled, self.book, held)

    async def _rehearsed(self, files: RuleBook) -> _Rehearsed:
        """The whole set, compiled and tried on a copy of the present state; anew if rules were added meanwhile."""
        registry = self._parts.registry
        while True:
            added = self._added
            merged = merged_books(files, added)
            usable = self._usable(merged, await asyncio.to_thread(compile_book, merged, registry))
            state, current, now = self._kernel.snapshot(), self._kernel.compiled, self._clock.now()
            try:
                await asyncio.to_thread(
                    rehearse, self._parts.setup, registry, state=state, current=current, other=usable.compiled, now=now
                )
            except Exception as error:
                raise ConfigError([_unforeseen(error)]) from error
            if added is self._added:
                return usable

    def _want(self, book: RuleBook, compiled: CompiledRules, *, by: str, why: str) -> Swap:
        difference = _difference(self.book, book)
        who = f"{by} ({why})" if why else by
        said = {"by": by, "why": why, "was": self.book.digest, "summary": f"rules exchanged by {who}: {difference}"}
        config = said | {"change": difference} | in_force(basis_of(self._parts.setup, book), Beginning.RELOAD)
        swap = self._pump.want_rules(compiled, config)
        self.book = book
        self.status = msgspec.structs.replace(
            self.status, digest=book.digest, rules=len(book.rules), since=self._clock.now()
        )
        return swap

    async def _accepted(
        self, difference: RuleDifference, result: Result, waiting: tuple[str, ...], *, by: str, why: str
    ) -> None:
        """The files are good: say what changed, what followed, and what waits for a restart."""
        now, before = self._clock.now(), self.status
        self.status = msgspec.structs.replace(before, problems=(), failed_at=None, waiting=waiting)
        sentences = []
        if before.problems:
            self._health.set(_SERVICE, "up", at=now)
            sentences.append("the files are good again")
        if not difference.is_empty:
            sentences.append(_exchanged(difference, result, by=by, why=why))
        if waiting and waiting != before.waiting:
            sentences.append(f"restart to apply: {', '.join(waiting)}")
        if not sentences:
            return
        text = ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences) + "."
        severity = Severity.WARNING if waiting and waiting != before.waiting else Severity.INFO
        title = "Rules reloaded" if not difference.is_empty else "Set-up read again"
        message = Message(id=f"reload:{now}", at=now, severity=severity, title=title, text=text)
        await self._publisher.announce(now, "reload", text, message, everywhere=bool(before.problems))
        await self.tell_gaps()

    async def tell_gaps(self) -> None:
        """Tell of what armed accounts are not covered for, and nobody accepted, as the rules are now."""
        messages = self._gaps.look(self.book, now=self._clock.now())
        if messages:
            await self._publisher.tell(messages)

    async def _tell_exchange(self, difference: RuleDifference, result: Result, *, by: str, why: str) -> None:
        now, text = self._clock.now(), _exchanged(difference, result, by=by, why=why) + "."
        message = Message(
            id=f"reload:{now}", at=now, severity=Severity.WARNING, title="Rules exchanged",
            text=text[0].upper() + text[1:],
        )  # fmt: skip
        await self._publisher.announce(now, "reload", message.text, message)
        await self.tell_gaps()

    async def _refuse(self, problems: Sequence[Problem]) -> None:
        """Keep the rules, and say so where everybody looks; the same problems are told once."""
        now, before = self._clock.now(), self.status
        told = tuple(map(str, problems))
        count = f"{len(told)} problem{'' if len(told) == 1 else 's'}"
        reason = f"not reloaded, {count}; the rules loaded at {to_iso(before.since)} stay in force"
        self.status = msgspec.structs.replace(before, problems=told, failed_at=before.failed_at or now)
        self._health.set(_SERVICE, "degraded", reason, at=self.status.failed_at or now)
        if told == before.problems:
            return
        text = (
            f"The rules were NOT reloaded: {count}. The {before.rules} rules loaded at {to_iso(before.since)} stay "
            f"in force. Correct the files before a restart: the engine would refuse to start. {' '.join(told[:3])}"
        )
        message = Message(id=f"reload:{now}", at=now, severity=Severity.CRITICAL, title="Rules NOT reloaded", text=text)
        await self._publisher.announce(now, "reload", text, message, everywhere=True)


def merged_books(files: RuleBook, added: Sequence[RuleBook]) -> RuleBook:
    """The rules of files, with rules added by hand put in the place of those of the same ids."""
    book = files
    for each in added:
        ids, names = {spec.id for spec in each.rules}, {item.name for item in each.definitions}
        rules = (*(spec for spec in book.rules if spec.id not in ids), *each.rules)
        definitions = (*(item for item in book.definitions if item.name not in names), *each.definitions)
        book = RuleBook(
            rules=rules, definitions=definitions, files=book.files, sources={**book.sources, **each.sources},
            mentions=book.mentions, digest=digest_of(rules, definitions),
        )  # fmt: skip
    return book


def _difference(old: RuleBook, new: RuleBook) -> RuleDifference:
    return compare_rules(
        old.rules, new.rules, old_definitions=old.definitions, new_definitions=new.definitions
    )  # fmt: skip


def _exchanged(difference: RuleDifference, result: Result, *, by: str, why: str) -> str:
    return f"rules reloaded by {by}{f' ({why})' if why else ''}: {difference}; {_outcome(result)}"


def _outcome(result: Result) -> str:
    """What an exchange set off, in words."""
    moved = {(each.rule, each.entity): each.phase for each in result.transitions}
    fires = [f"{rule} on {entity}" for (rule, entity), phase in moved.items() if phase is Phase.BREACHED]
    ends = [f"{rule} on {entity}" for (rule, entity), phase in moved.items() if phase is Phase.RESOLVED]
    said = [f"{verb}: {listed(names)}" for verb, names in (("fires now", fires), ("ends", ends)) if names]
    return "; ".join(said) or "nothing fires by it"


def _unforeseen(error: Exception) -> Problem:
    what = f"the rules cannot be used: {type(error).__name__}: {error}".splitlines()[0]
    return Problem(code="E830", what=what, cure="undo the last edit, and report this with the files")
