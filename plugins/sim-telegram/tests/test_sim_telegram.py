"""The genuine aiogram against the simulator: commands, buttons, edits, pictures, and everything that goes wrong."""

import asyncio
import contextlib
import json
import re
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.filters import Command
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    Message,
)
from aiogram.utils.backoff import BackoffConfig

from haltline_sim_telegram.limit import Rate
from haltline_sim_telegram.schema import Schema, find_schema
from haltline_sim_telegram.server import TelegramSim

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 320, 200)
ACK = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Acknowledge", callback_data="ack:1")]])
AT_ONCE = BackoffConfig(min_delay=0.01, max_delay=0.02, factor=1.5, jitter=0.0)
needs_schema = pytest.mark.skipif(find_schema() is None, reason="the published description is not on this machine")


@pytest.fixture
async def sim() -> AsyncIterator[TelegramSim]:
    async with TelegramSim(checks_answers=True) as sim:
        yield sim
    assert sim.own_violations == []


@contextlib.asynccontextmanager
async def bot_of(sim: TelegramSim, token: str | None = None, timeout_s: float = 5) -> AsyncIterator[Bot]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(sim.base_url), timeout=timeout_s)
    bot = Bot(token or sim.token, session=session)
    try:
        yield bot
    finally:
        await bot.session.close()


@contextlib.asynccontextmanager
async def polling(sim: TelegramSim, heard: list[str]) -> AsyncIterator[Bot]:
    """A small bot: /status with a button, which edits its message when pressed."""
    dispatcher = Dispatcher()

    @dispatcher.message(Command("status"))
    async def status(message: Message) -> None:
        heard.append(f"command {message.message_id}")
        await message.answer("Equity 50,000", reply_markup=ACK)

    @dispatcher.edited_message()
    async def edited(message: Message) -> None:
        heard.append(f"edited {message.text}")

    @dispatcher.channel_post()
    async def posted(message: Message) -> None:
        heard.append(f"posted {message.text} by {message.from_user}")

    @dispatcher.message()
    async def other(message: Message) -> None:
        heard.append(f"text {message.text}")

    @dispatcher.callback_query()
    async def pressed(query: CallbackQuery) -> None:
        heard.append(f"pressed {query.data} by {query.from_user.id}")
        await query.answer("done")
        assert isinstance(query.message, Message)
        with contextlib.suppress(TelegramBadRequest):
            await query.message.edit_text("Acknowledged")

    async with bot_of(sim) as bot:
        task = asyncio.create_task(
            dispatcher.start_polling(
                bot, handle_signals=False, close_bot_session=False, handle_as_tasks=False, polling_timeout=5,
                backoff_config=AT_ONCE,
            )
        )  # fmt: skip
        try:
            await sim.wait_for_poll()
            yield bot
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def opened(sim: TelegramSim) -> int:
    """The private chat of Anna, who has written first."""
    sim.user(7, "Anna").says("/start")
    return 7


# -- the ordinary way --------------------------------------------------------------------------------------------------


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


# -- what people do ----------------------------------------------------------------------------------------------------


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


# -- what the platform refuses -----------------------------------------------------------------------------------------


async def test_what_is_refused_is_refused_in_the_platforms_words(sim: TelegramSim) -> None:
    chat = await opened(sim)
    sim.user(9, "Silent")
    async with bot_of(sim) as bot:
        sent = await bot.send_message(chat, "one")
        for words, call in {
            "message is not modified": bot.edit_message_text("one", chat_id=chat, message_id=sent.message_id),
            "message to edit not found": bot.edit_message_text("one", chat_id=chat, message_id=999),
            "message can't be edited": bot.edit_message_text("one", chat_id=chat, message_id=1),
            "there is no caption": bot.edit_message_caption(caption="x", chat_id=chat, message_id=sent.message_id),
            "chat not found": bot.send_message(12345, "x"),
            "message text is empty": bot.send_message(chat, " "),
            "message is too long": bot.send_message(chat, "x" * 4097),
            "message to be replied not found": bot.send_message(chat, "x", reply_to_message_id=999),
            "Character '.' is reserved": bot.send_message(chat, "1.5", parse_mode="MarkdownV2"),
            "Unsupported start tag": bot.send_message(chat, "<x>", parse_mode="HTML"),
        }.items():
            with pytest.raises(TelegramBadRequest, match=re.escape(words)):
                await call
        with pytest.raises(TelegramForbiddenError, match="bot can't initiate conversation with a user"):
            await bot.send_message(9, "x")


async def test_who_blocks_the_bot_is_not_reached_until_they_let_it(sim: TelegramSim) -> None:
    anna, desk = sim.user(7, "Anna"), sim.room(-5, "Desk", kind="group")
    anna.says("hi")
    anna.blocks()
    async with bot_of(sim) as bot:
        with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
            await bot.send_message(7, "x")
        anna.unblocks()
        await bot.send_message(7, "x")
        moved = desk.migrates(-1005)
        with pytest.raises(TelegramMigrateToChat) as found:
            await bot.send_message(-5, "x")
        assert found.value.migrate_to_chat_id == -1005
        await bot.send_message(-1005, "x")
        moved.kicks_bot()
        with pytest.raises(TelegramForbiddenError, match="bot was kicked"):
            await bot.send_message(-1005, "x")


