"""What each venue alone does: hedge mode, listen keys, dead man's switches, agents, and its own words."""

from collections.abc import Callable
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt")
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


# -- hedge mode -------------------------------------------------------------------------------------------------------


async def test_bybit_closes_a_leg_by_its_index(at: Callable[..., Any]) -> None:
    async with at("bybit", hedged=True) as desk:
        await desk.buys(0.02, positionIdx=1)
        await desk.sells(0.01, positionIdx=2)
        rows = await desk.client.fetch_positions()
        assert sorted((each["side"], each["contracts"], each["hedged"]) for each in rows) == [
            ("long", 0.02, True), ("short", 0.01, True),
        ]  # fmt: skip
        await desk.sells(1, positionIdx=1, reduceOnly=True)
        held = [float(desk.sim.position("BTC", leg).quantity) for leg in ("long", "short")]
        assert held == [0, -0.01]
        with pytest.raises(ccxt.BadRequest, match="position idx"):
            await desk.buys(0.01)


async def test_bybit_refuses_an_oversized_close_that_does_not_say_it_reduces(at: Callable[..., Any]) -> None:
    """ccxt drops `reduceOnly` where it is told `hedged`: the venue then refuses what is larger than the leg."""
    async with at("bybit", hedged=True) as desk:
        desk.sim.trades("BTC", 0.02, leg="long")
        with pytest.raises(ccxt.InvalidOrder, match="Reduce-only rule"):
            await desk.sells(1, hedged=True, reduceOnly=True)
        assert "reduceOnly" not in desk.sim.calls("place")[-1].parameters


async def test_binance_closes_a_leg_by_its_side_and_never_says_reduce_only(at: Callable[..., Any]) -> None:
    async with at("binance", hedged=True) as desk:
        await desk.buys(0.02, positionSide="LONG")
        await desk.sells(0.02, hedged=True, reduceOnly=True)
        assert desk.sim.position("BTC", "long").quantity == 0
        asked = desk.sim.calls("place")[-1].parameters
        assert (asked["positionSide"], "reduceOnly" in asked) == ("LONG", False)
        with pytest.raises(ccxt.ExchangeError, match="-4061"):
            await desk.buys(0.01)


@pytest.mark.parametrize("venue", ["bybit", "binance"])
async def test_the_mode_changes_only_while_nothing_is_held_or_ordered(at: Callable[..., Any], venue: str) -> None:
    async with at(venue) as desk:
        desk.sim.trades("BTC", 0.01)
        with pytest.raises(ccxt.ExchangeError):
            await desk.client.set_position_mode(True, desk.symbol)
        desk.sim.flattens()
        order = desk.sim.orders("BTC", 0.01, price=40_000)
        with pytest.raises(ccxt.ExchangeError):
            await desk.client.set_position_mode(True, desk.symbol)
        desk.sim.cancels(order)
        await desk.client.set_position_mode(True, desk.symbol)
        assert desk.sim.account.is_hedged


def test_hyperliquid_has_no_hedged_accounts() -> None:
    from haltline_sim_crypto.hyperliquid import HyperliquidSim

    with pytest.raises(ValueError, match="one position a coin"):
        HyperliquidSim(hedged=True)


# -- Bybit ------------------------------------------------------------------------------------------------------------


async def test_bybit_tells_order_execution_position_wallet_in_this_order(at: Callable[..., Any]) -> None:
    async with at("bybit") as desk:
        told: list[str] = []
        handle = desk.client.handle_message

        def tap(client: Any, message: Any) -> None:
            told.append(message.get("topic", ""))
            handle(client, message)

        desk.client.handle_message = tap
        for name in ("watch_orders", "watch_my_trades", "watch_positions", "watch_balance"):
            desk.watch(name, getattr(desk.client, name))
        for topic in ("order", "execution", "position", "wallet"):
            await desk.sim.wait_for_stream(topic=topic)
        desk.sim.trades("BTC", 0.01)
        await desk.until(lambda: desk.seen["watch_balance"])
        assert [each for each in told if each] == ["order", "execution", "position", "wallet"]


async def test_bybit_needs_a_symbol_or_a_coin_for_positions(at: Callable[..., Any]) -> None:
    async with at("bybit") as desk:
        with pytest.raises(ccxt.BadRequest):
            await desk.client.privateGetV5PositionList({"category": "linear"})
        found = await desk.client.privateGetV5PositionList(LINEAR)
        assert [(row["side"], row["size"]) for row in found["result"]["list"]] == [("", "0")]


