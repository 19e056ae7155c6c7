"""The fault table of chats: whatever the platform or people do, nothing is lost, nothing is done twice, and
enforcement never waits. The real engine, the genuine clients, both platforms."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chat_world import World, opened

from haltline.api import Caller
from haltline.control.audit import Attempt

pytestmark = pytest.mark.long
FLAT = "no position, no working order"


@pytest.fixture(params=["telegram", "discord"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(request.param, tmp_path) as world:
        yield world


async def prompt(world: World) -> Any:
    """A position, and the question whether it is to be closed."""
    await world.buy(2)
    return await world.chat.ask("flatten eval", "Please confirm")


async def test_a_press_after_the_question_has_expired_does_nothing(world: World) -> None:
    async with world.running(within="1s"):
        question = await prompt(world)
        await asyncio.sleep(1.2)  # sleeps: past the second within which it may be answered
        await world.chat.press(question, "Confirm")
        await world.engine.until_idle()
        assert world.held() == 2


async def test_a_press_that_is_repeated_counts_once(world: World) -> None:
    async with world.running():
        question = await prompt(world)
        await world.chat.press(question, "Confirm", FLAT)
        await world.buy(3)
        await world.chat.press(question, "Confirm")
        await world.engine.until_idle()
        assert world.held() == 3


async def test_somebody_else_in_the_right_chat_changes_nothing(world: World) -> None:
    mallory = world.chat.sim.user(66, "Mallory")
    async with world.running():
        question = await prompt(world)
        await world.chat.press(question, "Confirm", who=mallory)
        await world.engine.until_idle()
        assert world.held() == 2
        await world.chat.press(question, "Confirm", FLAT)
        assert world.held() == 0


async def test_a_restart_between_question_and_press_loses_nothing(world: World) -> None:
    async with world.running():
        question = await prompt(world)
    async with world.running():
        await world.until(lambda: world.held() == 2)
        await world.chat.press(question, "Confirm", FLAT)
        assert world.held() == 0


async def test_a_breach_while_the_platform_is_down_is_enforced_at_once_and_told_once_it_is_back(world: World) -> None:
    async with world.running():
        await world.chat.sim.down()
        await world.breach()
        assert world.flat_after_s < 2.0
        await world.chat.sim.up()
        await world.chat.message("is broken", timeout_s=60)
        await world.chat.message("Done: flatten", timeout_s=60)
        await world.until(lambda: not world.engine.status().undelivered, timeout_s=60)
        assert world.chat.said("Done: flatten") == 1


async def test_a_platform_that_is_down_when_the_engine_starts_is_found_later(world: World) -> None:
    await world.chat.sim.down()
    async with world.running(listens=False):
        await world.breach()
        assert world.flat_after_s < 2.0
        await world.chat.sim.up()
        await world.chat.message("is broken", timeout_s=60)
        await world.chat.connected()
        await world.chat.ask("status eval", "equity")


async def test_what_was_not_told_before_a_restart_is_told_after_it(world: World) -> None:
    async with world.running():
        await world.chat.sim.down()
        await world.breach()
    await world.chat.sim.up()
    async with world.running():
        await world.chat.message("is broken", timeout_s=60)


@pytest.mark.parametrize("status", [429, 500, 400], ids=["flood-limit", "server-error", "formatting-refused"])
async def test_an_alert_that_is_refused_for_a_while_arrives(world: World, status: int) -> None:
    call = "sendMessage" if world.chat.platform == "telegram" else "POST /channels/*/messages"
    more: dict[str, Any] = {"retry_after_s": 0.2} if status == 429 else {}
    async with world.running():
        await world.until(lambda: not world.engine.status().undelivered, timeout_s=60)
        world.chat.sim.arm("status", call, status=status, **more)
        await world.breach()
        assert world.flat_after_s < 2.0
        await world.chat.message("is broken", timeout_s=60)


async def test_a_hanging_platform_delays_no_enforcement(world: World) -> None:
    async with world.running():
        world.chat.sim.arm("hang", "*", count=None)
        await world.breach()
        assert world.flat_after_s < 2.0
        world.chat.sim.faults.clear()
        await world.chat.message("is broken", timeout_s=90)


async def test_every_attempt_is_on_record_with_who_and_where(world: World) -> None:
    mallory = world.chat.sim.user(66, "Mallory")
    async with world.running():
        await world.chat.ask("status eval", "equity")
        question = await prompt(world)
        await world.chat.press(question, "Confirm", who=mallory)
        await world.chat.press(question, "Confirm", FLAT)
        seen = {(record.user, record.operator) for record in world.audit()}
        assert {("7", "anna"), ("66", "")} <= seen


async def test_updates_and_presses_that_come_twice_count_once(world: World) -> None:
    async with world.running():
        question = await prompt(world)
        world.chat.sim.arm("duplicate", count=None)
        await world.chat.press(question, "Confirm", FLAT)
        await world.engine.until_idle()
        done = [
            record for record in world.audit() if (record.command, record.attempt) == ("flatten", Attempt.CONFIRMED)
        ]
        assert len(done) == 1


async def test_a_malformed_answer_loses_no_alert(world: World) -> None:
    async with world.running():
        await world.until(lambda: not world.engine.status().undelivered, timeout_s=60)
        world.chat.sim.arm("garbage", "*", count=3)
        await world.breach()
        assert world.flat_after_s < 2.0
        await world.chat.message("is broken", timeout_s=60)
        await world.until(lambda: not world.engine.status().undelivered, timeout_s=60)


async def test_somebody_whose_role_does_not_allow_it_is_refused_in_the_right_chat(world: World) -> None:
    async with world.running():
        await world.buy(2)
        since = len(world.audit())
        caller = Caller(platform=world.chat.platform, user="7")
        reply = await world.engine.engine.control.say(caller, "reload because")
        assert (reply.code, world.audit()[since].attempt) == ("E851", Attempt.REFUSED)
        assert world.held() == 2


async def test_a_drill_is_acknowledged_by_its_button_in_the_chat(world: World) -> None:
    async with world.running():
        me = Caller(platform="local", user="ria")
        begun = await world.engine.engine.control.say(me, "drill eval wait=30s")
        assert begun.actions, begun
        alarm = await world.chat.message("DRILL: a made-up breach")
        await world.chat.press(alarm, "Acknowledge", "It was a drill")
        report = await world.engine.engine.control.follow(begun)
        assert "acknowledged by anna after" in str(report.parts)
        await world.chat.message("over")
        assert world.held() == 0 and world.engine.engine.kernel.live == {}
