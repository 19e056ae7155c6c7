"""Faults and limits of REST, the published description, and the simulator steered from outside."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import discord
import pytest
from discord_client import ask, connected, rest

from haltline_sim_discord.failure import Throttled
from haltline_sim_discord.limit import Pace, Rate
from haltline_sim_discord.redirect import redirected
from haltline_sim_discord.schema import find_schema
from haltline_sim_discord.server import DiscordSim

needs_schema = pytest.mark.skipif(find_schema() is None, reason="the published description is not on this machine")


# -- faults and limits of REST ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 403, "code": 50001}, discord.Forbidden),
        ({"kind": "status", "status": 404}, discord.NotFound),
        ({"kind": "status", "status": 400, "reason": "Bad", "code": 50035}, discord.HTTPException),
        ({"kind": "status", "status": 501}, discord.DiscordServerError),
        ({"kind": "truncate"}, ValueError),
        ({"kind": "drop"}, (aiohttp.ClientError, OSError)),
        ({"kind": "hang"}, TimeoutError),
    ],
)
async def test_a_fault_strikes_once_before_anything_happened(
    sim: DiscordSim, fault: dict, error: type | tuple[type, ...]
) -> None:
    async with rest(sim) as (_, channel):
        sim.arm(call="POST /channels/*/messages", **fault)
        with pytest.raises(error):
            async with asyncio.timeout(0.2):
                await channel.send("x")
        assert sim.mark() == 0
        await channel.send("x")
    assert sim.mark() == 1


@pytest.mark.long
@pytest.mark.parametrize("fault", [{"kind": "garbage"}, {"kind": "status", "status": 500}])
async def test_a_client_tries_again_after_an_error_of_the_server(sim: DiscordSim, fault: dict) -> None:
    async with rest(sim) as (_, channel):
        sim.arm(call="POST /channels/*", **fault)
        await channel.send("x")
    assert sim.mark() == 1


async def test_a_client_waits_as_long_as_it_is_told() -> None:
    async with DiscordSim() as sim:
        with redirected(sim):
            async with rest(sim) as (_, channel):
                sim.arm("status", "POST /channels/*", status=429, retry_after_s=0.05)
                await channel.send("x")
    assert [each.call for each in sim.requests].count(f"POST /channels/{sim.channel().id}/messages") == 2
    assert sim.mark() == 1


async def test_the_headers_tell_where_a_bucket_stands_and_a_full_one_is_refused() -> None:
    now = [1_800_000_000.0]
    async with DiscordSim(now=lambda: now[0], rate=Rate(bucket=2, span_s=5)) as sim:
        url = f"{sim.api_url}/channels/{sim.channel().id}/messages"
        async with aiohttp.ClientSession(headers={"Authorization": f"Bot {sim.token}"}) as client:
            found = []
            for _ in range(3):
                async with client.post(url, json={"content": "x"}) as answer:
                    found.append((answer.status, answer.headers.get("X-RateLimit-Remaining")))
            assert found == [(200, "1"), (200, "0"), (429, None)]
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["X-RateLimit-Scope"] == "user"
            now[0] += 5
            async with client.post(url, json={"content": "x"}) as answer:
                assert answer.status == 200


def test_there_is_one_limit_for_everything_and_none_for_interactions() -> None:
    pace = Pace(Rate(overall_per_s=3), lambda: 0.0)
    for place in range(3):
        pace.spend(f"a of {place}")
    with pytest.raises(Throttled) as found:
        pace.spend("a of 9")
    assert found.value.is_global
    assert pace.spend(None) == {}


# -- the published description ---------------------------------------------------------------------------------------


@needs_schema
@pytest.mark.parametrize(
    ("verb", "path", "body", "words"),
    [
        ("POST", "/channels/1/messages", {"content": 5}, "content: 5 is not"),
        ("POST", "/channels/1/messages", {"content": "x", "colour": "red"}, "colour"),
        ("POST", "/channels/1/messages?loud=1", {"content": "x"}, "unknown query parameter 'loud'"),
        ("PUT", "/applications/1/commands", {}, "is not"),
        ("POST", "/channels/1/messages", None, "a body is missing"),
        ("GET", "/users/@me", {"a": 1}, "no body was expected"),
        ("POST", "/inventions", {}, "does not have this operation"),
    ],
)
async def test_a_request_that_departs_from_the_description_is_reported(
    sim: DiscordSim, verb: str, path: str, body: object, words: str
) -> None:
    assert sim.validation == "on: OpenAPI of API v10"
    await ask(sim, verb, path, body)
    assert any(words in line for line in sim.violations), sim.violations


async def test_without_a_description_nothing_is_checked_and_it_says_so(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HALTLINE_CONFORMANCE", str(tmp_path))
    async with DiscordSim() as sim:
        await ask(sim, "POST", "/channels/1/messages", {"colour": "red"})
        assert sim.validation == "off: no published description was found"
        assert sim.violations == []


# -- from outside ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"content": {"a": []}, "embeds": [5]}'])
async def test_a_hostile_body_gets_an_answer(sim: DiscordSim, body: bytes) -> None:
    headers = {"Authorization": f"Bot {sim.token}", "Content-Type": "application/json"}
    url = f"{sim.api_url}/channels/{sim.channel().id}/messages"
    async with aiohttp.ClientSession(headers=headers) as client, client.post(url, data=body) as answer:
        assert answer.status == 400
        assert "code" in await answer.json()


async def test_everything_can_be_steered_over_http(sim: DiscordSim) -> None:
    async with connected(sim), aiohttp.ClientSession(f"{sim.base_url}/_sim/") as client:

        async def steer(verb: str, path: str, **body: object) -> dict | list:
            async with client.request(verb, path, json=body or None) as answer:
                return json.loads(await answer.text())

        await steer("POST", "say", user=7, name="Anna", text="hello")
        await steer("POST", "slash", user=7, command="status", options={"account": "eval"})
        shown = await sim.wait_for_message("50,000")
        await steer("POST", "press", user=7, message=shown.id, label="Acknowledge")
        await sim.wait_for_message("Acknowledged")
        assert await steer("POST", "faults", kind="status", call="GET /nothing") == {"armed": True}
        assert await steer("DELETE", "faults") == {"armed": False}
        assert "PUT" in {each["verb"] for each in await steer("GET", "requests")}
        assert (await steer("GET", "violations"))["violations"] == []
        assert len(await steer("GET", "messages")) == 2
        assert "LookupError" in (await steer("POST", "slash", user=7, command="nothing"))["error"]
        assert "ValueError" in (await steer("POST", "gateway", do="explode"))["error"]
        async with client.get("transcript") as answer:
            assert "Anna presses: [Acknowledge]" in await answer.text()
        for word in ("mute", "unmute"):
            await steer("POST", "gateway", do=word)
        await steer("POST", "gateway", do="close", code=4000)
        await sim.wait_for_resumed(1)
        async with asyncio.TaskGroup() as group:
            away = group.create_task(sim.outages())
            await steer("POST", "outage", seconds=0)
            await sim.wait_for_resumed(2)
            assert sim.outage_count == 1
            away.cancel()


async def test_waiting_in_vain_tells_what_was_said(sim: DiscordSim) -> None:
    sim.user(7, "Anna").says("hello")
    with pytest.raises(TimeoutError, match="no message with 'x' within 0 s; so far:\n\\[general\\] Anna: hello"):
        await sim.wait_for_message("x", timeout_s=0)


def test_the_command_prints_its_addresses_and_ends_on_ctrl_c() -> None:
    command = [sys.executable, "-m", "haltline_sim_discord", "--port", "0", "--no-limits"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


def test_the_command_explains_itself() -> None:
    command = [sys.executable, "-m", "haltline_sim_discord", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "usage: python -m haltline_sim_discord" in done.stdout