async def test_who_writes_too_fast_is_told_to_wait_and_then_heard() -> None:
    now = [1_800_000_000.0]
    async with TelegramSim(now=lambda: now[0], rate=Rate(chat_burst=3)) as sim, bot_of(sim) as bot:
        chat = await opened(sim)
        for _ in range(3):
            await bot.send_message(chat, "x")
        with pytest.raises(TelegramRetryAfter) as found:
            await bot.send_message(chat, "x")
        assert found.value.retry_after == 1
        now[0] += found.value.retry_after
        await bot.send_message(chat, "x")


async def test_a_wrong_token_opens_nothing(sim: TelegramSim) -> None:
    async with bot_of(sim, "4200000001:wrong") as bot:
        with pytest.raises(TelegramUnauthorizedError):
            await bot.get_me()
    async with aiohttp.ClientSession() as client, client.get(f"{sim.base_url}/file/bot1:x/y") as answer:
        assert answer.status == 401


# -- updates -----------------------------------------------------------------------------------------------------------


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


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, TelegramServerError),
        ({"kind": "status", "status": 429, "retry_after_s": 3}, TelegramRetryAfter),
        ({"kind": "status", "status": 403, "reason": "bot was blocked by the user"}, TelegramForbiddenError),
        ({"kind": "status", "status": 401}, TelegramUnauthorizedError),
        ({"kind": "status", "status": 409}, TelegramConflictError),
        ({"kind": "garbage"}, ClientDecodeError),
        ({"kind": "truncate"}, ClientDecodeError),
        ({"kind": "drop"}, TelegramNetworkError),
        ({"kind": "hang"}, TelegramNetworkError),
    ],
)
async def test_a_fault_strikes_once_before_anything_happened(
    sim: TelegramSim, fault: dict, error: type[Exception]
) -> None:
    chat = await opened(sim)
    sim.arm(call="send*", **fault)
    async with bot_of(sim, timeout_s=0.2) as bot:
        with pytest.raises(error):
            await bot.send_message(chat, "x")
        assert sim.mark() == 0
        await bot.send_message(chat, "x")
    assert sim.mark() == 1


@pytest.mark.parametrize("kind", ["drop", "truncate", "garbage", "hang", "status"])
async def test_the_answer_to_a_message_that_was_written_can_be_lost(sim: TelegramSim, kind: str) -> None:
    chat = await opened(sim)
    sim.arm(kind, "sendMessage", stage="after")
    async with bot_of(sim, timeout_s=0.2) as bot:
        with pytest.raises((TelegramNetworkError, ClientDecodeError, TelegramServerError)):
            await bot.send_message(chat, "x")
    assert sim.mark() == 1


async def test_faults_strike_as_often_as_told_until_they_are_mended(sim: TelegramSim) -> None:
    chat = await opened(sim)
    sim.arm("status", "sendmessage", count=None)
    sim.arm("delay", "getme", after_s=0.001, count=2)
    async with bot_of(sim) as bot:
        for _ in range(3):
            with pytest.raises(TelegramServerError):
                await bot.send_message(chat, "x")
            await bot.get_me()
        sim.faults.clear()
        await bot.send_message(chat, "x")


async def test_polling_goes_on_after_errors_and_an_outage(sim: TelegramSim) -> None:
    anna, heard = sim.user(7, "Anna"), list[str]()
    async with polling(sim, heard):
        for fault in ({"kind": "status", "status": 500}, {"kind": "garbage"}, {"kind": "status", "status": 409}):
            sim.arm(call="getUpdates", **fault)
        anna.says("one")
        await sim.wait_for_poll()
        port = sim.host.port
        await sim.down()
        assert not sim.host.is_up
        anna.says("/status", ago_s=3600)
        await sim.up()
        assert sim.host.port == port
        await sim.wait_for_message("Equity")
    assert heard[0] == "text one"


async def test_nothing_is_reached_while_the_platform_is_down(sim: TelegramSim) -> None:
    await sim.down()
    async with bot_of(sim) as bot:
        with pytest.raises(TelegramNetworkError):
            await bot.get_me()
        await sim.up()
        await sim.up()
        await bot.get_me()


# -- the published description -----------------------------------------------------------------------------------------


