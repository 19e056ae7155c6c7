"""The genuine aiogram against the simulator: commands, buttons, edits, pictures, and what people do."""

import asyncio
import struct

import pytest
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
)
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    InputMediaPhoto,
)
from telegram_client import ACK, PNG, bot_of, opened, polling, raises

from haltline_sim_telegram.server import TelegramSim

# -- the ordinary way ------------------------------------------------------------------------------------------------


async def test_a_command_a_button_and_an_edit_go_there_and_back(sim: TelegramSim) -> None:
    anna, heard = sim.user(7, "Anna"), list[str]()
    async with polling(sim, heard):
        anna.says("/status")
        shown = await sim.wait_for_message("Equity")
        press = anna.presses(shown, "Acknowledge")
        assert await sim.wait_for_answer(press) == "done"
        await sim.wait_for_message("Acknowledged")
    assert shown.text == "Acknowledged"
    assert shown.buttons == ()
    assert shown.history[0][0] == "Equity 50,000"
    assert heard == ["command 1", "pressed ack:1 by 7"]
    assert sim.violations == []
    assert sim.transcript.splitlines() == [
        "[Anna] Anna: /status",
        "[Anna] haltline:",
        "    Equity 50,000",
        "    [Acknowledge]",
        "[Anna] Anna presses: [Acknowledge]",
        "[Anna] haltline tells Anna alone: done",
        "[Anna] haltline edits message 2: Acknowledged",
    ]


async def test_pictures_files_and_albums_are_kept_and_can_be_had_again(sim: TelegramSim) -> None:
    chat = await opened(sim)
    async with bot_of(sim) as bot:
        sent = await bot.send_photo(
            chat, BufferedInputFile(PNG, "equity.png"), caption="*Equity*", parse_mode="Markdown"
        )
        assert sent.photo is not None and sent.caption == "Equity"
        assert (sent.photo[0].width, sent.photo[0].height) == (320, 200)
        again = await bot.download(sent.photo[0].file_id)
        assert again is not None and again.read() == PNG
        await bot.send_photo(chat, sent.photo[0].file_id)
        await bot.send_document(chat, BufferedInputFile(b"a,b", "fills.csv"))
        other = PNG[:16] + struct.pack(">II", 640, 480)
        await bot.edit_message_media(
            InputMediaPhoto(media=BufferedInputFile(other, "two.png"), caption="new"),
            chat_id=chat,
            message_id=sent.message_id,
        )
        await bot.edit_message_caption(chat_id=chat, message_id=sent.message_id, caption="newer")
        album = [InputMediaPhoto(media=BufferedInputFile(each, "x.png")) for each in (PNG, other)]
        assert len(await bot.send_media_group(chat, album)) == 2
        with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
            await bot.send_photo(chat, BufferedInputFile(b"no picture", "x.png"))
        with pytest.raises(TelegramBadRequest, match="wrong file identifier"):
            await bot.send_photo(chat, "AgACnothing")
    assert sim.violations == []


async def test_the_menu_of_commands_is_kept_by_scope(sim: TelegramSim) -> None:
    async with bot_of(sim) as bot:
        await bot.set_my_commands([BotCommand(command="status", description="How things are")])
        assert [each.command for each in await bot.get_my_commands()] == ["status"]
        for wrong in (BotCommand(command="Bad-Name", description="x"), BotCommand(command="x", description="x" * 257)):
            with pytest.raises(TelegramBadRequest, match="BOT_COMMAND"):
                await bot.set_my_commands([wrong])
        await bot.delete_my_commands()
        assert await bot.get_my_commands() == []
        assert (await bot.me()).username == "haltline_bot"
    assert sim.violations == []


