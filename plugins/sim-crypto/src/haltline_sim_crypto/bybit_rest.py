"""Bybit's REST calls: parameters in, `result` out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from haltline_sim_crypto import bybit_shape as shape
from haltline_sim_crypto.account import Account
from haltline_sim_crypto.candle import candles, length_ms
from haltline_sim_crypto.number import parse, text
from haltline_sim_crypto.order import Ask, Cause, Leg, Order, Position, Tif, Trigger
from haltline_sim_crypto.record import Json, Route, words
from haltline_sim_crypto.refusal import Reason, Refused

if TYPE_CHECKING:
    from haltline_sim_crypto.bybit import BybitSim

_LIST = "category symbol baseCoin settleCoin limit cursor"
_HISTORY = f"{_LIST} orderId orderLinkId orderFilter orderStatus startTime endTime execType"
_CREATE = words(
    "category symbol isLeverage side orderType qty marketUnit price triggerDirection orderFilter triggerPrice triggerBy"
    " orderIv timeInForce positionIdx orderLinkId takeProfit stopLoss tpTriggerBy slTriggerBy reduceOnly closeOnTrigger"
    " smpType mmp tpslMode tpLimitPrice slLimitPrice tpOrderType slOrderType slippageToleranceType slippageTolerance"
)
_STOP = words(
    "category symbol takeProfit stopLoss trailingStop tpTriggerBy slTriggerBy activePrice tpslMode tpSize slSize"
    " tpLimitPrice slLimitPrice tpOrderType slOrderType positionIdx"
)


class BybitRest:
    """The handlers of one simulator."""

    def __init__(self, sim: BybitSim) -> None:
        self._sim = sim

    def routes(self) -> dict[str, Route]:
        """Every call, by method and path."""
        public = {
            "GET /v5/market/time": (self.time, ""),
            "GET /v5/market/instruments-info": (self.instruments, _LIST + " status"),
            "GET /v5/market/kline": (self.candles, "category symbol interval start end limit"),
            "GET /v5/market/tickers": (self.tickers, "category symbol baseCoin expDate"),
        }
        signed: dict[str, tuple[Callable[[Account, Json], Any], str | frozenset[str]]] = {
            "GET /v5/asset/coin/query-info": (self.coins, "coin"),
            "GET /v5/user/query-api": (self.key, ""),
            "GET /v5/account/info": (self.info, ""),
            "GET /v5/account/wallet-balance": (self.wallet, "accountType coin"),
            "GET /v5/account/transaction-log": (
                self.log, "accountType category currency baseCoin type transSubType startTime endTime limit cursor",
            ),
            "GET /v5/account/fee-rate": (self.fees, "category symbol baseCoin"),
            "GET /v5/position/list": (self.positions, _LIST),
            "GET /v5/order/realtime": (self.open_orders, _HISTORY + " openOnly"),
            "GET /v5/order/history": (self.closed_orders, _HISTORY),
            "GET /v5/execution/list": (self.executions, _HISTORY),
            "POST /v5/order/create": (self.create, _CREATE),
            "POST /v5/order/cancel": (self.cancel, "category symbol orderId orderLinkId orderFilter"),
            "POST /v5/order/cancel-all": (
                self.cancel_all, "category symbol baseCoin settleCoin orderFilter stopOrderType",
            ),
            "POST /v5/order/disconnected-cancel-all": (self.dead_man, "product timeWindow"),
            "POST /v5/position/switch-mode": (self.switch_mode, "category symbol coin mode"),
            "POST /v5/position/set-leverage": (self.set_leverage, "category symbol buyLeverage sellLeverage"),
            "POST /v5/position/trading-stop": (self.trading_stop, _STOP),
        }  # fmt: skip
        found = {name: _route(handler, known, is_signed=False) for name, (handler, known) in public.items()}
        return found | {name: _route(handler, known, is_signed=True) for name, (handler, known) in signed.items()}

    # -- the venue -----------------------------------------------------------------------------------------------------

    def time(self, account: Account, given: Json) -> Json:
        """The clock."""
        now = self._sim.now_ms()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}

    def instruments(self, account: Account, given: Json) -> Json:
        """Contracts; `status` filters, or markets would come twice."""
        rows = []
        if given.get("category") == "linear" and given.get("status", "Trading") == "Trading":
            chosen = given.get("symbol", "")
            rows = [shape.instrument_row(m.instrument) for s, m in self._sim.markets.items() if chosen in ("", s)]
        return {"category": given.get("category"), "list": rows, "nextPageCursor": ""}

    def tickers(self, account: Account, given: Json) -> Json:
        """Tickers."""
        chosen, now = given.get("symbol", ""), self._sim.now_ms()
        markets = self._sim.markets if given.get("category") == "linear" else {}
        if chosen and chosen not in markets:
            raise Refused(Reason.UNKNOWN_SYMBOL, chosen)
        rows = [shape.ticker_row(m, now) for s, m in markets.items() if chosen in ("", s)]
        return {"category": given.get("category"), "list": rows}

    def candles(self, account: Account, given: Json) -> Json:
        """Bars, the newest first."""
        market, word = self._market(given), str(given["interval"])
        bar_ms = length_ms(f"1{word.lower()}" if word in ("D", "W") else f"{word}m")
        found = candles(
            market, bar_ms, limit=min(int(given.get("limit") or 200), 1000), now_ms=self._sim.now_ms(),
            since_ms=int(given["start"]) if given.get("start") else None,
            until_ms=int(given["end"]) if given.get("end") else None,
        )  # fmt: skip
        rows = [
            [str(each.at_ms), *map(text, (each.open, each.high, each.low, each.close, each.volume)),
             text(each.volume * each.close)]
            for each in found
        ]  # fmt: skip
        return {"category": "linear", "symbol": given["symbol"], "list": rows[::-1]}

    def coins(self, account: Account, given: Json) -> Json:
        """Coins: none that could be moved."""
        return {"rows": []}

    # -- the account ---------------------------------------------------------------------------------------------------

    def key(self, account: Account, given: Json) -> Json:
        """What the key may do."""
        trade = [] if account.is_read_only else ["Order", "Position"]
        return {
            "id": "13770661", "note": "simulated", "apiKey": account.key, "readOnly": int(account.is_read_only),
            "secret": "", "ips": ["*"], "type": 1, "deadlineDay": 83, "expiredAt": "2030-01-01T00:00:00Z",
            "createdAt": "2024-01-01T00:00:00Z", "unified": 0, "uta": 1, "userID": 24617703, "inviterID": 0,
            "vipLevel": "No VIP", "mktMakerLevel": "0", "affiliateID": 0, "rsaPublicKey": "", "isMaster": True,
            "parentUid": "0", "kycLevel": "LEVEL_DEFAULT", "kycRegion": "",
            "permissions": {
                "ContractTrade": trade, "Spot": [], "Wallet": ["AccountTransfer", "Withdraw"]
                if account.may_withdraw else [], "Options": [], "Derivatives": trade, "CopyTrading": [],
                "BlockTrade": [], "Exchange": [], "NFT": [], "Affiliate": [],
            },
        }  # fmt: skip

    def info(self, account: Account, given: Json) -> Json:
        """A unified account with cross margin."""
        window = self._sim.dead_man_windows.get(account.key, 0)
        return {
            "marginMode": "REGULAR_MARGIN", "updatedTime": str(self._sim.now_ms()), "unifiedMarginStatus": 6,
            "dcpStatus": "ON" if window else "OFF", "timeWindow": window or 10, "smpGroup": 0,
            "isMasterTrader": False, "spotHedgingStatus": "OFF",
        }  # fmt: skip

    def wallet(self, account: Account, given: Json) -> Json:
        """Cash, equity, margin."""
        if given.get("accountType") != "UNIFIED":
            raise Refused(Reason.BAD_PARAMETER, "accountType only support UNIFIED.")
        return {"list": [shape.wallet_row(account)]}

    def log(self, account: Account, given: Json) -> Json:
        """Transfers and funding, newest first."""
        since, until = int(given.get("startTime") or 0), int(given.get("endTime") or self._sim.now_ms())
        rows = [
            shape.log_row(each)
            for each in reversed(account.book)
            if each.cause in (Cause.FUNDING, Cause.DEPOSIT) and since <= each.at_ms <= until
        ]
        kind = given.get("type") or ""
        return _page([row for row in rows if kind in ("", row["type"])], given, usual=20, most=50)

    def fees(self, account: Account, given: Json) -> Json:
        """The fee rates."""
        habits, chosen = self._sim.habits, given.get("symbol", "")
        rows = [
            {"symbol": symbol, "takerFeeRate": str(habits.taker_rate), "makerFeeRate": str(habits.maker_rate)}
            for symbol in self._sim.markets
            if chosen in ("", symbol)
        ]
        return {"category": "linear", "list": rows}

    def positions(self, account: Account, given: Json) -> Json:
        """Positions: of a symbol, flat ones too, or all that are held."""
        symbol = given.get("symbol", "")
        if given.get("category") == "linear" and not symbol and not given.get("settleCoin"):
            raise Refused(Reason.BAD_PARAMETER, "Missing some parameters that must be filled in, symbol or settleCoin")
        found: list[Position] = []
        if given.get("category") == "linear" and symbol:
            self._market(given)
            legs = (Leg.LONG, Leg.SHORT) if account.is_hedged else (Leg.NET,)
            found = [account.position(symbol, leg) for leg in legs]
        elif given.get("category") == "linear" and given.get("settleCoin") == "USDT":
            found = list(account.held())
        rows = [shape.position_row(account, each) for each in found]
        return _page(rows, given, usual=20, most=200)

    # -- orders --------------------------------------------------------------------------------------------------------

    def open_orders(self, account: Account, given: Json) -> Json:
        """Live orders; one that is asked for by id is found in any state."""
        return self._orders(account, given, lambda order: order.is_live)

    def closed_orders(self, account: Account, given: Json) -> Json:
        """Orders that are over, newest first."""
        return self._orders(account, given, lambda order: not order.is_live)

    def _orders(self, account: Account, given: Json, is_wanted: Callable[[Order], bool]) -> Json:
        if given.get("category") != "linear":
            return _page([], given, usual=20, most=50)
        if not any(given.get(name) for name in ("symbol", "settleCoin", "baseCoin", "orderId", "orderLinkId")):
            raise Refused(Reason.BAD_PARAMETER, "Missing some parameters that must be filled in, symbol or settleCoin")
        rows = [
            shape.order_row(order)
            for order in reversed(account.orders.values())
            if (is_wanted(order) or given.get("orderId") or given.get("orderLinkId")) and _is_asked_for(order, given)
        ]
        return _page(rows, given, usual=20, most=50)

    def executions(self, account: Account, given: Json) -> Json:
        """Trades and funding, newest first."""
        rows = [shape.execution_row(each) for each in account.fills if _is_asked_for(each.order, given)]
        if not given.get("orderId") and not given.get("orderLinkId"):
            rows += [
                shape.funding_row(each, self._sim.markets[each.symbol].funding_rate)
                for each in account.book
                if each.cause is Cause.FUNDING and given.get("symbol", "") in ("", each.symbol)
            ]
        since, until = int(given.get("startTime") or 0), int(given.get("endTime") or self._sim.now_ms())
        kind = given.get("execType") or ""
        rows = [row for row in rows if since <= int(row["execTime"]) <= until and kind in ("", row["execType"])]
        rows.sort(key=lambda row: row["seq"], reverse=True)
        return _page(rows, given, usual=50, most=100)

    def create(self, account: Account, given: Json) -> Json:
        """Place an order."""
        if account.is_read_only:
            raise Refused(Reason.NO_PERMISSION)
        order = self._sim.matching.place(account, self._ask(given))
        stops = {name: given[name] for name in ("stopLoss", "takeProfit") if given.get(name)}
        if stops:
            self.trading_stop(account, {**given, "positionIdx": given.get("positionIdx", 0)})
        return {"orderId": order.uid, "orderLinkId": order.ask.client_id}

    def _ask(self, given: Json) -> Ask:
        self._market(given)
        if given["side"] not in ("Buy", "Sell"):
            raise Refused(Reason.BAD_PARAMETER, "Side invalid")
        if given["orderType"] not in ("Market", "Limit"):
            raise Refused(Reason.BAD_PARAMETER, "OrderType invalid")
        link = str(given.get("orderLinkId") or "")
        if len(link) > 36:
            raise Refused(Reason.BAD_CLIENT_ID)
        quantity = parse(given["qty"], "qty")
        closes = quantity == 0 and bool(given.get("reduceOnly"))
        return Ask(
            symbol=given["symbol"], side=1 if given["side"] == "Buy" else -1, quantity=quantity,
            price=parse(given["price"], "price") if given["orderType"] == "Limit" else None,
            trigger=_trigger(given), tif=shape.TIFS.get(given.get("timeInForce") or "GTC", Tif.GTC),
            reduces=given.get("reduceOnly") in (True, "true"), closes_all=closes,
            leg=shape.LEGS[int(given.get("positionIdx") or 0)], client_id=link,
        )  # fmt: skip

    def cancel(self, account: Account, given: Json) -> Json:
        """Cancel one order by either id."""
        self._market(given)
        order = account.find(uid=given.get("orderId", ""), client_id=given.get("orderLinkId", ""))
        if order is None or not order.is_live or order.ask.symbol != given["symbol"]:
            raise Refused(Reason.CANCEL_REJECTED)
        self._sim.matching.cancel(account, order)
        return {"orderId": order.uid, "orderLinkId": order.ask.client_id}

    def cancel_all(self, account: Account, given: Json) -> Json:
        """Cancel the orders of a symbol, or of a settle coin."""
        symbol = given.get("symbol", "")
        if given.get("category") != "linear" or (not symbol and given.get("settleCoin", "USDT") != "USDT"):
            return {"list": [], "success": "1"}
        if not symbol and not given.get("settleCoin") and not given.get("baseCoin"):
            raise Refused(Reason.BAD_PARAMETER, "symbol, settleCoin and baseCoin cannot be all empty")
        kinds = {"Order": (False,), "StopOrder": (True,)}.get(given.get("orderFilter", ""), (False, True))
        chosen = [each for each in account.live(symbol) if bool(each.ask.trigger) in kinds]
        ended = self._sim.matching.cancel_all(account, chosen)
        return {"list": [{"orderId": e.uid, "orderLinkId": e.ask.client_id} for e in ended], "success": "1"}

    # -- settings ------------------------------------------------------------------------------------------------------

    def dead_man(self, account: Account, given: Json) -> Json:
        """How long the private stream may be gone before orders are cancelled, in seconds."""
        window = int(given["timeWindow"])
        if not 3 <= window <= 300:
            raise Refused(Reason.BAD_PARAMETER, "timeWindow")
        self._sim.dead_man_windows[account.key] = window
        return {}

    def switch_mode(self, account: Account, given: Json) -> Json:
        """One position a symbol, or one for each side."""
        wanted = {0: False, 3: True}.get(int(given["mode"]))
        if wanted is None:
            raise Refused(Reason.BAD_PARAMETER, "mode")
        if any(account.held()):
            raise Refused(Reason.OPEN_POSITIONS)
        if account.live():
            raise Refused(Reason.OPEN_ORDERS)
        account.is_hedged = wanted
        return {}

    def set_leverage(self, account: Account, given: Json) -> Json:
        """The leverage of a symbol."""
        market = self._market(given)
        wanted = int(parse(given["buyLeverage"], "buyLeverage"))
        if not 1 <= wanted <= market.instrument.most_leverage:
            raise Refused(Reason.LEVERAGE)
        if wanted == account.leverage(given["symbol"]):
            raise Refused(Reason.NOT_MODIFIED)
        account.leverages[given["symbol"]] = wanted
        return {}

    def trading_stop(self, account: Account, given: Json) -> Json:
        """A stop loss or a take profit for a whole position; 0 takes it away."""
        self._market(given)
        leg = shape.LEGS[int(given.get("positionIdx") or 0)]
        held = account.position(given["symbol"], leg).quantity
        for name, label in (("stopLoss", "StopLoss"), ("takeProfit", "TakeProfit")):
            if given.get(name) in (None, ""):
                continue
            level = parse(given[name], name)
            if level and not held:
                raise Refused(Reason.BAD_PARAMETER, "can not set tp/sl/ts for zero position")
            old = [e for e in account.live(given["symbol"]) if e.ask.label == label and e.ask.leg is leg]
            self._sim.matching.cancel_all(account, old)
            if level:
                self._stop(account, given["symbol"], leg, level, label=label, held=held)
        return {}

    def _stop(
        self, account: Account, symbol: str, leg: Leg, level: Decimal, *, label: str, held: Decimal
    ) -> None:  # fmt: skip
        rises = (held > 0) is (label == "TakeProfit")
        self._sim.matching.place(
            account,
            Ask(
                symbol=symbol, side=-1 if held > 0 else 1, quantity=abs(held), reduces=True, closes_all=True, leg=leg,
                trigger=Trigger(price=level, rises=rises), label=label,
            ),
        )  # fmt: skip

    def _market(self, given: Json) -> Any:
        if given.get("category") != "linear":
            raise Refused(Reason.BAD_PARAMETER, "category")
        found = self._sim.markets.get(given.get("symbol", ""))
        if found is None:
            raise Refused(Reason.UNKNOWN_SYMBOL, str(given.get("symbol", "")))
        return found


def _route(handler: Callable[[Account, Json], Any], known: str | frozenset[str], *, is_signed: bool) -> Route:
    return Route(handler=handler, known=words(known) if isinstance(known, str) else known, is_signed=is_signed)


def _trigger(given: Json) -> Trigger | None:
    if not given.get("triggerPrice"):
        return None
    direction = int(given.get("triggerDirection") or 0)
    if direction not in (1, 2):
        raise Refused(Reason.BAD_PARAMETER, "TriggerDirection invalid")
    by_mark = given.get("triggerBy") == "MarkPrice"
    return Trigger(price=parse(given["triggerPrice"], "triggerPrice"), rises=direction == 1, by_mark=by_mark)


def _is_asked_for(order: Order, given: Json) -> bool:
    if given.get("orderId"):
        return bool(order.uid == given["orderId"])
    if given.get("orderLinkId"):
        return bool(order.ask.client_id == given["orderLinkId"])
    kind = given.get("orderFilter", "")
    if kind and (kind == "StopOrder") is not (order.ask.trigger is not None and not order.is_triggered):
        return False
    return given.get("symbol", "") in ("", order.ask.symbol) and given.get("settleCoin", "USDT") == "USDT"


def _page(rows: Sequence[Json], given: Json, *, usual: int, most: int) -> Json:
    """One page: 20 or so unless more is asked for; the cursor is opaque to clients."""
    start = int(str(given.get("cursor") or "page:0").rpartition(":")[2])
    size = min(int(given.get("limit") or usual), most)
    cursor = f"page:{start + size}" if len(rows) > start + size else ""
    return {"category": given.get("category"), "list": rows[start : start + size], "nextPageCursor": cursor}
