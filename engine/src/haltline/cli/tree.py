"""Why a rule says what it says, as a tree: every sub-expression with its value, its source and its age."""

import math

from rich.text import Text
from rich.tree import Tree

from haltline.cli.gauge import amount
from haltline.expr.explain import Explanation
from haltline.kernel.view import Reasoning
from haltline.model.verdict import Verdict

_COLOURS = {
    Verdict.OK: "bold green",
    Verdict.WARNING: "bold yellow",
    Verdict.BREACH: "bold red",
    Verdict.UNKNOWN: "bold magenta",
}
_DEEPEST = 6


def reasoning_tree(why: Reasoning, *, unicode: bool = True) -> Tree:
    """The verdict at the root; below it the filter, the condition and what they were made of."""
    root = Text.assemble((why.verdict.value.upper(), _COLOURS[why.verdict]), f"  {why.rule} on {why.entity}: ")
    root.append(why.title, style="italic")
    if why.reason:
        root.append(f" ({why.reason})")
    tree = Tree(root, guide_style="dim" if unicode else "")
    if why.waits:
        tree.add(Text(why.waits, style="yellow"))
    if why.where is not None:
        _grow(tree.add(Text("applies where", style="dim")), why.where, 0)
    _grow(tree, why.condition, 0)
    return tree


def _grow(tree: Tree, part: Explanation, depth: int) -> None:
    branch = tree.add(_line(part))
    if depth < _DEEPEST:
        for child in part.children:
            if not child.is_number_as_written:
                _grow(branch, child, depth + 1)


def _line(part: Explanation) -> Text:
    line = Text(f"{part.text} ", style="default")
    if part.value is None or (isinstance(part.value, float) and math.isnan(part.value)):
        return line.append("= unknown", style="bold magenta").append(f" {part.unknown}", style="magenta")
    line.append(f"= {_shown(part.value)}", style=_tone(part.value))
    if part.unit:
        line.append(f" {part.unit}", style="dim")
    if part.age_s is not None:
        line.append(f", {part.age_s:.0f} s old", style="dim")
    return line


def _shown(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return amount(value) if isinstance(value, int | float) else repr(value)


def _tone(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "bold red" if value else "bold green"
    return "bold cyan"
