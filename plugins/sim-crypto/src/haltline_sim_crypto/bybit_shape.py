"""What Bybit v5 says of an order, a trade, a position, a wallet, a contract, a ticker."""

from __future__ import annotations

from decimal import Decimal

from haltline_sim_crypto.account import Account, Entry
from haltline_sim_crypto.instrument import Instrument
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import money, text
from haltline_sim_crypto.order import Cause, Fill, Leg, Order, Position, Status, Tif
from haltline_sim_crypto.record import Json

INDEX = {Leg.NET: 0, Leg.LONG: 1, Leg.SHORT: 2}
LEGS = {0: Leg.NET, 1: Leg.LONG, 2: Leg.SHORT}
TIFS = {"GTC": Tif.GTC, "IOC": Tif.IOC, "FOK": Tif.FOK, "PostOnly": Tif.POST}
_TIF_WORDS = {tif: word for word, tif in TIFS.items()}
_CANCEL_TYPES = {
    Cause.USER: "CancelByUser", Cause.REDUCE_ONLY: "CancelByReduceOnly", Cause.DEAD_MAN: "CancelByDCP",
    Cause.LIQUIDATION: "CancelByAdmin",
}  # fmt: skip
_REJECTIONS = {
    Cause.POST_ONLY: "EC_PostOnlyWillTakeLiquidity", Cause.NO_LIQUIDITY: "EC_NoImmediateQtyToFill",
    Cause.IOC: "EC_NoImmediateQtyToFill", Cause.USER: "EC_PerCancelRequest",
    Cause.REDUCE_ONLY: "EC_PerCancelRequest", Cause.DEAD_MAN: "EC_PerCancelRequest",
}  # fmt: skip


def side(sign: int | Decimal) -> str:
    """Buy, Sell, or nothing."""
    return "Buy" if sign > 0 else "Sell" if sign < 0 else ""


def status(order: Order) -> str:
    """The order's state."""
    if order.status is Status.WAITING:
        return "Untriggered"
    if order.status is Status.OPEN:
        return "PartiallyFilled" if order.filled else "New"
    if order.status is Status.FILLED:
        return "Filled"
    if order.filled:
        return "PartiallyFilledCanceled"
    if order.ask.trigger and not order.is_triggered:
        return "Deactivated"
    return "Rejected" if order.cause is Cause.POST_ONLY else "Cancelled"


def order_row(order: Order) -> Json:
    """An order as REST and the stream show it."""
    ask, trigger = order.ask, order.ask.trigger
    left = order.left if order.is_live else Decimal(0)
    return {
        "orderId": order.uid, "orderLinkId": ask.client_id, "blockTradeId": "", "symbol": ask.symbol,
        "price": text(ask.price or Decimal(0)), "qty": text(order.quantity), "side": side(ask.side), "isLeverage": "",
        "positionIdx": INDEX[ask.leg], "orderStatus": status(order), "createType": "CreateByUser",
        "cancelType": _CANCEL_TYPES.get(order.cause, "UNKNOWN"),
        "rejectReason": _REJECTIONS.get(order.cause, "EC_NoError"),
        "avgPrice": text(order.average) if order.filled else "", "leavesQty": text(left),
        "leavesValue": money(left * (ask.price or Decimal(0))), "cumExecQty": text(order.filled),
        "cumExecValue": money(order.value), "cumExecFee": money(order.fee),
        "timeInForce": "IOC" if ask.price is None else _TIF_WORDS[ask.tif],
        "orderType": "Market" if ask.price is None else "Limit",
        "stopOrderType": ask.label or ("Stop" if trigger else ""), "orderIv": "",
        "triggerPrice": text(trigger.price) if trigger else "", "takeProfit": "", "stopLoss": "", "tpslMode": "",
        "ocoTriggerBy": "", "tpLimitPrice": "", "slLimitPrice": "", "tpTriggerBy": "", "slTriggerBy": "",
        "triggerDirection": (1 if trigger.rises else 2) if trigger else 0,
        "triggerBy": ("MarkPrice" if trigger.by_mark else "LastPrice") if trigger else "", "lastPriceOnCreated": "",
        "reduceOnly": ask.reduces or ask.closes_all, "closeOnTrigger": ask.closes_all, "placeType": "",
        "smpType": "None", "smpGroup": 0, "smpOrderId": "", "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms), "category": "linear", "feeCurrency": "", "closedPnl": "",
    }  # fmt: skip


