"""Conditions made from checked expressions: how a limit becomes a condition, with the language's own tolerance."""

from collections.abc import Sequence
from typing import Literal

from haltline.api.field import Change, Kind
from haltline.expr.checked import Checked
from haltline.expr.node import Arithmetic, Compare, Constant, Logic, Node, cost

type Operator = Literal["gt", "ge", "lt", "le"]
_WRITTEN: dict[Operator, str] = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def comparison(left: Checked, op: Operator, right: Checked | float) -> Checked:
    """`left op right` as a condition; both are numbers."""
    text = f"{left.text} {_WRITTEN[op]} {_text(right)}"
    parts = (left, right) if isinstance(right, Checked) else (left,)
    return _combined(Compare(Kind.BOOL, text, op, left.tree, _tree(right)), parts)


def conjunction(*parts: Checked) -> Checked:
    """All of the conditions."""
    return parts[0] if len(parts) == 1 else _logic("and", parts)


def disjunction(*parts: Checked) -> Checked:
    """At least one of the conditions."""
    return parts[0] if len(parts) == 1 else _logic("or", parts)


def scaled(part: Checked, factor: float) -> Checked:
    """A number times a constant factor, of the same kind."""
    if isinstance(part.tree, Constant) and isinstance(part.tree.value, float):
        tree: Node = Constant(part.kind, f"{part.tree.value * factor:g}", part.tree.value * factor)
    else:
        tree = Arithmetic(part.kind, f"({part.text}) * {factor:g}", "*", part.tree, _tree(factor))
    return _combined(tree, (part,))


def _logic(operator: Literal["and", "or"], parts: Sequence[Checked]) -> Checked:
    text = f" {operator} ".join(f"({part.text})" for part in parts)
    return _combined(Logic(Kind.BOOL, text, operator, tuple(part.tree for part in parts)), parts)


def _tree(part: Checked | float) -> Node:
    return part.tree if isinstance(part, Checked) else Constant(Kind.NUMBER, f"{part:g}", float(part))


def _text(part: Checked | float) -> str:
    return part.text if isinstance(part, Checked) else f"{part:g}"


def _combined(tree: Node, parts: Sequence[Checked]) -> Checked:
    changes: dict[str, Change] = {}
    for part in parts:
        for root, change in part.changes.items():
            changes[root] = changes.get(root, Change.NONE) | change
    reads: frozenset[str] = frozenset().union(*(part.reads for part in parts))
    windows = tuple(dict.fromkeys(need for part in parts for need in part.windows))
    return Checked(
        text=tree.source,
        scope=parts[0].scope,
        tree=tree,
        reads=reads,
        changes=changes,
        windows=windows,
        cost=cost(tree),
    )
