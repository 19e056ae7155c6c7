"""Slash commands and buttons: who is believed, how fast they hear something, what is never done twice."""

import asyncio
from typing import Any

import pytest

from haltline.api import Button, Choice, Column, Confirmation, Paragraph, Picture, Reply, ReplyStatus, Table
from haltline_bot_discord import talk

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x40\0\0\0\xc8"
WHY = Button(label="Why", command="why", arguments={"incident": "daily-loss/eval#1"})


async def test_a_command_is_answered_as_the_person_who_used_it(world: Any) -> None:
    async with world.running():
        await world.sim.wait_for_reply(world.anna.slash("status", account="eval"), "answer to status")
    assert world.control.asked == [("7", "status", {"account": "eval"})]
    assert world.control.callers[0].platform == "discord"


async def test_nothing_of_an_answer_is_markup_or_a_mention(world: Any) -> None:
    hostile = "@everyone <@7> **x** `y` ```z``` [a](http://evil) ||s|| https://evil"
    table = Table(columns=(Column(name="s", label="Symbol"),), rows=((hostile,),))
    world.control.replies["positions"] = Reply(title=hostile, parts=(Paragraph(text=hostile), table))
    async with world.running():
        reply = await world.sim.wait_for_reply(world.anna.slash("positions"))
    assert reply.pings == frozenset()
    text = reply.embeds[0]["description"]
    assert "\\*\\*x\\*\\*" in text
    assert "https://" not in text
    assert "```" not in text


async def test_a_table_cannot_be_broken_out_of(world: Any) -> None:
    table = Table(columns=(Column(name="s", label="Symbol"),), rows=(("```@here```",),))
    world.control.replies["positions"] = Reply(title="positions", parts=(table,))
    async with world.running():
        reply = await world.sim.wait_for_reply(world.anna.slash("positions"))
    assert reply.embeds[0]["description"].count("```") == 2
    assert reply.pings == frozenset()


async def test_an_option_completes_from_the_live_state(world: Any) -> None:
    world.control.choices = [Choice(value="eval", meaning="account at paper"), Choice(value="live")]
    async with world.running():
        await world.sim.wait_for_commands("status")
        asked = world.anna.completes("status", "account", "e")
        await world.sim.wait_for_response(asked)
    assert [choice["value"] for choice in asked.choices] == ["eval"]


async def test_a_pressed_button_asks_as_whoever_pressed(world: Any) -> None:
    world.people = ("7", "8")
    world.control.replies["incidents"] = Reply(title="one incident", buttons=(WHY,))
    async with world.running():
        message = await world.sim.wait_for_reply(world.anna.slash("incidents"), "one incident")
        await world.sim.wait_for_reply(world.sim.user(8, "Ben").presses(message, "Why"), "answer to why")
    assert world.control.asked[-1] == ("8", "why", {"incident": "daily-loss/eval#1"})


async def test_a_button_still_works_after_a_restart(world: Any) -> None:
    long = Button(label="Why", command="why", arguments={"incident": "daily-loss/eval#" + "1" * 120})
    world.control.replies["incidents"] = Reply(title="one incident", buttons=(long,))
    async with world.running():
        message = await world.sim.wait_for_reply(world.anna.slash("incidents"), "one incident")
    async with world.running():
        await world.sim.wait_for_reply(world.anna.presses(message, "Why"), "answer to why")
    assert world.control.asked[-1][2] == long.arguments


async def test_a_forged_button_asks_nothing(world: Any) -> None:
    world.control.replies["incidents"] = Reply(title="one incident", buttons=(WHY,))
    async with world.running():
        message = await world.sim.wait_for_reply(world.anna.slash("incidents"), "one incident")
        await world.sim.wait_for_reply(world.anna.sends_press(message, "=[1]"), "no longer known")
    assert [command for _, command, _ in world.control.asked] == ["incidents"]


