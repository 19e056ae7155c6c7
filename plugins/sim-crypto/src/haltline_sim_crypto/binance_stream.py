"""Binance USD-M's websockets: market streams by subscription, the user data stream by listen key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from haltline_sim_crypto import binance_shape as shape
from haltline_sim_crypto.account import Account
from haltline_sim_crypto.event import Event, OrderChanged, PositionChanged, WalletChanged
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import ZERO, money, text
from haltline_sim_crypto.order import Cause, Fill, Order, Status
from haltline_sim_crypto.record import Json
from haltline_sim_crypto.stream import Link

if TYPE_CHECKING:
    from haltline_sim_crypto.binance import BinanceSim

USER_DATA = ("order", "execution", "position", "wallet")
"""What a user data stream always carries."""
_STREAMS = frozenset({"markPrice", "bookTicker", "ticker", "miniTicker", "aggTrade", "trade", "depth"})


class BinanceStreams:
    """The streams of one simulator."""

    def __init__(self, sim: BinanceSim) -> None:
        self._sim = sim

    async def private(self, request: web.Request, key: str) -> web.StreamResponse:
        """The user data stream of a listen key; with a key that has expired it connects and is silent."""

        def greet(link: Link) -> None:
            link.key, link.account = key, self._sim.account_of(key)
            link.topics = list(USER_DATA) if link.account else []

        return await self._sim.streams.serve(request, "private", self._hear, greet)

    async def public(self, request: web.Request) -> web.StreamResponse:
        """Market streams."""
        return await self._sim.streams.serve(request, "public", self._hear)

    # -- what clients say ----------------------------------------------------------------------------------------------

    def _hear(self, link: Link, message: Any) -> None:
        match message:
            case {"method": "SUBSCRIBE", "params": list(names), "id": number}:
                wrong = [each for each in names if self._market(each) is None]
                self._sim.own_violations += [f"{link.kind} stream: not a stream: {each}" for each in wrong]
                known = [each for each in names if each not in wrong]
                link.topics += known
                link.put({"result": None, "id": number})
                for name in known:
                    self._first(link, name)
            case {"method": "UNSUBSCRIBE", "params": list(names), "id": number}:
                link.topics = [each for each in link.topics if each not in names]
                link.put({"result": None, "id": number})
            case {"method": "LIST_SUBSCRIPTIONS", "id": number}:
                link.put({"result": link.topics, "id": number})
            case _:
                self._sim.own_violations.append(f"{link.kind} stream: not understood: {message!r}")
                link.put({"error": {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}})

    def _market(self, name: str) -> Market | None:
        head, _, kind = str(name).partition("@")
        kind = kind.partition("@")[0].rstrip("0123456789") or kind
        return self._sim.markets.get(head.upper()) if kind in _STREAMS else None

    def _first(self, link: Link, name: str) -> None:
        """What streams that tell regularly say at once."""
        market = self._market(name)
        kind = name.partition("@")[2]
        if market is not None and kind.startswith(("markPrice", "bookTicker", "ticker", "miniTicker")):
            link.put(self._quote(name, market))

    # -- what clients are told -----------------------------------------------------------------------------------------

    def tell_price(self, market: Market) -> None:
        """A new price, to whoever subscribed to something of this market."""
        for link in self._sim.streams.of("public"):
            for name in link.topics:
                if self._market(name) is market:
                    self._sim.streams.push(link, self._quote(name, market))

    def tell(self, account: Account, event: Event) -> None:
        """A private event."""
        for message in self._messages(account, event):
            self._tell(account, message)

    def _tell(self, account: Account, message: Json) -> None:
        for link in self._sim.streams.of("private"):
            if link.account is account and self._sim.account_of(link.key) is account:
                self._sim.streams.push(link, message)

    def _messages(self, account: Account, event: Event) -> list[Json]:
        now = self._sim.now_ms()
        match event:
            case OrderChanged(order=order, step=step, fill=fill):
                if order.ask.trigger is not None and not order.parent:
                    return [self._algo_update(account, order, step == "triggered")]
                return [self._order_update(order, fill)]
            case PositionChanged(symbol=symbol, leg=leg, cause=cause):
                if cause is Cause.FUNDING:
                    return []
                position = account.position(symbol, leg)
                up = position.profit(account.markets[symbol].mark)
                entry = money(position.entry)
                row = {"s": symbol, "pa": text(position.quantity), "ep": entry, "bep": entry,
                       "cr": money(position.realised_ever), "up": money(up), "mt": "cross", "iw": "0",
                       "ps": shape.SIDES[leg], "ma": "USDT"}  # fmt: skip
                return [self._account_update("ORDER", now, account, ZERO, [row])]
            case WalletChanged(cause=cause, amount=amount) if cause in (Cause.FUNDING, Cause.DEPOSIT):
                word = "FUNDING_FEE" if cause is Cause.FUNDING else "DEPOSIT"
                return [self._account_update(word, now, account, amount, [])]
            case _:
                return []

    def _account_update(self, reason: str, now: int, account: Account, change: Any, rows: list[Json]) -> Json:
        cash = money(account.wallet)
        return {"e": "ACCOUNT_UPDATE", "T": now, "E": now,
                "a": {"m": reason, "B": [{"a": "USDT", "wb": cash, "cw": cash, "bc": money(change)}],
                      "P": rows}}  # fmt: skip

    def _order_update(self, order: Order, fill: Fill | None) -> Json:
        now, row = self._sim.now_ms(), shape.order_row(order)
        done = "CALCULATED" if fill and fill.cause is Cause.LIQUIDATION else "TRADE"
        what = done if fill else "NEW" if order.status is Status.OPEN else row["status"]
        found = {
            "s": row["symbol"], "c": f"autoclose-{order.number}" if done == "CALCULATED" else row["clientOrderId"],
            "S": row["side"], "o": row["type"], "f": row["timeInForce"], "q": row["origQty"], "p": row["price"],
            "ap": row["avgPrice"], "sp": "0", "x": what, "X": row["status"], "i": order.number,
            "l": text(fill.quantity) if fill else "0", "z": row["executedQty"],
            "L": text(fill.price) if fill else "0", "n": money(fill.fee) if fill else "0", "N": "USDT", "T": now,
            "t": fill.number if fill else 0, "b": "0", "a": "0", "m": bool(fill and fill.is_maker),
            "R": row["reduceOnly"], "wt": "CONTRACT_PRICE", "ot": row["origType"], "ps": row["positionSide"],
            "cp": row["closePosition"], "rp": money(fill.profit) if fill else "0", "pP": False, "si": 0, "ss": 0,
            "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
        }  # fmt: skip
        return {"e": "ORDER_TRADE_UPDATE", "T": now, "E": now, "o": found}

    def _algo_update(self, account: Account, order: Order, is_triggering: bool) -> Json:
        now, child = self._sim.now_ms(), account.orders.get(order.spawned)
        row = shape.algo_row(order, child)
        state = row["algoStatus"]
        if is_triggering:
            state = "TRIGGERED" if child else "TRIGGERING"
        found = {
            "caid": row["clientAlgoId"], "aid": order.number, "at": "CONDITIONAL", "o": row["orderType"],
            "s": row["symbol"], "S": row["side"], "ps": row["positionSide"], "f": row["timeInForce"],
            "q": row["quantity"], "X": state, "ai": row["actualOrderId"],
            "ap": text(child.average) if child else "0", "aq": text(child.filled) if child else "0",
            "act": shape.kind(child) if child else "0", "tp": row["triggerPrice"], "p": row["price"],
            "V": "EXPIRE_MAKER", "wt": row["workingType"], "pm": "NONE", "cp": row["closePosition"], "pP": False,
            "R": row["reduceOnly"], "tt": row["triggerTime"], "gtd": 0,
        }  # fmt: skip
        if state == "REJECTED":
            found["rm"] = "Reduce Only reject"
        return {"e": "ALGO_UPDATE", "T": now, "E": now, "o": found}

    def _quote(self, name: str, market: Market) -> Json:
        now, symbol, last = self._sim.now_ms(), market.instrument.symbol, text(market.last)
        whole = shape.ticker_row(market, now)
        kind = name.partition("@")[2].partition("@")[0].rstrip("0123456789")
        size = "100" if market.depth is None else text(market.depth)
        opened, volume, turnover = whole["openPrice"], whole["volume"], whole["quoteVolume"]
        match kind:
            case "markPrice":
                return {"e": "markPriceUpdate", "E": now, "s": symbol, "p": money(market.mark),
                        "i": money(market.mark), "P": money(market.mark), "r": money(market.funding_rate),
                        "T": shape.next_funding(now)}  # fmt: skip
            case "bookTicker":
                return {"e": "bookTicker", "u": market.moves + 1, "E": now, "T": now, "s": symbol,
                        "b": text(market.bid), "B": size, "a": text(market.ask), "A": size}  # fmt: skip
            case "miniTicker":
                return {"e": "24hrMiniTicker", "E": now, "s": symbol, "c": last, "o": opened, "h": whole["highPrice"],
                        "l": whole["lowPrice"], "v": volume, "q": turnover}  # fmt: skip
            case "ticker":
                return {"e": "24hrTicker", "E": now, "s": symbol, "p": whole["priceChange"],
                        "P": whole["priceChangePercent"], "w": last, "c": last, "Q": "1", "o": opened,
                        "h": whole["highPrice"], "l": whole["lowPrice"], "v": volume, "q": turnover,
                        "O": whole["openTime"], "C": now, "F": 1, "L": whole["lastId"],
                        "n": whole["count"]}  # fmt: skip
            case "depth":
                number, (bid, ask) = market.moves + 1, market.before
                return {"e": "depthUpdate", "E": now, "T": now, "s": symbol, "U": number, "u": number,
                        "pu": number - 1, "b": [[text(bid), "0"], [text(market.bid), size]],
                        "a": [[text(ask), "0"], [text(market.ask), size]]}  # fmt: skip
            case "trade":
                return {"e": "trade", "E": now, "T": now, "s": symbol, "t": market.moves, "p": last, "q": "1",
                        "X": "MARKET", "m": False}  # fmt: skip
            case _:
                return {"e": "aggTrade", "E": now, "s": symbol, "a": market.moves, "p": last, "q": "1",
                        "f": market.moves, "l": market.moves, "T": now, "m": False}  # fmt: skip
