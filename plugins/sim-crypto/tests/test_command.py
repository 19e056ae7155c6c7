"""The command, and the controls over HTTP."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
import pytest

from haltline_sim_crypto import __main__ as command
from haltline_sim_crypto.bybit import BybitSim


async def _post(sim: Any, path: str, **body: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{sim.base_url}/_sim/{path}", json=body) as answer:
        return answer.status, await answer.json()


async def _get(sim: Any, path: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{sim.base_url}/_sim/{path}") as answer:
        return await answer.json()


async def test_prices_trades_and_orders_are_scripted_over_http() -> None:
    async with BybitSim() as sim:
        await _post(sim, "price", symbol="BTC", last=50_000, mark=50_010)
        assert (await _post(sim, "trade", symbol="BTC", quantity=0.1))[1]["status"] == "filled"
        await _post(sim, "order", symbol="BTC", quantity=0.1, price=40_000)
        assert (await _post(sim, "funding", symbol="BTC", rate=0.001))[0] == 200
        state = (await _get(sim, "state"))["main"]
        assert state["positions"] == [{"symbol": "BTCUSDT", "leg": "net", "quantity": "0.1", "entry": "50000.1"}]
        assert [each["price"] for each in state["orders"]] == ["40000"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("price", {"symbol": "BTC", "last": -1}),
        ("price", {"symbol": "BTC", "last": "NaN"}),
        ("price", {"symbol": "NOPE", "last": 1}),
        ("price", {}),
        ("trade", {"symbol": "BTC", "quantity": 0}),
        ("trade", {"symbol": "BTC", "quantity": 0.1, "nonsense": 1}),
        ("trade", {"symbol": "BTC", "quantity": 1_000_000}),
        ("faults", {"kind": "nonsense"}),
        ("refuse", {"reason": "post_only"}),
        ("stream", {"do": "nonsense"}),
        ("clock", {"skew_ms": "x"}),
    ],
)
async def test_a_wrong_control_is_told_and_changes_nothing(path: str, body: dict[str, Any]) -> None:
    async with BybitSim() as sim:
        status, answer = await _post(sim, path, **body)
        assert (status, list(answer)) == (400, ["error"])
        assert (sim.account.orders, sim.market("BTC").moves) == ({}, 0)


async def test_faults_and_streams_are_broken_and_mended_over_http() -> None:
    async with BybitSim() as sim, aiohttp.ClientSession() as session:
        await _post(sim, "refuse", reason="rate_limit", call="time")
        for expected in (10006, 0):
            async with session.get(f"{sim.base_url}/v5/market/time") as answer:
                assert (await answer.json())["retCode"] == expected
        await _post(sim, "faults", kind="status", call="time", status=503, count=None)
        async with session.get(f"{sim.base_url}/v5/market/time") as answer:
            assert answer.status == 503
        await _post(sim, "clock", skew_ms=5_000)
        assert sim.clock_skew_ms == 5_000
        await _post(sim, "stream", do="mute")
        await session.delete(f"{sim.base_url}/_sim/faults")
        assert sim.clock_skew_ms == 0
        async with session.ws_connect(f"{sim.base_url}/v5/public/linear") as socket:
            await socket.send_json({"op": "ping", "req_id": "1"})
            assert (await socket.receive_json())["ret_msg"] == "pong"
            await socket.send_str("nonsense")
            await socket.receive_json()
            await _post(sim, "stream", do="close", code=1012)
            assert (await socket.receive()).data == 1012
        assert [each["message"] for each in await _get(sim, "frames")][-1] == "nonsense"
        assert len((await _get(sim, "violations"))["violations"]) == 1
        assert (await _get(sim, "requests"))[0]["call"] == "GET /v5/market/time"


async def test_a_protocol_ping_is_answered_unless_muted() -> None:
    async with (
        BybitSim() as sim,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{sim.base_url}/v5/public/linear", autoping=False) as socket,
    ):
        await socket.ping(b"a")
        assert (await socket.receive()).data == b"a"
        sim.streams.mute()
        await socket.ping(b"b")
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.1)


@pytest.mark.parametrize(
    "words",
    [
        [], ["nowhere"], ["bybit", "--price", "BTC"], ["bybit", "--price", "BTC=-1"], ["bybit", "--price", "NOPE=1"],
        ["bybit", "--balance", "NaN"], ["bybit", "--balance", "much"], ["hyperliquid", "--hedged"],
    ],
)  # fmt: skip
def test_wrong_words_are_explained(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(words)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("venue", ["bybit", "binance", "hyperliquid"])
def test_help_is_there_for_each_venue(venue: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        getattr(command, venue)(["--help"])
    assert caught.value.code == 0
    assert "--port" in capsys.readouterr().out


async def test_the_command_serves_until_it_is_stopped() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "haltline_sim_crypto", "binance", "--walk", "0", "--price", "BTC=51000",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        address, venue, credentials = (await process.stdout.readline()).decode().split(" ", 2)
        assert (venue, sorted(json.loads(credentials))) == ("binance", ["apiKey", "secret"])
        url = f"{address}/fapi/v1/premiumIndex?symbol=BTCUSDT"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert (await answer.json())["markPrice"] == "51000"
    finally:
        process.terminate()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]
