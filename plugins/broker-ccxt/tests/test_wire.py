"""What rows of the venues say, without any venue: the pure part."""

from decimal import Decimal

import ccxt
import pytest
from aiohttp import ClientConnectionError

from haltline.errors import OutcomeUnknown, Refused, SessionClosed, Transient
from haltline.model.event import CashFlow, Fill
from haltline.model.id import Symbol
from haltline.model.instrument import AssetClass, InstrumentSpec
from haltline.model.order import OrderRequest, OrderStatus, OrderType, Side
from haltline_broker_ccxt.binance.venue import CODES as BINANCE_CODES
from haltline_broker_ccxt.binance.venue import order_of as binance_order
from haltline_broker_ccxt.binance.wire import Translator as Binance
from haltline_broker_ccxt.bybit.venue import CODES as BYBIT_CODES
from haltline_broker_ccxt.bybit.venue import order_of as bybit_order
from haltline_broker_ccxt.bybit.wire import Translator as Bybit
from haltline_broker_ccxt.clientid import ClientIds, as_it_is, for_binance, for_bybit, for_hyperliquid
from haltline_broker_ccxt.failure import Gone, judge
from haltline_broker_ccxt.hyperliquid.venue import CODES as HYPERLIQUID_CODES
from haltline_broker_ccxt.hyperliquid.wire import Translator as Hyperliquid
from haltline_broker_ccxt.market import Leg, Market, Markets, read_markets, spec_of
from haltline_broker_ccxt.row import Malformed

BTC = Market(
    name=Symbol("BTCUSDT"), ccxt="BTC/USDT:USDT", venue_id="BTCUSDT", tick=Decimal("0.1"), lot=Decimal("0.001"),
    contract_size=Decimal(1), settle="USDT", asset_class=AssetClass.PERPETUAL,
)  # fmt: skip
MARKETS = Markets([BTC])
ID = "hl-" + "0123456789ab" * 2
BYBIT = Bybit("main", MARKETS, ClientIds(for_bybit))
BINANCE = Binance("main", MARKETS, ClientIds(for_binance))
HYPERLIQUID = Hyperliquid("main", MARKETS, ClientIds(for_hyperliquid), "0xAbC")


def request(**more: object) -> OrderRequest:
    usual = {"account": "main", "symbol": "BTCUSDT", "side": Side.SELL, "quantity": Decimal("0.5"), "client_id": ID}
    return OrderRequest(**{**usual, **more})


# -- ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [for_bybit, for_binance, for_hyperliquid, as_it_is])
@pytest.mark.parametrize("ours", [ID, "short", "a much longer id than any venue takes, with spaces and ünïcode", ""])
def test_an_id_comes_back_as_it_was(shape, ours: str) -> None:
    ids = ClientIds(shape)
    assert ids.to_ours(ids.to_venue(ours)) == ours


def test_our_own_ids_come_back_from_hyperliquid_after_a_restart() -> None:
    there = ClientIds(for_hyperliquid).to_venue(ID)
    assert len(there) == 34
    assert int(there, 16)
    assert ClientIds(for_hyperliquid).to_ours(there) == ID


@pytest.mark.parametrize(("shape", "most"), [(for_bybit, 36), (for_binance, 36), (for_hyperliquid, 34)])
def test_an_id_is_made_the_same_each_time_and_fits(shape, most: int) -> None:
    long = "x" * 200
    assert shape(long) == shape(long)
    assert len(shape(long)) <= most
    assert shape(long) != shape(long + "y")


# -- markets -----------------------------------------------------------------------------------------------------------


def raw_market(**more: object) -> dict[str, object]:
    usual = {
        "symbol": "ETH/USDT:USDT", "id": "ETHUSDT", "base": "ETH", "quote": "USDT", "settle": "USDT", "type": "swap",
        "swap": True, "spot": False, "active": True, "inverse": False, "option": False, "contractSize": "0.1",
        "precision": {"price": 0.01, "amount": 1}, "info": {}, "expiry": None,
    }  # fmt: skip
    return {**usual, **more}


