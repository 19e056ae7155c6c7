"""Commands and buttons in chats: who is believed, where answers go, what is never done twice or too late."""

import asyncio
from typing import Any

import pytest

from haltline.api import Button, Column, Confirmation, Paragraph, Picture, Reply, ReplyStatus, Table

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x40\0\0\0\xc8"
WHY = Button(label="Why", command="why", arguments={"incident": "daily-loss/eval#1"})


async def test_a_command_is_answered_as_the_person_who_wrote_it(world: Any) -> None:
    async with world.running():
        world.anna.says("/status eval")
        await world.sim.wait_for_message("answer to status")
    assert world.control.asked == [("7", "/status eval", {})]
    assert (world.control.callers[0].platform, world.control.callers[0].place) == ("telegram", "private 7")


async def test_a_table_keeps_its_columns_and_nothing_of_it_is_markup(world: Any) -> None:
    table = Table(columns=(Column(name="s", label="Symbol"),), rows=(("<b>&amp;</b>_*[x](http://evil)",),))
    world.control.replies["positions"] = Reply(title="1 < 2 & 3", parts=(table,))
    async with world.running():
        world.anna.says("/positions")
        message = await world.sim.wait_for_message("1 < 2 & 3")
    assert message.text.splitlines()[-1] == "<b>&amp;</b>_*[x](http://evil)"
    assert [entity.kind for entity in message.entities] == ["bold", "pre"]


async def test_a_pressed_button_asks_and_the_clock_on_it_stops(world: Any) -> None:
    world.control.replies["incidents"] = Reply(title="one incident", buttons=(WHY,))
    async with world.running():
        world.anna.says("/incidents")
        message = await world.sim.wait_for_message("one incident")
        press = world.anna.presses(message, "Why")
        assert await world.sim.wait_for_answer(press) == "answer to why"
        await world.sim.wait_for_message("answer to why")
    assert world.control.asked[-1] == ("7", "why", {"incident": "daily-loss/eval#1"})


async def test_a_button_still_works_after_a_restart(world: Any) -> None:
    long = Button(label="Why", command="why", arguments={"incident": "daily-loss/eval#" + "1" * 80})
    world.control.replies["incidents"] = Reply(title="one incident", buttons=(long,))
    async with world.running():
        world.anna.says("/incidents")
        message = await world.sim.wait_for_message("one incident")
    async with world.running():
        world.anna.presses(message, "Why")
        await world.sim.wait_for_message("answer to why")
    assert world.control.asked[-1][2] == long.arguments


async def test_the_answer_to_a_question_takes_the_place_of_the_question(world: Any) -> None:
    nonce = Confirmation(nonce="n1", text="closes 3 MNQ in eval", expires_at=1)
    button = Button(label="Flatten eval", command="confirm", arguments={"nonce": "n1"})
    world.control.replies["flatten"] = Reply(
        title="Flatten eval?", status=ReplyStatus.ASKS, confirmation=nonce, buttons=(button,)
    )
    world.control.replies["confirm"] = Reply(title="flattening", actions=("a1",))
    async with world.running():
        world.anna.says("/flatten eval")
        question = await world.sim.wait_for_message("closes 3 MNQ in eval")
        world.anna.presses(question, "Flatten eval")
        under_way = await world.sim.wait_for_message("flattening")
        world.control.ended.set()
        receipt = await world.sim.wait_for_message("flat", since=world.sim.mark() - 1)
    assert under_way.id == question.id == receipt.id
    assert not receipt.keyboard


async def test_a_replayed_update_is_done_once(world: Any) -> None:
    async with world.running():
        world.anna.says("/status")
        await world.sim.wait_for_message("answer to status")
        world.sim.deliver_again()
        world.anna.says("/health")
        await world.sim.wait_for_message("answer to health")
    assert [line for _, line, _ in world.control.asked] == ["/status", "/health"]


async def test_a_command_is_not_done_twice_when_the_process_dies_while_it_is_done(world: Any) -> None:
    class Killed(BaseException):
        pass

    world.control.replies["flatten"] = Killed()
    with pytest.raises(BaseException):  # noqa: B017 - whatever the task group makes of it
        async with world.running():
            world.anna.says("/flatten eval")
            await world.sim.wait_for_message("never", timeout_s=5)
    async with world.running():
        world.anna.says("/status")
        await world.sim.wait_for_message("answer to status")
    assert [line for _, line, _ in world.control.asked] == ["/flatten eval", "/status"]


async def test_what_was_said_long_ago_is_not_done_any_more(world: Any) -> None:
    world.anna.says("/flatten eval", ago_s=300)
    async with world.running():
        await world.sim.wait_for_message("Too late: nothing was done")
    assert world.control.asked == []


async def test_a_press_that_waited_while_we_were_away_is_not_done(world: Any) -> None:
    world.control.replies["incidents"] = Reply(title="one incident", buttons=(WHY,))
    async with world.running():
        world.anna.says("/incidents")
        message = await world.sim.wait_for_message("one incident")
    press = world.anna.presses(message, "Why")
    async with world.running():
        assert "Too late" in await world.sim.wait_for_answer(press)
    assert [line for _, line, _ in world.control.asked] == ["/incidents"]


async def test_somebody_else_in_the_right_chat_asks_as_themselves(world: Any) -> None:
    room = world.sim.room(-100, "Desk")
    world.control.replies["incidents"] = Reply(title="one incident", buttons=(WHY,))
    async with world.running():
        world.anna.says("/incidents", to=room)
        message = await world.sim.wait_for_message("one incident")
        mallory = world.sim.user(66, "Mallory")
        await world.sim.wait_for_answer(mallory.presses(message, "Why"))
    assert world.control.asked[-1][0] == "66"


