"""Found by the soak of the venues: half a message about prices, and the one before it stood for 15 seconds."""

import asyncio
from types import SimpleNamespace

import ccxt
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


@pytest.mark.parametrize("raised", [KeyError("id"), TypeError("None"), ccxt.ExchangeError("odd")])
async def test_what_the_library_raises_over_a_message_ends_the_connection_and_not_its_loop(
    monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    exchange = make_exchange("binanceusdm", {}, tap=lambda *said: False)
    rejected: list[Exception] = []
    client = SimpleNamespace(url="wss://x", reject=rejected.append)

    def fails(self: object, client: object, message: object) -> None:
        raise raised

    monkeypatch.setattr(type(exchange).__mro__[1], "handle_message", fails)
    exchange.handle_message(client, {"e": "odd"})  # type: ignore[attr-defined]  # the library's own
    assert [type(each) for each in rejected] == [ccxt.NetworkError]
    await exchange.close()
