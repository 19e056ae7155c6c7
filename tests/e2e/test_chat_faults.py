"""The fault table of chats: whatever the platform or people do, nothing is lost, nothing is done twice, and
enforcement never waits. The real engine, the genuine clients, both platforms; `conftest` prints the table at the end.

That enforcement does not wait is shown by order and not by speed: the account is flat while the fault still stands.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chat_world import SETUP, World, opened

from haltline.api import Caller
from haltline.control.audit import Attempt
from haltline.errors import ConfigError
from haltline.runtime.embed import load_parts
from haltline_bot_telegram.lease import lease

pytestmark = pytest.mark.long
FLAT = "no position, no working order"
ALERT, DONE = "is broken", "Done: flatten"
MINUTE = 60


@pytest.fixture(params=["telegram", "discord"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(request.param, tmp_path) as world:
        yield world


@pytest.fixture
async def telegram(tmp_path: Path) -> AsyncIterator[World]:
    async with opened("telegram", tmp_path) as world:
        yield world


async def prompt(world: World) -> Any:
    """A position, and the question whether it is to be closed."""
    await world.buy(2)
    return await world.chat.ask("flatten eval", "Please confirm")


async def delivered(world: World, *texts: str) -> None:
    """Until all was said, these texts too; time passes as it must for what is tried again later."""

    def is_said() -> bool:
        world.clock.skip(0.1)
        return world.engine.engine.is_idle and all(world.chat.said(text) for text in texts)

    await world.until(is_said)


async def told_once(world: World, *texts: str) -> None:
    """Each of these has appeared once, when nothing more is to be said."""
    await delivered(world, *texts)
    assert Counter({text: world.chat.said(text) for text in texts}) == Counter(dict.fromkeys(texts, 1))


# -- the platform refuses, breaks off, or is silent ------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retry_after_s": 1},
        {"kind": "status", "status": 500},
        {"kind": "garbage"},
        {"kind": "truncate"},
        {"kind": "drop"},
        {"kind": "hang"},
    ],
    ids=["429 with retry-after", "500", "a page of a proxy", "a truncated answer", "a cut connection", "silence"],
)
async def test_an_alert_whose_sending_fails_for_a_while_arrives_once(world: World, fault: dict[str, Any]) -> None:
    async with world.running():
        await delivered(world)
        world.chat.sim.arm(call=world.chat.sending, count=None, **fault)
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
        assert (world.chat.said(ALERT), world.held()) == (0, 0), "flat, while nobody could be told"
        world.chat.sim.faults.clear()
        await told_once(world, ALERT, DONE)


@pytest.mark.parametrize("kind", ["truncate", "drop"], ids=["a truncated answer", "a cut connection"])
async def test_an_alert_whose_confirmation_is_lost_is_told_again_rather_than_not(world: World, kind: str) -> None:
    async with world.running():
        await delivered(world)
        world.chat.sim.arm(kind, world.chat.sending, stage="after")
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
        await delivered(world, ALERT, DONE)
        assert world.chat.said(ALERT) + world.chat.said(DONE) in (2, 3)
        assert len(world.receipts()) == 1


async def test_an_alert_whose_formatting_is_refused_with_400_arrives_plain(world: World) -> None:
    async with world.running():
        await delivered(world)
        world.chat.sim.arm("status", world.chat.sending, status=400)
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
        await told_once(world, ALERT, DONE)
        assert not world.chat.is_formatted(await world.chat.message(ALERT))


async def test_a_429_with_a_minute_to_wait_is_waited_for_and_not_asked_before(world: World) -> None:
    async with world.running():
        await delivered(world)
        world.chat.sim.arm("status", world.chat.sending, status=429, retry_after_s=MINUTE)
        before = world.chat.sent
        await world.breach()
        await world.until(lambda: world.chat.sent == before + 1 and len(world.receipts()) == 1)
        await world.hours(45 / 3600, step_s=5)
        assert (world.chat.sent, world.chat.said(ALERT)) == (before + 1, 0)
        await world.hours(20 / 3600, step_s=5)
        await told_once(world, ALERT, DONE)


async def test_a_platform_that_never_answers_anything_delays_nobody_else(world: World) -> None:
    async with world.running():
        await delivered(world)
        world.chat.sim.arm("hang", "*", count=None)
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
        world.chat.sim.faults.clear()
        await told_once(world, ALERT, DONE)


async def test_what_is_longer_than_the_platform_takes_comes_in_parts(world: World) -> None:
    world.rules = world.rules.replace("notify]", f"{{notify: {{text: '{'because, ' * 1200}END'}}}}]")
    async with world.running():
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
        await delivered(world, "END", DONE)
        told = "".join(world.chat.shown(each) for each in world.chat.sim.world.said)
        assert told.lower().count("because,") == 1200


# -- the platform is away --------------------------------------------------------------------------------------------


async def test_a_platform_that_is_down_for_an_hour_loses_nothing_and_delays_nothing(world: World) -> None:
    world.rules = world.rules.replace("notify]", "{lock: {until: released}}, notify]")
    async with world.running():
        await delivered(world)
        await world.chat.sim.down()
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
        await world.hours(0.5)
        await world.order(2)  # somebody goes on, while nobody can be told
        await world.until(lambda: world.held() == 2)
        await world.until(lambda: world.held() == 0)
        await world.until(lambda: not world.engine.status().enforcing)
        await world.hours(0.5)
        done = len(world.receipts())
        assert (world.chat.said(ALERT), world.chat.said("Done: ")) == (0, 0)
        await world.chat.sim.up()
        await told_once(world, ALERT, DONE)
        assert world.chat.said("Done: ") == len(world.receipts()) == done
        await comes_back(world)
        assert (len(world.receipts()), world.held()) == (done, 0)


async def test_what_was_said_an_hour_ago_while_we_were_away_is_not_done_any_more(telegram: World) -> None:
    world = telegram
    async with world.running():
        await world.buy(2)
        await world.chat.sim.down()
        world.chat.anna.says("/flatten eval")
        await world.hours(1)
        await world.chat.sim.up()
        await comes_back(world)
        assert (world.held(), [record.command for record in world.audit()]) == (2, ["status"])


async def test_a_platform_that_is_down_when_the_engine_starts_is_found_later(world: World) -> None:
    await world.chat.sim.down()
    async with world.running(listens=False):
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
        await world.chat.sim.up()
        await told_once(world, ALERT, DONE)
        await comes_back(world)


async def test_what_was_not_told_before_a_restart_is_told_after_it_and_not_done_again(world: World) -> None:
    async with world.running():
        await delivered(world)
        await world.chat.sim.down()
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
    await world.chat.sim.up()
    async with world.running():
        await told_once(world, ALERT, DONE)
        assert (len(world.receipts()), world.held()) == (1, 0)


# -- the connection on which people are heard ------------------------------------------------------------------------


async def comes_back(world: World) -> None:
    """Until commands are answered again, at most three minutes of the engine's time later."""
    for _ in range(36):
        world.clock.skip(5)
        await asyncio.sleep(0.05)  # sleeps: a connection needs a moment of real time
    await world.chat.connected()
    await world.chat.ask("status eval", "equity")


