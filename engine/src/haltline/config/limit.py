"""`limit:` of a rule → LimitSpec: exactly one comparison, ladders in order, warnings that make sense."""

import re
from collections.abc import Mapping
from itertools import pairwise

from haltline.config.action import ActionBinder, number_of
from haltline.config.finding import Findings
from haltline.config.scalar import fraction_of, number_trap
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.config.structure import describe_scalar
from haltline.errors import Place
from haltline.model.rule import Comparison, ConstantValue, LimitSpec, Step

_SINGLE = ("max", "at", "min", "down_to")
_FORMS = (*_SINGLE, "range", "steps")
_RISING = frozenset({Comparison.MAX, Comparison.AT})
_LOSS = re.compile(r"(?<![a-z])loss(?!_streak)(?![a-z])")
_LOST = re.compile(r"[a-z_.]*\b(loss|(end_of_day_)?drawdown(_fraction)?)")
"""A field by itself that is 0 where nothing was lost."""

type Threshold = float | str


class LimitBinder:
    """Binds the limit of one rule."""

    def __init__(
        self, actions: ActionBinder, constants: Mapping[str, ConstantValue], findings: Findings, where: str
    ) -> None:
        self._actions = actions
        self._constants = constants
        self._findings = findings
        self._where = where

    def bind(self, node: MappingNode, places: dict[str, Place]) -> LimitSpec | None:
        """The limit, or None (and problems)."""
        form = self._only(node, _FORMS, "a limit")
        if form is None:
            return None
        value = expression(node.entries["value"])
        warn = self._warn(node.get("warn"))
        if form == "steps":
            return self._ladder(value, warn, node, places)
        if form == "range":
            return self._range(value, warn, node)
        comparison = Comparison(form)
        threshold = self._threshold(node.entries[form])
        self._require_sense(value, comparison, threshold, node.entries[form])
        if warn is not None and isinstance(threshold, float) and threshold <= 0:
            self._add("E414", node.place_of("warn"), f"a warning at a share of {threshold:g} makes no sense",
                      "remove 'warn', or measure something that has a positive limit")  # fmt: skip
        return LimitSpec(value=value, comparison=comparison, threshold=threshold, warn=warn)

    def _only(self, node: MappingNode, names: tuple[str, ...], what: str) -> str | None:
        found = [name for name in names if node.get(name) is not None]
        if len(found) == 1:
            return found[0]
        place = node.keys[found[1]] if found else node.place
        state = "has " + " and ".join(map(repr, found)) if found else "has no comparison"
        cure = "keep one of them" if found else f"add one of {', '.join(names)}"
        self._add("E211", place, f"{what} {state}", cure)
        return None

    def _range(self, value: str, warn: float | None, node: MappingNode) -> LimitSpec:
        ends = node.entries["range"]
        assert isinstance(ends, ListNode)
        low, high = (self._threshold(item) for item in ends.items)
        if isinstance(low, float) and isinstance(high, float) and low >= high:
            self._add("E418", ends.place, f"the range [{low:g}, {high:g}] is empty", "write [low, high]")
        return LimitSpec(value=value, comparison=Comparison.RANGE, low=low, high=high, warn=warn)

    def _ladder(self, value: str, warn: float | None, node: MappingNode, places: dict[str, Place]) -> LimitSpec | None:
        if warn is not None:
            self._add("E415", node.place_of("warn"), "'warn' does not go with 'steps'",
                      "add a lower step with 'then: [notify]' instead")  # fmt: skip
        rungs = node.entries["steps"]
        assert isinstance(rungs, ListNode)
        forms: list[str] = []
        steps: list[Step] = []
        for index, rung in enumerate(rungs.items):
            assert isinstance(rung, MappingNode)
            form = self._only(rung, _SINGLE, "a step")
            if form is None:
                continue
            forms.append(form)
            threshold = self._threshold(rung.entries[form])
            self._require_sense(value, Comparison(form), threshold, rung.entries[form])
            then = self._actions.bind(rung.get("then"), f"limit.steps.{index}.then", places)
            steps.append(Step(threshold=threshold, then=then, place=rung.place))
            if form != forms[0]:
                self._add("E211", rung.keys[form], f"this step compares with {form!r}, the first one with {forms[0]!r}",
                          "use the same comparison in all steps")  # fmt: skip
        if len(steps) < len(rungs.items):
            return None
        comparison = Comparison(forms[0])
        self._require_order(steps, comparison)
        return LimitSpec(value=value, comparison=comparison, steps=tuple(steps), warn=warn)

    def _require_order(self, steps: list[Step], comparison: Comparison) -> None:
        rising = comparison in _RISING
        for before, after in pairwise(steps):
            low, high = before.threshold, after.threshold
            if not isinstance(low, float) or not isinstance(high, float):
                continue
            if (high <= low) if rising else (high >= low):
                order = "ascend" if rising else "descend"
                self._add("E413", after.place, f"the step {high:g} comes after {low:g}",
                          f"steps with '{comparison.value}' must {order}")  # fmt: skip

    def _warn(self, node: Node | None) -> float | None:
        if not isinstance(node, ScalarNode):
            return None
        if isinstance(node.value, int | float):
            return float(node.value)
        return fraction_of(node.text)

    def _threshold(self, node: Node) -> Threshold:
        assert isinstance(node, ScalarNode)
        constant = self._constants.get(node.text.strip())
        if isinstance(constant, int | float) and not isinstance(constant, bool):
            return float(constant)
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return float(node.value)
        trap = number_trap(node.text)
        if trap:
            self._add("E212", node.place, f"expected a number or an expression, found {describe_scalar(node)}", trap)
        return number_of(node.text)

    def _require_sense(self, value: str, comparison: Comparison, threshold: Threshold, node: Node) -> None:
        if not isinstance(threshold, float) or comparison not in _RISING:
            return
        is_lost = _LOST.fullmatch(value) is not None
        if threshold < 0 and (is_lost or _LOSS.search(value)):
            self._add("E412", node.place, f"a loss limit of {threshold:g}: losses are positive numbers here",
                      f"write the limit as a positive number: {-threshold:g}")  # fmt: skip
        elif threshold == 0 and comparison is Comparison.AT and is_lost:
            self._add("E412", node.place, f"{value} is at 0 where nothing was lost: the limit is broken from the start",
                      "write how much is too much, or 'max: 0' for any loss at all")  # fmt: skip

    def _add(self, code: str, place: Place | None, what: str, cure: str) -> None:
        self._findings.add(code, place, what, cure, where=self._where)


def expression(node: Node) -> str:
    """The text of an expression, as Python's syntax spells it."""
    assert isinstance(node, ScalarNode)
    if isinstance(node.value, bool):
        return str(node.value)
    return node.text.strip()
