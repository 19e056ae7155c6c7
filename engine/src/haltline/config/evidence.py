"""`evidence:` of a rule and of the set-up, and `caps:`: how sure an action must be, and how much it may touch."""

from collections.abc import Iterable
from dataclasses import dataclass

from haltline.api.registry import Registry
from haltline.clock import parse_duration
from haltline.config.finding import Findings, did_you_mean
from haltline.config.scalar import fraction_of
from haltline.config.source import MappingNode, Node, ScalarNode
from haltline.errors import Place
from haltline.model.plan import Caps, Over
from haltline.model.rule import ActionSpec, Evidence, EvidenceSpec

HOLD, ALL = "hold", "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEntry:
    """Defaults for evidence: by which fraction two observations of a price may differ and still back each other, and
    how long a breach must hold where evidence is missing.
    """

    tolerance: float = 0.01
    hold_ns: int = 2_000_000_000


def bind_evidence(
    node: Node | None, actions: Iterable[ActionSpec], registry: Registry, findings: Findings, where: str
) -> EvidenceSpec | None:
    """One grade for all actions of a rule, or a mapping of actions (and ``all``) to grades, with a ``hold``.

    A grade below what an action asks for by itself is allowed, and remarked upon (E447).
    """
    if isinstance(node, ScalarNode):
        spec = EvidenceSpec(grade=Evidence(node.text.strip()))
    elif isinstance(node, MappingNode):
        spec = _mapped(node)
    else:
        return None
    used = {each.name for each in actions}
    for name in spec.actions:
        _require_waiting(name, used, registry, findings, _place_of(node, name), where)
    for name in sorted(used):
        action = registry.actions.get(name)
        said = spec.actions.get(name) or spec.grade
        if action is not None and said is not None and not action.is_immediate and said.rank < action.grade.rank:
            what = f"{name!r} runs on less evidence ({said.value}) than it asks for by itself ({action.grade.value})"
            cure = "remove the key unless that is what you mean"
            findings.warn("E447", _place_of(node, name), what, cure, where=where)
    return spec


def _place_of(node: Node, name: str) -> Place:
    return node.place_of(name) if isinstance(node, MappingNode) else node.place


def _mapped(node: MappingNode) -> EvidenceSpec:
    grades = {
        name: Evidence(value.text.strip())
        for name, value in node.entries.items()
        if isinstance(value, ScalarNode) and name != HOLD
    }
    hold = node.get(HOLD)
    return EvidenceSpec(
        grade=grades.pop(ALL, None),
        actions=grades,
        hold_ns=parse_duration(hold.text.strip()) if isinstance(hold, ScalarNode) else None,
    )


def _require_waiting(
    name: str, used: set[str], registry: Registry, findings: Findings, place: Place, where: str
) -> None:
    action = registry.actions.get(name)
    if action is not None and action.is_immediate:
        what = f"{name!r} never waits for evidence"
        findings.add("E446", place, what, "remove the key", where=where)
    elif name not in used:
        what = f"the rule has no action {name!r} that could wait for evidence"
        findings.add("E446", place, what, did_you_mean(name, {*used, ALL, HOLD}), where=where)


def bind_evidence_defaults(node: MappingNode | None) -> EvidenceEntry:
    """`evidence:` of the set-up."""
    default = EvidenceEntry()
    tolerance, hold = _text(node, "tolerance"), _text(node, HOLD)
    share = fraction_of(tolerance) if tolerance else None
    return EvidenceEntry(
        tolerance=share if share is not None else float(tolerance) if tolerance else default.tolerance,
        hold_ns=parse_duration(hold) if hold else default.hold_ns,
    )


def bind_caps(node: MappingNode | None) -> Caps:
    """`caps:` of the set-up: what counts for every action whose rule says nothing else."""
    positions, notional, orders = (_text(node, key) for key in ("max_positions", "max_notional", "max_orders"))
    return Caps(
        max_positions=int(positions) if positions else None,
        max_notional=float(notional) if notional else None,
        max_orders=int(orders) if orders else None,
        over=Over(_text(node, "over") or Over.CONSENT),
    )


def _text(node: MappingNode | None, key: str) -> str:
    value = node.get(key) if node is not None else None
    return value.text.strip() if isinstance(value, ScalarNode) else ""
