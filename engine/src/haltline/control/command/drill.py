"""The alarm path tried: drill and what it has shown, readiness as drills have shown it, ping of single channels."""

from haltline.api.control import Argument, ArgumentKind, Call, Command, Role
from haltline.api.field import Kind
from haltline.api.reply import Card, Cell, Column, Fact, Paragraph, Part, Reply, ReplyStatus, Table, Tone
from haltline.clock import NS_PER_S, format_duration
from haltline.control.command.reading import number_of, text_of
from haltline.control.door import Door
from haltline.control.practice import PracticeAccount
from haltline.control.readiness import Standing, readiness_of, shortfall
from haltline.errors import EngineError, Refused
from haltline.model.rule import Severity
from haltline.notify.drillreport import DrillReport, is_flattened
from haltline.notify.forecast import summary
from haltline.notify.trial import TrialResult

SECTION = "Engine"
LONGEST_S = 120.0
_RULE = "drill"
_NONE = "–"
"""What there is none of; not the same as what is not known."""


class DrillCommands:
    """The command that starts one."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        account = Argument(
            name="account", meaning="whose alarm; the first account if left out", kind=ArgumentKind.ACCOUNT,
            required=False,
        )  # fmt: skip
        severity = Argument(
            name="severity", meaning="how loud; critical if left out", kind=ArgumentKind.CHOICE, required=False,
            choices=tuple(each.value for each in Severity),
        )  # fmt: skip
        rule = Argument(
            name="rule", meaning="as if this rule were broken: routes may match it", kind=ArgumentKind.RULE,
            required=False,
        )  # fmt: skip
        wait = Argument(
            name="wait", meaning="how long somebody has to acknowledge it, at most 2m; nobody needs to if left out",
            kind=ArgumentKind.DURATION, required=False,
        )  # fmt: skip
        flatten = Argument(
            name="flatten", meaning="also flatten the account, which must be one without real money; no if left out",
            kind=ArgumentKind.FLAG, required=False,
        )  # fmt: skip
        channel = Argument(
            name="channel", meaning="one channel; all of them if left out", kind=ArgumentKind.CHANNEL, required=False
        )
        return (
            Command(
                name="drill", meaning="Send a made-up breach through the real alarm path.", run=self.drill,
                arguments=(account, severity, rule, wait, flatten), account="account", mutates=True,
                role=Role.RISK_MANAGER, section=SECTION, example="drill eval wait=1m",
            ),
            Command(
                name="readiness", meaning="How ready the alarm path is, as drills have shown it.", run=self.readiness,
                section=SECTION, example="readiness",
            ),
            Command(
                name="ping", meaning="Send a test message through the channels; say what became of it.",
                run=self.ping, arguments=(channel,), mutates=True, role=Role.TRADER, section=SECTION,
                example="ping phone",
            ),
        )  # fmt: skip

    async def drill(self, call: Call) -> Reply:
        """Begin one; whoever follows the reply is told how it went."""
        account = text_of(call, "account") or next(iter(call.accounts), "")
        wait_s = number_of(call, "wait") or 0.0
        if wait_s > LONGEST_S:
            raise EngineError(f"a drill waits at most {format_duration(int(LONGEST_S) * NS_PER_S)} [E853]")
        labels = {
            "account": account, "severity": text_of(call, "severity") or Severity.CRITICAL.value,
            "rule": text_of(call, "rule") or _RULE,
        }  # fmt: skip
        practice = self._practice(account) if call.arguments.get("flatten") is True else None
        name = self._door.drills.begin(
            labels, wait_ns=round(wait_s * NS_PER_S), practice=practice, operator=call.operator
        )
        done = "No broker and no rule is touched."
        if practice is not None:
            done = f"What account {account} holds and has working, where no money is real, is closed and cancelled."
        text = f"A made-up breach goes through the routes and channels now. {done}"
        asked = f" Acknowledge it within {format_duration(round(wait_s * NS_PER_S))}." if wait_s else ""
        return Reply(title="DRILL: it has begun", parts=(Paragraph(text=f"{text}{asked}"),), actions=(name,))

    def _practice(self, account: str) -> PracticeAccount:
        practice = PracticeAccount(self._door.setup, self._door.registry, account)
        if not self._door.kernel.state.accounts[account].live:
            raise Refused(f"nothing is sent for {account!r}, which is in shadow: arm it first [E864]")
        return practice

    async def readiness(self, call: Call) -> Reply:
        """One row a drill: when, how well, what is missing, when next."""
        standings = self._door.drills.standings()
        columns = (
            Column(name="drill", label="drill"), Column(name="at", label="last run", kind=Kind.TIME),
            Column(name="score", label="readiness", kind=Kind.COUNT), Column(name="by", label="acknowledged by"),
            Column(name="after", label="after", kind=Kind.DURATION), Column(name="wrong", label="not met"),
            Column(name="next", label="next", kind=Kind.TIME),
        )  # fmt: skip
        rows = tuple(
            (each.name, each.at or _NONE, _or_none(each.readiness), each.acknowledged_by or _NONE,
             _NONE if each.ack_ns is None or not each.acknowledged_by else each.ack_ns / NS_PER_S, _unmet(each),
             _or_none(self._door.drills.next_due(each.name)))
            for each in standings
        )  # fmt: skip
        score = readiness_of(standings)
        table = Table(columns=columns, rows=rows, tones=tuple(_tone_of(each.readiness) for each in standings),
                      empty="no drill was run yet: start one with 'drill'")  # fmt: skip
        title = "No drill was run yet" if score is None else f"Readiness {score} of 100"
        parts: list[Part] = [table]
        if unready := shortfall(self._door.setup.arming, standings, call.now):
            parts.append(Paragraph(text=f"No account can be armed: {unready}", tone=Tone.WARNING))
        return Reply(title=title, tone=_tone_of(score), parts=tuple(parts))

    async def ping(self, call: Call) -> Reply:
        """One row a channel; refused where one did not take it."""
        named = text_of(call, "channel")
        trials = [await self._door.drills.try_channel(name) for name in self._door.drills.channels
                  if named in ("", name)]  # fmt: skip
        columns = (
            Column(name="channel", label="channel"), Column(name="result", label="result"),
            Column(name="took", label="took", kind=Kind.DURATION), Column(name="reason", label="what is wrong"),
            Column(name="cure", label="what to do"),
        )  # fmt: skip
        rows = tuple((each.channel, each.result.value, each.elapsed_ns / NS_PER_S, each.reason, each.cure)
                     for each in trials)  # fmt: skip
        good = [each.result is TrialResult.DELIVERED for each in trials]
        tones = tuple(Tone.GOOD if each else Tone.BAD for each in good)
        table = Table(columns=columns, rows=rows, tones=tones, empty="there are no channels: nobody hears anything")
        is_done = bool(trials) and all(good)
        return Reply(
            title=f"{sum(good)} of {len(trials)} channels took the test message",
            tone=Tone.GOOD if is_done else Tone.BAD, parts=(table,),
            status=ReplyStatus.DONE if is_done else ReplyStatus.REFUSED, code="" if is_done else "E861",
        )  # fmt: skip


def _or_none(number: int | None) -> Cell:
    return _NONE if number is None else number


def _unmet(standing: Standing) -> str:
    if standing.missed:
        return f"missed {standing.missed} times: {standing.reason}"
    return "; ".join(standing.unmet)


def _tone_of(score: int | None) -> Tone:
    if score is None:
        return Tone.PLAIN
    return Tone.GOOD if score == 100 else Tone.WARNING if score else Tone.BAD


def drill_reply(report: DrillReport) -> Reply:
    """What a drill has shown: refused where the alarm did not reach every channel it was for."""
    tone = Tone.WARNING if report.is_heard else Tone.BAD
    tone = Tone.GOOD if report.score == 100 else tone
    who = f" by {report.acknowledged_by}" if report.acknowledged_by else ""
    facts = (
        Fact(label="account", value=report.labels.get("account") or "none"),
        Fact(label="severity", value=report.labels.get("severity", "")),
        Fact(label=f"acknowledged{who} after", value=None if report.ack_ns is None else report.ack_ns / NS_PER_S,
             kind=Kind.DURATION),
    )  # fmt: skip
    parts: list[Part] = [Card(title="drill", facts=facts), _heard(report), _checks(report)]
    if report.flatten:
        tone_of_it = Tone.GOOD if is_flattened(report) else Tone.BAD
        parts.append(Paragraph(text=f"flatten: {report.flatten}", tone=tone_of_it))
    parts += [Paragraph(text=f"lost: {fault}", tone=Tone.BAD) for fault in report.faults]
    if report.unacknowledged:
        ahead = "; ".join(" ".join(line.split()) for line in summary(report.unacknowledged))
        parts.append(Paragraph(text=f"If nobody had acknowledged: {ahead}.", tone=Tone.MUTED))
    is_heard = report.is_heard
    return Reply(
        title=f"DRILL: readiness {report.score} of 100", tone=tone, parts=tuple(parts),
        status=ReplyStatus.DONE if is_heard else ReplyStatus.REFUSED, code="" if is_heard else "E861",
    )  # fmt: skip


def _heard(report: DrillReport) -> Table:
    columns = (
        Column(name="stage", label="stage"), Column(name="channel", label="channel"),
        Column(name="took", label="heard after", kind=Kind.DURATION), Column(name="outcome", label=""),
    )  # fmt: skip
    rows = tuple(
        (each.stage, each.channel, None if each.elapsed_ns is None else each.elapsed_ns / NS_PER_S,
         "NOT DELIVERED" if each.elapsed_ns is None else "")
        for each in report.deliveries
    )  # fmt: skip
    tones = tuple(Tone.BAD if each.elapsed_ns is None else Tone.GOOD for each in report.deliveries)
    return Table(columns=columns, rows=rows, tones=tones, empty="nobody was told")


def _checks(report: DrillReport) -> Table:
    columns = (
        Column(name="question", label="asked of the alarm path"), Column(name="is_met", label="met", kind=Kind.BOOL),
        Column(name="points", label="points", kind=Kind.COUNT),
    )  # fmt: skip
    rows = tuple((each.question, each.is_met, each.points) for each in report.checks)
    tones = tuple(Tone.GOOD if each.is_met else Tone.WARNING for each in report.checks)
    return Table(columns=columns, rows=rows, tones=tones)
