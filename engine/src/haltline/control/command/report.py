"""A day or a week in one answer: money, incidents, what was done, what operators did."""

from collections import Counter

import msgspec

from haltline.api.control import Argument, ArgumentKind, Call, Command
from haltline.api.field import Kind
from haltline.api.reply import Column, Paragraph, Reply, Table, Tone
from haltline.clock import NS_PER_S, to_iso
from haltline.control.audit import Attempt, command_of
from haltline.control.command.reading import text_of
from haltline.control.door import Door, Source
from haltline.control.incidentspan import outcome_of
from haltline.journal.receipt import Receipt
from haltline.journal.record import RecordKind, transition_of
from haltline.model.event import OutcomeStatus
from haltline.model.verdict import Phase

SECTION = "See"
_DAY_NS = 86_400 * NS_PER_S
_LENGTHS = {"day": _DAY_NS, "week": 7 * _DAY_NS}
_BLUR_NS = 3600 * NS_PER_S
"""How much earlier reading begins: a clock that was set back must hide nothing."""
_KINDS = (RecordKind.TRANSITION, RecordKind.OUTCOME, RecordKind.COMMAND)


class Tally:
    """What the journal says of a stretch of time, counted."""

    def __init__(self) -> None:
        self.fired: Counter[tuple[str, str]] = Counter()
        self.actions: Counter[tuple[str, str, str]] = Counter()
        self.commands: Counter[tuple[str, str]] = Counter()
        self.refused = 0


class Reports:
    """Commands that sum up."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        period = Argument(
            name="period", meaning="day or week; day if left out", kind=ArgumentKind.CHOICE, required=False,
            choices=("day", "week"),
        )  # fmt: skip
        return (
            Command(
                name="report", meaning="A day or a week: money, what fired, what was done, who commanded.",
                run=self.report, arguments=(period,), section=SECTION, example="report week",
            ),
        )  # fmt: skip

    async def report(self, call: Call) -> Reply:
        """The money of the period, then what the journal counted in the last 24 hours or seven days."""
        period = text_of(call, "period", "day")
        since = call.now - _LENGTHS[period]
        tally = await self._door.read(lambda source: count(source, since))
        money = await call.run("pnl", {"period": period})
        seen = set(call.accounts)
        fired = tuple(
            (rule, entity, number)
            for (rule, entity), number in tally.fired.most_common()
            if entity.partition("/")[0] in seen or entity.partition("/")[0] not in self._door.kernel.state.accounts
        )
        done = tuple(
            (name, account, status, number)
            for (name, account, status), number in tally.actions.most_common()
            if account in seen
        )
        asked = tuple((who, name, number) for (who, name), number in tally.commands.most_common())
        parts = (
            *money.parts,
            _table("What fired", ("rule", "of"), fired, empty="nothing fired"),
            _table("What was done", ("action", "account", "outcome"), done, empty="nothing had to be done"),
            _table("Who commanded", ("operator", "command"), asked, empty="nobody"),
            Paragraph(text=f"{tally.refused} attempts to command were refused.", tone=Tone.MUTED),
        )
        tone = Tone.WARNING if fired else Tone.GOOD
        return Reply(title=f"The {period} since {to_iso(since)[:19]}Z", tone=tone, parts=parts)


def count(source: Source, since: int) -> Tally:
    """Count what happened after an instant; what lies before it is not read."""
    tally = Tally()
    for record in source.iterate(source.seq_at(since - _BLUR_NS) + 1, kinds=_KINDS):
        if record.at < since:
            continue
        if record.kind is RecordKind.TRANSITION:
            moved = transition_of(record)
            if moved.phase is Phase.BREACHED and moved.previous is not Phase.BREACHED:
                tally.fired[moved.rule, moved.entity] += 1
        elif record.kind is RecordKind.OUTCOME:
            outcome = outcome_of(record)
            if isinstance(outcome, Receipt):
                word = "done" if outcome.status is OutcomeStatus.DONE else "NOT DONE"
                tally.actions[outcome.name, str(outcome.account), word] += 1
        else:
            _count_command(tally, record.body)
    return tally


def _count_command(tally: Tally, body: bytes) -> None:
    try:
        command = command_of(body)
    except msgspec.MsgspecError:
        return
    if command.attempt is Attempt.DONE:
        tally.commands[command.operator, command.command] += 1
    elif command.attempt in (Attempt.REFUSED, Attempt.EXPIRED):
        tally.refused += 1


def _table(title: str, labels: tuple[str, ...], rows: tuple[tuple[str | int, ...], ...], *, empty: str) -> Table:
    columns = (*(Column(name=label, label=label) for label in labels), Column(name="count", label="", kind=Kind.COUNT))
    return Table(title=title, columns=columns, rows=rows, empty=empty)
