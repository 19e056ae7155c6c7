"""A recording through kernel, enforcement and paper broker on a virtual clock: deterministic, as fast as it goes.

Quotes after which nothing is planned take a path without any await. While something is being enforced, the loop lets it
take its steps between two events, so that it sees the market move as it would live.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from haltline.api import Broker, Message, Notifier, QuoteTaker, Recording
from haltline.clock import ManualClock
from haltline.compose.kernel import build_kernel
from haltline.control.basis import Beginning, basis_of, config_entry
from haltline.enforce.budget import Budget
from haltline.enforce.executor import Executor
from haltline.errors import InvariantBroken
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import Receipt
from haltline.journal.record import event_entry
from haltline.journal.recover import Store
from haltline.kernel.kernel import Kernel
from haltline.model.event import ActionOutcome, Event, Quote, Tick
from haltline.model.id import Symbol
from haltline.model.plan import Result
from haltline.model.rule import Severity
from haltline.notify.outbox import Outbox
from haltline.notify.render import receipt_message
from haltline.notify.route import Routes
from haltline.notify.table import MemoryOutboxTable
from haltline.runtime.compose import Parts, brokers_by_account, make_brokers
from haltline.runtime.economics import LiveInstruments
from haltline.runtime.publish import Publisher
from haltline.runtime.supervise import Supervisor
from haltline.runtime.witness import KernelWitness, pushing_accounts
from haltline.runtime.writer import InlineWriter

type Progress = Callable[[int, int | None], None]
"""Told of the events done so far, and of all of them (None: unknown)."""

_PROGRESS_EVERY = 5_000
_STEPS_PER_EVENT = 12
_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySummary:
    """What a replay did. `first_ns` and `last_ns` are instants on the recording's clock."""

    events: int
    transitions: int
    actions: int
    first_ns: int
    last_ns: int