def test_a_market_has_our_name_the_library_s_and_the_venue_s() -> None:
    expiring = raw_market(symbol="ETH/USDT:USDT-261225", id="ETH-25DEC26", expiry=1_798_185_600_000, type="future")
    inverse = raw_market(symbol="ETH/USD:ETH", id="ETHUSD", inverse=True)
    raw = {str(number): each for number, each in enumerate((raw_market(), expiring, inverse))}
    markets = read_markets(raw, {"ether": "ETH/USDT:USDT"}, wants=frozenset({"swap", "future"}))
    assert [each.name for each in markets] == ["ether", "ETHUSDT-261225"]
    assert markets.name_of("ETHUSDT", Leg.SHORT) == "ether:SHORT"
    assert markets.name_of("NEWUSDT") == "NEWUSDT"
    with pytest.raises(Refused, match="no market"):
        markets.find("ETHUSD")


def test_a_contract_is_worth_its_size_and_keeps_what_was_set_up() -> None:
    (market,) = read_markets({"0": raw_market()}, {}, wants=frozenset({"swap"}))
    set_up = InstrumentSpec(symbol=Symbol("ETHUSDT"), weight=2.0, calendar="CMES", tick_size=Decimal(9))
    spec = spec_of(market, Leg.SHORT, set_up)
    assert (spec.symbol, spec.multiplier, spec.tick_size) == ("ETHUSDT:SHORT", Decimal("0.1"), Decimal("0.01"))
    assert (spec.weight, spec.calendar, spec.underlying) == (2.0, "CMES", "ETHUSDT")


# -- failures ----------------------------------------------------------------------------------------------------------


def verdict(failure: Exception, codes, *, mutates: bool = True) -> type:
    return type(judge(failure, venue="V", codes=codes, mutates=mutates, wait_s=lambda: 1.5))


def caused(failure: Exception, cause: Exception) -> Exception:
    failure.__cause__ = cause
    return failure


@pytest.mark.parametrize(
    ("failure", "codes", "expected"),
    [
        (ccxt.RequestTimeout("v"), BYBIT_CODES, OutcomeUnknown),
        (ccxt.ExchangeNotAvailable("v"), BYBIT_CODES, OutcomeUnknown),
        (ccxt.ExchangeError('v {"retCode":10016,"retMsg":"Server error"}'), BYBIT_CODES, OutcomeUnknown),
        (caused(ccxt.ExchangeError("v POST u"), ClientConnectionError()), BYBIT_CODES, OutcomeUnknown),
        (ccxt.ExchangeError("v <html>502</html>"), BYBIT_CODES, OutcomeUnknown),
        (ccxt.InsufficientFunds('v {"retCode":110007,"retMsg":"ab not enough"}'), BYBIT_CODES, Refused),
        (ccxt.ExchangeError('v {"retCode":999999,"retMsg":"something new"}'), BYBIT_CODES, Refused),
        (ccxt.RateLimitExceeded('v {"retCode":10006,"retMsg":"Too many visits!"}'), BYBIT_CODES, Transient),
        (ccxt.OperationFailed('v {"code":-1000,"msg":"execution status unknown"}'), BINANCE_CODES, OutcomeUnknown),
        (ccxt.ExchangeError('v {"code":-2019,"msg":"Margin is insufficient."}'), BINANCE_CODES, Refused),
        (ccxt.ExchangeError('v {"code":-1008,"msg":"overloaded"}'), BINANCE_CODES, Transient),
        (ccxt.DDoSProtection("v 418"), BINANCE_CODES, Transient),
        (ccxt.OrderNotFound('v {"code":-2013,"msg":"Order does not exist."}'), BINANCE_CODES, Gone),
        (ccxt.ExchangeError('v {"code":-4108,"msg":"closed"}'), BINANCE_CODES, SessionClosed),
        (ccxt.ExchangeError('v {"status":"err","response":"Too many requests"}'), HYPERLIQUID_CODES, Transient),
        (ccxt.ExchangeError('v {"status":"unknownOid"}'), HYPERLIQUID_CODES, Gone),
        (ccxt.ExchangeError('v {"response":{"data":{"statuses":[{"error":"no"}]}}}'), HYPERLIQUID_CODES, Refused),
        (ccxt.ArgumentsRequired("v needs a price"), HYPERLIQUID_CODES, Refused),
    ],
)  # fmt: skip
def test_a_failed_order_is_judged_by_the_venue_s_own_code(failure: Exception, codes, expected: type) -> None:
    assert verdict(failure, codes) is expected


