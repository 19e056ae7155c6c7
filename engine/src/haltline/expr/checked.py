"""A checked expression: resolved, typed, bounded, ready to compile or explain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haltline.api.field import Change, Kind
from haltline.expr.node import Constant, FieldRead, Node
from haltline.model.rule import Scope

if TYPE_CHECKING:  # a need holds a Checked
    from haltline.expr.window import WindowNeed


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An expression over one entity of `scope`. Two are equal when they mean the same, whatever their text.

    `reads` are field names; `changes` tells which changes of which root object (``account``, ``clock``) may alter the
    value; `windows` is the history it needs; `cost` an upper estimate of node evaluations.
    """

    text: str = field(compare=False)
    scope: Scope
    tree: Node
    reads: frozenset[str] = field(compare=False, default=frozenset())
    changes: Mapping[str, Change] = field(compare=False, default_factory=dict)
    windows: "tuple[WindowNeed, ...]" = field(compare=False, default=())
    cost: int = field(compare=False, default=0)

    @property
    def kind(self) -> Kind:
        """The kind of the value."""
        return self.tree.kind

    @property
    def choices(self) -> tuple[str, ...]:
        """The closed choices, where the expression is an enumeration field."""
        return self.tree.field.choices if isinstance(self.tree, FieldRead) else ()

    @property
    def is_constant(self) -> bool:
        """Whether the value is the same for every state."""
        return isinstance(self.tree, Constant)

    @property
    def constant(self) -> float | str | bool | None:
        """The constant value; None where the expression is not constant."""
        return self.tree.value if isinstance(self.tree, Constant) else None
