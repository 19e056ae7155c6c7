"""What was expected against what happened, as readable differences."""

import math
from collections.abc import Iterable, Iterator, Sequence

from haltline.errors import EngineError, Place
from haltline.kernel.kernel import Kernel
from haltline.kernel.view import Gauge, gauges, incidents
from haltline.model.plan import Permission, PlannedAction
from haltline.model.rule import Scope
from haltline.model.verdict import Phase, Transition
from haltline.ruletest.case import (
    Expectation,
    ExpectedAction,
    ExpectedIntent,
    ExpectedMode,
    ExpectedValue,
)
from haltline.ruletest.explain import ask, explain_rule
from haltline.ruletest.report import Failure, Mismatch
from haltline.ruletest.world import World

TOLERANCE = 1e-9
"""Numbers closer than this, relative or near zero absolute, are the same: as in the rule language itself."""
_MEASURES = ("measured", "threshold", "utilization", "headroom")


def is_same(expected: float, actual: float | None) -> bool:
    """Whether a number is the expected one within the language's tolerance; UNKNOWN never is."""
    return actual is not None and math.isclose(expected, actual, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def judge_rule(world: World, expectation: Expectation) -> Failure | None:
    """Compare one rule on one entity; None if all is as expected."""
    status = Status(world, expectation.rule, expectation.entity)
    mismatches = [*_state(status, expectation), *_numbers(status, expectation), *_notes(status, expectation)]
    mismatches += _actions(expectation, _asked_by(world.plan, status))
    if not mismatches:
        return None
    return Failure(
        place=expectation.place,
        title=f"rule {expectation.rule} on {expectation.entity}",
        mismatches=tuple(mismatches),
        explanation=explain_rule(world.kernel, expectation.rule, expectation.entity),
    )


class Status:
    """How one rule stands on one entity now, and what was said of it since the step began."""

    def __init__(self, world: World, rule: str, entity: str) -> None:
        kernel = world.kernel
        self.said = [said for said in world.transitions if (said.rule, said.entity) == (rule, entity)]
        self.latest: Transition | None = self.said[-1] if self.said else world.latest.get((rule, entity))
        view = next((live for live in incidents(kernel) if (live.rule, live.entity) == (rule, entity)), None)
        self.phase = view.phase if view is not None else Phase.OK
        self.reason = (view.reason if view else "") or (self.latest.reason if self.latest else "")
        self.waits = view.waits if view is not None else ""
        self._prefix = f"{rule}/{entity}/"
        self.gauge: Gauge | None = next(
            (gauge for gauge in gauges(kernel) if (gauge.rule, gauge.entity) == (rule, entity)), None
        )
        self.is_instant = _scope_of(kernel, rule) is Scope.FILL

    def owns(self, incident: str) -> bool:
        """Whether an incident is of this rule on this entity; ids are ``rule/entity/serial``."""
        return incident.startswith(self._prefix) and incident.removeprefix(self._prefix).isdigit()

    @property
    def phases(self) -> set[Phase]:
        """The phases that may be expected: the present one; what ended in this step counts as resolved too."""
        found = {self.phase}
        if self.phase is Phase.OK and self.said:
            found.add(self.said[-1].phase)
        if self.is_instant:
            found.update(said.phase for said in self.said)
        return found

    def number(self, name: str) -> float | None:
        """The gauge's number, else that of the last transition."""
        if self.gauge is not None:
            found: float | None = getattr(self.gauge, name)
            return found
        return getattr(self.latest, name, None) if self.latest is not None else None


def _scope_of(kernel: Kernel, rule_id: str) -> Scope | None:
    return next((rule.each for rule in kernel.index.rules if rule.id == rule_id), None)


def _state(status: Status, expected: Expectation) -> Iterator[Mismatch]:
    if expected.state is not None and expected.state not in status.phases:
        reason = f" ({status.reason})" if status.reason else ""
        yield Mismatch(subject="state", expected=expected.state.value, actual=f"{status.phase.value}{reason}")


def _numbers(status: Status, expected: Expectation) -> Iterator[Mismatch]:
    for name in _MEASURES:
        wanted: float | None = getattr(expected, name)
        actual = status.number(name)
        if wanted is not None and not is_same(wanted, actual):
            yield Mismatch(subject=name, expected=f"{wanted:.12g}", actual=_shown(actual))


def _notes(status: Status, expected: Expectation) -> Iterator[Mismatch]:
    said = status.latest
    step = said.step + 1 if said is not None and said.step is not None else None
    if expected.step is not None and expected.step != step:
        yield Mismatch(subject="step", expected=str(expected.step), actual=str(step or "none"))
    if expected.severity is not None and (said is None or expected.severity != said.severity):
        yield Mismatch(
            subject="severity", expected=expected.severity, actual=said.severity.value if said else "nothing said"
        )
    for name in ("shadow", "suppressed"):
        wanted: bool | None = getattr(expected, name)
        actual = bool(getattr(said, name, False))
        if wanted is not None and wanted != actual:
            yield Mismatch(subject=name, expected=str(wanted).lower(), actual=str(actual).lower())
    if expected.reason is not None and expected.reason not in status.reason:
        yield Mismatch(subject="reason", expected=f"… {expected.reason} …", actual=status.reason or "none")
    if expected.waits is not None and not _says(status.waits, expected.waits):
        yield Mismatch(subject="waits", expected=expected.waits or "for nothing", actual=status.waits or "for nothing")


def _says(waits: str, wanted: str) -> bool:
    """Empty words are about waiting for nothing at all."""
    return wanted in waits if wanted else not waits


def _asked_by(plan: Iterable[PlannedAction], status: "Status") -> list[PlannedAction]:
    """What this rule asked for on this entity, alone or together with others."""
    return [action for action in plan if any(status.owns(str(incident)) for incident in action.incidents)]


def _actions(expected: Expectation, planned: Sequence[PlannedAction]) -> Iterator[Mismatch]:
    if expected.actions is not None and not is_same_plan(expected.actions, planned):
        yield Mismatch(subject="actions", expected=_wanted_text(expected.actions), actual=_plan_text(planned))


def judge_plan(world: World, expected: Sequence[ExpectedAction], title: str, place: Place) -> Failure | None:
    """Compare everything planned in the step, whoever asked for it."""
    if is_same_plan(expected, world.plan):
        return None
    mismatch = Mismatch(subject="plan", expected=_wanted_text(expected), actual=_plan_text(world.plan))
    return Failure(place=place, title=title, mismatches=(mismatch,))


def is_same_plan(expected: Sequence[ExpectedAction], planned: Sequence[PlannedAction]) -> bool:
    """Whether each planned action is one of the expected and the other way round, in any order."""
    left = list(planned)
    for wanted in expected:
        found = next((action for action in left if _fits(wanted, action)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def _fits(wanted: ExpectedAction, action: PlannedAction) -> bool:
    aimed = wanted.account in (None, action.account) and wanted.symbol in (None, action.symbol)
    return (
        wanted.name == action.name
        and aimed
        and all(_is_param(value, action.params.get(name)) for name, value in wanted.params.items())
    )


def _is_param(wanted: float | str | bool | None, actual: float | str | bool | None) -> bool:
    both = not isinstance(wanted, bool) and not isinstance(actual, bool)
    if both and isinstance(wanted, int | float) and isinstance(actual, int | float):
        return is_same(wanted, actual)
    return wanted == actual


def _wanted_text(actions: Sequence[ExpectedAction]) -> str:
    return ", ".join(_action_text(action.name, action.params, action.symbol) for action in actions) or "none"


def _plan_text(actions: Sequence[PlannedAction]) -> str:
    return ", ".join(_action_text(action.name, action.params, action.symbol) for action in actions) or "none"


def _action_text(name: str, params: dict[str, float | str | bool | None], symbol: str | None) -> str:
    shown = {"symbol": symbol, **params} if symbol else params
    inside = ", ".join(f"{key}: {_shown(value)}" for key, value in shown.items() if value is not None)
    return f"{name}({inside})" if inside else name


def judge_mode(world: World, expected: ExpectedMode) -> Failure | None:
    """Compare the trading mode of an account."""
    account = world.kernel.state.accounts.get(expected.account)
    actual = account.mode if account is not None else "no such account"
    if actual == expected.mode.value:
        return None
    reason = f" ({account.lock_reason})" if account is not None and account.lock_reason else ""
    mismatch = Mismatch(subject="mode", expected=expected.mode.value, actual=f"{actual}{reason}")
    return Failure(place=expected.place, title=f"account {expected.account}", mismatches=(mismatch,))


def judge_intent(permission: Permission, expected: ExpectedIntent) -> Failure | None:
    """Compare the answer to a proposed order."""
    mismatches = []
    words = {True: "allowed", False: "refused"}
    reasons = "; ".join(permission.reasons)
    if permission.allowed != expected.allowed:
        reason = f" ({reasons})" if reasons else ""
        actual = f"{words[permission.allowed]}{reason}"
        mismatches.append(Mismatch(subject="intent", expected=words[expected.allowed], actual=actual))
    if expected.rules is not None and set(expected.rules) != set(permission.rules):
        actual = ", ".join(permission.rules) or "none"
        mismatches.append(Mismatch(subject="rules", expected=", ".join(expected.rules) or "none", actual=actual))
    if expected.reason is not None and expected.reason not in reasons:
        mismatches.append(Mismatch(subject="reason", expected=f"… {expected.reason} …", actual=reasons or "none"))
    return Failure(place=expected.place, title="intent", mismatches=tuple(mismatches)) if mismatches else None


def judge_value(world: World, expected: ExpectedValue) -> Failure | None:
    """Compare the value of an expression for an entity."""
    title = f"{expected.expression} of {expected.entity}"
    try:
        explanation, value = ask(world.kernel, expected.expression, expected.entity)
    except EngineError as error:
        mismatch = Mismatch(subject="value", expected=_shown(expected.value), actual=str(error))
        return Failure(place=expected.place, title=title, mismatches=(mismatch,))
    if _is_param(expected.value, value):
        return None
    mismatch = Mismatch(subject="value", expected=_shown(expected.value), actual=_shown(value))
    return Failure(place=expected.place, title=title, mismatches=(mismatch,), explanation=explanation)


def _shown(value: float | str | bool | None) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, int | float) else value
