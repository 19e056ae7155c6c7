"""Sending and editing: pages, buttons and pictures."""

from collections.abc import Sequence

from aiogram import Bot
from aiogram.enums import ParseMode
from aiogram.exceptions import AiogramError, TelegramBadRequest
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    ReplyParameters,
)

from haltline.api import Button
from haltline.clock import NS_PER_S, Clock
from haltline.errors import Refused
from haltline_bot_kit.compose import rows_of
from haltline_bot_kit.press import ButtonBook
from haltline_bot_kit.view import View, pages
from haltline_bot_telegram.failure import UNCHANGED, classified
from haltline_bot_telegram.markup import CAPTION_UNITS, MESSAGE_UNITS, as_html, as_plain, units

CALLBACK_BYTES = 64
TEXT, PHOTO = "t", "p"
_GAP_NS = NS_PER_S // 25
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class Post:
    """What this bot has to say, at the pace that Telegram allows. Raises Transient or Refused."""

    def __init__(self, bot: Bot, buttons: ButtonBook, clock: Clock) -> None:
        self._bot = bot
        self._buttons = buttons
        self._clock = clock
        self._next = 0

    async def send(
        self, chat: int, view: View, *, topic: int | None = None, reply_to: int | None = None, plain: bool = False
    ) -> str:
        """Send a view, in as many messages as it needs; returns the handle of the one with the buttons."""
        keyboard = await self._keyboard(view.buttons)
        answers = ReplyParameters(message_id=reply_to, allow_sending_without_reply=True) if reply_to else None
        captioned = len(view.pictures) == 1 and units(view.text) <= CAPTION_UNITS
        for picture in () if captioned else view.pictures:
            await self._photo(chat, topic, picture.image, "", None)
        if captioned:
            return await self._photo(chat, topic, view.pictures[0].image, view.text, keyboard)
        handle = ""
        texts = _pages(view, MESSAGE_UNITS, plain=plain)
        for number, text in enumerate(texts):
            is_last = number == len(texts) - 1
            handle = await self._text(
                chat, topic, text, keyboard if is_last else None, answers if number == 0 else None, plain=plain
            )
        return handle

    async def edit(self, handle: str, view: View, *, plain: bool = False) -> str:
        """Replace what was sent by what is known now; raises Refused where it is gone, too old or too long."""
        sort, chat, message = read_handle(handle)
        keyboard = await self._keyboard(view.buttons)
        texts = _pages(view, CAPTION_UNITS if sort == PHOTO else MESSAGE_UNITS, plain=plain or sort == PHOTO)
        if len(texts) > 1:
            raise Refused("it has grown too long for one message")
        await self._pace()
        try:
            if sort == PHOTO:
                await self._bot.edit_message_caption(
                    chat_id=chat, message_id=message, caption=texts[0], reply_markup=keyboard, parse_mode=None
                )
            else:
                await self._bot.edit_message_text(
                    texts[0], chat_id=chat, message_id=message, reply_markup=keyboard,
                    parse_mode=None if plain else ParseMode.HTML, link_preview_options=_NO_PREVIEW,
                )  # fmt: skip
        except TelegramBadRequest as refusal:
            if UNCHANGED not in refusal.message:
                raise classified(refusal) from refusal
        except AiogramError as error:
            raise classified(error) from error
        return handle

    async def answer_press(self, press: str, text: str, *, alert: bool) -> None:
        """Stop the clock on a pressed button. A press that is too old to be answered is left alone."""
        try:
            await self._bot.answer_callback_query(press, text=text[:200], show_alert=alert)
        except TelegramBadRequest:
            return
        except AiogramError as error:
            raise classified(error) from error

    async def _text(
        self, chat: int, topic: int | None, text: str, keyboard: InlineKeyboardMarkup | None,
        answers: ReplyParameters | None, *, plain: bool,
    ) -> str:  # fmt: skip
        await self._pace()
        try:
            sent = await self._bot.send_message(
                chat, text or "…", message_thread_id=topic, reply_markup=keyboard, reply_parameters=answers,
                parse_mode=None if plain else ParseMode.HTML, link_preview_options=_NO_PREVIEW,
            )  # fmt: skip
        except AiogramError as error:
            raise classified(error) from error
        return f"{TEXT}:{sent.chat.id}:{sent.message_id}"

    async def _photo(
        self, chat: int, topic: int | None, image: bytes, caption: str, keyboard: InlineKeyboardMarkup | None
    ) -> str:
        await self._pace()
        try:
            sent = await self._bot.send_photo(
                chat, BufferedInputFile(image, "chart.png"), message_thread_id=topic, caption=caption or None,
                reply_markup=keyboard, parse_mode=None,
            )  # fmt: skip
        except AiogramError as error:
            raise classified(error) from error
        return f"{PHOTO}:{sent.chat.id}:{sent.message_id}"

    async def _keyboard(self, buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
        if not buttons:
            return None
        rows = [
            [
                InlineKeyboardButton(text=button.label[:64], callback_data=await self._buttons.payload(button))
                for button in row
            ]
            for row in rows_of(tuple(buttons))
        ]
        return InlineKeyboardMarkup(inline_keyboard=rows)

    async def _pace(self) -> None:
        """At most 25 messages a second over all chats: Telegram allows 30."""
        now = self._clock.now()
        self._next = max(self._next, now) + _GAP_NS
        if self._next - _GAP_NS > now:
            await self._clock.sleep_until(self._next - _GAP_NS)


def read_handle(handle: str) -> tuple[str, int, int]:
    """Sort, chat and message of a handle; raises Refused for one that is not ours."""
    sort, _, rest = handle.partition(":")
    chat, _, message = rest.partition(":")
    try:
        return sort, int(chat), int(message)
    except ValueError:
        raise Refused("this message was not sent by this bot") from None


def _pages(view: View, limit: int, *, plain: bool) -> list[str]:
    return pages(view, as_plain if plain else as_html, limit=limit, measure=units)
