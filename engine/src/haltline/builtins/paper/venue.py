"""The simulated exchange: synchronous, deterministic, and told the time. Rule tests, replay and the demo use it directly."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

import msgspec

from haltline.api import AccountSnapshot, EventSink
from haltline.builtins.paper.admit import misfit
from haltline.builtins.paper.ledger import Ledger
from haltline.builtins.paper.margin import exit_price, exposure_added, margin_per_unit
from haltline.builtins.paper.match import fill_price, follow, is_touched
from haltline.builtins.paper.order import PaperOrder
from haltline.builtins.paper.price import Market
from haltline.builtins.paper.setting import PaperSetting
from haltline.errors import Refused
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport, CashFlow, Fill, InstrumentUpdate, OrderUpdate, PositionReport, Quote
from haltline.model.id import AccountId, FillId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side

ZERO = Decimal(0)
_KEPT_ORDERS = 10_000
_KEPT_FILLS = 200


class Row(NamedTuple):
    """One changed part of the book; `body` None means it is gone."""

    sort: str
    key: str
    body: object


class AccountBook(msgspec.Struct, kw_only=True):
    """What the venue keeps for one account: money, counters for deterministic ids, and deposits already booked."""

    ledger: Ledger
    order_count: int = 0
    fill_count: int = 0
    flows: list[str] = msgspec.field(default_factory=list)


class PaperVenue:
    """An exchange with netted positions.

    Every method takes `now` (UTC nanoseconds, never decreasing). What happens goes to `sink` in order, before the method
    returns. Ids come from counters (``eval-1``), so the same calls give the same events. `is_open` tells whether a symbol's
    market trades at an instant; without it markets never close. A cancel takes effect at once, an order after the latency.
    """

    def __init__(
        self,
        *,
        accounts: Sequence[AccountSpec],
        instruments: Sequence[InstrumentSpec],
        sink: EventSink,
        setting: PaperSetting | None = None,
        is_open: Callable[[Symbol, int], bool] | None = None,
    ) -> None:
        self.setting = setting or PaperSetting()
        self.sink = sink
        self._is_open = is_open
        self._latency_ns = self.setting.latency_ms * 1_000_000
        self._specs = {spec.symbol: spec for spec in instruments}
        self._accounts = {spec.id: AccountBook(ledger=Ledger(account=spec.id, balance=spec.balance)) for spec in accounts}
        self._markets: dict[Symbol, Market] = {}
        self._orders: dict[OrderId, PaperOrder] = {}
        self._by_client: dict[tuple[AccountId, str], OrderId] = {}
        self._active: dict[Symbol, dict[OrderId, PaperOrder]] = {}
        self._pending: deque[PaperOrder] = deque()
        self._finished: deque[OrderId] = deque()
        self._fills: deque[Fill] = deque()
        self._sequence = 0
        self._rejections: deque[str] = deque()
        self._dirty: dict[tuple[str, str], None] = {}

    def submit(self, request: OrderRequest, now: int) -> OrderReport:
        """Take an order; a refused one comes back with status REJECTED and a reason.

        A `client_id` seen before returns that order's present report and does nothing else.
        """
        self.advance(now)
        known = self.find_order(request.account, request.client_id) if request.client_id else None
        if known is not None:
            return known
        book = self._accounts.get(request.account)
        if book is None:
            raise Refused(f"account {request.account!r} is not kept by this broker")
        order = self._register(book, request, now)
        reason = self._refusal(order, now)
        if reason:
            self._finish(order, OrderStatus.REJECTED, now, reason)
        elif self._latency_ns:
            self._pending.append(order)
            self._tell(order, now)
        else:
            self._activate(order, now)
        return order.report

    def cancel(self, account: AccountId, order_id: OrderId, now: int) -> OrderReport | None:
        """Cancel an order if it still works; returns its report, or None for an unknown one."""
        self.advance(now)
        order = self._orders.get(order_id)
        if order is None or order.report.account != account:
            return None
        if order.report.status.is_working:
            self._finish(order, OrderStatus.CANCELLED, now, "cancelled on request")
        return order.report

    def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id, working or not (the last 10,000 finished ones are remembered)."""
        order_id = self._by_client.get((account, client_id))
        return self._orders[order_id].report if order_id is not None else None

    def on_quote(self, quote: Quote, now: int) -> None:
        """Take a price and match working orders against it: stops before everything else, then by age."""
        symbol = quote.symbol
        if self._pending:
            self._release(now - 1)
        market = self._markets.get(symbol)
        if market is None:
            market = self._markets[symbol] = Market()
        market.apply(quote)
        resting = self._active.get(symbol)
        if resting:
            for order in sorted(resting.values(), key=lambda order: (not order.waits_for_stop, order.sequence)):
                if order.is_active:
                    self._match(order, market, now, is_resting=True)
        if self._pending:
            self._release(now)

    def advance(self, now: int) -> None:
        """Let orders whose latency has passed reach the market, each against the quote then in force."""
        if self._pending:
            self._release(now)

    def next_wake_ns(self) -> int | None:
        """The next instant at which `advance` has something to do."""
        return self._pending[0].active_at if self._pending else None

    def execute(
        self,
        account: AccountId,
        symbol: Symbol,
        side: Side,
        *,
        quantity: Decimal,
        price: Decimal,
        now: int,
        fee: Decimal | None = None,
    ) -> Fill:
        """Book an execution that happened elsewhere at a known price; raises Refused for unknown account or symbol."""
        self.advance(now)
        if account not in self._accounts or symbol not in self._specs:
            raise Refused(f"account {account!r} or symbol {symbol!r} is not known to this broker")
        cost = self._fee(symbol, quantity, price, is_maker=False) if fee is None else fee
        return self._book(account, symbol, side, quantity=quantity, price=price, fee=cost, order=None, now=now)

    def deposit(self, account: AccountId, amount: Decimal, flow_id: str, now: int) -> None:
        """Move cash in (or out, where negative) once per `flow_id`."""
        book = self._accounts[account]
        if flow_id in book.flows:
            return
        book.flows.append(flow_id)
        book.ledger.balance += amount
        self._touch("account", account)
        self.sink(CashFlow(at=now, received_at=now, account=account, amount=amount, flow_id=flow_id))

    def add_instrument(self, spec: InstrumentSpec, now: int) -> None:
        """Trade a new instrument, or one whose economics changed."""
        self._specs[spec.symbol] = spec
        self.sink(InstrumentUpdate(at=now, received_at=now, spec=spec))

    def reject_next(self, reason: str, *, count: int = 1) -> None:
        """Refuse the next orders with this reason (for tests and drills)."""
        self._rejections.extend([reason] * count)

    def snapshot(self, account: AccountId, now: int) -> AccountSnapshot:
        """Balance, equity, margin, positions and working orders; raises Refused for an unknown account."""
        if account not in self._accounts:
            raise Refused(f"account {account!r} is not kept by this broker")
        self.advance(now)
        ledger = self._accounts[account].ledger
        equity, used = self.equity(account), self.margin_used(account)
        report = AccountReport(
            at=now,
            received_at=now,
            account=account,
            balance=ledger.balance,
            equity=float(equity),
            margin_used=float(used),
            margin_available=float(equity - used),
            can_trade=True,
        )
        orders = (order for order in self._orders.values() if order.report.account == account)
        return AccountSnapshot(
            account=report,
            positions=tuple(self._position(account, symbol, now) for symbol in sorted(ledger.holdings)),
            orders=tuple(order.report for order in orders if order.report.status.is_working),
        )

    def equity(self, account: AccountId) -> Decimal:
        """Balance plus what closing every position now would realize; a position without a quote counts at its cost."""
        ledger = self._accounts[account].ledger
        total = ledger.balance
        for symbol, holding in ledger.holdings.items():
            price = exit_price(self._markets.get(symbol), holding.quantity)
            if price is not None:
                total += (holding.quantity * price - holding.cost) * self._specs[symbol].multiplier
        return total

    def margin_used(self, account: AccountId) -> Decimal:
        """Initial margin of the open positions, at their exit prices (at cost without a quote)."""
        used = ZERO
        for symbol, holding in self._accounts[account].ledger.holdings.items():
            price = exit_price(self._markets.get(symbol), holding.quantity) or abs(holding.average_price)
            used += abs(holding.quantity) * margin_per_unit(self._specs[symbol], price, self.setting.leverage)
        return used

    def recent_fills(self) -> tuple[Fill, ...]:
        """The last 200 executions, oldest first; a broker repeats them after a restart, for receivers that missed some."""
        return tuple(self._fills)

    def take_changes(self) -> list[Row]:
        """The parts of the book that changed since the last call, for a store that keeps rows."""
        rows = [Row(sort, key, self._body(sort, key)) for sort, key in self._dirty]
        self._dirty = {}
        return rows

    def to_builtins(self) -> dict[str, object]:
        """The whole book as plain values, exact."""
        markets = {symbol: [m.bid, m.ask, m.is_continuous] for symbol, m in self._markets.items()}
        return {"rows": [[*row] for row in self._all_rows()], "markets": markets}

    def restore(self, plain: Mapping[str, object]) -> None:
        """Take exactly the book that `to_builtins` gave, or the rows a store kept (markets may then be missing)."""
        for sort, key, body in msgspec.convert(plain["rows"], list[tuple[str, str, object]]):
            self._restore_row(sort, key, body)
        prices = msgspec.convert(plain.get("markets", {}), dict[str, tuple[float | None, float | None, bool]])
        self._markets = {Symbol(s): Market(bid, ask, is_continuous=path) for s, (bid, ask, path) in prices.items()}
        for order in sorted(self._orders.values(), key=lambda order: order.sequence):
            self._place_restored(order)

    def _restore_row(self, sort: str, key: str, body: object) -> None:
        if sort == "account" and key in self._accounts:
            self._accounts[AccountId(key)] = msgspec.convert(body, AccountBook)
        elif sort == "order":
            order = msgspec.convert(body, PaperOrder)
            self._orders[order.report.order_id] = order
        elif sort == "fill":
            self._fills.append(msgspec.convert(body, Fill))

    def _place_restored(self, order: PaperOrder) -> None:
        report = order.report
        self._sequence = max(self._sequence, order.sequence)
        if report.client_id:
            self._by_client[report.account, report.client_id] = report.order_id
        if report.status is OrderStatus.PENDING:
            self._pending.append(order)
        elif order.is_active:
            self._active.setdefault(report.symbol, {})[report.order_id] = order
        else:
            self._finished.append(report.order_id)

    def _all_rows(self) -> list[Row]:
        keys = [("account", str(key)) for key in self._accounts]
        keys += [("order", str(key)) for key in self._orders]
        keys += [("fill", str(fill.fill_id)) for fill in self._fills]
        return [Row(sort, key, self._body(sort, key)) for sort, key in keys]

    def _body(self, sort: str, key: str) -> object:
        if sort == "account":
            return msgspec.to_builtins(self._accounts[AccountId(key)])
        if sort == "order":
            order = self._orders.get(OrderId(key))
            return msgspec.to_builtins(order) if order else None
        return next((msgspec.to_builtins(fill) for fill in self._fills if fill.fill_id == key), None)

    def _touch(self, sort: str, key: str) -> None:
        self._dirty[sort, key] = None

    def _register(self, book: AccountBook, request: OrderRequest, now: int) -> PaperOrder:
        book.order_count += 1
        self._sequence += 1
        order_id = OrderId(f"{request.account}-{book.order_count}")
        order = PaperOrder.accept(
            request, order_id=order_id, sequence=self._sequence, now=now, active_at=now + self._latency_ns
        )
        self._orders[order_id] = order
        if request.client_id:
            self._by_client[request.account, request.client_id] = order_id
        self._touch("account", request.account)
        return order

    def _refusal(self, order: PaperOrder, now: int) -> str:
        """Why an order is refused; empty if it is not."""
        report = order.report
        if self._rejections:
            return self._rejections.popleft()
        spec = self._specs.get(report.symbol)
        if spec is None:
            return f"symbol {report.symbol!r} is not traded here"
        return misfit(_as_request(report), spec) or self._untimely(report, now) or self._unaffordable(order, spec)

    def _untimely(self, report: OrderReport, now: int) -> str:
        """Why an order cannot be taken at this moment; also trims a reduce-only order to the position."""
        if self._is_open is not None and not self._is_open(report.symbol, now):
            return f"the market of {report.symbol} is closed"
        if report.reduce_only and not self._reducible(report):
            return "reduce-only: there is no position that this order would reduce"
        market = self._markets.get(report.symbol)
        unquoted = market is None or market.price(report.side) is None
        if report.type is OrderType.MARKET and unquoted and self.setting.unquoted == "reject":
            return f"there is no quote for {report.symbol}"
        return ""

    def _unaffordable(self, order: PaperOrder, spec: InstrumentSpec) -> str:
        if not self.setting.check_margin or order.report.reduce_only:
            return ""
        needed = self._margin_of(order, spec)
        if not needed:
            return ""
        account = order.report.account
        others = (o for o in self._orders.values() if o.report.status.is_working and o is not order)
        reserved = sum(
            (self._margin_of(o, self._specs[o.report.symbol]) for o in others if o.report.account == account), ZERO
        )
        free = self.equity(account) - self.margin_used(account) - reserved
        return "" if needed <= free else f"margin {needed:.2f} is needed and {free:.2f} is free"

    def _margin_of(self, order: PaperOrder, spec: InstrumentSpec) -> Decimal:
        """Margin the order would add; 0 where its price is not known yet."""
        report = order.report
        market = self._markets.get(report.symbol)
        price = order.limit_price or order.stop_price or (market.price(report.side) if market else None)
        if report.reduce_only or (price is None and spec.initial_margin is None):
            return ZERO
        position = self._accounts[report.account].ledger.quantity(report.symbol)
        added = exposure_added(position, report.remaining * report.side.sign)
        return added * margin_per_unit(spec, price or ZERO, self.setting.leverage)

    def _reducible(self, report: OrderReport) -> Decimal:
        """How much of the position an order of that side can take off."""
        position = self._accounts[report.account].ledger.quantity(report.symbol)
        return abs(position) if position * report.side.sign < 0 else ZERO

    def _release(self, now: int) -> None:
        while self._pending and self._pending[0].active_at <= now:
            order = self._pending.popleft()
            if order.report.status is not OrderStatus.PENDING:
                continue
            reason = self._refusal(order, now)
            if reason:
                self._finish(order, OrderStatus.REJECTED, now, reason)
            else:
                self._activate(order, now)

    def _activate(self, order: PaperOrder, now: int) -> None:
        report = order.report
        if report.reduce_only:
            order.change(quantity=min(report.quantity, self._reducible(report)))
        order.change(status=OrderStatus.WORKING)
        self._active.setdefault(report.symbol, {})[report.order_id] = order
        market = self._markets.get(report.symbol)
        if market is not None:
            follow(order, market)
        order.change(stop_price=order.stop_price)
        self._tell(order, now)
        if market is not None:
            self._match(order, market, now, is_resting=False)
        order.is_maker = order.is_active and not order.waits_for_stop and order.has_limit

    def _match(self, order: PaperOrder, market: Market, now: int, *, is_resting: bool) -> None:
        if order.waits_for_stop:
            self._watch_stop(order, market, now, is_resting=is_resting)
        spec = self._specs[order.report.symbol]
        price = fill_price(order, market, spec, self.setting.slippage_ticks)
        order.is_at_trigger = False
        if price is not None:
            self._fill(order, price, spec, now)
        elif order.has_limit and order.triggered and not order.is_maker:
            order.is_maker = True
            self._touch("order", order.report.order_id)

    def _watch_stop(self, order: PaperOrder, market: Market, now: int, *, is_resting: bool) -> None:
        if is_touched(order, market):
            order.triggered = True
            order.is_at_trigger = is_resting and market.is_continuous
            self._touch("order", order.report.order_id)
        elif follow(order, market):
            order.change(stop_price=order.stop_price)
            self._tell(order, now)

    def _fill(self, order: PaperOrder, price: Decimal, spec: InstrumentSpec, now: int) -> None:
        report = order.report
        quantity = self._depth(report.remaining, spec)
        if report.reduce_only:
            quantity = min(quantity, self._reducible(report))
        fee = self._fee(report.symbol, quantity, price, is_maker=order.is_maker)
        filled = report.filled + quantity
        done = filled == report.quantity
        order.change(filled=filled, status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED)
        if done:
            self._retire(order)
        account, symbol, side = report.account, report.symbol, report.side
        self._book(account, symbol, side, quantity=quantity, price=price, fee=fee, order=order, now=now)

    def _depth(self, remaining: Decimal, spec: InstrumentSpec) -> Decimal:
        """How much of an order one quote fills, in whole lots."""
        quantity, setting, lot = remaining, self.setting, spec.lot_size
        if setting.fill_fraction is not None:
            quantity = min(quantity, (remaining * setting.fill_fraction / lot).to_integral_value(ROUND_CEILING) * lot)
        if setting.max_fill is not None:
            quantity = min(quantity, max(lot, setting.max_fill // lot * lot))
        return quantity

    def _fee(self, symbol: Symbol, quantity: Decimal, price: Decimal, *, is_maker: bool) -> Decimal:
        setting = self.setting
        rate = setting.maker_fee if is_maker else setting.taker_fee
        return quantity * (setting.fee_per_unit + price * self._specs[symbol].multiplier * rate)

    def _book(
        self,
        account: AccountId,
        symbol: Symbol,
        side: Side,
        *,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        order: PaperOrder | None,
        now: int,
    ) -> Fill:
        book = self._accounts[account]
        multiplier = self._specs[symbol].multiplier
        pnl = book.ledger.book(symbol, side, quantity, price, multiplier=multiplier, fee=fee, now=now)
        book.fill_count += 1
        fill = Fill(
            at=now,
            received_at=now,
            account=account,
            symbol=symbol,
            fill_id=FillId(f"{account}-f{book.fill_count}"),
            side=side,
            quantity=quantity,
            price=price,
            fee=fee,
            pnl=pnl,
            order_id=order.report.order_id if order else None,
        )
        self._remember_fill(fill)
        self._touch("account", account)
        self.sink(fill)
        if order is not None:
            self._tell(order, now)
        self._shrink_reduce_only(account, symbol, now)
        self.sink(self._account_report(account, now))
        return fill

    def _remember_fill(self, fill: Fill) -> None:
        self._fills.append(fill)
        self._touch("fill", fill.fill_id)
        if len(self._fills) > _KEPT_FILLS:
            self._touch("fill", self._fills.popleft().fill_id)

    def _account_report(self, account: AccountId, now: int) -> AccountReport:
        """What is pushed after a fill: equity is left to the receiver, who has the newer quotes."""
        return AccountReport(
            at=now,
            received_at=now,
            account=account,
            balance=self._accounts[account].ledger.balance,
            margin_used=float(self.margin_used(account)),
            can_trade=True,
        )

    def _shrink_reduce_only(self, account: AccountId, symbol: Symbol, now: int) -> None:
        """Resize or cancel reduce-only orders that have become larger than the position."""
        for order in list(self._active.get(symbol, {}).values()):
            report = order.report
            if report.account != account or not report.reduce_only:
                continue
            reducible = self._reducible(report)
            if not reducible:
                self._finish(order, OrderStatus.CANCELLED, now, "reduce-only: the position is closed")
            elif report.remaining > reducible:
                order.change(quantity=report.filled + reducible)
                self._tell(order, now)

    def _position(self, account: AccountId, symbol: Symbol, now: int) -> PositionReport:
        holding = self._accounts[account].ledger.holdings[symbol]
        return PositionReport(
            at=now,
            received_at=now,
            account=account,
            symbol=symbol,
            quantity=holding.quantity,
            average_price=holding.average_price,
            opened_at=holding.opened_at,
        )

    def _finish(self, order: PaperOrder, status: OrderStatus, now: int, reason: str) -> None:
        order.change(status=status, reason=reason)
        self._retire(order)
        self._tell(order, now)

    def _retire(self, order: PaperOrder) -> None:
        """Take an order out of the book, and forget the oldest finished ones."""
        order_id = order.report.order_id
        active = self._active.get(order.report.symbol)
        if active is not None:
            active.pop(order_id, None)
        self._finished.append(order_id)
        if len(self._finished) > _KEPT_ORDERS:
            forgotten = self._finished.popleft()
            gone = self._orders.pop(forgotten)
            self._by_client.pop((gone.report.account, gone.report.client_id), None)
            self._touch("order", forgotten)

    def _tell(self, order: PaperOrder, now: int) -> None:
        self._touch("order", order.report.order_id)
        self.sink(OrderUpdate(at=now, received_at=now, order=order.report))


def _as_request(report: OrderReport) -> OrderRequest:
    fields = {name: getattr(report, name) for name in OrderRequest.__struct_fields__}
    return OrderRequest(**fields)
