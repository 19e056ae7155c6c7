"""Every pitfall of ccxt and of the three venues that is known: the raw library falls in, the broker does not."""

import asyncio
import contextlib
from decimal import Decimal

import ccxt
import pytest

from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.event import CashFlow, ConnectionStatus, ConnectionUpdate, Fill, PositionReport, Quote
from haltline.model.order import OrderRequest, OrderType, Side
from haltline_broker_ccxt.client import make_exchange

pytestmark = pytest.mark.long
BTC = "BTC/USDT:USDT"
ID = "hl-" + "a" * 24
VENUES = ("bybit", "binance", "hyperliquid")


def order(symbol: str, quantity: str, **more: object) -> OrderRequest:
    signed = Decimal(quantity)
    side = Side.BUY if signed > 0 else Side.SELL
    return OrderRequest(account="main", symbol=symbol, side=side, quantity=abs(signed), **{"client_id": ID, **more})


def held(desk) -> dict[str, Decimal]:
    return {report.symbol: report.quantity for report in desk.of(PositionReport)}


# -- ccxt --------------------------------------------------------------------------------------------------------------


async def test_a_burst_of_positions_is_heard_whole_where_the_library_merges_it(raws, desks) -> None:
    """`watch_positions` gives the message that woke it; what comes before the next call is only in its cache."""

    def burst(sim) -> None:
        for coin, quantity in (("BTC", "0.1"), ("ETH", "1"), ("BTC", "0.1")):
            sim.trades(coin, quantity)

    options = {"watchPositions": {"fetchPositionsSnapshot": False}}
    async with raws("bybit", options=options) as (sim, raw):
        got = []

        async def listen() -> None:
            while True:
                got.extend((each["symbol"], each["contracts"]) for each in await raw.watch_positions())

        task = asyncio.ensure_future(listen())
        await sim.wait_for_stream("private", topic="position")
        burst(sim)
        await asyncio.sleep(0.5)
        task.cancel()
        assert len(got) < 3
    async with desks("bybit") as desk:
        await desk.sim.wait_for_stream("private", topic="position")
        desk.heard.clear()
        burst(desk.sim)
        await desk.until(lambda: len(desk.of(Fill)) == 3)
        pushed = [(each.symbol, each.quantity) for each in desk.of(PositionReport)][:3]
        assert pushed == [("BTCUSDT", Decimal("0.1")), ("ETHUSDT", Decimal(1)), ("BTCUSDT", Decimal("0.2"))]


async def test_one_bad_frame_ends_the_library_s_loop_and_only_our_connection(raws, desks) -> None:
    options = {"watchPositions": {"fetchPositionsSnapshot": False}}
    errors: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    async with raws("bybit", options=options) as (sim, raw):
        task = asyncio.ensure_future(raw.watch_positions())
        await sim.wait_for_stream("private", topic="position")
        sim.streams.malformed("private")
        await asyncio.sleep(0.2)
        sim.trades("BTC", "0.1")
        await asyncio.sleep(0.5)
        assert not task.done()  # it waits for ever
        task.cancel()
    async with desks("bybit") as desk:
        await desk.sim.wait_for_stream("private", topic="position")
        opened = desk.sim.streams.opened
        desk.sim.streams.malformed("private")
        await desk.until(lambda: desk.sim.streams.opened > opened)


async def test_refused_stream_credentials_hang_the_library_and_are_tried_again_by_us(raws, desks) -> None:
    options = {"watchPositions": {"fetchPositionsSnapshot": False}}
    async with raws("bybit", options=options) as (sim, raw):
        sim.rejects_stream_auth = True
        with contextlib.suppress(Exception):
            await asyncio.wait_for(raw.watch_positions(), 3)
        sim.rejects_stream_auth = False
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(raw.watch_positions(), 1)
    async with desks("bybit") as desk:
        desk.sim.rejects_stream_auth = True
        desk.sim.streams.abort()
        await desk.until(lambda: any(each.status is ConnectionStatus.DEGRADED for each in desk.of(ConnectionUpdate)))
        desk.sim.rejects_stream_auth = False
        await desk.sim.wait_for_stream("private", topic="position")