def test_a_failed_question_is_only_asked_again() -> None:
    assert verdict(ccxt.RequestTimeout("v"), BYBIT_CODES, mutates=False) is Transient


def test_nothing_secret_is_said() -> None:
    address = "https://v/fapi/v1/order?symbol=B&signature=0123456789abcdef"
    told = str(
        judge(ccxt.RequestTimeout(f"v GET {address}"), venue="V", codes=BINANCE_CODES, mutates=True, wait_s=float)
    )
    assert "0123456789abcdef" not in told


# -- Bybit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "symbol", "quantity"),
    [
        ({"positionIdx": 0, "side": "Buy", "size": "1.5", "avgPrice": "100"}, "BTCUSDT", "1.5"),
        ({"positionIdx": 0, "side": "Sell", "size": "1.5", "entryPrice": "100"}, "BTCUSDT", "-1.5"),
        ({"positionIdx": 1, "side": "Buy", "size": "1", "avgPrice": "100"}, "BTCUSDT:LONG", "1"),
        ({"positionIdx": "2", "side": "Sell", "size": "2", "avgPrice": "100"}, "BTCUSDT:SHORT", "-2"),
        ({"positionIdx": 0, "side": "", "size": "0", "avgPrice": ""}, "BTCUSDT", "0"),
    ],
)
def test_a_position_of_bybit(row: dict[str, object], symbol: str, quantity: str) -> None:
    found = BYBIT.position({"symbol": "BTCUSDT", "liqPrice": "", **row}, 1, 2)
    assert (found.symbol, found.quantity, found.liquidation_price) == (symbol, Decimal(quantity), None)


@pytest.mark.parametrize(
    "row",
    [
        {"positionIdx": 0, "side": "Buy"},
        {"positionIdx": 0, "side": "Buy", "size": ""},
        {"positionIdx": 0, "side": "Buy", "size": "NaN"},
        {"positionIdx": 0, "side": "Buy", "size": "1e9999999999"},
        {"positionIdx": 0, "side": "Neither", "size": "1"},
        {"positionIdx": 7, "side": "Buy", "size": "1"},
        {"positionIdx": 0, "side": "Buy", "size": []},
    ],
)
def test_a_position_that_cannot_be_read_is_not_made_up(row: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        BYBIT.position({"symbol": "BTCUSDT", **row}, 1, 2)


BYBIT_ORDER = {
    "orderId": "o1", "orderLinkId": ID, "symbol": "BTCUSDT", "side": "Sell", "qty": "1", "cumExecQty": "0",
    "orderType": "Market", "orderStatus": "Untriggered", "triggerPrice": "90", "triggerDirection": 2, "price": "0",
    "stopOrderType": "Stop", "reduceOnly": True, "createdTime": "5", "positionIdx": 0, "rejectReason": "EC_NoError",
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, OrderType.STOP),
        ({"orderType": "Limit", "price": "89"}, OrderType.STOP_LIMIT),
        ({"triggerDirection": 1}, OrderType.LIMIT),
        ({"stopOrderType": "TakeProfit"}, OrderType.LIMIT),
        ({"stopOrderType": "StopLoss", "qty": "0"}, OrderType.STOP),
        ({"stopOrderType": "TrailingStop"}, OrderType.TRAILING_STOP),
        ({"triggerPrice": "", "orderType": "Limit", "price": "200"}, OrderType.LIMIT),
    ],
)
def test_what_takes_a_profit_at_bybit_is_no_stop(more: dict[str, object], kind: OrderType) -> None:
    found = BYBIT.order({**BYBIT_ORDER, **more}, {"BTCUSDT": Decimal(3)})
    assert found.type is kind
    assert found.client_id == ID
    assert found.quantity == (3 if more.get("qty") == "0" else 1)


