"""The poller: comes back from everything that passes, ends for what does not, never two for one token."""

import asyncio
import gc
import warnings
from typing import Any, cast

import pytest

from haltline.api import Command, Control, Message, Reply
from haltline.errors import Refused, Transient
from haltline.model.rule import Severity
from haltline_bot_telegram.lease import lease, lease_path


async def run_until_it_ends(world: Any) -> BaseException:
    """What a bot that cannot go on ends with."""
    with pytest.raises(BaseException) as ended:
        async with asyncio.timeout(60), world.running():
            await asyncio.Event().wait()
    failure = ended.value
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 500}, {"kind": "garbage"}, {"kind": "truncate"}, {"kind": "drop"}],
    ids=["500", "proxy-html", "half-json", "cut"],
)
async def test_a_failed_poll_is_repeated(world: Any, fault: dict[str, Any]) -> None:
    async with world.running():
        world.sim.arm(call="getUpdates", **fault)
        world.anna.says("/status")
        await world.sim.wait_for_message("answer to status")


async def test_the_platform_may_be_down_for_a_while(world: Any) -> None:
    async with world.running():
        await world.sim.down()
        world.anna.says("/status")
        await world.sim.up()
        await world.sim.wait_for_message("answer to status", timeout_s=60)


async def test_a_second_poller_elsewhere_ends_it_with_the_reason(world: Any) -> None:
    world.sim.arm("status", "getUpdates", status=409, count=None)
    failure = await run_until_it_ends(world)
    assert isinstance(failure, Transient)
    assert "in trouble" in str(failure)


async def test_a_wrong_token_ends_it(world: Any) -> None:
    world.sim.arm("status", "getMe", status=401)
    assert isinstance(await run_until_it_ends(world), Refused)


@pytest.mark.parametrize("fault", [401, 500, None], ids=["wrong-token", "in-trouble", "down"])
async def test_a_bot_that_could_not_start_leaves_nothing_open(world: Any, fault: int | None) -> None:
    message = Message(id="1", at=0, severity=Severity.CRITICAL, title="t", text="x")
    front = world.front(chat=7)
    world.anna.starts()
    if fault is None:
        await world.sim.down()
    else:
        world.sim.arm("status", "*", status=fault, count=None)
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


async def test_updates_out_of_order_are_put_in_order(world: Any) -> None:
    async with world.running():
        world.sim.arm("reorder")
        world.anna.says("/one")
        world.anna.says("/two")
        await world.sim.wait_for_message("answer to two")
    assert sorted(line for _, line, _ in world.control.asked) == ["/one", "/two"]


async def test_an_update_that_is_delivered_twice_is_done_once(world: Any) -> None:
    async with world.running():
        world.sim.arm("duplicate")
        world.anna.says("/one")
        await world.sim.wait_for_message("answer to one")
        world.anna.says("/two")
        await world.sim.wait_for_message("answer to two")
    assert [line for _, line, _ in world.control.asked] == ["/one", "/two"]


async def test_each_operator_sees_their_own_commands(world: Any) -> None:
    async def nothing(call: Any) -> Reply:
        return Reply(title=call.operator)

    world.anna.says("hello")
    world.people = ("7", "not-a-number")
    world.control.offered = [Command(name="flatten", meaning="close everything", run=nothing)]
    async with world.running():
        await world.sim.wait_for_call("setMyCommands", count=2)
    menus = [call.parameters for call in world.sim.calls("setMyCommands")]
    assert "flatten" in str(menus[1])
    assert "flatten" not in str(menus[0])


def test_a_lease_is_free_again_when_it_is_let_go(tmp_path: Any) -> None:
    with lease("1:a", tmp_path):
        with pytest.raises(Transient), lease("1:a", tmp_path):
            pass
        with lease("1:b", tmp_path):
            pass
    with lease("1:a", tmp_path):
        pass


def test_the_name_of_a_lease_does_not_tell_the_token(tmp_path: Any) -> None:
    assert "secret" not in str(lease_path("12345:secret", tmp_path))
