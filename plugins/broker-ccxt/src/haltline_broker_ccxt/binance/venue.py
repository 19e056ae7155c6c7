"""Binance's calls and streams."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from haltline.api import AccountSnapshot, Finding, Level
from haltline.clock import NS_PER_S, Clock
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.event import Event, OrderUpdate, Quote
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest, OrderType, Side
from haltline_broker_ccxt.binance.wire import ALGO, Translator
from haltline_broker_ccxt.client import Line, Tap, make_streaming
from haltline_broker_ccxt.clientid import ClientIds, for_binance
from haltline_broker_ccxt.failure import Codes, Gone, Repeated
from haltline_broker_ccxt.market import Leg, Market, Markets, leg_of, read_markets
from haltline_broker_ccxt.row import Row, millis, row, rows, text
from haltline_broker_ccxt.setting import BinanceSetting
from haltline_broker_ccxt.venue import Ask, Doubt, Subscription, each_of, together

CODES = Codes(
    pattern=re.compile(r'"code":\s*"?(?P<code>-\d+)"?,\s*"msg":\s*"(?P<reason>[^"]*)"'),
    doubtful=frozenset({"-1000", "-1001", "-1006", "-1007", "-1016"}),
    throttled=frozenset({"-1003", "-1015", "-1008"}),
    clock=frozenset({"-1021"}),
    closed=frozenset({"-4108", "-4140"}),
    gone=frozenset({"-2011", "-2013"}),
    repeated=frozenset({"-4116", "-4111"}),
)
_DEAD_MAN_OFF = 0
_MOST_MARKETS = 8
"""Orders of more markets than these are cheaper to read for all markets at once, which is worth 40 times one."""
_INCOME_NS = 15 * NS_PER_S
"""Flows that are asked for so soon after the executions of the same span are in what was read for those."""
_DAY_MS = 86_400_000
_PUSHES = frozenset({"ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE", "ALGO_UPDATE"})


class BinanceVenue:
    """`Venue` for a USD-M futures account."""

    name = "Binance"
    quiet_s = 2.0

    def __init__(self, setting: BinanceSetting, account: AccountId, clock: Clock, tap: Tap | None) -> None:
        self._setting = setting
        self._clock = clock
        exchange = make_streaming(
            "binanceusdm",
            {
                "apiKey": setting.api_key,
                "secret": setting.api_secret,
                "options": {"fetchCurrencies": False, "fetchMarkets": {"types": ["linear"]}},
            },
            setting,
            tap,
        )
        self.line = Line(exchange, venue=self.name, codes=CODES, clock=clock)
        self.markets = Markets(())
        self._wire = Translator(account, self.markets, ClientIds(for_binance))
        self._held: dict[str, Decimal] = {}
        self._symbol_of: dict[str, str] = {}
        self._seen: dict[str, None] = {}
        self._listen_key = ""
        self._is_reader = tap is not None
        self._has_sent = False
        self._whole_at = 0
        self._paid: tuple[int, int, list[Row]] = (0, 0, [])

    def cost(self, ask: Ask) -> int:
        """The venue's weights. What acts and has sent nothing yet may look for an order from before a restart, which
        means looking in every market that anything happened in.
        """
        is_paid = self._clock.now() - self._paid[1] < _INCOME_NS
        markets, quotes = len(self._seen), 3 * len(self._seen) if len(self._seen) <= _MOST_MARKETS else 15
        worth = {
            Ask.OPEN: 5, Ask.CLOCK: 2, Ask.PULL: 90 if self._wants_all_markets else 10 + 2 * markets,
            Ask.QUOTES: max(3, quotes), Ask.FILLS: 30 + 5 * markets, Ask.FLOWS: 1 if is_paid else 30, Ask.PLACE: 3,
            Ask.FIND: 2 if self._is_reader or self._has_sent else 30 + 2 * markets,
        }  # fmt: skip
        return worth.get(ask, 1)

    async def open(self) -> None:
        """Load the markets."""
        exchange = self.line.exchange
        raw = await self.line.perform(lambda: exchange.load_markets(True), mutates=False)
        self.markets = read_markets(raw, self._setting.symbols, wants=frozenset({"swap", "future"}))
        self._wire.markets = self.markets

    async def pull(self) -> AccountSnapshot:
        """Account, positions and orders; conditional orders live apart and are asked for as well.

        Orders of all markets weigh as much as those of forty. So they are asked for every now and then, and in between
        the orders of each market that anything was heard of.
        """
        now = self._clock.now()
        account, positions, orders = await together(
            self.line.read_row("fapiPrivateV3GetAccount"),
            self.line.read("fapiPrivateV3GetPositionRisk"),
            self._orders(),
        )
        reports = [self._wire.position(each, now, now) for each in rows(positions)]
        self._held = {report.symbol: report.quantity for report in reports}
        self._note(text(each, "symbol") for each in rows(positions))
        return AccountSnapshot(
            account=self._wire.account_of(account, now, now),
            positions=tuple(report for report in reports if report.quantity),
            orders=tuple(self._listed(each) for each in orders),
        )

    async def quotes(self, symbols: Collection[str]) -> Sequence[Quote]:
        """Mark and best prices by REST, of few markets one by one."""
        wanted = {market.venue_id for symbol in symbols if (market := self.markets.get(symbol)) is not None}
        asked = [{"symbol": symbol} for symbol in sorted(wanted)] if len(wanted) <= _MOST_MARKETS else [{}]
        methods = ("fapiPublicGetPremiumIndex", "fapiPublicGetTickerBookTicker")
        answers = await each_of(self.line.read(method, place) for method in methods for place in asked)
        told = [each for answer in answers for each in (rows(answer) if isinstance(answer, list) else [row(answer)])]
        found = [
            self._wire.quote(each, self.line.at_ns(millis(each, "time")), self._clock.now())
            for each in told
            if text(each, "symbol") in wanted
        ]
        return [quote for quote in found if quote is not None]

    async def fills(self, since_ms: int) -> Sequence[Event]:
        """Executions of every market that was traded: Binance tells them one market at a time."""
        found: list[Event] = []
        for symbol in await self._traded(since_ms):
            asked = {"symbol": symbol, "startTime": since_ms, "limit": 1000}
            for each in rows(await self.line.read("fapiPrivateGetUserTrades", asked)):
                found.append(self._wire.trade(each, self.line.at_ns(millis(each, "time")), self._clock.now()))
        return found

    async def flows(self, since_ms: int) -> Sequence[Event]:
        """Transfers and funding."""
        found: list[Event] = []
        since, read_at, income = self._paid
        is_fresh = since == since_ms and self._clock.now() - read_at < _INCOME_NS
        for each in income if is_fresh else await self._income(since_ms):
            flow = self._wire.income(each, self.line.at_ns(millis(each, "time")), self._clock.now())
            if flow is not None:
                found.append(flow)
        return found

    async def place(self, request: OrderRequest, market: Market) -> OrderReport:
        """Look for the id first, as Binance lets the id of a filled order be used again; then send."""
        self._note([market.venue_id])
        self._has_sent = True
        if request.client_id:
            self._remember(self._wire.ids.to_venue(request.client_id), market.venue_id)
            known = await self._find_in(self._wire.ids.to_venue(request.client_id), market.venue_id)
            if known is not None:
                return known
        asked = order_of(request, market, self._wire.ids.to_venue(request.client_id))
        is_algo = "algoType" in asked
        try:
            answer = await self.line.act("fapiPrivatePostAlgoOrder" if is_algo else "fapiPrivatePostOrder", asked)
        except Repeated:
            known = await self._find_in(self._wire.ids.to_venue(request.client_id), market.venue_id)
            if known is None:
                raise
            return known
        if not text(answer, "orderId", "algoId"):
            raise OutcomeUnknown("Binance: the answer names no order")
        return self._order(answer)

    async def cancel(self, order_id: OrderId) -> None:
        """Cancel by id; an order that works nowhere is no error."""
        if order_id.startswith(ALGO):
            call, asked = "fapiPrivateDeleteAlgoOrder", {"algoId": order_id.removeprefix(ALGO)}
        else:
            if order_id not in self._symbol_of:
                for each in await self._orders_anywhere():
                    self._listed(each)
            symbol = self._symbol_of.get(order_id)
            if symbol is None:
                return
            call, asked = "fapiPrivateDeleteOrder", {"symbol": symbol, "orderId": order_id}
        try:
            await self.line.act(call, asked)
        except Gone:
            return

    async def find(self, client_id: str) -> OrderReport | None:
        """By client id. Binance wants the market named: after a restart each one that may be meant is asked."""
        there = self._wire.ids.to_venue(client_id)
        known = self._symbol_of.get(there)
        places = [known] if known else list(self._seen)
        if not known:
            traded = await self._traded(self.line.venue_ms(self._clock.now()) - _DAY_MS)
            places += [symbol for symbol in traded if symbol not in self._seen]
        for symbol in places:
            found = await self._find_in(there, symbol)
            if found is not None:
                return found
        return None

    async def find_by_id(self, order: OrderReport) -> OrderReport | None:
        """By id; a conditional one by the id of its own kind."""
        market = self.markets.get(order.symbol)
        if market is None:
            return None
        if order.order_id.startswith(ALGO):
            return await self._ask("fapiPrivateGetAlgoOrder", {"algoId": order.order_id.removeprefix(ALGO)})
        return await self._ask("fapiPrivateGetOrder", {"symbol": market.venue_id, "orderId": order.order_id})

    def subscriptions(self, symbols: Collection[str]) -> Sequence[Subscription]:
        """The user stream, and marks and best prices, which have addresses of their own."""
        self._note(market.venue_id for name in symbols if (market := self.markets.get(name)) is not None)
        names = sorted({market.venue_id.lower() for name in symbols if (market := self.markets.get(name)) is not None})
        private = Subscription(name="user", open=self._open_user, answers=False)
        if not names:
            return (private,)
        marks, books = [f"{name}@markPrice@1s" for name in names], [f"{name}@bookTicker" for name in names]
        return (
            private,
            Subscription(name="market", open=lambda: self._open_public("market", marks), is_public=True),
            Subscription(name="public", open=lambda: self._open_public("public", books), is_public=True),
        )

    def hear(self, message: object) -> Iterable[Event] | None:
        """Events of the user stream and prices are for us. Raises Doubt where the listen key has expired."""
        if not isinstance(message, Mapping) or "e" not in message:
            is_done = isinstance(message, Mapping) and "result" in message and "error" not in message
            return () if is_done else None  # ccxt looks for a subscription of its own in each acknowledgement
        said, now = row(message), self._clock.now()
        kind = text(said, "e")
        at = self.line.at_ns(millis(said, "T" if kind != "markPriceUpdate" else "E"))
        if kind in ("markPriceUpdate", "bookTicker"):
            quote = self._wire.quote(said, at, now)
            return [] if quote is None else [quote]
        if kind == "listenKeyExpired":
            raise Doubt("the listen key has expired")
        heard = list(self._wire.pushed(said, self._held, at, now)) if kind in _PUSHES else []
        for event in heard:
            if isinstance(event, OrderUpdate) and (market := self.markets.get(event.order.symbol)) is not None:
                self._note([market.venue_id])
        return heard

    async def refresh(self) -> None:
        """Keep the listen key alive; one that is not known any more puts the stream in doubt."""
        if not self._listen_key:
            return
        try:
            await self.line.act("fapiPrivatePutListenKey")
        except Refused as refusal:
            raise Doubt(f"the listen key is not taken any more: {refusal}") from refusal

    async def permissions(self) -> Sequence[Finding]:
        """Whether the key may trade futures and, which it should not, withdraw. Only the spot side of Binance tells."""
        try:
            told = await self.line.read_row("sapiGetAccountApiRestrictions")
        except (Transient, Refused) as failure:
            cure = "see in Binance's API management that this key may trade futures, and may not withdraw"
            said = f"what the key may do could not be asked: {failure}"
            return [Finding(level=Level.WARN, about="permissions", text=said, cure=cure)]
        found = []
        if not told.get("enableFutures"):
            cure = "give the key the right to trade futures"
            found.append(
                Finding(level=Level.FAIL, about="permissions", text="the key may not trade futures", cure=cure)
            )
        if told.get("enableWithdrawals"):
            cure = "take that right away: Haltline never needs it"
            found.append(Finding(level=Level.WARN, about="permissions", text="the key may withdraw money", cure=cure))
        return found or [Finding(level=Level.OK, about="permissions", text="the key may trade, and not withdraw")]

    async def arm_dead_man(self, seconds: int) -> None:
        """The countdown of each market in which orders stand or a position is held."""
        places = {self._symbol_of[key] for key in self._symbol_of} | set(self._seen) if not seconds else set(self._seen)
        for symbol in sorted(places):
            asked = {"symbol": symbol, "countdownTime": seconds * 1000 or _DEAD_MAN_OFF}
            await self.line.act("fapiPrivatePostCountdownCancelAll", asked)

    def _listed(self, each: Row) -> OrderReport:
        report = self._wire.listed(each, self._held)
        self._remember(report.order_id, text(each, "symbol"))
        return report

    def _order(self, each: Row) -> OrderReport:
        report = self._wire.order(each, self._held)
        self._remember(report.order_id, text(each, "symbol"))
        return report

    def _remember(self, key: str, symbol: str) -> None:
        self._symbol_of[key] = symbol
        if len(self._symbol_of) > 10_000:
            del self._symbol_of[next(iter(self._symbol_of))]

    def _note(self, symbols: Iterable[str]) -> None:
        self._seen.update(dict.fromkeys(symbols))

    @property
    def _wants_all_markets(self) -> bool:
        """Whether orders are read for all markets next. What acts looks everywhere at the beginning of an action, and
        always where pushes and pulls have differed for so long that enforcement believes a pull; what reads, every half
        minute: a stream tells of orders elsewhere at once.
        """
        age_ns = self._clock.now() - self._whole_at
        return len(self._seen) > _MOST_MARKETS or age_ns > (30 if self._is_reader else 3) * NS_PER_S

    async def _orders(self) -> list[Row]:
        """Working orders of both sorts."""
        if self._wants_all_markets:
            return await self._orders_anywhere()
        methods = ("fapiPrivateGetOpenOrders", "fapiPrivateGetOpenAlgoOrders")
        answers = await each_of(self.line.read(each, {"symbol": symbol}) for symbol in self._seen for each in methods)
        return [each for answer in answers for each in rows(answer)]

    async def _orders_anywhere(self) -> list[Row]:
        now = self._clock.now()
        plain = rows(await self.line.read("fapiPrivateGetOpenOrders"))
        algo = rows(await self.line.read("fapiPrivateGetOpenAlgoOrders"))
        self._note(text(each, "symbol") for each in (*plain, *algo))
        self._whole_at = now
        return [*plain, *algo]

    async def _find_in(self, there: str, symbol: str) -> OrderReport | None:
        found = await self._ask("fapiPrivateGetOrder", {"symbol": symbol, "origClientOrderId": there})
        return found or await self._ask("fapiPrivateGetAlgoOrder", {"clientAlgoId": there})

    async def _ask(self, method: str, params: Mapping[str, object]) -> OrderReport | None:
        try:
            return self._order(await self.line.read_row(method, params))
        except Gone:
            return None

    async def _income(self, since_ms: int) -> list[Row]:
        found: list[Row] = []
        while True:
            page = rows(await self.line.read("fapiPrivateGetIncome", {"startTime": since_ms, "limit": 1000}))
            found += page
            if len(page) < 1000:
                return found
            since_ms = millis(page[-1], "time") + 1

    async def _traded(self, since_ms: int) -> list[str]:
        """Markets that money was made, lost or paid in."""
        now, income = self._clock.now(), await self._income(since_ms)
        self._paid = since_ms, now, income
        return sorted({text(each, "symbol") for each in income} - {""} | set(self._seen))

    async def _open_user(self) -> None:
        """A new listen key for each connection: ccxt would dial the old one again for twenty minutes."""
        exchange = self.line.exchange
        self._listen_key = text(await self.line.act("fapiPrivatePostListenKey"), "listenKey")
        url = exchange.get_private_ws_url("future", self._listen_key)  # type: ignore[attr-defined]  # of Binance only
        await exchange.watch(url, "haltline", None, "haltline")

    async def _open_public(self, category: str, streams: Sequence[str]) -> None:
        exchange = self.line.exchange
        url = exchange.get_ws_url("future", category) + "/0"  # type: ignore[attr-defined]  # of Binance only
        message = {"method": "SUBSCRIBE", "params": list(streams), "id": 1}
        await exchange.watch(url, "haltline", message, "haltline")


def order_of(request: OrderRequest, market: Market, client: str) -> dict[str, object]:
    """The parameters of an order; one with a stop price is a conditional ("algo") order. Raises Refused for what
    Binance cannot be asked like this.
    """
    leg = leg_of(request.symbol)
    is_stop = request.stop_price is not None
    limit = request.limit_price
    if request.type is OrderType.TRAILING_STOP:
        raise Refused("Binance takes the distance of a trailing stop in percent only; use a stop")
    if request.reduce_only and leg is not Leg.ONE and (request.side is Side.SELL) != (leg is Leg.LONG):
        raise Refused(f"a {request.side.value} order makes {request.symbol} larger; it cannot be reduce-only")
    asked: dict[str, object] = {
        "symbol": market.venue_id,
        "side": request.side.value.upper(),
        "type": ("STOP" if limit is not None else "STOP_MARKET") if is_stop else "LIMIT" if limit else "MARKET",
        "quantity": f"{request.quantity:f}",
    }
    if limit is not None:
        asked |= {"price": f"{limit:f}", "timeInForce": "GTC"}
    if is_stop:
        asked |= {"algoType": "CONDITIONAL", "triggerPrice": f"{request.stop_price:f}"}
    else:
        asked["newOrderRespType"] = "RESULT"
    if client:
        asked["clientAlgoId" if is_stop else "newClientOrderId"] = client
    if leg is not Leg.ONE:
        asked["positionSide"] = leg.value
    elif request.reduce_only:
        asked["reduceOnly"] = "true"
    return asked
