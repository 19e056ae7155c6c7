"""Which way each change of a rule goes, and when a running engine would use it."""

from collections.abc import Mapping

from haltline.model.loosening import LooseningPolicy
from haltline.model.rule import RuleSpec
from haltline.rules.difference import RuleChange, RuleDifference
from haltline.rules.loosening import Direction

_WHEN = {
    LooseningPolicy.AT_ONCE: "at once",
    LooseningPolicy.NEXT_SESSION: "at the next session",
    LooseningPolicy.SECOND_OPERATOR: "once a second operator agrees",
    LooseningPolicy.BOTH: "at the next session, or once a second operator agrees",
}
_STYLES = {Direction.TIGHTENS: "green", Direction.LOOSENS: "red", Direction.MIXED: "yellow"}


def ways_of(
    difference: RuleDifference, rules: Mapping[str, RuleSpec], policy: LooseningPolicy
) -> dict[str, dict[str, str]]:
    """For every rule that is not the same: its direction, and when it counts; `rules` are the old ones."""
    found = {name: (Direction.TIGHTENS, policy) for name in difference.added}
    found |= {name: (Direction.LOOSENS, _policy(rules[name], policy)) for name in difference.removed}
    found |= {each.rule: (each.direction, _policy(rules[each.rule], policy)) for each in difference.changed}
    return {name: {"direction": way.value, "applies": _applies(way, asked)} for name, (way, asked) in found.items()}


def sentence_of(way: Mapping[str, str]) -> str:
    """One way in words."""
    said = {
        Direction.NEUTRAL: "only words; decides as before",
        Direction.TIGHTENS: "tightens",
        Direction.LOOSENS: "loosens",
    }.get(Direction(way["direction"]), "may loosen: not shown to be as strict")
    return f"{said}; counts {way['applies']}" if way["direction"] != Direction.NEUTRAL else said


def style_of(change: RuleChange) -> str:
    """How a changed rule is coloured."""
    return _STYLES.get(change.direction, "yellow")


def _policy(spec: RuleSpec, policy: LooseningPolicy) -> LooseningPolicy:
    return policy if spec.loosening is None else policy.joined(spec.loosening)


def _applies(way: Direction, policy: LooseningPolicy) -> str:
    return _WHEN[policy if way in (Direction.LOOSENS, Direction.MIXED) else LooseningPolicy.AT_ONCE]
