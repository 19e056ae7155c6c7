"""Binance USD-M's REST calls: parameters in, answers out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from haltline_sim_crypto import binance_shape as shape
from haltline_sim_crypto.account import Account
from haltline_sim_crypto.candle import candles, length_ms
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import ZERO, money, parse, text
from haltline_sim_crypto.order import Ask, Cause, Leg, Order, Position, Trigger
from haltline_sim_crypto.record import Json, Route, words
from haltline_sim_crypto.refusal import Reason, Refused

if TYPE_CHECKING:
    from haltline_sim_crypto.binance import BinanceSim

_SIGNED = " timestamp recvWindow signature"
_SPAN = "symbol startTime endTime limit"
_PLACE = (
    "symbol side positionSide type timeInForce quantity reduceOnly price newClientOrderId newOrderRespType priceMatch"
    " selfTradePreventionMode goodTillDate workingType priceProtect"
)
_ALGO = (
    "algoType symbol side positionSide type timeInForce quantity price triggerPrice workingType priceMatch"
    " closePosition priceProtect reduceOnly clientAlgoId activatePrice callbackRate goodTillDate"
    " selfTradePreventionMode newOrderRespType"
)
_ORDER_ID = "symbol orderId origClientOrderId"
_ALGO_ID = "symbol algoId clientAlgoId"
_CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
_RISES = {("BUY", False): True, ("SELL", False): False, ("BUY", True): False, ("SELL", True): True}
"""Whether the condition is met from below, by side and by whether it takes a profit."""
_INCOME = {Cause.FUNDING: "FUNDING_FEE", Cause.DEPOSIT: "TRANSFER", Cause.LIQUIDATION: "INSURANCE_CLEAR"}


_OF_ALL = {
    "GET /fapi/v1/ticker/24hr": 40, "GET /fapi/v1/openOrders": 40, "GET /fapi/v1/openAlgoOrders": 40,
    "GET /fapi/v1/ticker/bookTicker": 5, "GET /fapi/v1/premiumIndex": 10,
}  # fmt: skip
"""What calls weigh that name no symbol."""


class BinanceRest:
    """The handlers of one simulator."""

    def __init__(self, sim: BinanceSim) -> None:
        self._sim = sim

    def routes(self) -> dict[str, Route]:
        """Every call, by method and path."""
        found: dict[str, Route] = {}

        def add(call: str, handler: Callable[[Account, Json], Any], known: str, weight: int = 1) -> None:
            found[call] = Route(
                handler=handler, known=words(known + _SIGNED), is_signed=True, weight=weight,
                weight_of_all=_OF_ALL.get(call, 0),
            )  # fmt: skip

        for call, public, known, weight in (
            ("GET /fapi/v1/ping", lambda account, given: {}, "", 1),
            ("GET /fapi/v1/time", self.time, "", 1), ("GET /fapi/v1/exchangeInfo", self.info, "", 1),
            ("GET /fapi/v1/premiumIndex", self.premium, "symbol", 1),
            ("GET /fapi/v1/ticker/24hr", self.ticker, "symbol", 1),
            ("GET /fapi/v1/ticker/bookTicker", self.book_ticker, "symbol", 2),
            ("GET /fapi/v1/klines", self.candles, "interval " + _SPAN, 5),
            ("GET /fapi/v1/depth", self.depth, "symbol limit", 10),
            ("POST /fapi/v1/listenKey", self.open_key, "listenKey", 1),
            ("PUT /fapi/v1/listenKey", self.keep_key, "listenKey", 1),
            ("DELETE /fapi/v1/listenKey", self.close_key, "listenKey", 1),
        ):  # fmt: skip
            found[call] = Route(handler=public, known=words(known), weight=weight, weight_of_all=_OF_ALL.get(call, 0))
        add("GET /sapi/v1/account/apiRestrictions", self.restrictions, "")
        add("GET /fapi/v1/accountConfig", self.config, "", 5)
        for version in ("v2", "v3"):
            add(f"GET /fapi/{version}/account", self.account if version == "v3" else self.old_account, "", 5)
            add(f"GET /fapi/{version}/balance", self.balance, "", 5)
            risk = self.risk if version == "v3" else self.old_risk
            add(f"GET /fapi/{version}/positionRisk", risk, "symbol", 5)
        add("GET /fapi/v1/leverageBracket", self.brackets, "symbol")
        add("GET /fapi/v1/symbolConfig", self.symbol_config, "symbol", 5)
        add("GET /fapi/v1/commissionRate", self.fees, "symbol", 20)
        add("GET /fapi/v1/positionSide/dual", self.get_mode, "", 30)
        add("POST /fapi/v1/positionSide/dual", self.set_mode, "dualSidePosition")
        add("GET /fapi/v1/multiAssetsMargin", lambda account, given: {"multiAssetsMargin": False}, "", 30)
        add("POST /fapi/v1/leverage", self.set_leverage, "symbol leverage")
        add("POST /fapi/v1/countdownCancelAll", self.countdown, "symbol countdownTime", 10)
        add("GET /fapi/v1/income", self.income, "incomeType page " + _SPAN, 30)
        add("POST /fapi/v1/order", self.place, _PLACE)
        add("GET /fapi/v1/order", self.order, _ORDER_ID)
        add("DELETE /fapi/v1/order", self.cancel, _ORDER_ID)
        add("GET /fapi/v1/openOrders", self.open_orders, "symbol")
        add("DELETE /fapi/v1/allOpenOrders", self.cancel_all, "symbol")
        add("GET /fapi/v1/allOrders", self.all_orders, "orderId " + _SPAN, 5)
        add("GET /fapi/v1/userTrades", self.trades, "orderId fromId " + _SPAN, 5)
        add("POST /fapi/v1/algoOrder", self.place_algo, _ALGO)
        add("GET /fapi/v1/algoOrder", self.algo, _ALGO_ID)
        add("DELETE /fapi/v1/algoOrder", self.cancel_algo, _ALGO_ID)
        add("GET /fapi/v1/openAlgoOrders", self.open_algos, "symbol algoType algoId")
        add("DELETE /fapi/v1/algoOpenOrders", self.cancel_algos, "symbol")
        add("GET /fapi/v1/allAlgoOrders", self.all_algos, "algoId page " + _SPAN, 5)
        return found

    # -- the venue -----------------------------------------------------------------------------------------------------

    def time(self, account: Account, given: Json) -> Json:
        """The clock."""
        return {"serverTime": self._sim.now_ms()}

    def info(self, account: Account, given: Json) -> Json:
        """Contracts and limits."""
        limits = [("REQUEST_WEIGHT", "MINUTE", 1, 2400), ("ORDERS", "MINUTE", 1, 1200), ("ORDERS", "SECOND", 10, 300)]
        return {
            "timezone": "UTC", "serverTime": self._sim.now_ms(), "futuresType": "U_MARGINED",
            "rateLimits": [
                {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
                for kind, interval, number, limit in limits
            ],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [shape.instrument_row(each.instrument) for each in self._sim.markets.values()],
        }  # fmt: skip

    def premium(self, account: Account, given: Json) -> Any:
        """Mark prices."""
        return self._each_market(given, lambda market: shape.premium_row(market, self._sim.now_ms()))

    def ticker(self, account: Account, given: Json) -> Any:
        """Tickers."""
        return self._each_market(given, lambda market: shape.ticker_row(market, self._sim.now_ms()))

    def book_ticker(self, account: Account, given: Json) -> Any:
        """The best prices."""
        return self._each_market(
            given,
            lambda market: {
                "symbol": market.instrument.symbol, "bidPrice": text(market.bid), "bidQty": "100",
                "askPrice": text(market.ask), "askQty": "100", "time": self._sim.now_ms(),
            },
        )  # fmt: skip

    def depth(self, account: Account, given: Json) -> Json:
        """The book: one level a side."""
        market, size = self._market(given), "100"
        if market.depth is not None:
            size = text(market.depth)
        return {
            "lastUpdateId": market.moves + 1, "E": self._sim.now_ms(), "T": self._sim.now_ms(),
            "bids": [[text(market.bid), size]], "asks": [[text(market.ask), size]],
        }  # fmt: skip

    def candles(self, account: Account, given: Json) -> list[list[Any]]:
        """Bars, the oldest first."""
        market, bar_ms = self._market(given), length_ms(given["interval"])
        found = candles(
            market, bar_ms, limit=min(int(given.get("limit") or 500), 1500), now_ms=self._sim.now_ms(),
            since_ms=int(given["startTime"]) if given.get("startTime") else None,
            until_ms=int(given["endTime"]) if given.get("endTime") else None,
        )  # fmt: skip
        return [
            [each.at_ms, text(each.open), text(each.high), text(each.low), text(each.close), text(each.volume),
             each.at_ms + bar_ms - 1, money(each.volume * each.close), 1, "0", "0", "0"]
            for each in found
        ]  # fmt: skip

    # -- the account ---------------------------------------------------------------------------------------------------

    def restrictions(self, account: Account, given: Json) -> Json:
        """What the key may do."""
        return {
            "ipRestrict": False, "createTime": 1698645219000, "enableReading": True,
            "enableWithdrawals": account.may_withdraw, "enableInternalTransfer": False, "enableMargin": False,
            "enableFutures": not account.is_read_only, "permitsUniversalTransfer": False,
            "enableVanillaOptions": False, "enableFixApiTrade": False, "enableFixReadOnly": True,
            "enableSpotAndMarginTrading": False, "enablePortfolioMarginTrading": False,
        }  # fmt: skip

    def config(self, account: Account, given: Json) -> Json:
        """How the account is set."""
        return {
            "feeTier": 0, "canTrade": not account.is_read_only, "canDeposit": True, "canWithdraw": True,
            "dualSidePosition": account.is_hedged, "updateTime": 0, "multiAssetsMargin": False, "tradeGroupId": -1,
        }  # fmt: skip

    def account(self, account: Account, given: Json) -> Json:
        """Cash, margin and positions that are held."""
        rows = [shape.account_position(account, each) for each in account.held()]
        return shape.account_row(account, self._sim.now_ms()) | {"positions": rows}

    def old_account(self, account: Account, given: Json) -> Json:
        """The same with flat positions too."""
        rows = [shape.account_position(account, each) for each in self._positions(account, given)]
        return shape.account_row(account, self._sim.now_ms()) | {"positions": rows}

    def balance(self, account: Account, given: Json) -> list[Json]:
        """Cash."""
        row = shape.account_row(account, self._sim.now_ms())["assets"][0]
        names = ("crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount", "marginAvailable")
        kept = {name: row[name] for name in names}
        return [{"accountAlias": "SgsR", "asset": "USDT", "balance": row["walletBalance"], **kept,
                 "updateTime": row["updateTime"]}]  # fmt: skip

    def risk(self, account: Account, given: Json) -> list[Json]:
        """Positions that are held, or of a symbol with orders."""
        busy = {order.ask.symbol for order in account.live()}
        chosen = [each for each in self._positions(account, given) if each.quantity or each.symbol in busy]
        return [shape.risk_row(account, each) for each in chosen]

    def old_risk(self, account: Account, given: Json) -> list[Json]:
        """Positions of every symbol, flat ones too."""
        return [shape.old_risk_row(account, each) for each in self._positions(account, given)]

    def brackets(self, account: Account, given: Json) -> Any:
        """How much leverage for how much value."""
        return self._each_market(
            given,
            lambda market: {
                "symbol": market.instrument.symbol,
                "brackets": [
                    {"bracket": 1, "initialLeverage": market.instrument.most_leverage, "notionalCap": 10_000_000,
                     "notionalFloor": 0, "maintMarginRatio": float(market.instrument.maintenance), "cum": 0.0}
                ],
            },
            always_list=True,
        )  # fmt: skip

    def symbol_config(self, account: Account, given: Json) -> Any:
        """Leverage and margin type."""
        return self._each_market(
            given,
            lambda market: {
                "symbol": market.instrument.symbol, "marginType": "CROSSED", "isAutoAddMargin": False,
                "leverage": account.leverage(market.instrument.symbol), "maxNotionalValue": "10000000",
            },
            always_list=True,
        )  # fmt: skip

    def fees(self, account: Account, given: Json) -> Json:
        """The fee rates."""
        habits = self._sim.habits
        return {
            "symbol": self._market(given).instrument.symbol, "makerCommissionRate": str(habits.maker_rate),
            "takerCommissionRate": str(habits.taker_rate),
        }  # fmt: skip

    def income(self, account: Account, given: Json) -> list[Json]:
        """The cash book."""
        rows = [
            {
                "symbol": entry.symbol, "incomeType": _INCOME.get(entry.cause, "REALIZED_PNL"),
                "income": money(entry.amount), "asset": "USDT", "info": "", "time": entry.at_ms,
                "tranId": entry.number, "tradeId": "",
            }
            for entry in account.book
            if given.get("symbol", "") in ("", entry.symbol) and entry.at_ms >= int(given.get("startTime") or 0)
        ]  # fmt: skip
        wanted = given.get("incomeType", "")
        return [row for row in rows if wanted in ("", row["incomeType"])][-int(given.get("limit") or 100) :]

    def get_mode(self, account: Account, given: Json) -> Json:
        """One position a symbol, or one for each side."""
        return {"dualSidePosition": account.is_hedged}

    def set_mode(self, account: Account, given: Json) -> Json:
        """Change it; not with positions or orders."""
        wanted = {"true": True, "false": False}[str(given["dualSidePosition"]).lower()]
        if wanted is account.is_hedged:
            raise Refused(Reason.NOT_MODIFIED)
        if any(account.held()):
            raise Refused(Reason.OPEN_POSITIONS)
        if account.live():
            raise Refused(Reason.OPEN_ORDERS)
        account.is_hedged = wanted
        return {"code": 200, "msg": "success"}

    def set_leverage(self, account: Account, given: Json) -> Json:
        """The leverage of a symbol."""
        market, wanted = self._market(given), int(given["leverage"])
        if not 1 <= wanted <= market.instrument.most_leverage:
            raise Refused(Reason.LEVERAGE, str(wanted))
        account.leverages[market.instrument.symbol] = wanted
        return {"leverage": wanted, "maxNotionalValue": "10000000", "symbol": market.instrument.symbol}

    def countdown(self, account: Account, given: Json) -> Json:
        """Cancel the orders of a symbol unless told again in time; 0 stops it."""
        symbol, delay_ms = self._market(given).instrument.symbol, int(given["countdownTime"])
        at_s = (self._sim.now_ms() + delay_ms) / 1000 if delay_ms else None
        self._sim.set_dead_man(account, symbol, at_s)
        return {"symbol": symbol, "countdownTime": str(delay_ms)}

    # -- listen keys ---------------------------------------------------------------------------------------------------

    def open_key(self, account: Account, given: Json) -> Json:
        """The key of the private stream, valid for an hour; the same one while it is valid."""
        return {"listenKey": self._sim.open_listen_key(account)}

    def keep_key(self, account: Account, given: Json) -> Json:
        """Another hour; raises Refused where there is none."""
        return {"listenKey": self._sim.keep_listen_key(account)}

    def close_key(self, account: Account, given: Json) -> Json:
        """No more messages."""
        self._sim.drop_listen_key(account)
        return {}

    # -- orders --------------------------------------------------------------------------------------------------------

    def place(self, account: Account, given: Json) -> Json:
        """Place an order; conditional ones have their own call."""
        if given["type"] not in ("LIMIT", "MARKET"):
            raise Refused(Reason.WRONG_ENDPOINT)
        order = self._sim.matching.place(account, self._ask(account, given, client_name="newClientOrderId"))
        return shape.order_row(order, as_new=given.get("newOrderRespType") != "RESULT")

    def place_algo(self, account: Account, given: Json) -> Json:
        """Place a conditional order."""
        if given.get("algoType") != "CONDITIONAL":
            raise Refused(Reason.BAD_PARAMETER, "algoType")
        kind, name = given["type"], "triggerPrice"
        if kind not in ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"):
            raise Refused(Reason.BAD_PARAMETER, "type")
        ask = self._ask(account, given, client_name="clientAlgoId")
        ask.trigger = Trigger(
            price=parse(given[name], name), rises=_RISES[given["side"], kind.startswith("TAKE")],
            by_mark=given.get("workingType") == "MARK_PRICE",
        )  # fmt: skip
        ask.label = kind
        return self._algo_row(account, self._sim.matching.place(account, ask))

    def _ask(self, account: Account, given: Json, *, client_name: str) -> Ask:
        if account.is_read_only:
            raise Refused(Reason.NO_PERMISSION)
        symbol = self._market(given).instrument.symbol
        if given["side"] not in ("BUY", "SELL"):
            raise Refused(Reason.BAD_PARAMETER, "side")
        leg = shape.LEGS[given.get("positionSide", "BOTH")]
        reduces, closes = given.get("reduceOnly") == "true", given.get("closePosition") == "true"
        if "reduceOnly" in given and leg is not Leg.NET:
            raise Refused(Reason.BAD_PARAMETER, "reduceonly")
        client_id = str(given.get(client_name) or "")
        if client_id and not _CLIENT_ID.match(client_id):
            raise Refused(Reason.BAD_CLIENT_ID)
        is_limit = given["type"] in ("LIMIT", "STOP", "TAKE_PROFIT")
        if given["type"] == "LIMIT" and not given.get("timeInForce"):
            raise Refused(Reason.BAD_PARAMETER, "timeinforce")
        return Ask(
            symbol=symbol, side=1 if given["side"] == "BUY" else -1,
            quantity=ZERO if closes else parse(given["quantity"], "quantity"),
            price=parse(given["price"], "price") if is_limit else None,
            tif=shape.TIFS[given.get("timeInForce") or "GTC"], reduces=reduces or closes, closes_all=closes, leg=leg,
            client_id=client_id,
        )  # fmt: skip

    def order(self, account: Account, given: Json) -> Json:
        """One order, in any state."""
        found = self._find(account, given, is_algo=False)
        if found is None:
            raise Refused(Reason.ORDER_NOT_FOUND)
        return shape.order_row(found)

    def cancel(self, account: Account, given: Json) -> Json:
        """Cancel one order by either id."""
        found = self._find(account, given, is_algo=False)
        if found is None or not found.is_live:
            raise Refused(Reason.CANCEL_REJECTED)
        self._sim.matching.cancel(account, found)
        return shape.order_row(found)

    def open_orders(self, account: Account, given: Json) -> list[Json]:
        """Orders in the book; conditional ones are elsewhere."""
        return [shape.order_row(each) for each in self._live(account, given, is_algo=False)]

    def cancel_all(self, account: Account, given: Json) -> Json:
        """Cancel the orders of a symbol; conditional ones stay."""
        self._market(given)
        self._sim.matching.cancel_all(account, self._live(account, given, is_algo=False))
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def all_orders(self, account: Account, given: Json) -> list[Json]:
        """Orders of a symbol in any state, oldest first."""
        symbol = self._market(given).instrument.symbol
        rows = [each for each in account.orders.values() if not _is_algo(each) and each.ask.symbol == symbol]
        since = int(given.get("startTime") or 0)
        return [shape.order_row(o) for o in rows if o.created_ms >= since][-int(given.get("limit") or 500) :]

    def trades(self, account: Account, given: Json) -> list[Json]:
        """Trades of a symbol, oldest first."""
        symbol, since = self._market(given).instrument.symbol, int(given.get("startTime") or 0)
        order_id, from_id = int(given.get("orderId") or 0), int(given.get("fromId") or 0)
        rows = [
            shape.trade_row(fill)
            for fill in account.fills
            if fill.order.ask.symbol == symbol and fill.at_ms >= since and fill.number >= from_id
            and order_id in (0, fill.order.number)
        ]  # fmt: skip
        return rows[-int(given.get("limit") or 500) :]

    def algo(self, account: Account, given: Json) -> Json:
        """One conditional order."""
        found = self._find(account, given, is_algo=True)
        if found is None:
            raise Refused(Reason.ORDER_NOT_FOUND)
        return self._algo_row(account, found)

    def cancel_algo(self, account: Account, given: Json) -> Json:
        """Cancel a conditional order."""
        found = self._find(account, given, is_algo=True)
        if found is None or not found.is_live:
            raise Refused(Reason.CANCEL_REJECTED)
        self._sim.matching.cancel(account, found)
        return {"algoId": found.number, "clientAlgoId": shape.client_id(found), "code": "200", "msg": "success"}

    def open_algos(self, account: Account, given: Json) -> list[Json]:
        """Conditional orders that wait."""
        return [self._algo_row(account, each) for each in self._live(account, given, is_algo=True)]

    def cancel_algos(self, account: Account, given: Json) -> Json:
        """Cancel the conditional orders of a symbol."""
        self._market(given)
        self._sim.matching.cancel_all(account, self._live(account, given, is_algo=True))
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def all_algos(self, account: Account, given: Json) -> list[Json]:
        """Conditional orders of a symbol in any state."""
        symbol = self._market(given).instrument.symbol
        chosen = [each for each in account.orders.values() if _is_algo(each) and each.ask.symbol == symbol]
        return [self._algo_row(account, each) for each in chosen]

    # -- looking up ----------------------------------------------------------------------------------------------------

    def _algo_row(self, account: Account, order: Order) -> Json:
        return shape.algo_row(order, account.orders.get(order.spawned))

    def _find(self, account: Account, given: Json, *, is_algo: bool) -> Order | None:
        number = str(given.get("algoId" if is_algo else "orderId") or "")
        client = str(given.get("clientAlgoId" if is_algo else "origClientOrderId") or "")
        for each in reversed(account.orders.values()):
            if _is_algo(each) is not is_algo or given.get("symbol", each.ask.symbol) != each.ask.symbol:
                continue
            if number == str(each.number) or (not number and client and client == shape.client_id(each)):
                return each
        return None

    def _live(self, account: Account, given: Json, *, is_algo: bool) -> list[Order]:
        return [each for each in account.live(given.get("symbol", "")) if _is_algo(each) is is_algo]

    def _positions(self, account: Account, given: Json) -> list[Position]:
        chosen = given.get("symbol", "")
        legs = (Leg.LONG, Leg.SHORT) if account.is_hedged else (Leg.NET,)
        return [account.position(s, leg) for s in self._sim.markets if chosen in ("", s) for leg in legs]

    def _market(self, given: Json) -> Market:
        if not given.get("symbol"):
            raise Refused(Reason.BAD_PARAMETER, "symbol")
        found = self._sim.markets.get(given["symbol"])
        if found is None:
            raise Refused(Reason.UNKNOWN_SYMBOL)
        return found

    def _each_market(self, given: Json, show: Callable[[Market], Json], *, always_list: bool = False) -> Any:
        if not given.get("symbol"):
            return [show(each) for each in self._sim.markets.values()]
        row = show(self._market(given))
        return [row] if always_list else row


def _is_algo(order: Order) -> bool:
    return order.ask.trigger is not None and not order.parent
