"""What the simulated exchange remembers: money, orders and executions, as rows that a store can keep one by one."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from haltline.builtins.paper.ledger import Ledger
from haltline.builtins.paper.order import PaperOrder
from haltline.model.account import AccountSpec
from haltline.model.event import Fill
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus

ZERO = Decimal(0)
KEPT_ORDERS = 10_000
KEPT_FILLS = 200


class Row(NamedTuple):
    """One changed part of the book; `body` None means it is gone."""

    sort: str
    key: str
    body: object


class AccountBook(msgspec.Struct, kw_only=True):
    """One account: money, counters for deterministic ids, and deposits already booked."""

    ledger: Ledger
    order_count: int = 0
    fill_count: int = 0
    flows: list[str] = msgspec.field(default_factory=list)


class Book:
    """Accounts, orders by id and client id, the active ones by symbol, the pending ones by activation, last fills."""

    def __init__(self, accounts: Sequence[AccountSpec]) -> None:
        self.accounts = {
            spec.id: AccountBook(ledger=Ledger(account=spec.id, balance=spec.balance)) for spec in accounts
        }
        self.orders: dict[OrderId, PaperOrder] = {}
        self.active: dict[Symbol, dict[OrderId, PaperOrder]] = {}
        self.pending: deque[PaperOrder] = deque()
        self.fills: deque[Fill] = deque()
        self._by_client: dict[tuple[AccountId, str], OrderId] = {}
        self._finished: deque[OrderId] = deque()
        self._sequence = 0
        self._dirty: dict[tuple[str, str], None] = {}

    def ledger(self, account: AccountId) -> Ledger:
        """Money and positions of an account."""
        return self.accounts[account].ledger

    def register(self, request: OrderRequest, *, now: int, active_at: int) -> PaperOrder:
        """A new order under the next id of its account."""
        account = self.accounts[request.account]
        account.order_count += 1
        self._sequence += 1
        order_id = OrderId(f"{request.account}-{account.order_count}")
        order = PaperOrder.accept(request, order_id=order_id, sequence=self._sequence, now=now, active_at=active_at)
        self.orders[order_id] = order
        if request.client_id:
            self._by_client[request.account, request.client_id] = order_id
        self.touch("account", request.account)
        return order

    def activate(self, order: PaperOrder) -> None:
        """The order has reached the market."""
        self.active.setdefault(order.report.symbol, {})[order.report.order_id] = order

    def retire(self, order: PaperOrder) -> None:
        """Take an order out of the market, and forget the oldest finished ones."""
        order_id = order.report.order_id
        self.active.get(order.report.symbol, {}).pop(order_id, None)
        self._finished.append(order_id)
        if len(self._finished) > KEPT_ORDERS:
            forgotten = self._finished.popleft()
            gone = self.orders.pop(forgotten).report
            self._by_client.pop((gone.account, gone.client_id), None)
            self.touch("order", forgotten)

    def find(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        order_id = self._by_client.get((account, client_id))
        return self.orders[order_id].report if order_id is not None else None

    def working(self, account: AccountId) -> Iterator[PaperOrder]:
        """Pending and active orders of an account, oldest first."""
        alive = [*self.pending, *(order for orders in self.active.values() for order in orders.values())]
        mine = (o for o in alive if o.report.account == account and o.report.status.is_working)
        return iter(sorted(mine, key=lambda order: order.sequence))

    def reducible(self, report: OrderReport) -> Decimal:
        """How much of the position an order of that side can take off."""
        position = self.ledger(report.account).quantity(report.symbol)
        return abs(position) if position * report.side.sign < 0 else ZERO

    def remember(self, fill: Fill) -> None:
        """Keep an execution among the last ones."""
        self.fills.append(fill)
        self.touch("fill", fill.fill_id)
        if len(self.fills) > KEPT_FILLS:
            self.touch("fill", self.fills.popleft().fill_id)

    def touch(self, sort: str, key: str) -> None:
        """Note that a row has changed."""
        self._dirty[sort, key] = None

    def take_changes(self) -> list[Row]:
        """The rows that changed since the last call."""
        rows = [Row(sort, key, self._body(sort, key)) for sort, key in self._dirty]
        self._dirty = {}
        return rows

    def rows(self) -> list[Row]:
        """Every row."""
        keys = [("account", str(key)) for key in self.accounts]
        keys += [("order", str(key)) for key in self.orders]
        keys += [("fill", str(fill.fill_id)) for fill in self.fills]
        return [Row(sort, key, self._body(sort, key)) for sort, key in keys]

    def restore(self, rows: Sequence[tuple[str, str, object]]) -> None:
        """Take exactly these rows; rows of accounts that are not kept any more are passed over."""
        orders = []
        for sort, key, body in rows:
            match sort:
                case "account" if key in self.accounts:
                    self.accounts[AccountId(key)] = msgspec.convert(body, AccountBook)
                case "order":
                    orders.append(msgspec.convert(body, PaperOrder))
                case "fill":
                    self.fills.append(msgspec.convert(body, Fill))
                case _:
                    continue
        for order in sorted(orders, key=lambda order: order.sequence):
            if order.report.account in self.accounts:
                self._put_back(order)
        kept = [fill for fill in self.fills if fill.account in self.accounts]
        self.fills = deque(sorted(kept, key=lambda fill: fill.at))

    def _put_back(self, order: PaperOrder) -> None:
        report = order.report
        self._sequence = max(self._sequence, order.sequence)
        self.orders[report.order_id] = order
        if report.client_id:
            self._by_client[report.account, report.client_id] = report.order_id
        if report.status is OrderStatus.PENDING:
            self.pending.append(order)
        elif order.is_active:
            self.activate(order)
        else:
            self._finished.append(report.order_id)

    def _body(self, sort: str, key: str) -> object:
        thing: object
        match sort:
            case "account":
                thing = self.accounts.get(AccountId(key))
            case "order":
                thing = self.orders.get(OrderId(key))
            case _:
                thing = next((fill for fill in self.fills if fill.fill_id == key), None)
        return None if thing is None else msgspec.to_builtins(thing)


def parse_rows(plain: Mapping[str, object]) -> list[tuple[str, str, object]]:
    """The rows inside what `PaperVenue.to_builtins` gave."""
    return msgspec.convert(plain["rows"], list[tuple[str, str, object]])
