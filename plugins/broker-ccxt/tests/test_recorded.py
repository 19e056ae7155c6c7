"""What the venues really sent, recorded by others: every row is read, and says what its file's name promises."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from haltline.model.event import Fill
from haltline.model.order import OrderType
from haltline_broker_ccxt.binance.wire import Translator as Binance
from haltline_broker_ccxt.bybit.wire import Translator as Bybit
from haltline_broker_ccxt.clientid import ClientIds, for_binance, for_bybit, for_hyperliquid
from haltline_broker_ccxt.hyperliquid.wire import Translator as Hyperliquid
from haltline_broker_ccxt.market import Markets

MESSAGES = Path(__file__).parents[4] / "shared/data/messages"
BYBIT = Bybit("main", Markets(()), ClientIds(for_bybit))
BINANCE = Binance("main", Markets(()), ClientIds(for_binance))
HYPERLIQUID = Hyperliquid("main", Markets(()), ClientIds(for_hyperliquid), "0x0")


def recorded(venue: str, name: str):
    archive = MESSAGES / f"nautilus_{venue}.tar.gz"
    if not archive.exists():
        pytest.skip("the shared data set is not here")
    with tarfile.open(archive) as files:
        found = files.extractfile(name)
        assert found is not None
        return json.load(io.TextIOWrapper(found, "utf-8"))


def order_type(name: str) -> list[OrderType]:
    return [BYBIT.order(row, {}).type for row in recorded("bybit", f"ws_account_order{name}.json")["data"]]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", OrderType.LIMIT), ("_stop_market", OrderType.STOP), ("_buy_stop_market", OrderType.STOP),
        ("_stop_limit", OrderType.STOP_LIMIT), ("_stop_loss", OrderType.STOP), ("_take_profit", OrderType.LIMIT),
        ("_market_if_touched", OrderType.LIMIT), ("_sell_market_if_touched", OrderType.LIMIT),
        ("_limit_if_touched", OrderType.LIMIT),
    ],
)  # fmt: skip
def test_orders_of_bybit_are_of_the_type_they_act_as(name: str, kind: OrderType) -> None:
    assert set(order_type(name)) == {kind}


@pytest.mark.parametrize(
    "name", ["http_get_orders_realtime", "http_get_orders_realtime_tp_sl", "http_get_orders_history"]
)
def test_lists_of_orders_of_bybit_are_read_whole(name: str) -> None:
    rows = recorded("bybit", f"{name}.json")["result"]["list"]
    assert [BYBIT.order(row, {}).order_id for row in rows] == [row["orderId"] for row in rows]


@pytest.mark.parametrize("name", ["ws_account_position", "ws_account_position_short"])
def test_positions_of_bybit(name: str) -> None:
    for row in recorded("bybit", f"{name}.json")["data"]:
        found = BYBIT.position(row, 1, 2)
        assert (found.quantity < 0) == (row["side"] == "Sell")
        assert found.average_price > 0


def test_the_wallet_and_executions_of_bybit() -> None:
    wallet = BYBIT.wallet(recorded("bybit", "http_get_wallet_balance.json")["result"]["list"][0], 1, 2)
    assert wallet.equity is not None
    fills = [
        event
        for name in ("ws_account_execution", "ws_account_execution_adl")
        for row in recorded("bybit", f"{name}.json")["data"]
        for event in BYBIT.execution(row, 1, 2)
        if isinstance(event, Fill)
    ]
    assert fills
    assert all(fill.quantity > 0 and fill.price > 0 for fill in fills)


PUSHES = ("account_update", *(f"order_update_{name}" for name in (
    "new", "trade", "trade_partial", "adl", "calculated", "calculated_pending", "delivery", "insurance", "settlement",
)))  # fmt: skip


@pytest.mark.parametrize("name", PUSHES)
def test_pushes_of_binance_are_read(name: str) -> None:
    assert list(BINANCE.pushed(recorded("binance", f"futures/user_data_json/{name}.json"), {}, 1, 2))


def test_positions_and_conditional_orders_of_binance() -> None:
    rows = recorded("binance", "futures/http_json/position_risk.json")
    assert [str(BINANCE.position(row, 1, 2).quantity) for row in rows] == [row["positionAmt"] for row in rows]
    (first, *_) = recorded("binance", "futures/http_json/open_algo_orders.json")
    stop = BINANCE.order(first, {})
    assert (stop.type, str(stop.stop_price)) == (OrderType.STOP, first["triggerPrice"])


def test_a_liquidation_at_hyperliquid_is_a_fill() -> None:
    (row,) = recorded("hyperliquid", "ws_user_fill_liquidation.json")["data"]["fills"]
    (fill,) = HYPERLIQUID.fill(row, 1, 2)
    assert (fill.fill_id, str(fill.price)) == (str(row["tid"]), row["px"])
