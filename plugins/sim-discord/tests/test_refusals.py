"""What the platform refuses, the simulator refuses with its codes."""

import io
import json
from collections.abc import Awaitable

import discord
import pytest
from discord_client import ask, rest

from haltline_sim_discord.content import check_content, pings_of
from haltline_sim_discord.failure import ApiError
from haltline_sim_discord.server import DiscordSim


def buttons(*rows: int) -> list[dict]:
    made, number = [], 0
    for row in rows:
        inner = [{"type": 2, "style": 1, "label": "x", "custom_id": f"{number + i}"} for i in range(row)]
        number += row
        made.append({"type": 1, "components": inner})
    return made


def row(button: dict) -> dict:
    return {"type": 1, "components": [{"type": 2, **button}]}


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"content": "x" * 2001}, 50035, "content"),
        ({}, 50006, ""),
        ({"content": "  "}, 50006, ""),
        ({"embeds": [{"title": "x"}] * 11}, 50035, "embeds"),
        ({"embeds": [{"description": "x" * 4096}, {"description": "x" * 1905}]}, 50035, "embeds"),
        ({"embeds": [{"title": "x" * 257}]}, 50035, "title"),
        ({"embeds": [{"footer": {"text": "x" * 2049}}]}, 50035, "footer"),
        ({"embeds": [{"fields": [{"name": "n", "value": "v"}] * 26}]}, 50035, "fields"),
        ({"embeds": [{"fields": [{"name": "n", "value": "x" * 1025}]}]}, 50035, "value"),
        ({"embeds": [{"fields": [{"name": " ", "value": "v"}]}]}, 50035, "name"),
        ({"content": "x", "components": buttons(1, 1, 1, 1, 1, 1)}, 50035, "components"),
        ({"content": "x", "components": buttons(6)}, 50035, "components"),
        ({"content": "x", "components": buttons(0)}, 50035, "components"),
        ({"content": "x", "components": buttons(1) * 2}, 50035, "custom_id"),
        ({"content": "x", "components": [{"type": 2}]}, 50035, "type"),
        ({"content": "x", "components": [row({"style": 5, "label": "x"})]}, 50035, "0"),
        ({"content": "x", "components": [row({"custom_id": "x" * 101, "label": "x"})]}, 50035, "custom_id"),
        ({"content": "x", "components": [row({"custom_id": "x", "label": "x" * 81})]}, 50035, "label"),
        ({"content": "x", "components": [row({"custom_id": "x"})]}, 50035, "0"),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["7"]}}, 50035, "allowed_mentions"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_is_refused(body: dict, code: int, field: str) -> None:
    with pytest.raises(ApiError) as found:
        check_content(body, has_files=False)
    assert (found.value.status, found.value.code) == (400, code)
    assert f'"{field}"' in json.dumps(found.value.errors) or not field


def test_the_longest_and_fullest_message_is_taken() -> None:
    fields = [{"name": "n" * 10, "value": "v" * 100}] * 25
    embeds = [{"fields": fields}, {"description": "x" * 3250}]
    check_content({"content": "x" * 2000, "embeds": embeds, "components": buttons(5, 5, 5, 5, 5)}, has_files=False)


@pytest.mark.parametrize(
    ("text", "allowed", "pings"),
    [
        ("@everyone <@7> <@&5>", None, {"everyone", "7", "5"}),
        ("@everyone <@7> <@&5>", {"parse": []}, set()),
        ("@here <@!7> <@8>", {"parse": ["users"]}, {"7"}),
        ("<@7> <@&5>", {"parse": [], "users": ["7"]}, {"7"}),
        ("`@everyone` ```<@7>```", None, set()),
        ("everyone@example.net", {"parse": ["everyone"]}, set()),
    ],
)
def test_only_allowed_mentions_notify(text: str, allowed: dict | None, pings: set[str]) -> None:
    assert pings_of(text, allowed, users=["7", "9"], roles=["5"]) == pings


async def test_mentions_of_a_real_client_notify_as_it_allows(sim: DiscordSim) -> None:
    sim.user(7, "Anna")
    sim.role(5, "Desk")
    async with rest(sim) as (_, channel):
        await channel.send("@everyone <@7> <@&5>", allowed_mentions=discord.AllowedMentions.none())
        await channel.send("@everyone <@7> <@&5>")
    inert, loud = sim.world.said
    assert inert.pings == frozenset()
    assert loud.pings == {"everyone", "7", "5"}


async def test_what_is_refused_is_refused_with_the_platforms_codes(sim: DiscordSim) -> None:
    anna, closed, silent = sim.user(7, "Anna"), sim.channel("closed"), sim.channel("silent")
    closed.is_closed = silent.is_silent = True
    anna.blocks()
    said = anna.says("mine")
    async with rest(sim) as (client, channel):
        sent = await channel.send("x")
        await client.http.start_thread_with_message(channel.id, sent.id, name="t", auto_archive_duration=60)
        cases: list[tuple[int, Awaitable[object]]] = [
            (10003, client.get_partial_messageable(1).send("x")),
            (50001, client.get_partial_messageable(int(closed.id)).send("x")),
            (50013, client.get_partial_messageable(int(silent.id)).send("x")),
            (50007, (await client.fetch_user(7)).send("x")),
            (10008, channel.fetch_message(1)),
            (50005, channel.get_partial_message(int(said.id)).edit(content="y")),
            (50013, channel.get_partial_message(int(said.id)).delete()),
            (50006, sent.edit(content="")),
            (50035, channel.send("x" * 2001)),
            (160004, client.http.start_thread_with_message(channel.id, sent.id, name="t", auto_archive_duration=60)),
            (10013, client.fetch_user(99)),
            (10004, client.fetch_guild(99)),
            (50035, client.http.start_private_message(99)),
            (40005, channel.send(file=discord.File(io.BytesIO(bytes((10 << 20) + 1)), "x.bin"))),
        ]
        for code, call in cases:
            with pytest.raises(discord.HTTPException) as found:
                await call
            assert found.value.code == code


@pytest.mark.parametrize(
    "command",
    [
        {"name": "Upper", "description": "x"},
        {"name": "x" * 33, "description": "x"},
        {"name": "a b", "description": "x"},
        {"name": "a", "description": ""},
        {"name": "a", "description": "x" * 101},
        {"name": "a", "description": "x", "options": [{"type": 3, "name": "b", "description": "x"}] * 26},
        {"name": "a", "description": "x", "options": [{"type": 3, "name": "B", "description": "x"}]},
        {"name": "a", "description": "x", "options": [{"type": 3, "name": "b", "description": ""}]},
        {"name": "a", "description": "x", "options": [
            {"type": 3, "name": "b", "description": "x"},
            {"type": 3, "name": "c", "description": "x", "required": True}]},
        {"name": "a", "description": "x", "options": [
            {"type": 3, "name": "b", "description": "x", "choices": [{"name": "n", "value": "v"}] * 26}]},
        {"name": "a", "description": "x", "options": [
            {"type": 3, "name": "b", "description": "x", "choices": [{"name": "n", "value": "v" * 101}]}]},
    ],
)  # fmt: skip
async def test_a_command_that_cannot_be_is_refused(sim: DiscordSim, command: dict) -> None:
    status, body = await ask(sim, "PUT", "/applications/1/commands", [command])
    assert (status, body["code"]) == (400, 50035)
    assert sim.world.commands.get("", []) == []
