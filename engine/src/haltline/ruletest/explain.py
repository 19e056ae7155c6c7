"""Why a rule says what it says, as lines of text for a failed expectation."""

from collections.abc import Iterator

from haltline.errors import EngineError
from haltline.expr.explain import Explanation
from haltline.kernel.kernel import Kernel
from haltline.model.rule import Scope

_DEEPEST = 4
_MOST_LINES = 24


def explain_rule(kernel: Kernel, rule: str, entity: str) -> str:
    """The verdict of a rule on an entity and every sub-expression with its value; in words if there is none such."""
    try:
        why = kernel.explain(rule, entity)
    except EngineError as error:
        return str(error)
    lines = [f"the verdict is {why.verdict}, the phase {why.phase}" + (f": {why.reason}" if why.reason else "")]
    for part in (why.where, why.condition):
        if part is not None:
            lines += _lines(part, 0)
    shown = lines[:_MOST_LINES]
    return "\n".join([*shown, "…"] if len(lines) > len(shown) else shown)


def ask(kernel: Kernel, text: str, entity: str) -> tuple[str, float | str | bool | None]:
    """How an expression evaluates for an entity, and its value; raises EngineError where it cannot be asked."""
    explanation = kernel.evaluate(text, entity, scope_of(kernel, entity))
    return "\n".join(_lines(explanation, 0)), explanation.value


def scope_of(kernel: Kernel, entity: str) -> Scope:
    """What an entity's key means: ``portfolio``, an account, a position, or an instrument."""
    if entity == "portfolio":
        return Scope.PORTFOLIO
    for scope in (Scope.ACCOUNT, Scope.POSITION, Scope.INSTRUMENT, Scope.ORDER):
        if kernel.state.entity(scope, entity) is not None:
            return scope
    return Scope.ACCOUNT


def _lines(part: Explanation, depth: int) -> Iterator[str]:
    value = f"unknown ({part.unknown})" if part.value is None else _value(part.value)
    yield f"{'  ' * depth}{part.text} = {value}"
    if depth < _DEEPEST:
        for child in part.children:
            if child.children or child.text.strip("\"'") != _value(child.value):
                yield from _lines(child, depth + 1)


def _value(value: float | str | bool | None) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, int | float) else str(value)
