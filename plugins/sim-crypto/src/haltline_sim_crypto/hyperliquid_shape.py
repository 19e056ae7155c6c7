"""What Hyperliquid says of an order, a trade, an account, a market."""

from __future__ import annotations

from decimal import Decimal

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.instrument import Instrument
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import ONE, ZERO, money, text
from haltline_sim_crypto.order import Ask, Cause, Fill, Order, Position, Status, Tif
from haltline_sim_crypto.record import Json

TIFS = {"Gtc": Tif.GTC, "Ioc": Tif.IOC, "Alo": Tif.POST}
_TIF_WORDS = {Tif.GTC: "Gtc", Tif.IOC: "Ioc", Tif.FOK: "Ioc", Tif.POST: "Alo"}
_ENDINGS = {
    Cause.REDUCE_ONLY: "reduceOnlyCanceled", Cause.DEAD_MAN: "scheduledCancel", Cause.LIQUIDATION: "marginCanceled",
    Cause.IOC: "iocCancelRejected", Cause.NO_LIQUIDITY: "marketOrderNoLiquidityRejected",
    Cause.POST_ONLY: "badAloPxRejected",
}  # fmt: skip


def number(given: Decimal) -> str:
    """With a point always."""
    written = text(given)
    return written if "." in written else f"{written}.0"


def amount(given: Decimal) -> str:
    """An amount of dollars, to six places."""
    return number(given.quantize(Decimal("0.000001")))


def side(sign: int) -> str:
    """B or A: bid or ask."""
    return "B" if sign > 0 else "A"


def status(order: Order) -> str:
    """The order's state."""
    match order.status:
        case Status.WAITING:
            return "open"
        case Status.OPEN:
            return "triggered" if order.is_triggered and not order.filled else "open"
        case Status.FILLED:
            return "filled"
        case _:
            return _ENDINGS.get(order.cause, "canceled")


def coin(order: Order, markets: dict[str, Market]) -> str:
    """The coin of an order."""
    return markets[order.ask.symbol].instrument.base


def _order_type(ask: Ask) -> str:
    """The type of an order that a person placed."""
    if ask.trigger is None:
        return "Limit"
    return f"{'Take Profit' if ask.takes_profit else 'Stop'} {'Market' if ask.price is None else 'Limit'}"


def order_row(order: Order) -> Json:
    """An order as the front end sees it."""
    ask, trigger = order.ask, order.ask.trigger
    left = order.left if order.is_live else order.left if order.status is not Status.FILLED else ZERO
    words = "N/A"
    if trigger is not None:
        words = f"Price {'above' if trigger.rises else 'below'} {text(trigger.price)}"
    return {
        "coin": ask.symbol, "side": side(ask.side), "limitPx": number(ask.price or ZERO), "sz": number(left),
        "oid": order.number, "timestamp": order.created_ms, "triggerCondition": words,
        "isTrigger": trigger is not None, "triggerPx": number(trigger.price) if trigger else "0.0", "children": [],
        "isPositionTpsl": False, "reduceOnly": ask.reduces, "orderType": ask.label or _order_type(ask),
        "origSz": number(order.quantity), "tif": None if trigger else _TIF_WORDS[ask.tif],
        "cloid": ask.client_id or None,
    }  # fmt: skip


def basic_row(order: Order) -> Json:
    """An order as the stream shows it."""
    whole = order_row(order)
    names = ("coin", "side", "limitPx", "sz", "oid", "timestamp", "origSz", "cloid")
    return {name: whole[name] for name in names if whole[name] is not None}


def fill_row(fill: Fill) -> Json:
    """A trade."""
    ask, after = fill.order.ask, fill.before + fill.order.ask.side * fill.quantity
    found = {
        "coin": ask.symbol, "px": number(fill.price), "sz": number(fill.quantity), "side": side(ask.side),
        "time": fill.at_ms, "startPosition": number(fill.before), "dir": _direction(fill.before, after),
        "closedPnl": amount(fill.profit), "hash": "0x" + fill.uid.replace("-", "").ljust(64, "0"),
        "oid": fill.order.number, "crossed": not fill.is_maker, "fee": amount(fill.fee), "tid": fill.number,
        "feeToken": "USDC", "twapId": None,
    }  # fmt: skip
    if ask.client_id:
        found["cloid"] = ask.client_id
    return found


