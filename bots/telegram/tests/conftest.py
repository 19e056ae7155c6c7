"""The genuine bot against the simulated Bot API, with a control service that answers what a test wants."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from haltline.api import Control, SurfaceSetup
from haltline.clock import SystemClock
from haltline.testing.surface import FakeControl, FakeMemory
from haltline_bot_telegram.front import TelegramFront
from haltline_bot_telegram.plugin import make
from haltline_sim_telegram.server import TelegramSim


class World:
    """A simulator, a memory, a control service; bots come and go."""

    def __init__(self, sim: TelegramSim) -> None:
        self.sim = sim
        self.memory = FakeMemory()
        self.control = FakeControl()
        self.people = ("7",)
        self.anna = sim.user(7, "Anna")

    def front(self, **config: Any) -> TelegramFront:
        given = {"token": self.sim.token, "server": self.sim.base_url, "poll_s": 1, "stale_after": "60s", **config}
        setup = SurfaceSetup(
            name="phone", config=given, clock=SystemClock(), memory=self.memory, people={"telegram": self.people}
        )
        return cast("TelegramFront", make(setup))

    @contextlib.asynccontextmanager
    async def running(self, **config: Any) -> AsyncIterator[TelegramFront]:
        """A bot that polls until the block ends."""
        front, started = self.front(**config), asyncio.Event()
        before = len(self.sim.calls("getUpdates"))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(front.run(cast("Control", self.control), started.set))
            async with asyncio.timeout(60):
                await started.wait()
                await self.sim.wait_for_call(
                    "getUpdates", count=before + 2, timeout_s=60
                )  # what had waited is taken by then
            try:
                yield front
            finally:
                task.cancel()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    token = f"{secrets.randbelow(10**9)}:simulated-bot-token-of-one-test-only"  # leases are for the whole machine
    async with TelegramSim(token=token) as sim:
        yield World(sim)
        assert sim.violations == []
