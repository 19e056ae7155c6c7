"""What is under way, for people who want to see it while it happens."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from haltline.enforce.lane import Job
from haltline.journal.receipt import LegOutcome, Receipt
from haltline.model.id import AccountId, ActionId, RuleId, Symbol


class Stage(StrEnum):
    """How far an action is: ``waiting`` for the lane, ``running``, ``confirming`` that it stays so, ``over``."""

    WAITING = "waiting"
    RUNNING = "running"
    CONFIRMING = "confirming"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One action at one instant. `receipt` is there once it is over; `legs` are then those of the receipt."""

    account: AccountId
    action: ActionId
    name: str
    stage: Stage
    symbol: Symbol | None = None
    rules: tuple[RuleId, ...] = ()
    started_at: int = 0
    legs: tuple[LegOutcome, ...] = ()
    receipt: Receipt | None = None


type OnProgress = Callable[[Progress], None]
"""Told after each change of a leg or stage, on the event loop, between two requests: it must be quick."""


def progress_of(account: AccountId, job: Job, stage: Stage, receipt: Receipt | None = None) -> Progress:
    """A job as people see it."""
    planned = job.planned
    legs = job.desk.book.legs if job.desk is not None else ()
    return Progress(
        account=account, action=planned.id, name=planned.name, stage=stage, symbol=planned.symbol, rules=planned.rules,
        started_at=job.started_at, legs=legs, receipt=receipt,
    )  # fmt: skip
