"""Everything that can be made to go wrong, as the genuine clients meet it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from haltline_sim_crypto.refusal import Reason

ccxt = pytest.importorskip("ccxt")
VENUES = ["bybit", "binance", "hyperliquid"]
_OF_STREAMS = {Reason.LISTEN_KEY}


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "more", "error"),
    [
        ("status", {"status": 503}, "ExchangeNotAvailable"),
        ("status", {"status": 500}, "ExchangeNotAvailable"),
        ("status", {"status": 504}, "RequestTimeout"),
        ("garbage", {}, "ExchangeNotAvailable"),
        ("drop", {}, "NetworkError"),
    ],
)
async def test_a_broken_answer_is_a_network_error(desk: Any, kind: str, more: dict[str, Any], error: str) -> None:
    desk.sim.arm(kind, "positions", count=None, **more)
    with pytest.raises(getattr(ccxt, error)):
        await desk.client.fetch_positions()
    desk.sim.faults.clear()
    assert await desk.client.fetch_positions() == []


async def test_half_an_answer_looks_like_no_positions_to_the_client(desk: Any) -> None:
    """The pitfall itself: what is no JSON is handed on as a text, and a text has no positions."""
    desk.sim.trades("BTC", 0.01)
    desk.sim.arm("truncate", "positions", stage="after")
    assert await desk.client.fetch_positions() == []
    assert len(await desk.client.fetch_positions()) == 1


async def test_an_answer_that_never_comes_times_out(desk: Any) -> None:
    desk.client.timeout = 100
    desk.sim.arm("hang", "positions")
    with pytest.raises(ccxt.RequestTimeout):
        await desk.client.fetch_positions()
    desk.sim.faults.clear()


async def test_an_order_whose_answer_is_lost_has_been_carried_out(desk: Any) -> None:
    desk.sim.arm("drop", "place", stage="after")
    with pytest.raises(ccxt.NetworkError):
        await desk.buys(0.01)
    assert desk.sim.position("BTC").quantity > 0
    assert len(desk.sim.calls("place")) == 1


async def test_an_order_that_is_refused_beforehand_has_not(desk: Any) -> None:
    desk.sim.refuse("insufficient_margin", "place")
    with pytest.raises(ccxt.InsufficientFunds if desk.sim.venue != "binance" else ccxt.ExchangeError):
        await desk.buys(0.01)
    assert desk.sim.position("BTC").quantity == 0


async def test_an_unknown_outcome_can_hide_a_fill(desk: Any) -> None:
    desk.sim.refuse("unknown_outcome", "place", after=True)
    with pytest.raises(ccxt.BaseError):
        await desk.buys(0.01)
    assert desk.sim.position("BTC").quantity > 0


@pytest.mark.parametrize("venue", VENUES)
async def test_every_refusal_by_name_is_an_error_of_the_client(at: Callable[..., Any], venue: str) -> None:
    async with at(venue) as desk:
        for reason in sorted(set(desk.sim.codes) - _OF_STREAMS):
            desk.sim.refuse(reason, "place")
            with pytest.raises(ccxt.BaseError):
                await desk.buys(0.01)
        assert desk.sim.position("BTC").quantity == 0


@pytest.mark.parametrize(
    ("venue", "reason", "error"),
    [
        ("bybit", "rate_limit", "RateLimitExceeded"),
        ("bybit", "bad_signature", "AuthenticationError"),
        ("bybit", "clock", "InvalidNonce"),
        ("bybit", "order_not_found", "OrderNotFound"),
        ("bybit", "bad_address", "PermissionDenied"),
        ("bybit", "duplicate_client_id", "InvalidOrder"),
        ("binance", "rate_limit", "DDoSProtection"),
        ("binance", "banned", "DDoSProtection"),
        ("binance", "bad_signature", "AuthenticationError"),
        ("binance", "clock", "InvalidNonce"),
        ("binance", "order_not_found", "OrderNotFound"),
        ("hyperliquid", "insufficient_margin", "InsufficientFunds"),
        ("hyperliquid", "rate_limit", "RateLimitExceeded"),
        ("hyperliquid", "no_position", "InvalidOrder"),
    ],
)
async def test_refusals_have_the_venues_codes(at: Callable[..., Any], venue: str, reason: str, error: str) -> None:
    async with at(venue) as desk:
        desk.sim.refuse(reason, "place")
        with pytest.raises(getattr(ccxt, error)):
            await desk.buys(0.01)


async def test_a_refusal_that_the_venue_does_not_know_is_a_mistake_of_the_script(desk: Any) -> None:
    unknown = set(Reason) - set(desk.sim.codes)
    for reason in unknown:
        with pytest.raises(ValueError, match="does not refuse so"):
            desk.sim.refuse(reason)
    with pytest.raises(ValueError, match="nonsense"):
        desk.sim.refuse("nonsense")


# -- rate limits, clocks, keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
async def test_who_asks_too_fast_is_told_so(at: Callable[..., Any], venue: str) -> None:
    async with at(venue) as desk:
        with pytest.raises((ccxt.RateLimitExceeded, ccxt.DDoSProtection)):
            for _ in range(70):
                await desk.client.fetch_open_orders(None if venue != "bybit" else desk.symbol)
        desk.sim.has_limits = False
        await desk.client.fetch_open_orders(desk.symbol)


@pytest.mark.parametrize("venue", ["bybit", "binance"])
async def test_a_clock_that_is_off_is_refused(at: Callable[..., Any], venue: str) -> None:
    async with at(venue) as desk:
        for skew in (60_000, -60_000):
            desk.sim.clock_skew_ms = skew
            with pytest.raises(ccxt.InvalidNonce):
                await desk.client.fetch_positions()
        await desk.client.load_time_difference()
        desk.client.options["adjustForTimeDifference"] = True
        desk.client.nonce = lambda: desk.client.milliseconds() - desk.client.options["timeDifference"]
        assert await desk.client.fetch_positions() == []


@pytest.mark.parametrize("venue", VENUES)
async def test_a_wrong_secret_is_refused_and_noted(at: Callable[..., Any], venue: str) -> None:
    async with at(venue) as desk:
        desk.client.secret, desk.client.privateKey = "wrong", "0x" + "22" * 32
        with pytest.raises(ccxt.BaseError):
            await desk.buys(0.01)
        assert "bad signature" in desk.sim.violations[-1]
        assert desk.sim.position("BTC").quantity == 0


@pytest.mark.parametrize("venue", ["bybit", "binance"])
async def test_an_unknown_key_is_refused(at: Callable[..., Any], venue: str) -> None:
    async with at(venue) as desk:
        desk.client.apiKey = "nobody"
        with pytest.raises(ccxt.AuthenticationError):
            await desk.client.fetch_positions()
        assert ["unknown API key" in each for each in desk.sim.violations] == [True]


@pytest.mark.parametrize("venue", ["bybit", "binance"])
async def test_unknown_parameters_and_paths_are_noted(at: Callable[..., Any], venue: str) -> None:
    async with at(venue) as desk:
        await desk.client.fetch_open_orders(desk.symbol, None, None, {"nonsense": 1})
        assert ["unknown parameter 'nonsense'" in each for each in desk.sim.violations] == [True]
        with pytest.raises(ccxt.BaseError):
            await desk.client.fetch_funding_rate_history(desk.symbol)
        assert "does not have this call" in desk.sim.violations[1]


# -- streams ----------------------------------------------------------------------------------------------------------


async def _listening(desk: Any) -> None:
    desk.watch("orders", desk.client.watch_orders)
    await desk.sim.wait_for_stream(topic="order")


async def test_a_stream_that_is_cut_raises_and_is_opened_again(desk: Any) -> None:
    await _listening(desk)
    desk.sim.streams.abort("private")
    await desk.until(lambda: desk.failed)
    await desk.sim.wait_for_stream(topic="order")
    desk.sim.orders("BTC", 0.01, price=40_000)
    assert await desk.until(lambda: desk.seen["orders"])


async def test_a_muted_stream_keeps_its_connection_and_says_nothing(desk: Any) -> None:
    await _listening(desk)
    desk.sim.streams.mute("private")
    desk.sim.orders("BTC", 0.01, price=40_000)
    with pytest.raises(TimeoutError):
        await desk.until(lambda: desk.seen["orders"] or desk.failed, timeout_s=0.2)
    desk.sim.streams.unmute()
    desk.sim.orders("BTC", 0.02, price=40_000)
    await desk.until(lambda: desk.seen["orders"])
    assert [each[0]["amount"] for each in desk.seen["orders"]] == [0.02]


async def test_half_a_message_stops_the_client_from_hearing_and_nothing_tells_it(desk: Any) -> None:
    """The pitfall itself: the socket is open and every later message is lost."""
    await _listening(desk)
    desk.sim.streams.malformed("private")
    desk.sim.orders("BTC", 0.01, price=40_000)
    with pytest.raises(TimeoutError):
        await desk.until(lambda: desk.seen["orders"] or desk.failed, timeout_s=0.3)
    assert len(desk.sim.streams.of("private")) == 1


async def test_an_event_may_come_twice(desk: Any) -> None:
    await _listening(desk)
    desk.sim.arm("duplicate")
    desk.sim.orders("BTC", 0.01, price=40_000)
    await desk.until(lambda: desk.seen["orders"])
    assert len(desk.client.orders) == 1


async def test_events_may_come_in_the_wrong_order(desk: Any) -> None:
    await _listening(desk)
    desk.sim.arm("reorder")
    order = desk.sim.orders("BTC", 0.01, price=40_000)
    desk.sim.cancels(order)
    await desk.until(lambda: len(desk.client.orders or []) == 1)


async def test_a_venue_that_was_away_is_found_again_on_the_same_port(desk: Any) -> None:
    desk.sim.trades("BTC", 0.01)
    port = desk.sim.port
    await desk.sim.down()
    with pytest.raises(ccxt.NetworkError):
        await desk.client.fetch_positions()
    await desk.sim.up()
    [found] = await desk.client.fetch_positions()
    assert (found["contracts"], desk.sim.port) == (0.01, port)


async def test_streams_come_back_after_a_restart(desk: Any) -> None:
    await _listening(desk)
    await desk.sim.restart()
    await desk.until(lambda: desk.failed)
    await desk.sim.wait_for_stream(topic="order")
    desk.sim.orders("BTC", 0.01, price=40_000)
    assert await desk.until(lambda: desk.seen["orders"])


async def test_a_planned_outage_ends_by_itself(desk: Any) -> None:
    async with asyncio.TaskGroup() as group:
        outages = group.create_task(desk.sim.outages())
        desk.sim.plan_outage(0.05)
        await desk.sim.watch.until(lambda: desk.sim.outage_count or None, timeout_s=5)
        outages.cancel()
    assert await desk.client.fetch_positions() == []