async def test_a_stranger_cannot_flood_the_record(world: Any) -> None:
    mallory = world.sim.user(66, "Mallory")
    async with world.running():
        for _ in range(20):
            mallory.says("/flatten eval")
        world.anna.says("/status")
        await world.sim.wait_for_message("answer to status")
    assert [user for user, _, _ in world.control.asked] == ["66", "7"]


async def test_nobody_is_believed_who_hides_behind_a_chat(world: Any) -> None:
    room = world.sim.room(-100, "Desk")
    async with world.running():
        room.says_anonymously("/flatten eval")
        await world.sim.wait_for_message("I answer people only")
    assert world.control.asked == []


async def test_posts_and_edits_are_not_commands(world: Any) -> None:
    channel = world.sim.room(-200, "News", kind="channel")
    async with world.running():
        channel.posts("/flatten eval")
        said = world.anna.says("hello")
        await world.sim.wait_for_message("answer to hello")
        world.anna.edits(said, "/flatten eval")
        world.anna.says("/status")
        await world.sim.wait_for_message("answer to status")
    assert [line for _, line, _ in world.control.asked] == ["hello", "/status"]


async def test_in_groups_only_commands_to_us_are_heard(world: Any) -> None:
    room = world.sim.room(-100, "Desk")
    name = world.sim.world.bot.username
    async with world.running():
        for line in ("lunch?", "/status@another_bot", f"/status@{name} eval", f"/pnl@{name.upper()}"):
            world.anna.says(line, to=room)
        await world.sim.wait_for_message("answer to pnl")
    assert [line for _, line, _ in world.control.asked] == ["/status eval", "/pnl"]


async def test_a_private_answer_to_a_group_goes_to_the_person(world: Any) -> None:
    room = world.sim.room(-100, "Desk")
    world.control.replies["whoami"] = Reply(title="you are Anna", private=True)
    async with world.running():
        world.anna.says("/whoami", to=room)
        await world.sim.wait_for_message("write to me in private first", chat_id=-100)
        world.anna.says("hello")
        await world.sim.wait_for_message("answer to hello")
        world.anna.says("/whoami", to=room)
        await world.sim.wait_for_message("you are Anna", chat_id=7)
    assert all("you are Anna" not in m.text for m in world.sim.world.said if m.chat.id == -100)


async def test_a_long_answer_comes_in_several_messages_none_too_long(world: Any) -> None:
    parts = tuple(Paragraph(text=f"{number} " + "\U0001f600&" * 400) for number in range(12))
    world.control.replies["report"] = Reply(title="report", parts=parts, buttons=(WHY,))
    async with world.running():
        world.anna.says("/report")
        last = await world.sim.wait_for_message("11 ")
    said = [message for message in world.sim.world.said if message.chat.id == 7]
    assert len(said) > 3
    assert [bool(message.keyboard) for message in said] == [False] * (len(said) - 1) + [True]
    assert last is said[-1]


async def test_a_picture_is_sent_with_its_text_below(world: Any) -> None:
    world.control.replies["chart"] = Reply(title="eval today", parts=(Picture(image=PNG, text="equity"),))
    async with world.running():
        world.anna.says("/chart eval")
        message = await world.sim.wait_for_message("eval today")
    assert message.media[0] == "photo"


async def test_a_flood_limit_is_waited_for_and_the_answer_arrives(world: Any) -> None:
    async with world.running():
        world.sim.arm("status", "sendMessage", status=429, retry_after_s=0.1)
        world.anna.says("/status")
        await world.sim.wait_for_message("answer to status")
    assert len(world.control.asked) == 1


async def test_an_answer_whose_markup_is_refused_is_sent_plain(world: Any) -> None:
    async with world.running():
        world.sim.arm("status", "sendMessage", status=400, reason="Bad Request: can't parse entities")
        world.anna.says("/status")
        message = await world.sim.wait_for_message("answer to status")
    assert message.entities == ()


async def test_a_mistake_in_one_answer_does_not_end_the_others(world: Any, caplog: Any) -> None:
    world.control.replies["boom"] = ZeroDivisionError("secret")
    async with world.running():
        world.anna.says("/boom")
        world.anna.says("/status")
        await world.sim.wait_for_message("answer to status")
    assert "could not be answered" in caplog.text


async def test_one_person_is_answered_in_order_and_another_does_not_wait(world: Any) -> None:
    world.people = ("7", "8")
    gate = world.control.gates["flatten"] = asyncio.Event()
    async with world.running():
        world.anna.says("/flatten eval")
        world.anna.says("/status")
        world.sim.user(8, "Ben").says("/health")
        await world.sim.wait_for_message("answer to health")
        assert [line for _, line, _ in world.control.asked] == ["/flatten eval", "/health"]
        gate.set()
        await world.sim.wait_for_message("answer to status")


async def test_what_goes_on_at_the_broker_keeps_nobody_from_asking_for_more(world: Any) -> None:
    world.control.replies["flatten"] = Reply(title="flattening", actions=("a",))
    async with world.running():
        world.anna.says("/flatten eval")
        world.anna.says("/status")
        await world.sim.wait_for_message("answer to status")
        world.control.ended.set()
        await world.sim.wait_for_message("flat")
