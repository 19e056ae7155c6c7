"""What follows from a result, in this order: on record, carried out, told."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from haltline.api import Message
from haltline.api.action import Action
from haltline.api.registry import Shelf
from haltline.clock import Clock
from haltline.enforce.executor import Executor
from haltline.journal.receipt import Receipt
from haltline.journal.record import Entry, RecordKind, entry_of, notice_entry
from haltline.journal.recover import Store
from haltline.model.plan import Result
from haltline.notify.desk import Desk
from haltline.notify.notice import Directory, Notice, notices_of, plain_notice, receipt_notice
from haltline.notify.outbox import Outbox
from haltline.notify.render import alarm_message
from haltline.notify.table import Pending
from haltline.runtime.supervise import wait_for_either
from haltline.runtime.writer import Writer

type Subscriber = Callable[[Result], None]
type Live = Callable[[], Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one decision gives the outbox: messages under way and notes, written together."""

    pending: Sequence[Pending]
    notes: Sequence[tuple[str, bytes | None]]


class Publisher:
    """Journals results and their messages in one transaction, then hands plans to enforcement and messages to channels.

    Durable wherever a plan is involved: nothing is sent to a broker, nobody is told, before it is on disk.
    `changed` is set whenever the desk may have another deadline; `live` tells the labels of live incidents.
    """

    def __init__(
        self, *, store: Store, writer: Writer, executor: Executor, outbox: Outbox, actions: Shelf[Action],
        desk: Desk | None = None, directory: Directory | None = None, live: Live = dict,
    ) -> None:  # fmt: skip
        self._store = store
        self._writer = writer
        self._executor = executor
        self._outbox = outbox
        self._actions = actions
        self._directory = directory or Directory()
        self._live = live
        self.desk = desk or Desk(outbox.routes)
        self.changed = asyncio.Event()
        self.subscribers: list[Subscriber] = []

    async def publish(
        self, results: Sequence[Result], now: int, *, first: Sequence[Entry] = (), state: bytes | None = None
    ) -> None:
        """Record, enforce and tell what these results say; returns once they are on record.

        `first` goes on record before them, and `state`, the kernel as it is after them, in the same transaction.
        """
        self._executor.look_again()
        entries = [*first, *(entry for result in results for entry in entries_of(result, now))]
        if not entries and not any(result.attention for result in results):
            return
        batch = self._heard(results, now, reconcile=state is not None)
        durable = state is not None or any(result.plan or result.attention for result in results)
        await self._writer.run(lambda: self._write(entries, batch, durable=durable, state=state, now=now))
        for result in results:
            self._executor.accept(result.plan)
        await self._executor.tell_refused()
        self._release(batch)
        await self._show(results, now)

    async def announce(self, now: int, topic: str, text: str, message: Message, *, everywhere: bool = False) -> None:
        """Note something that follows from no rule, and tell people: all channels, or those that hear its severity."""
        named = ",".join(self._outbox.channels) if everywhere else ""
        batch = self._batch(self.desk.take([plain_notice(message, topic, named)], now))
        await self._writer.run(lambda: self._write([notice_entry(now, topic, text)], batch, durable=True))
        self._release(batch)
        await self._show([Result(notices=(text,))], now)

    async def tell(self, messages: Sequence[Message]) -> None:
        """Send messages that follow from no rule."""
        await self.take([plain_notice(message, "alarm") for message in messages], max(each.at for each in messages))

    async def tell_receipt(self, receipt: Receipt) -> None:
        """Tell how an action ended."""
        await self.take([receipt_notice(receipt, self._directory)], receipt.ended_at)

    async def take(self, notices: Sequence[Notice], now: int, *, entries: Sequence[Entry] = ()) -> None:
        """Send notices as the routes say, and note `entries` with them; returns once all of it is on record."""
        await self._hand_out(self._batch(self.desk.take(notices, now)), entries)

    async def tell_due(self, now: int) -> None:
        """Say what is due because time has passed."""
        await self.take([], now)

    async def reconcile(self, live: Mapping[str, Mapping[str, str]], now: int) -> None:
        """After a start: what is live, with its labels; what is no longer has ended."""
        await self._hand_out(self._batch(self.desk.keep_only(live, now)))

    async def _hand_out(self, batch: Batch, entries: Sequence[Entry] = ()) -> None:
        if batch.pending or batch.notes or entries:
            await self._writer.run(lambda: self._write(entries, batch, durable=False))
        self._release(batch)

    def _heard(self, results: Sequence[Result], now: int, *, reconcile: bool) -> Batch:
        notices = [each for result in results for each in notices_of(result, self._actions, self._directory)]
        heard = [event for result in results for event in result.attention]
        outgoing = self.desk.take(notices, now, heard=heard)
        if reconcile:
            outgoing += self.desk.keep_only(self._live(), now)
        return self._batch(outgoing)

    def _batch(self, outgoing: Sequence[tuple[Message, str]]) -> Batch:
        return Batch(self._outbox.address(outgoing), self.desk.changes())

    def _release(self, batch: Batch) -> None:
        self._outbox.release(batch.pending)
        self.changed.set()

    async def _show(self, results: Sequence[Result], now: int) -> None:
        """Tell whoever asked to be told. One that raises is told no more, and people hear of it; the others go on."""
        for subscriber in tuple(self.subscribers):
            try:
                for result in results:
                    subscriber(result)
            except Exception as error:  # noqa: BLE001 - the wall around observers: one may raise anything
                self.subscribers.remove(subscriber)
                name = getattr(subscriber, "__qualname__", type(subscriber).__name__)
                text = f"observer {name} raised {type(error).__name__}: {error}; it is told no more [E510]"
                await self.announce(now, "observer", text, alarm_message(now, "An observer was removed", text))

    def _write(
        self, entries: Sequence[Entry], batch: Batch, *, durable: bool,
        state: bytes | None = None, now: int = 0,
    ) -> None:  # fmt: skip
        with self._store.transaction(durable=durable):
            self._store.append(entries)
            self._outbox.store(batch.pending)
            self._outbox.remember(batch.notes)
            if state is not None:
                self._store.write_snapshot(self._store.last_seq, now, state)


async def tell_when_due(publisher: Publisher, clock: Clock) -> None:
    """Say what becomes due as time passes, until cancelled."""
    while True:
        publisher.changed.clear()
        deadline = publisher.desk.deadline
        if deadline is not None and deadline <= clock.now():
            await publisher.tell_due(clock.now())
            continue
        await wait_for_either(publisher.changed, clock, deadline)


def entries_of(result: Result, now: int) -> list[Entry]:
    """The records of a result."""
    entries = [entry_of(RecordKind.TRANSITION, item.at, item) for item in result.transitions]
    entries += [entry_of(RecordKind.PLAN, item.at, item) for item in result.plan]
    entries += [notice_entry(now, "kernel", text) for text in result.notices]
    return entries
