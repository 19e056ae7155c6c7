"""Is this set-up able to guard? Everything that can be looked at without changing anything anywhere.

`Examination` goes from what is near (journal, people) to what is far (brokers, feeds, channels, front ends). What a
plugin knows of itself it says in `diagnose` (`api.Diagnosing`); the rest is seen from outside: it connects, it shows
every account, it brings prices. Nothing is sent unless `send` asks for a test message.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec

from haltline.api import Broker, BrokerKind, BrokerRole, Capability, Diagnosing, EventSink, Feed, Finding, Level
from haltline.clock import Clock
from haltline.config.secret import hidden, secret_values
from haltline.config.settings import BrokerEntry
from haltline.control.arming import arming_list
from haltline.control.note import MemoryNoteTable, Notes
from haltline.errors import ConfigError, EngineError, Refused
from haltline.journal.error import JournalError, JournalLocked
from haltline.journal.lease import Lease
from haltline.journal.store import Journal
from haltline.model.event import Event, Quote
from haltline.model.id import AccountId
from haltline.notify.trial import TrialResult, trial_message, try_channel
from haltline.runtime.compose import Parts, make_brokers, make_channels, make_feeds
from haltline.runtime.namesake import CURE, Namesakes
from haltline.runtime.surface import make_surfaces, speaking

CONNECT_S = 15.0
QUOTE_S = 10.0
_LEAST_BYTES = 500_000_000
_KEY_CURE = "check the credentials of this broker, and that they are meant for this venue and account"
_REACH_CURE = "check the network and the address in its config, then run this again"


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A finding and the part of the set-up it is about (``broker main``)."""

    subject: str
    finding: Finding


type Told = Callable[[Examined], None]