async def test_the_answer_to_a_question_takes_its_place_and_becomes_the_receipt(world: Any) -> None:
    asks = Confirmation(nonce="n1", text="closes 3 MNQ in eval", expires_at=1)
    button = Button(label="Flatten eval", command="confirm", arguments={"nonce": "n1"})
    world.control.replies["flatten"] = Reply(
        title="Flatten eval?", status=ReplyStatus.ASKS, confirmation=asks, buttons=(button,)
    )
    world.control.replies["confirm"] = Reply(title="flattening", actions=("a1",))
    async with world.running():
        question = await world.sim.wait_for_reply(world.anna.slash("flatten", account="eval"), "closes 3 MNQ")
        world.anna.presses(question, "Flatten eval")
        await world.sim.wait_for_message("flattening")
        assert question.buttons == ()
        world.control.ended.set()
        await world.sim.wait_for_message("**flat**")
    assert "flat" in question.shown


async def test_a_slow_command_says_within_three_seconds_that_it_is_at_work(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "_AT_ONCE_S", 0.05)
    gate = world.control.gates["status"] = asyncio.Event()
    async with world.running():
        asked = world.anna.slash("status")
        assert await world.sim.wait_for_response(asked) == 5
        gate.set()
        await world.sim.wait_for_reply(asked, "answer to status")


async def test_an_interaction_that_is_delivered_twice_is_done_once(world: Any) -> None:
    async with world.running():
        asked = world.anna.slash("flatten", account="eval")
        await world.sim.wait_for_reply(asked)
        world.sim.deliver_again(asked)
        await world.sim.wait_for_reply(world.anna.slash("status"), "answer to status")
    assert [command for _, command, _ in world.control.asked] == ["flatten", "status"]


async def test_a_private_answer_is_seen_by_one_person_only(world: Any) -> None:
    world.control.replies["status"] = Reply(title="for you", private=True)
    async with world.running():
        reply = await world.sim.wait_for_reply(world.anna.slash("status"), "for you")
    assert reply.is_ephemeral


async def test_a_stranger_cannot_flood_the_record(world: Any) -> None:
    mallory = world.sim.user(66, "Mallory")
    async with world.running():
        await world.sim.wait_for_commands("flatten")
        for _ in range(5):
            last = mallory.slash("flatten", account="eval")
        await world.sim.wait_for_reply(last, "not an operator")
    assert [user for user, _, _ in world.control.asked] == ["66"]


async def test_a_long_answer_comes_in_several_messages(world: Any) -> None:
    parts = tuple(Paragraph(text=f"{number} " + "word_" * 300) for number in range(8))
    world.control.replies["positions"] = Reply(title="report", parts=parts, buttons=(WHY,))
    async with world.running():
        asked = world.anna.slash("positions")
        await world.sim.wait_for_reply(asked, "7 word")
    assert len(asked.replies) > 2
    assert [bool(message.buttons) for message in asked.replies][-1]


async def test_a_picture_is_shown_in_the_answer(world: Any) -> None:
    world.control.replies["positions"] = Reply(title="today", parts=(Picture(image=PNG, text="equity"),))
    async with world.running():
        reply = await world.sim.wait_for_reply(world.anna.slash("positions"), "today")
    assert [each.name for each in reply.attachments] == ["chart0.png"]


async def test_a_mistake_in_one_answer_is_admitted_and_does_not_end_the_others(world: Any, caplog: Any) -> None:
    world.control.replies["flatten"] = ZeroDivisionError("secret")
    async with world.running():
        reply = await world.sim.wait_for_reply(world.anna.slash("flatten"), "Something broke")
        assert "secret" not in reply.shown
        await world.sim.wait_for_reply(world.anna.slash("status"), "answer to status")
    assert "could not be answered" in caplog.text


async def test_a_refused_answer_is_told_in_the_log_and_the_next_one_arrives(world: Any, caplog: Any) -> None:
    async with world.running():
        world.sim.arm("status", "POST /interactions/*", status=403, code=50013)
        world.anna.slash("flatten")
        async with asyncio.timeout(5):
            while "did not reach Discord" not in caplog.text:  # noqa: ASYNC110 - a log has no event to wait for
                await asyncio.sleep(0.01)
        await world.sim.wait_for_reply(world.anna.slash("status"), "answer to status")
