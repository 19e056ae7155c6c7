"""The genuine bot against the simulated Bot API, with a control service that answers what a test wants."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from haltline.api import Button, Caller, Choice, Command, Control, Reply, Request, SurfaceSetup
from haltline.clock import SystemClock
from haltline.model.plan import Result
from haltline_bot_telegram.front import TelegramFront
from haltline_bot_telegram.plugin import make
from haltline_sim_telegram.server import TelegramSim


class FakeMemory:
    """`api.SurfaceMemory` without a disk: what is in it outlives the bot."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.texts.get(key)

    async def put(self, key: str, text: str) -> None:
        self.texts[key] = text

    async def forget(self, key: str) -> None:
        self.texts.pop(key, None)


class FakeControl:
    """Answers with `replies` (by command, else the default one) and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.callers: list[Caller] = []
        self.replies: dict[str, Reply | BaseException] = {}
        self.offered: Sequence[Command] = ()
        self.ended = asyncio.Event()
        self.outcome = Reply(title="flat")

    def commands(self, caller: Caller | None = None) -> Sequence[Command]:
        return self.offered

    def complete(self, caller: Caller, command: str, argument: str, text: str, given: Any = None) -> Sequence[Choice]:
        return ()

    async def run(self, request: Request) -> Reply:
        self.asked.append((request.caller.user, request.command, dict(request.arguments)))
        self.callers.append(request.caller)
        return self._answer(request.command)

    async def say(self, caller: Caller, line: str) -> Reply:
        self.asked.append((caller.user, line, {}))
        self.callers.append(caller)
        return self._answer(line.removeprefix("/").partition(" ")[0])

    async def follow(self, reply: Reply) -> Reply:
        await self.ended.wait()
        return self.outcome

    def buttons(self, incident: str) -> Sequence[Button]:
        return ()

    def subscribe(self, on_result: Callable[[Result], None]) -> Callable[[], None]:
        return lambda: None

    def _answer(self, command: str) -> Reply:
        reply = self.replies.get(command, Reply(title=f"answer to {command}"))
        if isinstance(reply, BaseException):
            raise reply
        return reply


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
            async with asyncio.timeout(5):
                await started.wait()
                await self.sim.wait_for_call("getUpdates", count=before + 2)  # what had waited is taken by then
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
