"""What the set-up asks of the alarm path before an account is armed: of operators, and of the file itself."""

from pathlib import Path

import pytest
from operator_desk import PEOPLE, START, Desk, Open
from test_drill import ROUTED, Ear, followed, listen

from haltline.api import ReplyStatus, Role, reply_text
from haltline.clock import NS_PER_S
from haltline.model.id import AccountId

RIA = PEOPLE[Role.RISK_MANAGER]
TERMS = "arming: {readiness: 75, drilled_within: 8d}\n"
SHADOW = f"{ROUTED.replace('mode: live', 'mode: shadow')}{TERMS}"
LIVE = f"{ROUTED}{TERMS}".replace("kind: console", "kind: jsonl, config: {path: heard.jsonl}")
ARM = "arm eval accept=all the check list is done"
HOUR_NS = 3600 * NS_PER_S


def is_live(desk: Desk, account: str = "eval") -> bool:
    return desk.engine.engine.kernel.state.accounts[account].live


def gaps(desk: Desk, account: str = "eval") -> list[str]:
    arming = desk.engine.engine.kernel.loosenings.armings[AccountId(account)]
    return [gap.partition(":")[0] for gap in arming.gaps]


async def drilled(desk: Desk) -> None:
    """A drill by hand that all channels have heard: it shows a readiness of 75."""
    listen(desk, Ear())
    report = await followed(desk, await desk.say(RIA, "drill eval"))
    assert report.title == "DRILL: readiness 75 of 100"


async def test_without_a_drill_an_account_is_not_armed_and_told_what_is_missing_and_what_to_do(opened: Open) -> None:
    async with opened(setup=SHADOW) as desk:
        asked = await desk.say(RIA, ARM)
        assert asked.confirmation is not None
        assert "not-ready: no drill was run yet, and a readiness of 75 is asked for" in asked.confirmation.text
        refused = await desk.confirm(RIA, asked)
        assert (refused.status, refused.code) == (ReplyStatus.REFUSED, "E863")
        assert "run a drill, let somebody acknowledge it" in reply_text(refused)
        assert not is_live(desk)
        for line in ("status", "readiness"):
            assert "No account can be armed: no drill was run yet" in reply_text(await desk.say(RIA, line))


async def test_after_a_drill_that_shows_enough_it_is_armed(opened: Open) -> None:
    async with opened(setup=SHADOW) as desk:
        await drilled(desk)
        assert "can be armed" not in reply_text(await desk.say(RIA, "status"))
        assert (await desk.done(RIA, ARM)).status is ReplyStatus.DONE
        assert is_live(desk)
        assert "not-ready" not in gaps(desk)


async def test_a_drill_that_shows_too_little_is_not_enough(opened: Open) -> None:
    async with opened(setup=SHADOW.replace("readiness: 75", "readiness: 76")) as desk:
        await drilled(desk)
        refused = await desk.done(RIA, ARM)
        assert refused.code == "E863"
        assert "the drill by hand has shown a readiness of 75, and 76 is asked for" in reply_text(refused)


async def test_whoever_names_it_may_arm_all_the_same_and_that_is_on_record(opened: Open) -> None:
    async with opened(setup=SHADOW) as desk:
        armed = await desk.done(RIA, "arm eval accept=all,not-ready the phone is being repaired")
        assert armed.status is ReplyStatus.DONE
        assert is_live(desk)
        assert "not-ready" in gaps(desk)


async def test_an_account_that_is_armed_stays_so_when_the_last_drill_is_too_old(opened: Open) -> None:
    async with opened(setup=SHADOW) as desk:
        await drilled(desk)
        await desk.done(RIA, ARM)
        desk.clock.advance_to(desk.clock.now() + 9 * 24 * HOUR_NS)
        refused = await desk.done(RIA, ARM)
        assert refused.code == "E863"
        assert "ago, and 8d is the most" in reply_text(refused)
        assert is_live(desk)


async def test_disarming_asks_for_no_drill(opened: Open) -> None:
    async with opened(setup=SHADOW) as desk:
        await desk.done(RIA, "arm eval accept=all,not-ready because")
        assert (await desk.done(RIA, "disarm eval maintenance")).status is ReplyStatus.DONE
        assert not is_live(desk)


def heard(folder: Path) -> str:
    return (folder / "heard.jsonl").read_text()


async def test_the_file_arms_nothing_before_the_alarm_path_is_ready_and_says_so(opened: Open, folder: Path) -> None:
    async with opened(setup=LIVE, on_disk=True) as desk:
        assert not is_live(desk)
        assert not is_live(desk, "other")
        await desk.engine.until_idle()
        assert '"NOT armed"' in heard(folder)
        assert "eval, other: the set-up says live, but no drill was run yet" in heard(folder)
        assert "[E863]" in heard(folder)
        await drilled(desk)
    async with opened(setup=LIVE, on_disk=True, at=START + HOUR_NS) as desk:
        assert is_live(desk)
        assert is_live(desk, "other")
        await desk.engine.until_idle()
        assert heard(folder).count('"NOT armed"') == 1
        assert desk.engine.engine.kernel.loosenings.armings[AccountId("eval")].operator == "haltline.yaml"


async def test_what_an_operator_has_armed_meanwhile_stays_armed_over_a_restart(opened: Open, folder: Path) -> None:
    async with opened(setup=LIVE, on_disk=True) as desk:
        await desk.done(RIA, "arm eval accept=all,not-ready because")
        assert (is_live(desk), is_live(desk, "other")) == (True, False)
    async with opened(setup=LIVE, on_disk=True, at=START + HOUR_NS) as desk:
        assert (is_live(desk), is_live(desk, "other")) == (True, False)
        assert "not-ready" in gaps(desk)
        await desk.engine.until_idle()
        assert "other: the set-up says live" in heard(folder).splitlines()[-1]


async def test_terms_that_are_new_disarm_nothing(opened: Open) -> None:
    before = LIVE.replace(TERMS, "")
    async with opened(setup=before, on_disk=True) as desk:
        assert is_live(desk)
    async with opened(setup=LIVE, on_disk=True, at=START + HOUR_NS) as desk:
        assert is_live(desk)


@pytest.mark.parametrize(
    ("drill", "counts"),
    [
        ("drill eval wait=1s", True),
        ("drill eval", False),
        ("drill other wait=1s", False),
        ("drill eval wait=1s severity=info", False),
    ],
)
async def test_a_drill_by_hand_stands_for_one_that_comes_again_where_it_asks_as_much(
    opened: Open, drill: str, *, counts: bool
) -> None:
    setup = SHADOW + "drills: {yearly: {at: mon 08:30 Europe/Berlin, account: eval}}\n"
    async with opened(setup=setup) as desk:
        listen(desk, Ear())
        await followed(desk, await desk.say(RIA, drill))
        standing = desk.engine.engine._drills.standings()[0]
        assert (standing.score is not None) is counts
        assert standing.name == "yearly"
