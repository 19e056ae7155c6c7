"""Connections end in many ways: resumed where possible, a new client where not, and the reason is told."""

import asyncio
import gc
import warnings
from typing import Any, cast

import pytest

from haltline.api import Control, Message
from haltline.clock import NS_PER_S, ManualClock
from haltline.errors import Refused, Transient
from haltline.model.rule import Severity


async def failure_of(world: Any) -> BaseException:
    """What a connection that cannot go on ends with."""
    async with asyncio.timeout(60):
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

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
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


async def test_a_gateway_that_stays_away_gets_a_new_client(world: Any) -> None:
    clock = world.clock = ManualClock()
    started = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(refused_or_later(world, started))
        await started.wait()
        await world.sim.down()
        while clock.next_wake_ns() is None:  # noqa: ASYNC110 - the library tells nobody that it has noticed
            await asyncio.sleep(0.01)
        clock.advance_to(61 * NS_PER_S)
        assert str(await task) == "Discord has been away for 60 s"


async def refused_or_later(world: Any, started: asyncio.Event) -> BaseException:
    with pytest.raises((Refused, Transient)) as ended:
        await world.front().run(cast("Control", world.control), started.set)
    return ended.value


@pytest.mark.parametrize("fault", [401, 403, None], ids=["wrong-token", "refused", "down"])
async def test_a_bot_that_could_not_start_leaves_nothing_open(world: Any, fault: int | None) -> None:
    message = Message(id="1", at=0, severity=Severity.CRITICAL, title="t", text="x")
    front = world.front(channel=str(world.sim.channel().id))
    if fault is None:
        await world.sim.down()
    else:
        world.sim.arm("status", "GET /users/@me", status=fault, count=None)
    for again in (front.run(cast("Control", world.control), lambda: None), front.send(message), front.send(message)):
        with pytest.raises((Refused, Transient)):
            await again
    world.sim.faults.clear()
    await world.sim.up()
    await front.send(message)
    del front
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(each.message) for each in told if "nclosed" in str(each.message)] == []


@pytest.mark.parametrize("where", [None, "guild"])
async def test_commands_are_declared_for_everybody_or_one_server(world: Any, where: str | None) -> None:
    config = {"guild": str(world.sim.guild_id)} if where else {}
    async with world.running(**config):
        await world.sim.wait_for_commands("status", "flatten", "positions")
        await world.sim.wait_for_reply(world.anna.slash("status"), "answer to status")
