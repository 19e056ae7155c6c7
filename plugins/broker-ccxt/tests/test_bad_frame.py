"""Found by the soak of the venues: half a message about prices, and the one before it stood for 15 seconds."""

import asyncio

import pytest

from haltline_broker_ccxt.client import make_exchange


@pytest.mark.parametrize("name", ["bybit", "binanceusdm", "hyperliquid"])
async def test_half_a_message_ends_the_connection_at_once_instead_of_the_library_s_loop(name: str) -> None:
    exchange = make_exchange(name, {}, tap=lambda url, message: False)
    try:
        client = exchange.client("ws://127.0.0.1:9/somewhere")  # type: ignore[attr-defined]  # the library's own
        assert exchange.client("ws://127.0.0.1:9/somewhere") is client  # type: ignore[attr-defined]
        future = client.future("prices")
        client.handle_text_or_binary_message('{"topic":"tickers","data":')
        await asyncio.sleep(0)
        with pytest.raises(Exception, match="no JSON"):
            await asyncio.wait_for(future, 1)
    finally:
        await exchange.close()
