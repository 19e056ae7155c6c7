"""The genuine discord.py against the simulator: commands, buttons, embeds, files and interactions."""

import io

import discord
import pytest
from discord import app_commands
from discord_client import Bot, Card, ask, connected, respond, rest

from haltline_sim_discord.limit import OFF
from haltline_sim_discord.record import ADMINISTRATOR, EPHEMERAL
from haltline_sim_discord.server import DiscordSim

# -- the ordinary way ------------------------------------------------------------------------------------------------


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


# -- interactions ----------------------------------------------------------------------------------------------------


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
