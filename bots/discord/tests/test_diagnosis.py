"""What `haltline doctor` is told of Discord: the token, server and channel, and who may ask."""

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
    channel, guild = world.sim.channel("alerts"), world.sim.guild_id
    shown = await found(world, channel=int(channel.id), guild=int(guild))
    assert shown["login"][0] is Level.OK
    assert shown[f"channel {channel.id}"] == (Level.OK, "the bot sees it: alerts")
    assert shown[f"server {guild}"][0] is Level.OK
    assert world.sim.world.said == []


@pytest.mark.parametrize(("key", "about"), [("channel", "channel 404"), ("guild", "server 404")])
async def test_what_is_not_there_is_a_failure_with_its_cure(world: Any, key: str, about: str) -> None:
    level, text = (await found(world, **{key: 404}))[about]
    assert level is Level.FAIL
    assert "Unknown" in text


async def test_nobody_who_may_ask_is_a_warning(world: Any) -> None:
    world.people = ()
    assert (await found(world))["operators"][0] is Level.WARN


async def test_a_wrong_token_and_a_platform_that_is_away_are_told_for_what_they_are(world: Any) -> None:
    with pytest.raises(Refused) as refused:
        await found(world, token="another-token")
    assert "another-token" not in str(refused.value)
    await world.sim.down()
    with pytest.raises(Transient):
        await found(world)
