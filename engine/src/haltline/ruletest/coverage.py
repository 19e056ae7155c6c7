"""Which of the five cases of each rule a suite has shown, and which of its branches never ran.

A case is *inferred* from what happened and was expected: a rule that breached is shown firing; one that a test expects
not to breach, and that did not, is shown quiet; a limit measured exactly at its threshold is a boundary; an UNKNOWN
verdict is unknown data; an expectation after a restart is a restart. What cannot be inferred (the boundary of a hold,
say) is declared with `covers`. Rules made from one template count as one rule, whatever ids they were given.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from haltline.errors import Place
from haltline.model.rule import RuleMode, RuleSpec
from haltline.model.verdict import Phase, Transition
from haltline.ruletest.case import Case, CaseKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCoverage:
    """The cases that one rule has shown."""

    KINDS: ClassVar[tuple[CaseKind, ...]] = tuple(CaseKind)
    name: str
    shown: frozenset[CaseKind]
    never_seen: tuple[str, ...] = ()

    @property
    def missing(self) -> frozenset[CaseKind]:
        """The cases not shown."""
        return frozenset(CaseKind) - self.shown

    @property
    def is_complete(self) -> bool:
        """Whether all five were shown."""
        return not self.missing


@dataclass(slots=True)
class Seen:
    """What one test showed of one rule."""

    breached: bool = False
    unknown: bool = False
    expected_quiet: bool = False
    boundary: bool = False
    restarted: bool = False
    branches: set[str] = field(default_factory=set)

    def kinds(self) -> Iterator[CaseKind]:
        """The cases this amounts to."""
        if self.breached:
            yield CaseKind.FIRING
        elif self.expected_quiet:
            yield CaseKind.NOT_FIRING
        if self.boundary:
            yield CaseKind.BOUNDARY
        if self.unknown:
            yield CaseKind.UNKNOWN
        if self.restarted:
            yield CaseKind.RESTART


class Tally:
    """Collects, over all files, what the rules have shown."""

    def __init__(self) -> None:
        self._shown: dict[str, set[CaseKind]] = {}
        self._branches: dict[str, set[str]] = {}
        self._wanted: dict[str, set[str]] = {}

    def add_rules(self, rules: Iterable[RuleSpec], uses: Mapping[Place, str]) -> None:
        """Rules that are to be covered; `uses` maps the place of a `use:` to the id beside it."""
        for spec in rules:
            if spec.mode is not RuleMode.OFF:
                name = coverage_name(spec, uses)
                self._shown.setdefault(name, set())
                self._branches.setdefault(name, set())
                self._wanted.setdefault(name, set()).update(branches_of(spec))

    def add_case(
        self, case: Case, rules: Sequence[RuleSpec], uses: Mapping[Place, str], seen: Mapping[str, Seen]
    ) -> None:
        """What one passed test has shown."""
        names = {str(spec.id): coverage_name(spec, uses) for spec in rules}
        for rule, what in seen.items():
            name = names.get(rule)
            if name in self._shown:
                self._shown[name].update(what.kinds())
                self._branches[name].update(what.branches)
        for cover in case.covers:
            name = names.get(cover.rule)
            if name in self._shown:
                self._shown[name].add(cover.kind)

    def result(self) -> tuple[RuleCoverage, ...]:
        """All rules by name."""
        return tuple(
            RuleCoverage(
                name=name,
                shown=frozenset(shown),
                never_seen=tuple(sorted(self._wanted[name] - self._branches[name])),
            )
            for name, shown in sorted(self._shown.items())
        )


def coverage_name(spec: RuleSpec, uses: Mapping[Place, str]) -> str:
    """The template and the rule's part in it (``starter/concentration-hhi``), or the rule's own id."""
    if not spec.template:
        return str(spec.id)
    place = spec.places.get("")
    used_as = uses.get(place, "") if place is not None else ""
    return spec.template + str(spec.id).partition("@")[0].removeprefix(used_as)


def branches_of(spec: RuleSpec) -> Iterator[str]:
    """What of a rule can run at all, beside firing."""
    if spec.limit is not None and spec.limit.warn is not None:
        yield "warning"
    if spec.limit is not None:
        yield from (f"step {number + 1}" for number in range(len(spec.limit.steps)))
    if spec.on_clear:
        yield "on_clear"


def branch_of(transition: Transition) -> str:
    """The branch that a transition shows; empty for none."""
    if transition.phase is Phase.WARNING:
        return "warning"
    if transition.phase is Phase.BREACHED and transition.step is not None:
        return f"step {transition.step + 1}"
    if transition.phase is Phase.RESOLVED and transition.previous is Phase.BREACHED:
        return "on_clear"
    return ""