def execution_row(fill: Fill) -> Json:
    """A trade as REST and the stream show it."""
    order, ask = fill.order, fill.order.ask
    return {
        "category": "linear", "symbol": ask.symbol, "execFee": money(fill.fee), "execId": fill.uid,
        "execPrice": text(fill.price), "execQty": text(fill.quantity),
        "execType": "BustTrade" if fill.cause is Cause.LIQUIDATION else "Trade",
        "execValue": money(fill.price * fill.quantity), "isMaker": fill.is_maker, "feeRate": text(fill.fee_rate),
        "tradeIv": "", "markIv": "", "blockTradeId": "", "markPrice": text(fill.mark), "indexPrice": "",
        "underlyingPrice": "", "leavesQty": text(order.left), "orderId": order.uid, "orderLinkId": ask.client_id,
        "orderPrice": text(ask.price or Decimal(0)), "orderQty": text(order.quantity),
        "orderType": "Market" if ask.price is None else "Limit",
        "stopOrderType": ask.label or ("Stop" if ask.trigger else "UNKNOWN"), "side": side(ask.side),
        "execTime": str(fill.at_ms), "isLeverage": "0", "closedSize": text(fill.closed), "seq": fill.number,
        "feeCurrency": "USDT", "execPnl": money(fill.profit), "createType": "CreateByUser",
    }  # fmt: skip


def funding_row(entry: Entry, rate: Decimal) -> Json:
    """Funding as the list of executions shows it; a fee that is positive was paid."""
    value = abs(entry.quantity) * entry.price
    return {
        "category": "linear", "symbol": entry.symbol, "execFee": money(-entry.amount),
        "execId": f"funding-{entry.number}",
        "execPrice": text(entry.price), "execQty": text(abs(entry.quantity)), "execType": "Funding",
        "execValue": money(value), "isMaker": False, "feeRate": text(rate), "tradeIv": "", "markIv": "",
        "blockTradeId": "", "markPrice": text(entry.price), "indexPrice": "", "underlyingPrice": "", "leavesQty": "0",
        "orderId": f"funding-{entry.number}", "orderLinkId": "", "orderPrice": "0", "orderQty": "0",
        "orderType": "UNKNOWN", "stopOrderType": "UNKNOWN", "side": side(entry.quantity),
        "execTime": str(entry.at_ms), "isLeverage": "0", "closedSize": "0", "seq": entry.number,
        "feeCurrency": "USDT", "execPnl": "", "createType": "",
    }  # fmt: skip


def log_row(entry: Entry) -> Json:
    """One line of the transaction log. Trades are in the list of executions."""
    is_funding = entry.cause is Cause.FUNDING
    kind = "TRANSFER_IN" if entry.amount > 0 else "TRANSFER_OUT"
    return {
        "id": f"log-{entry.number}", "symbol": entry.symbol, "category": "linear" if is_funding else "",
        "side": side(entry.quantity) or "None", "transactionTime": str(entry.at_ms),
        "type": "SETTLEMENT" if is_funding else kind, "transSubType": "", "qty": text(abs(entry.quantity)),
        "size": text(entry.quantity), "currency": "USDT", "tradePrice": text(entry.price) if is_funding else "",
        "funding": money(entry.amount) if is_funding else "", "fee": "", "bonusChange": "",
        "cashFlow": "0" if is_funding else money(entry.amount), "change": money(entry.amount), "cashBalance": "",
        "feeRate": "", "tradeId": f"funding-{entry.number}" if is_funding else "", "orderId": "", "orderLinkId": "",
        "extraFees": "",
    }  # fmt: skip


def position_row(account: Account, position: Position) -> Json:
    """A position as REST shows it; side is empty and size 0 once it is closed."""
    market = account.markets[position.symbol]
    is_held = bool(position.quantity)
    liquidation = account.liquidation_price(position) if is_held else None
    stops = {
        each.ask.label: text(each.ask.trigger.price)
        for each in account.live(position.symbol)
        if each.ask.trigger and each.ask.leg is position.leg
    }
    return {
        "positionIdx": INDEX[position.leg], "riskId": 1, "riskLimitValue": "2000000", "symbol": position.symbol,
        "side": side(position.quantity), "size": text(abs(position.quantity)),
        "avgPrice": text(position.entry.quantize(Decimal("0.00000001"))),
        "positionValue": money(abs(position.quantity) * position.entry) if is_held else "", "tradeMode": 0,
        "positionStatus": "Normal", "autoAddMargin": 0, "adlRankIndicator": 2 if is_held else 0,
        "leverage": str(account.leverage(position.symbol)), "positionBalance": "0", "markPrice": text(market.mark),
        "liqPrice": text(liquidation.quantize(market.instrument.tick)) if liquidation else "", "bustPrice": "",
        "positionMM": money(account.maintenance(position)), "positionIM": money(account.initial(position)),
        "tpslMode": "Full", "takeProfit": stops.get("TakeProfit", "0"), "stopLoss": stops.get("StopLoss", "0"),
        "trailingStop": "0", "sessionAvgPrice": "",
        "unrealisedPnl": money(position.profit(market.mark)) if is_held else "0",
        "curRealisedPnl": money(position.realised), "cumRealisedPnl": money(position.realised_ever),
        "createdTime": str(position.opened_ms or 0), "updatedTime": str(position.updated_ms or 0),
        "seq": position.seq, "isReduceOnly": False, "mmrSysUpdatedTime": "", "leverageSysUpdatedTime": "",
        "category": "linear",
    }  # fmt: skip


