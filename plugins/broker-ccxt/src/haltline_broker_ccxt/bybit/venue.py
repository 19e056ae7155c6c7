"""Bybit's calls and streams."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from haltline.api import AccountSnapshot, Finding, Level
from haltline.clock import NS_PER_S, Clock
from haltline.errors import Refused, Transient
from haltline.model.event import AccountReport, Event, OrderUpdate, Quote
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline_broker_ccxt.bybit.wire import Translator
from haltline_broker_ccxt.client import Line, Tap, make_streaming
from haltline_broker_ccxt.clientid import ClientIds, for_bybit
from haltline_broker_ccxt.failure import Codes, Gone, Repeated
from haltline_broker_ccxt.market import Leg, Market, Markets, leg_of, read_markets
from haltline_broker_ccxt.row import Row, child, millis, row, rows, text
from haltline_broker_ccxt.setting import BybitSetting
from haltline_broker_ccxt.venue import Ask, Subscription, together

CODES = Codes(
    pattern=re.compile(r'"retCode":\s*"?(?P<code>-?\d+)"?,\s*"retMsg":\s*"(?P<reason>[^"]*)"'),
    doubtful=frozenset({"10000", "10016", "3400214", "170007", "170146", "170147"}),
    throttled=frozenset({"10006", "10018", "10429", "3400007"}),
    clock=frozenset({"10002"}),
    closed=frozenset({"110103", "170135"}),
    gone=frozenset({"110001", "110008", "110010", "170142", "170213"}),
    repeated=frozenset({"110072", "170141"}),
)
"""10016 is a fault of the server, though ccxt calls it a refusal: the order may have arrived."""

_PAGE = 50
_INDEX = {Leg.ONE: 0, Leg.LONG: 1, Leg.SHORT: 2}
_TOPICS = ("order", "position", "execution", "wallet")
_MOST_ARGUMENTS = 10
_WHOLE_NS = 10 * NS_PER_S
_DEAD_MAN = "dcp.future"


class BybitVenue:
    """`Venue` for a unified account."""

    name = "Bybit"
    quiet_s = 2.0

    def __init__(self, setting: BybitSetting, account: AccountId, clock: Clock, tap: Tap | None) -> None:
        self._setting = setting
        self._clock = clock
        exchange = make_streaming(
            "bybit",
            {
                "apiKey": setting.api_key,
                "secret": setting.api_secret,
                "options": {"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}},
            },
            setting,
            tap,
        )
        exchange.has = {**exchange.has, "fetchCurrencies": False}
        self.line = Line(exchange, venue=self.name, codes=CODES, clock=clock)
        self.markets = Markets(())
        self._wire = Translator(account, self.markets, ClientIds(for_bybit))
        self._tickers: dict[str, tuple[dict[str, object], int]] = {}
        self._held: dict[str, Decimal] = {}
        self._symbol_of: dict[str, str] = {}
        self._dead_man = False

    def cost(self, ask: Ask) -> int:
        """Requests: positions and orders are asked for by settle coin, and clocks are read twice."""
        coins = len(self._setting.settle)
        worth = {Ask.OPEN: 4, Ask.CLOCK: 2, Ask.PULL: 1 + 2 * coins, Ask.FLOWS: 2, Ask.FIND: 1 + coins}
        return worth.get(ask, 1)

    async def open(self) -> None:
        """Load the markets."""
        exchange = self.line.exchange
        raw = await self.line.perform(lambda: exchange.load_markets(True), mutates=False)
        self.markets = read_markets(raw, self._setting.symbols, wants=frozenset({"swap", "future"}))
        self._wire.markets = self.markets

    async def pull(self) -> AccountSnapshot:
        """Wallet, positions and orders, conditional ones included, of every settle coin."""
        now = self._clock.now()
        account, positions, orders = await together(self._pull_wallet(now), self._pull_positions(), self._pull_orders())
        reports = tuple(self._wire.position(each, now, now) for each in positions)
        self._held = {report.symbol: report.quantity for report in reports}
        return AccountSnapshot(
            account=account,
            positions=tuple(report for report in reports if report.quantity),
            orders=tuple(self._wire.listed(each, self._held) for each in orders),
        )

    async def quotes(self, symbols: Collection[str]) -> Sequence[Quote]:
        """Tickers by REST, one call for all."""
        answer = await self.line.read_row("publicGetV5MarketTickers", {"category": "linear"})
        wanted = {market.venue_id for symbol in symbols if (market := self.markets.get(symbol)) is not None}
        now, at = self._clock.now(), self.line.at_ns(millis(answer, "time"))
        tickers = [each for each in rows(child(answer, "result").get("list")) if text(each, "symbol") in wanted]
        found = [self._wire.quote(each, at, now) for each in tickers]
        return [quote for quote in found if quote is not None]

    async def fills(self, since_ms: int) -> Sequence[Event]:
        """Executions, funding among them, oldest first."""
        found: list[Event] = []
        asked = {"category": "linear", "startTime": since_ms, "limit": 100}
        for each in reversed(await self._pages("privateGetV5ExecutionList", asked)):
            found += self._wire.execution(each, self.line.at_ns(millis(each, "execTime")), self._clock.now())
        return found

    async def flows(self, since_ms: int) -> Sequence[Event]:
        """Transfers, from the transaction log."""
        found: list[Event] = []
        for kind in ("TRANSFER_IN", "TRANSFER_OUT"):
            asked = {"accountType": "UNIFIED", "type": kind, "startTime": since_ms, "limit": _PAGE}
            for each in reversed(await self._pages("privateGetV5AccountTransactionLog", asked)):
                at = self.line.at_ns(millis(each, "transactionTime"))
                found += self._wire.transfer(each, at, self._clock.now())
        return found

    async def place(self, request: OrderRequest, market: Market) -> OrderReport:
        """Send an order; one whose id Bybit knows already is looked up instead. `positionIdx` is always said raw:
        ccxt drops `reduceOnly` where it is told that the account is hedged.
        """
        link = self._wire.ids.to_venue(request.client_id)
        if link:
            self._remember(link, market.venue_id)
        asked = order_of(request, market, link)
        try:
            answer = await self.line.act("privatePostV5OrderCreate", asked)
        except Repeated:
            known = await self.find(request.client_id)
            if known is None:
                raise
            return known
        key = text(child(answer, "result"), "orderId")
        self._remember(key, market.venue_id)
        return OrderReport(
            account=request.account, order_id=OrderId(key), symbol=request.symbol, side=request.side,
            quantity=request.quantity, type=request.type, status=OrderStatus.PENDING, limit_price=request.limit_price,
            stop_price=request.stop_price, reduce_only=request.reduce_only, client_id=request.client_id,
            placed_at=self._clock.now(),
        )  # fmt: skip

    async def cancel(self, order_id: OrderId) -> None:
        """Cancel by id; the symbol it needs is known from the snapshot that showed the order."""
        if order_id not in self._symbol_of:
            await self._pull_orders()
        symbol = self._symbol_of.get(order_id)
        if symbol is None:
            return
        try:
            await self.line.act(
                "privatePostV5OrderCancel", {"category": "linear", "symbol": symbol, "orderId": order_id}
            )
        except Gone:
            return

    async def find(self, client_id: str) -> OrderReport | None:
        """By orderLinkId: among recent orders, then in the history. ccxt would send `orderId=None` beside it, which
        Bybit prefers.
        """
        link = self._wire.ids.to_venue(client_id)
        found = await self._look_up({"orderLinkId": link})
        return None if found is None else self._order(found)

    async def find_by_id(self, order: OrderReport) -> OrderReport | None:
        """By orderId."""
        found = await self._look_up({"orderId": order.order_id})
        return None if found is None else self._order(found)

    def subscriptions(self, symbols: Collection[str]) -> Sequence[Subscription]:
        """The private connection, and the public one where prices are wanted."""
        topics = sorted(
            {f"tickers.{market.venue_id}" for name in symbols if (market := self.markets.get(name)) is not None}
        )
        private = Subscription(name="private", open=self._open_private)
        if not topics:
            return (private,)
        return (private, Subscription(name="public", open=lambda: self._open_public(topics), is_public=True))

    def hear(self, message: object) -> Iterable[Event] | None:
        """Private topics and tickers are for us; the rest (log-ins, acknowledgements, pongs) for ccxt."""
        if not isinstance(message, Mapping) or "topic" not in message:
            return None
        said, now = row(message), self._clock.now()
        topic = text(said, "topic")
        if topic.startswith("tickers."):
            return self._hear_ticker(said, now)
        if topic not in _TOPICS:
            return ()
        at = self.line.at_ns(millis(said, "creationTime"))
        return self._hear_private(topic, rows(said.get("data")), at, now)

    async def refresh(self) -> None:
        """Nothing expires."""

    async def permissions(self) -> Sequence[Finding]:
        """Whether the key may trade and, which it should not, withdraw."""
        told = child(await self.line.read_row("privateGetV5UserQueryApi"), "result")
        granted = told.get("permissions")
        rights = {name for part in granted.values() for name in part} if isinstance(granted, Mapping) else set()
        found = []
        if text(told, "readOnly") == "1":
            cure = "make a key that may trade contracts"
            found.append(Finding(level=Level.FAIL, about="permissions", text="the key may only read", cure=cure))
        if "Withdraw" in rights:
            cure = "take that right away: Haltline never needs it"
            found.append(Finding(level=Level.WARN, about="permissions", text="the key may withdraw money", cure=cure))
        return found or [Finding(level=Level.OK, about="permissions", text="the key may trade, and not withdraw")]

    async def arm_dead_man(self, seconds: int) -> None:
        """Disconnection protection. It counts only for a connection that subscribed to `dcp`, which the next one does;
        Bybit has no off, so the present one leaves that topic.
        """
        self._dead_man = seconds > 0
        if seconds:
            await self.line.act(
                "privatePostV5OrderDisconnectedCancelAll", {"timeWindow": seconds, "product": "DERIVATIVES"}
            )
            return
        client = self.line.exchange.clients.get(_implode(self.line.exchange, "private", "contract"))
        if client is not None and not client.closed():
            await self.line.perform(lambda: client.send({"op": "unsubscribe", "args": [_DEAD_MAN]}), mutates=False)

    def _hear_private(self, topic: str, data: Sequence[Row], at: int, now: int) -> list[Event]:
        heard: list[Event] = []
        for each in data:
            if text(each, "category") not in ("", "linear"):
                continue
            match topic:
                case "position":
                    report = self._wire.position(each, at, now)
                    self._held[report.symbol] = report.quantity
                    heard.append(report)
                case "order":
                    heard.append(OrderUpdate(at=at, received_at=now, order=self._order(each)))
                case "execution":
                    heard += self._wire.execution(each, self.line.at_ns(millis(each, "execTime")), now)
                case _:
                    if text(each, "accountType") in ("", "UNIFIED"):
                        heard.append(self._wire.wallet(each, at, now))
        return heard

    def _hear_ticker(self, said: Row, now: int) -> list[Event]:
        """Deltas leave out what has not changed, and what is left out was not observed again: told with every delta,
        one odd trade would back itself. What has long not changed is told once more now and then, as it still holds.
        """
        data = child(said, "data")
        symbol = text(data, "symbol")
        if text(said, "type") == "snapshot":
            self._tickers.pop(symbol, None)
        known, whole_at = self._tickers.get(symbol, ({}, 0))
        known = {**known, **data}
        is_whole = now - whole_at >= _WHOLE_NS
        self._tickers[symbol] = known, now if is_whole else whole_at
        quote = self._wire.quote(known if is_whole else data, self.line.at_ns(millis(said, "ts")), now)
        return [] if quote is None else [quote]

    def _order(self, each: Row) -> OrderReport:
        self._remember(text(each, "orderId"), text(each, "symbol"))
        return self._wire.order(each, self._held)

    def _remember(self, key: str, symbol: str) -> None:
        self._symbol_of[key] = symbol
        if len(self._symbol_of) > 10_000:
            del self._symbol_of[next(iter(self._symbol_of))]

    async def _look_up(self, by: Mapping[str, object]) -> Row | None:
        known = self._symbol_of.get(str(next(iter(by.values()))))
        places: list[dict[str, object]] = (
            [{"symbol": known}] if known else [{"settleCoin": coin} for coin in self._setting.settle]
        )
        for place in places:
            answer = await self.line.read_row("privateGetV5OrderRealtime", {"category": "linear", **place, **by})
            for each in rows(child(answer, "result").get("list")):
                if all(text(each, name) == wanted for name, wanted in by.items()):
                    return each
        answer = await self.line.read_row("privateGetV5OrderHistory", {"category": "linear", **by})
        for each in rows(child(answer, "result").get("list")):
            if all(text(each, name) == wanted for name, wanted in by.items()):
                return each
        return None

    async def _pull_wallet(self, now: int) -> AccountReport:
        answer = await self.line.read_row("privateGetV5AccountWalletBalance", {"accountType": "UNIFIED"})
        found = rows(child(answer, "result").get("list"))
        if not found:
            raise Transient("Bybit told nothing of a unified account")
        return self._wire.wallet(found[0], now, now)

    async def _pull_positions(self) -> list[Row]:
        found: list[Row] = []
        for coin in self._setting.settle:
            found += await self._pages(
                "privateGetV5PositionList", {"category": "linear", "settleCoin": coin, "limit": 200}
            )
        return found

    async def _pull_orders(self) -> list[Row]:
        found: list[Row] = []
        for coin in self._setting.settle:
            asked = {"category": "linear", "settleCoin": coin, "openOnly": 0, "limit": _PAGE}
            found += await self._pages("privateGetV5OrderRealtime", asked)
        for each in found:
            self._remember(text(each, "orderId"), text(each, "symbol"))
        return found

    async def _pages(self, method: str, asked: Mapping[str, object]) -> list[Row]:
        """All pages of a list; half of one is not an answer."""
        found: list[Row] = []
        cursor = ""
        while True:
            answer = await self.line.read_row(method, {**asked, **({"cursor": cursor} if cursor else {})})
            result = child(answer, "result")
            page = rows(result.get("list"))
            found += page
            following = text(result, "nextPageCursor")
            if not following or following == cursor or not page:
                return found
            cursor = following

    async def _open_private(self) -> None:
        exchange = self.line.exchange
        url = _implode(exchange, "private", "contract")
        await exchange.authenticate(url)  # type: ignore[attr-defined]  # of ccxt's Bybit only
        topics = [*_TOPICS, *((_DEAD_MAN,) if self._dead_man else ())]
        message = {"op": "subscribe", "req_id": "haltline", "args": topics}
        await exchange.watch(url, "haltline", message, "haltline")

    async def _open_public(self, topics: Sequence[str]) -> None:
        exchange = self.line.exchange
        url = _implode(exchange, "public", "linear")
        first, *others = [topics[at : at + _MOST_ARGUMENTS] for at in range(0, len(topics), _MOST_ARGUMENTS)]
        for number, part in enumerate(others):
            self.line.subscribe(url, f"haltline {number}", {"op": "subscribe", "args": part})
        await exchange.watch(url, "haltline", {"op": "subscribe", "args": first}, "haltline")


def order_of(request: OrderRequest, market: Market, link: str) -> dict[str, object]:
    """The body of an order. Raises Refused for what Bybit cannot be asked like this."""
    asked: dict[str, object] = {
        "category": "linear",
        "symbol": market.venue_id,
        "side": "Buy" if request.side is Side.BUY else "Sell",
        "qty": f"{request.quantity:f}",
        "orderType": "Limit" if request.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else "Market",
        "positionIdx": _INDEX[leg_of(request.symbol)],
        "reduceOnly": request.reduce_only,
    }
    if request.type is OrderType.TRAILING_STOP:
        raise Refused("Bybit takes trailing stops for a whole position only; use a stop")
    if request.limit_price is not None:
        asked |= {"price": f"{request.limit_price:f}", "timeInForce": "GTC"}
    if request.stop_price is not None:
        asked |= {
            "triggerPrice": f"{request.stop_price:f}",
            "triggerDirection": 1 if request.side is Side.BUY else 2,
            "triggerBy": "LastPrice",
        }
    if link:
        asked["orderLinkId"] = link
    return asked


def _implode(exchange: object, access: str, sort: str) -> str:
    urls = exchange.urls["api"]["ws"]  # type: ignore[attr-defined]  # a table of texts
    return str(exchange.implode_hostname(urls[access][sort]))  # type: ignore[attr-defined]  # of every ccxt exchange
