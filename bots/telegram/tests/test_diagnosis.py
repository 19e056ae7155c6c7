"""What `haltline doctor` is told of Telegram: the token, the chat of the alerts, and who may ask."""

from typing import Any

import pytest

from haltline.api import Diagnosing, Level
from haltline.errors import Refused, Transient


async def found(world: Any, **config: Any) -> dict[str, tuple[Level, str]]:
    front = world.front(**config)
    assert isinstance(front, Diagnosing)
    findings = await front.diagnose()
    assert all(bool(each.cure) is (each.level is not Level.OK) for each in findings)
    return {each.about: (each.level, each.text) for each in findings}


async def test_a_good_set_up_is_told_with_names_and_nobody_hears_of_it(world: Any) -> None:
    world.anna.says("hello")
    shown = await found(world, chat=7)
    assert shown["login"] == (Level.OK, f"the token is that of @{world.sim.world.bot.username}")
    assert shown["chat 7"] == (Level.OK, "alerts go to Anna")
    assert world.sim.world.said == []
    assert world.sim.calls("getUpdates") == []


async def test_a_group_that_the_bot_is_in_is_fine_and_one_that_threw_it_out_is_not(world: Any) -> None:
    room = world.sim.room(-100, "Desk")
    assert (await found(world, chat=-100))["chat -100"] == (Level.OK, "alerts go to Desk")
    room.kicks_bot()
    level, _ = (await found(world, chat=-100))["chat -100"]
    assert level is Level.FAIL


async def test_a_chat_that_is_not_there_is_a_failure_with_its_cure(world: Any) -> None:
    level, text = (await found(world, chat=-404))["chat -404"]
    assert level is Level.FAIL
    assert "chat not found" in text


async def test_nobody_who_may_ask_is_a_warning(world: Any) -> None:
    world.people = ()
    level, text = (await found(world))["operators"]
    assert level is Level.WARN
    assert "nobody may ask" in text


async def test_a_wrong_token_and_a_platform_that_is_away_are_told_for_what_they_are(world: Any) -> None:
    secret = "7:another-token-that-nobody-knows-of"
    with pytest.raises(Refused) as refused:
        await found(world, token=secret)
    assert secret.partition(":")[2] not in str(refused.value)
    await world.sim.down()
    with pytest.raises(Transient):
        await found(world, chat=7)
