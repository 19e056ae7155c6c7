"""Requests and frames that nobody should send: each is answered, and none of them moves anything."""

import dataclasses
import json
from typing import Any

import aiohttp
import pytest

from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim
from haltline_sim_crypto.record import Request
from haltline_sim_crypto.server import CryptoSim

SIMS = [BybitSim, BinanceSim, HyperliquidSim]
HOSTILE = [
    None, "", "x", "-1", "0", "NaN", "Infinity", "1e999999", "9" * 400, -1, 0, 10**30, 1.5, True, [], {}, [None], [[]],
    {"a": 1}, "BTCUSDT", "BTC", "linear", "\x00", "💥", [{"a": 0}],
    [{"a": 10**9, "o": "x", "asset": -1, "cloid": None}],
]  # fmt: skip
GOOD: dict[str, Any] = {
    "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "1",
    "limit": "2", "coin": "BTC", "user": "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a", "accountType": "UNIFIED",
}  # fmt: skip


@pytest.mark.parametrize("make", SIMS)
def test_every_call_answers_whatever_its_parameters_are(make: type[CryptoSim]) -> None:
    sim: Any = make(limits=False)
    for call, route in sim._rest.items():
        free = dataclasses.replace(route, is_signed=False)
        for name in sorted(route.known):
            for bad in HOSTILE:
                given = {key: value for key, value in GOOD.items() if key in route.known} | {name: bad}
                asked = Request(call=call, parameters=given, headers={}, raw="", at_ms=0, route=free)
                answer = sim.serve(asked)
                assert answer.status < 500, (call, name, bad)
                json.loads(answer.body or b"null") if answer.content_type == "application/json" else None
    assert not any(sim.account.held())
    assert sim.account.wallet == 10_000


@pytest.mark.parametrize("make", SIMS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"{" * 2000, b'{"type":1}'])
async def test_a_body_that_makes_no_sense_is_refused(make: type[CryptoSim], body: bytes) -> None:
    paths = {"bybit": "/v5/order/create", "binance": "/fapi/v1/order", "hyperliquid": "/exchange"}
    async with make() as sim, aiohttp.ClientSession() as session:
        for path in (paths[sim.venue], "/info", "/nowhere"):
            headers = {"Content-Type": "application/json"}
            async with session.post(sim.base_url + path, data=body, headers=headers) as answer:
                assert answer.status < 500
        assert sim.violations
        assert sim.account.orders == {}


@pytest.mark.parametrize("make", SIMS)
@pytest.mark.parametrize(
    "frame",
    [
        "", "{", "null", "[]", "1", '"x"', '{"op": 1}',
        '{"op": "auth", "args": []}', '{"op": "auth", "args": [1, 2, 3]}',
        '{"op": "subscribe", "args": [1, null, "orders"]}', '{"method": "SUBSCRIBE", "params": [1, "x@y"], "id": 1}',
        '{"method": "subscribe", "subscription": {"type": "orderUpdates", "user": 1}}',
        '{"method": "subscribe", "subscription": {"type": 1}}', '{"method": "unsubscribe", "subscription": null}',
    ],
)  # fmt: skip
async def test_a_frame_that_makes_no_sense_leaves_the_stream_open(make: type[CryptoSim], frame: str) -> None:
    paths = {"bybit": "/v5/private", "binance": "/ws/1", "hyperliquid": "/ws"}
    async with (
        make() as sim,
        aiohttp.ClientSession() as session,
        session.ws_connect(sim.base_url + paths[sim.venue]) as socket,
    ):
        for _ in range(2):
            await socket.send_str(frame)
            await socket.receive(timeout=2)
            assert not socket.closed


@pytest.mark.parametrize("make", SIMS)
def test_an_exchange_is_what_is_redirected(make: type[CryptoSim]) -> None:
    with pytest.raises(TypeError, match="a ccxt exchange was expected, found dict"):
        make().redirect({})


@pytest.mark.parametrize("make", SIMS)
def test_a_script_is_told_of_its_mistakes(make: type[CryptoSim]) -> None:
    sim = make()
    with pytest.raises(KeyError, match="not traded here"):
        sim.price("NOPE", 1)
    with pytest.raises(ValueError, match="0 was found"):
        sim.trades("BTC", 0)
    with pytest.raises(ValueError, match="finite"):
        sim.deposits("NaN")
    with pytest.raises(ValueError, match="nonsense"):
        sim.arm("nonsense")
