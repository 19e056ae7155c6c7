"""One connection to Discord. A client that has ended is never used again: the next one is made anew."""

import asyncio

import discord
import yarl

from haltline.api import Control, Started
from haltline_bot_discord.slash import declarations
from haltline_bot_discord.talk import Talk


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

    async def on_ready(self) -> None:
        """Also called after a reconnection that could not be resumed."""
        self._started()

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """In a task of ours; before there is a place for it, nothing is heard."""
        if self._group is not None:
            self._group.create_task(self._talk.handle(interaction), name=f"discord interaction {interaction.id}")
