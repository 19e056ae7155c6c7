"""Does an edited rule catch at least what it caught before? Key by key, on what can be shown and on nothing else.

A key *tightens*, *loosens*, or is *unproven*: whatever is not listed here, or compared by more than a number, is
unproven, and counts as a loosening. Where every key can be compared there is a rule at least as strict as both.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from haltline.model.loosening import LooseningPolicy
from haltline.model.rule import (
    ActionSpec,
    Comparison,
    ConstantValue,
    Evidence,
    EvidenceSpec,
    Latch,
    LimitSpec,
    OnUnknown,
    RuleMode,
    RuleSpec,
    Severity,
    Step,
)
from haltline.rules.meaning import bare_of


class Direction(StrEnum):
    """Which way a change goes. `MIXED` holds both, or something that could not be shown."""

    NEUTRAL = "neutral"
    TIGHTENS = "tightens"
    LOOSENS = "loosens"
    UNPROVEN = "unproven"
    MIXED = "mixed"


class KeyMove(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a rule and which way it goes."""

    key: str
    direction: Direction


class RuleMove(msgspec.Struct, frozen=True, kw_only=True):
    """Which way a rule goes. `stricter` is at least as strict as both, None where that cannot be shown of any."""

    direction: Direction
    keys: tuple[KeyMove, ...] = ()
    stricter: RuleSpec | None = None

    @property
    def is_safe(self) -> bool:
        """Whether the new rule may take the place of the old one at once."""
        return self.direction in (Direction.NEUTRAL, Direction.TIGHTENS)


type _Found = tuple[Direction, Any]
"""A direction, and the stricter of the two values; `_NONE` where there is none."""

_NONE = object()
_UNPROVEN: _Found = (Direction.UNPROVEN, _NONE)
_WORDS = frozenset({"id", "title", "why", "runbook", "template", "labels", "suppresses", "places", "constants"})
_UPWARD = frozenset({Comparison.MAX, Comparison.AT})
_INPUT = re.compile(r"\binputs\.(\w+)\b")


def move_of(old: RuleSpec, new: RuleSpec) -> RuleMove:
    """Which way a rule goes that is in both sets. Derived values that it uses are looked at by themselves."""
    before, after = plain_rule(old), plain_rule(new)
    if before.mode is RuleMode.OFF:  # it never did anything that could be missed
        direction = Direction.NEUTRAL if after.mode is RuleMode.OFF else Direction.TIGHTENS
        return RuleMove(direction=direction, keys=(KeyMove(key="mode", direction=direction),), stricter=new)
    keys: list[KeyMove] = []
    stricter: dict[str, Any] = {}
    for name in RuleSpec.__struct_fields__:
        was, now = getattr(before, name), getattr(after, name)
        if name in _WORDS or was == now:
            continue
        direction, value = _COMPARE.get(name, _unproven)(was, now)
        keys.append(KeyMove(key=_YAML.get(name, name), direction=direction))
        stricter[name] = value
    direction = _joined(each.direction for each in keys)
    shown = all(value is not _NONE for value in stricter.values())
    return RuleMove(
        direction=direction, keys=tuple(keys), stricter=msgspec.structs.replace(after, **stricter) if shown else None
    )  # fmt: skip


def plain_rule(spec: RuleSpec) -> RuleSpec:
    """The rule with the inputs of its template written in: places and constants are gone."""
    constants = spec.constants
    limit = spec.limit
    if limit is not None:
        limit = msgspec.structs.replace(
            limit,
            value=_filled(limit.value, constants), threshold=_number(limit.threshold, constants),
            low=_number(limit.low, constants), high=_number(limit.high, constants),
            steps=tuple(
                msgspec.structs.replace(
                    step, threshold=_number(step.threshold, constants), then=_actions(step.then, constants)
                ) for step in limit.steps
            ),
        )  # fmt: skip
    return bare_of(
        msgspec.structs.replace(
            spec,
            limit=limit,
            where=_text(spec.where, constants),
            when=_text(spec.when, constants),
            clear=_text(spec.clear, constants),
            then=_actions(spec.then, constants),
            warn_then=_actions(spec.warn_then, constants),
            on_clear=_actions(spec.on_clear, constants),
            constants={},
        )
    )


def _joined(directions: Iterable[Direction]) -> Direction:
    found = set(directions) - {Direction.NEUTRAL}
    if not found:
        return Direction.NEUTRAL
    return found.pop() if len(found) == 1 and Direction.UNPROVEN not in found else Direction.MIXED


# -- one key -----------------------------------------------------------------------------------------------------------


def _unproven(_: Any, __: Any) -> _Found:
    return _UNPROVEN