async def test_bybit_gives_twenty_rows_and_a_cursor(at: Callable[..., Any]) -> None:
    async with at("bybit") as desk:
        for step in range(25):
            desk.sim.orders("BTC", 0.01, price=40_000 + step)
        first = (await desk.client.privateGetV5OrderRealtime(LINEAR))["result"]
        rest = (await desk.client.privateGetV5OrderRealtime(LINEAR | {"cursor": first["nextPageCursor"]}))["result"]
        assert (len(first["list"]), len(rest["list"]), rest["nextPageCursor"]) == (20, 5, "")


async def test_bybit_finds_a_closed_order_by_its_link(at: Callable[..., Any]) -> None:
    async with at("bybit") as desk:
        await desk.buys(0.01, clientOrderId="close-1")
        found = await desk.client.privateGetV5OrderRealtime(LINEAR | {"orderLinkId": "close-1"})
        assert [row["orderStatus"] for row in found["result"]["list"]] == ["Filled"]


async def test_bybit_sets_moves_and_removes_a_stop_loss_on_the_position(at: Callable[..., Any]) -> None:
    async with at("bybit") as desk:
        call = desk.client.privatePostV5PositionTradingStop
        with pytest.raises(ccxt.BadRequest, match="zero position"):
            await call(LINEAR | {"stopLoss": "55000", "positionIdx": 0})
        desk.sim.trades("BTC", 0.01)
        for level in ("55000", "56000"):
            await call(LINEAR | {"stopLoss": level, "positionIdx": 0})
        [row] = (await desk.client.privateGetV5PositionList(LINEAR))["result"]["list"]
        assert (row["stopLoss"], len(desk.sim.open_orders)) == ("56000", 1)
        await call(LINEAR | {"stopLoss": "0", "positionIdx": 0})
        assert desk.sim.open_orders == []
        await call(LINEAR | {"takeProfit": "61000", "positionIdx": 0})
        desk.sim.price("BTC", 61_000)
        assert desk.sim.position("BTC").quantity == 0


async def test_bybit_takes_a_stop_loss_along_with_an_order(at: Callable[..., Any]) -> None:
    async with at("bybit") as desk:
        await desk.buys(0.01, stopLoss={"triggerPrice": 55_000})
        assert [each.ask.label for each in desk.sim.open_orders] == ["StopLoss"]


async def test_bybit_switch_counts_from_the_loss_of_a_stream_that_asked_for_it(at: Callable[..., Any]) -> None:
    async with at("bybit") as desk:
        desk.watch("orders", desk.client.watch_orders)
        await desk.sim.wait_for_stream(topic="order")
        [client] = [each for each in desk.client.clients.values() if "private" in each.url]
        await client.send({"op": "subscribe", "req_id": "1", "args": ["dcp.future"]})
        await desk.sim.wait_for_stream(topic="dcp")
        await desk.client.cancel_all_orders_after(10_000)
        desk.sim.orders("BTC", 0.01, price=40_000)
        desk.watching["orders"].cancel()
        desk.sim.streams.abort("private")
        await desk.sim.watch.until(lambda: desk.sim.account.dead_man or None, timeout_s=5)
        desk.sim.clock_skew_ms = 11_000
        desk.sim.look_at_the_clock()
        assert desk.sim.open_orders == []


async def test_bybit_refuses_streams_whatever_the_signature(at: Callable[..., Any]) -> None:
    async with at("bybit") as desk:
        desk.sim.rejects_stream_auth = True
        with pytest.raises(ccxt.ExchangeError):
            await desk.client.watch_orders()


# -- Binance ----------------------------------------------------------------------------------------------------------


async def test_binance_lists_and_cancels_stops_elsewhere(at: Callable[..., Any]) -> None:
    async with at("binance") as desk:
        desk.sim.trades("BTC", 0.01)
        desk.sim.orders("BTC", -0.01, stop=55_000, reduces=True)
        desk.sim.orders("BTC", 0.01, price=40_000)
        client = desk.client
        assert len(await client.fetch_open_orders(desk.symbol)) == 1
        [stop] = await client.fetch_open_orders(desk.symbol, None, None, {"trigger": True})
        assert stop["info"]["orderType"] == "STOP_MARKET"
        await client.cancel_all_orders(desk.symbol)
        assert len(desk.sim.open_orders) == 1
        await client.cancel_all_orders(desk.symbol, {"trigger": True})
        assert desk.sim.open_orders == []


