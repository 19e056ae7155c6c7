"""Drills that come again: on time, told where missed or not heard, and what is known of them afterwards."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from operator_desk import PEOPLE, START, STRANGER, Desk, Open
from test_drill import ROUTED, Ear, listen

from haltline.api import Reply, ReplyStatus, Role, Table, reply_text
from haltline.clock import NS_PER_S
from haltline.errors import Refused
from haltline.runtime.drillschedule import GRACE_NS

RIA, TOM = PEOPLE[Role.RISK_MANAGER], PEOPLE[Role.TRADER]
HOUR_NS = 3600 * NS_PER_S
SETUP = f"{ROUTED}drills: {{daily: {{at: 15:00 UTC, wait: 30s}}}}\n"  # START is 14:00 UTC on a Tuesday
ON_DISK = SETUP.replace("kind: console", "kind: jsonl, config: {path: heard.jsonl}")


def row(reply: Reply) -> dict[str, object]:
    """The first row of the table of drills."""
    table = reply.parts[0]
    assert isinstance(table, Table)
    return {column.name: cell for column, cell in zip(table.columns, table.rows[0], strict=True)}


async def readiness(desk: Desk) -> Reply:
    return await desk.say(RIA, "readiness")


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the clock stands still."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.to_thread(int)  # the journal's writer is a thread


async def passing(desk: Desk, is_so: Callable[[], bool]) -> None:
    """The same, while time passes in small steps."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0)
            desk.clock.advance_to(desk.clock.now() + NS_PER_S // 100)


def has_run(desk: Desk) -> Callable[[], bool]:
    return lambda: desk.engine.engine._drills.standings()[-1].score is not None


def was_told(ear: Ear, words: str) -> Callable[[], bool]:
    return lambda: any(words in message.title for message in ear.heard)


async def at_its_time(desk: Desk, ear: Ear | None = None) -> Ear:
    """Three in the afternoon; the drill has begun, and the channel has heard it."""
    ear = listen(desk, ear or Ear())
    await until(lambda: all(each.due for each in desk.engine.engine._drills.standings()))
    desk.clock.advance_to(START + HOUR_NS)
    await until(lambda: ear.refusal is not None or was_told(ear, "DRILL")())
    return ear


async def test_a_drill_begins_at_its_time_and_its_acknowledgement_is_kept(opened: Open) -> None:
    async with opened(setup=SETUP) as desk:
        before = await readiness(desk)
        assert (before.title, row(before)["next"]) == ("No drill was run yet", START + HOUR_NS)
        ear = await at_its_time(desk)
        (button,) = ear.heard[0].buttons
        await desk.say(TOM, f"ack {button.arguments['incident']}")
        await passing(desk, has_run(desk))
        after = await readiness(desk)
        assert (after.title, row(after)["by"]) == ("Readiness 75 of 100", "tom")
        assert "Alarm path: readiness 75 of 100, last drill" in reply_text(await desk.say(RIA, "status"))


async def test_a_drill_that_nobody_acknowledges_is_told_and_scores_less(opened: Open) -> None:
    async with opened(setup=SETUP) as desk:
        ear = await at_its_time(desk)
        desk.clock.advance_to(START + HOUR_NS + 30 * NS_PER_S)
        await passing(desk, has_run(desk))
        await passing(desk, was_told(ear, "not acknowledged"))
        found = await readiness(desk)
        score = row(found)["score"]
        assert isinstance(score, int) and score <= 65
        assert "the acknowledgement stops the reminders" in str(row(found)["wrong"])


async def test_a_drill_that_no_channel_takes_is_told_elsewhere_and_is_red(opened: Open) -> None:
    async with opened(setup=SETUP) as desk:
        await at_its_time(desk, Ear(refusal=Refused("the token was withdrawn")))
        await passing(desk, has_run(desk))
        assert "not heard: daily" in reply_text(await desk.say(RIA, "status"))


def heard(folder: Path) -> str:
    """What the channel has heard over all starts."""
    file = folder / "heard.jsonl"
    return file.read_text() if file.exists() else ""


async def test_a_drill_is_missed_while_the_engine_is_down_and_that_is_told_once(opened: Open, folder: Path) -> None:
    async with opened(setup=ON_DISK, on_disk=True) as desk:
        await until(lambda: bool(desk.engine.engine._drills.standings()[0].due))
    missed_at = START + 49 * HOUR_NS
    async with opened(setup=ON_DISK, on_disk=True, at=missed_at + GRACE_NS + NS_PER_S) as desk:
        await until(lambda: "was missed" in heard(folder))
        found = await readiness(desk)
        assert found.title == "Readiness 0 of 100"
        assert "missed 3 times" in str(row(found)["wrong"])
        assert "missed: daily" in reply_text(await desk.say(RIA, "status"))
        arming = await desk.say(RIA, "arm eval accept=all because")
        assert arming.confirmation is not None and "readiness 0 of 100" in arming.confirmation.text
    async with opened(setup=ON_DISK, on_disk=True, at=missed_at + 2 * GRACE_NS) as desk:
        await passing(desk, lambda: desk.clock.now() > missed_at + 2 * GRACE_NS + 3 * NS_PER_S)
        assert heard(folder).count('"The drill daily was missed"') == 1
        assert (await readiness(desk)).title == "Readiness 0 of 100"


async def test_a_restart_at_the_time_of_a_drill_only_makes_it_late(opened: Open, folder: Path) -> None:
    async with opened(setup=ON_DISK, on_disk=True) as desk:
        await until(lambda: bool(desk.engine.engine._drills.standings()[0].due))
    async with opened(setup=ON_DISK, on_disk=True, at=START + HOUR_NS + GRACE_NS - NS_PER_S) as desk:
        await until(lambda: "DRILL" in heard(folder))
        desk.clock.advance_to(START + HOUR_NS + GRACE_NS + 30 * NS_PER_S)
        await passing(desk, has_run(desk))
        assert "was missed" not in heard(folder)


async def test_a_drill_waits_for_the_end_of_another(opened: Open) -> None:
    setup = f"{ROUTED}drills: {{a: {{at: 15:00 UTC, wait: 20s}}, b: {{at: 15:00 UTC, wait: 0s}}}}\n"
    async with opened(setup=setup) as desk:
        await at_its_time(desk)
        desk.clock.advance_to(START + HOUR_NS + 20 * NS_PER_S)
        await passing(desk, lambda: all(each.score for each in desk.engine.engine._drills.standings()))


async def test_a_drill_by_hand_counts_where_none_comes_again(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        listen(desk, Ear())
        assert "Alarm path" not in reply_text(await desk.say(RIA, "status"))
        await desk.say(RIA, "drill eval")
        await passing(desk, lambda: bool(desk.engine.engine._drills.standings()))
        assert (await readiness(desk)).title == "Readiness 75 of 100"


async def test_a_test_message_goes_through_the_running_channels_and_says_what_is_wrong(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        ear = listen(desk, Ear())
        good = await desk.say(TOM, "ping phone")
        assert (good.status, good.title) == (ReplyStatus.DONE, "1 of 1 channels took the test message")
        assert ear.heard[0].title == "Haltline test message"
        listen(desk, Ear(refusal=Refused("chat not found")))
        bad = await desk.say(TOM, "ping")
        assert (bad.status, bad.code) == (ReplyStatus.REFUSED, "E861")
        assert "chat not found" in reply_text(bad) and "correct the address" in reply_text(bad)
        assert [each.command for each in desk.audit()] == ["ping", "ping"]


@pytest.mark.parametrize(("caller", "line", "code"), [(STRANGER, "ping", "E851"), (TOM, "ping nothing", "E853")])
async def test_a_test_message_needs_a_trader_and_a_channel(opened: Open, caller, line: str, code: str) -> None:  # type: ignore[no-untyped-def]
    async with opened(setup=ROUTED) as desk:
        ear = listen(desk, Ear())
        assert (await desk.say(caller, line)).code == code
        assert not ear.heard
