"""The single writer of state: events go on record, then to the kernel one by one; what follows is published."""

import asyncio
from collections.abc import Sequence

from haltline.api import QuoteTaker
from haltline.clock import Clock
from haltline.journal.record import RecordKind, entry_of, event_entry, notice_entry
from haltline.journal.recover import Store
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event, Quote, Tick
from haltline.model.plan import Result
from haltline.rules.compile import CompiledRules
from haltline.runtime.admit import flaw
from haltline.runtime.inbox import Inbox
from haltline.runtime.publish import Publisher
from haltline.runtime.supervise import wait_for_either
from haltline.runtime.writer import Writer

_BATCH = 512


class Pump:
    """Runs turns: one transaction for all events of a turn, then a kernel step each."""

    def __init__(
        self, *, kernel: Kernel, inbox: Inbox, clock: Clock, store: Store, writer: Writer, publisher: Publisher,
        takers: Sequence[QuoteTaker] = (),
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._inbox = inbox
        self._clock = clock
        self._store = store
        self._writer = writer
        self._publisher = publisher
        self._takers = tuple(takers)
        self._rules: list[tuple[CompiledRules, str]] = []
        self._snapshot_wanted = False
        self.events = 0
        self.is_busy = False
        self.idle = asyncio.Event()

    async def run(self) -> None:
        """Run turns until cancelled."""
        while True:
            await wait_for_either(self._inbox.wake, self._clock, self._kernel.deadline)
            await self.turn()

    async def turn(self) -> None:
        """One turn: whatever waits, or the deadline that is due."""
        self.is_busy = True  # and stays so when a turn is cut off: the state must not be saved then
        self.idle.clear()
        events = self._inbox.take(_BATCH)
        now = self._clock.now()
        if not events and self._kernel.deadline is not None and self._kernel.deadline <= now:
            events = [Tick(at=now, received_at=now)]
        if events:
            await self._take(events, now)
        if self._rules:
            await self._swap_rules()
        if self._snapshot_wanted:
            await self.save()
        self.is_busy = False
        self.idle.set()

    @property
    def is_wanted(self) -> bool:
        """Whether a turn is under way, or other rules wait for the next one."""
        return self.is_busy or bool(self._rules)

    def want_rules(self, compiled: CompiledRules, digest: str) -> None:
        """Use other rules from the next turn on."""
        self._rules.append((compiled, digest))
        self._inbox.wake.set()

    def want_snapshot(self) -> None:
        """Save the state after the next turn."""
        self._snapshot_wanted = True
        self._inbox.wake.set()

    async def save(self) -> None:
        """Save the state as it is between two turns."""
        self._snapshot_wanted = False
        state, now, store = self._kernel.snapshot(), self._clock.now(), self._store
        await self._writer.run(lambda: store.write_snapshot(store.last_seq, now, state))

    async def _take(self, events: Sequence[Event], now: int) -> None:
        good, bad = [], []
        for event in events:
            reason = flaw(event)
            if reason:
                bad.append(notice_entry(now, "edge", reason))
                continue
            good.append(event)
            if type(event) is Quote:
                for taker in self._takers:
                    taker.on_quote(event)
        await self._writer.record([event_entry(event, now) for event in good] + bad, durable=False)
        self.events += len(good)
        waiting: list[Result] = []
        for event in good:
            result = self._kernel.step(event, now)
            if result.transitions or result.plan or result.notices:
                waiting.append(result)
            if result.plan:
                await self._publisher.publish(waiting, now)
                waiting = []
        await self._publisher.publish(waiting, now)

    async def _swap_rules(self) -> None:
        for compiled, digest in self._rules:
            now = self._clock.now()
            result = self._kernel.replace_rules(compiled, now)
            await self._writer.record([entry_of(RecordKind.CONFIG, now, {"rules": digest})], durable=True)
            await self._publisher.publish([result], now)
        self._rules.clear()
        await self.save()
