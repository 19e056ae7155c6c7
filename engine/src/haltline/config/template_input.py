"""The typed inputs of a template: what is declared, what is given, and what a rule then reads."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from haltline.config.action import TIME_OF_DAY, number_of
from haltline.config.finding import Findings, did_you_mean, listing
from haltline.config.scalar import fraction_of, number_trap, seconds_of, switch_trap
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.config.structure import describe
from haltline.errors import Place
from haltline.model.rule import ConstantValue

NUMERIC = frozenset({"money", "price", "number", "quantity", "count"})
_BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("above", "above", operator.gt),
    ("below", "below", operator.lt),
    ("at_least", "at least", operator.ge),
    ("minimum", "at least", operator.ge),
    ("at_most", "at most", operator.le),
    ("maximum", "at most", operator.le),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One declared input; without a `default` it must be given."""

    name: str
    type: str
    meaning: str
    node: MappingNode

    @property
    def default(self) -> Node | None:
        """The default as written, or None."""
        return self.node.get("default")

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed words; empty for any."""
        given = self.node.get("choices")
        items = given.items if isinstance(given, ListNode) else ()
        return tuple(item.text for item in items if isinstance(item, ScalarNode))


@dataclass(frozen=True, slots=True, kw_only=True)
class InputValue:
    """An input in one use: the node to put in place of ``${{ inputs.x }}``, and the constant for expressions."""

    node: Node
    constant: ConstantValue

    @property
    def text(self) -> str:
        """As it was written, for titles."""
        if isinstance(self.node, ListNode):
            return ", ".join(item.text for item in self.node.items if isinstance(item, ScalarNode))
        return self.node.text if isinstance(self.node, ScalarNode) else ""


def input_values(
    declared: Mapping[str, InputSpec],
    given: Mapping[str, tuple[Node, Place]],
    place: Place,
    findings: Findings,
    where: str,
) -> dict[str, InputValue] | None:
    """All inputs of one use, defaults filled in; None after noting E407 to E410. `given`: node and place of its key."""
    before = len(findings.problems)
    for name, (_, key_place) in given.items():
        if name not in declared:
            cure = did_you_mean(name, declared, sort="inputs")
            findings.add("E408", key_place, f"the template has no input {name!r}", cure, where=where)
    values: dict[str, InputValue] = {}
    for name, spec in declared.items():
        node = given[name][0] if name in given else spec.default
        if node is None or (isinstance(node, ScalarNode) and node.value is None):
            findings.add(
                "E407",
                place,
                f"the input {name!r} is missing",
                f"add '{name}:' under 'with': {spec.meaning}",
                where=where,
            )
            continue
        constant = _constant(spec, node, findings, where)
        if constant is not None:
            values[name] = InputValue(node=node, constant=constant)
    return values if len(findings.problems) == before else None


def _constant(spec: InputSpec, node: Node, findings: Findings, where: str) -> ConstantValue | None:
    at = f"{where}: {spec.name}"
    constant, cure = _converted(spec, node)
    if constant is None:
        wanted = _wanted(spec.type)
        findings.add(
            "E409", node.place, f"expected {wanted}, found {describe(node)}", cure or f"write {wanted}", where=at
        )
        return None
    chosen = constant if isinstance(constant, tuple) else (constant,)
    words = [node.text] if isinstance(node, ScalarNode) else [str(item) for item in chosen]
    for word in words:
        if spec.choices and word not in spec.choices:
            cure = did_you_mean(word, spec.choices, sort="choices")
            findings.add("E410", node.place, f"{word!r} is not one of {listing(spec.choices)}", cure, where=at)
            return None
    return constant if _in_bounds(spec, node, constant, findings, at) else None


def _in_bounds(spec: InputSpec, node: Node, constant: ConstantValue, findings: Findings, at: str) -> bool:
    if isinstance(constant, bool | str | tuple):
        return True
    for key, words, fits in _BOUNDS:
        bound = spec.node.get(key)
        if not isinstance(bound, ScalarNode):
            continue
        number = number_of(bound.text)
        if isinstance(number, float) and not fits(constant, number):
            findings.add(
                "E410", node.place, f"{describe(node)} is out of range", f"it must be {words} {bound.text}", where=at
            )
            return False
    return True


def _converted(spec: InputSpec, node: Node) -> tuple[ConstantValue | None, str]:
    """The constant, or None and a cure ("" for the ordinary one)."""
    if spec.type == "list":
        return _list(node)
    if not isinstance(node, ScalarNode):
        return None, ""
    if spec.type in NUMERIC or spec.type == "fraction":
        return _number(spec.type, node)
    if spec.type == "bool":
        return (node.value, "") if isinstance(node.value, bool) else (None, switch_trap(node.text))
    if spec.type == "duration":
        number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
        return seconds_of(node.text), f"say the unit: {node.text}s, {node.text}m or {node.text}h" if number else ""
    if spec.type == "time_of_day":
        return (node.text if TIME_OF_DAY.fullmatch(node.text) else None), 'write HH:MM in quotes: "17:00"'
    return node.text, ""


def _number(type_name: str, node: ScalarNode) -> tuple[float | None, str]:
    if type_name == "fraction" and (fraction := fraction_of(node.text)) is not None:
        return fraction, ""
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        quoted = node.quoted and isinstance(number_of(node.text), float)
        return None, "write it without quotes" if quoted else number_trap(node.text)
    value = float(node.value)
    if type_name == "fraction" and value > 1:
        return None, f"write {node.text}%"
    if type_name == "count" and value != int(value):
        return None, "write a whole number"
    return value, ""


def _list(node: Node) -> tuple[tuple[float | str, ...] | None, str]:
    if not isinstance(node, ListNode):
        return None, f"write [{node.shown}]" if isinstance(node, ScalarNode) else ""
    items: list[float | str] = []
    for item in node.items:
        if not isinstance(item, ScalarNode) or isinstance(item.value, bool):
            return None, "every item must be a text or a number"
        items.append(float(item.value) if isinstance(item.value, int | float) else item.text)
    return tuple(items), ""


def _wanted(type_name: str) -> str:
    words = {
        "bool": "true or false", "duration": "a duration such as 5m", "time_of_day": "a time of day",
        "fraction": "a fraction such as 80%", "list": "a list", "text": "a text", "enum": "a word",
        "count": "a whole number", "money": "an amount of money",
    }  # fmt: skip
    return words.get(type_name, f"a {type_name}")