def _direction(before: Decimal, after: Decimal) -> str:
    if before * after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    if abs(after) > abs(before):
        return "Open Long" if after > 0 else "Open Short"
    return "Close Long" if before > 0 else "Close Short"


def position_row(account: Account, position: Position) -> Json:
    """A position within the state of an account."""
    market = account.markets[position.symbol]
    profit, value = position.profit(market.mark), account.value(position)
    margin, leverage = account.initial(position), account.leverage(position.symbol)
    liquidation = account.liquidation_price(position)
    return {
        "type": "oneWay",
        "position": {
            "coin": position.symbol, "szi": number(position.quantity),
            "leverage": {"type": "cross", "value": leverage}, "entryPx": amount(position.entry),
            "positionValue": amount(value), "unrealizedPnl": amount(profit),
            "returnOnEquity": money(profit / (abs(position.quantity) * position.entry / leverage)),
            "liquidationPx": number(liquidation.quantize(market.instrument.tick)) if liquidation else None,
            "marginUsed": amount(margin), "maxLeverage": market.instrument.most_leverage,
            "cumFunding": {
                "allTime": amount(position.funding), "sinceOpen": amount(position.funding),
                "sinceChange": amount(position.funding),
            },
        },
    }  # fmt: skip


def state_row(account: Account | None, now_ms: int) -> Json:
    """The state of an account; an address that nobody knows has nothing."""
    if account is None:
        nothing = {"accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0"}
        return {
            "marginSummary": nothing, "crossMarginSummary": nothing, "crossMaintenanceMarginUsed": "0.0",
            "withdrawable": "0.0", "assetPositions": [], "time": now_ms,
        }  # fmt: skip
    held = list(account.held())
    signed = sum((each.quantity * account.markets[each.symbol].mark for each in held), ZERO)
    summary = {
        "accountValue": amount(account.equity), "totalNtlPos": amount(sum((account.value(e) for e in held), ZERO)),
        "totalRawUsd": amount(account.equity - signed), "totalMarginUsed": amount(account.positions_initial),
    }  # fmt: skip
    return {
        "marginSummary": summary, "crossMarginSummary": dict(summary),
        "crossMaintenanceMarginUsed": amount(account.total_maintenance), "withdrawable": amount(account.available),
        "assetPositions": [position_row(account, each) for each in held], "time": now_ms,
    }  # fmt: skip


def instrument_row(instrument: Instrument) -> Json:
    """A coin in the universe."""
    return {
        "szDecimals": instrument.places, "name": instrument.base, "maxLeverage": instrument.most_leverage,
        "marginTableId": instrument.most_leverage,
    }  # fmt: skip


def context_row(market: Market) -> Json:
    """What the market is like now."""
    return {
        "funding": text(market.funding_rate / 8), "openInterest": "1.0", "prevDayPx": number(market.opened),
        "dayNtlVlm": number(market.volume * market.last), "premium": "0.0", "oraclePx": number(market.mark),
        "markPx": number(market.mark), "midPx": number(market.last),
        "impactPxs": [number(market.bid), number(market.ask)], "dayBaseVlm": number(market.volume),
    }  # fmt: skip


def book_row(market: Market, now_ms: int) -> Json:
    """The book: one level a side."""
    size = "100.0" if market.depth is None else number(market.depth - market.taken)
    return {
        "coin": market.instrument.base, "time": now_ms,
        "levels": [[{"px": number(market.bid), "sz": size, "n": 1}], [{"px": number(market.ask), "sz": size, "n": 1}]],
    }  # fmt: skip


def has_five_figures(price: Decimal) -> bool:
    """Prices have five significant figures at most, unless they are whole."""
    return price % ONE == 0 or len(price.normalize().as_tuple().digits) <= 5
