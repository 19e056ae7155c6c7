"""A `limit` becomes conditions: breach, warning, and one per rung of a ladder; all with the language's tolerance."""

from dataclasses import dataclass
from typing import Literal

from haltline.expr.checked import Checked
from haltline.expr.combine import comparison, conjunction, disjunction, scaled
from haltline.expr.value import compare
from haltline.model.rule import Comparison
from haltline.model.verdict import Verdict

type Operator = Literal["gt", "ge", "lt", "le"]
type Threshold = Checked | float

_BREACH_OPERATOR: dict[Comparison, Operator] = {
    Comparison.MAX: "gt",
    Comparison.AT: "ge",
    Comparison.MIN: "lt",
    Comparison.DOWN_TO: "le",
}
_WARN_OPERATOR: dict[Comparison, Operator] = {
    Comparison.MAX: "ge",
    Comparison.AT: "ge",
    Comparison.MIN: "le",
    Comparison.DOWN_TO: "le",
}
UPWARD = frozenset({Comparison.MAX, Comparison.AT})


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a rule asks: `breach`, perhaps `warn` (never narrower than breach) and `rungs` in ascending severity."""

    breach: Checked
    warn: Checked | None = None
    rungs: tuple[Checked, ...] = ()


def limit_conditions(
    value: Checked, comparison_kind: Comparison, thresholds: tuple[Threshold, ...], warn: float | None
) -> Conditions:
    """Conditions of a limit. `thresholds` is one number, (low, high) for a range, or the rungs of a ladder in order."""
    if comparison_kind is Comparison.RANGE:
        return _range_conditions(value, thresholds[0], thresholds[1], warn)
    operator = _BREACH_OPERATOR[comparison_kind]
    rungs = tuple(comparison(value, operator, threshold) for threshold in thresholds)
    breach = rungs[0]
    if warn is None:
        return Conditions(breach, None, rungs)
    fraction = warn if comparison_kind in UPWARD else 1.0 / warn
    level = _times(thresholds[0], fraction)
    return Conditions(breach, disjunction(comparison(value, _WARN_OPERATOR[comparison_kind], level), breach), rungs)


def _range_conditions(value: Checked, low: Threshold, high: Threshold, warn: float | None) -> Conditions:
    breach = disjunction(comparison(value, "lt", low), comparison(value, "gt", high))
    if warn is None or isinstance(low, Checked) or isinstance(high, Checked):
        return Conditions(breach)
    middle, half = (low + high) / 2, (high - low) / 2
    below = comparison(value, "le", middle - warn * half)
    above = comparison(value, "ge", middle + warn * half)
    return Conditions(breach, disjunction(below, above, breach))


def widened(kind: Comparison, thresholds: tuple[float, ...], extra: float) -> tuple[float, ...]:
    """Thresholds with `extra` more room: every rung of a ladder, and both ends of a range."""
    if kind is Comparison.RANGE:
        return thresholds[0] - extra, thresholds[1] + extra
    step = extra if kind in UPWARD else -extra
    return tuple(threshold + step for threshold in thresholds)


def weigh(kind: Comparison, measured: float, thresholds: tuple[float, ...], warn: float | None) -> tuple[Verdict, int]:
    """The verdict on plain numbers, and the rung reached: what the compiled conditions of the same limit say."""
    if kind is Comparison.RANGE:
        return _weigh_range(measured, thresholds, warn), 0
    reached = [compare(_BREACH_OPERATOR[kind], measured, threshold) for threshold in thresholds]
    if None in reached:
        return Verdict.UNKNOWN, 0
    if any(reached):
        return Verdict.BREACH, max(rung for rung, is_reached in enumerate(reached) if is_reached)
    level = None if warn is None else thresholds[0] * (warn if kind in UPWARD else 1.0 / warn)
    near = level is not None and compare(_WARN_OPERATOR[kind], measured, level)
    return (Verdict.WARNING if near else Verdict.OK), 0


def _weigh_range(measured: float, thresholds: tuple[float, ...], warn: float | None) -> Verdict:
    low, high = thresholds
    outside = (compare("lt", measured, low), compare("gt", measured, high))
    if None in outside:
        return Verdict.UNKNOWN
    if any(outside):
        return Verdict.BREACH
    reach = (high - low) / 2 * (warn or 1.0)
    middle = (low + high) / 2
    near = compare("le", measured, middle - reach) or compare("ge", measured, middle + reach)
    return Verdict.WARNING if warn is not None and near else Verdict.OK


def screening(where: Checked | None, conditions: Conditions) -> Checked:
    """The widest condition under which the rule is not quietly fine: the screens are fused from these."""
    widest = conditions.warn or conditions.breach
    return widest if where is None else conjunction(where, widest)


def _times(threshold: Threshold, factor: float) -> Threshold:
    return threshold * factor if isinstance(threshold, float) else scaled(threshold, factor)


def utilization(kind: Comparison, measured: float, thresholds: tuple[float, ...]) -> float | None:
    """Share of the limit that is used: 1.0 at the limit. None where a ratio says nothing (a threshold of zero, NaN).

    For `min` and `down_to` it is threshold/value, for a range the distance from the middle over half the width.
    """
    if measured != measured:
        return None
    if kind is Comparison.RANGE:
        low, high = thresholds
        half = (high - low) / 2
        return abs(measured - (low + high) / 2) / half if half > 0 else None
    threshold = thresholds[0]
    top, bottom = (measured, threshold) if kind in UPWARD else (threshold, measured)
    if threshold != threshold or bottom <= 0:
        return None
    return max(0.0, top / bottom)


def headroom(kind: Comparison, measured: float, thresholds: tuple[float, ...]) -> float | None:
    """How far the value may still go before the limit breaks, in its own unit; negative beyond it, None if unknown."""
    if measured != measured or any(threshold != threshold for threshold in thresholds):
        return None
    if kind is Comparison.RANGE:
        return min(measured - thresholds[0], thresholds[1] - measured)
    return thresholds[0] - measured if kind in UPWARD else measured - thresholds[0]
