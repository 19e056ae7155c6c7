"""Fields and their types against messages that were recorded at the venues."""

import gzip
import json
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from haltline_sim_crypto import binance_shape, bybit_shape, hyperliquid_shape
from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim
from haltline_sim_crypto.order import Leg

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not (DATA / "messages").is_dir(), reason="../shared/data/messages is not there")
NOW = 1_700_000_000_000
type Json = Any


@cache
def archive(name: str) -> dict[str, Json]:
    with tarfile.open(DATA / "messages" / f"{name}.tar.gz") as found:
        texts = {
            each.name: handle.read()
            for each in found.getmembers()
            if each.name.endswith(".json") and (handle := found.extractfile(each)) is not None
        }
    return {name: json.loads(content) for name, content in texts.items() if content.strip()}


def first(given: Json, *path: str | int) -> Json:
    for step in path:
        given = given[step]
    return given


def family(given: Json) -> str:
    return "number" if isinstance(given, int | float) and not isinstance(given, bool) else type(given).__name__


def departures(recorded: Json, ours: Json, known: frozenset[str]) -> list[str]:
    """Fields that the venue has and we have not, and fields of another type; `known` ones are passed over."""
    missing = [f"{name}: missing" for name in recorded if name not in ours and name not in known]
    typed = [
        f"{name}: {family(ours[name])} where the venue has {family(theirs)}"
        for name, theirs in recorded.items()
        if name in ours
        and name not in known
        and None not in (theirs, ours[name])
        and family(theirs) != family(ours[name])
    ]
    return missing + typed


@cache
def bybit() -> dict[str, Json]:
    sim = BybitSim()
    order = sim.trades("BTC", 0.01)
    position = sim.position("BTC")
    return {
        "order": bybit_shape.order_row(order), "execution": bybit_shape.execution_row(sim.account.fills[0]),
        "position": bybit_shape.position_row(sim.account, position),
        "told": bybit_shape.told_position(sim.account, position), "wallet": bybit_shape.wallet_row(sim.account),
        "coin": bybit_shape.wallet_row(sim.account)["coin"][0],
        "instrument": bybit_shape.instrument_row(sim.market("BTC").instrument),
        "ticker": bybit_shape.ticker_row(sim.market("BTC"), NOW),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "path", "name", "known"),
    [
        ("ws_account_order_filled", ("data", 0), "order", ""),
        ("ws_account_order_stop_market", ("data", 0), "order", ""),
        ("http_get_orders_realtime", ("result", "list", 0), "order", ""),
        ("http_get_orders_history", ("result", "list", 0), "order", ""),
        ("ws_account_execution", ("data", 0), "execution", ""),
        ("http_get_executions", ("result", "list", 0), "execution", ""),
        ("http_get_positions", ("result", "list", 0), "position", ""),
        ("ws_account_position", ("data", 0), "told", ""),
        ("http_get_wallet_balance", ("result", "list", 0), "wallet", ""),
        ("http_get_wallet_balance", ("result", "list", 0, "coin", 0), "coin", ""),
        ("ws_ticker_linear", ("data",), "ticker", ""),
        ("http_get_instruments_linear", ("result", "list", 0), "instrument", ""),
    ],
)
def test_bybit(file: str, path: tuple[str | int, ...], name: str, known: str) -> None:
    recorded = first(archive("nautilus_bybit")[f"{file}.json"], *path)
    assert departures(recorded, bybit()[name], frozenset(known.split())) == []


_STREAMS = ("markPrice", "bookTicker", "ticker", "aggTrade", "depth")


