"""The conformance suite of front ends on the genuine client, aiogram, against the simulated Bot API."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence

import pytest

from haltline.api import Surface, SurfaceMemory, SurfaceSetup
from haltline.clock import SystemClock
from haltline.testing.dialogue import SurfaceCase, SurfaceFlag, check_surface, surface_cases
from haltline_bot_telegram.plugin import make
from haltline_sim_telegram.server import TelegramSim


class TelegramWorld:
    """One simulator in this process; the room is a group."""

    flags = frozenset(SurfaceFlag)
    operator, colleague, stranger = "7", "8", "66"
    patience_s = 60.0

    def __init__(self, sim: TelegramSim) -> None:
        self._sim = sim
        self._room = sim.room(-100, "Desk")
        self._humans = {key: sim.user(int(key), f"Person {key}") for key in ("7", "8", "66")}
        for human in self._humans.values():
            human.starts()
        self._key = sim.token
        self.secrets = (sim.token.partition(":")[2],)

    def make(self, memory: SurfaceMemory) -> Surface:
        config = {"token": self._key, "server": self._sim.base_url, "poll_s": 1, "stale_after": "1h"}
        people = {"telegram": (self.operator, self.colleague)}
        return make(SurfaceSetup(name="phone", config=config, clock=SystemClock(), memory=memory, people=people))

    async def say(self, person: str, command: str, account: str = "", *, in_room: bool = False) -> None:
        self._humans[person].says(f"/{command} {account}".strip(), to=self._room if in_room else None)

    async def press(self, person: str, label: str) -> None:
        for message in reversed(self._readable(person)):
            if any(label in row for row in message.buttons):
                self._humans[person].presses(message, label)
                return
        raise LookupError(label)

    async def seen(self, person: str) -> Sequence[str]:
        return [message.text for message in self._readable(person)]

    async def repeat(self) -> None:
        self._sim.deliver_again()

    async def go_away(self) -> None:
        await self._sim.down()

    async def come_back(self) -> None:
        await self._sim.up()

    async def forget_key(self) -> None:
        self._key = f"{secrets.randbelow(10**9)}:{self.secrets[0]}"

    def _readable(self, person: str):
        return [each for each in self._sim.world.said if each.chat.id in (int(person), self._room.chat.id)]


@contextlib.asynccontextmanager
async def open_world() -> AsyncIterator[TelegramWorld]:
    token = f"{secrets.randbelow(10**9)}:simulated-bot-token-of-one-test-only"  # leases are for the whole machine
    async with TelegramSim(token=token) as sim:
        yield TelegramWorld(sim)
        assert sim.violations == []


@pytest.mark.parametrize("case", surface_cases(TelegramWorld), ids=str)
async def test_telegram_keeps_its_promise(case: SurfaceCase) -> None:
    async with open_world() as world:
        await check_surface(case, world)
