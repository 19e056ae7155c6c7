"""A rule as it was written, after structure and schema are known to be right and before its meaning is checked."""

from enum import StrEnum

import msgspec

from haltline.errors import Place
from haltline.model.id import RuleId
from haltline.model.loosening import LooseningPolicy


class Scope(StrEnum):
    """What a rule is evaluated for: one incident per entity of this kind."""

    PORTFOLIO = "portfolio"
    ACCOUNT = "account"
    INSTRUMENT = "instrument"
    POSITION = "position"
    ORDER = "order"
    FILL = "fill"
    INTENT = "intent"


class Severity(StrEnum):
    """How loudly a rule speaks."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Comparison(StrEnum):
    """The one comparison of a `limit`, named by its key."""

    MAX = "max"
    AT = "at"
    MIN = "min"
    DOWN_TO = "down_to"
    RANGE = "range"


class OnUnknown(StrEnum):
    """What an UNKNOWN condition does."""

    HOLD = "hold"
    WARN = "warn"
    BLOCK = "block"
    ACT = "act"


class Latch(StrEnum):
    """What ends an incident and re-arms its actions."""

    CLEAR = "clear"
    ACK = "ack"
    SESSION = "session"
    MANUAL = "manual"


class RuleMode(StrEnum):
    """Whether a rule acts, only records, or rests."""

    LIVE = "live"
    SHADOW = "shadow"
    OFF = "off"


class Evidence(StrEnum):
    """How sure an action must be of what it acts on.

    ``witness``: one known value. ``fresh``: moreover the account is connected and nothing the broker says of it
    contradicts itself. ``corroborated``: moreover each price that decides is backed by a second observation.
    """

    WITNESS = "witness"
    FRESH = "fresh"
    CORROBORATED = "corroborated"

    @property
    def rank(self) -> int:
        """Strictness, 0 to 2."""
        return tuple(Evidence).index(self)


class EvidenceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule says of evidence: one `grade` for all its actions, grades of single `actions`, and the hold that
    stands for missing evidence; None leaves it to the actions and the set-up.
    """

    grade: Evidence | None = None
    actions: dict[str, Evidence] = {}
    hold_ns: int | None = None


class ActionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One action as written: its name and its parameters; a text parameter may be an expression."""

    name: str
    params: dict[str, object] = {}
    place: Place | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of a ladder."""

    threshold: float | str
    then: tuple[ActionSpec, ...]
    place: Place | None = None


class EscalationStep(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about an enforcement that is stuck: after so many failed tries, or so long after it was asked for.

    `then` empty is the rule's message. `severity` is how loudly its messages speak.
    """

    attempts: int | None = None
    after_ns: int | None = None
    then: tuple[ActionSpec, ...] = ()
    severity: Severity = Severity.CRITICAL
    place: Place | None = None


class LimitSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A measured condition: `value` compared with a threshold (or `low`/`high`), or with a ladder of `steps`.

    A threshold is a number or the text of an expression. `warn` is a fraction of the limit, None for no warning.
    With `steps`, `comparison` is that of every rung.
    """

    value: str
    comparison: Comparison
    threshold: float | str | None = None
    low: float | str | None = None
    high: float | str | None = None
    warn: float | None = None
    steps: tuple[Step, ...] = ()


type ConstantValue = float | str | bool | tuple[float | str, ...]
"""What a template input is to an expression: durations are seconds, lists are tuples."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `define`: a name (``account.risk_used``) for the value of an expression."""

    name: str
    text: str
    place: Place | None = None


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. Durations in nanoseconds; `places` maps a dotted key (``limit.value``, ``then.0``) to where it stands.

    `constants` are names that expressions of this rule may read: the inputs of its template (``inputs.limit``).
    `loosening` is the rule's own policy for what weakens it; it counts where it is stricter than that of the set-up.
    `during`/`excluding` hold texts: ``09:30-16:00``, ``mon-fri 09:30-16:00 America/New_York``, or ``session``.
    """

    id: RuleId
    each: Scope
    title: str = ""
    why: str = ""
    where: str | None = None
    when: str | None = None
    limit: LimitSpec | None = None
    for_ns: int = 0
    clear: str | None = None
    clear_for_ns: int = 0
    then: tuple[ActionSpec, ...] = ()
    on_clear: tuple[ActionSpec, ...] = ()
    warn_then: tuple[ActionSpec, ...] = ()
    on_unknown: OnUnknown = OnUnknown.BLOCK
    latch: Latch = Latch.CLEAR
    cooldown_ns: int = 0
    max_fires: int | None = None
    during: tuple[str, ...] = ()
    excluding: tuple[str, ...] = ()
    mode: RuleMode = RuleMode.LIVE
    suppresses: tuple[str, ...] = ()
    severity: Severity = Severity.WARNING
    labels: dict[str, str] = {}
    runbook: str = ""
    evidence: EvidenceSpec | None = None
    template: str = ""
    constants: dict[str, ConstantValue] = {}
    places: dict[str, Place] = {}
    escalate: tuple[EscalationStep, ...] = ()
    loosening: LooseningPolicy | None = None