@cache
def binance() -> dict[str, Json]:
    sim = BinanceSim()
    told: list[Json] = []
    sim.account.listeners.append(lambda account, event: told.extend(sim._says._messages(account, event)))
    order = sim.trades("BTC", 0.01)
    stop = sim.orders("BTC", -0.01, stop=50_000, reduces=True)
    position, market = sim.position("BTC"), sim.market("BTC")
    account = binance_shape.account_row(sim.account, NOW)
    row = binance_shape.account_position(sim.account, position)
    return {
        "order": binance_shape.order_row(order), "trade": binance_shape.trade_row(sim.account.fills[0]),
        "algo": binance_shape.algo_row(stop, None), "account": account | {"positions": [row]},
        "asset": account["assets"][0], "account position": row,
        "risk": binance_shape.old_risk_row(sim.account, position),
        "instrument": binance_shape.instrument_row(market.instrument),
        "day": binance_shape.ticker_row(market, NOW), "premium": binance_shape.premium_row(market, NOW),
        "order update": next(each["o"] for each in told if each["e"] == "ORDER_TRADE_UPDATE"),
        "account update": next(each["a"] for each in told if each["e"] == "ACCOUNT_UPDATE"),
        "position update": next(each["a"]["P"][0] for each in told if each["e"] == "ACCOUNT_UPDATE"),
        "algo update": next(each["o"] for each in told if each["e"] == "ALGO_UPDATE"),
        **{kind: sim._says._quote(f"btcusdt@{kind}", market) for kind in _STREAMS},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "path", "name", "known"),
    [
        ("futures/http_json/order_response", (), "order", ""),
        ("futures/http_json/open_algo_orders", (0,), "algo", "type"),
        ("futures/http_json/account_info_v2", (), "account", ""),
        ("futures/http_json/account_info_v2", ("assets", 0), "asset", ""),
        ("futures/http_json/account_info_v2", ("positions", 0), "account position", ""),
        ("futures/http_json/position_risk", (0,), "risk", ""),
        ("futures/user_data_json/order_update_trade", ("o",), "order update", "AP cr"),
        ("futures/user_data_json/account_update", ("a",), "account update", ""),
        ("futures/user_data_json/account_update", ("a", "P", 0), "position update", ""),
        ("futures/user_data_json/algo_update_new", ("o",), "algo update", "rm"),
        ("futures/market_data_json/mark_price_stream", (), "markPrice", "st"),
        ("futures/market_data_json/book_ticker_stream", (), "bookTicker", "st ps"),
        ("futures/market_data_json/ticker_stream", (), "ticker", "st"),
        ("futures/market_data_json/agg_trade_stream", (), "aggTrade", "st nq"),
        ("futures/market_data_json/depth_update_stream", (), "depth", "st ps"),
    ],
)
def test_binance(file: str, path: tuple[str | int, ...], name: str, known: str) -> None:
    recorded = first(archive("nautilus_binance")[f"{file}.json"], *path)
    assert departures(recorded, binance()[name], frozenset(known.split())) == []


@pytest.mark.parametrize(
    ("file", "path", "name", "known"),
    [
        ("http_futures_account_trades", (0,), "trade", ""),
        ("http_futures_market_exchange_info", ("symbols", 0), "instrument", "settlePlan"),
        ("http_futures_market_ticker_24hr", (0,), "day", ""),
        ("http_futures_market_premium_index", (0,), "premium", ""),
    ],
)
def test_binance_again(file: str, path: tuple[str | int, ...], name: str, known: str) -> None:
    recorded = archive("nautilus_binance_py")[f"http_responses/{file}.json"]
    recorded = first(recorded, *path) if isinstance(recorded, list) or path != (0,) else recorded
    assert departures(recorded, binance()[name], frozenset(known.split())) == []


def test_binance_market_streams_of_a_whole_session() -> None:
    with gzip.open(DATA / "messages" / "cryptofeed_BINANCE_FUTURES.ws.1.0.gz", "rt") as lines:
        texts = [line.partition(": ")[2] for line in lines]
    names = {"bookTicker": "bookTicker", "depthUpdate": "depth", "aggTrade": "aggTrade", "markPriceUpdate": "markPrice"}
    compared: set[str] = set()
    for line in texts:
        if not line.startswith("{"):
            continue
        message = json.loads(line).get("data", {})
        if isinstance(message, dict) and message.get("e") in names:
            compared.add(message["e"])
            assert departures(message, binance()[names[message["e"]]], frozenset()) == []
    assert {"bookTicker", "depthUpdate"} <= compared


@cache
def hyperliquid() -> dict[str, Json]:
    sim = HyperliquidSim()
    order = sim.trades("BTC", 0.01)
    state = hyperliquid_shape.state_row(sim.account, NOW)
    return {
        "state": state, "summary": state["marginSummary"], "position": state["assetPositions"][0]["position"],
        "order": hyperliquid_shape.basic_row(order), "front": hyperliquid_shape.order_row(order),
        "fill": hyperliquid_shape.fill_row(sim.account.fills[0]),
        "book": hyperliquid_shape.book_row(sim.market("BTC"), NOW),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "path", "name", "known"),
    [
        ("hyperliquid_user_state", (), "state", ""),
        ("hyperliquid_user_state", ("marginSummary",), "summary", ""),
        ("hyperliquid_user_state", ("assetPositions", 0, "position"), "position", "maxTradeSzs"),
        ("hyperliquid_open_orders", (0,), "order", ""),
        ("hyperliquid_user_fills", (0,), "fill", ""),
    ],
)
def test_hyperliquid(file: str, path: tuple[str | int, ...], name: str, known: str) -> None:
    recorded = first(json.loads((DATA / "fills" / f"{file}.json").read_text()), *path)
    assert departures(recorded, hyperliquid()[name], frozenset(known.split())) == []


def test_hyperliquid_books() -> None:
    recorded = archive("nautilus_hyperliquid")["http_l2_book_btc.json"]
    assert departures(recorded, hyperliquid()["book"], frozenset()) == []


def test_a_field_that_is_missing_or_of_another_type_is_found() -> None:
    found = departures({"a": "1", "b": 1, "c": None}, {"a": 1, "c": "x"}, frozenset())
    assert found == ["b: missing", "a: number where the venue has str"]


def test_legs_are_translated_both_ways() -> None:
    names: Callable[[Any], Any] = lambda found: {found[each] for each in found}  # noqa: E731
    assert names(bybit_shape.LEGS) == names(binance_shape.LEGS) == set(Leg)
