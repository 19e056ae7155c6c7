"""What history an expression needs; the state keeps exactly that and nothing else."""

from dataclasses import dataclass
from typing import Literal

from haltline.api.field import Change
from haltline.expr.checked import Checked
from haltline.model.rule import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowNeed:
    """One history, kept by every object of scope `owner`; needs of equal meaning are equal.

    A `series` samples `reader` (a number over the owner) whenever one of `changes` happens to it. `events` takes
    `reader` (over `Scope.FILL`) of each new fill: a number, constantly 1 for a count, a truth for a streak.
    `duration_ns` is how far back; None for a streak.
    """

    owner: Scope
    kind: Literal["series", "events"]
    reader: Checked
    duration_ns: int | None
    changes: Change

    @property
    def root(self) -> str:
        """The root name of the owner: ``account``."""
        return self.owner.value


class WindowPlan:
    """The histories of a whole rule set: each distinct need has one place in its owner's list `windows`."""

    def __init__(self) -> None:
        self._places: dict[Scope, dict[WindowNeed, int]] = {}

    def index(self, need: WindowNeed) -> int:
        """The need's place in its owner's list, allotted on first sight."""
        places = self._places.setdefault(need.owner, {})
        return places.setdefault(need, len(places))

    def needs(self, scope: Scope) -> tuple[WindowNeed, ...]:
        """All needs of objects of that scope, in the order of their places."""
        return tuple(self._places.get(scope, ()))
