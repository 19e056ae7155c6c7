"""What changes between two rule sets: rules added, removed and changed, with the keys as people write them.

This is where a policy looks that treats loosening otherwise than tightening: every changed key with both its texts.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from haltline.clock import format_duration
from haltline.model.rule import (
    ActionSpec,
    Comparison,
    Definition,
    EscalationStep,
    EvidenceSpec,
    LimitSpec,
    RuleMode,
    RuleSpec,
)
from haltline.rules.loosening import Direction, move_of
from haltline.rules.meaning import bare_of, fingerprint_of

_WORDS = frozenset({"title", "why", "runbook"})


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """One key (``limit.at``, ``for``, ``then``) with its texts before and after; None where it is not given."""

    key: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.key}: {self.old or 'nothing'} → {self.new or 'nothing'}"


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that is in both sets and is not the same; with `only_words` it decides as before.

    `direction` says whether it catches at least what it caught before.
    """

    rule: str
    keys: tuple[KeyChange, ...]
    only_words: bool = False
    direction: Direction = Direction.NEUTRAL


class RuleDifference(msgspec.Struct, frozen=True, kw_only=True):
    """All that changes. `definitions` are changed entries of ``define``; rules that use one are among the changed.

    `same_behaviour` is True where no decision can differ: nothing changed, only words did, or only rules that are off.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[RuleChange, ...] = ()
    unchanged: tuple[str, ...] = ()
    definitions: tuple[KeyChange, ...] = ()
    same_behaviour: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether both sets say the same, word for word."""
        return not (self.added or self.removed or self.changed or self.definitions)

    def __str__(self) -> str:
        named = [
            f"{len(names)} {verb} ({listed(names)})"
            for verb, names in (
                ("added", self.added),
                ("removed", self.removed),
                ("changed", [each.rule for each in self.changed]),
            )
            if names
        ]
        return ", ".join([*named, f"{len(self.unchanged)} unchanged"])


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a sentence that people read on a phone: the first ones, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def compare_rules(
    old: Sequence[RuleSpec], new: Sequence[RuleSpec], *,
    old_definitions: Iterable[Definition] = (), new_definitions: Iterable[Definition] = (),
) -> RuleDifference:  # fmt: skip
    """What changes from `old` to `new`; rules are the same by their ids, wherever they stand."""
    before, after = {str(spec.id): spec for spec in old}, {str(spec.id): spec for spec in new}
    terms_before = {each.name: each.text for each in old_definitions}
    terms_after = {each.name: each.text for each in new_definitions}
    added = [name for name in after if name not in before]
    removed = [name for name in before if name not in after]
    changes: list[RuleChange] = []
    unchanged: list[str] = []
    for name in before.keys() & after.keys():
        change = _change(before[name], after[name], terms_before, terms_after)
        if change is None:
            unchanged.append(name)
        else:
            changes.append(change)
    decided = [after[name] for name in added] + [before[name] for name in removed]
    decided += [spec for each in changes if not each.only_words for spec in (before[each.rule], after[each.rule])]
    return RuleDifference(
        added=tuple(sorted(added)),
        removed=tuple(sorted(removed)),
        changed=tuple(sorted(changes, key=lambda each: each.rule)),
        unchanged=tuple(sorted(unchanged)),
        definitions=tuple(_key_changes(terms_before, terms_after)),
        same_behaviour=all(spec.mode is RuleMode.OFF for spec in decided),
    )


