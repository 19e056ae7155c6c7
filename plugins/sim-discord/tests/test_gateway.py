"""Sessions of the gateway: resumed, invalid, closed, silent, and gone for a while."""

import asyncio
import contextlib

import discord
import pytest
from discord_client import Bot, ask, connected, rest, socket

from haltline_sim_discord.redirect import redirected
from haltline_sim_discord.server import DiscordSim


@pytest.mark.parametrize("how", ["reconnect", "close", "cut", "invalidate"])
async def test_a_session_is_resumed_and_what_was_missed_comes(sim: DiscordSim, how: str) -> None:
    anna = sim.user(7, "Anna")
    async with connected(sim):
        if how == "invalidate":
            sim.gateway.invalidate(is_resumable=True)
        else:
            getattr(sim.gateway, how)()
        asked = anna.slash("status", account="eval")
        await sim.wait_for_reply(asked)
        assert sim.gateway.resumed == 1


async def test_an_invalid_session_is_made_anew_and_a_lost_one_cannot_be_resumed(sim: DiscordSim) -> None:
    async with socket(sim) as link:
        await link.identify()
        sim.gateway.invalidate()
        assert (await link.receive())["op"] == 9
        await link.send({"op": 6, "d": {"token": sim.token, "session_id": "session-1", "seq": 1}})
        answer = await link.receive()
        assert (answer["op"], answer["d"]) == (9, False)
        await link.identify()
        assert link.session == "session-2"


async def test_events_missed_are_sent_again_from_the_last_one_seen(sim: DiscordSim) -> None:
    await ask(sim, "PUT", "/applications/1/commands", [{"name": "status", "description": "x"}])
    async with socket(sim) as link:
        await link.identify()
        session = link.session
        sim.gateway.cut()
    anna = sim.user(7, "Anna")
    first, second = anna.slash("status"), anna.slash("status")
    async with socket(sim) as link:
        await link.send({"op": 6, "d": {"token": sim.token, "session_id": session, "seq": 1}})
        seen = [await link.receive() for _ in range(3)]
    assert [each["t"] for each in seen] == ["INTERACTION_CREATE", "INTERACTION_CREATE", "RESUMED"]
    assert [each["s"] for each in seen] == [2, 3, 4]
    assert [each["d"]["id"] for each in seen[:2]] == [first.id, second.id]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([{"op": 2, "d": {"token": "wrong", "intents": 0, "properties": {}}}], 4004),
        ([{"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}], 4004),
        (["{"], 4002),
        ([[]], 4002),
        ([{"op": 2, "d": None}], 4002),
        ([{"op": 8, "d": {}}], 4003),
        ([{"op": 2, "d": {"token": "T", "intents": -1}}], 4013),
        ([{"op": 2, "d": {"token": "T", "intents": 1 << 15}}], 4014),
        ([{"op": 2, "d": {"token": "T", "intents": 0}}, {"op": 2, "d": {"token": "T", "intents": 0}}], 4005),
        ([{"op": 2, "d": {"token": "T", "intents": 0}}, {"op": 77, "d": {}}], 4001),
        ([{"op": 2, "d": {"token": "T", "intents": 0}},
          {"op": 6, "d": {"token": "T", "session_id": "session-1", "seq": 99}}], 4007),
    ],
)  # fmt: skip
async def test_the_gateway_closes_with_the_platforms_codes(frames: list, code: int) -> None:
    async with DiscordSim(token="T") as sim, socket(sim) as link:
        for frame in frames:
            await link.send(frame)
        assert await link.closed() == code


async def test_heartbeats_are_answered_until_muted(sim: DiscordSim) -> None:
    async with socket(sim) as link:
        await link.identify()
        await link.send({"op": 1, "d": 1})
        assert (await link.receive())["op"] == 11
        sim.gateway.answers_heartbeats = False
        await link.send({"op": 1, "d": 1})
        sim.gateway.reconnect()
        assert (await link.receive())["op"] == 7


async def test_a_client_whose_heartbeats_are_not_answered_resumes(sim: DiscordSim) -> None:
    sim.gateway.heartbeat_ms = 50
    bot = Bot()
    bot._connection.heartbeat_timeout = 0.15
    async with connected(sim, bot):
        sim.gateway.answers_heartbeats = False
        await sim.wait_for_resumed()
        sim.gateway.answers_heartbeats = True


@pytest.mark.parametrize("compresses", [True, False])
async def test_compression_is_given_or_declined(sim: DiscordSim, compresses: bool) -> None:
    sim.gateway.compresses = compresses
    async with connected(sim), socket(sim, "?compress=zlib-stream") as link:
        assert link.is_binary == compresses
        await sim.wait_for_reply(sim.user(7, "Anna").slash("status", account="eval"))


async def test_a_frame_that_is_no_json_ends_the_client(sim: DiscordSim) -> None:
    bot = Bot()
    task = asyncio.create_task(bot.start(sim.token))
    await sim.wait_for_ready()
    sim.gateway.garble()
    with pytest.raises(ValueError, match="line 1 column"):
        await task
    await bot.close()


async def test_the_addresses_of_discord_py_are_put_back() -> None:
    before = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    async with DiscordSim() as sim:
        with redirected(sim), contextlib.suppress(RuntimeError):
            assert sim.api_url == discord.http.Route.BASE
            raise RuntimeError
    assert before == (discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY)
    assert before[0].startswith("https://discord.com")


async def test_a_wrong_token_does_not_get_in(sim: DiscordSim) -> None:
    async with discord.Client(intents=discord.Intents.none()) as client:
        with pytest.raises(discord.LoginFailure):
            await client.login("wrong.token.here")


async def test_after_an_outage_the_session_goes_on(sim: DiscordSim) -> None:
    anna = sim.user(7, "Anna")
    async with connected(sim) as bot:
        port = sim.host.port
        await sim.down()
        with pytest.raises((discord.DiscordException, OSError)):
            async with rest(sim):
                pass
        asked = anna.slash("mute")
        await sim.up()
        assert sim.host.port == port
        await sim.wait_for_resumed()
        await sim.wait_for_reply(anna.slash("status", account="eval"))
        assert bot.heard[0] == "mute"
        assert asked.answered is None
