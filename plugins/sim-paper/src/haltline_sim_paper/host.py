"""The exchange and its book: a `PaperVenue` whose every change is on disk before anybody is told."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from haltline.api import AccountSnapshot
from haltline.builtins.paper.book import Row
from haltline.builtins.paper.order import PaperOrder
from haltline.builtins.paper.setting import PaperSetting
from haltline.builtins.paper.store import BookStore
from haltline.builtins.paper.venue import PaperVenue
from haltline.clock import Clock
from haltline.errors import Refused
from haltline.model.account import AccountSpec
from haltline.model.event import ConnectionStatus, ConnectionUpdate, Event, Fill, OrderUpdate, Quote
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, Side


class Host:
    """One exchange. `settle` returns the events that have become public: what they tell of is on disk."""

    def __init__(self, book: Path, clock: Clock, setting: PaperSetting | None = None) -> None:
        self.is_open = True
        self._clock = clock
        self._setting = setting or PaperSetting()
        self._store = BookStore(book)
        self._accounts: dict[AccountId, AccountSpec] = {}
        self._instruments: dict[Symbol, InstrumentSpec] = {}
        self._quotes: dict[Symbol, Quote] = {}
        self._rows: dict[tuple[str, str], Row] = {}
        self._events: list[Event] = []
        self._writing = asyncio.Lock()
        self.venue = self._build()

    async def load(self) -> None:
        """Read the book from disk, as after a restart; everything in memory is forgotten."""
        async with self._writing:
            rows = await asyncio.to_thread(self._store.read)
            self._remember(rows)

    def _remember(self, rows: Sequence[Sequence[object]]) -> None:
        self._rows, self._events, self._quotes = {}, [], {}
        for sort, _, body in rows:
            if sort == "opened":
                account = msgspec.convert(body, AccountSpec)
                self._accounts[account.id] = account
            elif sort == "listed":
                spec = msgspec.convert(body, InstrumentSpec)
                self._instruments[spec.symbol] = spec
        self.venue = self._build()
        self.venue.restore({"rows": [row for row in rows if row[0] in ("account", "order", "fill")]})
        for sort, _, body in rows:
            if sort == "price":
                self._apply(msgspec.convert(body, Quote))
        self._events.clear()
        self.venue.take_changes()

    def open(self, accounts: Sequence[AccountSpec], instruments: Sequence[InstrumentSpec]) -> None:
        """Open accounts and list instruments that are new; known ones stay as they are."""
        fresh = [account for account in accounts if account.id not in self._accounts]
        listed = [spec for spec in instruments if self._instruments.get(spec.symbol) != spec]
        if not fresh and not listed:
            return
        for account in fresh:
            self._accounts[account.id] = account
            self._keep("opened", account.id, account)
        for spec in listed:
            self._instruments[spec.symbol] = spec
            self._keep("listed", spec.symbol, spec)
        self._absorb()
        old, self.venue = self.venue, self._build()
        self.venue.restore(old.to_builtins())

    def quote(self, quote: Quote) -> None:
        """Move the market; the price is as durable as what it filled."""
        self._apply(quote)
        self._keep("price", quote.symbol, self._quotes[quote.symbol])

    def submit(self, request: OrderRequest) -> OrderReport:
        """Take an order; raises Refused for an unknown account."""
        return self.venue.submit(request, self._clock.now())

    def submit_partly(self, request: OrderRequest, reason: str) -> OrderReport:
        """Fill half of an order at once, rounded up to the lot; the rest is rejected."""
        spec = self._instruments[request.symbol]
        half = max(spec.lot_size, request.quantity / 2 // spec.lot_size * spec.lot_size)
        self.venue.setting = msgspec.structs.replace(self._setting, max_fill=half)
        try:
            report = self.submit(request)
        finally:
            self.venue.setting = self._setting
        if not report.status.is_working:
            return report
        ended = self.venue.cancel(request.account, report.order_id, self._clock.now()) or report
        return msgspec.structs.replace(ended, status=OrderStatus.REJECTED, reason=reason or "the rest was rejected")

    def cancel(self, account: AccountId, order_id: OrderId) -> OrderReport | None:
        """Cancel an order; returns what it was before, None if it did not work."""
        working = next((o for o in self.snapshot(account).orders if o.order_id == order_id), None)
        self.venue.cancel(account, order_id, self._clock.now())
        return working

    def find(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        return self.venue.find_order(account, client_id)

    def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The truth about an account; raises Refused for an unknown one."""
        return self.venue.snapshot(account, self._clock.now())

    def trade(
        self, account: AccountId, symbol: Symbol, side: Side, quantity: Decimal, price: Decimal | None,
        order_id: OrderId | None = None,
    ) -> Fill:  # fmt: skip
        """An execution by hand, or of an order that is over (`order_id`); raises Refused where there is neither a price
        given nor a market.
        """
        quote = self._quotes.get(symbol)
        if price is None:
            there = None if quote is None else (quote.ask if side is Side.BUY else quote.bid)
            if there is None:
                raise Refused(f"there is no market for {symbol}")
            price = Decimal(str(there))
        now = self._clock.now()
        return self.venue.execute(account, symbol, side, quantity=quantity, price=price, now=now, order_id=order_id)

    def present(self, accounts: Sequence[AccountId]) -> tuple[Event, ...]:
        """What is so now: prices, the last executions, then each account."""
        now = self._clock.now()
        events: list[Event] = list(self._quotes.values())
        events += [fill for fill in self.venue.recent_fills() if fill.account in accounts]
        for account in accounts:
            there = self.snapshot(account)
            up = ConnectionUpdate(at=now, received_at=now, account=account, status=ConnectionStatus.CONNECTED)
            events += [up, there.account, *there.positions]
            events += [OrderUpdate(at=now, received_at=now, order=order) for order in there.orders]
        return tuple(events)

    def orders(self) -> tuple[OrderReport, ...]:
        """Every order that is remembered, oldest first."""
        rows = self.venue.to_builtins()["rows"]
        found = [msgspec.convert(row[2], PaperOrder) for row in rows if row[0] == "order"]  # type: ignore[attr-defined]
        return tuple(order.report for order in sorted(found, key=lambda order: order.sequence))

    async def settle(self) -> list[Event]:
        """Write what has changed; returns the events of it, each once."""
        async with self._writing:
            events, self._events = self._events, []
            self._absorb()
            rows, self._rows = list(self._rows.values()), {}
            if rows:
                await asyncio.to_thread(self._store.write, rows)
            return events

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.to_thread(self._store.close)

    def advance(self) -> int | None:
        """Let orders reach the market whose latency is over; returns when the next one does."""
        self.venue.advance(self._clock.now())
        return self.venue.next_wake_ns()

    @property
    def is_waiting(self) -> bool:
        """Whether an order is on its way to the market."""
        return self.venue.next_wake_ns() is not None

    def _build(self) -> PaperVenue:
        return PaperVenue(
            accounts=list(self._accounts.values()), instruments=list(self._instruments.values()),
            sink=self._hear, setting=self._setting, is_open=lambda symbol, now: self.is_open,
        )  # fmt: skip

    def _hear(self, event: Event) -> None:
        self._events.append(event)

    def _apply(self, quote: Quote) -> None:
        self._quotes[quote.symbol] = quote
        self._events.append(quote)
        self.venue.on_quote(quote, self._clock.now())

    def _absorb(self) -> None:
        self._rows.update({(row.sort, row.key): row for row in self.venue.take_changes()})

    def _keep(self, sort: str, key: str, content: object) -> None:
        self._rows[sort, key] = Row(sort, key, msgspec.to_builtins(content))