class Examination:
    """One look at a set-up. `told` hears each finding as it comes; secrets are taken out before."""

    def __init__(
        self, parts: Parts, *, clock: Clock, environ: Mapping[str, str], told: Told = lambda examined: None,
        connect_s: float = CONNECT_S, quote_s: float = QUOTE_S, send: bool = False,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._clock = clock
        self._secrets = secret_values(parts.setup, environ)
        self._told = told
        self._connect_s = connect_s
        self._quote_s = quote_s
        self._send = send
        self._quoted: set[str] = set()
        self._namesakes = Namesakes()
        self.found: list[Examined] = []

    async def run(self) -> Sequence[Examined]:
        """Look at everything."""
        self._journal()
        self._people()
        async with asyncio.TaskGroup() as group:
            for entry in self._parts.setup.brokers:
                group.create_task(self._broker(entry))
            group.create_task(self._feeds())
        self._prices()
        await self._channels()
        self._arming()
        return self.found

    def say(self, subject: str, level: Level, about: str, text: str, cure: str = "") -> None:
        """Note a finding."""
        finding = Finding(level=level, about=about, text=hidden(text, self._secrets), cure=hidden(cure, self._secrets))
        self.found.append(Examined(subject=subject, finding=finding))
        self._told(self.found[-1])

    def _journal(self) -> None:
        path = self._parts.setup.store.path
        free = shutil.disk_usage(_nearest(path.parent)).free
        is_tight = free < _LEAST_BYTES
        self.say(
            "journal", Level.WARN if is_tight else Level.OK, "space", f"{free / 1e9:.1f} GB are free beside it",
            "make room: a full disk stops the engine" if is_tight else "",
        )  # fmt: skip
        if not path.exists():
            nearest = _nearest(path.parent)
            may_write = os.access(nearest, os.W_OK)
            level = Level.OK if may_write else Level.FAIL
            cure = "" if may_write else f"{nearest} cannot be written: name another place under store: path:"
            self.say("journal", level, "file", f"{path.name} will be made by the first start", cure)
            return
        try:
            with Journal.read(path) as journal:
                self.say("journal", Level.OK, "file", f"{path.name} can be read, {journal.last_seq} records")
        except JournalError as error:
            self.say("journal", Level.FAIL, "file", str(error), "haltline journal verify says more")
            return
        self._lease(path)

    def _lease(self, path: Path) -> None:
        try:
            Lease(path).release()
        except JournalLocked:
            self.say("journal", Level.OK, "lock", "an engine is running on it")
        except sqlite3.Error as error:
            self.say("journal", Level.FAIL, "lock", f"its folder cannot be written: {error}", "make it writable")
        else:
            shut = [place for place in (path, path.parent) if not os.access(place, os.W_OK)]
            self.say(
                "journal", Level.FAIL if shut else Level.OK, "lock",
                f"nobody holds it, and {f'{shut[0]} cannot' if shut else 'it can'} be written",
                "make it writable: the engine would not start" if shut else "",
            )  # fmt: skip

    def _people(self) -> None:
        setup = self._parts.setup
        if setup.guardian is not None:
            floors = ", ".join(setup.guardian.floors) or "no account"
            self.say("guardian", Level.OK, "second process", f"floors for {floors}")
        nameless = [each.name for each in setup.operators if not each.identities]
        for name in nameless:
            self.say("operators", Level.WARN, name, "no identity: nobody is recognised as this person",
                     "write their id on a platform under identities")  # fmt: skip
        if setup.surfaces and not setup.operators:
            self.say("operators", Level.FAIL, "nobody", "there are front ends, and nobody may use them",
                     "name people under operators:, with their ids")  # fmt: skip
        elif not nameless:
            self.say("operators", Level.OK, "people", f"{len(setup.operators)} named")

    async def _broker(self, entry: BrokerEntry) -> None:
        name, subject = entry.name, f"broker {entry.name}"
        kind = self._parts.registry.brokers.get(entry.kind)
        accounts = [each for each in self._parts.setup.accounts if each.broker == name]
        if kind is None or not accounts:
            self.say(subject, Level.WARN, "accounts", "no account names it: it is not used", "take it out, or use it")
            return
        if kind.in_process:
            self.say(subject, Level.OK, "venue", f"{kind.meaning}")
            return
        try:
            broker = self._make(entry)
        except (ConfigError, EngineError) as failure:
            self.say(subject, Level.FAIL, "config", str(failure), "correct its config")
            return
        await self._ask(subject, broker)
        await self._see(subject, broker, kind, [each.id for each in accounts])

    def _make(self, entry: BrokerEntry) -> Broker:
        only = _alone(self._parts, entry)
        return make_brokers(only, self._clock, None, role=BrokerRole.READER)[entry.name]

    async def _ask(self, subject: str, plugin: object) -> None:
        """What a plugin says of itself."""
        if not isinstance(plugin, Diagnosing):
            return
        try:
            findings = await self._within(plugin.diagnose())
        except (TimeoutError, ExceptionGroup) as failure:
            self._failed(subject, "diagnosis", failure)
            return
        for each in findings:
            self.say(subject, each.level, each.about, each.text, each.cure)

    async def _see(self, subject: str, broker: Broker, kind: BrokerKind, accounts: Sequence[AccountId]) -> None:
        """Connect, show every account, listen for prices."""
        try:
            async with self._served(broker, self._namesakes.between(subject.removeprefix("broker "), self._hear)):
                self.say(subject, Level.OK, "connection", "it answers, and its stream has begun")
                for account in accounts:
                    await self._account(subject, broker, account)
                if Capability.PUSH_QUOTES in kind.capabilities:
                    await self._listen()
        except (TimeoutError, ExceptionGroup) as failure:
            self._failed(subject, "connection", failure)

    async def _account(self, subject: str, broker: Broker, account: AccountId) -> None:
        try:
            shown = await self._within(broker.snapshot(account))
        except (TimeoutError, ExceptionGroup) as failure:
            self._failed(subject, f"account {account}", failure)
            return
        held = sum(1 for each in shown.positions if each.quantity)
        report = shown.account
        money = report.equity if report.equity is not None else report.balance
        text = f"{money if money is not None else 'no money said'}, {held} positions, {len(shown.orders)} orders"
        if report.can_trade is False:
            self.say(subject, Level.WARN, f"account {account}", f"{text}; the broker bars it from trading",
                     "ask the broker why")  # fmt: skip
            return
        self.say(subject, Level.OK, f"account {account}", text)

    @asynccontextmanager
    async def _served(self, plugin: Broker | Feed, sink: EventSink) -> AsyncIterator[None]:
        """Within it the plugin runs; entered once it has started."""
        started = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(plugin.run(sink, started.set))
            async with asyncio.timeout(self._connect_s):
                await started.wait()
            try:
                yield
            finally:
                task.cancel()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Quote):
            self._quoted.add(event.symbol)

    async def _listen(self) -> None:
        """Until every instrument that is wanted was quoted, and one at least, or the time is over."""
        end = self._clock.now() + round(self._quote_s * 1e9)
        wanted = self._wanted()
        while self._clock.now() < end and not (self._quoted and wanted <= self._names()):
            await self._clock.sleep_until(min(end, self._clock.now() + 100_000_000))

    def _wanted(self) -> set[str]:
        """The instruments that the set-up describes itself, and those that rules name; not all that we know."""
        setup = self._parts.setup
        alias = {name: str(each.symbol) for each in setup.instruments for name in (each.symbol, *each.aliases)}
        named = {each.name for each in self._parts.book.mentions if each.sort == "symbol"}
        own = {symbol for symbol in alias.values() if f"instruments.{symbol}" in setup.places}
        return own | {alias[name] for name in named if name in alias}

    def _names(self) -> set[str]:
        """The symbols quoted, under the names of the set-up."""
        alias = {name: str(each.symbol) for each in self._parts.setup.instruments for name in each.aliases}
        return {alias.get(symbol, symbol) for symbol in self._quoted}

    async def _feeds(self) -> None:
        for name, feed in make_feeds(self._parts, self._clock, {}).items():
            subject = f"feed {name}"
            await self._ask(subject, feed)
            if not hasattr(feed, "run"):
                self.say(subject, Level.WARN, "recording", "it brings no live prices", "it is for haltline replay")
                continue
            try:
                async with self._served(cast("Feed", feed), self._hear):
                    self.say(subject, Level.OK, "connection", "it has begun")
                    await self._listen()
            except (TimeoutError, ExceptionGroup) as failure:
                self._failed(subject, "connection", failure)

    def _prices(self) -> None:
        setup = self._parts.setup
        kinds = [self._parts.registry.brokers.get(entry.kind) for entry in setup.brokers]
        if not setup.feeds and all(kind is None or Capability.PUSH_QUOTES not in kind.capabilities for kind in kinds):
            self.say("prices", Level.WARN, "source", "no broker and no feed brings prices",
                     "name a feed under feeds:, or no limit on open positions can be measured")  # fmt: skip
            return
        wanted, quoted = self._wanted(), self._names()
        for symbol in sorted(wanted - quoted):
            self.say("prices", Level.WARN, symbol, f"no quote within {self._quote_s:g} s",
                     "its market may be closed; else check its symbol and aliases")  # fmt: skip
        for symbol, text in sorted(self._namesakes.found.items()):
            self.say("prices", Level.WARN, symbol, text, CURE)
        if quoted:
            self.say("prices", Level.OK, "quoted", ", ".join(sorted(quoted)))
        elif not wanted:
            self.say("prices", Level.WARN, "nothing", f"no quote of anything within {self._quote_s:g} s",
                     "the market may be closed; else check what brokers and feeds are asked to follow")  # fmt: skip

    async def _channels(self) -> None:
        notes = Notes(MemoryNoteTable(), _at_once)
        try:
            surfaces = make_surfaces(self._parts, clock=self._clock, notes=notes)
            channels, _ = make_channels(self._parts, speaking(surfaces))
        except ConfigError as failure:
            self.say("channels", Level.FAIL, "config", str(failure), "correct their config")
            return
        if not channels:
            self.say("channels", Level.FAIL, "nobody", "there is no channel: nobody would hear anything",
                     "name one under channels:")  # fmt: skip
        for name, surface in surfaces.items():
            await self._ask(f"surface {name}", surface)
        for name, channel in channels.items():
            if name not in surfaces:
                await self._ask(f"channel {name}", channel)
            if not self._send:
                self.say(f"channel {name}", Level.OK, "message", "made; nothing was sent (--send sends one)")
                continue
            trial = await try_channel(name, channel, trial_message(name, self._clock.now()), self._clock)
            is_good = trial.result is TrialResult.DELIVERED
            self.say(f"channel {name}", Level.OK if is_good else Level.FAIL, "message",
                     "delivered" if is_good else f"{trial.result.value}: {trial.reason}",
                     "" if is_good else trial.cure)  # fmt: skip

    def _arming(self) -> None:
        parts = self._parts
        for account in parts.setup.accounts:
            listed = arming_list(parts.setup, parts.book, parts.registry, account.id)
            subject = f"account {account.id}"
            mode = "LIVE: rules act on it" if account.live else "shadow: rules decide and tell, and do nothing"
            self.say(subject, Level.OK, "mode", mode)
            for gap in listed.gaps:
                self.say(subject, Level.WARN, gap.code, gap.text, "haltline arming shows all of it")

    async def _within[T](self, work: Coroutine[object, object, T]) -> T:
        """Its result; raises TimeoutError, or an ExceptionGroup of whatever a plugin raised."""
        async with asyncio.timeout(self._connect_s), asyncio.TaskGroup() as group:
            task = group.create_task(work)
        return task.result()

    def _failed(self, subject: str, about: str, failure: BaseException) -> None:
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        if isinstance(failure, TimeoutError):
            text, cure = f"it did not answer within {self._connect_s:g} s", _REACH_CURE
        else:
            text = str(failure) if isinstance(failure, EngineError) else f"{type(failure).__name__}: {failure}"
            cure = _KEY_CURE if isinstance(failure, Refused) else _REACH_CURE
        self.say(subject, Level.FAIL, about, text, cure)


def _alone(parts: Parts, entry: BrokerEntry) -> Parts:
    """The same parts with one broker: a mistake in another one is that one's."""
    return replace(parts, setup=replace(parts.setup, brokers=(entry,)))


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


async def _at_once[T](work: Callable[[], T]) -> T:
    return work()
