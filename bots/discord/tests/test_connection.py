"""Connections end in many ways: resumed where possible, a new client where not, and the reason is told."""

import asyncio
from typing import Any, cast

import pytest

from haltline.api import Control
from haltline.errors import Refused, Transient


async def failure_of(world: Any) -> BaseException:
    """What a connection that cannot go on ends with."""
    async with asyncio.timeout(15):
        try:
            await world.front().run(cast("Control", world.control), lambda: None)
        except (Refused, Transient) as failure:
            return failure
    raise AssertionError("it goes on")


async def ended_by(world: Any, breaks: Any) -> BaseException:
    """What a connection ends with once it is up and `breaks` was called."""
    started = asyncio.Event()
    front = world.front()

    async def run() -> BaseException:
        try:
            await front.run(cast("Control", world.control), started.set)
        except (Refused, Transient) as failure:
            return failure
        raise AssertionError("it goes on")

    async with asyncio.timeout(15), asyncio.TaskGroup() as group:
        task = group.create_task(run())
        await started.wait()
        breaks()
        return await task


async def test_a_malformed_frame_ends_the_connection_and_a_new_one_works(world: Any) -> None:
    failure = await ended_by(world, world.sim.gateway.garble)
    assert isinstance(failure, Transient)
    async with world.running():
        await world.sim.wait_for_reply(world.anna.slash("status"), "answer to status")


async def test_a_dropped_connection_is_resumed(world: Any) -> None:
    async with world.running():
        world.sim.gateway.close(4000)
        await world.sim.wait_for_resumed()
        await world.sim.wait_for_reply(world.anna.slash("status"), "answer to status")


async def test_a_wrong_token_is_refused(world: Any) -> None:
    world.sim.arm("status", "GET /users/@me", status=401)
    failure = await failure_of(world)
    assert isinstance(failure, Refused)
    assert world.sim.token not in str(failure)


async def test_a_platform_that_is_down_is_tried_again_later(world: Any) -> None:
    await world.sim.down()
    assert isinstance(await failure_of(world), Transient)
    await world.sim.up()
    async with world.running():
        await world.sim.wait_for_reply(world.anna.slash("status"), "answer to status")


@pytest.mark.parametrize("where", [None, "guild"])
async def test_commands_are_declared_for_everybody_or_one_server(world: Any, where: str | None) -> None:
    config = {"guild": str(world.sim.guild_id)} if where else {}
    async with world.running(**config):
        await world.sim.wait_for_commands("status", "flatten", "positions")
        await world.sim.wait_for_reply(world.anna.slash("status"), "answer to status")