def _ordered(old: float, new: float, *, stricter: float) -> _Found:
    return (Direction.TIGHTENS if stricter == new else Direction.LOOSENS), stricter


def _least(old: Any, new: Any) -> _Found:
    return _ordered(old, new, stricter=min(old, new))


def _fires(old: int | None, new: int | None) -> _Found:
    if old is None or new is None:
        return (Direction.TIGHTENS if new is None else Direction.LOOSENS), None
    return _ordered(old, new, stricter=max(old, new))


def _rank(*order: Any) -> Callable[[Any, Any], _Found]:
    """Values from the loosest to the strictest."""

    def compare(old: Any, new: Any) -> _Found:
        if old not in order or new not in order:
            return _UNPROVEN
        tightens = order.index(new) > order.index(old)
        return (Direction.TIGHTENS, new) if tightens else (Direction.LOOSENS, old)

    return compare


def _filter(old: str | None, new: str | None) -> _Found:
    """A rule without `where` is judged for everything."""
    if old is None:
        return Direction.LOOSENS, None
    return (Direction.TIGHTENS, None) if new is None else _UNPROVEN


def _latch(_: Latch, new: Latch) -> _Found:
    """`clear` holds on to nothing; a longer latch holds longer but also re-arms later, so nothing can be shown."""
    return (Direction.LOOSENS, _NONE) if new is Latch.CLEAR else _UNPROVEN


def _during(old: tuple[str, ...], new: tuple[str, ...]) -> _Found:
    """No hours are all hours, several are their union."""
    if not old or not new:
        return (Direction.TIGHTENS if not new else Direction.LOOSENS), ()
    return _sets(set(old) - set(new), set(new) - set(old), (*old, *(each for each in new if each not in old)))


def _excluding(old: tuple[str, ...], new: tuple[str, ...]) -> _Found:
    return _sets(set(new) - set(old), set(old) - set(new), tuple(each for each in old if each in new))


def _sets(lost: set[str], won: set[str], both: tuple[str, ...]) -> _Found:
    if lost and won:
        return Direction.MIXED, both
    return (Direction.LOOSENS if lost else Direction.TIGHTENS if won else Direction.NEUTRAL), both


def _then(old: tuple[ActionSpec, ...], new: tuple[ActionSpec, ...]) -> _Found:
    """More actions are stricter; one of the same name with other parameters cannot be compared."""
    lost, won = [each for each in old if each not in new], [each for each in new if each not in old]
    if {each.name for each in lost} & {each.name for each in won}:
        return _UNPROVEN
    both = (*old, *won)
    if lost and won:
        return Direction.MIXED, both
    return (Direction.LOOSENS if lost else Direction.TIGHTENS if won else Direction.NEUTRAL), both


def _evidence(old: EvidenceSpec | None, new: EvidenceSpec | None) -> _Found:
    """What needs less evidence, or waits for it less long, acts on all it acted on before and no later."""
    was, now = old or EvidenceSpec(), new or EvidenceSpec()
    names = sorted({*was.actions, *now.actions})
    found = {name: _grade(was.actions.get(name, was.grade), now.actions.get(name, now.grade)) for name in names}
    general, hold = _grade(was.grade, now.grade), _hold(was.hold_ns, now.hold_ns)
    if any(value is _NONE for _, value in (*found.values(), general, hold)):
        return _UNPROVEN
    least = EvidenceSpec(
        grade=general[1], hold_ns=hold[1], actions={name: each for name, (_, each) in found.items() if each is not None}
    )
    direction = _joined(way for way, _ in (*found.values(), general, hold))
    return direction, None if least == EvidenceSpec() else least


def _grade(old: Evidence | None, new: Evidence | None) -> _Found:
    """None is what the action asks for by itself: no less than one witness, no more than corroborated prices."""
    if old is new:
        return Direction.NEUTRAL, new
    if Evidence.FRESH in (old, new) and None in (old, new):
        return _UNPROVEN
    least = min(old, new, key=lambda grade: 1 if grade is None else grade.rank)
    return (Direction.TIGHTENS if least is new else Direction.LOOSENS), least


def _hold(old: int | None, new: int | None) -> _Found:
    """None is what the set-up says, which is not known here."""
    if old == new:
        return Direction.NEUTRAL, new
    return _UNPROVEN if old is None or new is None else _least(old, new)


def _policy(old: LooseningPolicy | None, new: LooseningPolicy | None) -> _Found:
    was, now = old or LooseningPolicy.AT_ONCE, new or LooseningPolicy.AT_ONCE
    return (Direction.TIGHTENS if now.is_as_strict_as(was) else Direction.LOOSENS), was.joined(now)


