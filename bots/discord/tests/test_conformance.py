"""The conformance suite of front ends on the genuine client, discord.py, against the simulated Discord."""

import contextlib
from collections.abc import AsyncIterator, Sequence

import discord
import pytest

from haltline.api import Surface, SurfaceMemory, SurfaceSetup
from haltline.clock import SystemClock
from haltline.testing.dialogue import SurfaceCase, SurfaceFlag, check_surface, surface_cases
from haltline_bot_discord.plugin import make
from haltline_sim_discord.limit import OFF
from haltline_sim_discord.record import Interaction
from haltline_sim_discord.server import DiscordSim


class DiscordWorld:
    """One simulator in this process; everything is said in one channel of a server."""

    flags = frozenset(SurfaceFlag)
    operator, colleague, stranger = "7", "8", "66"
    patience_s = 60.0

    def __init__(self, sim: DiscordSim) -> None:
        self._sim = sim
        self._humans = {key: sim.user(int(key), f"Person{key}") for key in ("7", "8", "66")}
        self._key = sim.token
        self._last: Interaction | None = None
        self.secrets = (sim.token,)

    def make(self, memory: SurfaceMemory) -> Surface:
        people = {"discord": (self.operator, self.colleague)}
        config = {"token": self._key, "server": self._sim.base_url}
        return make(SurfaceSetup(name="desk", config=config, clock=SystemClock(), memory=memory, people=people))

    async def say(self, person: str, command: str, account: str = "", *, in_room: bool = False) -> None:
        await self._sim.wait_for_commands(command, timeout_s=self.patience_s)
        await self._sim.wait_for_ready(timeout_s=self.patience_s)
        self._last = self._humans[person].slash(command, **({"account": account} if account else {}))

    async def press(self, person: str, label: str) -> None:
        for message in reversed(self._sim.world.said):
            if label in str(message.buttons):
                with contextlib.suppress(PermissionError):
                    self._last = self._humans[person].presses(message, label)
                    return
        raise LookupError(label)

    async def seen(self, person: str) -> Sequence[str]:
        return [message.shown for message in self._sim.world.said if message.seen_by in (None, person)]

    async def repeat(self) -> None:
        assert self._last is not None
        self._sim.deliver_again(self._last)

    async def go_away(self) -> None:
        await self._sim.down()

    async def come_back(self) -> None:
        await self._sim.up()

    async def forget_key(self) -> None:
        self._key = "another-" + self._sim.token


@contextlib.asynccontextmanager
async def open_world() -> AsyncIterator[DiscordWorld]:
    addresses = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    async with DiscordSim(rate=OFF) as sim:
        sim.world.answer_s = 60  # a slow machine is not what is tested
        yield DiscordWorld(sim)
        assert sim.violations == []
    discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = addresses


@pytest.mark.parametrize("case", surface_cases(DiscordWorld), ids=str)
async def test_discord_keeps_its_promise(case: SurfaceCase) -> None:
    async with open_world() as world:
        await check_surface(case, world)