def keys_of(spec: RuleSpec) -> dict[str, str]:
    """The rule as keys and texts, as one would write them; keys that are not given are empty."""
    keys = {
        "title": spec.title,
        "why": spec.why,
        "each": spec.each.value,
        "where": spec.where or "",
        "when": spec.when or "",
        "for": _duration(spec.for_ns),
        "clear": spec.clear or "",
        "clear_for": _duration(spec.clear_for_ns),
        "then": _actions(spec.then),
        "warn_then": _actions(spec.warn_then),
        "on_clear": _actions(spec.on_clear),
        "escalate": "; ".join(_louder(step) for step in spec.escalate),
        "on_unknown": spec.on_unknown.value,
        "latch": spec.latch.value,
        "cooldown": _duration(spec.cooldown_ns),
        "max_fires": "" if spec.max_fires is None else str(spec.max_fires),
        "during": ", ".join(spec.during),
        "except": ", ".join(spec.excluding),
        "mode": spec.mode.value,
        "suppresses": ", ".join(spec.suppresses),
        "severity": spec.severity.value,
        "runbook": spec.runbook,
        "evidence": _evidence(spec.evidence),
        "loosening": "" if spec.loosening is None else spec.loosening.value,
        "use": spec.template,
    }
    keys.update({f"labels.{name}": text for name, text in spec.labels.items()})
    keys.update({name.replace("inputs.", "with.", 1): _text(value) for name, value in spec.constants.items()})
    if spec.limit is not None:
        keys.update(_limit(spec.limit))
    return keys


def _evidence(spec: EvidenceSpec | None) -> str:
    if spec is None:
        return ""
    parts = [spec.grade.value if spec.grade is not None else ""]
    parts += [f"{name}: {grade.value}" for name, grade in spec.actions.items()]
    parts += [f"hold: {_duration(spec.hold_ns) or '0s'}" if spec.hold_ns is not None else ""]
    return ", ".join(part for part in parts if part)


def _change(
    old: RuleSpec, new: RuleSpec, terms_before: Mapping[str, str], terms_after: Mapping[str, str]
) -> RuleChange | None:
    same_meaning = fingerprint_of(old, terms_before) == fingerprint_of(new, terms_after)
    if same_meaning and bare_of(old) == bare_of(new):
        return None
    keys = tuple(_key_changes(keys_of(old), keys_of(new)))
    if not same_meaning and all(each.key in _WORDS for each in keys):
        keys += tuple(_key_changes(terms_before, terms_after, prefix="define "))
    direction = move_of(old, new).direction
    if not same_meaning and (direction is Direction.NEUTRAL or any(each.key.startswith("define ") for each in keys)):
        direction = Direction.MIXED  # a derived value can do anything
    only_words = same_meaning and direction is Direction.NEUTRAL
    return RuleChange(rule=str(old.id), keys=keys, only_words=only_words, direction=direction)


def _key_changes(old: Mapping[str, str], new: Mapping[str, str], *, prefix: str = "") -> Iterable[KeyChange]:
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key) or None, new.get(key) or None
        if before != after:
            yield KeyChange(key=prefix + key, old=before, new=after)


def _limit(limit: LimitSpec) -> dict[str, str]:
    keys = {"limit.value": limit.value, "limit.warn": "" if limit.warn is None else f"{limit.warn:.6g}"}
    if limit.steps:
        rungs = [f"{limit.comparison}: {_text(step.threshold)}, then: {_actions(step.then)}" for step in limit.steps]
        keys["limit.steps"] = "; ".join(rungs)
    elif limit.comparison is Comparison.RANGE:
        keys["limit.range"] = f"[{_text(limit.low)}, {_text(limit.high)}]"
    else:
        keys[f"limit.{limit.comparison}"] = _text(limit.threshold)
    return keys


def _louder(step: EscalationStep) -> str:
    after = f"{step.attempts} tries" if step.attempts is not None else _duration(step.after_ns or 0)
    then = f", then: {_actions(step.then)}" if step.then else ""
    return f"after: {after}, severity: {step.severity.value}{then}"


def _actions(actions: Iterable[ActionSpec]) -> str:
    return ", ".join(_action(action) for action in actions)


def _action(action: ActionSpec) -> str:
    params = ", ".join(f"{name}: {_text(value)}" for name, value in action.params.items())
    return f"{action.name} {{{params}}}" if params else action.name


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else ""
    if isinstance(value, int | float):
        return f"{value:.12g}"
    return f"[{', '.join(map(_text, value))}]" if isinstance(value, list | tuple) else str(value)


def _duration(nanoseconds: int) -> str:
    return format_duration(nanoseconds) if nanoseconds else ""
