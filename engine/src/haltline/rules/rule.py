"""A rule linked to a state: compiled conditions that judge one entity at one instant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from haltline.api.action import Action
from haltline.clock import to_iso
from haltline.expr.compile import Truth, compile_truth, compile_value
from haltline.model.plan import Caps, Override
from haltline.model.rule import Comparison, Evidence, Latch, OnUnknown, RuleMode, RuleSpec, Scope, Severity
from haltline.model.verdict import Verdict
from haltline.rules.compile import CheckedAction, CheckedRule
from haltline.rules.condition import utilization, weigh, widened

type Bindings = Mapping[str, object]
NAN = float("nan")


@dataclass(slots=True)
class Judgement:
    """One evaluation. `measured` and `threshold` are NaN where there is no limit or no value; `rung` counts from 0.

    `is_assumed` marks a breach that is one only because `on_unknown: act` takes what is UNKNOWN for it. `thresholds`
    are those that an override has moved; empty where none did.
    """

    verdict: Verdict
    measured: float = NAN
    threshold: float = NAN
    rung: int = 0
    reason: str = ""
    is_assumed: bool = False
    thresholds: tuple[float, ...] = ()


_FINE = Judgement(Verdict.OK)


ALERT, AFTERWARDS = -1, -2
"""Levels of actions beside the rungs, which count from 0: those of a warning, and those that need no condition."""


class LinkedAction:
    """An action of a rule, ready to have its parameters read from an entity.

    `level` is the rung that must be reached for it to be wanted, `grade` the evidence it needs.
    """

    __slots__ = ("_expressions", "action", "caps", "constants", "grade", "level", "read")

    def __init__(
        self, checked: CheckedAction, bindings: Bindings, *, level: int = 0, grade: Evidence = Evidence.WITNESS
    ) -> None:
        self.action = checked.action
        self.caps: Caps | None = checked.caps
        self.level = level
        self.grade = grade
        self.constants = checked.constants
        self.read = tuple(checked.expressions.values())
        self._expressions = [(name, compile_value(expr, bindings)) for name, expr in checked.expressions.items()]

    def is_known(self, params: Mapping[str, object]) -> bool:
        """Whether every parameter that is an expression has a value."""
        return all(params[name] is not None for name, _ in self._expressions)

    def left_unknown(self, params: Mapping[str, object]) -> bool:
        """Whether these are parameters of this action, planned while one of its expressions was UNKNOWN."""
        mine = all(params.get(name) == value for name, value in self.constants.items())
        return mine and not all(params.get(name) is not None for name, _ in self._expressions)

    def params(self, entity: Any) -> dict[str, float | str | bool | None]:
        """The parameters as plain values; one whose expression is UNKNOWN is None, and the enforcer refuses it."""
        values: dict[str, float | str | bool | None] = dict(self.constants)
        for name, read in self._expressions:
            value = read(entity)
            values[name] = None if value != value else value
        return values


@dataclass(frozen=True, slots=True)
class Escalation:
    """One step of getting louder about a stuck action, ready to be taken: after so many failed tries, or so long."""

    attempts: int | None
    after_ns: int | None
    severity: Severity
    actions: tuple[LinkedAction, ...]


class Rule:
    """One rule of the running set. `index` is its place in the set; incidents of an entity are kept under it."""

    __slots__ = (
        "_breach", "_rungs", "_thresholds", "_value", "_warn", "_where", "checked", "clear", "comparison", "each",
        "escalation", "fingerprint", "id", "index", "latch", "on_clear", "on_unknown", "rung_actions", "schedule",
        "severity", "shadow", "spec", "suppresses", "then", "warn_then",
    )  # fmt: skip

    def __init__(self, index: int, checked: CheckedRule, bindings: Bindings) -> None:
        spec = checked.spec
        self.index = index
        self.checked = checked
        self.spec = spec
        self.id = spec.id
        self.each: Scope = spec.each
        self.severity: Severity = spec.severity
        self.latch: Latch = spec.latch
        self.on_unknown: OnUnknown = spec.on_unknown
        self.shadow = spec.mode is RuleMode.SHADOW
        self.suppresses = frozenset(spec.suppresses)
        self.schedule = checked.schedule
        self.fingerprint = checked.fingerprint
        self.comparison: Comparison | None = spec.limit.comparison if spec.limit else None
        self._where: Truth | None = compile_truth(checked.where, bindings) if checked.where else None
        self._breach: Truth = compile_truth(checked.conditions.breach, bindings)
        self._warn: Truth | None = compile_truth(checked.conditions.warn, bindings) if checked.conditions.warn else None
        self._rungs = tuple(compile_truth(rung, bindings) for rung in checked.conditions.rungs[1:])
        self.clear: Truth | None = compile_truth(checked.clear, bindings) if checked.clear else None
        self._value = compile_value(checked.value, bindings) if checked.value else None
        self._thresholds = tuple(_threshold_reader(threshold, bindings) for threshold in checked.thresholds)
        self.then = self._link(checked.then, bindings, 0)
        self.rung_actions = tuple(self._link(each, bindings, rung) for rung, each in enumerate(checked.rung_actions))
        self.warn_then = self._link(checked.warn_then, bindings, ALERT)
        self.on_clear = self._link(checked.on_clear, bindings)
        self.escalation = tuple(
            Escalation(step.attempts, step.after_ns, step.severity, self._link(actions, bindings))
            for step, actions in zip(spec.escalate, checked.escalate, strict=True)
        )

    def _link(
        self, actions: tuple[CheckedAction, ...], bindings: Bindings, level: int = AFTERWARDS
    ) -> tuple[LinkedAction, ...]:
        return tuple(
            LinkedAction(each, bindings, level=level, grade=self._grade(each.action, level)) for each in actions
        )

    def _grade(self, action: Action, level: int) -> Evidence:
        """The evidence an action needs. What blocks or tells never waits, and what happens in an instant cannot."""
        if level == AFTERWARDS or action.is_immediate or self.each in (Scope.FILL, Scope.INTENT):
            return Evidence.WITNESS
        return grade_of(self.spec, action)

    def every_action(self) -> tuple[LinkedAction, ...]:
        """All actions the rule can ask for."""
        rungs = tuple(action for rung in self.rung_actions for action in rung)
        louder = tuple(action for step in self.escalation for action in step.actions)
        return self.then + rungs + self.warn_then + self.on_clear + louder

    def applies(self, entity: Any, now: int) -> bool:
        """Whether `now` is within the hours of the rule, in the zone and market hours of the entity's account.

        An instrument has market hours of its own.
        """
        if self.schedule is None:
            return True
        account = account_of(entity)
        if account is None:  # an instrument has market hours of its own; the portfolio has none
            return self.schedule.applies(now, "UTC", getattr(entity, "hours", None))
        return self.schedule.applies(now, account.roll.zone, account.hours)

    def concerns(self, entity: Any) -> bool:
        """Whether `where` does not exclude the entity; an unknown filter excludes nothing."""
        return self._where is None or not self._where.is_false(entity)

    def judge(self, entity: Any, now: int, override: Override | None = None, *, is_proposed: bool = False) -> Judgement:
        """The verdict on one entity: Kleene over `where`, breach and warning, and the rung reached.

        An override exempts the entity, or moves the thresholds away by its extra room. An instrument that was never
        quoted and is not held is nobody's risk, unless an order in it `is_proposed`.
        """
        if self.each is Scope.INSTRUMENT and not is_proposed and not is_in_play(entity):
            return Judgement(Verdict.OK, reason="never quoted, and nothing is held in it")
        if not self.applies(entity, now):
            return Judgement(Verdict.OK, reason="outside the hours of the rule")
        scope = self._where.evaluate(entity) if self._where is not None else True
        if scope is False:
            return _FINE
        if override is not None and (override.extra is None or self.comparison is not None):
            return self._judge_overridden(entity, scope, override)
        breached = _and(scope, self._breach.evaluate(entity))
        warned = _and(scope, self._warn.evaluate(entity)) if self._warn is not None else False
        measured = self.measured(entity)
        if breached is None or (warned is None and not breached):
            return Judgement(Verdict.UNKNOWN, measured, self.threshold(entity, 0))
        if not breached and not warned:
            return Judgement(Verdict.OK, measured, self.threshold(entity, 0))
        rung = self._rung(entity) if breached else 0
        verdict = Verdict.BREACH if breached else Verdict.WARNING
        return Judgement(verdict, measured, self.threshold(entity, rung), rung)

    def _judge_overridden(self, entity: Any, scope: bool | None, override: Override) -> Judgement:
        reason = f"overridden by {override.operator} until {to_iso(override.until)}: {override.reason}"
        measured = self.measured(entity)
        if override.extra is None or self.comparison is None:  # an exemption
            return Judgement(Verdict.OK, measured, self.threshold(entity, 0), reason=reason)
        limit = self.spec.limit
        thresholds = widened(self.comparison, self.thresholds(entity), override.extra)
        verdict, rung = weigh(self.comparison, measured, thresholds, limit.warn if limit else None)
        if scope is None and verdict is not Verdict.OK:
            verdict = Verdict.UNKNOWN
        return Judgement(
            verdict, measured, thresholds[rung], rung if self.rung_actions else 0, reason, thresholds=thresholds
        )

    def _rung(self, entity: Any) -> int:
        """The highest rung that is certainly reached."""
        reached = (i for i, truth in enumerate(self._rungs, start=1) if truth.is_true(entity))
        return max(reached, default=0) if self.rung_actions else 0

    def measured(self, entity: Any) -> float:
        """The value of the limit; NaN when unknown or when the rule has no limit."""
        if self._value is None:
            return NAN
        value = self._value(entity)
        return float(value) if isinstance(value, int | float) else NAN

    def thresholds(self, entity: Any) -> tuple[float, ...]:
        """All numbers of the limit as they stand for this entity."""
        return tuple(read(entity) for read in self._thresholds)

    def threshold(self, entity: Any, rung: int) -> float:
        """The number that counts: the rung's, or for a range the one that is nearer to the value."""
        if not self._thresholds:
            return NAN
        if self.comparison is not Comparison.RANGE:
            return self._thresholds[min(rung, len(self._thresholds) - 1)](entity)
        measured = self.measured(entity)
        low, high = (read(entity) for read in self._thresholds)
        return low if abs(measured - low) < abs(measured - high) else high

    def utilization(self, entity: Any, measured: float, moved: tuple[float, ...] = ()) -> float | None:
        """Share of the (last rung of the) limit that is used, 1.0 at the limit; None where it says nothing. `moved` are
        the thresholds as an override has them."""
        if self.comparison is None:
            return None
        thresholds = moved or self.thresholds(entity)
        if self.comparison is not Comparison.RANGE:
            thresholds = thresholds[-1:]
        return utilization(self.comparison, measured, thresholds)

    def actions_of(self, rungs: range) -> tuple[LinkedAction, ...]:
        """The actions of the rungs just reached, or of the rule if it has no ladder."""
        if not self.rung_actions:
            return self.then
        return tuple(action for rung in rungs for action in self.rung_actions[rung])


def grade_of(spec: RuleSpec, action: Action) -> Evidence:
    """What a rule asks of an action: its own word on it, its word on all, or what the action declares."""
    said = spec.evidence
    if said is None:
        return action.grade
    return said.actions.get(action.name) or said.grade or action.grade


def is_in_play(instrument: Any) -> bool:
    """Whether an instrument was ever quoted or is held: one that is only set up is not judged."""
    return instrument.quoted_at > 0 or bool(instrument.positions)


def account_of(entity: Any) -> Any | None:
    """The account an entity belongs to; None for instruments and the portfolio."""
    return entity if entity.scope is Scope.ACCOUNT else getattr(entity, "account", None)


def _threshold_reader(threshold: Any, bindings: Bindings) -> Callable[[Any], float]:
    if isinstance(threshold, float):
        return lambda entity: threshold
    read = compile_value(threshold, bindings)

    def number(entity: Any) -> float:
        value = read(entity)
        return float(value) if isinstance(value, int | float) else NAN

    return number


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True
