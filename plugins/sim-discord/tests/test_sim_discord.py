"""The genuine discord.py against the simulator: commands, buttons, embeds, files, sessions, and all that goes wrong."""

import asyncio
import contextlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import aiohttp
import discord
import pytest
from discord import app_commands

from haltline_sim_discord.content import check_content, pings_of
from haltline_sim_discord.failure import ApiError, Throttled
from haltline_sim_discord.limit import OFF, Pace, Rate
from haltline_sim_discord.record import ADMINISTRATOR, EPHEMERAL
from haltline_sim_discord.redirect import redirected
from haltline_sim_discord.schema import find_schema
from haltline_sim_discord.server import DiscordSim

needs_schema = pytest.mark.skipif(find_schema() is None, reason="the published description is not on this machine")


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSim]:
    async with DiscordSim(rate=OFF, checks_answers=True) as sim:
        with redirected(sim):
            yield sim
    assert sim.own_violations == []


class Card(discord.ui.View):
    """A button that outlives restarts."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Acknowledge", custom_id="ack:1", style=discord.ButtonStyle.success)
    async def ack(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.edit_message(content=f"Acknowledged by {interaction.user.id}", view=None)


class Form(discord.ui.Modal, title="Second factor"):
    """A form with one line."""

    code: discord.ui.TextInput = discord.ui.TextInput(label="Code", custom_id="code")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"code {self.code.value}", ephemeral=True)


class Bot(discord.Client):
    """A small bot with a few commands."""

    def __init__(self, intents: discord.Intents | None = None) -> None:
        super().__init__(intents=intents or discord.Intents.none(), guild_ready_timeout=0.0, max_messages=None)
        self.heard: list[str] = []
        self.tree = app_commands.CommandTree(self)
        self._add_commands()

    def _add_commands(self) -> None:
        @self.tree.command(description="How things are")
        async def status(interaction: discord.Interaction, account: str) -> None:
            self.heard.append(f"status {account} by {interaction.user.id}")
            card = discord.Embed(title="Equity", description="50,000").add_field(name="Account", value=account)
            await interaction.response.send_message(embed=card, view=Card(), ephemeral=True)

        @status.autocomplete("account")
        async def accounts(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=each, value=each) for each in ("eval", "live") if each.startswith(typed)]

        @self.tree.command(description="Takes a while")
        async def slow(interaction: discord.Interaction) -> None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            await interaction.edit_original_response(content="done")
            await interaction.followup.send("and more", file=discord.File(io.BytesIO(b"a,b"), "fills.csv"))

        @self.tree.command(description="Says nothing")
        async def mute(interaction: discord.Interaction) -> None:
            self.heard.append("mute")

        @self.tree.command(description="Asks for more")
        @app_commands.default_permissions(administrator=True)
        async def unlock(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Form())

        lock = app_commands.Group(name="lock", description="Locks")

        @lock.command(name="set", description="Set one")
        async def lock_set(interaction: discord.Interaction, days: int) -> None:
            await interaction.response.send_message(f"locked {days}")

        self.tree.add_command(lock)

    async def setup_hook(self) -> None:
        self.add_view(Card())
        await self.tree.sync()

    async def on_resumed(self) -> None:
        self.heard.append("resumed")

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(f"message {message.content!r}")


@contextlib.asynccontextmanager
async def connected(sim: DiscordSim, bot: Bot | None = None) -> AsyncIterator[Bot]:
    bot = bot or Bot()
    task = asyncio.create_task(bot.start(sim.token))
    try:
        await sim.wait_for_ready()
        await bot.wait_until_ready()
        yield bot
    finally:
        await bot.close()
        with contextlib.suppress(asyncio.CancelledError, discord.DiscordException, OSError, ValueError):
            await task


@contextlib.asynccontextmanager
async def rest(sim: DiscordSim) -> AsyncIterator[tuple[discord.Client, discord.PartialMessageable]]:
    """A client without a gateway, and the first channel."""
    client = discord.Client(intents=discord.Intents.none())
    async with client:
        await client.login(sim.token)
        yield client, client.get_partial_messageable(int(sim.channel().id))


# -- the ordinary way --------------------------------------------------------------------------------------------------


async def test_a_command_its_embed_and_its_button_go_there_and_back(sim: DiscordSim) -> None:
    anna = sim.user(7, "Anna")
    async with connected(sim) as bot:
        asked = anna.slash("status", account="eval")
        shown = await sim.wait_for_reply(asked, "50,000")
        assert shown.is_ephemeral
        pressed = anna.presses(shown, "Acknowledge")
        await sim.wait_for_reply(pressed, "Acknowledged by 7")
        assert bot.heard == ["status eval by 7"]
    assert shown.buttons == ()
    assert sim.violations == []
    assert sim.transcript.splitlines() == [
        "[general] Anna: /status account:eval",
        "[general] haltline to Anna alone:",
        "    Equity",
        "    50,000",
        "    Account: eval",
        "    [Acknowledge]",
        "[general] Anna presses: [Acknowledge]",
        f"[general] haltline edits message {shown.id} to Anna alone:",
        "    Acknowledged by 7",
        "    Equity",
        "    50,000",
        "    Account: eval",
    ]


async def test_an_option_completes(sim: DiscordSim) -> None:
    async with connected(sim):
        typed = sim.user(7, "Anna").completes("status", "account", "e")
        assert await sim.wait_for_response(typed) == 8
    assert [each["value"] for each in typed.choices] == ["eval"]


async def test_a_deferred_answer_is_edited_and_followed(sim: DiscordSim) -> None:
    anna = sim.user(7, "Anna")
    async with connected(sim):
        asked = anna.slash("slow")
        await sim.wait_for_reply(asked, "and more")
    assert asked.answered == 5
    assert [(reply.shown, reply.is_loading) for reply in asked.replies] == [
        ("done", False), ("and more\n<file fills.csv>", False),
    ]  # fmt: skip
    assert asked.replies[0].flags & EPHEMERAL
    assert sim.violations == []


async def test_a_form_is_filled_in_by_who_may_use_the_command(sim: DiscordSim) -> None:
    admin, anna = sim.user(8, "Root", permissions=ADMINISTRATOR), sim.user(7, "Anna")
    async with connected(sim):
        asked = admin.slash("unlock")
        assert await sim.wait_for_response(asked) == 9
        await sim.wait_for_reply(admin.submits(asked, code="123456"), "code 123456")
        with pytest.raises(PermissionError, match="Anna may not use /unlock"):
            anna.slash("unlock")
    assert sim.violations == []


async def test_a_subcommand_is_found_by_its_words(sim: DiscordSim) -> None:
    anna = sim.user(7, "Anna")
    async with connected(sim):
        await sim.wait_for_reply(anna.slash("lock set", days=3), "locked 3")
        for words, options in (
            ("lock", {}), ("lock get", {}), ("lock set", {}), ("lock set", {"days": "3"}), ("lock set", {"days": True}),
            ("nothing", {}), ("status", {"account": "eval", "more": 1}),
        ):  # fmt: skip
            with pytest.raises(LookupError):
                anna.slash(words, **options)


async def test_commands_are_kept_by_place_with_their_numbers(sim: DiscordSim) -> None:
    async with rest(sim) as (client, _):
        tree, guild = app_commands.CommandTree(client), discord.Object(sim.guild_id)

        @tree.command(description="x", guild=guild)
        async def ping(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("pong")

        first = await tree.sync(guild=guild)
        again = await tree.sync(guild=guild)
        assert [each.id for each in first] == [each.id for each in again]
        assert await tree.fetch_commands() == []
        await (await tree.fetch_command(first[0].id, guild=guild)).edit(description="y")
        assert (await tree.fetch_commands(guild=guild))[0].description == "y"
        await first[0].delete()
        with pytest.raises(discord.NotFound):
            await tree.fetch_command(first[0].id, guild=guild)
    assert sim.violations == []


async def test_messages_files_threads_and_direct_messages(sim: DiscordSim) -> None:
    sim.user(7, "Anna")
    async with rest(sim) as (client, channel):
        sent = await channel.send("alert", embed=discord.Embed(title="Daily loss"), view=Card())
        await sent.edit(content="still", embed=None)
        assert (await channel.fetch_message(sent.id)).content == "still"
        picture = await channel.send(file=discord.File(io.BytesIO(b"png"), "equity.png"))
        assert await picture.attachments[0].read() == b"png"
        await picture.edit(attachments=[*picture.attachments, discord.File(io.BytesIO(b"2"), "two.png")])
        assert len((await channel.fetch_message(picture.id)).attachments) == 2
        await channel.send("answer", reference=sent)
        thread = await client.http.start_thread_with_message(
            channel.id, sent.id, name="incident 1", auto_archive_duration=1440
        )
        await client.get_partial_messageable(int(thread["id"])).send("in the thread")
        await client.http.edit_channel(int(thread["id"]), archived=True)
        person = await client.fetch_user(7)
        await person.send("for you alone")
        assert [m.content async for m in channel.history(limit=1)] == ["answer"]
        async with channel.typing():
            await sent.delete()
        with pytest.raises(discord.NotFound):
            await channel.fetch_message(sent.id)
        guild = await client.fetch_guild(sim.guild_id)
        assert len(await guild.fetch_channels()) == 1
        assert (await guild.fetch_member(7)).name == "anna"
        assert len(await guild.fetch_roles()) == 1
        assert len(await guild.active_threads()) == 0
    assert sim.channel("incident 1").is_archived
    assert sim.violations == []


async def test_what_people_write_is_read_with_the_intent_for_it_only(sim: DiscordSim) -> None:
    anna, intents = sim.user(7, "Anna"), discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
    async with connected(sim, Bot(intents)) as bot:
        said = anna.says("hello")
        anna.edits(said, "bye")
        anna.says("<@123456789012345678> hi")
        anna.says("secret", to=anna.direct)
        sim.channel("alerts")
        await sim.wait_for_reply(anna.slash("status", account="eval"))
        assert bot.heard[:3] == ["message ''", "message '<@123456789012345678> hi'", "message 'secret'"]
        assert {each.name for each in bot.get_all_channels()} == {"general", "alerts"}


# -- what the platform refuses -----------------------------------------------------------------------------------------


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


# -- interactions ------------------------------------------------------------------------------------------------------


async def test_an_interaction_has_three_seconds_one_response_and_a_quarter_of_an_hour() -> None:
    now = [1_800_000_000.0]
    async with DiscordSim(now=lambda: now[0], rate=OFF) as sim:
        anna = sim.user(7, "Anna")
        await ask(sim, "PUT", "/applications/1/commands", [{"name": "status", "description": "x"}])
        late, asked = anna.slash("status"), None
        now[0] += 3.1
        assert await respond(sim, late) == (404, 10062)
        asked = anna.slash("status")
        hook = f"/webhooks/1/{asked.token}"
        assert (await ask(sim, "POST", hook, {"content": "x"}))[0] == 404
        assert await respond(sim, asked) == (204, None)
        assert await respond(sim, asked) == (400, 40060)
        now[0] += 890
        assert (await ask(sim, "POST", hook, {"content": "x"}))[0] == 200
        assert (await ask(sim, "GET", f"{hook}/messages/@original"))[1]["content"] == "hi"
        assert (await ask(sim, "DELETE", f"{hook}/messages/@original"))[0] == 204
        assert (await ask(sim, "GET", f"{hook}/messages/@original"))[1]["code"] == 10008
        now[0] += 20
        assert (await ask(sim, "POST", hook, {"content": "x"}))[1]["code"] == 50027
        assert await respond(sim, anna.slash("status"), kind=7) == (400, 50035)
        assert asked.replies[0].deleted


async def test_a_follow_up_takes_the_place_of_the_thinking(sim: DiscordSim) -> None:
    await ask(sim, "PUT", "/applications/1/commands", [{"name": "status", "description": "x"}])
    asked = sim.user(7, "Anna").slash("status")
    assert await respond(sim, asked, kind=5) == (204, None)
    assert asked.reply is None
    await ask(sim, "POST", f"/webhooks/123456789012345678/{asked.token}", {"content": "first"})
    await ask(sim, "POST", f"/webhooks/123456789012345678/{asked.token}", {"content": "second"})
    assert [reply.text for reply in asked.replies] == ["first", "second"]


async def test_a_press_of_another_user_of_an_old_button_and_of_a_forged_one_arrives(sim: DiscordSim) -> None:
    anna, bob = sim.user(7, "Anna"), sim.user(8, "Bob")
    async with connected(sim) as bot:
        public = await bot.get_partial_messageable(int(sim.channel().id)).send("alert", view=Card())
        shown = await sim.wait_for_message("alert")
        assert shown.id == str(public.id)
        await sim.wait_for_reply(bob.presses(shown, "Acknowledge"), "Acknowledged by 8")
        await sim.wait_for_reply(anna.presses(shown, "Acknowledge"), "Acknowledged by 7")
        forged = anna.sends_press(shown, "forged")
        private = await sim.wait_for_reply(anna.slash("status", account="eval"))
        assert forged.answered is None
        with pytest.raises(PermissionError, match="Bob does not see"):
            bob.presses(private, "Acknowledge")
        with pytest.raises(LookupError, match="has no button"):
            anna.presses(shown, "Flatten")


async def test_an_interaction_can_come_twice_or_late(sim: DiscordSim) -> None:
    anna = sim.user(7, "Anna")
    async with connected(sim) as bot:
        sim.arm("duplicate")
        await sim.wait_for_reply(anna.slash("status", account="eval"))
        sim.arm("reorder")
        first = anna.slash("status", account="one")
        await sim.wait_for_reply(anna.slash("status", account="two"))
        await sim.wait_for_reply(first)
        sim.deliver_again(anna.slash("mute"))
        await sim.wait_for_reply(anna.slash("status", account="end"))
        assert [each.split()[1] if " " in each else each for each in bot.heard] == [
            "eval", "eval", "two", "one", "mute", "mute", "end",
        ]  # fmt: skip


async def test_a_command_in_a_private_conversation_arrives(sim: DiscordSim) -> None:
    anna = sim.user(7, "Anna")
    async with connected(sim) as bot:
        await sim.wait_for_reply(anna.slash("status", to=anna.direct, account="eval"))
        assert bot.heard == ["status eval by 7"]


# -- the gateway -------------------------------------------------------------------------------------------------------


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


# -- faults and limits of REST -----------------------------------------------------------------------------------------


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


# -- the published description -----------------------------------------------------------------------------------------


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


# -- from outside ------------------------------------------------------------------------------------------------------


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


# -- plain requests ----------------------------------------------------------------------------------------------------


async def ask(sim: DiscordSim, verb: str, path: str, body: object = None) -> tuple[int, dict]:
    headers = {"Authorization": f"Bot {sim.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.request(verb, sim.api_url + path, json=body) as got,
    ):
        text = await got.text()
        return got.status, json.loads(text) if text else {}


async def respond(sim: DiscordSim, interaction, kind: int = 4) -> tuple[int, int | None]:
    path = f"/interactions/{interaction.id}/{interaction.token}/callback"
    body = {"type": kind, "data": {"content": "hi"}} if kind == 4 else {"type": kind}
    status, answer = await ask(sim, "POST", path, body)
    return status, answer.get("code")


class Socket:
    """A plain client of the gateway."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.socket = socket
        self.token = token
        self.session = ""
        self.is_binary = False

    async def hello(self) -> None:
        first = await self.socket.receive(timeout=5)
        self.is_binary = first.type is aiohttp.WSMsgType.BINARY

    async def send(self, frame: object) -> None:
        await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def receive(self) -> dict:
        return await self.socket.receive_json(timeout=5)

    async def identify(self) -> None:
        await self.send({"op": 2, "d": {"token": self.token, "intents": 0, "properties": {}}})
        self.session = (await self.receive())["d"]["session_id"]

    async def closed(self) -> int | None:
        while not self.socket.closed:
            await self.socket.receive(timeout=5)
        return self.socket.close_code


@contextlib.asynccontextmanager
async def socket(sim: DiscordSim, query: str = "") -> AsyncIterator[Socket]:
    async with aiohttp.ClientSession() as client, client.ws_connect(sim.gateway_url + query) as opened:
        link = Socket(opened, sim.token)
        await link.hello()
        yield link
