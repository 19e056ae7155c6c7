"""A bot made with the genuine discord.py, and plain clients of REST and gateway."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator

import aiohttp
import discord
from discord import app_commands

from haltline_sim_discord.server import DiscordSim


class Card(discord.ui.View):
    """A button that outlives restarts."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Acknowledge", custom_id="ack:1", style=discord.ButtonStyle.success)
    async def ack(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.edit_message(content=f"Acknowledged by {interaction.user.id}", view=None)


class Form(discord.ui.Modal, title="Second factor"):
    """A form with one line."""

    code: discord.ui.TextInput = discord.ui.TextInput(label="Code", custom_id="code")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"code {self.code.value}", ephemeral=True)


class Bot(discord.Client):
    """A small bot with a few commands."""

    def __init__(self, intents: discord.Intents | None = None) -> None:
        super().__init__(intents=intents or discord.Intents.none(), guild_ready_timeout=0.0, max_messages=None)
        self.heard: list[str] = []
        self.tree = app_commands.CommandTree(self)
        self._add_commands()

    def _add_commands(self) -> None:
        @self.tree.command(description="How things are")
        async def status(interaction: discord.Interaction, account: str) -> None:
            self.heard.append(f"status {account} by {interaction.user.id}")
            card = discord.Embed(title="Equity", description="50,000").add_field(name="Account", value=account)
            await interaction.response.send_message(embed=card, view=Card(), ephemeral=True)

        @status.autocomplete("account")
        async def accounts(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=each, value=each) for each in ("eval", "live") if each.startswith(typed)]

        @self.tree.command(description="Takes a while")
        async def slow(interaction: discord.Interaction) -> None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            await interaction.edit_original_response(content="done")
            await interaction.followup.send("and more", file=discord.File(io.BytesIO(b"a,b"), "fills.csv"))

        @self.tree.command(description="Says nothing")
        async def mute(interaction: discord.Interaction) -> None:
            self.heard.append("mute")

        @self.tree.command(description="Asks for more")
        @app_commands.default_permissions(administrator=True)
        async def unlock(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Form())

        lock = app_commands.Group(name="lock", description="Locks")

        @lock.command(name="set", description="Set one")
        async def lock_set(interaction: discord.Interaction, days: int) -> None:
            await interaction.response.send_message(f"locked {days}")

        self.tree.add_command(lock)

    async def setup_hook(self) -> None:
        self.add_view(Card())
        await self.tree.sync()

    async def on_resumed(self) -> None:
        self.heard.append("resumed")

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(f"message {message.content!r}")


@contextlib.asynccontextmanager
async def connected(sim: DiscordSim, bot: Bot | None = None) -> AsyncIterator[Bot]:
    bot = bot or Bot()
    task = asyncio.create_task(bot.start(sim.token))
    try:
        await sim.wait_for_ready()
        await bot.wait_until_ready()
        yield bot
    finally:
        await bot.close()
        with contextlib.suppress(asyncio.CancelledError, discord.DiscordException, OSError, ValueError):
            await task


@contextlib.asynccontextmanager
async def rest(sim: DiscordSim) -> AsyncIterator[tuple[discord.Client, discord.PartialMessageable]]:
    """A client without a gateway, and the first channel."""
    client = discord.Client(intents=discord.Intents.none())
    async with client:
        await client.login(sim.token)
        yield client, client.get_partial_messageable(int(sim.channel().id))


async def ask(sim: DiscordSim, verb: str, path: str, body: object = None) -> tuple[int, dict]:
    headers = {"Authorization": f"Bot {sim.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.request(verb, sim.api_url + path, json=body) as got,
    ):
        text = await got.text()
        return got.status, json.loads(text) if text else {}


async def respond(sim: DiscordSim, interaction, kind: int = 4) -> tuple[int, int | None]:
    path = f"/interactions/{interaction.id}/{interaction.token}/callback"
    body = {"type": kind, "data": {"content": "hi"}} if kind == 4 else {"type": kind}
    status, answer = await ask(sim, "POST", path, body)
    return status, answer.get("code")


class Socket:
    """A plain client of the gateway."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.socket = socket
        self.token = token
        self.session = ""
        self.is_binary = False

    async def hello(self) -> None:
        first = await self.socket.receive(timeout=5)
        self.is_binary = first.type is aiohttp.WSMsgType.BINARY

    async def send(self, frame: object) -> None:
        await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def receive(self) -> dict:
        return await self.socket.receive_json(timeout=5)

    async def identify(self) -> None:
        await self.send({"op": 2, "d": {"token": self.token, "intents": 0, "properties": {}}})
        self.session = (await self.receive())["d"]["session_id"]

    async def closed(self) -> int | None:
        while not self.socket.closed:
            await self.socket.receive(timeout=5)
        return self.socket.close_code


@contextlib.asynccontextmanager
async def socket(sim: DiscordSim, query: str = "") -> AsyncIterator[Socket]:
    async with aiohttp.ClientSession() as client, client.ws_connect(sim.gateway_url + query) as opened:
        link = Socket(opened, sim.token)
        await link.hello()
        yield link
