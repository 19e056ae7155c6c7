"""What an account was worth, the equity at which its limits are, and what fired: a table, or a picture's data."""

import re
from collections import deque
from collections.abc import Iterator
from itertools import takewhile

from haltline.api.control import Argument, ArgumentKind, Call, Command
from haltline.api.field import Kind
from haltline.api.reply import Cell, Column, Reply, Table
from haltline.clock import NS_PER_S, format_duration
from haltline.control.command.reading import ACCOUNT, number_of, text_of
from haltline.control.door import Door, Source
from haltline.errors import EngineError
from haltline.journal.curve import curve_of
from haltline.journal.record import RecordKind, transition_of
from haltline.kernel.view import Gauge
from haltline.model.id import AccountId
from haltline.model.verdict import Phase

SECTION = "See"
_DAY_S = 86_400.0
_MOST_ROWS = 3000
_STRETCH = 10_000
_FALLS = re.compile(r"account\.(?:(day|session|week|end_of_day)[._])?(equity|drawdown|loss|total_pnl)")
"""Values that move with the equity, unit by unit, so that their limit is an equity."""


class Curves:
    """The command `equity`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        last = Argument(
            name="last", meaning="how far back; 24h if left out", kind=ArgumentKind.DURATION, required=False
        )
        return (
            Command(
                name="equity", meaning="What an account was worth, where its limits are, what fired.", run=self.equity,
                arguments=(ACCOUNT, last), account="account", section=SECTION, example="equity eval 8h",
            ),
        )  # fmt: skip

    async def equity(self, call: Call) -> Reply:
        """Three tables; the equity now is the last row. At most 3,000 rows: longer stretches are thinned evenly."""
        account = text_of(call, "account")
        length_ns = round((number_of(call, "last") or _DAY_S) * NS_PER_S)
        since = call.now - length_ns
        rows, fired = await self._door.read(lambda source: _past(source, account, since))
        state = self._door.kernel.state.accounts[account]
        rows.append((call.now, _known(state.equity), _known(state.day.total_pnl)))
        currency = state.currency
        curve = Table(
            columns=(
                Column(name="at", label="at", kind=Kind.TIME),
                Column(name="equity", label="equity", kind=Kind.MONEY, unit=currency),
                Column(name="day_pnl", label="day", kind=Kind.MONEY, unit=currency),
            ),
            rows=_thinned(rows), title="Equity",
        )  # fmt: skip
        limits = Table(
            columns=(
                Column(name="rule", label="rule"), Column(name="title", label="title"),
                Column(name="equity", label="at equity", kind=Kind.MONEY, unit=currency),
            ),
            rows=tuple(self._limits(call, account)), title="Limits", empty="no limit is an equity",
        )  # fmt: skip
        incidents = Table(
            columns=(
                Column(name="at", label="at", kind=Kind.TIME), Column(name="rule", label="rule"),
                Column(name="severity", label="severity"),
            ),
            rows=tuple(fired), title="Fired", empty="nothing fired",
        )  # fmt: skip
        return Reply(title=f"{account} in the last {format_duration(length_ns)}", parts=(curve, limits, incidents))

    def _limits(self, call: Call, account: str) -> Iterator[tuple[Cell, ...]]:
        values = {str(rule.id): rule.spec.limit.value for rule in self._door.kernel.index.rules if rule.spec.limit}
        for gauge in self._door.kernel.gauges():
            if gauge.entity == account and gauge.rule in values:
                level = _level(call, account, values[gauge.rule], gauge)
                if level is not None:
                    yield gauge.rule, gauge.title or gauge.rule, level


def _past(source: Source, account: str, since: int) -> tuple[list[tuple[Cell, ...]], list[tuple[Cell, ...]]]:
    """Rows of the curve from `since` on, with the one that held then; and what fired on the account."""
    first = source.seq_at(since) + 1
    curve = _held(source, account, since, first)
    for at, point in curve_of(source.iterate(first, kinds=(RecordKind.EQUITY,)), AccountId(account)):
        if at <= since:
            curve.clear()
        curve.append((max(at, since), point.equity, point.day_pnl))
    later = source.iterate(first, kinds=(RecordKind.TRANSITION,))
    moved = [transition_of(record) for record in later if record.at >= since]
    fired: list[tuple[Cell, ...]] = [
        (each.at, each.rule, each.severity.value)
        for each in moved
        if each.phase is Phase.BREACHED and each.account == account
    ]
    return curve, fired


def _held(source: Source, account: str, since: int, first: int) -> list[tuple[Cell, ...]]:
    """The row that held at `since`, looked for in ever longer stretches of records before `first`; none where an
    account was never sampled before."""
    last, length = first, _STRETCH
    while last > 1:
        begin = max(1, last - length)
        stretch = takewhile(lambda record: record.seq < last, source.iterate(begin, kinds=(RecordKind.EQUITY,)))  # noqa: B023 - read at once
        found = deque(curve_of(stretch, AccountId(account)), maxlen=1)
        if found:
            return [(since, found[0][1].equity, found[0][1].day_pnl)]
        last, length = begin, length * 4
    return []


def _level(call: Call, account: str, value: str, gauge: Gauge) -> float | None:
    """The equity at which a limit is reached; None where it is no matter of equity, or is not known."""
    found = _FALLS.fullmatch(value.strip())
    if found is None or gauge.threshold is None:
        return None
    period, what = found.groups()
    if what == "equity":
        return gauge.threshold if period is None else None
    root = "account" if period is None else "account.end_of_day" if period == "end_of_day" else f"account.{period}"
    joint = "_" if period == "end_of_day" else "."
    try:
        start = call.value(f"{root}{joint}{'peak' if what == 'drawdown' else 'start'}_equity", account)
    except EngineError:
        return None
    if not isinstance(start, int | float) or start != start:
        return None
    return start + gauge.threshold if what == "total_pnl" else start - gauge.threshold


def _known(number: float) -> float | None:
    return number if number == number else None


def _thinned(rows: list[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    """Evenly fewer rows where there are too many; the last one stays."""
    step = -(-len(rows) // _MOST_ROWS)
    return tuple(rows) if step <= 1 else (*rows[:-1:step], rows[-1])