async def test_a_dropped_gateway_between_question_and_press_loses_nothing(world: World) -> None:
    async with world.running():
        question = await prompt(world)
        await world.chat.cut()
        await world.chat.press(question, "Confirm", FLAT)
        assert (len(world.receipts()), world.held()) == (1, 0)


async def test_a_malformed_frame_between_question_and_press_loses_nothing(world: World) -> None:
    async with world.running():
        question = await prompt(world)
        await world.chat.garble()
        await world.chat.press(question, "Confirm", FLAT)
        assert (len(world.receipts()), world.held()) == (1, 0)


async def test_a_malformed_answer_to_everything_loses_no_alert(world: World) -> None:
    async with world.running():
        await delivered(world)
        world.chat.sim.arm("garbage", "*", count=3)
        await world.breach()
        await world.until(lambda: len(world.receipts()) == 1)
        await told_once(world, ALERT, DONE)


async def test_a_second_poller_elsewhere_409_is_told_and_outlived(telegram: World) -> None:
    world = telegram
    async with world.running():
        await delivered(world)
        async with asyncio.TaskGroup() as elsewhere:
            thief = elsewhere.create_task(_polls(f"{world.chat.sim.base_url}/bot{world.chat.sim.token}/getUpdates"))
            await world.until(lambda: "Conflict" in _surface(world)[1])
            await world.breach()
            await world.until(lambda: len(world.receipts()) == 1)
            await told_once(world, ALERT, DONE)
            thief.cancel()
        await comes_back(world)
        assert _surface(world) == ("up", "")


async def _polls(address: str) -> None:
    async with aiohttp.ClientSession() as thief:
        while True:
            async with thief.post(address, json={"timeout": 50}) as answer:
                await answer.read()


async def test_a_second_poller_on_this_machine_has_no_turn_until_the_first_has_ended(telegram: World) -> None:
    world = telegram
    with lease(world.chat.sim.token):
        async with world.running(listens=False):
            await world.until(lambda: "another haltline" in _surface(world)[1])
            await world.breach()
            await world.until(lambda: len(world.receipts()) == 1)
            await told_once(world, ALERT, DONE)
            assert world.chat.sim.calls("getUpdates") == []
    async with world.running():
        await world.chat.ask("status eval", "equity")


def _surface(world: World) -> tuple[str, str]:
    found = {service.name: service for service in world.engine.status().services}
    return found["surface chat"].status, found["surface chat"].reason


