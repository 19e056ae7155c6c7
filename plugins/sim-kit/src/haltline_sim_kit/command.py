"""A simulator as a command: it serves until it is stopped, and says where once it listens."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from haltline_sim_kit.simulator import Simulator


def serve(sim: Simulator, told: Callable[[], str], *beside: Callable[[], Awaitable[None]]) -> None:
    """Serve until interrupted; `told` is the line that is printed, `beside` what else goes on meanwhile."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(sim, told, beside))


async def _serve(sim: Simulator, told: Callable[[], str], beside: tuple[Callable[[], Awaitable[None]], ...]) -> None:
    async with sim, asyncio.TaskGroup() as group:
        sys.stdout.write(f"{told()}\n")
        sys.stdout.flush()
        for each in (sim.outages, *beside):
            group.create_task(_run(each))


async def _run(what: Callable[[], Awaitable[None]]) -> None:
    await what()
