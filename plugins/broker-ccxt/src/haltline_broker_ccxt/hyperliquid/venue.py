"""Hyperliquid's calls and streams."""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from haltline.api import AccountSnapshot, Finding, Level
from haltline.clock import NS_PER_S, Clock
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.event import Event, OrderUpdate, PositionReport, Quote
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType
from haltline_broker_ccxt.client import Line, Tap, make_streaming
from haltline_broker_ccxt.clientid import ClientIds, for_hyperliquid
from haltline_broker_ccxt.failure import Codes, Gone, Repeated
from haltline_broker_ccxt.hyperliquid.wire import Translator
from haltline_broker_ccxt.market import Market, Markets, read_markets
from haltline_broker_ccxt.row import ZERO, Malformed, Row, above_zero, child, millis, row, rows, text
from haltline_broker_ccxt.setting import HyperliquidSetting
from haltline_broker_ccxt.venue import Ask, Subscription, each_of, together

CODES = Codes(
    pattern=re.compile(r'"(?:error|response)":\s*"(?P<reason>[^"]*)"|"status":\s*"(?P<code>unknownOid)"'),
    throttled=frozenset({"Too many"}),
    clock=frozenset({"nonce"}),
    gone=frozenset({"never placed, already canceled, or filled", "unknownOid"}),
    repeated=frozenset({"duplicate cloid"}),
)
"""Hyperliquid has no codes, only sentences."""

_MOST_DECIMALS = 6
_MOST_ASKED = 9
_OPEN = frozenset({"open", "triggered"})
_WEIGHTS = {
    Ask.OPEN: 40, Ask.CLOCK: 4, Ask.PULL: 22, Ask.QUOTES: 20, Ask.FILLS: 20, Ask.FLOWS: 40, Ask.FIND: 2, Ask.PLACE: 5,
    Ask.CANCEL: 3,
}  # fmt: skip
_CHANNELS = frozenset({"clearinghouseState", "orderUpdates", "userFills", "activeAssetCtx"})