def test_funding_and_rebates_of_bybit_are_flows() -> None:
    row = {"symbol": "BTCUSDT", "execId": "e", "execQty": "1", "execPrice": "100", "side": "Buy", "orderId": "o"}
    (funding,) = BYBIT.execution({**row, "execType": "Funding", "execFee": "0.7"}, 1, 2)
    assert isinstance(funding, CashFlow)
    assert (funding.amount, funding.is_result) == (Decimal("-0.7"), True)
    fill, rebate = BYBIT.execution({**row, "execType": "Trade", "execFee": "-0.2"}, 1, 2)
    assert isinstance(fill, Fill)
    assert (fill.fee, rebate.amount) == (0, Decimal("0.2"))


def test_what_an_execution_of_bybit_earned_is_its_own_word_where_it_closes_something() -> None:
    """A fill that is read after the position it made moves no lot of ours: without the word its profit would be 0."""
    row = {"symbol": "BTCUSDT", "execId": "e", "execQty": "1", "execPrice": "100", "side": "Buy", "orderId": "o",
           "execType": "Trade", "execFee": "0"}  # fmt: skip
    (closes,) = BYBIT.execution({**row, "closedSize": "1", "execPnl": "-7.5"}, 1, 2)
    (opens,) = BYBIT.execution({**row, "closedSize": "0", "execPnl": "0"}, 1, 2)
    (silent,) = BYBIT.execution({**row, "closedSize": "1"}, 1, 2)
    assert [each.pnl for each in (closes, opens, silent)] == [Decimal("-7.5"), None, None]


def test_an_order_for_bybit_says_side_and_reduce_only_raw() -> None:
    asked = bybit_order(request(symbol="BTCUSDT:SHORT", side=Side.BUY, reduce_only=True), BTC, ID)
    assert (asked["positionIdx"], asked["reduceOnly"], asked["qty"], asked["orderLinkId"]) == (2, True, "0.5", ID)
    stop = bybit_order(request(type=OrderType.STOP, stop_price=Decimal("1E+5")), BTC, ID)
    assert (stop["triggerPrice"], stop["triggerDirection"]) == ("100000", 2)


# -- Binance -----------------------------------------------------------------------------------------------------------


def test_conditional_orders_of_binance_have_ids_of_their_own() -> None:
    row = {
        "algoId": 7, "clientAlgoId": ID, "orderType": "STOP_MARKET", "symbol": "BTCUSDT", "side": "SELL",
        "positionSide": "BOTH", "quantity": "0", "algoStatus": "NEW", "triggerPrice": "90", "price": "0",
        "reduceOnly": False, "closePosition": True, "createTime": 5,
    }  # fmt: skip
    found = BINANCE.order(row, {"BTCUSDT": Decimal(-2)})
    assert (found.order_id, found.type, found.stop_price) == ("algo-7", OrderType.STOP, 90)
    assert (found.quantity, found.reduce_only, found.client_id) == (2, True, ID)
    taking = BINANCE.order({**row, "orderType": "TAKE_PROFIT_MARKET"}, {})
    assert (taking.type, taking.limit_price) == (OrderType.LIMIT, 90)


def test_a_sort_of_order_that_is_not_known_blinds_nobody_and_protects_nothing() -> None:
    row = {"orderId": 7, "symbol": "BTCUSDT", "side": "SELL", "type": "NEW_SORT", "status": "NEW", "origQty": "1"}
    assert BINANCE.order(row, {}).type is OrderType.LIMIT
    told = {"coin": "BTCUSDT", "side": "A", "oid": 7, "origSz": "1", "sz": "1", "orderType": "New sort"}
    assert HYPERLIQUID.order(told, "open", {}).type is OrderType.LIMIT


