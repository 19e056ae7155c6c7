"""The running engine as commands see it."""

import asyncio
from collections.abc import Callable, Sequence

from haltline.api.control import OnResult
from haltline.api.registry import Registry
from haltline.clock import Clock
from haltline.config.settings import RuleBook, Setup
from haltline.control.door import Difference, Drills, Service, Source, Wellbeing
from haltline.journal.receipt import Receipt
from haltline.journal.record import Entry
from haltline.journal.recover import Store
from haltline.journal.store import Journal
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event
from haltline.model.order import Intent
from haltline.model.plan import Permission, Result
from haltline.runtime.compose import Parts
from haltline.runtime.health import EngineStatus
from haltline.runtime.publish import Publisher
from haltline.runtime.pump import Pump
from haltline.runtime.reload import Reloader
from haltline.runtime.writer import Writer

type Check = Callable[[Intent], Permission]
type Status = Callable[[], EngineStatus]


class FrontDoor:
    """Implements `control.door.Door`."""

    def __init__(
        self, parts: Parts, *, kernel: Kernel, clock: Clock, pump: Pump, publisher: Publisher, reloader: Reloader,
        writer: Writer, store: Store, check: Check, status: Status, drills: Drills,
        differences: Callable[[], Sequence[Difference]],
    ) -> None:  # fmt: skip
        self._parts = parts
        self._kernel = kernel
        self._clock = clock
        self._pump = pump
        self._publisher = publisher
        self._reloader = reloader
        self._writer = writer
        self._store = store
        self._check = check
        self._status = status
        self._drills = drills
        self._differences = differences
        self._on_receipt: list[Callable[[Receipt], None]] = []

    @property
    def kernel(self) -> Kernel:
        """The kernel."""
        return self._kernel

    @property
    def clock(self) -> Clock:
        """The engine's clock."""
        return self._clock

    @property
    def setup(self) -> Setup:
        """The set-up in force."""
        return self._parts.setup

    @property
    def book(self) -> RuleBook:
        """The rules in force."""
        return self._reloader.book

    @property
    def registry(self) -> Registry:
        """What plugins registered."""
        return self._parts.registry

    @property
    def drills(self) -> Drills:
        """Drills of the alarm path."""
        return self._drills

    async def submit(self, event: Event) -> Result:
        """Have the kernel take an event ahead of what waits."""
        return await self._pump.submit(event)

    async def record(self, entries: Sequence[Entry]) -> None:
        """Put entries on record, on disk."""
        await self._writer.record(entries, durable=True)

    async def reload(self, *, by: str, why: str) -> Sequence[str]:
        """Read the rule files again; what changed, in words."""
        report = await self._reloader.reload(by=by, why=why)
        found = report.difference
        changed = tuple(each.rule for each in found.changed)
        said = [
            f"{word}: {', '.join(rules)}"
            for word, rules in (("added", found.added), ("removed", found.removed), ("changed", changed))
            if rules
        ]
        said += [f"waits before it counts: {waiting}" for waiting in report.held]
        said += [f"needs a restart: {change}" for change in report.waiting]
        return said or ["nothing has changed in meaning"]

    async def read[T](self, work: Callable[[Source], T]) -> T:
        """Read the journal by a connection of its own, in a thread; one in memory here and now."""
        if not isinstance(self._store, Journal):
            return work(self._store)
        path = self._parts.setup.store.path

        def beside() -> T:
            with Journal.read(path) as journal:
                return work(journal)

        return await asyncio.to_thread(beside)

    def check(self, intent: Intent) -> Permission:
        """May this order be sent now?"""
        return self._check(intent)

    def wellbeing(self) -> Wellbeing:
        """How the engine is."""
        status = self._status()
        return Wellbeing(
            events=status.events, waiting=status.waiting, enforcing=status.enforcing, undelivered=status.undelivered,
            unconfirmed=tuple(sorted(set(status.accounts) - set(status.reconciled))),
            services=tuple(
                Service(name=each.name, status=each.status, reason=each.reason, since=each.since)
                for each in status.services
            ),
            problems=status.rules.problems, waiting_changes=status.rules.waiting,
            unguarded=status.unguarded,
        )  # fmt: skip

    def differences(self) -> Sequence[Difference]:
        """Where the brokers show something else."""
        return self._differences()

    def silences(self) -> Sequence[tuple[str, str]]:
        """Silences that stand."""
        return [(each.id, ", ".join(map(str, each.matchers))) for each in self._publisher.desk.silences]

    def subscribe(self, on_result: OnResult) -> Callable[[], None]:
        """Be told of every result once it is on record."""

        def tell(result: Result) -> None:
            on_result(result)

        subscribers = self._publisher.subscribers
        subscribers.append(tell)
        return lambda: subscribers.remove(tell) if tell in subscribers else None

    def subscribe_receipts(self, on_receipt: Callable[[Receipt], None]) -> None:
        """Be told of every receipt."""
        self._on_receipt.append(on_receipt)

    def tell_receipt(self, receipt: Receipt) -> None:
        """An action has ended."""
        for on_receipt in self._on_receipt:
            on_receipt(receipt)
