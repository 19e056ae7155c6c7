"""What an evaluation says, and what changes in the life of an incident."""

from enum import StrEnum

import msgspec

from haltline.model.id import AccountId, IncidentId, RuleId, Symbol
from haltline.model.rule import Severity


class Verdict(StrEnum):
    """The outcome of one evaluation of one rule on one entity."""

    OK = "ok"
    WARNING = "warning"
    BREACH = "breach"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """Where an incident is in its life."""

    OK = "ok"
    PENDING = "pending"
    WARNING = "warning"
    BREACHED = "breached"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change in the life of one rule on one entity; also what is journalled and what people are told.

    `measured` is the limit's value (None for a `when` rule or when unknown), `threshold` the rung that counts,
    `utilization` their ratio; `reason` says in words why. `since` is when the incident began, `worst` its farthest
    value so far.
    """

    at: int
    rule: RuleId
    entity: str
    incident: IncidentId
    phase: Phase
    previous: Phase
    severity: Severity
    account: AccountId | None = None
    symbol: Symbol | None = None
    measured: float | None = None
    threshold: float | None = None
    utilization: float | None = None
    step: int | None = None
    reason: str = ""
    shadow: bool = False
    suppressed: bool = False
    since: int | None = None
    worst: float | None = None
