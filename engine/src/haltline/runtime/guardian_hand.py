"""How the guardian acts: one action at a time through enforcement, on its own record, and without one if it must."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from haltline.api import Broker
from haltline.api.action import Action
from haltline.api.registry import Shelf
from haltline.clock import Clock
from haltline.enforce.budget import Budget
from haltline.enforce.executor import Executor
from haltline.enforce.resume import KINDS, unfinished
from haltline.journal.error import JournalError, JournalLocked
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import Receipt
from haltline.journal.record import Entry, RecordKind, entry_of, notice_entry
from haltline.journal.recover import Store
from haltline.journal.store import Journal
from haltline.model.event import ActionOutcome
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.plan import PlannedAction
from haltline.runtime.writer import Writer

FILE_NAME = "guardian.db"
_WRITE_S = 5.0

type Lost = Callable[[str], None]
"""Told why the record cannot be kept any more."""


def open_record(journal: Path) -> tuple[Journal | MemoryJournal, str]:
    """The guardian's own journal beside the engine's, and why it is only in memory (empty if it is on disk).

    Raises JournalLocked where another guardian uses it.
    """
    try:
        return Journal.open(journal.with_name(FILE_NAME)), ""
    except JournalLocked:
        raise
    except JournalError as error:
        return MemoryJournal(), str(error)


class YieldingLedger:
    """Writes first, like the engine; but where the disk fails it goes on without: the disk may be why the engine died.

    `lost` is told once. What was on record until then stays there.
    """

    def __init__(self, writer: Writer, lost: Lost) -> None:
        self._writer = writer
        self._lost = lost
        self.is_kept = True

    async def record(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """Write entries, or give the record up."""
        if not self.is_kept:
            return
        try:
            async with asyncio.timeout(_WRITE_S):
                await self._writer.record(entries, durable=durable)
        except (JournalError, TimeoutError) as error:
            self.is_kept = False
            self._lost(str(error) or "the disk does not answer")


class GuardianHand:
    """Carries one action out and returns its receipt. `run_lane` of `executor` needs a task per account."""

    def __init__(
        self, *, actions: Shelf[Action], brokers: Mapping[AccountId, Broker], clock: Clock, store: Store,
        ledger: YieldingLedger, instruments: Mapping[Symbol, InstrumentSpec], budget: Budget | None = None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ledger = ledger
        self._before = unfinished(store.iterate(kinds=KINDS))
        self._ended: set[ActionId] = set(self._before.receipts)
        self._waiting: dict[ActionId, asyncio.Future[Receipt]] = {}
        self.executor = Executor(
            actions=actions, brokers=brokers, clock=clock, ledger=ledger, report=self._reported, budget=budget,
            instruments=instruments,
        )  # fmt: skip

    async def carry_out(self, name: str, account: AccountId, *, episode: str, reason: str) -> Receipt:
        """Do it, once more where it was done before in the episode; what a crash cut off is taken up, not repeated."""
        action = self._next_id(name, account, episode)
        planned = PlannedAction(id=action, at=self._clock.now(), name=name, account=account, reason=reason)
        if action not in self._before.planned:
            await self._ledger.record([entry_of(RecordKind.PLAN, planned.at, planned)], durable=True)
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting[action] = receipt
        self.executor.accept([planned], self._before.histories)
        await self.executor.tell_refused()
        try:
            return await receipt
        finally:
            self._waiting.pop(action, None)

    async def note(self, text: str) -> None:
        """Put a remark on record."""
        await self._ledger.record([notice_entry(self._clock.now(), "guardian", text)], durable=False)

    def _next_id(self, name: str, account: AccountId, episode: str) -> ActionId:
        number = 0
        while (action := ActionId(f"guardian/{account}/{episode}/{name}/{number}")) in self._ended:
            number += 1
        return action

    def _reported(self, outcome: ActionOutcome, receipt: Receipt) -> None:
        self._ended.add(outcome.action_id)
        waiting = self._waiting.get(outcome.action_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(receipt)
