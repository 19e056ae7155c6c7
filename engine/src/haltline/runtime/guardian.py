"""The guardian: a second process that watches the engine's heartbeat, and holds a hard floor where the engine does not
guard: because it is silent, or because it says of an account that it cannot.

It has broker connections of its own that can only read, cancel and close, a record of its own, and it changes nothing
on an account that the engine guards: that is looked up again before each request.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from haltline.api import Message
from haltline.clock import NS_PER_S, Clock
from haltline.config.secret import secret_values
from haltline.config.settings import GuardianEntry
from haltline.enforce.budget import Budget
from haltline.enforce.exitonly import ExitOnlyBroker
from haltline.errors import ConfigError, Problem
from haltline.journal.receipt import Receipt
from haltline.journal.recover import Store
from haltline.model.account import AccountSpec
from haltline.model.event import Event
from haltline.model.id import AccountId
from haltline.model.rule import Severity
from haltline.notify.outbox import Outbox
from haltline.notify.render import receipt_message
from haltline.notify.table import MemoryOutboxTable
from haltline.runtime.compose import Parts, limits_of, make_brokers, make_channels
from haltline.runtime.discreet import DiscreetBroker
from haltline.runtime.enginewatch import EngineWatch
from haltline.runtime.floor import FloorGuard
from haltline.runtime.guardian_hand import GuardianHand, YieldingLedger
from haltline.runtime.health import HealthBook
from haltline.runtime.heartbeat import (
    GUARDING,
    AccountBeat,
    FileWork,
    Heartbeat,
    NoHeartbeat,
    heartbeat_path,
    read_heartbeat,
    write_heartbeat,
)
from haltline.runtime.supervise import Policy, Supervisor
from haltline.runtime.writer import Writer

_NEVER_GIVE_UP = Policy(budget=1_000_000_000, longest_wait_ns=5 * NS_PER_S)
_LAST_MESSAGES_S = 5.0
ROLE = "guardian"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianNote:
    """Something the guardian says: `kind` is ``silent``, ``alive``, ``unguarded``, ``guarded``, ``account``,
    ``receipt`` or ``notice``."""

    kind: str
    at: int
    account: str
    severity: Severity
    title: str
    text: str


class Guardian:
    """One guardian of one set-up. `clock` is steady, for waiting and measuring; `wall` is UTC, for stamps and brokers.

    Raises ConfigError (E820) for a floor on an account that only the engine's process can reach.
    """

    def __init__(
        self, parts: Parts, entry: GuardianEntry, *, clock: Clock, wall: Clock, store: Store, writer: Writer,
        pid: int, unrecorded: str = "", budget: Budget | None = None,
    ) -> None:  # fmt: skip
        self.entry = entry
        self.subscribers: list[Callable[[GuardianNote], None]] = []
        self.looked: list[Callable[[], object]] = []
        self._clock = clock
        self._wall = wall
        self._journal = parts.setup.store.path
        self._pid = pid
        self._run = f"{pid}-{clock.now()}"
        self._number = 0
        self._words = 0
        self._flaw = ""
        self._was_silent = False
        self._told_away: frozenset[AccountId] = frozenset()
        self._sending: Counter[AccountId] = Counter()
        self._reading, self._writing = FileWork(), FileWork()
        self._one_reads, self._one_writes = asyncio.Lock(), asyncio.Lock()
        self._unrecorded = unrecorded
        self._stop = asyncio.Event()
        self._to_say: asyncio.Queue[Message] = asyncio.Queue()
        reachable = reachable_accounts(parts, entry)
        self.watch = EngineWatch(
            [item.id for item in reachable], silence_ns=entry.silence_ns, longest_gap_ns=2 * entry.interval_ns
        )
        near = Parts(setup=replace(parts.setup, accounts=reachable), book=parts.book, registry=parts.registry)
        hide = HealthBook(secrets=secret_values(parts.setup, parts.environ or os.environ)).inert
        self._brokers = {
            name: ExitOnlyBroker(DiscreetBroker(broker, hide), self._objection, self._announced)
            for name, broker in make_brokers(near, wall, self._journal.parent).items()
        }
        channels, routes = make_channels(parts)
        self._outbox = Outbox(
            channels=channels, routes=routes, table=MemoryOutboxTable(), write=_at_once, clock=clock,
            limits=limits_of(parts, channels),
        )  # fmt: skip
        ledger = YieldingLedger(writer, self._lost_record)
        self._hand = GuardianHand(
            actions=parts.registry.actions, clock=clock, store=store, ledger=ledger, budget=budget,
            brokers={item.id: self._brokers[item.broker] for item in reachable},
            instruments={spec.symbol: spec for spec in parts.setup.instruments},
        )  # fmt: skip
        self.floors = tuple(
            FloorGuard(
                item, entry=entry, broker=self._brokers[item.broker], clock=clock, wall=wall, engine=self.watch,
                carry_out=partial(self._carry_out, item.id), say=self._say_of,
            )
            for item in reachable
        )  # fmt: skip

    @property
    def is_silent(self) -> bool:
        """Whether the engine gave no sign of life for longer than allowed."""
        return self.watch.is_silent

    async def run(self, started: Callable[[], None]) -> None:
        """Watch until `stop`; raises whatever ended a vital service (in an ExceptionGroup)."""
        async with Supervisor(self._clock, self._changed) as supervisor:
            supervisor.vital("voice", self._speak)
            for channel in self._outbox.channels:
                supervisor.vital(f"channel {channel}", partial(self._outbox.run_lane, channel))
            for account in self._hand.executor.accounts:
                supervisor.vital(f"enforce {account}", partial(self._hand.executor.run_lane, account))
            for name, broker in self._brokers.items():
                supervisor.guard(f"broker {name}", partial(broker.run, _unheard, _nothing), _NEVER_GIVE_UP)
            for floor in self.floors:
                supervisor.guard(f"floor {floor.account.id}", floor.run, _NEVER_GIVE_UP)
            supervisor.vital("vigil", self._watch)
            if self._unrecorded:
                self._lost_record(self._unrecorded)
            started()
            await self._stop.wait()
            await self._say_rest()
        await self._beat("stopped")

    def stop(self) -> None:
        """End `run` in good order."""
        self._stop.set()

    async def look(self) -> None:
        """Look at the engine's heartbeat, and say what changed."""
        async with self._one_reads:
            try:
                beat: Heartbeat | None = await self._reading.run(self._read)
                self._flaw = ""
            except (NoHeartbeat, OSError) as error:
                beat, self._flaw = None, str(error)
            self.watch.look(beat, self._clock.now())
            was_silent, self._was_silent = self._was_silent, self.is_silent
            before, self._told_away = self._told_away, self.watch.away
        if self.is_silent and not was_silent:
            await self._say("silent", "", Severity.CRITICAL, "The engine is silent", self._silence_in_words())
        if was_silent and not self.is_silent:
            text = "The guardian only watches what the engine guards."
            await self._say("alive", "", Severity.INFO, "The engine is back", text)
            before = frozenset()
        if not self.is_silent:
            await self._tell_of_accounts(lost=self._told_away - before, back=before - self._told_away)

    async def _tell_of_accounts(self, *, lost: Iterable[AccountId], back: Iterable[AccountId]) -> None:
        """The engine is alive, and does not guard these any more, or does so again."""
        for account in sorted(lost):
            floor = self.entry.floors.get(account)
            doing = f"watches its equity itself and flattens it at {floor:,.2f}" if floor else "has no floor for it"
            await self._say(
                "unguarded", account, Severity.CRITICAL, f"{account}: the engine does not guard it",
                f"For {self.watch.silent_for(account)} now: {self.watch.reason(account)}. The guardian {doing}. "
                "Look at the account at the broker now.",
            )  # fmt: skip
        for account in sorted(back):
            text = "The guardian only watches it."
            await self._say("guarded", account, Severity.INFO, f"{account}: the engine guards it again", text)

    async def _watch(self) -> None:
        while True:
            await self.look()
            await self._beat(GUARDING)
            for callback in tuple(self.looked):
                callback()
            await self._clock.sleep_until(self._clock.now() + self.entry.interval_ns)

    def _read(self) -> Heartbeat:
        return read_heartbeat(heartbeat_path(self._journal, "engine"), role="engine", journal=self._journal.name)

    async def _objection(self, account: AccountId) -> str:
        """Looked up before each request: the engine may have come back a moment ago."""
        await self.look()
        return "" if account in self.watch.away else f"the engine is alive again and guards {account}"

    @asynccontextmanager
    async def _announced(self, account: AccountId) -> AsyncIterator[None]:
        """Said before the engine's word is looked at, so that one of the two always sees the other."""
        self._sending[account] += 1
        await self._beat(GUARDING)
        try:
            yield
        finally:
            self._sending[account] -= 1
            await self._beat(GUARDING)

    async def _carry_out(self, account: AccountId, name: str, reason: str) -> Receipt:
        last = self.watch.last
        episode = last.run if last is not None else "no-engine"
        await self._hand.note(reason)
        receipt = await self._hand.carry_out(name, account, episode=episode, reason=reason)
        message = receipt_message(receipt)
        await self._say("receipt", str(account), message.severity, message.title, message.text)
        return receipt

    async def _beat(self, state: str) -> None:
        path = heartbeat_path(self._journal, ROLE)
        async with self._one_writes:
            try:
                await self._writing.run(partial(write_heartbeat, path, self._next_beat(state)))
            except OSError as error:
                self._note("notice", "", Severity.WARNING, "no heartbeat written", f"{path.name}: {error}")

    def _next_beat(self, state: str) -> Heartbeat:
        self._number += 1
        accounts = {
            str(floor.account.id): AccountBeat(
                mode="", live=self.watch.is_live(floor.account), confirmed=floor.is_reached, equity=floor.equity,
                sending=self._sending[floor.account.id] > 0,
            )
            for floor in self.floors
        }  # fmt: skip
        return Heartbeat(
            role=ROLE, run=self._run, number=self._number, pid=self._pid, wall=self._wall.now(),
            steady=self._clock.now(), state=state, journal=self._journal.name, accounts=accounts,
        )  # fmt: skip

    def _silence_in_words(self) -> str:
        last = self.watch.last
        reason = self._flaw or (f"its last word was “{last.state}”" if last is not None else "it never spoke")
        floors = ", ".join(f"{name} at {floor:,.2f}" for name, floor in self.entry.floors.items())
        doing = f"The guardian now watches the equity itself and flattens {floors}" if floors else "There is no floor"
        return f"No sign of life for {self.watch.silent_for()}: {reason}. Rules are NOT evaluated. {doing}."

    def _lost_record(self, reason: str) -> None:
        self._put(
            "notice", "", Severity.CRITICAL, "The guardian keeps no record",
            f"{reason}. It goes on without one: what it does from now on stands only in its messages.",
        )  # fmt: skip

    def _changed(self, name: str, status: str, reason: str) -> None:
        self._note("notice", "", Severity.WARNING, f"{name} is {status}", reason)

    async def _say_of(self, account: str, severity: Severity, title: str, text: str) -> None:
        await self._say("account", account, severity, title, text)

    async def _say(self, kind: str, account: str, severity: Severity, title: str, text: str) -> None:
        self._put(kind, account, severity, title, text)
        await asyncio.sleep(0)

    def _put(self, kind: str, account: str, severity: Severity, title: str, text: str) -> None:
        """To the subscribers now, to the channels next; acting never waits for a channel."""
        at = self._wall.now()
        self._words += 1
        self._note(kind, account, severity, title, text)
        message = Message(
            id=f"guardian:{self._run}:{self._words}", at=at, severity=severity, title=title,
            text=text, account=account,
        )  # fmt: skip
        self._to_say.put_nowait(message)

    def _note(self, kind: str, account: str, severity: Severity, title: str, text: str) -> None:
        note = GuardianNote(kind=kind, at=self._wall.now(), account=account, severity=severity, title=title, text=text)
        for subscriber in tuple(self.subscribers):
            subscriber(note)

    async def _speak(self) -> None:
        while True:
            message = await self._to_say.get()
            self._outbox.release(self._outbox.prepare([(message, "")]))

    async def _say_rest(self) -> None:
        """Give channels a moment for what was said last."""
        try:
            async with asyncio.timeout(_LAST_MESSAGES_S):
                while not (self._to_say.empty() and self._outbox.is_idle):  # noqa: ASYNC110 - many lanes, waited for once
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return


def reachable_accounts(parts: Parts, entry: GuardianEntry) -> tuple[AccountSpec, ...]:
    """The accounts whose broker another process can reach; raises ConfigError (E820) for a floor on any other."""
    kinds = {broker.name: parts.registry.brokers.get(broker.kind) for broker in parts.setup.brokers}
    near = {name for name, kind in kinds.items() if kind is not None and kind.in_process}
    stuck = [account for account in parts.setup.accounts if account.broker in near and account.id in entry.floors]
    if stuck:
        raise ConfigError(
            [
                Problem(
                    code="E820", where=f"account {str(account.id)!r}",
                    what=f"the broker {account.broker!r} lives inside the engine; the guardian cannot reach it",
                    cure="take its floor away, or put it on a broker that two processes can reach",
                    place=entry.place,
                )
                for account in stuck
            ]
        )  # fmt: skip
    return tuple(account for account in parts.setup.accounts if account.broker not in near)


async def _at_once(work: Callable[[], None]) -> None:
    work()


def _unheard(event: Event) -> None:
    """The guardian asks; what brokers push is not listened to."""


def _nothing() -> None:
    """Nothing waits for a broker of the guardian."""
