"""The one meaning of every operation on values; both evaluators and constant folding use these functions.

A numeric UNKNOWN is NaN, any other UNKNOWN is None; a result that is not finite is UNKNOWN. Two numbers are equal
within 1e-9 relative, or 1e-9 absolute near zero.
"""

import math
from functools import partial
from typing import Literal

type Value = float | str | bool | None
type Operator = Literal["+", "-", "*", "/", "//", "%", "**"]
type Relation = Literal["gt", "ge", "lt", "le", "eq", "ne"]

NAN = math.nan
INF = math.inf
TOLERANCE = 1e-9
FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a field or computing with it may raise: the value is then UNKNOWN."""

close = partial(math.isclose, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def finite(number: float) -> float:
    """The number, or NaN where it is infinite."""
    return number if -INF < number < INF else NAN


def is_known(value: Value) -> bool:
    """Whether the value is neither None nor a number that is not finite."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is not None


def power(base: float, exponent: float) -> float:
    """`base ** exponent`; NaN for an overflow, a zero to a negative power, or a result that is not real."""
    if not -INF < base < INF:
        return NAN
    try:
        result = base**exponent
    except (OverflowError, ZeroDivisionError):
        return NAN
    return finite(result) if isinstance(result, float) else NAN


def arithmetic(operator: Operator, left: float, right: float) -> float:
    """One binary operation; NaN for UNKNOWN operands, division by zero and overflow."""
    if not (math.isfinite(left) and math.isfinite(right)):
        return NAN
    match operator:
        case "+":
            return finite(left + right)
        case "-":
            return finite(left - right)
        case "*":
            return finite(left * right)
        case "**":
            return power(left, right)
    if right == 0:
        return NAN
    if operator == "/":
        return finite(left / right)
    return finite(left // right if operator == "//" else left % right)


def compare(relation: Relation, left: float, right: float) -> bool | None:
    """A comparison of numbers with tolerance; None where either is UNKNOWN."""
    if not (math.isfinite(left) and math.isfinite(right)):
        return None
    near = close(left, right)
    match relation:
        case "gt":
            return left > right and not near
        case "ge":
            return left > right or near
        case "lt":
            return left < right and not near
        case "le":
            return left < right or near
        case "eq":
            return near
        case "ne":
            return not near


def lesser(left: float, right: float) -> float:
    """The smaller number; NaN where either is UNKNOWN."""
    return left if left < right else right if right <= left else NAN


def greater(left: float, right: float) -> float:
    """The larger number; NaN where either is UNKNOWN."""
    return left if left > right else right if right >= left else NAN


def negate(truth: bool | None) -> bool | None:
    """Kleene's not."""
    return None if truth is None else not truth


def conjoin(truths: list[bool | None]) -> bool | None:
    """Kleene's and."""
    if False in truths:
        return False
    return None if None in truths else True


def disjoin(truths: list[bool | None]) -> bool | None:
    """Kleene's or."""
    if True in truths:
        return True
    return None if None in truths else False


def age_seconds(owner: object, attribute: str, clock: object) -> float:
    """Seconds since `owner` last heard of the attribute; NaN where it never did."""
    as_of_ns = owner.as_of(attribute)  # type: ignore[attr-defined]  # entities of any layer above
    if as_of_ns is None:
        return NAN
    return max(0.0, float((clock.now_ns - as_of_ns) / 1e9))  # type: ignore[attr-defined]


def close_range(centre: float) -> tuple[float, float]:
    """The smallest and the largest float that count as equal to `centre`, found by bisection over floats."""
    reach = max(abs(centre) * 4 * TOLERANCE, 4 * TOLERANCE)
    return _last_close(centre, centre - reach), _last_close(centre, centre + reach)


def _last_close(centre: float, outside: float) -> float:
    inside = centre
    while True:
        middle = inside + (outside - inside) / 2
        if middle in (inside, outside):
            return inside
        if close(middle, centre):
            inside = middle
        else:
            outside = middle
