"""A bot made with the genuine aiogram."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
)
from aiogram.filters import Command
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
)
from aiogram.utils.backoff import BackoffConfig

from haltline_sim_telegram.server import TelegramSim

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 320, 200)
ACK = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Acknowledge", callback_data="ack:1")]])
AT_ONCE = BackoffConfig(min_delay=0.01, max_delay=0.02, factor=1.5, jitter=0.0)


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


async def raises(kind: type[Exception], call) -> str:
    with pytest.raises(kind) as found:
        await call
    return str(found.value)
