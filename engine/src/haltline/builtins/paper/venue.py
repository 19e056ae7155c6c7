"""The simulated exchange: synchronous, deterministic, told the time; rule tests, replay and demo use it directly."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal

import msgspec

from haltline.api import AccountSnapshot, EventSink
from haltline.builtins.paper.admit import misfit
from haltline.builtins.paper.book import Book, Row, parse_rows
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


class PaperVenue:
    """An exchange with netted positions.

    Every method takes `now` (UTC nanoseconds, never decreasing). What happens goes to `sink` in order, before the
    method returns. Ids come from counters (``eval-1``), so the same calls give the same events. `is_open` tells whether
    a symbol's market trades at an instant; without it markets never close. A cancel takes effect at once, an order
    after the latency.
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
        self._markets: dict[Symbol, Market] = {}
        self._book = Book(accounts)
        self._rejections: deque[str] = deque()

    def submit(self, request: OrderRequest, now: int) -> OrderReport:
        """Take an order; a refused one comes back with status REJECTED and a reason.

        A `client_id` seen before returns that order's present report and does nothing else.
        """
        self.advance(now)
        known = self.find_order(request.account, request.client_id) if request.client_id else None
        if known is not None:
            return known
        if request.account not in self._book.accounts:
            raise Refused(f"account {request.account!r} is not kept by this broker")
        order = self._book.register(request, now=now, active_at=now + self._latency_ns)
        reason = self._refusal(order, now)
        if reason:
            self._finish(order, OrderStatus.REJECTED, now, reason)
        elif self._latency_ns:
            self._book.pending.append(order)
            self._tell(order, now)
        else:
            self._activate(order, now)
        return order.report

    def cancel(self, account: AccountId, order_id: OrderId, now: int) -> OrderReport | None:
        """Cancel an order if it still works; returns its report, or None for an unknown one."""
        self.advance(now)
        order = self._book.orders.get(order_id)
        if order is None or order.report.account != account:
            return None
        if order.report.status.is_working:
            self._finish(order, OrderStatus.CANCELLED, now, "cancelled on request")
        return order.report

    def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id, working or not (the last 10,000 finished ones are remembered)."""
        return self._book.find(account, client_id)

    def on_quote(self, quote: Quote, now: int) -> None:
        """Take a price and match working orders against it: stops before everything else, then by age."""
        symbol = quote.symbol
        if self._book.pending:
            self._release(now - 1)
        market = self._markets.get(symbol)
        if market is None:
            market = self._markets[symbol] = Market()
        market.apply(quote)
        resting = self._book.active.get(symbol)
        if resting:
            for order in sorted(resting.values(), key=lambda order: (not order.waits_for_stop, order.sequence)):
                if order.is_active:
                    self._match(order, market, now, is_resting=True)
        if self._book.pending:
            self._release(now)

    def advance(self, now: int) -> None:
        """Let orders whose latency has passed reach the market, each against the quote then in force."""
        if self._book.pending:
            self._release(now)

    def next_wake_ns(self) -> int | None:
        """The next instant at which `advance` has something to do."""
        return self._book.pending[0].active_at if self._book.pending else None

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
        order_id: OrderId | None = None,
    ) -> Fill:
        """Book an execution that happened elsewhere at a known price; raises Refused for unknown account or symbol.

        `order_id` is the order it is told to be of: one that is over has filled so much more.
        """
        self.advance(now)
        if account not in self._book.accounts or symbol not in self._specs:
            raise Refused(f"account {account!r} or symbol {symbol!r} is not known to this broker")
        cost = self._fee(symbol, quantity, price, is_maker=False) if fee is None else fee
        known = self._book.orders.get(order_id) if order_id is not None else None
        if known is not None and not known.report.status.is_working:
            known.change(filled=known.report.filled + quantity)
            self._tell(known, now)
        return self._execute(
            account, symbol, side, quantity=quantity, price=price, fee=cost, order=None, now=now, order_id=order_id
        )

    def deposit(self, account: AccountId, amount: Decimal, flow_id: str, now: int) -> None:
        """Move cash in (or out, where negative) once per `flow_id`."""
        book = self._book.accounts[account]
        if flow_id in book.flows:
            return
        book.flows.append(flow_id)
        book.ledger.balance += amount
        self._book.touch("account", account)
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
        if account not in self._book.accounts:
            raise Refused(f"account {account!r} is not kept by this broker")
        self.advance(now)
        ledger = self._book.ledger(account)
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
        return AccountSnapshot(
            account=report,
            positions=tuple(self._position(account, symbol, now) for symbol in sorted(ledger.holdings)),
            orders=tuple(order.report for order in self._book.working(account)),
        )

    def equity(self, account: AccountId) -> Decimal:
        """Balance plus what closing every position now would realize; a position without a quote counts at its cost."""
        ledger = self._book.ledger(account)
        total = ledger.balance
        for symbol, holding in ledger.holdings.items():
            price = exit_price(self._markets.get(symbol), holding.quantity)
            if price is not None:
                total += (holding.quantity * price - holding.cost) * self._specs[symbol].multiplier
        return total

    def margin_used(self, account: AccountId) -> Decimal:
        """Initial margin of the open positions, at their exit prices (at cost without a quote)."""
        used = ZERO
        for symbol, holding in self._book.ledger(account).holdings.items():
            price = exit_price(self._markets.get(symbol), holding.quantity) or abs(holding.average_price)
            used += abs(holding.quantity) * margin_per_unit(self._specs[symbol], price, self.setting.leverage)
        return used

    def recent_fills(self) -> tuple[Fill, ...]:
        """The last 200 executions, oldest first: a broker repeats them after a restart, for who missed some."""
        return tuple(self._book.fills)

    def take_changes(self) -> list[Row]:
        """The parts of the book that changed since the last call, for a store that keeps rows."""
        return self._book.take_changes()

    def to_builtins(self) -> dict[str, object]:
        """The whole book as plain values, exact."""
        markets = {symbol: [m.bid, m.ask, m.is_continuous] for symbol, m in self._markets.items()}
        return {"rows": [[*row] for row in self._book.rows()], "markets": markets}

    def restore(self, plain: Mapping[str, object]) -> None:
        """Take exactly the book that `to_builtins` gave, or the rows a store kept (markets may then be missing).

        Meant for a new venue with the same accounts and instruments. Raises msgspec.ValidationError for anything else.
        """
        self._book.restore(parse_rows(plain))
        prices = msgspec.convert(plain.get("markets", {}), dict[str, tuple[float | None, float | None, bool]])
        for symbol, (bid, ask, is_continuous) in prices.items():
            self._markets[Symbol(symbol)] = Market(bid, ask, is_continuous=is_continuous)

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
        if report.reduce_only and not self._book.reducible(report):
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
        others = (other for other in self._book.working(account) if other is not order)
        reserved = sum((self._margin_of(other, self._specs[other.report.symbol]) for other in others), ZERO)
        free = self.equity(account) - self.margin_used(account) - reserved
        return "" if needed <= free else f"margin {needed:.2f} is needed and {free:.2f} is free"

    def _margin_of(self, order: PaperOrder, spec: InstrumentSpec) -> Decimal:
        """Margin the order would add; 0 where its price is not known yet."""
        report = order.report
        market = self._markets.get(report.symbol)
        price = order.limit_price or order.stop_price or (market.price(report.side) if market else None)
        if report.reduce_only or (price is None and spec.initial_margin is None):
            return ZERO
        position = self._book.ledger(report.account).quantity(report.symbol)
        added = exposure_added(position, report.remaining * report.side.sign)
        return added * margin_per_unit(spec, price or ZERO, self.setting.leverage)

    def _release(self, now: int) -> None:
        while self._book.pending and self._book.pending[0].active_at <= now:
            order = self._book.pending.popleft()
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
            order.change(quantity=min(report.quantity, self._book.reducible(report)))
        order.change(status=OrderStatus.WORKING)
        self._book.activate(order)
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
            if not order.triggered:
                return
        spec = self._specs[order.report.symbol]
        price = fill_price(order, market, spec, self.setting.slippage_ticks)
        order.is_at_trigger = False
        if price is not None:
            self._fill(order, price, spec, now)
        elif order.has_limit and order.triggered and not order.is_maker:
            order.is_maker = True
            self._book.touch("order", order.report.order_id)

    def _watch_stop(self, order: PaperOrder, market: Market, now: int, *, is_resting: bool) -> None:
        if is_touched(order, market):
            order.triggered = True
            order.is_at_trigger = is_resting and market.is_continuous
            self._book.touch("order", order.report.order_id)
        elif follow(order, market):
            order.change(stop_price=order.stop_price)
            self._tell(order, now)

    def _fill(self, order: PaperOrder, price: Decimal, spec: InstrumentSpec, now: int) -> None:
        report = order.report
        quantity = self._depth(report.remaining, spec)
        if report.reduce_only:
            quantity = min(quantity, self._book.reducible(report))
        fee = self._fee(report.symbol, quantity, price, is_maker=order.is_maker)
        filled = report.filled + quantity
        done = filled == report.quantity
        order.change(
            filled=filled,
            status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
            average_price=((report.average_price or Decimal(0)) * report.filled + price * quantity) / filled,
        )
        if done:
            self._book.retire(order)
        account, symbol, side = report.account, report.symbol, report.side
        self._execute(account, symbol, side, quantity=quantity, price=price, fee=fee, order=order, now=now)

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

    def _execute(
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
        order_id: OrderId | None = None,
    ) -> Fill:
        book = self._book.accounts[account]
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
            order_id=order.report.order_id if order else order_id,
        )
        self._book.remember(fill)
        self._book.touch("account", account)
        self.sink(fill)
        if order is not None:
            self._tell(order, now)
        self._shrink_reduce_only(account, symbol, now)
        self.sink(self._account_report(account, now))
        return fill

    def _account_report(self, account: AccountId, now: int) -> AccountReport:
        """What is pushed after a fill: equity is left to the receiver, who has the newer quotes."""
        return AccountReport(
            at=now,
            received_at=now,
            account=account,
            balance=self._book.ledger(account).balance,
            margin_used=float(self.margin_used(account)),
            can_trade=True,
        )

    def _shrink_reduce_only(self, account: AccountId, symbol: Symbol, now: int) -> None:
        """Resize or cancel reduce-only orders that have become larger than the position."""
        for order in list(self._book.active.get(symbol, {}).values()):
            report = order.report
            if report.account != account or not report.reduce_only:
                continue
            reducible = self._book.reducible(report)
            if not reducible:
                self._finish(order, OrderStatus.CANCELLED, now, "reduce-only: the position is closed")
            elif report.remaining > reducible:
                order.change(quantity=report.filled + reducible)
                self._tell(order, now)

    def _position(self, account: AccountId, symbol: Symbol, now: int) -> PositionReport:
        holding = self._book.ledger(account).holdings[symbol]
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
        self._book.retire(order)
        self._tell(order, now)

    def _tell(self, order: PaperOrder, now: int) -> None:
        self._book.touch("order", order.report.order_id)
        self.sink(OrderUpdate(at=now, received_at=now, order=order.report))


def _as_request(report: OrderReport) -> OrderRequest:
    fields = {name: getattr(report, name) for name in OrderRequest.__struct_fields__}
    return OrderRequest(**fields)
