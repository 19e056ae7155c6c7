"""One connection to Discord. A client that has ended is never used again: the next one is made anew."""

import asyncio

import discord
import yarl

from haltline.api import Control, Started
from haltline.clock import NS_PER_S, Clock
from haltline.errors import Transient
from haltline_bot_discord.slash import declarations
from haltline_bot_discord.talk import Talk

LONGEST_AWAY_S = 60
"""After so long without a gateway a new client is made: the library's own pauses grow to a quarter of an hour."""


def use_server(server: str) -> None:
    """Talk to another server than Discord's, for the whole process: the library knows no other way."""
    discord.http.Route.BASE = f"{server}/api/v10"
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.replace("http", "ws", 1)) / "gateway"


class Connection(discord.Client):
    """Declares the commands, then answers interactions. It asks for no privileged intent."""

    def __init__(self, *, control: Control, talk: Talk, started: Started, guild: int | None) -> None:
        super().__init__(intents=discord.Intents.none(), max_messages=None, guild_ready_timeout=0.0)
        self._control = control
        self._talk = talk
        self._started = started
        self._guild = guild
        self._group: asyncio.TaskGroup | None = None
        self._is_away = asyncio.Event()
        self._absences = 0

    def answer_in(self, group: asyncio.TaskGroup) -> None:
        """Where the tasks that answer belong: they end before the connection does."""
        self._group = group

    async def setup_hook(self) -> None:
        """Commands are declared whenever a connection is made: plugins may have brought others."""
        declared = declarations(self._control.commands())
        application = self.application_id
        assert application is not None  # discord.py knows it once it is logged in
        if self._guild is None:
            await self.http.bulk_upsert_global_commands(application, declared)
        else:
            await self.http.bulk_upsert_guild_commands(application, self._guild, declared)

    async def until_given_up(self, clock: Clock) -> None:
        """Raises Transient once the gateway has been away for too long in one go."""
        while True:
            await self._is_away.wait()
            absence = self._absences
            await clock.sleep_until(clock.now() + LONGEST_AWAY_S * NS_PER_S)
            if self._is_away.is_set() and self._absences == absence:
                raise Transient(f"Discord has been away for {LONGEST_AWAY_S} s")

    async def on_ready(self) -> None:
        """Also called after a reconnection that could not be resumed."""
        self._is_away.clear()
        self._started()

    async def on_resumed(self) -> None:
        """The connection goes on where it was."""
        self._is_away.clear()

    async def on_disconnect(self) -> None:
        """Called for every attempt that fails, too."""
        if not self._is_away.is_set():
            self._absences += 1
            self._is_away.set()

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """In a task of ours; before there is a place for it, nothing is heard."""
        if self._group is not None:
            self._group.create_task(self._talk.handle(interaction), name=f"discord interaction {interaction.id}")