class HyperliquidVenue:
    """`Venue` for one account."""

    name = "Hyperliquid"
    quiet_s = 5.0

    def __init__(self, setting: HyperliquidSetting, account: AccountId, clock: Clock, tap: Tap | None) -> None:
        self._setting = setting
        self._clock = clock
        exchange = make_streaming(
            "hyperliquid",
            {
                "walletAddress": setting.wallet,
                "privateKey": setting.private_key,
                "options": {"fetchMarkets": {"types": ["swap"]}, "approvedBuilderFee": False, "builderFee": False},
            },
            setting,
            tap,
        )
        exchange.has = {**exchange.has, "fetchCurrencies": False}
        self.line = Line(exchange, venue=self.name, codes=CODES, clock=clock)
        self.markets = Markets(())
        self._wire = Translator(account, self.markets, ClientIds(for_hyperliquid), setting.wallet)
        self._held: dict[str, Decimal] = {}
        self._known: dict[str, OrderReport] = {}
        self._is_reader = tap is not None
        self._listed_at = 0
        self._is_unlisted = True

    def cost(self, ask: Ask) -> int:
        """The venue's weights: 2 for a small question, 20 for a large one, 1 for an action."""
        if ask is Ask.PULL and not self._wants_list:
            return 2 + 2 * len(self._working)
        return _WEIGHTS[ask]

    async def open(self) -> None:
        """Load the markets. The tick depends on the price there (five digits); the finest one is taken."""
        exchange = self.line.exchange
        raw = await self.line.perform(lambda: exchange.load_markets(True), mutates=False)
        found = read_markets(raw, self._setting.symbols, wants=frozenset({"swap"}))
        self.markets = Markets(dataclasses.replace(each, tick=_tick(each.lot)) for each in found)
        self._wire.markets = self.markets

    async def pull(self) -> AccountSnapshot:
        """Account and positions of one instant, and the working orders.

        The list of orders weighs as much as ten of them asked for by id. So it is asked for every now and then and
        whenever a stream tells of an order that is not on it, and in between what became of those that are.
        """
        now, wants_list = self._clock.now(), self._wants_list
        known = [] if wants_list else self._working
        state, listed, asked = await together(
            self._ask("clearinghouseState"), self._ask("frontendOpenOrders") if wants_list else self._nothing(),
            each_of(self._again(each) for each in known),
        )  # fmt: skip
        account, positions = self._wire.state(row(state), now, now)
        self._held = {report.symbol: report.quantity for report in positions}
        if wants_list:
            found = [self._wire.order(each, "open", self._held) for each in rows(listed)]
            self._known, self._listed_at, self._is_unlisted = {}, now, False
        else:
            found = [report for report in asked if report is not None and report.status.is_working]
            self._known = {key: each for key, each in self._known.items() if each not in known}
        self._known |= {report.order_id: report for report in found}
        return AccountSnapshot(
            account=account, positions=tuple(each for each in positions if each.quantity), orders=tuple(found)
        )

    @property
    def _working(self) -> list[OrderReport]:
        """The orders that worked when last heard of, and can be asked for by id."""
        return [each for each in self._known.values() if each.status.is_working and each.order_id.isdigit()]

    @property
    def _wants_list(self) -> bool:
        """Whether the next pull asks for all orders. What acts does at the beginning of an action, and always where
        pushes and pulls have differed for so long that enforcement believes a pull; what reads, every ten seconds.
        """
        age_ns = self._clock.now() - self._listed_at
        is_old = age_ns > (10 if self._is_reader else 3) * NS_PER_S
        return self._is_unlisted or is_old or len(self._working) > _MOST_ASKED

    async def quotes(self, symbols: Collection[str]) -> Sequence[Quote]:
        """Marks by REST, one call for all."""
        meta, contexts = rows_of_pair(await self.line.read("publicPostInfo", {"type": "metaAndAssetCtxs"}))
        wanted = {market.venue_id for symbol in symbols if (market := self.markets.get(symbol)) is not None}
        now = self._clock.now()
        found = [
            self._wire.quote(text(asset, "name"), context, now, now)
            for asset, context in zip(rows(meta.get("universe")), contexts, strict=False)
            if text(asset, "name") in wanted
        ]
        return [quote for quote in found if quote is not None]

    async def fills(self, since_ms: int) -> Sequence[Event]:
        """Executions, oldest first."""
        found: list[Event] = []
        for each in _oldest_first(await self._ask("userFillsByTime", startTime=since_ms)):
            found += self._wire.fill(each, self.line.at_ns(millis(each, "time")), self._clock.now())
        return found

    async def flows(self, since_ms: int) -> Sequence[Event]:
        """Deposits, withdrawals, transfers and funding."""
        found: list[Event] = []
        for each in _oldest_first(await self._ask("userNonFundingLedgerUpdates", startTime=since_ms)):
            flow = self._wire.ledger(each, self.line.at_ns(millis(each, "time")), self._clock.now())
            found += [flow] if flow is not None else []
        for each in _oldest_first(await self._ask("userFunding", startTime=since_ms)):
            found.append(self._wire.funding(each, self.line.at_ns(millis(each, "time")), self._clock.now()))
        return found

    async def place(self, request: OrderRequest, market: Market) -> OrderReport:
        """Send an order, unless the venue knows its id. A market order is a limit there, as far from the market as the
        slippage that is set up.
        """
        if request.client_id:
            known = await self.find(request.client_id)
            if known is not None:
                return known
        reference = await self._reference(request, market)
        exchange = self.line.exchange
        call = partial(
            exchange.create_order,  # type: ignore[attr-defined]  # of every ccxt exchange
            market.ccxt, "market" if request.limit_price is None else "limit", request.side.value,
            f"{request.quantity:f}", f"{reference:f}", self._parameters(request),
        )  # fmt: skip
        try:
            answer = row(await self.line.perform(call, mutates=True))
        except Repeated:
            known = await self.find(request.client_id)
            if known is None:
                raise
            return known
        return self._placed(request, answer)

    async def cancel(self, order_id: OrderId) -> None:
        """Cancel by id; its market is known from the snapshot that showed the order."""
        known = self._known.get(order_id)
        if known is None:
            known = await self._status({"oid": int(order_id)}) if order_id.isdigit() else None
        market = self.markets.get(known.symbol) if known is not None else None
        if market is None:
            return
        cancel = partial(self.line.exchange.cancel_order, order_id, market.ccxt)  # type: ignore[attr-defined]  # of ccxt
        try:
            await self.line.perform(cancel, mutates=True)
        except Gone:
            return

    async def find(self, client_id: str) -> OrderReport | None:
        """By cloid."""
        return await self._status({"oid": self._wire.ids.to_venue(client_id)})

    async def find_by_id(self, order: OrderReport) -> OrderReport | None:
        """By oid."""
        return await self._status({"oid": int(order.order_id)}) if order.order_id.isdigit() else None

    def subscriptions(self, symbols: Collection[str]) -> Sequence[Subscription]:
        """One connection for everything."""
        coins = sorted({market.venue_id for name in symbols if (market := self.markets.get(name)) is not None})
        user = self._setting.wallet
        wanted: list[dict[str, str]] = [{"type": "clearinghouseState", "user": user, "dex": ""}]
        wanted += [{"type": "orderUpdates", "user": user}, {"type": "userFills", "user": user}]
        wanted += [{"type": "activeAssetCtx", "coin": coin} for coin in coins]
        return (Subscription(name="stream", open=lambda: self._open_stream(wanted), is_public=bool(coins)),)

    def hear(self, message: object) -> Iterable[Event] | None:
        """The channels of the account and the marks are for us."""
        if not isinstance(message, Mapping) or message.get("channel") not in _CHANNELS:
            return None
        now = self._clock.now()
        match message["channel"]:
            case "clearinghouseState":
                return self._hear_state(child(child(row(message), "data"), "clearinghouseState"), now)
            case "orderUpdates":
                return self._hear_orders(rows(message.get("data")), now)
            case "userFills":
                return self._hear_fills(child(row(message), "data"), now)
            case _:
                data = child(row(message), "data")
                quote = self._wire.quote(text(data, "coin"), child(data, "ctx"), now, now)
                return [] if quote is None else [quote]

    async def refresh(self) -> None:
        """Nothing expires."""

    async def permissions(self) -> Sequence[Finding]:
        """Whose key it is: an agent's can trade and never withdraw."""
        exchange: Any = self.line.exchange
        signer = str(exchange.eth_get_address_from_private_key(exchange.privateKey)).lower()
        account = str(exchange.walletAddress).lower()
        if signer == account:
            cure = "have the account approve an agent (an API wallet), and give its key here"
            said = f"the key is that of {_short(account)} itself: it may withdraw money"
            return [Finding(level=Level.WARN, about="permissions", text=said, cure=cure)]
        told = await self.line.read_row("publicPostInfo", {"type": "userRole", "user": signer})
        if text(told, "role") == "agent" and text(child(told, "data"), "user").lower() == account:
            said = f"the key is an agent's of {_short(account)}: it may trade, and not withdraw"
            return [Finding(level=Level.OK, about="permissions", text=said)]
        cure = "give the key of an agent that the account has approved, and as wallet the account's own address"
        said = f"the key is that of {_short(signer)}, which may not sign for {_short(account)}"
        return [Finding(level=Level.FAIL, about="permissions", text=said, cure=cure)]

    async def arm_dead_man(self, seconds: int) -> None:
        """A scheduled cancel, renewed; ccxt's 0 would set it to now instead of taking it back, so that is sent raw."""
        exchange = self.line.exchange
        if seconds:
            call = partial(exchange.cancel_all_orders_after, seconds * 1000)  # type: ignore[attr-defined]  # of ccxt
            await self.line.perform(call, mutates=True)
            return
        action, nonce = {"type": "scheduleCancel"}, exchange.milliseconds()
        signature = exchange.sign_l1_action(action, nonce)  # type: ignore[attr-defined]  # of Hyperliquid only
        await self.line.act("privatePostExchange", {"action": action, "nonce": nonce, "signature": signature})

    def _hear_state(self, state: Row, now: int) -> list[Event]:
        """The list is complete: what it does not name is flat."""
        at = self.line.at_ns(millis(state, "time"))
        account, positions = self._wire.state(state, at, now)
        gone = [symbol for symbol in self._held if symbol not in {each.symbol for each in positions}]
        self._held = {each.symbol: each.quantity for each in positions}
        flat = [
            PositionReport(
                at=at, received_at=now, account=self._wire.account, symbol=self.markets.name_of(symbol),
                quantity=ZERO, average_price=ZERO,
            )
            for symbol in gone
        ]  # fmt: skip
        return [account, *positions, *flat]

    def _hear_orders(self, updates: Sequence[Row], now: int) -> list[Event]:
        """A push does not tell the type of an order that is new; REST does, and is asked after each push."""
        heard: list[Event] = []
        for each in updates:
            order, status = child(each, "order"), text(each, "status")
            known = self._known.get(text(order, "oid"))
            if known is not None:
                known = self._wire.progress(known, order, status)
            elif text(order, "orderType") or status not in _OPEN:
                known = self._wire.order(order, status, self._held)
            else:
                self._is_unlisted = True
            if known is not None:
                self._known[known.order_id] = known
                at = self.line.at_ns(millis(each, "statusTimestamp"))
                heard.append(OrderUpdate(at=at, received_at=now, order=known))
        return heard

    def _hear_fills(self, data: Row, now: int) -> list[Event]:
        """The first message after a subscription repeats old fills; those that were missed are asked for by REST."""
        heard: list[Event] = []
        if data.get("isSnapshot") is True:
            return heard
        for each in rows(data.get("fills")):
            heard += self._wire.fill(each, self.line.at_ns(millis(each, "time")), now)
        return heard

    def _placed(self, request: OrderRequest, answer: Row) -> OrderReport:
        info = row(answer.get("info")) if isinstance(answer.get("info"), Mapping) else {}
        resting, filled = info.get("resting"), info.get("filled")
        told = row(filled) if isinstance(filled, Mapping) else row(resting) if isinstance(resting, Mapping) else {}
        if not text(told, "oid"):
            raise OutcomeUnknown("Hyperliquid: the answer names no order")
        done = above_zero(told, "totalSz") or ZERO
        whole = bool(filled) and done >= request.quantity
        report = OrderReport(
            account=request.account, order_id=OrderId(text(told, "oid")), symbol=request.symbol, side=request.side,
            quantity=request.quantity, type=request.type, filled=min(done, request.quantity),
            status=OrderStatus.FILLED if whole else OrderStatus.CANCELLED if filled else OrderStatus.WORKING,
            limit_price=request.limit_price, stop_price=request.stop_price, reduce_only=request.reduce_only,
            client_id=request.client_id, placed_at=self._clock.now(), average_price=above_zero(told, "avgPx"),
            reason="" if whole or not filled else "the rest did not fill within the slippage",
        )  # fmt: skip
        self._known[report.order_id] = report
        return report

    def _parameters(self, request: OrderRequest) -> dict[str, object]:
        if request.type is OrderType.TRAILING_STOP:
            raise Refused("Hyperliquid has no trailing stops; use a stop")
        asked: dict[str, object] = {"reduceOnly": request.reduce_only, "slippage": str(self._setting.slippage)}
        if request.client_id:
            asked["clientOrderId"] = self._wire.ids.to_venue(request.client_id)
        if request.stop_price is not None:
            asked["stopLossPrice"] = f"{request.stop_price:f}"
        return asked

    async def _reference(self, request: OrderRequest, market: Market) -> Decimal:
        """The price an order is made from: its own, its stop's, or the middle of the book now."""
        own = request.limit_price or request.stop_price
        if own is not None:
            return own
        mids = await self.line.read_row("publicPostInfo", {"type": "allMids"})
        mid = above_zero(mids, market.venue_id)
        if mid is None:
            raise Transient(f"Hyperliquid tells no price of {market.venue_id}, and a market order needs one")
        return mid

    async def _status(self, by: Mapping[str, object]) -> OrderReport | None:
        try:
            answer = await self.line.read_row(
                "publicPostInfo", {"type": "orderStatus", "user": self._setting.wallet, **by}
            )
        except Gone:
            return None
        if text(answer, "status") != "order":
            return None
        found = child(answer, "order")
        return self._wire.order(child(found, "order"), text(found, "status"), self._held)

    async def _again(self, known: OrderReport) -> OrderReport | None:
        """What became of an order that worked; as it was where the venue says it in a word that is new to us."""
        try:
            return await self._status({"oid": int(known.order_id)})
        except Malformed:
            return known

    async def _ask(self, kind: str, **more: object) -> object:
        return await self.line.read("publicPostInfo", {"type": kind, "user": self._setting.wallet, **more})

    async def _nothing(self) -> None:
        return None

    async def _open_stream(self, wanted: Sequence[Mapping[str, str]]) -> None:
        exchange = self.line.exchange
        url = str(exchange.urls["api"]["ws"]["public"])
        for place, subscription in enumerate(wanted[1:]):
            request = {"method": "subscribe", "subscription": dict(subscription)}
            self.line.subscribe(url, f"haltline {place}", request)
        await exchange.watch(url, "haltline", {"method": "subscribe", "subscription": dict(wanted[0])}, "haltline")


def rows_of_pair(answer: object) -> tuple[Row, Sequence[Row]]:
    """The two parts of `metaAndAssetCtxs`."""
    if not isinstance(answer, list) or len(answer) != 2:
        raise Transient("Hyperliquid: the answer is no pair")
    return row(answer[0]), rows(answer[1])


def _oldest_first(answer: object) -> list[Row]:
    return sorted(rows(answer), key=lambda each: millis(each, "time"))


def _tick(lot: Decimal | None) -> Decimal | None:
    """Prices have six decimals less those of the quantity."""
    exponent = lot.normalize().as_tuple().exponent if lot is not None else None
    return Decimal(1).scaleb(-(_MOST_DECIMALS + exponent)) if isinstance(exponent, int) else None


def _short(address: str) -> str:
    return f"{address[:6]}…{address[-4:]}"
