"""What a rule means: everything that may change a decision, and nothing about where or in which words it is written.

Two rules of equal meaning share their incidents, holds and windows over a reload and a restart.
"""

import re
from collections.abc import Mapping

import msgspec

from haltline.model.rule import ActionSpec, LimitSpec, RuleSpec

_LATER = frozenset({"loosening", "evidence", "escalate"})
"""Keys that 0.1.0 did not know: not given, they leave the meaning what it was, so that incidents outlive an upgrade."""


def fingerprint_of(spec: RuleSpec, definitions: Mapping[str, str]) -> bytes:
    """The meaning of a rule as bytes. `definitions` maps the names of derived values to their texts."""
    plain = msgspec.structs.replace(bare_of(spec), title="", why="", runbook="", loosening=None)
    parts = msgspec.to_builtins(plain)
    said = msgspec.json.encode({key: parts[key] for key in parts if key not in _LATER or parts[key]}, order="sorted")
    used = used_definitions(said.decode(), definitions)
    return said + (msgspec.json.encode(used, order="sorted") if used else b"")


def bare_of(spec: RuleSpec) -> RuleSpec:
    """The rule without where it and its parts stand."""
    return msgspec.structs.replace(
        spec,
        places={},
        then=_bare_actions(spec.then),
        on_clear=_bare_actions(spec.on_clear),
        warn_then=_bare_actions(spec.warn_then),
        limit=None if spec.limit is None else _bare_limit(spec.limit),
        escalate=tuple(
            msgspec.structs.replace(step, place=None, then=_bare_actions(step.then)) for step in spec.escalate
        ),
    )


def used_definitions(text: str, definitions: Mapping[str, str]) -> dict[str, str]:
    """The definitions that a text may name, and those that they name: rather one too many, because a generator reads
    ``p.risk_used`` for ``account.risk_used``."""
    found: dict[str, str] = {}
    queue = [text]
    while queue:
        words = set(re.findall(r"\w+", queue.pop()))
        for name, meaning in definitions.items():
            if name not in found and name.rpartition(".")[2] in words:
                found[name] = meaning
                queue.append(meaning)
    return found


def _bare_limit(limit: LimitSpec) -> LimitSpec:
    steps = tuple(msgspec.structs.replace(step, place=None, then=_bare_actions(step.then)) for step in limit.steps)
    return msgspec.structs.replace(limit, steps=steps)


def _bare_actions(actions: tuple[ActionSpec, ...]) -> tuple[ActionSpec, ...]:
    return tuple(msgspec.structs.replace(action, place=None) for action in actions)
