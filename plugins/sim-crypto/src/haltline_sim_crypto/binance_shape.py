"""What Binance USD-M says of an order, a trade, a position, an account, a contract."""

from __future__ import annotations

from decimal import Decimal

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.instrument import Instrument
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import ZERO, money, text
from haltline_sim_crypto.order import Ask, Cause, Fill, Leg, Order, Position, Status, Tif
from haltline_sim_crypto.record import Json

SIDES = {Leg.NET: "BOTH", Leg.LONG: "LONG", Leg.SHORT: "SHORT"}
LEGS = {word: leg for leg, word in SIDES.items()}
TIFS = {"GTC": Tif.GTC, "IOC": Tif.IOC, "FOK": Tif.FOK, "GTX": Tif.POST, "GTD": Tif.GTC}
_TIF_WORDS = {Tif.GTC: "GTC", Tif.IOC: "IOC", Tif.FOK: "FOK", Tif.POST: "GTX"}
_TYPES = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")


def side(sign: int) -> str:
    """BUY or SELL."""
    return "BUY" if sign > 0 else "SELL"


def status(order: Order) -> str:
    """The state of an order that is in the book or was."""
    match order.status:
        case Status.OPEN:
            return "PARTIALLY_FILLED" if order.filled else "NEW"
        case Status.FILLED:
            return "FILLED"
        case Status.EXPIRED:
            return "EXPIRED"
        case _:
            return "EXPIRED" if order.cause in (Cause.REDUCE_ONLY, Cause.POST_ONLY) else "CANCELED"


def kind(order: Order) -> str:
    """The type of an order in the book."""
    return "MARKET" if order.ask.price is None else "LIMIT"


def order_row(order: Order, *, as_new: bool = False) -> Json:
    """An order as REST shows it; `as_new`: as it is acknowledged, before anything happened to it."""
    ask = order.ask
    filled = ZERO if as_new else order.filled
    return {
        "orderId": order.number, "symbol": ask.symbol, "status": "NEW" if as_new else status(order),
        "clientOrderId": client_id(order), "price": text(ask.price or ZERO),
        "avgPrice": text(order.average) if filled else "0.00", "origQty": text(order.quantity),
        "executedQty": text(filled), "cumQty": text(filled), "cumQuote": money(ZERO if as_new else order.value),
        "timeInForce": _TIF_WORDS[ask.tif], "type": kind(order), "reduceOnly": ask.reduces,
        "closePosition": ask.closes_all, "side": side(ask.side), "positionSide": SIDES[ask.leg],
        "stopPrice": "0", "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": kind(order),
        "priceMatch": "NONE", "selfTradePreventionMode": "NONE", "goodTillDate": 0, "time": order.created_ms,
        "updateTime": order.updated_ms,
    }  # fmt: skip


def client_id(order: Order) -> str:
    """What the client called it; else one that the venue makes."""
    return order.ask.client_id or f"web_{order.number}"


def algo_status(order: Order) -> str:
    """The state of a conditional order."""
    if order.status is Status.WAITING:
        return "NEW"
    if order.cause is Cause.TRIGGERED:
        return "FINISHED"
    return "REJECTED" if order.cause is Cause.REDUCE_ONLY else "CANCELED"


def _algo_type(ask: Ask) -> str:
    """The type of a conditional order that a person placed."""
    word = "TAKE_PROFIT" if ask.takes_profit else "STOP"
    return f"{word}_MARKET" if ask.price is None else word