# -- what people do --------------------------------------------------------------------------------------------------


async def test_a_press_after_the_nonce_has_expired_does_nothing(world: World) -> None:
    async with world.running():
        question = await prompt(world)
        world.clock.skip(2 * MINUTE + 1)
        world.quote(world.price)
        await world.chat.press(question, "Confirm")
        await world.engine.until_idle()
        assert (world.held(), world.receipts()) == (2, [])


async def test_a_replayed_button_counts_once(world: World) -> None:
    async with world.running():
        question = await prompt(world)
        await world.chat.press(question, "Confirm", FLAT)
        await world.until(lambda: world.held() == 0)
        await world.buy(3)
        await world.chat.press(question, "Confirm")
        await world.engine.until_idle()
        assert (world.held(), len(world.receipts())) == (3, 1)


async def test_a_button_replayed_after_a_restart_counts_once(world: World) -> None:
    async with world.running():
        question = await prompt(world)
        await world.chat.press(question, "Confirm", FLAT)
        await world.until(lambda: world.held() == 0)
    async with world.running():
        await world.buy(3)
        await world.chat.press(question, "Confirm")
        await world.engine.until_idle()
        assert (world.held(), len(world.receipts())) == (3, 1)


async def test_the_wrong_user_in_the_right_chat_changes_nothing(world: World) -> None:
    mallory = world.chat.sim.user(66, "Mallory")
    async with world.running():
        question = await prompt(world)
        await world.chat.press(question, "Confirm", who=mallory)
        await world.engine.until_idle()
        assert (world.held(), world.receipts()) == (2, [])
        await world.chat.press(question, "Confirm", FLAT)
        assert world.held() == 0


async def test_a_role_that_the_platform_gives_is_no_role_here(world: World) -> None:
    boss = world.chat.administrator()
    async with world.running():
        question = await prompt(world)
        await world.chat.press(question, "Confirm", who=boss)
        await world.engine.until_idle()
        assert (world.held(), world.receipts()) == (2, [])
        assert world.audit()[-1].operator == ""


async def test_an_unknown_role_of_an_operator_stops_the_start(world: World, tmp_path: Path) -> None:
    text = SETUP.replace("PLATFORM", world.chat.platform).replace("CONFIG", world.chat.config())
    (tmp_path / "haltline.yaml").write_text(text.replace("role: trader", "role: king"))
    (tmp_path / "rules.yaml").write_text(world.rules)
    with pytest.raises(ConfigError, match="king"):
        load_parts(tmp_path / "haltline.yaml", environ=world.environ)


async def test_a_role_that_does_not_allow_it_is_refused_in_the_right_chat(world: World) -> None:
    async with world.running():
        await world.buy(2)
        since = len(world.audit())
        caller = Caller(platform=world.chat.platform, user="7")
        reply = await world.engine.engine.control.say(caller, "reload because")
        assert (reply.code, world.audit()[since].attempt) == ("E851", Attempt.REFUSED)
        assert world.held() == 2


async def test_a_restart_between_prompt_and_press_loses_nothing(world: World) -> None:
    async with world.running():
        question = await prompt(world)
    async with world.running():
        await world.until(lambda: world.held() == 2)
        await world.chat.press(question, "Confirm", FLAT)
        assert (len(world.receipts()), world.held()) == (1, 0)


async def test_duplicate_updates_count_once(world: World) -> None:
    async with world.running():
        question = await prompt(world)
        world.chat.sim.arm("duplicate", count=None)
        await world.chat.press(question, "Confirm", FLAT)
        await world.engine.until_idle()
        confirmed = [each for each in world.audit() if (each.command, each.attempt) == ("flatten", Attempt.CONFIRMED)]
        assert (len(confirmed), len(world.receipts())) == (1, 1)


async def test_every_attempt_is_on_record_with_who_and_where(world: World) -> None:
    mallory = world.chat.sim.user(66, "Mallory")
    async with world.running():
        await world.chat.ask("status eval", "equity")
        question = await prompt(world)
        await world.chat.press(question, "Confirm", who=mallory)
        await world.chat.press(question, "Confirm", FLAT)
        seen = {(record.user, record.operator) for record in world.audit()}
        assert {("7", "anna"), ("66", "")} <= seen


async def test_a_drill_is_acknowledged_by_its_button_in_the_chat(world: World) -> None:
    async with world.running():
        me = Caller(platform="local", user="ria")
        begun = await world.engine.engine.control.say(me, "drill eval wait=2m")
        assert begun.actions, begun
        alarm = await world.chat.message("DRILL: a made-up breach")
        await world.chat.press(alarm, "Acknowledge", "It was a drill")
        report = await world.engine.engine.control.follow(begun)
        assert "acknowledged by anna after" in str(report.parts)
        await world.chat.message("over")
        assert world.held() == 0 and world.engine.engine.kernel.live == {}