def told_position(account: Account, position: Position) -> Json:
    """A position as the stream shows it: the entry price has another name there."""
    row = position_row(account, position)
    row["entryPrice"] = row.pop("avgPrice")
    return row | {"positionIMByMp": row["positionIM"], "positionMMByMp": row["positionMM"]}


def wallet_row(account: Account) -> Json:
    """A unified account and its only coin."""
    equity, initial = money(account.equity), money(account.positions_initial + account.orders_initial)
    base = account.equity or Decimal(1)
    return {
        "accountType": "UNIFIED", "accountLTV": "0", "totalEquity": equity, "totalMarginBalance": equity,
        "accountIMRate": money((account.positions_initial + account.orders_initial) / base),
        "accountMMRate": money(account.total_maintenance / base), "totalWalletBalance": money(account.wallet),
        "totalAvailableBalance": money(account.available), "totalPerpUPL": money(account.unrealised),
        "totalInitialMargin": initial, "totalMaintenanceMargin": money(account.total_maintenance),
        "coin": [
            {
                "coin": "USDT", "equity": equity, "usdValue": equity, "walletBalance": money(account.wallet),
                "free": "", "locked": "0", "borrowAmount": "0", "availableToBorrow": "", "availableToWithdraw": "",
                "accruedInterest": "0", "totalOrderIM": money(account.orders_initial),
                "totalPositionIM": money(account.positions_initial),
                "totalPositionMM": money(account.total_maintenance), "unrealisedPnl": money(account.unrealised),
                "cumRealisedPnl": money(sum((each.profit - each.fee for each in account.fills), Decimal(0))),
                "bonus": "0", "spotBorrow": "0",
                "marginCollateral": True, "collateralSwitch": True, "spotHedgingQty": "0",
            }
        ],
    }  # fmt: skip


def instrument_row(instrument: Instrument) -> Json:
    """A contract's rules."""
    return {
        "symbol": instrument.symbol, "contractType": "LinearPerpetual", "status": "Trading",
        "baseCoin": instrument.base, "quoteCoin": instrument.quote, "launchTime": "1585526400000",
        "deliveryTime": "0", "deliveryFeeRate": "", "priceScale": str(instrument.price_places),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{instrument.most_leverage}.00", "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": text(instrument.tick), "maxPrice": "1999999.80", "tickSize": text(instrument.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": text(instrument.most), "minOrderQty": text(instrument.step),
            "qtyStep": text(instrument.step), "postOnlyMaxOrderQty": text(instrument.most),
            "maxMktOrderQty": text(instrument.most), "minNotionalValue": text(instrument.least_value),
        },
        "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": instrument.quote, "copyTrading": "both",
        "upperFundingRate": "0.00375", "lowerFundingRate": "-0.00375", "isPreListing": False, "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"}, "displayName": "",
    }  # fmt: skip


def ticker_row(market: Market, now_ms: int) -> Json:
    """A ticker, whole."""
    change = (market.last - market.opened) / market.opened
    return {
        "symbol": market.instrument.symbol, "tickDirection": "PlusTick", "lastPrice": text(market.last),
        "indexPrice": text(market.mark), "markPrice": text(market.mark), "prevPrice24h": text(market.opened),
        "price24hPcnt": text(change.quantize(Decimal("0.000001"))), "highPrice24h": text(market.high),
        "lowPrice24h": text(market.low), "prevPrice1h": text(market.opened), "openInterest": "1",
        "openInterestValue": text(market.mark), "turnover24h": money(market.volume * market.last),
        "volume24h": text(market.volume), "fundingRate": text(market.funding_rate),
        "nextFundingTime": str((now_ms // 28_800_000 + 1) * 28_800_000), "bid1Price": text(market.bid),
        "bid1Size": "1", "fundingIntervalHour": "8", "ask1Price": text(market.ask), "ask1Size": "1",
    }  # fmt: skip
