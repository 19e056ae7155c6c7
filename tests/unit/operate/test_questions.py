"""Confirmations: once, in time, by the right person, where it was asked; over restarts too."""

import asyncio
from pathlib import Path

import pyotp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operator_desk import PEOPLE, SECRET, SETUP, START, STRANGER, Open

from haltline.api import Caller, Reply, ReplyStatus, Request, Role
from haltline.clock import NS_PER_S, to_datetime
from haltline.control.audit import Attempt

TOM = PEOPLE[Role.TRADER]
RIA = PEOPLE[Role.RISK_MANAGER]
ADA = PEOPLE[Role.ADMIN]


async def test_nothing_happens_before_it_is_confirmed(opened: Open) -> None:
    async with opened() as desk:
        asked = await desk.say(TOM, "lock eval 1h because of the news")
        assert asked.status is ReplyStatus.ASKS and desk.mode() == "ACTIVE"
        assert asked.confirmation is not None
        for word in ("account eval", "1h", "because of the news", "Exits stay possible"):
            assert word in asked.confirmation.text
        assert (await desk.confirm(TOM, asked)).status is ReplyStatus.DONE
        assert desk.mode() == "HALTED"


async def test_a_press_counts_once(opened: Open) -> None:
    async with opened() as desk:
        asked = await desk.say(TOM, "lock eval")
        await desk.confirm(TOM, asked)
        await desk.done(ADA, "unlock operator@eval mistake")
        again = await desk.confirm(TOM, asked)
        assert (again.status, again.code, desk.mode()) == (ReplyStatus.EXPIRED, "E856", "ACTIVE")


async def test_of_two_presses_at_once_one_counts(opened: Open) -> None:
    async with opened() as desk:
        asked = await desk.say(TOM, "flatten eval")
        replies: list[Reply] = []

        async def press() -> None:
            replies.append(await desk.confirm(TOM, asked))

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(press())
        assert sorted(reply.status.value for reply in replies) == ["done", *["expired"] * 4]


@pytest.mark.parametrize(
    "other",
    [ADA, PEOPLE[Role.VIEWER], Caller(platform="discord", user="22"), Caller(platform="local", user="2")],
    ids=["somebody else", "a viewer", "the same person elsewhere", "another platform"],
)
async def test_only_who_asked_confirms_and_where_it_was_asked(opened: Open, other: Caller) -> None:
    async with opened() as desk:
        asked = await desk.say(TOM, "lock eval")
        assert (await desk.confirm(other, asked)).code in ("E857", "E851")
        assert desk.mode() == "ACTIVE"
        assert (await desk.confirm(TOM, asked)).status is ReplyStatus.DONE, "a foreign press spoils nothing"


async def test_a_stranger_who_presses_is_told_nothing(opened: Open) -> None:
    async with opened() as desk:
        asked = await desk.say(TOM, "lock eval")
        reply = await desk.confirm(STRANGER, asked)
        assert (reply.title, reply.parts, desk.mode()) == ("Not available", (), "ACTIVE")


async def test_a_question_ends_in_time(opened: Open) -> None:
    async with opened("control: {confirm_within: 30s}") as desk:
        asked = await desk.say(TOM, "lock eval")
        desk.clock.advance_to(START + 30 * NS_PER_S)
        reply = await desk.confirm(TOM, asked)
        assert (reply.status, desk.mode()) == (ReplyStatus.EXPIRED, "ACTIVE")


async def test_what_is_declined_is_over(opened: Open) -> None:
    async with opened() as desk:
        asked = await desk.say(TOM, "lock eval")
        assert (await desk.confirm(ADA, asked, command="decline")).code == "E857"
        assert (await desk.confirm(TOM, asked, command="decline")).status is ReplyStatus.DONE
        assert (await desk.confirm(TOM, asked)).status is ReplyStatus.EXPIRED
        assert desk.mode() == "ACTIVE"


async def test_a_restart_between_prompt_and_press_changes_nothing(opened: Open, folder: Path) -> None:
    async with opened(on_disk=True) as desk:
        asked = await desk.say(TOM, "lock eval")
        used = await desk.say(TOM, "pause eval")
        spent = await desk.say(TOM, "lock other")
        await desk.confirm(TOM, spent)
        await desk.done(ADA, "unlock operator@other mistake")
    assert used.status is ReplyStatus.DONE
    async with opened(on_disk=True, at=START + NS_PER_S) as desk:
        assert (await desk.confirm(TOM, spent)).status is ReplyStatus.EXPIRED
        assert desk.mode("other") == "ACTIVE"
        assert (await desk.confirm(TOM, asked)).status is ReplyStatus.DONE
        assert desk.mode() == "HALTED"
        nonce = asked.confirmation.nonce if asked.confirmation is not None else "?"
    assert nonce.encode() not in (folder / "haltline.db").read_bytes()


async def test_what_makes_room_needs_another_operator_where_the_set_up_says_so(opened: Open) -> None:
    async with opened("control: {loosening: second-person}") as desk:
        await desk.done(TOM, "lock eval")
        asked = await desk.say(RIA, "unlock operator@eval over now")
        assert asked.confirmation is not None and asked.confirmation.second_person
        assert (await desk.confirm(RIA, asked)).code == "E857"
        assert (await desk.confirm(TOM, asked)).code == "E851", "whoever may not do it cannot confirm it"
        assert (await desk.confirm(ADA, asked)).status is ReplyStatus.DONE
        assert desk.mode() == "ACTIVE"