async def test_an_order_waits_behind_no_reading(raws, desks) -> None:
    """One limiter per exchange object, first come first served: so there are two objects, and ours limits itself."""
    async with raws("bybit", enableRateLimit=True) as (_, raw):
        loop = asyncio.get_running_loop()
        reads = [asyncio.ensure_future(raw.fetch_positions()) for _ in range(20)]
        await asyncio.sleep(0)
        began = loop.time()
        await raw.create_order(BTC, "market", "buy", 0.01)
        waited = loop.time() - began
        await asyncio.gather(*reads)
        assert waited > 0.35
    async with desks("bybit") as desk, asyncio.TaskGroup() as group:
        reads = [group.create_task(desk.reader.snapshot("main")) for _ in range(20)]
        await asyncio.sleep(0)
        report = await desk.actuator.submit(order(desk.symbol, "0.01"))
        assert report.order_id
        assert not all(each.done() for each in reads)
        assert desk.actuator._venue.line.exchange.enableRateLimit is False  # nor behind what acts asks before it


@pytest.mark.parametrize("venue", VENUES)
async def test_equity_is_the_venue_s_own_with_open_profit(desks, venue: str) -> None:
    async with desks(venue) as desk:
        desk.sim.trades("BTC", "0.1")
        desk.sim.price("BTC", 70_000)
        account = (await desk.actuator.snapshot("main")).account
        assert account.equity == pytest.approx(float(desk.sim.account.equity))
        assert account.equity - float(account.balance) == pytest.approx(1000, abs=1)


async def test_the_library_s_total_leaves_open_profit_out_at_bybit(raws) -> None:
    async with raws("bybit") as (sim, raw):
        sim.trades("BTC", "0.1")
        sim.price("BTC", 70_000)
        assert (await raw.fetch_balance())["USDT"]["total"] < float(sim.account.equity) - 900


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", ["drop", "truncate", "garbage"])
async def test_an_order_whose_answer_is_lost_is_of_unknown_outcome_and_was_sent_once(desks, venue, fault: str) -> None:
    """ccxt calls half an answer an ExchangeError, like a refusal; and it never repeats a call by itself."""
    async with desks(venue) as desk:
        desk.sim.arm(fault, "place", stage="after")
        with pytest.raises(OutcomeUnknown):
            await desk.actuator.submit(order(desk.symbol, "0.01"))
        assert len(desk.sim.account.orders) == 1
        found = await desk.actuator.find_order("main", ID)
        assert found is not None
        looked_up = await desk.actuator.look_up(found)
        assert looked_up is not None
        assert (looked_up.order_id, looked_up.filled) == (found.order_id, found.filled)
        again = await desk.actuator.submit(order(desk.symbol, "0.01"))
        assert again.order_id == found.order_id
        assert len(desk.sim.account.orders) == 1


@pytest.mark.parametrize("venue", VENUES)
async def test_what_cannot_have_been_sent_is_no_doubt(desks, venue: str) -> None:
    async with desks(venue) as desk:
        await desk.sim.down()
        with pytest.raises(Transient):
            await desk.actuator.submit(order(desk.symbol, "0.01"))


@pytest.mark.parametrize("venue", ["bybit", "binance"])
async def test_a_clock_that_is_a_minute_off_is_told_and_changes_nothing(desks, venue: str) -> None:
    async with desks(venue) as desk:
        desk.sim.clock_skew_ms = 60_000
        await desk.actuator.submit(order(desk.symbol, "0.01"))
        desk.sim.trades("BTC", "0.01")
        await desk.until(lambda: held(desk).get(desk.symbol) == Decimal("0.02"))


@pytest.mark.parametrize("venue", VENUES)
async def test_too_many_calls_say_when_to_come_back(desks, venue: str) -> None:
    async with desks(venue) as desk:
        desk.sim.refuse("rate_limit", "place")
        with pytest.raises(Transient) as caught:
            await desk.actuator.submit(order(desk.symbol, "0.01"))
        assert 0 < caught.value.retry_after_s <= 60
        assert not desk.sim.account.orders


@pytest.mark.parametrize("venue", VENUES)
async def test_a_silent_connection_is_made_anew(desks, venue: str) -> None:
    async with desks(venue) as desk:
        opened = desk.sim.streams.opened
        desk.sim.streams.mute()
        await desk.until(lambda: desk.sim.streams.opened > opened, 15.0)


@pytest.mark.parametrize("venue", VENUES)
async def test_a_market_that_was_traded_keeps_its_prices_over_a_new_connection(desks, venue: str) -> None:
    """Prices of what is traded are subscribed to. With nothing held a new connection subscribed to none, and whoever
    traded there again was judged by the price at which it was left.
    """
    async with desks(venue, symbols={}) as desk:
        desk.sim.price("BTC", 60_000)
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get(desk.symbol))
        await desk.until(lambda: desk.of(Quote))
        desk.sim.flattens()
        await desk.until(lambda: held(desk).get(desk.symbol) == 0)
        opened = desk.sim.streams.opened
        desk.sim.streams.abort()
        await desk.until(lambda: desk.sim.streams.opened > opened)
        await desk.sim.wait_for_stream("private")
        desk.heard.clear()
        desk.sim.price("BTC", 61_000)
        await desk.until(lambda: any(each.mark == 61_000 for each in desk.of(Quote)))


