"""Alerts: delivered with their buttons, brought up to date in place, every failure named for what it is."""

from typing import Any

import pytest

from haltline.api import Button, EditingNotifier, Message
from haltline.errors import PluginFailed, Refused, Transient
from haltline.model.rule import Severity
from haltline_bot_telegram.lease import lease

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x40\0\0\0\xc8"
ACK = Button(label="Acknowledge", command="ack", arguments={"incident": "i#1"})


def alert(text: str = "eval is flat", **more: Any) -> Message:
    given = {"id": "m1", "at": 0, "severity": Severity.CRITICAL, "title": "LIMIT REACHED", "text": text, **more}
    return Message(**given)


@pytest.fixture
async def front(world: Any) -> Any:
    world.anna.says("hello")
    front = world.front(chat=7)
    yield front
    await front._alerts.session.close()


async def test_an_alert_arrives_with_its_buttons_and_facts(world: Any, front: Any) -> None:
    handle = await front.send(alert(facts=(("Account", "eval"),), buttons=(ACK,)))
    message = await world.sim.wait_for_message("LIMIT REACHED")
    assert (message.text.splitlines()[1:], message.buttons) == (["eval is flat", "Account: eval"], (("Acknowledge",),))
    assert handle == f"t:7:{message.id}"


async def test_an_alert_goes_on_in_the_same_message(world: Any, front: Any) -> None:
    handle = await front.send(alert(buttons=(ACK,)))
    assert await front.edit(handle, alert("it is over")) == handle
    message = await world.sim.wait_for_message("it is over")
    assert (handle.endswith(str(message.id)), message.buttons) == (True, ())


async def test_an_edit_that_changes_nothing_is_no_failure(front: Any) -> None:
    handle = await front.send(alert())
    assert await front.edit(handle, alert()) == handle


async def test_a_picture_goes_on_in_its_caption(world: Any, front: Any) -> None:
    handle = await front.send(alert(image=PNG, buttons=(ACK,)))
    assert handle.startswith("p:")
    await front.edit(handle, alert("it is over", image=PNG))
    assert (await world.sim.wait_for_message("it is over")).media[0] == "photo"


async def test_an_edit_of_what_is_gone_is_refused_so_that_it_is_sent_anew(world: Any, front: Any) -> None:
    with pytest.raises(Refused):
        await front.edit("t:7:99999", alert())
    with pytest.raises(Refused, match="not sent by this bot"):
        await front.edit("discord:1", alert())
    handle = await front.send(alert())
    with pytest.raises(Refused, match="too long"):
        await front.edit(handle, alert("x" * 5000))


async def test_an_alert_whose_markup_was_refused_is_sent_without(world: Any, front: Any) -> None:
    await front.send(alert("a <b> & c", plain=True))
    message = await world.sim.wait_for_message("a <b> & c")
    assert message.entities == ()


@pytest.mark.parametrize(
    ("fault", "expected", "words"),
    [
        ({"kind": "status", "status": 429, "retry_after_s": 3}, Transient, "pause"),
        ({"kind": "status", "status": 500}, Transient, "in trouble"),
        ({"kind": "status", "status": 400, "reason": "Bad Request: can't parse entities"}, Refused, "parse entities"),
        ({"kind": "status", "status": 401}, Refused, "refused"),
        ({"kind": "garbage"}, Transient, "no JSON"),
        ({"kind": "truncate"}, Transient, "no JSON"),
        ({"kind": "drop"}, Transient, "cannot be reached"),
    ],
    ids=["429", "500", "400", "401", "proxy-html", "half-json", "cut"],
)
async def test_a_failure_is_named_for_what_it_is(
    world: Any, front: Any, fault: dict[str, Any], expected: type[Exception], words: str
) -> None:
    world.sim.arm(call="sendMessage", **fault)
    with pytest.raises(expected, match=words) as failure:
        await front.send(alert())
    assert world.sim.token not in str(failure.value)
    if fault.get("status") == 429:
        assert failure.value.retry_after_s == 3


async def test_a_platform_that_is_down_is_tried_again_later(world: Any, front: Any) -> None:
    await world.sim.down()
    with pytest.raises(Transient, match="cannot be reached"):
        await front.send(alert())
    await world.sim.up()
    await front.send(alert())


async def test_a_blocked_bot_is_refused(world: Any, front: Any) -> None:
    world.anna.blocks()
    with pytest.raises(Refused, match="blocked"):
        await front.send(alert())


async def test_alerts_go_out_while_somebody_else_polls(world: Any, front: Any) -> None:
    with lease(world.sim.token):
        with pytest.RaisesGroup(pytest.RaisesExc(Transient, match="reads this bot's messages already")):
            async with world.running():
                pass
        await front.send(alert())


async def test_without_a_chat_an_alert_is_refused_with_the_cure(world: Any) -> None:
    front = world.front()
    with pytest.raises(Refused, match="add `chat:`"):
        await front.send(alert())


def test_a_token_that_is_none_is_refused_without_repeating_it(world: Any) -> None:
    with pytest.raises(PluginFailed, match="BotFather") as failure:
        world.front(token="hunter2-secret")
    assert "hunter2" not in str(failure.value)


def test_a_bot_can_bring_an_alert_up_to_date(world: Any) -> None:
    front: object = world.front()
    assert isinstance(front, EditingNotifier)
