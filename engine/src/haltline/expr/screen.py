"""Many conditions in one function: which of them are not definitely false for an entity. This is the hot path."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from haltline.expr.checked import Checked
from haltline.expr.compile import compile_truth, execute
from haltline.expr.emit import Emitter
from haltline.expr.explain import evaluate_tree
from haltline.expr.hoist import hoist
from haltline.model.rule import Scope

type Screen = Callable[[object], Sequence[int]]

CHUNK = 64
"""Conditions per generated function: enough to share reads, small enough to compile quickly."""
NOTHING: tuple[int, ...] = ()


def compile_screen(conditions: Sequence[tuple[int, Checked]], scope: Scope, bindings: Mapping[str, object]) -> Screen:
    """One function that gives the numbers of the conditions that are true or UNKNOWN, in the order given.

    When there are none it returns a shared empty tuple and has allocated nothing. A condition that raises is looked at
    by the explaining evaluator and never stops the others.
    """
    stray = next((checked for _, checked in conditions if checked.scope is not scope), None)
    if stray is not None:
        raise ValueError(f"{stray.text!r} is about each {stray.scope}, the screen about each {scope}")
    chunks = [conditions[start : start + CHUNK] for start in range(0, len(conditions), CHUNK)]
    screens = [_compile_chunk(chunk, bindings) for chunk in chunks]
    if len(screens) == 1:
        return screens[0]
    return _joined(screens)


def _joined(screens: list[Screen]) -> Screen:
    def screen(entity: object) -> Sequence[int]:
        hits: Sequence[int] = NOTHING
        for part in screens:
            found = part(entity)
            if found:
                hits = [*hits, *found] if hits else found
        return hits

    return screen


def _compile_chunk(chunk: Sequence[tuple[int, Checked]], bindings: Mapping[str, object]) -> Screen:
    emitter = Emitter(bindings)
    trees = [checked.tree for _, checked in chunk]
    alone: list[Callable[[object], bool]] = []

    def open_one(position: int, entity: object) -> bool:
        return evaluate_tree(trees[position], entity, bindings) is not False

    def open_all(entity: object) -> Sequence[int]:
        if not alone:  # compiled on the first entity that lacks a shared part
            alone.extend(compile_truth(checked, bindings).is_false for _, checked in chunk)
        found = [number for (number, _), is_false in zip(chunk, alone, strict=True) if not is_false(entity)]
        return found or NOTHING

    emitter.namespace.update(_open_one=open_one, _open_all=open_all, _NOTHING=NOTHING)
    lines = _prologue(hoist(emitter, trees))
    for position, (number, checked) in enumerate(chunk):
        lines += _condition(position, number, emitter.false(checked.tree))
    lines += ["return _NOTHING if hits is None else hits"]
    emitter.functions.append("\n".join(["def screen(e):", *(f"    {line}" for line in lines)]))
    return cast(Screen, execute(emitter)["screen"])


def _prologue(assignments: list[str]) -> list[str]:
    if not assignments:
        return ["hits = None"]
    return [
        "hits = None",
        "try:",
        *(f"    {line}" for line in assignments),
        "except _FAULTS:",
        "    return _open_all(e)",
    ]


def _condition(position: int, number: int, false: str) -> list[str]:
    add = ["if hits is None:", f"    hits = [{number}]", "else:", f"    hits.append({number})"]
    return [
        "try:", f"    if not {false}:", *(f"        {line}" for line in add),
        "except _FAULTS:", f"    if _open_one({position}, e):", *(f"        {line}" for line in add),
    ]  # fmt: skip
