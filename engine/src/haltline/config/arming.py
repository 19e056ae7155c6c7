"""The section `arming:` of a set-up: what must be so before an account is armed."""

from dataclasses import dataclass

from haltline.clock import NS_PER_S
from haltline.config.finding import Findings
from haltline.config.scalar import decimal_of
from haltline.config.source import MappingNode, ScalarNode

SHORTEST_NS = 60 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmingTerms:
    """`readiness` is what drills must have shown of the alarm path, of 100; `drilled_within_ns` how long ago the last
    one may be. 0 asks for nothing."""

    readiness: int = 0
    drilled_within_ns: int = 0


def bind_arming(node: MappingNode | None, findings: Findings) -> ArmingTerms:
    """The section; E445 for a time within which nobody could drill and arm."""
    if node is None:
        return ArmingTerms()
    within_ns = node.duration_ns("drilled_within", 0)
    if node.get("drilled_within") is not None and within_ns < SHORTEST_NS:
        findings.add(
            "E445", node.place_of("drilled_within"), "no drill could be recent enough", "write 1m or more, such as 8d",
            where="arming",
        )  # fmt: skip
    given = node.get("readiness")
    readiness = decimal_of(given.text) if isinstance(given, ScalarNode) else None
    return ArmingTerms(readiness=int(readiness or 0), drilled_within_ns=within_ns)