def _limit(old: LimitSpec | None, new: LimitSpec | None) -> _Found:
    if old is None or new is None or (old.value, old.comparison) != (new.value, new.comparison):
        return _UNPROVEN
    if len(old.steps) != len(new.steps):
        return _UNPROVEN
    if (
        old.comparison is Comparison.RANGE
        and None not in (old.warn, new.warn)
        and (old.low, old.high) != (new.low, new.high)
    ):
        return _UNPROVEN  # where the warning begins depends on both ends
    found = {
        "threshold": _threshold(old.threshold, new.threshold, upward=old.comparison in _UPWARD),
        "low": _threshold(old.low, new.low, upward=False),
        "high": _threshold(old.high, new.high, upward=True),
        "warn": _warn(old, new),
    }
    steps: list[Step] = []
    for before, after in zip(old.steps, new.steps, strict=True):
        at = _threshold(before.threshold, after.threshold, upward=old.comparison in _UPWARD)
        then = _then(before.then, after.then)
        found |= {f"step{len(steps)}": at, f"then{len(steps)}": then}
        steps.append(msgspec.structs.replace(after, threshold=at[1], then=then[1]))
    if any(value is _NONE for _, value in found.values()):
        return _UNPROVEN
    parts = {name: found[name][1] for name in ("threshold", "low", "high", "warn")}
    return _joined(direction for direction, _ in found.values()), msgspec.structs.replace(
        new, **parts, steps=tuple(steps)
    )  # fmt: skip


def _threshold(old: float | str | None, new: float | str | None, *, upward: bool) -> _Found:
    if old == new:
        return Direction.NEUTRAL, new
    if not isinstance(old, float) or not isinstance(new, float):
        return _UNPROVEN
    return _ordered(old, new, stricter=min(old, new) if upward else max(old, new))


def _warn(old: LimitSpec, new: LimitSpec) -> _Found:
    """A warning begins earlier at a lower fraction, as long as the limit itself is above zero."""
    if old.warn == new.warn:
        return Direction.NEUTRAL, new.warn
    if old.warn is None or new.warn is None:
        return (Direction.LOOSENS, old.warn) if new.warn is None else (Direction.TIGHTENS, new.warn)
    positive = all(isinstance(each.threshold, float) and each.threshold > 0 for each in (old, new))
    return _ordered(old.warn, new.warn, stricter=min(old.warn, new.warn)) if positive else _UNPROVEN


_COMPARE: Mapping[str, Callable[[Any, Any], _Found]] = {
    "where": _filter,
    "limit": _limit,
    "for_ns": _least,
    "then": _then,
    "warn_then": _then,
    "on_unknown": _rank(OnUnknown.WARN, OnUnknown.BLOCK, OnUnknown.ACT),
    "latch": _latch,
    "cooldown_ns": _least,
    "max_fires": _fires,
    "during": _during,
    "excluding": _excluding,
    "mode": _rank(RuleMode.OFF, RuleMode.SHADOW, RuleMode.LIVE),
    "severity": _rank(Severity.INFO, Severity.WARNING, Severity.CRITICAL),
    "evidence": _evidence,
    "loosening": _policy,
}
_YAML = {"for_ns": "for", "clear_for_ns": "clear_for", "cooldown_ns": "cooldown", "excluding": "except"}


# -- inputs of templates, written in -----------------------------------------------------------------------------------


def _filled(text: str, constants: Mapping[str, ConstantValue]) -> str:
    """The text with the inputs of its template written in; what is no input stays."""

    def value(found: re.Match[str]) -> str:
        name = found.group(0)
        return f"({constants[name]!r})" if name in constants else name

    return _INPUT.sub(value, text) if constants else text


def _text(text: str | None, constants: Mapping[str, ConstantValue]) -> str | None:
    return None if text is None else _filled(text, constants)


def _number(threshold: float | str | None, constants: Mapping[str, ConstantValue]) -> float | str | None:
    if not isinstance(threshold, str):
        return None if threshold is None else float(threshold)
    text = _filled(threshold, constants)
    try:
        return float(text.strip("()"))
    except ValueError:
        return text


def _actions(actions: tuple[ActionSpec, ...], constants: Mapping[str, ConstantValue]) -> tuple[ActionSpec, ...]:
    return tuple(msgspec.structs.replace(each, params=_params(each.params, constants)) for each in actions)


def _params(params: Mapping[str, object], constants: Mapping[str, ConstantValue]) -> dict[str, object]:
    return {key: _filled(value, constants) if isinstance(value, str) else value for key, value in params.items()}
