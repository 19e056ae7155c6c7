"""The section `guardian:` of a set-up."""

from collections.abc import Sequence
from decimal import Decimal

from haltline.config.finding import Findings, did_you_mean
from haltline.config.scalar import decimal_of
from haltline.config.settings import GuardianEntry
from haltline.config.source import MappingNode, ScalarNode
from haltline.model.id import AccountId

LOOKS = 3
BEAT_NS = 1_000_000_000
"""The engine leaves a heartbeat this often."""


def is_hasty(silence_ns: int, interval_ns: int) -> bool:
    """Whether one look or one beat that comes late would already count as silence."""
    return interval_ns <= 0 or silence_ns < LOOKS * max(interval_ns, BEAT_NS)


def bind_guardian(node: MappingNode | None, accounts: Sequence[str], findings: Findings) -> GuardianEntry | None:
    """The section, or None where there is none; E425 for an account not in the set-up, E431 for a hasty silence."""
    if node is None:
        return None
    default = GuardianEntry()
    silence_ns = node.duration_ns("silence", default.silence_ns)
    interval_ns = node.duration_ns("interval", default.interval_ns)
    if is_hasty(silence_ns, interval_ns):
        findings.add(
            "E431", node.place_of("silence"), "the silence allowed is too short",
            f"it must be at least {LOOKS}s, and {LOOKS} times 'interval', which must be more than 0", where="guardian",
        )  # fmt: skip
    floors: dict[AccountId, Decimal] = {}
    given = node.get("floor")
    for name, value in given.entries.items() if isinstance(given, MappingNode) else ():
        floor = decimal_of(value.text) if isinstance(value, ScalarNode) else None
        if name not in accounts:
            findings.add(
                "E425", given.place_of(name) if isinstance(given, MappingNode) else node.place,
                f"unknown account {name!r}", did_you_mean(name, accounts, sort="accounts"), where="guardian: floor",
            )  # fmt: skip
        elif floor is not None:
            floors[AccountId(name)] = floor
    on_unknown = node.get("on_unknown")
    return GuardianEntry(
        floors=floors, silence_ns=silence_ns, interval_ns=interval_ns, place=node.place,
        on_unknown=on_unknown.text if isinstance(on_unknown, ScalarNode) else default.on_unknown,
    )  # fmt: skip
