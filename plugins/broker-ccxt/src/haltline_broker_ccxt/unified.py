"""Any other exchange of ccxt, by what ccxt says of all of them: polled, and with less than the venues that are known.

Equity is what ccxt calls the total of the settle currency: on some exchanges that is the balance without open profit.
Orders at a stop price, streams and a dead-man switch differ too much from one exchange to the next to be promised.
"""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from haltline.api import AccountSnapshot, Finding, Level
from haltline.clock import Clock
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.event import AccountReport, Event, Fill, PositionReport, Quote
from haltline.model.id import AccountId, FillId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline_broker_ccxt.client import Line, Tap, make_exchange
from haltline_broker_ccxt.failure import Codes, Gone
from haltline_broker_ccxt.market import Leg, Market, Markets, read_markets, with_leg
from haltline_broker_ccxt.row import (
    ZERO,
    Malformed,
    Row,
    above_zero,
    child,
    flag,
    maybe,
    millis,
    number,
    price,
    row,
    rows,
    text,
)
from haltline_broker_ccxt.setting import AnySetting
from haltline_broker_ccxt.venue import Ask, Subscription

CODES = Codes(pattern=re.compile(r"(?!)"))
"""Nothing is known of its codes: the class of ccxt's exception must do."""

_STATUS = {
    "open": OrderStatus.WORKING,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "canceling": OrderStatus.WORKING,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class UnifiedVenue:
    """`Venue` through ccxt's unified calls."""

    quiet_s = 5.0

    def __init__(self, setting: AnySetting, account: AccountId, clock: Clock, tap: Tap | None) -> None:
        self.name = setting.exchange
        self._setting = setting
        self._account = account
        self._clock = clock
        config: dict[str, object] = {
            "timeout": round(setting.timeout_s * 1000),
            "enableRateLimit": True,
            "options": {"defaultType": setting.market},
        }
        keys = {"apiKey": setting.api_key, "secret": setting.api_secret, "password": setting.password}
        exchange = make_exchange(
            setting.exchange, {**config, **{key: told for key, told in keys.items() if told}}, host=setting.host
        )
        self.line = Line(exchange, venue=self.name, codes=CODES, clock=clock)
        self.markets = Markets(())
        self._symbol_of: dict[str, str] = {}

    def cost(self, ask: Ask) -> int:
        """Requests, as far as they can be told for an exchange that is not known."""
        return {Ask.PULL: 3, Ask.CLOCK: 2}.get(ask, 1)

    async def open(self) -> None:
        """Load the markets."""
        exchange = self.line.exchange
        raw = await self.line.perform(lambda: exchange.load_markets(True), mutates=False)
        found = read_markets(raw, self._setting.symbols, wants=frozenset({self._setting.market}))
        self.markets = Markets(_by_ccxt_name(found))

    async def pull(self) -> AccountSnapshot:
        """Balance, positions and open orders."""
        now = self._clock.now()
        balance = row(await self._call("fetch_balance"))
        positions = rows(await self._call("fetch_positions")) if self._has("fetchPositions") else []
        orders = rows(await self._call("fetch_open_orders"))
        reports = [report for each in positions if (report := self._position(each, now)) is not None]
        return AccountSnapshot(
            account=self._report(balance, now),
            positions=tuple(report for report in reports if report.quantity),
            orders=tuple(self._order(each) for each in orders),
        )

    async def quotes(self, symbols: Collection[str]) -> Sequence[Quote]:
        """Tickers, asked for all at once where the exchange can."""
        names = [market.ccxt for symbol in sorted(symbols) if (market := self.markets.get(symbol)) is not None]
        if not names:
            return []
        if self._has("fetchTickers"):
            found = [row(each) for each in row(await self._call("fetch_tickers", names)).values()]
        else:
            found = [row(await self._call("fetch_ticker", name)) for name in names]
        quotes = [self._quote(each) for each in found]
        return [quote for quote in quotes if quote is not None]

    async def fills(self, since_ms: int) -> Sequence[Event]:
        """Executions; raises Refused where the exchange tells none for all markets at once."""
        if not self._has("fetchMyTrades"):
            raise Refused(f"ccxt cannot ask {self.name} for executions")
        trades = rows(await self._call("fetch_my_trades", None, since_ms))
        return [fill for each in trades if (fill := self._fill(each)) is not None]

    async def flows(self, since_ms: int) -> Sequence[Event]:
        """None: exchanges differ in what they call one."""
        return []

    async def place(self, request: OrderRequest, market: Market) -> OrderReport:
        """A market or limit order; one whose id the exchange is seen to know is not sent again."""
        if request.type not in (OrderType.MARKET, OrderType.LIMIT) or request.stop_price is not None:
            raise Refused(f"orders at a stop price are not sent to {self.name}: no two exchanges take them alike")
        if request.client_id:
            known = await self._find_in(request.client_id, market.ccxt)
            if known is not None:
                return known
            self._symbol_of[request.client_id] = market.ccxt
        asked: dict[str, object] = {"clientOrderId": request.client_id} if request.client_id else {}
        if request.reduce_only:
            asked["reduceOnly"] = True
        limit = None if request.limit_price is None else f"{request.limit_price:f}"
        kind = "market" if limit is None else "limit"
        call = getattr(self.line.exchange, "create_order")  # noqa: B009 - of every ccxt exchange, not in our Protocol
        send = partial(call, market.ccxt, kind, request.side.value, float(request.quantity), limit, asked)
        answer = row(await self.line.perform(send, mutates=True))
        if not text(answer, "id"):
            raise OutcomeUnknown(f"{self.name}: the answer names no order")
        self._symbol_of[text(answer, "id")] = market.ccxt
        return _placed(request, answer, self._clock.now())

    async def cancel(self, order_id: OrderId) -> None:
        """Cancel by id."""
        if order_id not in self._symbol_of:
            for each in rows(await self._call("fetch_open_orders")):
                self._order(each)
        symbol = self._symbol_of.get(order_id)
        if symbol is None:
            return
        cancel = getattr(self.line.exchange, "cancel_order")  # noqa: B009 - of every ccxt exchange
        try:
            await self.line.perform(partial(cancel, order_id, symbol), mutates=True)
        except Gone:
            return

    async def find(self, client_id: str) -> OrderReport | None:
        """By client id, among the orders that ccxt lists."""
        symbol = self._symbol_of.get(client_id)
        if symbol is not None:
            return await self._find_in(client_id, symbol)
        for market in self.markets:
            if market.name in self._setting.symbols:
                found = await self._find_in(client_id, market.ccxt)
                if found is not None:
                    return found
        return None

    async def find_by_id(self, order: OrderReport) -> OrderReport | None:
        """By id, where the exchange tells of single orders."""
        symbol = self._symbol_of.get(order.order_id)
        if symbol is None or not self._has("fetchOrder"):
            return None
        try:
            return self._order(row(await self._call("fetch_order", order.order_id, symbol)))
        except Refused:
            return None

    def subscriptions(self, symbols: Collection[str]) -> Sequence[Subscription]:
        """None: it is polled."""
        return ()

    def hear(self, message: object) -> Iterable[Event] | None:
        """Nothing is heard."""
        return None

    async def refresh(self) -> None:
        """Nothing expires."""

    async def permissions(self) -> Sequence[Finding]:
        """Not told there."""
        said = "what the key may do is not asked for: see that it may not withdraw"
        return [Finding(level=Level.OK, about="permissions", text=said)]

    async def arm_dead_man(self, seconds: int) -> None:
        """There is none that is known to keep protective stops."""
        raise Refused(f"no dead-man switch of {self.name} is known")

    async def _find_in(self, client_id: str, symbol: str) -> OrderReport | None:
        for method, ability in (
            ("fetch_open_orders", "fetchOpenOrders"), ("fetch_closed_orders", "fetchClosedOrders"),
            ("fetch_canceled_orders", "fetchCanceledOrders"),
        ):  # fmt: skip
            if not self._has(ability):
                continue
            for each in rows(await self._call(method, symbol)):
                if text(each, "clientOrderId") == client_id:
                    return self._order(each)
        return None

    async def _call(self, method: str, *given: object) -> object:
        call = getattr(self.line.exchange, method)
        return await self.line.perform(partial(call, *given), mutates=False)

    def _has(self, ability: str) -> bool:
        return self.line.exchange.has.get(ability) is True

    def _report(self, balance: Row, now: int) -> AccountReport:
        settle = {market.settle for market in self.markets}
        totals = [(coin, maybe(child(balance, coin), "total")) for coin in sorted(settle) if coin in balance]
        known = [(coin, total) for coin, total in totals if total is not None]
        if not known:
            raise Transient(f"{self.name} tells no balance in {', '.join(sorted(settle)[:5]) or 'any currency'}")
        coin, total = max(known, key=lambda each: each[1])
        free = maybe(child(balance, coin), "free")
        return AccountReport(
            at=now, received_at=now, account=self._account, balance=total, equity=float(total),
            margin_available=None if free is None else float(free),
        )  # fmt: skip

    def _position(self, each: Row, now: int) -> PositionReport | None:
        side, size = text(each, "side"), maybe(each, "contracts")
        if size is None or (size and side not in ("long", "short")):
            raise Malformed(f"a position of {size} has side {side!r}")
        leg = Leg(side.upper()) if each.get("hedged") is True and side else Leg.ONE
        return PositionReport(
            at=now, received_at=now, account=self._account, symbol=self._name(text(each, "symbol"), leg),
            quantity=-size if side == "short" else size, average_price=maybe(each, "entryPrice") or ZERO,
            liquidation_price=price(each, "liquidationPrice"), leverage=price(each, "leverage"),
            margin=price(each, "initialMargin"),
        )  # fmt: skip

    def _order(self, each: Row) -> OrderReport:
        quantity, filled = number(each, "amount"), maybe(each, "filled") or ZERO
        status, side = _STATUS.get(text(each, "status")), _SIDES.get(text(each, "side"))
        if status is None or side is None:
            raise Malformed(f"an order with status {text(each, 'status')!r} is none that is known")
        self._symbol_of[text(each, "id")] = text(each, "symbol")
        trigger = above_zero(each, "triggerPrice", "stopPrice")
        is_limit = text(each, "type") == "limit"
        kind = OrderType.LIMIT if is_limit else OrderType.MARKET
        if trigger is not None and above_zero(each, "takeProfitPrice") is None:
            kind = OrderType.STOP_LIMIT if is_limit else OrderType.STOP
        if status is OrderStatus.WORKING and filled:
            status = OrderStatus.PARTIALLY_FILLED
        if status is OrderStatus.FILLED and filled < quantity:
            status = OrderStatus.CANCELLED
        return OrderReport(
            account=self._account, order_id=OrderId(text(each, "id")), symbol=self._name(text(each, "symbol"), Leg.ONE),
            side=side, quantity=quantity, type=kind, status=status, filled=filled,
            limit_price=above_zero(each, "price") if is_limit else None, stop_price=trigger if kind.is_stop else None,
            reduce_only=flag(each, "reduceOnly"), client_id=text(each, "clientOrderId"),
            placed_at=millis(each, "timestamp") * 1_000_000, average_price=above_zero(each, "average"),
        )  # fmt: skip

    def _fill(self, each: Row) -> Fill | None:
        side = _SIDES.get(text(each, "side"))
        fee = each.get("fee")
        paid = maybe(row(fee), "cost") if isinstance(fee, Mapping) else None
        if side is None or not text(each, "id"):
            return None
        return Fill(
            at=self.line.at_ns(millis(each, "timestamp")), received_at=self._clock.now(), account=self._account,
            symbol=self._name(text(each, "symbol"), Leg.ONE), fill_id=FillId(text(each, "id")), side=side,
            quantity=number(each, "amount"), price=number(each, "price"), fee=max(paid or ZERO, ZERO),
            order_id=OrderId(text(each, "order")) or None,
        )  # fmt: skip

    def _quote(self, each: Row) -> Quote | None:
        bid, ask, last, mark = (price(each, key) for key in ("bid", "ask", "last", "markPrice"))
        if bid is ask is last is mark is None:
            return None
        now = self._clock.now()
        symbol = self._name(text(each, "symbol"), Leg.ONE)
        at = self.line.at_ns(millis(each, "timestamp"))
        return Quote(
            at=at, received_at=now, symbol=symbol, bid=bid, ask=ask, last=last, mark=mark, source=self.name
        )  # fmt: skip

    def _name(self, ccxt: str, leg: Leg) -> Symbol:
        market = self.markets.of_venue(ccxt)
        return with_leg(market.name if market is not None else Symbol(ccxt), leg)


def _by_ccxt_name(markets: Iterable[Market]) -> Iterable[Market]:
    """ccxt's unified answers speak of markets by its own names."""
    return [dataclasses.replace(market, venue_id=market.ccxt) for market in markets]


def _placed(request: OrderRequest, answer: Row, now: int) -> OrderReport:
    filled = min(maybe(answer, "filled") or ZERO, request.quantity)
    return OrderReport(
        account=request.account, order_id=OrderId(text(answer, "id")), symbol=request.symbol, side=request.side,
        quantity=request.quantity, type=request.type, status=OrderStatus.PENDING, filled=filled,
        limit_price=request.limit_price, reduce_only=request.reduce_only, client_id=request.client_id, placed_at=now,
        average_price=above_zero(answer, "average"),
    )  # fmt: skip
