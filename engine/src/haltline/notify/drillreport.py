"""What a drill has shown of the alarm path."""

import msgspec

from haltline.journal.receipt import Receipt
from haltline.journal.record import Entry, notice_entry
from haltline.model.event import OutcomeStatus
from haltline.notify.forecast import Hearing


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the drill to one channel: `stage` is alarm, reminder, acknowledged or end."""

    channel: str
    stage: str
    elapsed_ns: int | None
    attempts: int = 0


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was asked of the alarm path."""

    question: str
    is_met: bool
    points: int


class DrillReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill has shown. `score` is 0 to 100; `ack_ns` how long the acknowledgement took, None if none came;
    `acknowledged_by` is empty where the drill did so itself. `flatten` is what became of the practice account, in
    words, where the drill was to flatten one."""

    at: int
    labels: dict[str, str]
    deliveries: tuple[Delivery, ...]
    unacknowledged: tuple[Hearing, ...]
    ack_ns: int | None
    checks: tuple[Check, ...]
    acknowledged_by: str = ""
    faults: tuple[str, ...] = ()
    flatten: str = ""

    @property
    def score(self) -> int:
        """The points of what is met."""
        return sum(check.points for check in self.checks if check.is_met)

    @property
    def is_heard(self) -> bool:
        """Whether every channel that it was for has taken the alarm."""
        return self.checks[0].is_met

    def entry(self) -> Entry:
        """The report for the journal."""
        ran = sorted({each.channel for each in self.deliveries if each.elapsed_ns is not None})
        text = f"drill: readiness {self.score} of 100; heard on {', '.join(ran) or 'no channel'}"
        text += f"; flatten: {self.flatten}" if self.flatten else ""
        missed = "; ".join(check.question for check in self.checks if not check.is_met)
        return notice_entry(self.at, "drill", f"{text}; not met: {missed}" if missed else text)


_FLATTENED = "the practice account was flattened, with proof"
_FLATTEN_POINTS = 20


def with_flatten(report: DrillReport, receipt: Receipt | None, reason: str) -> DrillReport:
    """The report of a drill that also flattened a practice account: what the alarm path is worth gives way to that.

    `reason` says why there is no receipt.
    """
    is_done = receipt is not None and receipt.status is OutcomeStatus.DONE and receipt.proof is not None
    others = tuple(
        msgspec.structs.replace(check, points=check.points * (100 - _FLATTEN_POINTS) // 100) for check in report.checks
    )
    said = f"{receipt.status.value}: {receipt}" if receipt is not None else f"NOT DONE: {reason}"
    check = Check(question=_FLATTENED, is_met=is_done, points=100 - sum(each.points for each in others))
    return msgspec.structs.replace(report, checks=(*others, check), flatten=said)


def is_flattened(report: DrillReport) -> bool:
    """Whether the practice account was flattened, with proof; False where there was none."""
    return any(each.question == _FLATTENED and each.is_met for each in report.checks)
