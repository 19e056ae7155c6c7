"""Typed lines: words go to arguments, and nothing in them is anything but text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operator_desk import BY_NAME, PEOPLE, Open

from haltline.api import ReplyStatus, Role
from haltline.control.line import LineProblem, read_line, read_words, split_command
from haltline.model.event import PositionReport
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec

ADA = PEOPLE[Role.ADMIN]


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("lock eval", {"account": "eval"}),
        ("lock eval 1h", {"account": "eval", "for": "1h"}),
        ("lock eval lunch is ready", {"account": "eval", "reason": "lunch is ready"}),
        ("lock eval 1h it's over, x=1", {"account": "eval", "for": "1h", "reason": "it's over, x=1"}),
        ("lock eval symbol=MNQ 2h", {"account": "eval", "symbol": "MNQ", "for": "2h"}),
        ('lock eval reason="two words" for=1h', {"account": "eval", "reason": "two words", "for": "1h"}),
        ("pnl eval", {"account": "eval"}),
        ("pnl week eval", {"period": "week", "account": "eval"}),
        ("room eval MNQ", {"account": "eval", "symbol": "MNQ"}),
        ("flatten eval lock=1h", {"account": "eval", "lock": "1h"}),
        ("whatif eval buy 2 MNQ 21000.5", {"account": "eval", "side": "buy", "quantity": "2", "symbol": "MNQ",
                                            "price": "21000.5"}),
        ("ask eval account.equity > 2", {"account": "eval", "expression": "account.equity > 2"}),
        ("status", {}),
        ("cancel eval 1002", {"account": "eval", "order": "1002"}),
        ("cancel eval fef28cd9-8ab1 it hangs", {"account": "eval", "order": "fef28cd9-8ab1", "reason": "it hangs"}),
        ("cancel eval it hangs since 9", {"account": "eval", "reason": "it hangs since 9"}),
        ("lock eval 10ns", {"account": "eval", "for": "10ns"}),
        ("lock eval 2 losses in a row", {"account": "eval", "reason": "2 losses in a row"}),
        ("override daily-loss eval 1h 150usd news",
         {"rule": "daily-loss", "entity": "eval", "for": "1h", "extra": "150usd", "reason": "news"}),
    ],
)  # fmt: skip
def test_words_go_to_the_arguments_they_fit(line: str, given: dict[str, str]) -> None:
    name, rest = split_command(line)
    assert read_line(BY_NAME[name], rest) == given


def test_a_word_that_nothing_takes_is_refused() -> None:
    with pytest.raises(LineProblem, match="nothing takes 'b'"):
        read_line(BY_NAME["positions"], "eval b")


def test_a_line_that_is_too_long_is_refused() -> None:
    with pytest.raises(LineProblem):
        read_line(BY_NAME["lock"], "x" * 5000)
    with pytest.raises(LineProblem):
        read_words(BY_NAME["lock"], ["x" * 5000])


def test_words_of_a_shell_stay_whole() -> None:
    assert read_words(BY_NAME["lock"], ["eval", "1h", 'say "no"', "twice"])[0] == {
        "account": "eval", "for": "1h", "reason": 'say "no" twice',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "name"), [("/lock@my_bot eval", "lock"), ("  LOCK eval ", "lock"), ("", ""), ("/", "")]
)
def test_a_command_is_read_without_slash_and_bot(line: str, name: str) -> None:
    assert split_command(line)[0] == name


@given(text=st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    for command in (BY_NAME["lock"], BY_NAME["positions"], BY_NAME["override"], BY_NAME["status"]):
        try:
            read_line(command, text)
        except LineProblem:
            continue


@pytest.mark.parametrize(
    "line",
    [
        "lock ../../etc/passwd", "lock eval' OR 1=1", "lock $(reboot)", "lock eval for=-1h", "lock eval for=1e9w",
        "lock eval for=nan", "whatif eval buy nan MNQ", "whatif eval buy -1 MNQ", "whatif eval buy 1e400 MNQ",
        "whatif eval hold 1 MNQ", "ask eval __import__('os')", "ask eval account.__class__", "ask eval (" + "(" * 500,
        "override daily-loss eval 1h extra=inf why", "override nothing eval 1h why", "ack nothing", "revoke nothing",
        "unlock nothing why", "history nan", "pnl year", "rule nothing", "why daily-loss nobody",
        "lock eval reason=a\u0007b", "lock eval reason=a\u202eb",
        "approve nothing why", "consent nothing why", "arm nobody why", "close eval", "cancel eval order=nothing",
        "flatten eval lock=soon", "reload", "lock eval 10ns", "lock eval 0s", "override daily-loss eval 0s why",
        "cancel eval 999999", "override daily-loss eval 1h 3x why", "silence daily-loss 999999999h",
        "lock eval symbol=NOPE", "close eval NOPE",
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_in_words_and_changes_nothing(opened: Open, line: str) -> None:
    async with opened() as desk:
        before = desk.engine.engine.kernel.snapshot()
        reply = await desk.say(ADA, line)
        assert reply.status is ReplyStatus.REFUSED, line
        assert reply.code and reply.parts
        assert desk.engine.engine.kernel.snapshot() == before


async def test_what_people_write_stays_text(opened: Open) -> None:
    hostile = "*bold* <b>x</b> @everyone [red]y[/red] `code` {0} %s"
    async with opened() as desk:
        await desk.done(ADA, f"pause eval {hostile}")
        lock = desk.engine.engine.kernel.governor.locks.get("pause@eval")
        assert lock is not None and lock.reason == hostile


async def test_a_root_or_a_market_with_two_sides_is_no_position_to_close_or_lock(opened: Open) -> None:
    async with opened() as desk:
        state = desk.engine.engine.kernel.state
        for symbol in ("MNQZ5", "BTCUSDT", "BTCUSDT:LONG"):
            state.add_instrument(InstrumentSpec(symbol=Symbol(symbol)))
        now = desk.clock.now()
        for symbol in ("MNQZ5", "BTCUSDT:LONG"):
            desk.engine.put(
                PositionReport(
                    at=now, received_at=now, account=AccountId("eval"), symbol=Symbol(symbol), quantity=Decimal(5),
                    average_price=Decimal(100),
                )
            )  # fmt: skip
        await desk.engine.until_idle()
        for line, there in (
            ("close eval MNQ", "there is MNQZ5"), ("lock eval 1h symbol=MNQ", "there is MNQZ5"),
            ("close eval BTCUSDT", "there is BTCUSDT:LONG"),
        ):  # fmt: skip
            reply = await desk.say(ADA, line)
            assert reply.status is ReplyStatus.REFUSED
            assert there in str(reply.parts)
        assert (await desk.say(ADA, "close eval MNQZ5")).status is ReplyStatus.ASKS