class Replay:
    """One pass over a recording. `kernel`, `clock`, `brokers` and `journal` may be looked at while it runs.

    `on_result` is told of every result that says something, `on_message` of every message, `on_receipt` of every
    finished action. With `keep_events` all events are journalled, otherwise only decisions and enforcement.
    """

    def __init__(
        self, parts: Parts, recording: Recording, *, start_ns: int | None = None, speed: float | None = None,
        journal: Store | None = None, keep_events: bool = False, progress: Progress | None = None,
        on_event: Callable[[Event], None] | None = None, on_result: Callable[[Result], None] | None = None,
        on_message: Callable[[Message], None] | None = None, on_receipt: Callable[[Receipt], None] | None = None,
        budget: Budget | None = None,
    ) -> None:  # fmt: skip
        self._recording = recording
        self._speed = speed
        self._progress = progress
        self._on_event = on_event
        self._on_receipt = on_receipt
        self._keep_events = keep_events
        self._basis = basis_of(parts.setup, parts.book) if keep_events else None
        first = next(iter(recording.events()), None)
        self._first_ns = start_ns if start_ns is not None else (first.received_at if first else 0)
        self.clock = ManualClock(self._first_ns)
        self.journal: Store = journal if journal is not None else MemoryJournal()
        self.kernel: Kernel = build_kernel(parts.setup, parts.book, parts.registry, now=self._first_ns)
        self.brokers: dict[str, Broker] = make_brokers(parts, self.clock, None)
        self._takers = tuple(broker for broker in self.brokers.values() if isinstance(broker, QuoteTaker))
        self._inbox: deque[Event] = deque()
        self._receipts: list[Receipt] = []
        self._counts = {"events": 0, "transitions": 0, "actions": 0}
        writer = InlineWriter(self.journal)
        channels: Mapping[str, Notifier] = {"replay": _Relay(on_message)} if on_message is not None else {}
        self._outbox = Outbox(
            channels=channels, routes=Routes(severities={name: tuple(Severity) for name in channels}),
            table=MemoryOutboxTable(), write=writer.run_in_transaction, clock=self.clock,
        )  # fmt: skip
        self._executor = Executor(
            actions=parts.registry.actions, brokers=brokers_by_account(parts.setup, self.brokers), clock=self.clock,
            ledger=writer, report=self._reported, mark_of=self._mark_of, budget=budget,
            instruments=LiveInstruments(self.kernel),
            witness=KernelWitness(
                self.kernel, clock=self.clock, pushed=pushing_accounts(parts.setup, parts.registry),
                confirmed=frozenset(account.id for account in parts.setup.accounts),
                is_settled=lambda: not self._inbox, put=self._inbox.append,
            ),
        )  # fmt: skip
        self._publisher = Publisher(
            store=self.journal, writer=writer, executor=self._executor, outbox=self._outbox,
            actions=parts.registry.actions,
        )  # fmt: skip
        if on_result is not None:
            self._publisher.subscribers.append(on_result)

    def put(self, event: Event) -> None:
        """Give the replay an event of your own (from a callback): it is processed next, at the present instant."""
        self._inbox.append(event)

    async def run(self) -> ReplaySummary:
        """Read the recording to its end, then let what was begun finish."""
        async with Supervisor(self.clock) as supervisor:
            for account in self._executor.accounts:
                supervisor.vital(f"enforce {account}", partial(self._executor.run_lane, account))
            for channel in self._outbox.channels:
                supervisor.vital(f"channel {channel}", partial(self._outbox.run_lane, channel))
            for name, broker in self.brokers.items():
                supervisor.guard(f"broker {name}", partial(broker.run, self._inbox.append, _nothing))
            await self._let_run()
            if self._basis is not None:
                entry = config_entry(self.clock.now(), self._basis, Beginning.FRESH, built=self._first_ns)
                self.journal.append([entry])
            await self._publisher.publish([self.kernel.evaluate_all(self.clock.now())], self.clock.now())
            await self._drain()
            await self._play()
            await self._finish()
        counts = self._counts
        return ReplaySummary(
            events=counts["events"], transitions=counts["transitions"], actions=counts["actions"],
            first_ns=self._first_ns, last_ns=self.clock.now(),
        )  # fmt: skip

    async def _play(self) -> None:
        total, done = self._recording.size(), 0
        clock, kernel = self.clock, self.kernel
        for event in self._recording.events():
            now = event.received_at
            if self._speed:
                await asyncio.sleep(max(0.0, (now - clock.now()) / 1e9 / self._speed))
            deadline, wake = kernel.deadline, clock.next_wake_ns()
            if (deadline is not None and deadline <= now) or (wake is not None and wake <= now):
                await self._pass_time(now)
            result = self._show(event, now)
            done += 1
            if result.plan or result.transitions or result.notices:
                await self._publish(result)
            if not self._is_quiet:
                await self._drain()
            if done % _PROGRESS_EVERY == 0:
                await self._progressed(done, total)
        self._counts["events"] += done
        await self._progressed(done, total)

    def _show(self, event: Event, now: int) -> Result:
        """One event to the paper brokers and the kernel."""
        self.clock.advance_to(now)
        if type(event) is Quote:
            for taker in self._takers:
                taker.on_quote(event)
        if self._keep_events or self._on_event is not None:
            self._note(event, self.clock.now())
        return self.kernel.step(event, self.clock.now())

    @property
    def _is_quiet(self) -> bool:
        return not self._inbox and self._executor.is_idle and self._outbox.is_idle

    async def _progressed(self, done: int, total: int | None) -> None:
        await asyncio.sleep(0)
        if self._progress is not None:
            self._progress(done, total)

    async def _pass_time(self, until: int) -> None:
        """Everything that is due before the next event happens at its own instant."""
        while True:
            instants = [instant for instant in (self.kernel.deadline, self.clock.next_wake_ns()) if instant is not None]
            due = min(instants, default=until + 1)
            if due > until:
                return
            if self._is_quiet and due != self.clock.next_wake_ns():
                await self._pass_quietly(due)
            else:
                await self._advance(due)

    async def _pass_quietly(self, due: int) -> None:
        """A deadline of the kernel while nothing is under way: no task needs the loop unless something comes of it."""
        self.clock.advance_to(due)
        result = self.kernel.step(Tick(at=due, received_at=due), due)
        if result.plan or result.transitions or result.notices:
            await self._publish(result)
            await self._drain()

    async def _advance(self, due: int) -> None:
        self.clock.advance_to(due)
        if self.kernel.deadline is not None and self.kernel.deadline <= due:
            await self._step(Tick(at=due, received_at=due))
        await self._drain()

    async def _drain(self) -> None:
        """Let enforcement and channels take their steps, and the kernel see what came of them."""
        for _ in range(_MOST_STEPS):
            before = len(self._inbox)
            await self._let_run()
            while self._inbox:
                await self._step(self._inbox.popleft())
            await self._tell_receipts()
            if not before and not self._inbox:
                return
        raise InvariantBroken("the replay does not come to rest: events cause events without end")

    async def _let_run(self) -> None:
        for _ in range(_STEPS_PER_EVENT):
            await asyncio.sleep(0)

    async def _step(self, event: Event) -> None:
        now = self.clock.now()
        self._counts["events"] += 1
        self._note(event, now)
        result = self.kernel.step(event, now)
        self._executor.look_again()
        if result.plan or result.transitions or result.notices:
            await self._publish(result)

    async def _publish(self, result: Result) -> None:
        self._counts["transitions"] += len(result.transitions)
        await self._publisher.publish([result], self.clock.now())

    async def _tell_receipts(self) -> None:
        receipts, self._receipts = self._receipts, []
        for receipt in receipts:
            self._counts["actions"] += 1
            if self._on_receipt is not None:
                self._on_receipt(receipt)
            await self._publisher.tell([receipt_message(receipt)])

    async def _finish(self) -> None:
        """After the last event, time passes only for what is under way."""
        for _ in range(_MOST_STEPS):
            await self._drain()
            if self._is_quiet:
                return
            wake = self.clock.next_wake_ns()
            if wake is None:
                await asyncio.sleep(0.001)  # something waits for the real world: a channel that writes in a thread
                continue
            await self._advance(wake)

    def _note(self, event: Event, now: int) -> None:
        if self._keep_events:
            self.journal.append([event_entry(event, now)])
        if self._on_event is not None:
            self._on_event(event)

    def _reported(self, outcome: ActionOutcome, receipt: Receipt) -> None:
        self._inbox.append(outcome)
        self._receipts.append(receipt)

    def _mark_of(self, symbol: Symbol) -> float | None:
        instrument = self.kernel.state.names.get(symbol)
        mark = float("nan") if instrument is None else instrument.mark
        return mark if mark == mark else None


class _Relay:
    """A channel that hands messages to a callback."""

    def __init__(self, callback: Callable[[Message], None]) -> None:
        self._callback = callback

    async def send(self, message: Message) -> None:
        """Hand over one message."""
        self._callback(message)


class EventList:
    """A recording of events that are already there, oldest first."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    def events(self) -> Iterator[Event]:
        """All events."""
        return iter(self._events)

    def size(self) -> int:
        """How many there are."""
        return len(self._events)


def _nothing() -> None:
    """A broker of a replay is ready at once."""
