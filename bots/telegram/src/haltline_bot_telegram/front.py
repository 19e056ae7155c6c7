"""The front end: one bot, its poller, and the alerts it carries."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from weakref import WeakValueDictionary

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import AiogramError
from aiogram.types import BotCommand, BotCommandScopeChat, BotCommandScopeDefault
from aiogram.utils.token import TokenValidationError

from haltline.api import Caller, Control, Finding, Message, Started, SurfaceSetup
from haltline.clock import parse_duration
from haltline.errors import PluginFailed, Refused
from haltline_bot_kit.assistant import Assistant
from haltline_bot_kit.compose import message_view
from haltline_bot_kit.doorman import Doorman
from haltline_bot_kit.menu import menu_of
from haltline_bot_kit.press import ButtonBook
from haltline_bot_telegram.diagnosis import diagnose
from haltline_bot_telegram.failure import classified
from haltline_bot_telegram.lease import lease
from haltline_bot_telegram.poll import Heard, Poll
from haltline_bot_telegram.post import CALLBACK_BYTES, Post
from haltline_bot_telegram.talk import PLATFORM, Talk

POLL_S = 25
STALE_AFTER = "60s"
_AT_ONCE = 50
_LOG = logging.getLogger(__name__)


class TelegramFront:
    """`api.Surface`, and `api.EditingNotifier` where the set-up names a chat for alerts.

    Alerts go through a client of their own: they are sent while the poller has no lease, no network, or is starting.
    """

    def __init__(self, setup: SurfaceSetup) -> None:
        self._setup = setup
        config = setup.config
        self._token = str(config["token"])
        self._chat = config.get("chat")
        self._topic = config.get("topic")
        self._buttons = ButtonBook(setup.memory, limit=CALLBACK_BYTES)
        self._alerts = make_bot(config)
        self._post = Post(self._alerts, self._buttons, setup.clock)
        self._is_running = False
        self._posts = 0

    async def run(self, control: Control, started: Started) -> None:
        """Poll and answer until cancelled; raises Transient or Refused where Telegram does not let us."""
        bot = make_bot(self._setup.config)
        self._is_running = True
        try:
            with lease(self._token):
                await self._serve(bot, control, started)
        except AiogramError as error:
            raise classified(error) from error
        finally:
            self._is_running = False
            await bot.session.close()
            await self._alerts.session.close()

    async def send(self, message: Message) -> str:
        """Send an alert to the chat of the set-up; returns its handle."""
        chat = self._require_chat()
        async with self._posting():
            return await self._post.send(chat, message_view(message), topic=_number(self._topic), plain=message.plain)

    async def edit(self, handle: str, message: Message) -> str:
        """Bring an alert up to date."""
        async with self._posting():
            return await self._post.edit(handle, message_view(message), plain=message.plain)

    async def diagnose(self) -> Sequence[Finding]:
        """Log in and look, for `haltline doctor`."""
        async with self._posting():
            return await diagnose(self._alerts, chat=_number(self._chat), people=self._setup.people.get(PLATFORM, ()))

    @contextlib.asynccontextmanager
    async def _posting(self) -> AsyncIterator[None]:
        """While nobody runs the front end, nobody would close the connection of the alerts in the end."""
        self._posts += 1
        try:
            yield
        finally:
            self._posts -= 1
            if not (self._is_running or self._posts):
                await self._alerts.session.close()

    async def _serve(self, bot: Bot, control: Control, started: Started) -> None:
        clock, config = self._setup.clock, self._setup.config
        me = await bot.get_me()
        await bot.delete_webhook()
        await _offer_menus(bot, control, self._setup.people.get(PLATFORM, ()))
        talk = Talk(
            Assistant(control, self._buttons), Post(bot, self._buttons, clock),
            Doorman(self._setup.people.get(PLATFORM, ()), clock), clock, username=me.username or "",
        )  # fmt: skip
        poll = Poll(
            bot, self._setup.memory, clock, wait_s=int(str(config.get("poll_s", POLL_S))),
            stale_ns=parse_duration(str(config.get("stale_after", STALE_AFTER))),
        )  # fmt: skip
        started()
        turns = _Turns(talk)
        try:
            async with asyncio.TaskGroup() as group:
                async for heard in poll.updates():
                    await turns.begin(group, heard)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None  # only the poller can fail: see _Turns

    def _require_chat(self) -> int:
        chat = _number(self._chat)
        if chat is None:
            raise Refused("the set-up names no chat for alerts: add `chat:` to the config of this surface")
        return chat


class _Turns:
    """One turn at a time for each person, so that what they say is done in their order; others need not wait."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def begin(self, group: asyncio.TaskGroup, heard: Heard) -> None:
        """Start to answer an update; waits while 50 are being answered."""
        await self._free.acquire()
        group.create_task(self._answer(heard), name=f"telegram update {heard.update.update_id}")

    async def _answer(self, heard: Heard) -> None:
        lock = self._locks.setdefault(heard.person, asyncio.Lock())
        try:
            async with lock:
                shown = await self._talk.handle(heard)
            if shown is not None:
                await self._talk.finish(shown)
        except Exception:  # noqa: BLE001 - the wall around one conversation: the others go on
            _LOG.exception("an update of Telegram could not be answered")
        finally:
            self._free.release()


async def _offer_menus(bot: Bot, control: Control, people: Sequence[str]) -> None:
    """Everybody sees /help, an operator what they may use. One who never wrote to the bot has no chat yet: later."""
    await bot.set_my_commands([BotCommand(command="help", description="What I can do")], BotCommandScopeDefault())
    for person in people:
        entries = menu_of(control.commands(Caller(platform=PLATFORM, user=person)))
        commands = [BotCommand(command=entry.name, description=entry.meaning) for entry in entries]
        if commands and person.isdecimal():
            try:
                await bot.set_my_commands(commands, BotCommandScopeChat(chat_id=int(person)))
            except AiogramError as error:
                if not isinstance(classified(error), Refused):
                    raise


def make_bot(config: Mapping[str, object]) -> Bot:
    """A client for a `config`; raises PluginFailed for a token that cannot be one, without repeating it."""
    server = str(config.get("server") or "")
    session = AiohttpSession(api=TelegramAPIServer.from_base(server)) if server else AiohttpSession()
    try:
        return Bot(str(config["token"]), session=session)
    except TokenValidationError:
        raise PluginFailed("the token is none of BotFather's: it looks like 123456789:AA… [E508]") from None


def _number(value: object) -> int | None:
    return int(str(value)) if value is not None else None