def algo_row(order: Order, child: Order | None) -> Json:
    """A conditional order as REST shows it."""
    ask, trigger = order.ask, order.ask.trigger
    return {
        "algoId": order.number, "clientAlgoId": client_id(order), "algoType": "CONDITIONAL",
        "orderType": ask.label or _algo_type(ask), "symbol": ask.symbol, "side": side(ask.side),
        "positionSide": SIDES[ask.leg],
        "timeInForce": _TIF_WORDS[ask.tif], "quantity": text(ZERO if ask.closes_all else order.quantity),
        "algoStatus": algo_status(order), "actualOrderId": str(child.number) if child else "",
        "actualPrice": text(child.average) if child else "0.00000",
        "triggerPrice": text(trigger.price) if trigger else "0", "price": text(ask.price or ZERO),
        "icebergQuantity": None, "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": "MARK_PRICE" if trigger and trigger.by_mark else "CONTRACT_PRICE", "priceMatch": "NONE",
        "closePosition": ask.closes_all, "priceProtect": False, "reduceOnly": ask.reduces,
        "createTime": order.created_ms, "updateTime": order.updated_ms,
        "triggerTime": order.updated_ms if order.is_triggered else 0, "goodTillDate": 0,
    }  # fmt: skip


def trade_row(fill: Fill) -> Json:
    """A trade as REST shows it."""
    ask = fill.order.ask
    return {
        "symbol": ask.symbol, "id": fill.number, "orderId": fill.order.number, "side": side(ask.side),
        "price": text(fill.price), "qty": text(fill.quantity), "realizedPnl": money(fill.profit),
        "marginAsset": "USDT", "quoteQty": money(fill.price * fill.quantity), "commission": money(fill.fee),
        "commissionAsset": "USDT", "time": fill.at_ms, "positionSide": SIDES[ask.leg], "buyer": ask.side > 0,
        "maker": fill.is_maker,
    }  # fmt: skip


def risk_row(account: Account, position: Position) -> Json:
    """A position as positionRisk shows it."""
    market = account.markets[position.symbol]
    liquidation = account.liquidation_price(position) if position.quantity else None
    return {
        "symbol": position.symbol, "positionSide": SIDES[position.leg], "positionAmt": text(position.quantity),
        "entryPrice": money(position.entry), "breakEvenPrice": money(position.entry), "markPrice": money(market.mark),
        "unRealizedProfit": money(position.profit(market.mark)),
        "liquidationPrice": money(liquidation) if liquidation else "0", "isolatedMargin": "0",
        "notional": money(position.quantity * market.mark), "marginAsset": "USDT", "isolatedWallet": "0",
        "initialMargin": money(account.initial(position)), "maintMargin": money(account.maintenance(position)),
        "positionInitialMargin": money(account.initial(position)), "openOrderInitialMargin": "0", "adl": 1,
        "bidNotional": "0", "askNotional": "0", "updateTime": position.updated_ms,
    }  # fmt: skip


def old_risk_row(account: Account, position: Position) -> Json:
    """A position as the second version of positionRisk shows it: with leverage and margin type."""
    return risk_row(account, position) | {
        "leverage": str(account.leverage(position.symbol)), "marginType": "cross", "isAutoAddMargin": "false",
        "maxNotionalValue": "10000000",
    }  # fmt: skip


def account_row(account: Account, now_ms: int) -> Json:
    """The account and its only asset."""
    initial = account.positions_initial + account.orders_initial
    asset = {
        "asset": "USDT", "walletBalance": money(account.wallet), "unrealizedProfit": money(account.unrealised),
        "marginBalance": money(account.equity), "maintMargin": money(account.total_maintenance),
        "initialMargin": money(initial), "positionInitialMargin": money(account.positions_initial),
        "openOrderInitialMargin": money(account.orders_initial), "crossWalletBalance": money(account.wallet),
        "crossUnPnl": money(account.unrealised), "availableBalance": money(account.available),
        "maxWithdrawAmount": money(account.available), "marginAvailable": True, "updateTime": now_ms,
    }  # fmt: skip
    return {
        "feeTier": 0, "canTrade": not account.is_read_only, "canDeposit": True, "canWithdraw": True,
        "feeBurn": True, "tradeGroupId": -1, "updateTime": 0, "multiAssetsMargin": False,
        "totalInitialMargin": money(initial), "totalMaintMargin": money(account.total_maintenance),
        "totalWalletBalance": money(account.wallet), "totalUnrealizedProfit": money(account.unrealised),
        "totalMarginBalance": money(account.equity), "totalPositionInitialMargin": money(account.positions_initial),
        "totalOpenOrderInitialMargin": money(account.orders_initial),
        "totalCrossWalletBalance": money(account.wallet), "totalCrossUnPnl": money(account.unrealised),
        "availableBalance": money(account.available), "maxWithdrawAmount": money(account.available),
        "assets": [asset],
    }  # fmt: skip


