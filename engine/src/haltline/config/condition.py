"""Comparisons of template inputs: the `check` of a constraint and the `if` of a rule in a template.

A closed handful of operations on values that are known when a file is loaded; rules use the expression language.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import cast

from haltline.model.rule import ConstantValue

_COMPARE: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.Lt: cast("Callable[[object, object], bool]", operator.lt),
    ast.LtE: cast("Callable[[object, object], bool]", operator.le),
    ast.Gt: cast("Callable[[object, object], bool]", operator.gt),
    ast.GtE: cast("Callable[[object, object], bool]", operator.ge),
    ast.In: lambda item, items: item in cast("tuple[object, ...]", items),
    ast.NotIn: lambda item, items: item not in cast("tuple[object, ...]", items),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_LONGEST = 500


def holds(text: str, inputs: Mapping[str, ConstantValue]) -> bool:
    """Whether a comparison of inputs (keys such as ``inputs.limit``) is true; raises ValueError for anything else."""
    if len(text) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        value = _value(tree.body, inputs)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("it is not a comparison of inputs") from error
    except (TypeError, ZeroDivisionError) as error:
        raise ValueError(f"its parts cannot be compared ({error})") from error
    if not isinstance(value, bool):
        raise ValueError("it is neither true nor false")
    return value


def _value(node: ast.expr, inputs: Mapping[str, ConstantValue]) -> object:
    match node:
        case ast.Constant(value=str() | int() | float() as value):
            return value
        case ast.Name(id="true" | "false" as name):
            return name == "true"
        case ast.Attribute(value=ast.Name(id="inputs"), attr=attribute):
            return _input(f"inputs.{attribute}", inputs)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(_value(item, inputs) for item in items)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, inputs)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -cast("float", _value(operand, inputs))
        case ast.BoolOp(op=op, values=values):
            parts = [bool(_value(value, inputs)) for value in values]
            return all(parts) if isinstance(op, ast.And) else any(parts)
        case ast.BinOp(left=left, op=binary, right=right) if type(binary) in _ARITHMETIC:
            numbers = (cast("float", _value(left, inputs)), cast("float", _value(right, inputs)))
            return _ARITHMETIC[type(binary)](*numbers)
        case ast.Compare():
            return _chain(node, inputs)
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is more than a comparison of inputs")


def _chain(node: ast.Compare, inputs: Mapping[str, ConstantValue]) -> bool:
    values = [_value(item, inputs) for item in (node.left, *node.comparators)]
    pairs = zip(node.ops, values, values[1:], strict=False)
    for op, left, right in pairs:
        compare = _COMPARE.get(type(op))
        if compare is None:
            raise ValueError("'is' is no comparison of inputs")
        if not compare(left, right):
            return False
    return True


def _input(name: str, inputs: Mapping[str, ConstantValue]) -> ConstantValue:
    if name not in inputs:
        raise ValueError(f"{name!r} is not declared under 'inputs'")
    return inputs[name]
