"""Checked expression → Python code objects, compiled once. The answers are always those of `explain`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from haltline.api.field import Kind
from haltline.expr.checked import Checked
from haltline.expr.emit import Emitter
from haltline.expr.explain import evaluate_tree
from haltline.expr.hoist import hoist
from haltline.expr.magnitude import INFINITE, magnitude
from haltline.expr.node import Node
from haltline.expr.value import Value


class Truth(NamedTuple):
    """A compiled condition over an entity. `evaluate` gives None for UNKNOWN; then neither rail holds."""

    is_true: Callable[[object], bool]
    is_false: Callable[[object], bool]
    evaluate: Callable[[object], bool | None]


def compile_truth(checked: Checked, bindings: Mapping[str, object]) -> Truth:
    """Compile a condition. `bindings` holds the globals (`clock`, `portfolio`); nothing it returns ever raises."""
    if checked.kind is not Kind.BOOL:
        raise TypeError(f"{checked.text!r} is {checked.kind}, not a condition")
    tree = checked.tree
    emitter = _emitter(tree, bindings)
    _define(emitter, "is_true", tree, lambda: [f"return {emitter.true(tree)}"], "_slow(e) is True")
    _define(emitter, "is_false", tree, lambda: [f"return {emitter.false(tree)}"], "_slow(e) is False")
    _define(emitter, "evaluate", tree, lambda: emitter.verdict_lines(tree), "_slow(e)")
    namespace = execute(emitter)
    return Truth(
        cast("Callable[[object], bool]", namespace["is_true"]),
        cast("Callable[[object], bool]", namespace["is_false"]),
        cast("Callable[[object], bool | None]", namespace["evaluate"]),
    )


def compile_value(checked: Checked, bindings: Mapping[str, object]) -> Callable[[object], Value]:
    """Compile to the value: a float (NaN for UNKNOWN), a text or a truth (None for UNKNOWN). It never raises."""
    tree = checked.tree
    emitter = _emitter(tree, bindings)
    _define(emitter, "value", tree, lambda: _value_lines(emitter, tree), "_slow(e)")
    return cast("Callable[[object], Value]", execute(emitter)["value"])


def execute(emitter: Emitter) -> dict[str, object]:
    """Run the definitions the emitter has written; returns the namespace that holds them."""
    source = "\n".join(emitter.functions)
    exec(compile(source, "<rule>", "exec"), emitter.namespace)
    return emitter.namespace


def _emitter(tree: Node, bindings: Mapping[str, object]) -> Emitter:
    emitter = Emitter(bindings)
    emitter.namespace["_slow"] = lambda entity: evaluate_tree(tree, entity, bindings)
    return emitter


def _define(emitter: Emitter, name: str, tree: Node, body: Callable[[], list[str]], fallback: str) -> None:
    emitter.names, emitter.paths = {}, {}
    lines = [*hoist(emitter, [tree]), *body()]
    emitter.functions.append(
        "\n".join(
            [f"def {name}(e):", "    try:", *(f"        {line}" for line in lines), "    except _FAULTS:",
             f"        return {fallback}"]
        )
    )  # fmt: skip


def _value_lines(emitter: Emitter, tree: Node) -> list[str]:
    if not tree.kind.is_numeric:
        return emitter.verdict_lines(tree) if tree.kind is Kind.BOOL else [f"return {emitter.text(tree)}"]
    if magnitude(tree) < INFINITE:
        return [f"return {emitter.number(tree)}"]
    return [f"x = {emitter.number(tree)}", "return x if -_inf < x < _inf else _nan"]
