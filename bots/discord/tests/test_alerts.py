"""Alerts: delivered with their buttons, brought up to date in place, a thread for each incident where wanted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from haltline.api import Button, EditingNotifier, Message
from haltline.errors import Refused, Transient
from haltline.model.rule import Severity

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x40\0\0\0\xc8"
ACK = Button(label="Acknowledge", command="ack", arguments={"incident": "i#1"})


def alert(text: str = "eval is flat", **more: Any) -> Message:
    given = {"id": "m1", "at": 0, "severity": Severity.CRITICAL, "title": "LIMIT REACHED", "text": text, **more}
    return Message(**given)


@pytest.fixture
async def front(world: Any) -> AsyncIterator[Any]:
    front = world.front(channel=world.sim.channel("alerts").id)
    yield front
    await front._alerts.close()


async def test_an_alert_arrives_with_its_buttons_and_facts(world: Any, front: Any) -> None:
    handle = await front.send(alert(facts=(("Account", "eval"),), buttons=(ACK,)))
    message = await world.sim.wait_for_message("LIMIT REACHED")
    assert "Account: eval" in message.shown
    assert message.buttons == (("Acknowledge",),)
    assert handle == f"{message.channel.id}:{message.id}"


async def test_an_alert_goes_on_in_the_same_message(world: Any, front: Any) -> None:
    handle = await front.send(alert(buttons=(ACK,), image=PNG))
    assert await front.edit(handle, alert("it is over")) == handle
    message = await world.sim.wait_for_message("it is over")
    assert (handle.endswith(str(message.id)), message.buttons, message.attachments) == (True, (), [])


async def test_what_follows_of_an_incident_goes_to_its_thread(world: Any) -> None:
    front = world.front(channel=world.sim.channel("alerts").id, threads=True)
    try:
        await front.send(alert(thread="incident 1"))
        await front.send(alert("still there", thread="incident 1"))
        again = world.front(channel=world.sim.channel("alerts").id, threads=True)
        await again.send(alert("after a restart", thread="incident 1"))
        await again._alerts.close()
    finally:
        await front._alerts.close()
    first, second, third = [await world.sim.wait_for_message(text) for text in ("flat", "still there", "restart")]
    assert first.channel.name == "alerts"
    assert second.channel.id == third.channel.id == first.thread_id


async def test_a_thread_that_cannot_be_opened_loses_nothing(world: Any, caplog: Any) -> None:
    front = world.front(channel=world.sim.channel("alerts").id, threads=True)
    world.sim.arm("status", "POST /channels/*/messages/*/threads", status=403, code=50013)
    try:
        await front.send(alert(thread="incident 1"))
    finally:
        await front._alerts.close()
    await world.sim.wait_for_message("eval is flat")
    assert "no thread was opened" in caplog.text


async def test_an_edit_of_what_is_gone_is_refused_so_that_it_is_sent_anew(world: Any, front: Any) -> None:
    with pytest.raises(Refused):
        await front.edit(f"{world.sim.channel('alerts').id}:123456789012345678", alert())
    with pytest.raises(Refused, match="not sent by this bot"):
        await front.edit("t:7:1", alert())
    with pytest.raises(Refused, match="too long"):
        await front.edit("1:2", alert("x" * 9000))


async def test_a_connection_that_is_cut_is_tried_again_later(world: Any, front: Any) -> None:
    world.sim.arm("drop", "POST /channels/*/messages", count=None)
    with pytest.raises(Transient, match="cannot be reached"):
        await front.send(alert())
    world.sim.faults.clear()
    await front.send(alert())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [({"status": 403, "code": 50001}, Refused), ({"status": 400, "code": 50035}, Refused), ({"status": 404}, Refused)],
    ids=["403", "400", "404"],
)
async def test_a_failure_is_named_for_what_it_is(
    world: Any, front: Any, fault: dict[str, Any], expected: type[Exception]
) -> None:
    world.sim.arm("status", "POST /channels/*/messages", **fault)
    with pytest.raises(expected) as failure:
        await front.send(alert())
    assert world.sim.token not in str(failure.value)
    await front.send(alert())


async def test_a_platform_that_is_down_is_tried_again_later(world: Any, front: Any) -> None:
    await world.sim.down()
    with pytest.raises(Transient):
        await front.send(alert())
    await world.sim.up()
    await front.send(alert())


async def test_two_alerts_at_once_share_one_connection_that_is_closed_after_both(world: Any) -> None:
    front = world.front(channel=world.sim.channel("alerts").id)
    world.sim.arm("delay", "GET /users/@me", after_s=0.05)
    world.sim.arm("delay", "POST /channels/*/messages", after_s=0.2)
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(front.send(alert(f"alert {number}", id=f"m{number}")))
    assert sum(each.path == "/users/@me" for each in world.sim.requests) == 1
    assert [sum(f"alert {number}" in each.shown for each in world.sim.world.said) for number in range(3)] == [1, 1, 1]
    assert front._alerts._client is None


async def test_a_long_pause_that_discord_asks_for_is_handed_on(world: Any, front: Any) -> None:
    world.sim.arm("status", "POST /channels/*/messages", status=429, retry_after_s=40.0)
    with pytest.raises(Transient) as wait:
        await front.send(alert())
    assert wait.value.retry_after_s == 40.0
    await front.send(alert())
    await world.sim.wait_for_message("eval is flat")


async def test_an_alert_that_was_refused_with_an_embed_is_sent_as_text(world: Any, front: Any) -> None:
    await front.send(alert("a @everyone b", plain=True))
    message = await world.sim.wait_for_message("LIMIT REACHED")
    assert (message.embeds, message.pings) == ([], frozenset())


async def test_without_a_channel_an_alert_is_refused_with_the_cure(world: Any) -> None:
    front: Any = world.front()
    with pytest.raises(Refused, match="add `channel:`"):
        await front.send(alert())
    assert isinstance(front, EditingNotifier)