@pytest.mark.parametrize("venue", VENUES)
async def test_another_market_that_is_traded_gets_its_prices_from_streams(desks, venue: str) -> None:
    """The library subscribes once per connection and name: what stands is closed, so that all is subscribed anew."""
    async with desks(venue, reconcile_s=600.0) as desk:
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get(desk.symbol))
        desk.sim.trades("ETH", "1")
        await desk.until(lambda: any(symbol.startswith("ETH") for symbol in held(desk)))
        moved = 0

        def is_told() -> bool:
            nonlocal moved
            moved += 1  # prices of the first market keep coming, so none is asked for by REST
            desk.sim.price("BTC", 50_000 + moved % 50)
            desk.sim.price("ETH", 2_222 + moved % 50)
            quotes = [each.mark for each in desk.of(Quote)[-500:] if each.symbol.startswith("ETH") and each.mark]
            return len(set(quotes)) > 5

        await desk.until(is_told, timeout_s=30.0)


@pytest.mark.parametrize("venue", VENUES)
async def test_a_price_that_was_asked_for_is_not_told_after_a_newer_one_of_a_stream(desks, venue: str) -> None:
    """The answer is older than what a stream told while it was on its way, and nothing in it says so."""
    async with desks(venue) as desk:
        desk.sim.price("BTC", 60_000)
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get(desk.symbol))
        await desk.until(lambda: any(each.mark == 60_000 for each in desk.of(Quote)))
        prices = "GET /fapi/v1/premiumIndex" if venue == "binance" else "tickers"
        desk.sim.arm("delay", prices, stage="after", after_s=1.0)
        asked = len(desk.calls(prices))
        reading = asyncio.ensure_future(desk.reader._reader._read_quotes())
        await desk.until(lambda: len(desk.calls(prices)) > asked)
        await asyncio.sleep(0.2)  # sleeps: the answer is made, and on its way
        desk.sim.price("BTC", 59_000)
        await desk.until(lambda: any(each.mark == 59_000 for each in desk.of(Quote)))
        assert not reading.done()
        await reading
        assert [each.mark for each in desk.of(Quote) if each.mark][-1] == 59_000


# -- Bybit -------------------------------------------------------------------------------------------------------------


async def test_in_hedge_mode_the_library_drops_reduce_only_and_we_send_it_with_the_side(raws, desks) -> None:
    async with raws("bybit", hedged=True) as (sim, raw):
        sim.trades("BTC", "0.1")
        with contextlib.suppress(Exception):
            await raw.create_order(BTC, "market", "sell", 0.05, None, {"hedged": True, "reduceOnly": True})
        assert "reduceOnly" not in sim.calls("place")[-1].parameters
    async with desks("bybit", hedged=True) as desk:
        desk.sim.trades("BTC", "0.1")
        desk.sim.trades("BTC", "-0.3")
        await desk.until(lambda: held(desk) == {"BTCUSDT:LONG": Decimal("0.1"), "BTCUSDT:SHORT": Decimal("-0.3")})
        await desk.actuator.submit(order("BTCUSDT:SHORT", "0.5", reduce_only=True))
        asked = desk.calls("place")[-1]
        assert (asked["reduceOnly"], asked["positionIdx"]) == (True, 2)
        await desk.until(lambda: held(desk) == {"BTCUSDT:LONG": Decimal("0.1"), "BTCUSDT:SHORT": Decimal(0)})


async def test_the_library_asks_bybit_for_an_order_that_is_called_none(raws, desks) -> None:
    async with raws("bybit", options={"acknowledged": True}) as (sim, raw):
        with contextlib.suppress(Exception):
            await raw.fetch_order(None, BTC, {"clientOrderId": ID, "acknowledged": True})
        assert any(str(each.parameters.get("orderId")) == "None" for each in sim.requests)
    async with desks("bybit") as desk:
        await desk.actuator.submit(order(desk.symbol, "0.01"))
        found = await desk.actuator.find_order("main", ID)
        assert found is not None
        assert found.client_id == ID
        assert not any("orderId" in each for each in desk.calls("open_orders"))


