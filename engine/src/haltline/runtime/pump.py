"""The single writer of state: events go on record, then to the kernel one by one; what follows is published."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from haltline.api import QuoteTaker
from haltline.clock import Clock
from haltline.errors import EngineError
from haltline.journal.record import Entry, RecordKind, entry_of, event_entry, notice_entry
from haltline.journal.recover import Store
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event, Quote, Tick
from haltline.model.plan import Result
from haltline.rules.compile import CompiledRules
from haltline.runtime.admit import admit
from haltline.runtime.discreet import Hide
from haltline.runtime.inbox import Inbox
from haltline.runtime.publish import Publisher
from haltline.runtime.supervise import wait_for_either
from haltline.runtime.writer import Writer

_BATCH = 512
_STRIDE = 16
"""Events between two turns of everybody else: a plan's requests do not wait for the quotes behind it."""


@dataclass(slots=True, kw_only=True)
class Swap:
    """Rules waiting to be used; `config` is what the journal says about them.

    Once `done`, `result` is what followed; None if the pump ended before.
    """

    compiled: CompiledRules
    config: Mapping[str, object]
    result: Result | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, kw_only=True)
class Asked:
    """An operator's request, to be taken before whatever waits. Once `done`, `result` is what followed; None if the
    pump ended before."""

    event: Event
    result: Result | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Pump:
    """Runs turns: one transaction for all events of a turn, then a kernel step each."""

    def __init__(
        self, *, kernel: Kernel, inbox: Inbox, clock: Clock, store: Store, writer: Writer, publisher: Publisher,
        takers: Sequence[QuoteTaker] = (), hide: Hide = str,
    ) -> None:  # fmt: skip
        self._hide = hide
        self._kernel = kernel
        self._inbox = inbox
        self._clock = clock
        self._store = store
        self._writer = writer
        self._publisher = publisher
        self._takers = tuple(takers)
        self._rules: list[Swap] = []
        self._asked: list[Asked] = []
        self._snapshot_wanted = False
        self.events = 0
        self.turns = 0
        self.is_busy = False
        self.idle = asyncio.Event()

    async def run(self) -> None:
        """Run turns until cancelled."""
        try:
            while True:
                await wait_for_either(self._inbox.wake, self._clock, self._kernel.deadline)
                await self.turn()
        finally:
            for event in (*(swap.done for swap in self._rules), *(asked.done for asked in self._asked)):
                event.set()

    async def turn(self) -> None:
        """One turn: whatever waits, or the deadline that is due."""
        self.is_busy = True  # and stays so when a turn is cut off: the state must not be saved then
        self.idle.clear()
        while self._asked:
            await self._take_asked(self._asked[0])
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
        self.turns += 1
        self.is_busy = False
        self.idle.set()

    @property
    def is_wanted(self) -> bool:
        """Whether a turn is under way, or other rules or requests wait for the next one."""
        return self.is_busy or bool(self._rules) or bool(self._asked)

    async def submit(self, event: Event) -> Result:
        """Take an operator's request ahead of what waits; returns what followed, once it is on record.

        Raises EngineError if the engine ends before.
        """
        asked = Asked(event=event)
        self._asked.append(asked)
        self._inbox.wake.set()
        await asked.done.wait()
        if asked.result is None:
            raise EngineError("the engine ended before the request was taken; ask again when it runs [E858]")
        return asked.result

    def want_rules(self, compiled: CompiledRules, config: Mapping[str, object]) -> Swap:
        """Use other rules from the next turn on; `config` is what the journal says about them."""
        swap = Swap(compiled=compiled, config=config)
        self._rules.append(swap)
        self._inbox.wake.set()
        return swap

    def want_snapshot(self) -> None:
        """Save the state after the next turn."""
        self._snapshot_wanted = True
        self._inbox.wake.set()

    async def save(self) -> None:
        """Save the state as it is between two turns."""
        self._snapshot_wanted = False
        state, now, store = self._kernel.snapshot(), self._clock.now(), self._store
        await self._writer.run(lambda: store.write_snapshot(store.last_seq, now, state))

    async def _take_asked(self, asked: Asked) -> None:
        now = self._clock.now()
        taken = admit(asked.event)
        if isinstance(taken, str):
            result = Result(notices=(taken,))
        else:
            await self._writer.record([event_entry(taken, now)], durable=True)
            self.events += 1
            result = self._kernel.step(taken, now)
        await self._publisher.publish([result], now)
        asked.result = result
        self._asked.pop(0)
        asked.done.set()

    async def _take(self, events: Sequence[Event], now: int) -> None:
        good, bad = [], []
        for event in events:
            taken = admit(event)
            if isinstance(taken, str):
                bad.append(notice_entry(now, "edge", taken))
                continue
            good.append(taken)
            if type(taken) is Quote:
                bad.extend(self._show(taken, now))
        await self._writer.record([event_entry(event, now) for event in good] + bad, durable=False)
        self.events += len(good)
        waiting: list[Result] = []
        for number, event in enumerate(good, 1):
            result = self._kernel.step(event, now)
            if result.transitions or result.plan or result.notices or result.attention:
                waiting.append(result)
            if result.plan:
                await self._publisher.publish(waiting, now)
                waiting = []
            if result.plan or not number % _STRIDE:
                await asyncio.sleep(0)
        await self._publisher.publish(waiting, now)

    def _show(self, quote: Quote, now: int) -> list[Entry]:
        """A quote to the brokers that simulate; what one of them raises goes on record and stops nobody."""
        faults = []
        for taker in self._takers:
            try:
                taker.on_quote(quote)
            except Exception as error:  # noqa: BLE001 - the wall around plugin code: a broker may raise anything
                said = self._hide(f"on_quote raised {type(error).__name__}: {error}")
                faults.append(notice_entry(now, "broker", said))
        return faults

    async def _swap_rules(self) -> None:
        """Between two turns. The state is saved before, so that no restart judges by the new rules what the old ones
        have judged; then rules, what follows from them and the new state go on record together or not at all."""
        while self._rules:
            swap = self._rules[0]
            await self.save()
            now = self._clock.now()
            result = self._kernel.replace_rules(swap.compiled, now)
            entry = entry_of(RecordKind.CONFIG, now, swap.config)
            await self._publisher.publish([result], now, first=[entry], state=self._kernel.snapshot())
            swap.result = result
            self._rules.pop(0)
            swap.done.set()
