"""The genuine bot against the simulated Discord, with a control service that answers what a test wants."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import discord
import pytest

from haltline.api import Argument, ArgumentKind, Call, Command, Control, Reply, SurfaceSetup
from haltline.clock import Clock, SystemClock
from haltline.testing.surface import FakeControl, FakeMemory
from haltline_bot_discord.front import DiscordFront
from haltline_bot_discord.plugin import make
from haltline_sim_discord.limit import OFF
from haltline_sim_discord.server import DiscordSim

ACCOUNT = Argument(name="account", meaning="which", kind=ArgumentKind.ACCOUNT, required=False)


async def _nothing(call: Call) -> Reply:
    return Reply(title=call.operator)


def command(name: str, *arguments: Argument) -> Command:
    return Command(name=name, meaning=f"does {name}", run=_nothing, arguments=arguments)


class World:
    """A simulator, a memory, a control service; bots come and go."""

    def __init__(self, sim: DiscordSim) -> None:
        self.sim = sim
        self.memory = FakeMemory()
        self.control = FakeControl()
        self.control.offered = [
            command("status", ACCOUNT), command("flatten", ACCOUNT), command("positions"), command("incidents"),
        ]  # fmt: skip
        self.people = ("7",)
        self.clock: Clock = SystemClock()
        self.anna = sim.user(7, "Anna")

    def front(self, **config: Any) -> DiscordFront:
        given = {"token": self.sim.token, "server": self.sim.base_url, **config}
        setup = SurfaceSetup(
            name="desk", config=given, clock=self.clock, memory=self.memory, people={"discord": self.people}
        )
        return cast("DiscordFront", make(setup))

    @contextlib.asynccontextmanager
    async def running(self, **config: Any) -> AsyncIterator[DiscordFront]:
        """A bot that is connected until the block ends."""
        front, started = self.front(**config), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(front.run(cast("Control", self.control), started.set))
            try:
                async with asyncio.timeout(60):
                    await started.wait()
                yield front
            finally:
                task.cancel()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    addresses = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    async with DiscordSim(rate=OFF) as sim:
        sim.world.answer_s = 60  # a slow machine is not what is tested
        yield World(sim)
        assert sim.violations == []
    discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = addresses