def test_pushes_of_binance() -> None:
    held: dict[str, Decimal] = {}
    account = {"e": "ACCOUNT_UPDATE", "a": {"B": [], "P": [{"s": "BTCUSDT", "pa": "-2", "ep": "9", "ps": "SHORT"}]}}
    (position,) = BINANCE.pushed(account, held, 1, 2)
    assert (position.symbol, position.quantity, held) == ("BTCUSDT:SHORT", -2, {"BTCUSDT:SHORT": -2})
    traded = {
        "s": "BTCUSDT", "c": ID, "S": "BUY", "o": "MARKET", "ot": "MARKET", "q": "2", "z": "2", "X": "FILLED",
        "x": "TRADE", "i": 5, "t": 9, "l": "2", "L": "8", "n": "0.1", "rp": "3", "ps": "SHORT", "T": 1, "R": False,
    }  # fmt: skip
    update, fill = BINANCE.pushed({"e": "ORDER_TRADE_UPDATE", "o": traded}, held, 1, 2)
    assert (update.order.status, update.order.reduce_only) == (OrderStatus.FILLED, True)
    assert (fill.fill_id, fill.quantity, fill.pnl) == ("BTCUSDT-9", 2, 3)


def test_orders_for_binance() -> None:
    stop = binance_order(request(type=OrderType.STOP, stop_price=Decimal(90), reduce_only=True), BTC, ID)
    assert (stop["algoType"], stop["clientAlgoId"], stop["reduceOnly"]) == ("CONDITIONAL", ID, "true")
    hedge = binance_order(request(symbol="BTCUSDT:LONG", reduce_only=True), BTC, ID)
    assert hedge["positionSide"] == "LONG"
    assert "reduceOnly" not in hedge
    with pytest.raises(Refused, match="larger"):
        binance_order(request(symbol="BTCUSDT:LONG", side=Side.BUY, reduce_only=True), BTC, ID)


# -- Hyperliquid -------------------------------------------------------------------------------------------------------


def test_the_state_of_hyperliquid() -> None:
    position = {"coin": "BTCUSDT", "szi": "-2", "entryPx": "100", "unrealizedPnl": "-30", "liquidationPx": None,
                "marginUsed": "5", "leverage": {"type": "cross", "value": 20}}  # fmt: skip
    state = {"marginSummary": {"accountValue": "970", "totalMarginUsed": "5"}, "withdrawable": "900",
             "assetPositions": [{"position": position}]}  # fmt: skip
    account, (held,) = HYPERLIQUID.state(state, 1, 2)
    assert (account.equity, account.balance, held.quantity, held.leverage) == (970.0, 1000, -2, 20.0)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("open", OrderStatus.WORKING), ("filled", OrderStatus.FILLED), ("reduceOnlyCanceled", OrderStatus.CANCELLED),
        ("scheduledCancel", OrderStatus.CANCELLED), ("perpMarginRejected", OrderStatus.REJECTED),
    ],
)  # fmt: skip
def test_every_end_of_an_order_at_hyperliquid(said: str, status: OrderStatus) -> None:
    row = {"coin": "BTCUSDT", "side": "A", "oid": 7, "origSz": "1", "sz": "1", "orderType": "Limit", "limitPx": "9"}
    assert HYPERLIQUID.order(row, said, {}).status is status


def test_a_push_moves_a_known_stop_and_leaves_it_a_stop() -> None:
    row = {"coin": "BTCUSDT", "side": "A", "oid": 7, "origSz": "2", "sz": "2", "orderType": "Stop Market",
           "triggerPx": "90", "limitPx": "85", "reduceOnly": True}  # fmt: skip
    stop = HYPERLIQUID.order(row, "open", {})
    moved = HYPERLIQUID.progress(stop, {"origSz": "2", "sz": "0.5"}, "triggered")
    assert (moved.type, moved.stop_price, moved.filled) == (OrderType.STOP, 90, Decimal("1.5"))
