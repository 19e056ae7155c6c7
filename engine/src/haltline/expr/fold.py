"""Constant folding: what does not depend on the state is computed once, by the explaining evaluator."""

from haltline.expr.explain import evaluate_tree
from haltline.expr.node import (
    Age,
    Call,
    Constant,
    FieldRead,
    Fold,
    Known,
    Node,
    Window,
    children,
)
from haltline.expr.value import is_known

_DEPENDENT = (Age, Call, Constant, FieldRead, Fold, Known, Window)


def fold_constant(tree: Node) -> Node | None:
    """The tree, or the constant it always is; None where it is always UNKNOWN."""
    if isinstance(tree, _DEPENDENT) or not all(isinstance(child, Constant) for child in children(tree)):
        return tree
    value = evaluate_tree(tree, None, {})
    if value is None or not is_known(value):
        return None
    return Constant(tree.kind, tree.source, value)
