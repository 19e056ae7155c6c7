"""Who may do what: every command, every role, every account; and nobody who is not listed anything."""

import pytest
from operator_desk import COMMANDS, ONE, PEOPLE, STRANGER, Open

from haltline.api import ArgumentKind, Caller, Command, ReplyStatus, Request, Role, reply_text
from haltline.cli.operation import SECTIONS
from haltline.control.audit import Attempt

_VALUES = {
    ArgumentKind.TEXT: "why",
    ArgumentKind.NUMBER: "5",
    ArgumentKind.QUANTITY: "1",
    ArgumentKind.DURATION: "1h",
    ArgumentKind.RULE: "daily-loss",
    ArgumentKind.SYMBOL: "MNQ",
    ArgumentKind.SIDE: "buy",
}


def arguments_of(command: Command, account: str) -> dict[str, str] | None:
    """Arguments that fit for an account; None where the command needs something that is not there now."""
    found = {}
    for argument in command.arguments:
        if argument.kind in (ArgumentKind.ACCOUNT, ArgumentKind.ENTITY):
            found[argument.name] = account
        elif argument.kind is ArgumentKind.LOCK:
            found[argument.name] = f"operator@{account}"
        elif argument.choices:
            found[argument.name] = argument.choices[0]
        elif argument.kind in _VALUES:
            found[argument.name] = _VALUES[argument.kind]
        elif argument.required:
            return None
    if command.name == "ask":
        found["expression"] = "account.equity"
    return found


def test_the_table_of_the_command_line_is_that_of_the_control_service() -> None:
    listed = {name: (section, *words) for section, each in SECTIONS.items() for name, words in each.items()}
    for word in ("confirm", "decline"):
        assert listed.pop(word)
    assert listed == {command.name: (command.section, command.meaning, command.example) for command in COMMANDS}


def test_every_command_that_changes_something_needs_more_than_a_viewer() -> None:
    assert [each.name for each in COMMANDS if each.mutates and each.role is Role.VIEWER] == []


def test_every_example_is_its_own_command() -> None:
    assert [each.name for each in COMMANDS if each.example.partition(" ")[0] != each.name] == []


async def test_a_role_may_use_exactly_the_commands_of_its_rank(opened: Open) -> None:
    async with opened("control: {per_minute: 10000}") as desk:
        for role, caller in PEOPLE.items():
            usable = {command.name for command in desk.control.commands(caller)}
            assert usable == {each.name for each in COMMANDS if role.rank >= each.role.rank}
            for command in COMMANDS:
                given = arguments_of(command, "eval") or {}
                reply = await desk.control.run(Request(caller=caller, command=command.name, arguments=given))
                is_refused = reply.code == "E851"
                assert is_refused == (role.rank < command.role.rank), (role, command.name, reply_text(reply))


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.account], ids=lambda each: each.name)
async def test_an_operator_may_command_the_accounts_they_were_given_and_no_other(
    opened: Open, command: Command
) -> None:
    async with opened() as desk:
        for account in ("eval", "other"):
            await desk.done(PEOPLE[Role.ADMIN], f"lock {account}")
        for account, is_theirs in (("other", True), ("eval", False)):
            given = arguments_of(command, account)
            if given is None:
                continue
            reply = await desk.control.run(Request(caller=ONE, command=command.name, arguments=given))
            assert (reply.code != "E851") == is_theirs, (command.name, account, reply_text(reply))


@pytest.mark.parametrize("name", [each.name for each in COMMANDS if each.mutates and not each.account])
async def test_what_concerns_every_account_is_for_whoever_has_every_account(opened: Open, name: str) -> None:
    async with opened() as desk:
        reply = await desk.control.run(Request(caller=ONE, command=name, arguments={"reason": "x"}))
        assert reply.code in ("E851", "E853") and reply.status is ReplyStatus.REFUSED


async def test_what_somebody_sees_is_of_their_accounts_only(opened: Open) -> None:
    async with opened() as desk:
        for line in ("status", "accounts", "positions", "orders", "pnl", "room", "report", "whoami", "incidents"):
            assert "eval" not in reply_text(await desk.say(ONE, line)), line
        assert [choice.value for choice in desk.control.complete(ONE, "lock", "account", "")] == ["other"]
        assert "eval" not in reply_text(await desk.say(ONE, "lock nobody"))


