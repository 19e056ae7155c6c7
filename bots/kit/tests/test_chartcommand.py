"""The command draws what the control service says, and says in words what is to be seen."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from haltline.api import Call, Column, Kind, Picture, Reply, Table
from haltline.errors import EngineError
from haltline_bot_kit.chartcommand import chart_command, draw

MINUTE = 60_000_000_000
ROOM = Table(
    columns=tuple(Column(name=name, label=name) for name in ("rule", "entity", "utilization", "headroom")),
    rows=(("daily-loss", "eval", 1.05, -25.0), ("size", "eval/MNQ", 0.5, 2.0), ("leverage", "eval", None, None)),
)


def equity(*points: float | None) -> Reply:
    names = (("at", Kind.TIME), ("equity", Kind.MONEY), ("day_pnl", Kind.MONEY))
    curve = Table(
        columns=tuple(Column(name=name, label=name, kind=kind, unit="USD") for name, kind in names), title="Equity",
        rows=tuple((MINUTE * (number + 1), point, None) for number, point in enumerate(points)),
    )  # fmt: skip
    limits = Table(
        columns=tuple(Column(name=name, label=name) for name in ("rule", "title", "equity")), title="Limits",
        rows=(("daily-loss", "Stop for the day", 49_900.0), ("x", "x", None)),
    )  # fmt: skip
    fired = Table(
        columns=tuple(Column(name=name, label=name) for name in ("at", "rule", "severity")), title="Fired",
        rows=((2 * MINUTE, "daily-loss", "critical"),),
    )  # fmt: skip
    return Reply(title="eval", parts=(curve, limits, fired))


class FakeCall:
    """Grants everything, and remembers what was asked for."""

    def __init__(self, replies: Mapping[str, Reply], **arguments: Any) -> None:
        self.arguments = arguments
        self.replies = replies
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def run(self, command: str, arguments: Mapping[str, str]) -> Reply:
        self.asked.append((command, arguments))
        return self.replies[command]


async def drawn(call: FakeCall) -> Picture:
    part = (await draw(cast("Call", call))).parts[0]
    assert isinstance(part, Picture)
    assert part.image.startswith(b"\x89PNG")
    return part


async def test_equity_is_drawn_for_as_long_as_was_asked() -> None:
    call = FakeCall({"equity": equity(50_000.0, 49_950.0)}, what="equity", account="eval", last=3600.0)
    picture = await drawn(call)
    assert picture.text == "eval: equity 49,950.00 USD, 1 incidents in the time shown"
    assert call.asked == [("equity", {"account": "eval", "last": "3600s"})]


async def test_a_drawdown_says_how_far_below_the_highest() -> None:
    call = FakeCall({"equity": equity(50_000.0, 50_100.0, 49_950.0)}, what="drawdown", account="eval", theme="light")
    assert (await drawn(call)).text == "eval: 150.00 USD below the highest of the time shown"


async def test_room_is_drawn_for_every_limit() -> None:
    call = FakeCall({"room": Reply(title="Room", parts=(ROOM,))}, what="room", account="eval")
    assert (await drawn(call)).text == "eval: 3 limits, 1 of them reached"


@pytest.mark.parametrize("what", ["equity", "drawdown"])
async def test_an_equity_that_was_never_known_is_said_in_words(what: str) -> None:
    call = FakeCall({"equity": equity(None)}, what=what, account="eval")
    with pytest.raises(EngineError, match="no equity to draw for eval"):
        await drawn(call)


def test_the_command_only_reads_and_is_about_one_account() -> None:
    command = chart_command()
    assert (command.mutates, command.account) == (False, "account")