def account_position(account: Account, position: Position) -> Json:
    """A position within the account."""
    mark = account.markets[position.symbol].mark
    return {
        "symbol": position.symbol, "positionSide": SIDES[position.leg], "positionAmt": text(position.quantity),
        "unrealizedProfit": money(position.profit(mark)), "isolatedMargin": "0",
        "notional": money(position.quantity * mark), "isolatedWallet": "0",
        "initialMargin": money(account.initial(position)), "maintMargin": money(account.maintenance(position)),
        "updateTime": position.updated_ms, "leverage": str(account.leverage(position.symbol)), "isolated": False,
        "entryPrice": money(position.entry), "positionInitialMargin": money(account.initial(position)),
        "openOrderInitialMargin": "0", "maxNotional": "10000000", "bidNotional": "0", "askNotional": "0",
    }  # fmt: skip


def instrument_row(instrument: Instrument) -> Json:
    """A contract's rules."""
    step, most = text(instrument.step), text(instrument.most)
    return {
        "symbol": instrument.symbol, "pair": instrument.symbol, "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000, "onboardDate": 1569398400000, "status": "TRADING",
        "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000", "baseAsset": instrument.base,
        "quoteAsset": instrument.quote, "marginAsset": instrument.quote, "pricePrecision": instrument.price_places,
        "quantityPrecision": instrument.places, "baseAssetPrecision": 8, "quotePrecision": 8,
        "underlyingType": "COIN", "underlyingSubType": ["PoW"], "triggerProtect": "0.0500",
        "liquidationFee": "0.012500", "marketTakeBound": "0.05", "maxMoveOrderLimit": 10000,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": text(instrument.tick), "maxPrice": "4529764",
             "tickSize": text(instrument.tick)},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200}, {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": text(instrument.least_value)},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500",
             "multiplierDecimal": "4"},
        ],
        "orderTypes": list(_TYPES), "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }  # fmt: skip


def ticker_row(market: Market, now_ms: int) -> Json:
    """24 hours."""
    change = market.last - market.opened
    return {
        "symbol": market.instrument.symbol, "priceChange": text(change),
        "priceChangePercent": text((change / market.opened * 100).quantize(Decimal("0.001"))),
        "weightedAvgPrice": text(market.last), "lastPrice": text(market.last), "lastQty": "1",
        "openPrice": text(market.opened), "highPrice": text(market.high), "lowPrice": text(market.low),
        "volume": text(market.volume), "quoteVolume": money(market.volume * market.last),
        "openTime": now_ms - 86_400_000, "closeTime": now_ms, "firstId": 1, "lastId": 1 + market.moves,
        "count": 1 + market.moves,
    }  # fmt: skip


def premium_row(market: Market, now_ms: int) -> Json:
    """Mark price and funding."""
    return {
        "symbol": market.instrument.symbol, "markPrice": money(market.mark), "indexPrice": money(market.mark),
        "estimatedSettlePrice": money(market.mark), "lastFundingRate": money(market.funding_rate),
        "interestRate": "0.00010000", "nextFundingTime": next_funding(now_ms), "time": now_ms,
    }  # fmt: skip


def next_funding(now_ms: int) -> int:
    """The next full eight hours."""
    return (now_ms // 28_800_000 + 1) * 28_800_000