async def test_help_for_a_word_that_is_no_command_of_the_caller_is_refused(opened: Open) -> None:
    async with opened() as desk:
        viewer, admin = PEOPLE[Role.VIEWER], PEOPLE[Role.ADMIN]
        for caller, line in ((admin, "help nope"), (admin, "help " + "x" * 900), (viewer, "help flatten")):
            reply = await desk.say(caller, line)
            assert (reply.status, reply.code) == (ReplyStatus.REFUSED, "E850"), line
        assert "did you mean 'status'?" in reply_text(await desk.say(viewer, "help statsu"))
        assert "flatten" not in reply_text(await desk.say(viewer, "help flaten")).replace("'flaten'", "")
        for line in ("help", "help status", "help /STATUS", "help confirm", "help decline"):
            assert (await desk.say(viewer, line)).status is ReplyStatus.DONE, line
        assert "confirm nonce" in reply_text(await desk.say(viewer, "help confirm"))


async def test_a_stranger_is_told_nothing_and_goes_on_record(opened: Open) -> None:
    async with opened() as desk:
        for line in ("status", "flatten eval", "help", "whoami", "nonsense", "/start"):
            reply = await desk.say(STRANGER, line)
            assert (reply.status, reply.code, reply.parts, reply.buttons) == (ReplyStatus.REFUSED, "E851", (), ())
            assert reply.title == "Not available"
        assert desk.control.commands(STRANGER) == ()
        assert desk.control.complete(STRANGER, "lock", "account", "") == ()
        noted = desk.audit()[-1]
        assert (noted.operator, noted.user, noted.attempt) == ("", "99", Attempt.REFUSED)


async def test_the_name_and_the_chat_of_somebody_count_for_nothing(opened: Open) -> None:
    async with opened() as desk:
        for caller in (
            Caller(platform="telegram", user="ada", name="ada"),
            Caller(platform="local", user="4"),
            Caller(platform="", user=""),
            Caller(platform="telegram", user="4 "),
        ):
            assert (await desk.say(caller, "status")).code == "E851"


async def test_strangers_cannot_fill_the_journal(opened: Open) -> None:
    async with opened() as desk:
        for _ in range(100):
            await desk.say(STRANGER, "status " + "x" * 5000)
        assert len(desk.audit()) == 30
        assert all(len(record.command) <= 300 and not record.arguments for record in desk.audit())


async def test_an_operator_who_asks_too_often_waits_a_minute(opened: Open) -> None:
    async with opened("control: {per_minute: 3}") as desk:
        caller = PEOPLE[Role.ADMIN]
        replies = [await desk.say(caller, "whoami") for _ in range(5)]
        assert [reply.code for reply in replies] == ["", "", "", "E852", "E852"]
        assert (await desk.say(PEOPLE[Role.VIEWER], "whoami")).status is ReplyStatus.DONE
        desk.clock.advance_to(desk.clock.now() + 60_000_000_000)
        assert (await desk.say(caller, "whoami")).status is ReplyStatus.DONE


async def test_the_set_up_can_ask_for_a_higher_role(opened: Open) -> None:
    async with opened("control: {roles: {flatten: admin, status: trader}}") as desk:
        assert (await desk.say(PEOPLE[Role.TRADER], "flatten eval")).code == "E851"
        assert (await desk.say(PEOPLE[Role.VIEWER], "status")).code == "E851"
        assert (await desk.say(PEOPLE[Role.ADMIN], "flatten eval")).status is ReplyStatus.ASKS


async def test_without_operators_only_the_user_that_runs_the_engine_commands_it(opened: Open) -> None:
    from haltline.runtime.peer import user_name

    setup = "version: 1\naccounts: {eval: {broker: paper, balance: 1}}\nrules: [rules.yaml]\n"
    async with opened(setup=setup) as desk:
        owner = Caller(platform="local", user=user_name())
        assert (await desk.say(owner, "status")).status is ReplyStatus.DONE
        assert (await desk.say(Caller(platform="telegram", user=user_name()), "status")).code == "E851"
        assert (await desk.say(Caller(platform="local", user="somebody"), "status")).code == "E851"