async def test_binance_stops_become_orders_of_their_own(at: Callable[..., Any]) -> None:
    async with at("binance") as desk:
        desk.sim.trades("BTC", 0.01)
        stop = desk.sim.orders("BTC", -0.01, stop=55_000, reduces=True)
        desk.sim.price("BTC", 54_000)
        row = await desk.client.fapiPrivateGetAlgoOrder({"symbol": "BTCUSDT", "algoId": stop.number})
        assert (row["algoStatus"], row["actualOrderId"]) == ("FINISHED", str(stop.spawned))
        child = await desk.client.fetch_order(row["actualOrderId"], desk.symbol)
        assert child["status"] == "closed"


async def test_binance_takes_stops_at_one_place_only(at: Callable[..., Any]) -> None:
    async with at("binance") as desk:
        wanted = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01", "stopPrice": "1"}
        with pytest.raises(ccxt.ExchangeError, match="-4120"):
            await desk.client.fapiPrivatePostOrder(wanted)


async def test_binance_may_use_a_client_id_again_once_the_order_is_over(at: Callable[..., Any]) -> None:
    async with at("binance") as desk:
        for _ in range(2):
            await desk.buys(0.01, clientOrderId="again")
        assert float(desk.sim.position("BTC").quantity) == 0.02


async def test_binance_cancels_the_orders_of_a_symbol_when_the_countdown_ends(at: Callable[..., Any]) -> None:
    async with at("binance") as desk:
        for symbol in ("BTC", "ETH"):
            desk.sim.orders(symbol, 0.1, price=1_000)
        await desk.client.fapiPrivatePostCountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": 30})
        await desk.sim.watch.until(lambda: len(desk.sim.open_orders) == 1 or None, timeout_s=5)
        assert desk.sim.open_orders[0].ask.symbol == "ETHUSDT"


async def test_binance_countdown_is_stopped_by_zero(at: Callable[..., Any]) -> None:
    async with at("binance") as desk:
        for wait in (60_000, 0):
            await desk.client.fapiPrivatePostCountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": wait})
        assert desk.sim.account.dead_man == {}


async def test_an_expired_listen_key_leaves_a_stream_that_is_open_and_silent(at: Callable[..., Any]) -> None:
    """The pitfall itself: the client neither tells nor asks for another key."""
    async with at("binance") as desk:
        desk.watch("orders", desk.client.watch_orders)
        await desk.sim.wait_for_stream(topic="order")
        desk.sim.expire_listen_key()
        desk.sim.orders("BTC", 0.01, price=40_000)
        with pytest.raises(TimeoutError):
            await desk.until(lambda: desk.seen["orders"] or desk.failed, timeout_s=0.2)
        assert len(desk.sim.streams.of("private")) == 1
        with pytest.raises(ccxt.ExchangeError, match="-1125"):
            await desk.client.fapiPrivatePutListenKey()


async def test_a_listen_key_lives_for_an_hour_from_the_last_word(at: Callable[..., Any]) -> None:
    async with at("binance") as desk:
        first = (await desk.client.fapiPrivatePostListenKey())["listenKey"]
        desk.sim.clock_skew_ms = 3_500_000
        assert (await desk.client.fapiPrivatePutListenKey())["listenKey"] == first
        desk.sim.clock_skew_ms = 7_000_000
        assert desk.sim.account_of(first) is desk.sim.account
        desk.sim.clock_skew_ms = 7_200_000
        assert desk.sim.account_of(first) is None
        assert (await desk.client.fapiPrivatePostListenKey())["listenKey"] != first


async def test_binance_bans_who_does_not_stop(at: Callable[..., Any]) -> None:
    async with at("binance") as desk:
        status = []
        for _ in range(125):
            try:
                await desk.client.fetch_open_orders()
            except ccxt.DDoSProtection as failure:
                status.append(str(failure).split()[1])
        assert (status[0], status[-1]) == ("429", "418")


# -- Hyperliquid ------------------------------------------------------------------------------------------------------


async def test_hyperliquid_takes_what_an_agent_signs(at: Callable[..., Any]) -> None:
    async with at("hyperliquid") as desk:
        secret = "0x" + "33" * 32
        desk.client.privateKey = secret
        with pytest.raises(ccxt.BaseError, match="does not exist"):
            await desk.buys(0.01)
        desk.sim.add_agent(secret)
        await desk.buys(0.01)
        assert float(desk.sim.position("BTC").quantity) == 0.01


