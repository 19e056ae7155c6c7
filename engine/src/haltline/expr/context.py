"""What a sub-expression is resolved in: the object it is about, generator variables, and what has been read."""

import ast
from dataclasses import dataclass, field
from typing import NamedTuple

from haltline.api.field import Change
from haltline.expr.window import WindowNeed
from haltline.model.rule import Scope


class Base(NamedTuple):
    """The object an expression is about, the code that reaches it, and the root its changes count for."""

    scope: Scope
    path: str
    credit: str | None = None


class Item(NamedTuple):
    """A generator's variable: the root of its items, its code, and the root its changes count for."""

    root: str
    path: str
    credit: str


@dataclass(slots=True)
class Budget:
    """Bounds how large and deep an expression may become when its definitions are inlined."""

    parts: int = 5000
    levels: int = 80

    def enter(self) -> bool:
        """Go one level deeper; False where that is too deep or too much."""
        if self.parts <= 0 or self.levels <= 0:
            return False
        self.parts -= 1
        self.levels -= 1
        return True

    def leave(self) -> None:
        """Come back up one level."""
        self.levels += 1


@dataclass(slots=True)
class Reads:
    """What an expression depends on, collected while it is resolved."""

    fields: set[str] = field(default_factory=set)
    changes: dict[str, Change] = field(default_factory=dict)
    windows: list[WindowNeed] = field(default_factory=list)

    def note(self, root: str, change: Change) -> None:
        """Changes of that kind to that root object count; what time alone may change counts under the clock too."""
        if change:
            self.changes[root] = self.changes.get(root, Change.NONE) | change
        if change & Change.TIME:
            self.changes["clock"] = self.changes.get("clock", Change.NONE) | Change.TIME

    def absorb(self, other: "Reads", credit: str | None) -> None:
        """Take over what a part depends on."""
        self.fields |= other.fields
        for root, change in other.changes.items():
            self.note(root if credit is None or root == "clock" else credit, change)
        self.windows += [need for need in other.windows if need not in self.windows]


def dotted(node: ast.AST) -> tuple[str, ...] | None:
    """The parts of a plain dotted name; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(parts))
