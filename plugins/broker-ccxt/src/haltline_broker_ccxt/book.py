"""What the engine was told last, so that what is missing from a pull is told as gone, and nothing is told twice."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S
from haltline.model.event import AccountReport, CashFlow, Event, Fill, OrderUpdate, PositionReport, Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderReport, OrderStatus
from haltline_broker_ccxt.row import ZERO

_MOST = 20_000
_LEAST_JUMP, _LEAST_PART = Decimal(1), Decimal("0.0005")
"""What a balance may change by without anybody asking why."""
_CENT = Decimal("0.01")
_OVERDUE_NS = 2 * NS_PER_S
"""A push that comes later than this after REST showed its news was missed."""


class Told:
    """One account."""

    def __init__(self, account: AccountId) -> None:
        self._account = account
        self._positions: dict[str, Decimal] = {}
        self._working: dict[str, tuple[OrderReport, int]] = {}
        self._unheard: dict[str, tuple[Decimal, int]] = {}
        self._heard: dict[str, tuple[Decimal, Decimal]] = {}
        self._seen: dict[str, None] = {}
        self._balance: Decimal | None = None
        self._has_reason = True

    def is_unexplained(self, report: AccountReport) -> bool:
        """Whether the balance jumped and nothing was told that made it: money came or went, and whoever hears of the
        balance first takes a deposit for a profit.
        """
        if report.balance is None or self._balance is None or self._has_reason:
            return False
        jump = abs(report.balance - self._balance)
        return jump > max(_LEAST_JUMP, abs(self._balance) * _LEAST_PART)

    def note(self, event: Event) -> None:
        """Remember what was told of money."""
        if isinstance(event, AccountReport):
            self._balance = event.balance if event.balance is not None else self._balance
            self._has_reason = False
        elif isinstance(event, Fill | CashFlow):
            self._has_reason = True

    def is_news(self, event: Event) -> bool:
        """Whether a push is worth reading everything again, to be asked before it is told. Some venues tell the state
        of an account with every price: what only became worth more or less is no news.
        """
        match event:
            case Quote() | AccountReport(balance=None):
                return False
            case PositionReport(symbol=symbol, quantity=quantity, average_price=average):
                before = self._heard.get(symbol)
                self._heard[symbol] = quantity, average
                return before != (quantity, average) or self._positions.get(symbol, ZERO) != quantity
            case AccountReport(balance=balance) if balance is not None and self._balance is not None:
                return abs(balance - self._balance) > _CENT
            case _:
                return True

    def push(self, event: Event) -> bool:
        """Note what a stream said; False for a fill or flow that was told before."""
        match event:
            case Fill() | CashFlow():
                return self.is_new(event)
            case PositionReport(symbol=symbol, quantity=quantity):
                self._positions[symbol] = quantity
                self._unheard.pop(symbol, None)
            case OrderUpdate(order=order):
                self._note(order, event.received_at)
            case _:
                pass
        return True

    def is_new(self, event: Fill | CashFlow) -> bool:
        """Whether a fill or flow was not told before."""
        key = f"fill {event.fill_id}" if isinstance(event, Fill) else f"flow {event.flow_id}"
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _MOST:
            del self._seen[next(iter(self._seen))]
        return True

    def pull(self, snapshot: AccountSnapshot, asked_at: int) -> Iterator[Event]:
        """What a pull says: the account, each position, what became flat, each order."""
        yield snapshot.account
        shown: dict[str, Decimal] = {report.symbol: report.quantity for report in snapshot.positions}
        yield from snapshot.positions
        for symbol, quantity in self._positions.items():
            if symbol not in shown:
                shown[symbol] = ZERO
                if quantity:
                    yield flat(self._account, Symbol(symbol), asked_at)
        for symbol, quantity in shown.items():
            if self._positions.get(symbol, ZERO) != quantity:
                self._unheard[symbol] = quantity, asked_at
        self._positions = shown
        for order in snapshot.orders:
            self._note(order, asked_at)
            yield OrderUpdate(at=asked_at, received_at=asked_at, order=order)

    def gone(self, snapshot: AccountSnapshot, asked_at: int) -> Iterable[OrderReport]:
        """Orders that worked when last heard of, before the pull was asked for, and are not in it."""
        shown = {order.order_id for order in snapshot.orders}
        return [order for key, (order, at) in self._working.items() if key not in shown and at < asked_at]

    def ended(self, order: OrderReport, found: OrderReport | None, now: int) -> OrderUpdate | None:
        """The end of an order; None where the venue says that it works."""
        if found is not None and found.status.is_working:
            return None
        self._working.pop(order.order_id, None)
        if found is None:
            reason = "it no longer works at the venue"
            found = msgspec.structs.replace(order, status=OrderStatus.EXPIRED, reason=reason)
        elif found.symbol != order.symbol:
            found = msgspec.structs.replace(found, symbol=order.symbol)
        return OrderUpdate(at=now, received_at=now, order=found)

    def overdue(self, now: int) -> str:
        """The symbol whose change no stream has told in time; empty where all were told."""
        late = [symbol for symbol, (_, at) in self._unheard.items() if now - at >= _OVERDUE_NS]
        for symbol in late:
            del self._unheard[symbol]
        return late[0] if late else ""

    def start(self) -> None:
        """What is known so far was pulled before any stream could tell it."""
        self._unheard.clear()

    @property
    def has_stops(self) -> bool:
        """Whether a stop that protects a position works."""
        return any(order.type.is_stop and order.reduce_only for order, _ in self._working.values())

    def symbols(self) -> set[str]:
        """Where something is held or works."""
        held = {symbol for symbol, quantity in self._positions.items() if quantity}
        return held | {order.symbol for order, _ in self._working.values()}

    def _note(self, order: OrderReport, at: int) -> None:
        if order.status.is_working:
            self._working[order.order_id] = order, at
        else:
            self._working.pop(order.order_id, None)


def flat(account: AccountId, symbol: Symbol, at: int) -> PositionReport:
    """Nothing is held."""
    return PositionReport(at=at, received_at=at, account=account, symbol=symbol, quantity=ZERO, average_price=ZERO)
