"""Confirmations under attack: other hands, other days, guessed codes, and people who lost their rights meanwhile."""

import asyncio

import pyotp
import pytest
from operator_desk import PEOPLE, SECRET, SETUP, START, Desk, Open

from haltline.api import Caller, Reply, ReplyStatus, Request, Role
from haltline.clock import NS_PER_S, to_datetime
from haltline.control.audit import Attempt
from haltline.control.question import MOST_WRONG_AN_HOUR

VIC, TOM, RIA, ADA = (PEOPLE[role] for role in (Role.VIEWER, Role.TRADER, Role.RISK_MANAGER, Role.ADMIN))
PERSON, CODE = "control: {loosening: second-person}", "control: {loosening: code, per_minute: 1000}"


def code_at(now: int, step: int = 0) -> str:
    return pyotp.TOTP(SECRET).at(to_datetime(now + step * 30 * NS_PER_S))


async def unlocking(desk: Desk, caller: Caller) -> Reply:
    if desk.mode() != "HALTED":
        await desk.done(TOM, "lock eval")
    return await desk.say(caller, "unlock operator@eval over now")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ("tom: {role: viewer, identities: {telegram: 2, discord: 22}}", "E851"),
        ("tom: {role: trader, accounts: [other], identities: {telegram: 2, discord: 22}}", "E851"),
        ("tom: {role: trader, identities: {discord: 22}}", "E851"),
        ("tim: {role: trader, identities: {telegram: 2, discord: 22}}", "E857"),
    ],
    ids=["the role is gone", "the account is gone", "the identity is gone", "the id is somebody else's now"],
)
async def test_who_lost_the_right_between_prompt_and_press_does_nothing(opened: Open, changed: str, code: str) -> None:
    async with opened(on_disk=True) as desk:
        asked = await desk.say(TOM, "lock eval")
    setup = SETUP.replace("tom: {role: trader, identities: {telegram: 2, discord: 22}}", changed)
    async with opened(on_disk=True, setup=setup, at=START + NS_PER_S) as desk:
        assert (await desk.confirm(TOM, asked)).code == code
        assert desk.mode() == "ACTIVE"


@pytest.mark.parametrize(
    ("changed", "code"),
    [("", "E857"), ("ria: {role: viewer, identities: {telegram: 3}}", "E851")],
    ids=["dismissed", "without the role"],
)
async def test_a_second_person_does_not_carry_out_what_somebody_without_rights_asked(
    opened: Open, changed: str, code: str
) -> None:
    async with opened(PERSON, on_disk=True) as desk:
        asked = await unlocking(desk, RIA)
    ria = "  ria: {role: risk-manager, identities: {telegram: 3}}\n"
    setup = SETUP.replace(ria, f"  {changed}\n" if changed else "  rob: {role: risk-manager}\n")
    async with opened(PERSON, on_disk=True, setup=setup, at=START + NS_PER_S) as desk:
        assert (await desk.confirm(ADA, asked)).code == code
        assert desk.mode() == "HALTED"


async def test_a_question_from_before_the_set_up_wanted_a_code_does_not_do_without(opened: Open) -> None:
    async with opened(on_disk=True) as desk:
        asked = await unlocking(desk, ADA)
    async with opened(CODE, on_disk=True, at=START + NS_PER_S) as desk:
        assert (await desk.confirm(ADA, asked)).code == "E857"
        assert (await desk.confirm(ADA, asked)).status is ReplyStatus.EXPIRED
        assert desk.mode() == "HALTED"


async def test_of_two_second_persons_at_once_one_counts_and_a_viewer_cannot_even_decline(opened: Open) -> None:
    async with opened(PERSON) as desk:
        asked = await unlocking(desk, RIA)
        for caller in (VIC, TOM):
            assert (await desk.confirm(caller, asked, command="decline")).code == "E857"
        replies: list[Reply] = []

        async def press() -> None:
            replies.append(await desk.confirm(ADA, asked))

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(press())
        assert sorted(reply.status.value for reply in replies) == ["done", "expired", "expired"]
        unlocks = [each.attempt for each in desk.audit() if each.command == "unlock"]
        assert unlocks.count(Attempt.DONE) == 1


async def test_a_code_of_the_step_before_or_after_counts_and_none_counts_again(opened: Open) -> None:
    async with opened(CODE) as desk:
        now = desk.clock.now()
        assert (await desk.confirm(ADA, await unlocking(desk, ADA), code=code_at(now, -2))).code == "E857"
        assert (await desk.confirm(ADA, await unlocking(desk, ADA), code=code_at(now, -1))).status is ReplyStatus.DONE
        assert (await desk.confirm(ADA, await unlocking(desk, ADA), code=code_at(now, 1))).status is ReplyStatus.DONE
        for step in (-1, 0, 1):  # used, older than one that was used, used
            assert (await desk.confirm(ADA, await unlocking(desk, ADA), code=code_at(now, step))).code == "E857"


async def test_codes_cannot_be_guessed_over_many_questions_and_restarts(opened: Open) -> None:
    async with opened(CODE, on_disk=True) as desk:
        asked = await unlocking(desk, ADA)
        for number in range(MOST_WRONG_AN_HOUR):
            if number % 3 == 0:
                asked = await unlocking(desk, ADA)
            assert (await desk.confirm(ADA, asked, code=f"{number:06}")).code == "E857"
    async with opened(CODE, on_disk=True, at=START + NS_PER_S) as desk:
        asked = await unlocking(desk, ADA)
        barred = await desk.confirm(ADA, asked, code=code_at(desk.clock.now()))
        assert "many wrong one-time codes" in str(barred.parts) and desk.mode() == "HALTED"
        desk.clock.advance_to(START + 3700 * NS_PER_S)
        again = await desk.confirm(ADA, await unlocking(desk, ADA), code=code_at(desk.clock.now()))
        assert again.status is ReplyStatus.DONE


async def test_a_clock_set_back_revives_no_question_and_locks_nobody_out(opened: Open) -> None:
    async with opened("control: {per_minute: 3}", on_disk=True, at=START + 3600 * NS_PER_S) as desk:
        asked = await desk.say(TOM, "lock eval")
    async with opened("control: {per_minute: 3}", on_disk=True, at=START) as desk:
        assert (await desk.confirm(TOM, asked)).status is ReplyStatus.EXPIRED
    async with opened("control: {per_minute: 3}") as desk:
        for _ in range(3):
            await desk.say(TOM, "whoami")
        assert (await desk.say(TOM, "whoami")).code == "E852"
        rate = desk.control._rate
        assert rate.is_free("tom", START - 3600 * NS_PER_S)


@pytest.mark.parametrize(
    "nonce", ["", " ", "0" * 20, "'; DROP TABLE control_note; --", "\ud800", "x" * 100_000, "../../etc/passwd"]
)
async def test_a_made_up_nonce_is_too_late_and_on_record_without_itself(opened: Open, nonce: str) -> None:
    async with opened() as desk:
        await desk.say(TOM, "lock eval")
        for command in ("confirm", "decline"):
            reply = await desk.control.run(Request(caller=TOM, command=command, arguments={"nonce": nonce}))
            assert reply.status is ReplyStatus.EXPIRED
        assert desk.mode() == "ACTIVE"
        assert [each.attempt for each in desk.audit()][-2:] == [Attempt.EXPIRED, Attempt.EXPIRED]
        assert all("nonce" not in each.arguments for each in desk.audit())
