"""The resolved tree of an expression. Equal trees mean the same; the source text takes no part in equality.

Paths are code: how to reach an object from the entity `e` (``e.account``) or from an item variable (``v1``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

from haltline.api.field import Collection, Field, Kind
from haltline.api.function import Function
from haltline.expr.value import Operator, Relation

if TYPE_CHECKING:  # a need holds the checked expression that feeds it
    from haltline.expr.window import WindowNeed

type FoldName = Literal["sum", "min", "max", "count", "any", "all"]
type WindowMethod = Literal["change", "max_over", "min_over", "avg_over", "stddev_over", "count", "sum", "streak"]


@dataclass(frozen=True, slots=True)
class Node:
    """One sub-expression: its kind and, for people, its source text."""

    kind: Kind
    source: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A literal, a template input, or what was folded from them. Numbers are floats."""

    value: float | str | bool


@dataclass(frozen=True, slots=True)
class FieldRead(Node):
    """A field read from the object at `path`."""

    field: Field
    path: str

    @property
    def code(self) -> str:
        """The Python expression that reads it."""
        return self.field.reader.format(self.path)


@dataclass(frozen=True, slots=True)
class Age(Node):
    """Seconds since the field was last refreshed."""

    field: Field
    path: str

    @property
    def attribute(self) -> str:
        """The field's name without its root."""
        return self.field.name.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """Minus."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """A binary operation on numbers."""

    operator: Operator
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """A comparison of two numbers."""

    relation: Relation
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Same(Node):
    """Equality of two texts or two truths."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class OneOf(Node):
    """Membership of a number or text in literals."""

    operand: Node
    options: tuple[float | str, ...]


@dataclass(frozen=True, slots=True)
class Contains(Node):
    """Whether `part` occurs in the text `whole`."""

    part: Node
    whole: Node


@dataclass(frozen=True, slots=True)
class Not(Node):
    """Kleene's not."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """Kleene's and, or."""

    operator: Literal["and", "or"]
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`body if test else orelse`."""

    test: Node
    body: Node
    orelse: Node


@dataclass(frozen=True, slots=True)
class Builtin(Node):
    """A function of `stdlib` over numbers."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A registered function."""

    function: Function
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Known(Node):
    """Whether the operand is known; never unknown itself."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Coalesce(Node):
    """The first operand that is known."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fold(Node):
    """An aggregate over the items of a collection, each bound to `variable`; `element` is None for a bare count."""

    name: FoldName
    collection: Collection
    path: str
    variable: str
    element: Node | None
    condition: Node | None

    @property
    def code(self) -> str:
        """The Python expression that gives the iterable."""
        return self.collection.reader.format(self.path)


@dataclass(frozen=True, slots=True)
class Window(Node):
    """A statistic of a kept history: `path`.windows[`index`].`method`(now)."""

    need: "WindowNeed"
    path: str
    index: int
    method: WindowMethod

    @property
    def code(self) -> str:
        """The Python expression that reads it; `clock` is in scope."""
        return f"{self.path}.windows[{self.index}].{self.method}(clock.now_ns)"


def children(node: Node) -> Iterator[Node]:
    """The direct sub-expressions, in reading order."""
    for attribute in fields(node):
        part = getattr(node, attribute.name)
        if isinstance(part, Node):
            yield part
        elif isinstance(part, tuple):
            yield from (each for each in part if isinstance(each, Node))


def depth(node: Node) -> int:
    """How many levels the tree has."""
    return 1 + max((depth(child) for child in children(node)), default=0)


def cost(node: Node) -> int:
    """Upper estimate of the node evaluations of one evaluation, collections at their declared bounds."""
    inner = sum(cost(child) for child in children(node))
    if isinstance(node, Fold):
        return 2 + node.collection.bound * (1 + inner)
    if isinstance(node, Call):
        return node.function.cost + inner
    return 1 + inner + (5 if isinstance(node, Window) else 0)