async def test_the_rest_of_the_methods_answer(sim: TelegramSim) -> None:
    chat = await opened(sim)
    desk = sim.room(-100, "Desk", topics={5: "alerts"})
    async with bot_of(sim) as bot:
        sent = await bot.send_message(chat, "hello")
        await bot.pin_chat_message(chat, sent.message_id)
        await bot.unpin_chat_message(chat, message_id=sent.message_id)
        await bot.send_chat_action(chat, "typing")
        await bot.edit_message_reply_markup(chat_id=chat, message_id=sent.message_id, reply_markup=ACK)
        assert (await bot.get_chat(chat)).first_name == "Anna"
        assert (await bot.get_chat_member(-100, 7)).status == "left"
        sim.user(7, "Anna").says("hi", to=desk)
        assert (await bot.get_chat_member(-100, 7)).status == "member"
        topical = await bot.send_message(-100, "in a topic", message_thread_id=5)
        assert topical.is_topic_message
        with pytest.raises(TelegramBadRequest, match="message thread not found"):
            await bot.send_message(-100, "x", message_thread_id=6)
        await bot.delete_message(chat, sent.message_id)
        with pytest.raises(TelegramBadRequest, match="message to delete not found"):
            await bot.delete_message(chat, sent.message_id)
    assert sim.violations == []


# -- what people do --------------------------------------------------------------------------------------------------


async def test_odd_ways_to_speak_arrive_as_what_they_are(sim: TelegramSim) -> None:
    anna, heard = sim.user(7, "Anna"), list[str]()
    news, desk = sim.room(-200, "News", kind="channel"), sim.room(-100, "Desk")
    async with polling(sim, heard):
        said = anna.says("hello")
        anna.edits(said, "/flatten")
        news.posts("/flatten")
        desk.says_anonymously("/flatten now")
        anna.says("/status")
        await sim.wait_for_message("Equity")
    assert heard[:-1] == ["text hello", "edited /flatten", "posted /flatten by None", "text /flatten now"]


async def test_in_a_group_the_bot_hears_only_what_is_meant_for_it(sim: TelegramSim) -> None:
    anna, desk = sim.user(7, "Anna"), sim.room(-100, "Desk")
    async with bot_of(sim) as bot:
        asked = await bot.send_message(-100, "Code?")
        shown = await sim.wait_for_message("Code?")
        for text in ("hello", "/status", "/status@haltline_bot", "/status@another_bot", "@haltline_bot hi"):
            anna.says(text, to=desk)
        anna.says("123456", to=desk, reply_to=shown)
        heard = [update.message for update in await bot.get_updates() if update.message]
        assert [message.text for message in heard] == ["/status", "/status@haltline_bot", "123456"]
        assert heard[-1].reply_to_message is not None
        assert heard[-1].reply_to_message.message_id == asked.message_id
        desk.chat.members[sim.world.bot.id] = "administrator"
        anna.says("hello", to=desk)
        assert (await bot.get_updates())[-1].message.text == "hello"
    anna.starts()
    assert anna.chat.is_open


async def test_a_press_of_another_user_and_of_an_old_button_arrives(sim: TelegramSim) -> None:
    anna, bob, heard = sim.user(7, "Anna"), sim.user(8, "Bob"), list[str]()
    async with polling(sim, heard):
        anna.says("/status")
        shown = await sim.wait_for_message("Equity")
        await sim.wait_for_answer(anna.presses(shown, "Ack"))
        await sim.wait_for_message("Acknowledged")
        await sim.wait_for_answer(anna.presses(shown, "Acknowledge"))
        await sim.wait_for_answer(bob.presses(shown, "Acknowledge"))
        await sim.wait_for_answer(bob.sends_press(shown, "forged"))
    assert heard[1:] == ["pressed ack:1 by 7", "pressed ack:1 by 7", "pressed ack:1 by 8", "pressed forged by 8"]
    with pytest.raises(LookupError, match="has no button 'Flatten'"):
        anna.presses(shown, "Flatten")