async def test_hyperliquid_takes_a_nonce_once(at: Callable[..., Any]) -> None:
    async with at("hyperliquid") as desk:
        now = desk.client.milliseconds()
        desk.client.milliseconds = lambda: now
        await desk.bids(0.01, 50_000)
        with pytest.raises(ccxt.ExchangeError, match="duplicate nonce"):
            await desk.bids(0.01, 50_000)


async def test_hyperliquid_answers_each_order_for_itself(at: Callable[..., Any]) -> None:
    async with at("hyperliquid") as desk:
        action = {
            "type": "order", "grouping": "na",
            "orders": [
                {"a": 0, "b": True, "p": "50000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Gtc"}}},
                {"a": 0, "b": True, "p": "50000.5", "s": "0.01", "r": False, "t": {"limit": {"tif": "Gtc"}}},
                {"a": 0, "b": True, "p": "50000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Ioc"}}},
                {"a": 0, "b": True, "p": "61000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Alo"}}},
                {"a": 0, "b": True, "p": "61000", "s": "0.0001", "r": False, "t": {"limit": {"tif": "Gtc"}}},
                {"a": 9, "b": True, "p": "61000", "s": "0.0001", "r": False, "t": {"limit": {"tif": "Gtc"}}},
            ],
        }  # fmt: skip
        nonce = desk.client.milliseconds()
        body = {"action": action, "nonce": nonce, "signature": desk.client.sign_l1_action(action, nonce)}
        import aiohttp

        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"{desk.sim.base_url}/exchange", json=body)
            rows = (await answer.json())["response"]["data"]["statuses"]
        assert list(rows[0]) == ["resting"]
        assert [each.get("error", "").partition(".")[0].partition(",")[0] for each in rows[1:]] == [
            "Price must be divisible by tick size",
            "Order could not immediately match against any resting orders",
            "Post only order would have immediately matched",
            "Order must have minimum value of $10",
            "Order has invalid asset",
        ]


async def test_hyperliquid_switch_wants_volume_and_five_seconds_and_is_cleared_without_a_time(
    at: Callable[..., Any],
) -> None:
    async with at("hyperliquid") as desk:
        desk.sim.orders("BTC", 0.01, price=40_000)
        with pytest.raises(ccxt.ExchangeError, match="too early"):
            await desk.client.cancel_all_orders_after(1_000)
        await desk.client.cancel_all_orders_after(10_000)
        assert desk.sim.account.dead_man
        desk.sim.clock_skew_ms = 11_000
        desk.sim.look_at_the_clock()
        assert desk.sim.open_orders == []
        desk.sim.traded_volume = 0
        desk.sim.clock_skew_ms = 0
        with pytest.raises(ccxt.ExchangeError, match="enough volume"):
            await desk.client.cancel_all_orders_after(10_000)


async def test_hyperliquid_finds_an_order_by_its_cloid_in_any_state(at: Callable[..., Any]) -> None:
    async with at("hyperliquid") as desk:
        cloid = "0x" + "cd" * 16
        await desk.buys(0.01, clientOrderId=cloid)
        found = await desk.client.fetch_order(None, desk.symbol, {"clientOrderId": cloid})
        assert (found["status"], found["clientOrderId"]) == ("closed", cloid)
        with pytest.raises(ccxt.OrderNotFound):
            await desk.client.fetch_order("99", desk.symbol)


async def test_the_builder_fee_and_the_referrer_of_a_usual_client_are_on_record(at: Callable[..., Any]) -> None:
    async with at("hyperliquid") as desk:
        usual = desk.sim.redirect(
            ccxt.pro.hyperliquid(
                desk.sim.credentials
                | {"enableRateLimit": False, "timeout_on_exit": 0, "options": {"fetchMarkets": {"types": ["swap"]}}}
            )
        )
        try:
            await usual.create_order(desk.symbol, "limit", "buy", 0.01, 50_000)
        finally:
            await usual.close()
        assert len(desk.sim.calls("exchange approveBuilderFee")) == 1
        assert len(desk.sim.calls("exchange setReferrer")) == 1


