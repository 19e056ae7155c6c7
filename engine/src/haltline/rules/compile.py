"""Every rule checked against the vocabulary and the actions, before any of them is used; all problems at once."""

import itertools
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from haltline.api.action import Action
from haltline.api.function import Parameter
from haltline.clock import NS_PER_S, parse_duration
from haltline.errors import ConfigError, Place, Problem
from haltline.expr.check import check
from haltline.expr.checked import Checked
from haltline.expr.vocabulary import Vocabulary
from haltline.model.plan import Caps, Over
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, RuleMode, RuleSpec, Scope
from haltline.rules.condition import UPWARD, Conditions, Threshold, limit_conditions, screening
from haltline.rules.meaning import fingerprint_of
from haltline.rules.schedule import Schedule, parse_schedule

type Lookup = Callable[[str], Action | None]

NOTIFY = ActionSpec(name="notify")
_INSTANT_SCOPES = frozenset({Scope.FILL, Scope.INTENT})


@dataclass(frozen=True, slots=True)
class CheckedAction:
    """An action of a rule: plain parameters, and those that are expressions over the entity."""

    action: Action
    constants: Mapping[str, float | str | bool | None]
    expressions: Mapping[str, Checked]
    caps: Caps | None = None


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule whose every part is known to make sense, not yet tied to a state."""

    spec: RuleSpec
    conditions: Conditions
    screen: Checked
    where: Checked | None
    value: Checked | None
    thresholds: tuple[Threshold, ...]
    clear: Checked | None
    then: tuple[CheckedAction, ...]
    rung_actions: tuple[tuple[CheckedAction, ...], ...]
    warn_then: tuple[CheckedAction, ...]
    on_clear: tuple[CheckedAction, ...]
    escalate: tuple[tuple[CheckedAction, ...], ...]
    schedule: Schedule | None
    fingerprint: bytes
    """What the rule means: equal fingerprints keep their incidents over a reload and a restart."""


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """A whole rule set and the vocabulary (with its windows) that it was checked against."""

    rules: tuple[CheckedRule, ...]
    vocabulary: Vocabulary


def compile_rules(specs: Sequence[RuleSpec], vocabulary: Vocabulary, action: Lookup) -> CompiledRules:
    """Check every rule; rules with `mode: off` are checked too, then left out.

    Raises ConfigError with all problems of all rules, sorted by place.
    """
    problems: list[Problem] = []
    _check_definitions(vocabulary, problems)
    checked = [_RuleCheck(spec, vocabulary, action, problems).run() for spec in specs]
    problems.extend(_unknown_suppressed(specs))
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    kept = tuple(rule for rule in checked if rule is not None and rule.spec.mode is not RuleMode.OFF)
    return CompiledRules(kept, vocabulary)


def _check_definitions(vocabulary: Vocabulary, problems: list[Problem]) -> None:
    """Definitions are checked even where no rule uses them."""
    for name, definition in vocabulary.definitions.items():
        root, where = name.partition(".")[0], f"define {name!r}"
        if root not in set(Scope):
            what, cure = f"{root!r} is nothing a value can be defined for", f"begin with one of {', '.join(Scope)}"
            problems.append(Problem(code="E459", place=definition.place, where=where, what=what, cure=cure))
            continue
        check(
            definition.text,
            scope=Scope(root),
            vocabulary=vocabulary,
            wants=None,
            place=definition.place,
            where=where,
            problems=problems,
        )


def _unknown_suppressed(specs: Sequence[RuleSpec]) -> Iterable[Problem]:
    known = {spec.id for spec in specs}
    for spec in specs:
        for name in spec.suppresses:
            if name not in known:
                yield Problem(
                    code="E451",
                    place=spec.places.get("suppresses") or spec.places.get(""),
                    where=f"rule {spec.id!r}",
                    what=f"suppresses {name!r}, which is no rule",
                    cure="write the id of a loaded rule",
                )


class _RuleCheck:
    """The check of one rule; problems are added to the common list, and the rule is None if there was one."""

    def __init__(self, spec: RuleSpec, vocabulary: Vocabulary, action: Lookup, problems: list[Problem]) -> None:
        self.spec = spec
        self.vocabulary = vocabulary
        self.action = action
        self.problems = problems
        self.definitions = {name: each.text for name, each in vocabulary.definitions.items()}

    def run(self) -> CheckedRule | None:
        before = len(self.problems)
        spec = self.spec
        where = self._expression(spec.where, "where", "bool")
        clear = self._expression(spec.clear, "clear", "bool")
        value, thresholds, conditions = self._conditions()
        then = self._actions(spec.then, "then")
        warn_then = self._actions(spec.warn_then or (NOTIFY,), "warn_then")
        on_clear = self._actions(spec.on_clear, "on_clear")
        rungs = spec.limit.steps if spec.limit else ()
        rung_actions = tuple(self._actions(rung.then, f"limit.steps.{i}.then") for i, rung in enumerate(rungs))
        escalate = tuple(
            self._actions(step.then or (NOTIFY,), f"escalate.{i}.then") for i, step in enumerate(spec.escalate)
        )
        schedule = self._schedule()
        if spec.each in _INSTANT_SCOPES and (spec.for_ns or spec.clear_for_ns):
            self._problem(
                "E452", "for", f"an {spec.each} is an instant, it cannot hold", "remove `for` and `clear_for`"
            )
        if conditions is None or len(self.problems) > before:
            return None
        return CheckedRule(
            spec=spec,
            conditions=conditions,
            screen=screening(where, conditions),
            where=where,
            value=value,
            thresholds=thresholds,
            clear=clear,
            then=then,
            rung_actions=rung_actions,
            warn_then=warn_then,
            on_clear=on_clear,
            escalate=escalate,
            schedule=schedule,
            fingerprint=fingerprint_of(spec, self.definitions),
        )

    def _conditions(self) -> tuple[Checked | None, tuple[Threshold, ...], Conditions | None]:
        limit = self.spec.limit
        if limit is None:
            breach = self._expression(self.spec.when, "when", "bool")
            return None, (), Conditions(breach) if breach is not None else None
        value = self._expression(limit.value, "limit.value", "numeric")
        thresholds = self._thresholds(limit)
        if value is None or thresholds is None:
            return None, (), None
        self._require_order(limit, thresholds)
        before = len(self.problems)
        self._require_sign(limit, thresholds)
        if len(self.problems) > before:
            return None, (), None
        return value, thresholds, limit_conditions(value, limit.comparison, thresholds, limit.warn)

    def _thresholds(self, limit: LimitSpec) -> tuple[Threshold, ...] | None:
        if limit.comparison is Comparison.RANGE:
            texts = [("limit.range.0", limit.low), ("limit.range.1", limit.high)]
        elif limit.steps:
            texts = [(f"limit.steps.{i}", rung.threshold) for i, rung in enumerate(limit.steps)]
        else:
            texts = [(f"limit.{limit.comparison}", limit.threshold)]
        found = [self._threshold(text, key) for key, text in texts]
        complete = [threshold for threshold in found if threshold is not None]
        return tuple(complete) if len(complete) == len(found) else None

    def _threshold(self, text: float | str | None, key: str) -> Threshold | None:
        if isinstance(text, int | float):
            return float(text)
        checked = self._expression(text, key, "numeric")
        if checked is not None and checked.is_constant and isinstance(checked.constant, int | float):
            return float(checked.constant)
        return checked

    def _require_order(self, limit: LimitSpec, thresholds: tuple[Threshold, ...]) -> None:
        numbers = [threshold for threshold in thresholds if isinstance(threshold, float)]
        if len(numbers) < len(thresholds):
            return
        rising = limit.comparison in UPWARD or limit.comparison is Comparison.RANGE
        pairs = itertools.pairwise(numbers)
        if not all((low < high) if rising else (low > high) for low, high in pairs):
            key = "limit.range" if limit.comparison is Comparison.RANGE else "limit.steps"
            order = "ascending" if rising else "descending"
            self._problem("E453", key, f"{numbers} is not strictly {order}", f"write the numbers in {order} order")

    def _require_sign(self, limit: LimitSpec, thresholds: tuple[Threshold, ...]) -> None:
        first = thresholds[0]
        if limit.warn is None or limit.comparison is Comparison.RANGE or not isinstance(first, float):
            return
        if first <= 0:
            what = f"a warning at a fraction of {first:g} makes no sense"
            self._problem("E454", "limit.warn", what, "remove `warn`, or measure something with a positive limit")

    def _schedule(self) -> Schedule | None:
        try:
            return parse_schedule(self.spec.during, self.spec.excluding)
        except ValueError as error:
            self._problem("E455", "during" if self.spec.during else "except", str(error), "")
            return None

    def _actions(self, specs: Iterable[ActionSpec], key: str) -> tuple[CheckedAction, ...]:
        found = (self._one_action(spec, f"{key}.{i}") for i, spec in enumerate(specs))
        return tuple(action for action in found if action is not None)

    def _one_action(self, spec: ActionSpec, key: str) -> CheckedAction | None:
        action = self.action(spec.name)
        if action is None:
            self._problem("E456", key, f"{spec.name!r} is no action", "run `haltline fields` to see the actions")
            return None
        if self.spec.each not in action.scopes:
            scopes = ", ".join(sorted(action.scopes))
            what = f"{spec.name!r} makes no sense for each {self.spec.each}"
            self._problem("E457", key, what, f"it works for each: {scopes}")
            return None
        constants: dict[str, float | str | bool | None] = {}
        expressions: dict[str, Checked] = {}
        for parameter in action.parameters:
            self._parameter(spec, parameter, key, constants, expressions)
        own = {parameter.name for parameter in action.parameters}
        return CheckedAction(action, constants, expressions, caps_of(spec, own))

    def _parameter(
        self,
        spec: ActionSpec,
        parameter: Parameter,
        key: str,
        constants: dict[str, float | str | bool | None],
        expressions: dict[str, Checked],
    ) -> None:
        name = parameter.name
        if name not in spec.params:
            constants[name] = parameter.default
            return
        raw = spec.params[name]
        if isinstance(raw, bool) or raw is None or not parameter.kind.is_numeric:
            constants[name] = raw if isinstance(raw, bool | str) or raw is None else str(raw)
        elif isinstance(raw, str):
            number = _number(raw)
            if number is not None:
                constants[name] = number
                return
            checked = self._expression(raw, f"{key}.{name}", "numeric")
            if checked is not None:
                expressions[name] = checked
        else:
            constants[name] = float(str(raw))

    def _expression(self, text: object, key: str, wants: Literal["bool", "numeric"]) -> Checked | None:
        if text is None:
            return None
        return check(
            str(text),
            scope=self.spec.each,
            vocabulary=self.vocabulary,
            wants=wants,
            constants=self.spec.constants,
            place=self._place(key),
            where=f"rule {self.spec.id!r}: {key}",
            problems=self.problems,
        )

    def _place(self, key: str) -> Place | None:
        """The place of a dotted key, or of the nearest key above it that is known."""
        places = self.spec.places
        while key:
            if key in places:
                return places[key]
            key = key.rpartition(".")[0]
        return places.get("")

    def _problem(self, code: str, key: str, what: str, cure: str) -> None:
        where = f"rule {self.spec.id!r}: {key}"
        self.problems.append(Problem(code=code, place=self._place(key), where=where, what=what, cure=cure))


def caps_of(spec: ActionSpec, own: Container[str] = ()) -> Caps | None:
    """The caps that stand among the parameters of an action, less those that are its `own`; None without any."""
    given = {name: spec.params.get(name) for name in ("max_positions", "max_notional", "max_orders", "over")}
    found = {name: value for name, value in given.items() if value is not None and name not in own}
    if not found:
        return None
    positions, notional, orders = (found.get(name) for name in ("max_positions", "max_notional", "max_orders"))
    return Caps(
        max_positions=None if positions is None else int(float(str(positions))),
        max_notional=None if notional is None else float(str(notional)),
        max_orders=None if orders is None else int(float(str(orders))),
        over=Over(str(found.get("over", Over.CONSENT))),
    )


def _number(text: str) -> float | None:
    """A plain number, a percentage, or a duration in seconds; None for anything else (an expression)."""
    cleaned = text.strip()
    try:
        if cleaned.endswith("%"):
            return float(cleaned[:-1]) / 100
        return float(cleaned)
    except ValueError:
        pass
    try:
        return parse_duration(cleaned) / NS_PER_S
    except ValueError:
        return None
