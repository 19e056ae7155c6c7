"""What the genuine ccxt clients find at each of the three simulators, all the same."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt")
CLOID = "0x" + "ab" * 16
D = Decimal


def client_id(desk: Any, text: str = "halt-1") -> str:
    return CLOID if desk.sim.venue == "hyperliquid" else text


async def test_markets_have_steps_and_ticks(desk: Any) -> None:
    assert len(desk.client.markets) == 3
    market = desk.client.market(desk.symbol)
    assert market["linear"]
    assert market["swap"]
    assert D(str(market["precision"]["amount"])) == desk.sim.market("BTC").instrument.step


async def test_the_balance_is_the_accounts(desk: Any) -> None:
    coin = desk.symbol.rpartition(":")[2]
    assert (await desk.client.fetch_balance())[coin]["total"] == 10_000
    desk.sim.deposits(-500)
    assert (await desk.client.fetch_balance())[coin]["total"] == 9_500


async def test_the_ticker_is_the_scripted_price(desk: Any) -> None:
    desk.sim.price("BTCUSDT", 51_000)
    assert (await desk.client.fetch_tickers([desk.symbol]))[desk.symbol]["last"] == 51_000


async def test_a_position_has_side_size_entry_mark_and_profit(desk: Any) -> None:
    await desk.buys(0.01)
    desk.sim.price("BTC", 61_000)
    [found] = await desk.client.fetch_positions()
    held = desk.sim.position("BTC")
    assert (found["symbol"], found["side"], found["contracts"]) == (desk.symbol, "long", 0.01)
    assert found["entryPrice"] == float(held.entry)
    assert found["unrealizedPnl"] == pytest.approx(float(held.profit(D(61_000))))
    assert found["leverage"] in (10, None)


async def test_a_short_has_a_liquidation_price(desk: Any) -> None:
    await desk.sells(1)
    [found] = await desk.client.fetch_positions()
    assert (found["side"], found["contracts"]) == ("short", 1)
    assert 60_000 < found["liquidationPrice"] < 80_000


async def test_nothing_held_is_no_position(desk: Any) -> None:
    assert await desk.client.fetch_positions() == []


async def test_a_limit_order_rests_is_found_and_is_cancelled(desk: Any) -> None:
    made = await desk.bids(0.01, 50_000)
    [found] = await desk.client.fetch_open_orders(desk.symbol)
    assert (found["id"], found["status"], found["price"], found["amount"]) == (made["id"], "open", 50_000, 0.01)
    await desk.client.cancel_order(made["id"], desk.symbol)
    assert await desk.client.fetch_open_orders(desk.symbol) == []
    with pytest.raises(ccxt.OrderNotFound):
        await desk.client.cancel_order(made["id"], desk.symbol)


async def test_everything_is_cancelled(desk: Any) -> None:
    for price in (50_000, 51_000):
        await desk.bids(0.01, price)
    if desk.sim.venue == "hyperliquid":
        ids = [each["id"] for each in await desk.client.fetch_open_orders()]
        await desk.client.cancel_orders(ids, desk.symbol)
    else:
        await desk.client.cancel_all_orders(desk.symbol)
    assert desk.sim.open_orders == []


async def test_a_close_larger_than_the_position_is_trimmed(desk: Any) -> None:
    desk.sim.trades("BTC", 0.02)
    await desk.sells(1, reduceOnly=True)
    assert desk.sim.position("BTC").quantity == 0
    with pytest.raises(ccxt.ExchangeError):
        await desk.sells(1, reduceOnly=True)


async def test_a_client_id_is_kept_and_its_repetition_refused(desk: Any) -> None:
    name = client_id(desk)
    await desk.bids(0.01, 50_000, clientOrderId=name)
    [found] = await desk.client.fetch_open_orders(desk.symbol)
    assert found["clientOrderId"] == name
    with pytest.raises(ccxt.ExchangeError):
        await desk.bids(0.01, 50_000, clientOrderId=name)
    assert len(desk.sim.open_orders) == 1


async def test_a_stop_waits_and_closes(desk: Any) -> None:
    desk.sim.trades("BTC", 0.01)
    more: dict[str, Any] = {"stopLossPrice": 55_000, "reduceOnly": True}
    price = 55_000 if desk.sim.venue == "hyperliquid" else None
    await desk.client.create_order(desk.symbol, "market", "sell", 0.01, price, more)
    where = {"trigger": True} if desk.sim.venue == "binance" else {}
    [found] = await desk.client.fetch_open_orders(desk.symbol, None, None, where)
    assert float(found["triggerPrice"]) == 55_000
    assert found["reduceOnly"]
    desk.sim.price("BTC", 54_000)
    assert desk.sim.position("BTC").quantity == 0


async def test_trades_are_listed_with_fee(desk: Any) -> None:
    await desk.buys(0.01)
    [found] = await desk.client.fetch_my_trades(desk.symbol)
    assert (found["side"], found["amount"]) == ("buy", 0.01)
    assert found["fee"]["cost"] == pytest.approx(float(desk.sim.account.fills[0].fee), abs=1e-6)


async def test_leverage_is_set(desk: Any) -> None:
    await desk.client.set_leverage(5, desk.symbol)
    assert desk.sim.account.leverage(desk.sim.market("BTC").instrument.symbol) == 5
    with pytest.raises(ccxt.ExchangeError):
        await desk.client.set_leverage(1000, desk.symbol)


async def test_what_a_person_does_at_the_venue_is_seen(desk: Any) -> None:
    desk.sim.trades("BTCUSDT", 0.05)
    order = desk.sim.orders("BTCUSDT", 0.01, price=40_000)
    [position] = await desk.client.fetch_positions()
    [found] = await desk.client.fetch_open_orders(desk.symbol)
    assert (position["contracts"], found["price"]) == (0.05, 40_000)
    desk.sim.cancels(order)
    desk.sim.flattens()
    assert (await desk.client.fetch_positions(), await desk.client.fetch_open_orders(desk.symbol)) == ([], [])


async def test_every_request_is_recorded_with_its_parameters(desk: Any) -> None:
    await desk.bids(0.01, 50_000, clientOrderId=client_id(desk))
    [asked] = desk.sim.calls("place")
    assert client_id(desk) in str(asked.parameters)
    assert (await desk.sim.wait_for_call("place")) is asked


# -- streams ----------------------------------------------------------------------------------------------------------


async def test_every_watch_hears_of_a_fill(desk: Any) -> None:
    client = desk.client
    desk.watch("orders", client.watch_orders)
    desk.watch("fills", client.watch_my_trades)
    desk.watch("positions", client.watch_positions)
    desk.watch("balance", client.watch_balance)
    for topic in ("order", "execution", "position", "wallet"):
        await desk.sim.wait_for_stream(topic=topic)
    desk.sim.trades("BTC", 0.01)
    fills = await desk.until(lambda: desk.seen["fills"])
    assert (fills[0][0]["amount"], fills[0][0]["side"]) == (0.01, "buy")
    orders = await desk.until(lambda: desk.seen["orders"])
    assert orders[0][0]["status"] in ("closed", "open")
    positions = await desk.until(lambda: [each for each in desk.seen["positions"] if each])
    assert (positions[0][0]["side"], positions[0][0]["contracts"]) == ("long", 0.01)
    await desk.until(lambda: desk.seen["balance"])
    assert desk.failed == []


async def test_quotes_come_as_the_price_moves(desk: Any) -> None:
    desk.watch("ticker", lambda: desk.client.watch_ticker(desk.symbol))
    desk.watch("book", lambda: desk.client.watch_order_book(desk.symbol))
    desk.watch("trades", lambda: desk.client.watch_trades(desk.symbol))
    await desk.until(lambda: desk.seen["ticker"] and desk.seen["book"])
    topic = {"bybit": "publicTrade", "binance": "@trade", "hyperliquid": "trades"}[desk.sim.venue]
    await desk.sim.wait_for_stream("public", topic=topic)
    desk.sim.price("BTC", 61_000)
    await desk.until(lambda: desk.seen["trades"])
    last = float(desk.sim.market("BTC").last)
    await desk.until(lambda: desk.seen["ticker"][-1]["last"] == last)
    await desk.until(lambda: desk.seen["book"][-1]["asks"][0][0] > last)
    assert desk.seen["book"][-1]["bids"][0][0] < last < desk.seen["book"][-1]["asks"][0][0]


async def test_a_closed_stream_is_opened_again_with_its_subscriptions(desk: Any) -> None:
    desk.watch("orders", desk.client.watch_orders)
    await desk.sim.wait_for_stream(topic="order")
    before = desk.sim.streams.opened
    desk.sim.streams.close("private", code=1001)
    await desk.until(lambda: desk.failed)
    await desk.sim.watch.until(lambda: desk.sim.streams.opened > before or None, timeout_s=5)
    await desk.sim.wait_for_stream(topic="order")
    desk.sim.orders("BTC", 0.01, price=40_000)
    await desk.until(lambda: desk.seen["orders"])
    assert isinstance(desk.failed[0], ccxt.NetworkError)


# -- bars -------------------------------------------------------------------------------------------------------------


async def test_bars_of_four_hours_go_back_thirty_days(desk: Any) -> None:
    bar_ms = 14_400_000
    since = desk.sim.now_ms() - 30 * 86_400_000
    bars = await desk.client.fetch_ohlcv(desk.symbol, "4h", since, 200)
    assert [later[0] - earlier[0] for earlier, later in pairwise(bars)] == [bar_ms] * 179
    assert all(low <= min(first, last) <= max(first, last) <= high for _, first, high, low, last, _ in bars)
    assert bars[0][0] >= since
    assert bars == await desk.client.fetch_ohlcv(desk.symbol, "4h", since, 200)


async def test_the_bar_under_way_ends_at_the_last_price(desk: Any) -> None:
    desk.sim.price("BTC", 61_000)
    bars = await desk.client.fetch_ohlcv(desk.symbol, "1h", None, 5)
    assert bars[-1][4] == 61_000
    assert bars[-1][0] <= desk.sim.now_ms() < bars[-1][0] + 3_600_000