@needs_schema
@pytest.mark.parametrize(
    ("method", "given", "words"),
    [
        ("sendMessage", {"chat_id": 7}, "'text' is missing"),
        ("sendMessage", {"chat_id": 7, "text": "x", "colour": "red"}, "unknown field 'colour'"),
        ("sendMessage", {"chat_id": 7, "text": 5}, "String was expected"),
        ("sendMessage", {"chat_id": 7, "text": "x", "reply_markup": {"inline_keyboard": [{}]}}, "array was expected"),
        ("sendMessage", {"chat_id": 7, "text": "x", "reply_markup": {"inline_keyboard": [[{"a": 1}]]}}, "field 'a'"),
        ("sendMessage", {"chat_id": 7, "text": "x", "disable_notification": "maybe"}, "Boolean was expected"),
        ("editStory", {}, "does not have this method"),
        ("inventSomething", {}, "there is no such method"),
    ],
)  # fmt: skip
async def test_a_request_that_departs_from_the_description_is_reported(
    sim: TelegramSim, method: str, given: dict, words: str
) -> None:
    assert sim.validation.startswith("on: Bot API 10.1")
    url = f"{sim.base_url}/bot{sim.token}/{method}"
    async with aiohttp.ClientSession() as client, client.post(url, json=given):
        pass
    assert any(words in line for line in sim.violations), sim.violations


async def test_without_a_description_nothing_is_checked_and_it_says_so(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HALTLINE_CONFORMANCE", str(tmp_path))
    assert find_schema() is None
    async with TelegramSim() as sim, bot_of(sim) as bot:
        await bot.get_me()
        assert sim.validation == "off: no published description was found"
        assert sim.violations == []


def test_types_are_told_apart() -> None:
    union = {"name": "U", "subtypes": ["A"]}
    fields = [{"name": "n", "types": ["Integer"], "required": True}]
    made = Schema(
        {"version": "1", "types": {"A": {"name": "A", "fields": fields}, "U": union},
         "methods": {"do": {"name": "do", "fields": [{"name": "u", "types": ["U"], "required": True}]}}}
    )  # fmt: skip
    assert made.violations("DO", {"u": {"n": 1}}) == []
    assert made.violations("do", {"u": {"n": True}}) != []
    assert made.violations("do", {"u": 5}) != []


# -- from outside ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b'{"chat_id": [[]], "text": {}}',
        b'{"chat_id": 7, "text": "x", "message_thread_id": "x"}',
    ],
)
async def test_a_hostile_body_gets_an_answer(sim: TelegramSim, body: bytes) -> None:
    await opened(sim)
    url = f"{sim.base_url}/bot{sim.token}/sendMessage"
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as client, client.post(url, data=body, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["ok"] is False


async def test_everything_can_be_steered_over_http(sim: TelegramSim) -> None:
    heard: list[str] = []
    async with polling(sim, heard), aiohttp.ClientSession(f"{sim.base_url}/_sim/") as client:

        async def ask(verb: str, path: str, **body: object) -> dict | list:
            async with client.request(verb, path, json=body or None) as answer:
                return json.loads(await answer.text())

        await ask("POST", "say", user=7, name="Anna", text="/status")
        shown = await sim.wait_for_message("Equity")
        await ask("POST", "press", user=7, message=shown.id, label="Acknowledge")
        await sim.wait_for_message("Acknowledged")
        assert await ask("POST", "faults", kind="status", call="sendMessage") == {"armed": True}
        assert await ask("DELETE", "faults") == {"armed": False}
        assert "getUpdates" in {each["method"] for each in await ask("GET", "requests")}
        assert (await ask("GET", "violations"))["violations"] == []
        assert len(await ask("GET", "messages")) == 2
        assert "LookupError" in (await ask("POST", "press", user=7, message=shown.id, label="Nothing"))["error"]
        assert "ValueError" in (await ask("POST", "faults", kind="meteor"))["error"]
        async with client.get("transcript") as answer:
            assert "Anna presses: [Acknowledge]" in await answer.text()
        async with asyncio.TaskGroup() as group:
            away = group.create_task(sim.outages())
            await ask("POST", "outage", seconds=0)
            await sim.world.watch.until(lambda: sim.outage_count or None, timeout_s=5)
            await sim.wait_for_poll()
            anna = sim.user(7, "Anna")
            since = sim.mark()
            anna.says("/status")
            await sim.wait_for_message("Equity", since=since)
            away.cancel()


async def test_waiting_in_vain_tells_what_was_said(sim: TelegramSim) -> None:
    await opened(sim)
    with pytest.raises(TimeoutError, match="no message with 'x' within 0 s; so far:\n\\[Anna\\] Anna: /start"):
        await sim.wait_for_message("x", timeout_s=0)


def test_the_command_prints_its_address_and_ends_on_ctrl_c() -> None:
    command = [sys.executable, "-m", "haltline_sim_telegram", "--port", "0", "--no-limits"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("words", [["--help"], ["--token", "nonsense"]])
def test_the_command_explains_itself(words: list[str]) -> None:
    command = [sys.executable, "-m", "haltline_sim_telegram", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if words == ["--help"] else 2)
    assert "usage: python -m haltline_sim_telegram" in done.stdout + done.stderr


async def raises(kind: type[Exception], call) -> str:
    with pytest.raises(kind) as found:
        await call
    return str(found.value)
