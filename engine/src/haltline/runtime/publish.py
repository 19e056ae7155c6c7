"""What follows from a result, in this order: on record, carried out, told."""

from collections.abc import Callable, Sequence

from haltline.api import HandledBy, Message
from haltline.api.action import Action
from haltline.api.registry import Shelf
from haltline.enforce.executor import Executor
from haltline.journal.receipt import Receipt
from haltline.journal.record import Entry, RecordKind, entry_of, notice_entry
from haltline.journal.recover import Store
from haltline.model.plan import PlannedAction, Result
from haltline.notify.outbox import Outbox, Pending
from haltline.notify.render import notice_message, receipt_message
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

    async def publish(self, results: Sequence[Result], now: int) -> None:
        """Record, enforce and tell what these results say; returns once they are on record."""
        entries = [entry for result in results for entry in entries_of(result, now)]
        if not entries:
            return
        messages = [message for result in results for message in self._messages(result)]
        pending = self._outbox.prepare(messages)
        durable = any(result.plan for result in results)
        await self._writer.run(lambda: self._write(entries, pending, durable=durable))
        for result in results:
            self._executor.accept(result.plan)
        self._outbox.release(pending)
        for subscriber in tuple(self.subscribers):
            for result in results:
                subscriber(result)

    async def tell(self, messages: Sequence[Message]) -> None:
        """Send messages that follow from no rule."""
        pending = self._outbox.prepare([(message, "") for message in messages])
        await self._writer.run(lambda: self._write([], pending, durable=False))
        self._outbox.release(pending)

    async def tell_receipt(self, receipt: Receipt) -> None:
        """Tell how an action ended."""
        await self.tell([receipt_message(receipt)])

    def _write(self, entries: Sequence[Entry], pending: Sequence[Pending], *, durable: bool) -> None:
        with self._store.transaction(durable=durable):
            self._store.append(entries)
            self._outbox.store(pending)

    def _messages(self, result: Result) -> list[tuple[Message, str]]:
        found = []
        for planned in result.plan:
            action = self._actions.get(planned.name)
            if action is None or action.handled_by is not HandledBy.NOTIFY:
                continue
            named = planned.params.get("channels")
            transitions = (item for item in result.transitions if item.incident in planned.incidents)
            siblings = [other for other in result.plan if _together(planned, other)]
            message = notice_message(planned, next(transitions, None), siblings)
            found.append((message, named if isinstance(named, str) else ""))
        return found


def entries_of(result: Result, now: int) -> list[Entry]:
    """The records of a result."""
    entries = [entry_of(RecordKind.TRANSITION, item.at, item) for item in result.transitions]
    entries += [entry_of(RecordKind.PLAN, item.at, item) for item in result.plan]
    entries += [notice_entry(now, "kernel", text) for text in result.notices]
    return entries


def _together(one: PlannedAction, other: PlannedAction) -> bool:
    return other is not one and bool(set(one.incidents) & set(other.incidents))
