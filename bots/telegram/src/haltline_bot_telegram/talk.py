"""What people say and press, and the answers: as the person who did it, never as the chat it happened in."""

from typing import NamedTuple

from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, InaccessibleMessage, Message, User

from haltline.api import Caller, Tone
from haltline.clock import NS_PER_S, Clock
from haltline.errors import Refused, Transient
from haltline_bot_kit.assistant import FORGOTTEN, Answer, Assistant
from haltline_bot_kit.compose import heading
from haltline_bot_kit.doorman import Doorman
from haltline_bot_kit.view import Item, View
from haltline_bot_telegram.poll import Heard
from haltline_bot_telegram.post import TEXT, Post

PLATFORM = "telegram"
_ATTEMPTS = 4
_LONGEST_PAUSE_S = 30.0
STALE = View(
    items=(
        heading("Too late: nothing was done", Tone.WARNING),
        Item(text="This reached me only now. Say or press it again if you still want it."),
    ),
    tone=Tone.WARNING, private=True,
)  # fmt: skip
FACELESS = View(
    items=(
        heading("I answer people only", Tone.WARNING),
        Item(text="This was written in the name of a chat. Turn off “remain anonymous”, or write to me in private."),
    ),
    tone=Tone.WARNING,
)  # fmt: skip
WRITE_FIRST = View(items=(Item(text="The answer is for you alone: write to me in private first."),))


class Talk:
    """Answers updates. Raises nothing for what people do; an answer that Telegram does not take is tried again."""

    def __init__(self, assistant: Assistant, post: Post, doorman: Doorman, clock: Clock, *, username: str) -> None:
        self._assistant = assistant
        self._post = post
        self._doorman = doorman
        self._clock = clock
        self._username = username.lower()

    async def handle(self, heard: Heard) -> "Shown | None":
        """Answer one update; what it began is to be finished with `finish`."""
        update = heard.update
        if update.message is not None:
            return await self._hear(update.message, is_stale=heard.is_stale)
        if update.callback_query is not None:
            return await self._press(update.callback_query, is_stale=heard.is_stale)
        return None

    async def _hear(self, message: Message, *, is_stale: bool) -> "Shown | None":
        line = self._line(message)
        if line is None:
            return None
        if message.from_user is None or message.from_user.is_bot or message.sender_chat is not None:
            await self._deliver(message.chat.id, FACELESS, topic=_topic(message))
            return None
        if not self._doorman.admits(str(message.from_user.id)):
            return None
        where = _Place(
            chat=message.chat.id, topic=_topic(message), message=message.message_id,
            is_private=message.chat.type == ChatType.PRIVATE,
        )  # fmt: skip
        if is_stale:
            await self._show(message.from_user, where, STALE)
            return None
        answer = await self._assistant.said(_caller(message.from_user, message.chat.type, message.chat.id), line)
        return Shown(answer, await self._show(message.from_user, where, answer.view))

    async def _press(self, press: CallbackQuery, *, is_stale: bool) -> "Shown | None":
        if not self._doorman.admits(str(press.from_user.id)):
            await self._stop_clock(press, "")
            return None
        if is_stale:
            await self._stop_clock(press, STALE.text, alert=True)
            return None
        message = press.message
        chat_type, chat = (message.chat.type, message.chat.id) if message else ("", press.from_user.id)
        answer = await self._assistant.pressed(_caller(press.from_user, chat_type, chat), press.data or "")
        view = FORGOTTEN if answer is None else answer.view
        hidden = view.private and chat_type != ChatType.PRIVATE
        await self._stop_clock(press, view.text if hidden or answer is None else view.items[0].text, alert=hidden)
        if answer is None or hidden:
            return None
        handle = ""
        if answer.settles and message is not None and not isinstance(message, InaccessibleMessage):
            handle = await self._replace(f"{TEXT}:{chat}:{message.message_id}", view)
        if not handle:
            topic = _topic(message) if isinstance(message, Message) else None
            reply_to = message.message_id if message else None
            handle = await self._deliver(chat, view, topic=topic, reply_to=reply_to)
        return Shown(answer, handle)

    async def finish(self, shown: "Shown") -> None:
        """Once what was begun has ended, the answer becomes its receipt; whoever asked may go on meanwhile."""
        answer, handle = shown
        if not answer.is_open:
            return
        outcome = await self._assistant.outcome(answer)
        if not await self._replace(handle, outcome.view) and handle:
            await self._deliver(int(handle.split(":")[1]), outcome.view)

    async def _show(self, person: User, where: "_Place", view: View) -> str:
        """Answer in the chat, or in private what is for one person only."""
        if not view.private or where.is_private:
            return await self._deliver(where.chat, view, topic=where.topic, reply_to=where.message)
        handle = await self._deliver(person.id, view)
        if not handle:
            await self._deliver(where.chat, WRITE_FIRST, topic=where.topic, reply_to=where.message)
        return handle

    async def _replace(self, handle: str, view: View) -> str:
        """Edit what was sent; empty where that does not work."""
        if not handle:
            return ""
        for plain in (False, True):
            try:
                return await self._post.edit(handle, view, plain=plain)
            except Transient as failure:
                await self._pause(failure)
            except Refused:
                continue
        return ""

    async def _deliver(self, chat: int, view: View, *, topic: int | None = None, reply_to: int | None = None) -> str:
        """Send, again after a pause where that may help, plain where the markup is refused; empty if all fails."""
        plain = False
        for _ in range(_ATTEMPTS):
            try:
                return await self._post.send(chat, view, topic=topic, reply_to=reply_to, plain=plain)
            except Transient as failure:
                await self._pause(failure)
            except Refused:
                if plain:
                    break
                plain = True
        return ""

    async def _pause(self, failure: Transient) -> None:
        pause_s = min(max(failure.retry_after_s, 1.0), _LONGEST_PAUSE_S)
        await self._clock.sleep_until(self._clock.now() + int(pause_s * NS_PER_S))

    async def _stop_clock(self, press: CallbackQuery, text: str, *, alert: bool = False) -> None:
        try:
            await self._post.answer_press(press.id, text, alert=alert)
        except (Transient, Refused):
            return  # the answer itself follows in the chat; only the little clock on the button stays

    def _line(self, message: Message) -> str | None:
        """What was said to us: anything in private, in groups commands that are not another bot's."""
        text = (message.text or "").strip()
        is_private = message.chat.type == ChatType.PRIVATE
        if not text or not (is_private or text.startswith("/")):
            return None
        word, space, rest = text.partition(" ")
        name, at, bot = word.partition("@")
        if not (word.startswith("/") and at):
            return text
        return f"{name}{space}{rest}" if bot.lower() == self._username else None


class Shown(NamedTuple):
    """An answer, and the handle of the message that shows it; empty where that could not be delivered."""

    answer: Answer
    handle: str


class _Place(NamedTuple):
    """Where something was said."""

    chat: int
    topic: int | None
    message: int
    is_private: bool


def _caller(person: User, chat_type: str, chat: int) -> Caller:
    return Caller(platform=PLATFORM, user=str(person.id), name=person.full_name, place=f"{chat_type} {chat}".strip())


def _topic(message: Message) -> int | None:
    return message.message_thread_id if message.is_topic_message else None
