"""How large a number can become: where the bound is finite, compiled code needs no guard against infinity."""

import math
import sys

from haltline.expr.node import (
    Age,
    Arithmetic,
    Builtin,
    Call,
    Choice,
    Coalesce,
    Constant,
    FieldRead,
    Fold,
    Negative,
    Node,
    Window,
)

INFINITE = math.inf
FIELD_BOUND = 1e18
"""The state never holds a larger number."""
_LARGEST = sys.float_info.max


def magnitude(node: Node) -> float:
    """An upper bound of the absolute value; infinite where the result may overflow."""
    match node:
        case Constant(value=value):
            return abs(value) if isinstance(value, float) else 0.0
        case FieldRead() | Age():
            return FIELD_BOUND
        case Negative():
            return magnitude(node.operand)
        case Arithmetic():
            return _arithmetic(node)
        case Builtin(name="abs"):
            return magnitude(node.arguments[0])
        case Builtin() | Call() | Fold():
            return _LARGEST
        case Choice():
            return max(magnitude(node.body), magnitude(node.orelse))
        case Coalesce():
            return max(magnitude(operand) for operand in node.operands)
        case Window():
            return INFINITE
    return 0.0


def _arithmetic(node: Arithmetic) -> float:
    left, right = magnitude(node.left), magnitude(node.right)
    if INFINITE in (left, right):
        return INFINITE
    if node.operator in ("+", "-"):
        return left + right
    if node.operator == "*":
        return left * right
    if not isinstance(node.right, Constant) or not isinstance(node.right.value, float):
        return INFINITE
    return _by_constant(node.operator, left, node.right.value)


def _by_constant(operator: str, left: float, right: float) -> float:
    if operator == "%":
        return abs(right)
    if operator != "**":
        return max(left / abs(right), 1.0) if right else INFINITE
    if right < 1 or right != int(right):
        return _LARGEST
    try:
        return float(max(left, 1.0) ** right)
    except OverflowError:
        return _LARGEST
