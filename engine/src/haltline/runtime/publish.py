"""What follows from a result, in this order: on record, carried out, told."""

from collections.abc import Callable, Sequence

from haltline.api import Message
from haltline.api.action import Action
from haltline.api.registry import Shelf
from haltline.enforce.executor import Executor
from haltline.journal.receipt import Receipt
from haltline.journal.record import Entry, RecordKind, entry_of, notice_entry
from haltline.journal.recover import Store
from haltline.model.plan import Result
from haltline.notify.notice import messages_of
from haltline.notify.outbox import Outbox, Pending
from haltline.notify.render import alarm_message, receipt_message
from haltline.runtime.writer import Writer

type Subscriber = Callable[[Result], None]


class Publisher:
    """Journals results and their messages in one transaction, then hands plans to enforcement and messages to channels.

    Durable wherever a plan is involved: nothing is sent to a broker, nobody is told, before it is on disk.
    """

    def __init__(
        self, *, store: Store, writer: Writer, executor: Executor, outbox: Outbox, actions: Shelf[Action]
    ) -> None:
        self._store = store
        self._writer = writer
        self._executor = executor
        self._outbox = outbox
        self._actions = actions
        self.subscribers: list[Subscriber] = []

    async def publish(
        self, results: Sequence[Result], now: int, *, first: Sequence[Entry] = (), state: bytes | None = None
    ) -> None:
        """Record, enforce and tell what these results say; returns once they are on record.

        `first` goes on record before them, and `state`, the kernel as it is after them, in the same transaction.
        """
        entries = [*first, *(entry for result in results for entry in entries_of(result, now))]
        if not entries:
            return
        messages = [message for result in results for message in messages_of(result, self._actions)]
        pending = self._outbox.prepare(messages)
        durable = state is not None or any(result.plan for result in results)
        await self._writer.run(lambda: self._write(entries, pending, durable=durable, state=state, now=now))
        for result in results:
            self._executor.accept(result.plan)
        self._outbox.release(pending)
        await self._show(results, now)

    async def announce(self, now: int, topic: str, text: str, message: Message, *, everywhere: bool = False) -> None:
        """Note something that follows from no rule, and tell people: all channels, or those that hear its severity."""
        named = ",".join(self._outbox.channels) if everywhere else ""
        pending = self._outbox.prepare([(message, named)])
        await self._writer.run(lambda: self._write([notice_entry(now, topic, text)], pending, durable=True))
        self._outbox.release(pending)
        await self._show([Result(notices=(text,))], now)

    async def tell(self, messages: Sequence[Message]) -> None:
        """Send messages that follow from no rule."""
        pending = self._outbox.prepare([(message, "") for message in messages])
        await self._writer.run(lambda: self._write([], pending, durable=False))
        self._outbox.release(pending)

    async def tell_receipt(self, receipt: Receipt) -> None:
        """Tell how an action ended."""
        await self.tell([receipt_message(receipt)])

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
        self, entries: Sequence[Entry], pending: Sequence[Pending], *, durable: bool,
        state: bytes | None = None, now: int = 0,
    ) -> None:  # fmt: skip
        with self._store.transaction(durable=durable):
            self._store.append(entries)
            self._outbox.store(pending)
            if state is not None:
                self._store.write_snapshot(self._store.last_seq, now, state)


def entries_of(result: Result, now: int) -> list[Entry]:
    """The records of a result."""
    entries = [entry_of(RecordKind.TRANSITION, item.at, item) for item in result.transitions]
    entries += [entry_of(RecordKind.PLAN, item.at, item) for item in result.plan]
    entries += [notice_entry(now, "kernel", text) for text in result.notices]
    return entries
