"""What the platform refuses, faults, the published description, and the simulator steered from outside."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
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
from telegram_client import bot_of, opened, polling

from haltline_sim_telegram.limit import Rate
from haltline_sim_telegram.schema import Schema, find_schema
from haltline_sim_telegram.server import TelegramSim

needs_schema = pytest.mark.skipif(find_schema() is None, reason="the published description is not on this machine")


# -- what the platform refuses ---------------------------------------------------------------------------------------


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


# -- faults ----------------------------------------------------------------------------------------------------------


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


# -- the published description ---------------------------------------------------------------------------------------


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


# -- from outside ----------------------------------------------------------------------------------------------------


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