async def test_a_server_error_of_bybit_is_no_refusal(desks) -> None:
    """10016 is an ExchangeError for ccxt; the order may have arrived."""
    async with desks("bybit") as desk:
        desk.sim.refuse("server_error", "place", after=True)
        with pytest.raises(OutcomeUnknown):
            await desk.actuator.submit(order(desk.symbol, "0.01"))


# -- Binance -----------------------------------------------------------------------------------------------------------


async def test_an_expired_listen_key_is_replaced_at_once(desks) -> None:
    async with desks("binance", silence_s=600.0, quote_silence_s=600.0) as desk:  # nothing else notices
        asked = len(desk.sim.calls("POST /fapi/v1/listenKey"))
        desk.sim.expire_listen_key(announce=True)
        await desk.until(lambda: len(desk.sim.calls("POST /fapi/v1/listenKey")) > asked)
        await desk.sim.wait_for_stream("private")
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT") == Decimal("0.1"))


async def test_a_listen_key_that_expires_in_silence_is_noticed_by_what_it_does_not_tell(desks) -> None:
    async with desks("binance", silence_s=600.0, quote_silence_s=600.0) as desk:  # nothing else notices
        asked = len(desk.sim.calls("POST /fapi/v1/listenKey"))
        desk.sim.expire_listen_key(announce=False)
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT") == Decimal("0.1"))
        await desk.until(lambda: len(desk.sim.calls("POST /fapi/v1/listenKey")) > asked)
        await desk.until(lambda: desk.of(Fill))


async def test_conditional_orders_are_seen_and_cancelled_where_the_library_leaves_them_out(raws, desks) -> None:
    async with raws("binance", options={"warnOnFetchOpenOrdersWithoutSymbol": False}) as (sim, raw):
        sim.trades("BTC", "0.1")
        sim.orders("BTC", "-0.1", stop=50_000, reduces=True)
        assert await raw.fetch_open_orders() == []
    async with desks("binance") as desk:
        desk.sim.trades("BTC", "0.1")
        await desk.actuator.submit(
            order("BTCUSDT", "-0.1", type=OrderType.STOP, stop_price=Decimal(50_000), reduce_only=True)
        )
        await desk.actuator.snapshot("main")
        (stop,) = (await desk.actuator.snapshot("main")).orders  # asked for by the markets that are known by now
        assert (stop.type, stop.stop_price, stop.reduce_only, stop.client_id) == (OrderType.STOP, 50_000, True, ID)
        await desk.actuator.cancel("main", stop.order_id)
        assert not desk.sim.open_orders


async def test_the_id_of_a_filled_order_is_taken_again_by_binance_and_not_used_again_by_us(raws, desks) -> None:
    async with raws("binance") as (sim, raw):
        for _ in range(2):
            await raw.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": ID})
        assert sim.position("BTC").quantity == Decimal("0.02")
    async with desks("binance") as desk:
        for _ in range(2):
            await desk.actuator.submit(order("BTCUSDT", "0.01"))
        assert desk.sim.position("BTC").quantity == Decimal("0.01")


async def test_binance_takes_no_reduce_only_in_hedge_mode_so_the_side_says_it(desks) -> None:
    async with desks("binance", hedged=True) as desk:
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get("BTCUSDT:LONG") == Decimal("0.1"))
        await desk.actuator.submit(order("BTCUSDT:LONG", "-0.1", reduce_only=True))
        asked = desk.calls("POST /fapi/v1/order")[-1]
        assert asked["positionSide"] == "LONG"
        assert "reduceOnly" not in asked
        with pytest.raises(Refused):
            await desk.actuator.submit(order("BTCUSDT:LONG", "0.1", reduce_only=True, client_id="other"))
        await desk.until(lambda: held(desk).get("BTCUSDT:LONG") == 0)


# -- Hyperliquid -------------------------------------------------------------------------------------------------------


async def test_nothing_is_signed_in_favour_of_the_makers_of_the_library(raws, desks) -> None:
    async with raws("hyperliquid") as (sim, raw):
        await raw.create_order("BTC/USDC:USDC", "market", "buy", 0.01, 60_000)
        assert {"approveBuilderFee", "setReferrer"} & {each["type"] for each in actions(sim)}
    async with desks("hyperliquid") as desk:
        await desk.actuator.submit(order(desk.symbol, "0.01"))
        (sent,) = actions(desk.sim)
        assert sent["type"] == "order"
        assert "builder" not in sent


