"""The capability matrix of brokers as a page of the docs."""

from collections.abc import Iterable, Sequence

from haltline.api import Capability
from haltline.testing.conformance.case import BrokerCase
from haltline.testing.conformance.record import PASSED, ConformanceRecord

_ABOUT = """What each broker promises, and what its plugin has shown of the [suite](../plugins.md#conformance) that all
run with their genuine client against a simulator. `yes` is a flag of the kind; a flag counts only with its cases.
"""
_RESULTS = """`✓` passed. `–` not promised: the kind has no such flag, or its simulator cannot let the fault happen.
"""


def brokers_page(records: Sequence[ConformanceRecord], cases: Iterable[BrokerCase]) -> str:
    """The brokers, their flags, and every case."""
    ordered = sorted(records, key=lambda record: record.name)
    names = [record.name for record in ordered]
    kinds = [
        (f"`{each.name}`", each.meaning, "two" if each.paired else "one", each.limits or "none declared",
         f"{len(each.passed)} of {len(each.cases)}")
        for each in ordered
    ]  # fmt: skip
    flags = [
        (f"`{flag.value}`", *("yes" if flag.value in each.capabilities else "" for each in ordered))
        for flag in Capability
    ]
    results = [
        (f"`{case.id}`", case.title, *(_sign(each.cases.get(case.id, "")) for each in ordered)) for case in cases
    ]
    return "\n".join(
        (
            _ABOUT,
            _table(("broker", "what it is", "connections", "limits", "cases passed"), kinds),
            "## Flags\n",
            _table(("flag", *names), flags),
            f"## Cases\n\n{_RESULTS}",
            _table(("case", "promise", *names), results),
        )
    )


def _sign(shown: str) -> str:
    if shown == PASSED:
        return "✓"
    return "–" if shown.startswith("not promised") else "✗"


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
