"""Inhibition: while one thing goes on, others that follow from it are not told."""

from collections.abc import Iterable, Mapping, Sequence

from haltline.config.routing import InhibitEntry
from haltline.model.matcher import match_all


def is_inhibited(
    labels: Mapping[str, str], sources: Iterable[Mapping[str, str]], rules: Sequence[InhibitEntry]
) -> bool:
    """Whether something that goes on (the labels of `sources`) keeps these labels quiet.

    What fits both sides of a rule is not kept quiet by what fits both sides too, itself included.
    """
    aimed = [rule for rule in rules if match_all(rule.mute, labels)]
    if not aimed:
        return False
    going_on = list(sources)
    return any(_holds(rule, labels, source) for rule in aimed for source in going_on)


def _holds(rule: InhibitEntry, labels: Mapping[str, str], source: Mapping[str, str]) -> bool:
    if not match_all(rule.when, source):
        return False
    if any(source.get(name, "") != labels.get(name, "") for name in rule.equal):
        return False
    two_sided = match_all(rule.when, labels)
    return not (two_sided and match_all(rule.mute, source))
