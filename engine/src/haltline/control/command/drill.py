"""A drill of the alarm path: asked for, and what it has shown."""

from haltline.api.control import Argument, ArgumentKind, Call, Command, Role
from haltline.api.field import Kind
from haltline.api.reply import Card, Column, Fact, Paragraph, Part, Reply, ReplyStatus, Table, Tone
from haltline.clock import NS_PER_S, format_duration
from haltline.control.command.reading import number_of, text_of
from haltline.control.door import Door
from haltline.errors import EngineError
from haltline.model.rule import Severity
from haltline.notify.drillreport import DrillReport
from haltline.notify.forecast import summary

SECTION = "Engine"
LONGEST_S = 120.0
_RULE = "drill"


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
        return (
            Command(
                name="drill", meaning="Send a made-up breach through the real alarm path.", run=self.drill,
                arguments=(account, severity, rule, wait), account="account", mutates=True, role=Role.RISK_MANAGER,
                section=SECTION, example="drill eval wait=1m",
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
        name = self._door.drills.begin(labels, wait_ns=round(wait_s * NS_PER_S))
        text = "A made-up breach goes through the routes and channels now. No broker and no rule is touched."
        asked = f" Acknowledge it within {format_duration(round(wait_s * NS_PER_S))}." if wait_s else ""
        return Reply(title="DRILL: it has begun", parts=(Paragraph(text=f"{text}{asked}"),), actions=(name,))


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