async def test_a_market_order_finds_the_price_that_hyperliquid_wants(raws, desks) -> None:
    import ccxt

    async with raws("hyperliquid") as (_, raw):
        with pytest.raises(ccxt.ArgumentsRequired):
            await raw.create_order("BTC/USDC:USDC", "market", "buy", 0.01)
    async with desks("hyperliquid", slippage=0.02) as desk:
        report = await desk.actuator.submit(order(desk.symbol, "0.01"))
        assert report.filled == Decimal("0.01")
        assert Decimal(actions(desk.sim)[-1]["orders"][0]["p"]) == 61_200


async def test_the_dead_man_switch_of_hyperliquid_is_taken_back_and_not_set_to_now(raws, desks) -> None:
    async with raws("hyperliquid") as (sim, raw):
        with contextlib.suppress(Exception):
            await raw.cancel_all_orders_after(0)
        assert "time" in [each for each in actions(sim) if each["type"] == "scheduleCancel"][-1]
    async with desks("hyperliquid", dead_man_s=10) as desk:
        await desk.until(lambda: any(each["type"] == "scheduleCancel" for each in actions(desk.sim)))
    assert actions(desk.sim)[-1] == {"type": "scheduleCancel"}


async def test_what_the_complete_list_does_not_name_is_flat(desks) -> None:
    async with desks("hyperliquid") as desk:
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk).get(desk.symbol) == Decimal("0.1"))
        desk.sim.arm("status", "positions", status=500, count=None)  # nothing but the stream can tell it
        desk.sim.flattens()
        await desk.until(lambda: held(desk).get(desk.symbol) == 0)
        desk.sim.faults.clear()


def actions(sim) -> list[dict]:
    return [each.parameters for each in sim.requests if each.call.startswith("exchange ")]


# -- dead man's switches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
async def test_a_dead_man_switch_is_only_armed_where_it_was_set_up(desks, venue: str) -> None:
    async with desks(venue) as desk:
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: held(desk))
    assert not desk.sim.calls("dead_man")


async def test_a_dead_man_switch_rests_while_a_stop_protects(desks, caplog) -> None:
    async with desks("binance", dead_man_s=10) as desk:
        await desk.until(lambda: desk.calls("dead_man"))
        assert desk.calls("dead_man")[-1]["countdownTime"] in ("10000", 10000)
        assert "closes no position" in caplog.text
        desk.sim.trades("BTC", "0.1")
        desk.sim.orders("BTC", "-0.1", stop=50_000, reduces=True)
        await desk.until(lambda: str(desk.calls("dead_man")[-1]["countdownTime"]) == "0")
        assert len(desk.sim.open_orders) == 1


@pytest.mark.parametrize("venue", ["binance", "hyperliquid"])
async def test_funding_reaches_the_account_once(desks, venue: str) -> None:
    async with desks(venue, flows_s=0.5) as desk:
        desk.sim.trades("BTC", "0.1")
        desk.sim.funds("BTC", "0.001")
        await desk.until(lambda: desk.of(CashFlow))
        await asyncio.sleep(1.2)
        (paid,) = desk.of(CashFlow)
        assert paid.is_result
        assert paid.amount < 0


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", ["truncate", "garbage"])
async def test_half_an_answer_is_never_an_account_without_positions(desks, venue: str, fault: str) -> None:
    async with desks(venue) as desk:
        desk.sim.trades("BTC", "0.1")
        desk.sim.arm(fault, "positions", stage="after", count=None)
        with pytest.raises(Transient):
            await desk.actuator.snapshot("main")
        desk.sim.faults.clear()
        assert (await desk.actuator.snapshot("main")).positions


NAMES = {"bybit": "bybit", "binance": "binanceusdm", "hyperliquid": "hyperliquid"}
OPTIONS: dict[str, dict[str, object]] = {
    "bybit": {},
    "binance": {"fetchCurrencies": False, "fetchMarkets": {"types": ["linear"]}},
    "hyperliquid": {"fetchMarkets": {"types": ["swap"]}},
}


@pytest.mark.parametrize("venue", VENUES)
async def test_the_library_takes_half_an_answer_for_no_positions_and_our_client_does_not(raws, venue: str) -> None:
    """The kind `ccxt` asks for positions the library's way: without this an exchange of any name could look flat."""
    async with raws(venue) as (sim, raw):
        sim.trades("BTC", "0.1")
        sim.arm("truncate", "positions", stage="after")
        assert await raw.fetch_positions() == []
        strict = make_exchange(NAMES[venue], {**sim.credentials, "options": OPTIONS[venue]})
        sim.redirect(strict)
        try:
            await strict.load_markets()
            sim.arm("truncate", "positions", stage="after")
            with pytest.raises(ccxt.NetworkError):
                await strict.fetch_positions()
        finally:
            await strict.close()
