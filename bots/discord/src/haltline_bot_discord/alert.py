"""Alerts in a channel, and where wanted a thread for each incident. They need no gateway: only requests."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import aiohttp
import discord

from haltline.api import Message, SurfaceMemory
from haltline.errors import Refused
from haltline.errors.inert import inert
from haltline_bot_discord.draw import NOBODY, Sheet, sheets
from haltline_bot_discord.failure import classified
from haltline_bot_kit.compose import message_view
from haltline_bot_kit.press import ButtonBook

_LOG = logging.getLogger(__name__)
_THREAD_NAME = 90
_LONGEST_PAUSE_S = 5.0
"""A longer pause that Discord asks for is the outbox's to keep: it lets louder messages first, and asks others."""


class Alerts:
    """Sends and edits with a client of its own, logged in once. Raises Transient or Refused.

    Unless it `stays_open`, it lets go of the connection once nobody uses it: nobody would close it in the end.
    """

    def __init__(
        self, token: str, channel: int | None, *, threads: bool, buttons: ButtonBook, memory: SurfaceMemory
    ) -> None:
        self._token = token
        self._channel = channel
        self._threads = threads
        self._buttons = buttons
        self._memory = memory
        self._client: discord.Client | None = None
        self._logging_in = asyncio.Lock()
        self._users = 0
        self.stays_open = False

    async def send(self, message: Message) -> str:
        """Send an alert; returns the handle of the message with the buttons."""
        if self._channel is None:
            raise Refused("the set-up names no channel for alerts: add `channel:` to the config of this surface")
        drawn = await sheets(message_view(message), self._buttons, plain=message.plain)
        async with self.logged_in() as client:
            key = f"discord:thread:{message.thread}"
            thread = self._memory.get(key) if self._threads and message.thread else None
            target = int(thread) if thread else self._channel
            sent = [await _send(client, target, sheet) for sheet in drawn]
            if self._threads and message.thread and not thread:
                await self._open_thread(client, sent[0], message, key)
        return f"{target}:{sent[-1].id}"

    async def edit(self, handle: str, message: Message) -> str:
        """Bring an alert up to date; raises Refused where it is gone or has grown too long."""
        channel, _, number = handle.partition(":")
        if not (channel.isdecimal() and number.isdecimal()):
            raise Refused("this message was not sent by this bot")
        drawn = await sheets(message_view(message), self._buttons, plain=message.plain)
        if len(drawn) > 1:
            raise Refused("it has grown too long for one message")
        async with self.logged_in() as client:
            known = client.get_partial_messageable(int(channel)).get_partial_message(int(number))
            await known.edit(
                content=drawn[0].text or None, embed=drawn[0].embed, view=drawn[0].board, attachments=drawn[0].files,
                allowed_mentions=NOBODY,
            )  # fmt: skip
        return handle

    async def close(self) -> None:
        """Let go of the connection; the next alert makes another."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _open_thread(self, client: discord.Client, first: discord.Message, message: Message, key: str) -> None:
        """What follows of this incident goes there. Without one, all goes to the channel: nothing is lost."""
        try:
            thread = await client.http.start_thread_with_message(
                first.channel.id,
                first.id,
                name=inert(message.title)[:_THREAD_NAME] or "incident",
                auto_archive_duration=1440,
            )
        except discord.DiscordException as error:
            _LOG.warning("no thread was opened: %s", classified(error))
            return
        await self._memory.put(key, str(thread["id"]))

    @contextlib.asynccontextmanager
    async def logged_in(self) -> AsyncIterator[discord.Client]:
        """A client that is logged in; what it raises within comes out as Transient or Refused."""
        self._users += 1
        try:
            yield await self._connected()
        except (discord.DiscordException, aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            reason = classified(error)
            if not isinstance(error, discord.HTTPException | discord.RateLimited):
                await self.close()
            raise reason from error
        finally:
            self._users -= 1
            if not (self.stays_open or self._users):
                await self.close()

    async def _connected(self) -> discord.Client:
        async with self._logging_in:
            if self._client is None:
                self._client = await self._log_in()
            return self._client

    async def _log_in(self) -> discord.Client:
        client = discord.Client(
            intents=discord.Intents.none(), max_messages=None, max_ratelimit_timeout=_LONGEST_PAUSE_S
        )
        try:
            await client.login(self._token)
        except BaseException:
            await client.close()
            raise
        return client


async def _send(client: discord.Client, channel: int, sheet: Sheet) -> discord.Message:
    target = client.get_partial_messageable(channel)
    return await target.send(sheet.text or None, files=sheet.files, allowed_mentions=NOBODY, **sheet.optional)