async def test_a_press_can_be_answered_once_and_not_late() -> None:
    now = [1_800_000_000.0]
    async with TelegramSim(now=lambda: now[0]) as sim, bot_of(sim) as bot:
        anna = sim.user(7, "Anna")
        anna.says("hi")
        await bot.send_message(7, "x", reply_markup=ACK)
        shown = await sim.wait_for_message("x")
        press, late = anna.presses(shown, "Acknowledge"), anna.presses(shown, "Acknowledge")
        await bot.answer_callback_query(press.id, text="ok", show_alert=True)
        assert press.is_alert
        now[0] += 61
        for each in (press, late):
            with pytest.raises(TelegramBadRequest, match="query is too old and response timeout expired"):
                await bot.answer_callback_query(each.id)


# -- updates ---------------------------------------------------------------------------------------------------------


async def test_a_second_poller_ends_the_first_with_409(sim: TelegramSim) -> None:
    async with bot_of(sim) as first, bot_of(sim) as second, asyncio.TaskGroup() as group:
        waiting = group.create_task(raises(TelegramConflictError, first.get_updates(timeout=5)))
        await sim.wait_for_poll()
        newer = group.create_task(second.get_updates(timeout=5))
        assert "terminated by other getUpdates request" in await waiting
        sim.user(7, "Anna").says("hi")
        assert len(await newer) == 1


async def test_a_webhook_and_a_poller_exclude_each_other(sim: TelegramSim) -> None:
    async with bot_of(sim) as bot:
        with pytest.raises(TelegramBadRequest, match="HTTPS URL must be provided"):
            await bot.set_webhook("http://example.net")
        await bot.set_webhook("https://example.net/hook")
        sim.user(7, "Anna").says("hi")
        assert (await bot.get_webhook_info()).pending_update_count == 1
        with pytest.raises(TelegramConflictError, match="webhook is active"):
            await bot.get_updates()
        await bot.delete_webhook(drop_pending_updates=True)
        assert await bot.get_updates() == []


async def test_updates_come_again_until_an_offset_confirms_them(sim: TelegramSim) -> None:
    anna = sim.user(7, "Anna")
    for text in ("a", "b", "c"):
        anna.says(text, ago_s=3600)
    async with bot_of(sim) as bot:
        found = await bot.get_updates(limit=2)
        assert [update.message.text for update in found if update.message] == ["a", "b"]
        assert await bot.get_updates(limit=2) == found
        rest = await bot.get_updates(offset=found[-1].update_id + 1)
        assert [update.message.text for update in rest if update.message] == ["c"]
        sim.deliver_again(2)
        again = await bot.get_updates(offset=rest[-1].update_id + 1)
        assert [update.message.text for update in again if update.message] == ["b", "c"]
        assert await bot.get_updates(offset=rest[-1].update_id + 1) == []


async def test_only_updates_of_the_kinds_asked_for_are_kept(sim: TelegramSim) -> None:
    async with bot_of(sim) as bot:
        await bot.get_updates(allowed_updates=["edited_message"])
        said = sim.user(7, "Anna").says("a")
        sim.user(7, "Anna").edits(said, "b")
        assert [update.event_type for update in await bot.get_updates()] == ["edited_message"]


async def test_the_last_update_can_be_asked_for_alone_and_a_day_old_one_is_gone() -> None:
    now = [1_800_000_000.0]
    async with TelegramSim(now=lambda: now[0]) as sim, bot_of(sim) as bot:
        for text in ("a", "b"):
            sim.user(7, "Anna").says(text)
        assert len(await bot.get_updates(offset=-1)) == 1
        now[0] += 25 * 3600
        assert await bot.get_updates() == []


async def test_updates_can_be_doubled_and_turned_round(sim: TelegramSim) -> None:
    anna = sim.user(7, "Anna")
    anna.says("a")
    anna.says("b")
    sim.arm("duplicate")
    sim.arm("reorder")
    async with bot_of(sim) as bot:
        found = await bot.get_updates()
    assert [update.message.text for update in found if update.message] == ["b", "b", "a", "a"]
