"""The paper venue as a broker plugin: the setup's clock, a book on disk, and a seam where tests put faults."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Literal

from haltline.api import AccountSnapshot, BrokerKind, BrokerSetup, Capability, EventSink, Started
from haltline.builtins.paper.book import Row
from haltline.builtins.paper.setting import SCHEMA, read_setting
from haltline.builtins.paper.store import BookStore
from haltline.builtins.paper.venue import PaperVenue
from haltline.errors import OutcomeUnknown, Refused
from haltline.model.event import ConnectionStatus, ConnectionUpdate, Event, OrderUpdate, Quote
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest, OrderStatus

type Verb = Literal["snapshot", "submit", "cancel", "find_order"]
type Faults = Callable[[Verb, Literal["before", "after"]], None]
"""Consulted before and after each verb; may raise Transient, Refused or OutcomeUnknown in its place."""


def _no_faults(verb: Verb, stage: Literal["before", "after"]) -> None:
    """Nothing ever goes wrong."""


class PaperBroker:
    """`api.Broker` and `api.QuoteTaker` over a `PaperVenue`.

    With a directory, every change of the book is fsynced before the verb that made it returns and before its events are
    pushed; the write happens in a thread, so quotes never wait for the disk. A restart continues with the same book and
    repeats the last executions (same ids), because the receiver may have died before it kept them. Without a directory
    nothing outlives the process and events are pushed at once.
    """

    def __init__(self, setup: BrokerSetup, *, faults: Faults | None = None) -> None:
        self._clock = setup.clock
        self._accounts = [spec.id for spec in setup.accounts]
        self._faults = faults or _no_faults
        self._sink: EventSink | None = None
        self._events: list[Event] = []
        self._rows: dict[tuple[str, str], Row] = {}
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()
        self._store = BookStore(setup.directory / f"paper-{setup.name}.sqlite") if setup.directory else None
        self._is_read = self._store is None
        self.venue = PaperVenue(
            accounts=setup.accounts,
            instruments=setup.instruments,
            sink=self._events.append,
            setting=read_setting(setup.config),
        )

    async def run(self, sink: EventSink, started: Started) -> None:
        """Push the book as it is, then everything that happens, until cancelled."""
        await self._require_book()
        await self._settle()
        self._sink = sink
        self._push_present(sink)
        started()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write_behind(), name="paper-book")
                group.create_task(self._wake(), name="paper-latency")
        finally:
            self._sink = None
            if self._store is not None:
                await asyncio.to_thread(self._store.close)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The venue's truth; raises Refused for an unknown account."""
        await self._require_book()
        self._faults("snapshot", "before")
        found = self.venue.snapshot(account, self._clock.now())
        await self._settle()
        self._faults("snapshot", "after")
        return found

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Place an order; raises Refused with the venue's reason, OutcomeUnknown if the book could not be written."""
        await self._require_book()
        self._faults("submit", "before")
        report = self.venue.submit(request, self._clock.now())
        await self._settle()
        self._faults("submit", "after")
        if report.status is OrderStatus.REJECTED:
            raise Refused(report.reason)
        return report

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order; one that no longer works, or was never there, is no error."""
        await self._require_book()
        self._faults("cancel", "before")
        self.venue.cancel(account, order_id, self._clock.now())
        await self._settle()
        self._faults("cancel", "after")

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        await self._require_book()
        self._faults("find_order", "before")
        found = self.venue.find_order(account, client_id)
        self._faults("find_order", "after")
        return found

    def on_quote(self, quote: Quote) -> None:
        """Match the book against a quote; what happens is pushed once it is on disk."""
        self.venue.on_quote(quote, self._clock.now())
        self._note()

    def _note(self) -> None:
        """Take over what the venue changed; without a disk, push at once."""
        if self._events:
            self._changed.set()
            if self._store is None:
                self.venue.take_changes()
                self._push(len(self._events))

    async def _settle(self) -> None:
        """Wait until everything that has happened so far is on disk and pushed."""
        self._changed.set()
        try:
            await self._flush()
        except sqlite3.Error as error:
            raise OutcomeUnknown(f"the paper book could not be written: {error}") from error

    async def _flush(self) -> None:
        async with self._writing:
            count = len(self._events)
            self._rows.update({(row.sort, row.key): row for row in self.venue.take_changes()})
            batch = list(self._rows.values())
            if batch and self._store is not None:
                await asyncio.to_thread(self._store.write, batch)
            for row in batch:
                if self._rows.get((row.sort, row.key)) is row:
                    del self._rows[row.sort, row.key]
            self._push(count)

    def _push(self, count: int) -> None:
        """Hand over the oldest events; they wait while nobody listens yet."""
        if self._sink is None:
            return
        ready = self._events[:count]
        del self._events[:count]
        for event in ready:
            self._sink(event)

    async def _write_behind(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._flush()

    async def _wake(self) -> None:
        while True:
            wake = self.venue.next_wake_ns()
            if wake is None:
                await self._changed.wait()
                await asyncio.sleep(0)
                continue
            await self._clock.sleep_until(wake)
            self.venue.advance(self._clock.now())
            self._note()

    async def _require_book(self) -> None:
        """Read the book once, before the first use."""
        if self._is_read or self._store is None:
            return
        async with self._writing:
            if not self._is_read:
                rows = await asyncio.to_thread(self._store.read)
                self.venue.restore({"rows": rows})
                self._is_read = True

    def _push_present(self, sink: EventSink) -> None:
        now = self._clock.now()
        for fill in self.venue.recent_fills():
            sink(fill)
        self._events.clear()
        for account in self._accounts:
            present = self.venue.snapshot(account, now)
            sink(ConnectionUpdate(at=now, received_at=now, account=account, status=ConnectionStatus.CONNECTED))
            sink(present.account)
            for position in present.positions:
                sink(position)
            for order in present.orders:
                sink(OrderUpdate(at=now, received_at=now, order=order))


def make_paper_broker(setup: BrokerSetup) -> PaperBroker:
    """A paper broker without faults."""
    return PaperBroker(setup)


PAPER = BrokerKind(
    name="paper",
    make=make_paper_broker,
    meaning="a simulated exchange inside the engine: nothing leaves this machine",
    capabilities=frozenset(
        {
            Capability.MARKET_ORDERS,
            Capability.LIMIT_ORDERS,
            Capability.STOP_ORDERS,
            Capability.TRAILING_ORDERS,
            Capability.REDUCE_ONLY,
            Capability.CANCEL_ORDERS,
            Capability.CLIENT_ORDER_IDS,
            Capability.PUSH_FILLS,
            Capability.PUSH_ORDERS,
            Capability.PULL_ORDERS,
            Capability.PULL_POSITIONS,
        }
    ),
    schema=SCHEMA,
    in_process=True,
    practice=True,
)
