"""The functions every expression may call, and how a registered function is called."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from haltline.api.function import Function
from haltline.expr.value import NAN, Value, finite, greater, is_known, lesser


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinFunction:
    """A function over known, finite numbers. `keeps_kind`: the result has the kind of the arguments."""

    call: Callable[..., float]
    meaning: str
    least: int = 1
    most: int = 1
    keeps_kind: bool = True


def _minimum(*numbers: float) -> float:
    least = numbers[0]
    for number in numbers[1:]:
        least = lesser(least, number)
    return least


def _maximum(*numbers: float) -> float:
    most = numbers[0]
    for number in numbers[1:]:
        most = greater(most, number)
    return most


def _rounded(number: float, digits: float = 0.0) -> float:
    return round(number, int(digits))


def _clamped(number: float, low: float, high: float) -> float:
    return lesser(greater(number, low), high)


def _sign(number: float) -> float:
    return float((number > 0) - (number < 0))


BUILTINS: dict[str, BuiltinFunction] = {
    "abs": BuiltinFunction(call=abs, meaning="the size without the sign"),
    "min": BuiltinFunction(call=_minimum, meaning="the smallest of the numbers", least=2, most=16),
    "max": BuiltinFunction(call=_maximum, meaning="the largest of the numbers", least=2, most=16),
    "round": BuiltinFunction(call=_rounded, meaning="rounded, half to even, to so many digits", most=2),
    "floor": BuiltinFunction(call=lambda x: float(math.floor(x)), meaning="the next whole number below"),
    "ceil": BuiltinFunction(call=lambda x: float(math.ceil(x)), meaning="the next whole number above"),
    "clamp": BuiltinFunction(call=_clamped, meaning="the number, held between low and high", least=3, most=3),
    "sqrt": BuiltinFunction(call=math.sqrt, meaning="the square root", keeps_kind=False),
    "log": BuiltinFunction(call=math.log, meaning="the natural logarithm", keeps_kind=False),
    "exp": BuiltinFunction(call=math.exp, meaning="e to that power", keeps_kind=False),
    "sign": BuiltinFunction(call=_sign, meaning="-1, 0 or 1", keeps_kind=False),
}
SERIES = ("change", "max_over", "min_over", "avg_over", "stddev_over")
EVENTS = ("count", "sum", "streak")
FOLDS = ("sum", "min", "max", "count", "any", "all")
SPECIAL = ("known", "age", "coalesce")
NAMES = tuple(sorted({*BUILTINS, *SERIES, *EVENTS, *FOLDS, *SPECIAL}))


def call_builtin(name: str, arguments: Sequence[float]) -> float:
    """The result over numbers; NaN where an argument is UNKNOWN or the function is not defined for it."""
    for argument in arguments:
        if not math.isfinite(argument):
            return NAN
    try:
        return finite(BUILTINS[name].call(*arguments))
    except (ArithmeticError, ValueError):
        return NAN


def builtin_caller(name: str) -> Callable[..., float]:
    """A positional form of `call_builtin` for compiled code."""

    def call(*arguments: float) -> float:
        return call_builtin(name, arguments)

    return call


def call_function(function: Function, arguments: Sequence[Value]) -> tuple[Value, str]:
    """The result of a registered function and, where it is UNKNOWN, why."""
    unknown: Value = NAN if function.returns.is_numeric else None
    for argument in arguments:
        if not is_known(argument):
            return unknown, ""
    try:
        result = function.call(*arguments)
    except Exception as error:  # noqa: BLE001 - plugin guard: a function that raises makes its result UNKNOWN
        return unknown, f"{function.name} failed: {type(error).__name__}"
    accepted = _accepted(function, result)
    return (accepted, "") if is_known(accepted) else (unknown, f"{function.name} has no answer")


def _accepted(function: Function, result: object) -> Value:
    if function.returns.is_numeric:
        number = isinstance(result, int | float) and not isinstance(result, bool)
        return finite(float(result)) if number else NAN  # type: ignore[arg-type]  # narrowed by the test before
    if isinstance(result, bool):
        return result if function.returns.value == "bool" else None
    return result if isinstance(result, str) and function.returns.value != "bool" else None


def function_caller(function: Function) -> Callable[..., Value]:
    """A positional form of `call_function` for compiled code."""

    def call(*arguments: Value) -> Value:
        return call_function(function, arguments)[0]

    return call