async def test_hyperliquid_tells_everything_that_is_subscribed(at: Callable[..., Any]) -> None:
    async with at("hyperliquid") as desk:
        sim, user = desk.sim, desk.sim.account.key
        import aiohttp

        kinds = (
            "clearinghouseState",
            "orderUpdates",
            "userFills",
            "userEvents",
            "userFundings",
            "openOrders",
            "webData2",
        )
        wanted = [{"type": kind, "user": user} for kind in kinds]
        wanted += [{"type": kind, "coin": "BTC"} for kind in ("l2Book", "trades", "bbo", "activeAssetCtx")]
        wanted.append({"type": "allMids"})
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{sim.base_url}/ws") as socket:
            for each in wanted:
                await socket.send_json({"method": "subscribe", "subscription": each})
            await sim.watch.until(lambda: len(sim.streams.links[0].topics) == len(wanted) or None, timeout_s=5)
            sim.trades("BTC", 0.01)
            sim.price("BTC", 61_000)
            sim.funds("BTC", 0.0001)
            sim.deposits(100)
            await socket.send_json({"method": "subscribe", "subscription": wanted[0]})
            await socket.send_json({"method": "unsubscribe", "subscription": wanted[0]})
            await socket.send_json({"method": "unsubscribe", "subscription": wanted[0]})
            await socket.send_json({"method": "ping"})
            told: list[Any] = []
            while not told or told[-1]["channel"] != "pong":
                told.append(await socket.receive_json(timeout=5))
        channels = {each["channel"] for each in told}
        assert channels >= {*kinds, "l2Book", "trades", "bbo", "activeAssetCtx", "allMids", "user"} - {"userEvents"}
        assert [each["data"].split(":")[0] for each in told if each["channel"] == "error"] == [
            "Already subscribed", "Already unsubscribed",
        ]  # fmt: skip
        [paid] = [each["data"]["fundings"][0] for each in told if each["channel"] == "userFundings"]
        assert (paid["coin"], paid["usdc"]) == ("BTC", "-0.061")
        last = [each for each in told if each["channel"] == "clearinghouseState"][-1]
        assert last["data"]["clearinghouseState"]["marginSummary"]["accountValue"] > "10100"


async def test_hyperliquid_replaces_an_order(at: Callable[..., Any]) -> None:
    async with at("hyperliquid") as desk:
        made = await desk.bids(0.01, 50_000)
        changed = await desk.client.edit_order(made["id"], desk.symbol, "limit", "buy", 0.02, 51_000)
        assert [(float(each.quantity), float(each.ask.price)) for each in desk.sim.open_orders] == [(0.02, 51_000)]
        with pytest.raises(ccxt.BaseError):
            await desk.client.edit_order(made["id"], desk.symbol, "limit", "buy", 0.02, 51_000)
        assert changed["id"] != made["id"]


@pytest.mark.parametrize("venue", ["bybit", "binance", "hyperliquid"])
async def test_funding_and_deposits_are_told_and_listed(at: Callable[..., Any], venue: str) -> None:
    async with at(venue) as desk:
        desk.sim.trades("BTC", 0.01)
        desk.watch("balance", desk.client.watch_balance)
        await desk.sim.wait_for_stream(topic="wallet")
        desk.sim.funds("BTC", 0.0001)
        await desk.until(lambda: desk.seen["balance"])
        if venue == "bybit":
            desk.sim.deposits(-100)
            asked = {"accountType": "UNIFIED", "type": "TRANSFER_OUT"}
            rows = (await desk.client.privateGetV5AccountTransactionLog(asked))["result"]["list"]
            assert [(row["type"], row["cashFlow"], row["change"]) for row in rows] == [("TRANSFER_OUT", "-100", "-100")]
            rows = (await desk.client.privateGetV5ExecutionList(LINEAR | {"execType": "Funding"}))["result"]["list"]
            assert [(row["execType"], row["execFee"]) for row in rows] == [("Funding", "0.06")]
        else:
            [row] = await desk.client.fetch_funding_history(desk.symbol)
            assert row["amount"] == pytest.approx(-0.06)


async def test_a_liquidation_is_a_fill_that_says_so(at: Callable[..., Any]) -> None:
    async with at("binance", balance=700) as desk:
        desk.sim.trades("BTC", 0.1)
        desk.watch("orders", desk.client.watch_orders)
        await desk.sim.wait_for_stream(topic="order")
        desk.sim.price("BTC", 53_000)
        [told] = await desk.until(lambda: desk.seen["orders"])
        assert told[0]["info"]["x"] == "CALCULATED"
        assert told[0]["clientOrderId"].startswith("autoclose-")
        assert desk.sim.position("BTC").quantity == 0