async def test_what_makes_room_needs_a_code_where_the_set_up_says_so(opened: Open) -> None:
    async with opened("control: {loosening: code}") as desk:
        await desk.done(TOM, "lock eval")
        asked = await desk.say(ADA, "unlock operator@eval over now")
        assert (await desk.confirm(ADA, asked, code="000000")).code == "E857"
        right = pyotp.TOTP(SECRET).at(to_datetime(desk.clock.now()))
        assert (await desk.confirm(ADA, asked, code=right)).status is ReplyStatus.DONE
        await desk.done(TOM, "lock eval")
        again = await desk.say(ADA, "unlock operator@eval over now")
        assert (await desk.confirm(ADA, again, code=right)).code == "E857", "a code counts once"


async def test_somebody_without_codes_needs_one_of_somebody_who_has_them(opened: Open) -> None:
    async with opened("control: {loosening: code}") as desk:
        await desk.done(TOM, "lock eval")
        asked = await desk.say(RIA, "unlock operator@eval over now")
        right = pyotp.TOTP(SECRET).at(to_datetime(desk.clock.now()))
        assert (await desk.confirm(RIA, asked, code=right)).status is ReplyStatus.DONE


async def test_a_wrong_code_three_times_ends_the_question(opened: Open) -> None:
    async with opened("control: {loosening: code}") as desk:
        await desk.done(TOM, "lock eval")
        asked = await desk.say(ADA, "unlock operator@eval over now")
        for code in ("", "12345", "\u0661\u0662\u0663\u0664\u0665\u0666"):
            assert (await desk.confirm(ADA, asked, code=code)).code == "E857"
        assert (await desk.confirm(ADA, asked)).status is ReplyStatus.EXPIRED


async def test_every_attempt_is_on_record_and_no_nonce_and_no_code_is(opened: Open) -> None:
    async with opened("control: {loosening: code}") as desk:
        await desk.done(TOM, "lock eval news")
        asked = await desk.say(ADA, "unlock operator@eval over now")
        right = pyotp.TOTP(SECRET).at(to_datetime(desk.clock.now()))
        await desk.confirm(ADA, asked, code="424242")
        await desk.confirm(ADA, asked, code=right)
        attempts = [(record.operator, record.command, record.attempt) for record in desk.audit()]
        assert attempts == [
            ("tom", "lock", Attempt.ASKED),
            ("tom", "lock", Attempt.CONFIRMED),
            ("tom", "lock", Attempt.DONE),
            ("ada", "unlock", Attempt.ASKED),
            ("ada", "unlock", Attempt.REFUSED),
            ("ada", "unlock", Attempt.CONFIRMED),
            ("ada", "unlock", Attempt.DONE),
        ]
        journal = desk.journal()
        assert asked.confirmation is not None
        for secret in (asked.confirmation.nonce, "424242", f'"{right}"', SECRET):
            assert secret.encode() not in journal


_CALLERS = st.sampled_from([*PEOPLE.values(), STRANGER, Caller(platform="discord", user="22")])
_STEPS = st.lists(
    st.tuples(st.sampled_from(["confirm", "decline", "wait", "guess"]), _CALLERS, st.integers(0, 1)), max_size=12
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
async def test_whatever_is_pressed_a_question_is_carried_out_at_most_once_and_by_its_asker(
    opened: Open, steps: list[tuple[str, Caller, int]]
) -> None:
    async with opened("control: {per_minute: 10000, confirm_within: 50s}") as desk:
        asked = [await desk.say(TOM, "lock eval"), await desk.say(ADA, "lock other")]
        carried: list[tuple[int, Caller]] = []
        for step, caller, which in steps:
            if step == "wait":
                desk.clock.advance_to(desk.clock.now() + 20 * NS_PER_S)
            elif step == "guess":
                wrong = Request(caller=caller, command="confirm", arguments={"nonce": "0" * 20})
                assert (await desk.control.run(wrong)).status is not ReplyStatus.DONE
            else:
                reply = await desk.confirm(caller, asked[which], command=step)
                if step == "confirm" and reply.status is ReplyStatus.DONE:
                    carried.append((which, caller))
        assert len(carried) == len({which for which, _ in carried})
        assert all(caller == (TOM, ADA)[which] for which, caller in carried)


async def test_lifting_a_lock_promises_no_more_than_it_brings(opened: Open) -> None:
    async with opened() as desk:

        async def question(words: str) -> str:
            asked = await desk.say(ADA, words)
            assert asked.confirmation is not None
            return asked.confirmation.text

        await desk.done(TOM, "lock eval 1h")
        assert (await question("unlock operator@eval over")).endswith("New risk is possible again at once.")
        await desk.done(TOM, "lock eval 1h symbol=MNQ")
        assert (await question("unlock operator@eval over")).endswith("New risk is possible again at once.")
        assert (await question("unlock operator@eval/MNQ over")).endswith(
            "New risk stays banned: operator@eval still holds."
        )
        await desk.say(TOM, "pause eval 1h")
        assert "stays banned: operator@eval, pause@eval still hold." in await question("unlock operator@eval/MNQ over")


async def test_lifting_a_lock_that_must_wait_says_so(opened: Open) -> None:
    async with opened(setup=f"{SETUP}loosening: next_session\n") as desk:
        await desk.done(TOM, "lock eval 1h")
        asked = await desk.say(ADA, "unlock operator@eval over")
        assert asked.confirmation is not None
        assert "It waits first, as what loosens does here (next_session)" in asked.confirmation.text
        await desk.say(TOM, "pause eval 1h")
        again = await desk.say(ADA, "unlock operator@eval over")
        assert again.confirmation is not None and again.confirmation.text.endswith("And pause@eval still holds.")
        assert desk.mode() == "HALTED"
