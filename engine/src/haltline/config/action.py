"""Action entries of a rule → ActionSpec, checked against what the registered action declares."""

import re
from collections.abc import Mapping

from haltline.api.action import CAP_PARAMETERS, Action
from haltline.api.field import Kind
from haltline.api.function import Parameter
from haltline.api.registry import Registry
from haltline.config.finding import Findings, did_you_mean, listing
from haltline.config.scalar import fraction_of, number_trap, resolve, seconds_of, switch_trap
from haltline.config.schema import is_needed
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.config.structure import describe
from haltline.config.validate import check_fragment
from haltline.errors import Place
from haltline.model.rule import ActionSpec, ConstantValue, Scope

TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class ActionBinder:
    """Binds the actions of one rule."""

    def __init__(
        self, registry: Registry, each: Scope, constants: Mapping[str, ConstantValue], findings: Findings, where: str
    ) -> None:
        self._registry = registry
        self._each = each
        self._constants = constants
        self._findings = findings
        self._where = where

    def bind(self, node: Node | None, key: str, places: dict[str, Place]) -> tuple[ActionSpec, ...]:
        """All actions of a list; `places` learns where each and its parameters stand (``then.0.quantity``)."""
        items = node.items if isinstance(node, ListNode) else ()
        bound = (self._one(item, f"{key}.{index}", places) for index, item in enumerate(items))
        return tuple(spec for spec in bound if spec is not None)

    def _one(self, node: Node, key: str, places: dict[str, Place]) -> ActionSpec | None:
        if isinstance(node, ScalarNode):
            name, place, params = node.text, node.place, None
        else:
            assert isinstance(node, MappingNode)
            name, params = next(iter(node.entries.items()))
            place = node.keys[name]
        places[key] = place
        action = self._registry.actions.get(name)
        if action is None:
            self._add("E402", place, f"unknown action {name!r}", did_you_mean(name, self._registry.actions.names()))
            return None
        if self._each not in action.scopes:
            fitting = listing(sorted(scope.value for scope in action.scopes))
            self._add("E422", place, f"the action {name!r} makes no sense for each: {self._each.value}",
                      f"it works for each: {fitting}")  # fmt: skip
        return ActionSpec(name=name, params=self._params(action, params, place, key, places), place=place)

    def _params(
        self, action: Action, node: Node | None, place: Place, key: str, places: dict[str, Place]
    ) -> dict[str, object]:
        if isinstance(node, ScalarNode) and node.value is None:
            node = None
        if node is not None and not isinstance(node, MappingNode):
            names = [parameter.name for parameter in action.parameters]
            cure = f"write {{{action.name}: {{{names[0]}: …}}}}" if names else f"write just '{action.name}'"
            self._add(
                "E203", node.place, f"the parameters of {action.name!r} must be a mapping, found {describe(node)}", cure
            )
            return {}
        if node is not None and action.schema:
            check_fragment(node, action.schema, self._findings, where=f"{self._where}: {action.name}")
        entries = node.entries if node is not None else {}
        known = {parameter.name: parameter for parameter in action.takes}
        for name in entries:
            if name not in known and node is not None and not action.schema:
                self._add("E403", node.keys[name], f"the action {action.name!r} has no parameter {name!r}",
                          did_you_mean(name, known, sort="parameters"))  # fmt: skip
        return self._values(action, known, node, place, key, places)

    def _values(
        self, action: Action, known: Mapping[str, Parameter], node: MappingNode | None, place: Place, key: str,
        places: dict[str, Place],
    ) -> dict[str, object]:  # fmt: skip
        values: dict[str, object] = {}
        for name, parameter in known.items():
            given = node.get(name) if node is not None else None
            if given is not None:
                places[f"{key}.{name}"] = given.place
                values[name] = self._value(action.name, parameter, given)
            elif is_needed(parameter):
                self._add("E404", place, f"the action {action.name!r} needs the parameter {name!r}",
                          f"write {{{action.name}: {{{name}: …}}}}")  # fmt: skip
        return values

    def _value(self, action: str, parameter: Parameter, node: Node) -> object:
        where = f"{action}.{parameter.name}"
        if not isinstance(node, ScalarNode):
            self._add("E405", node.place, f"{where} must be one value, found {describe(node)}", "write one value")
            return None
        value = self._folded(node)
        problem = _misfit(parameter, value, node) or _misfit_cap(parameter, value, node)
        if problem is not None:
            self._add("E405", node.place, f"{where} {problem[0]}", problem[1])
        return _converted(parameter.kind, value, node)

    def _folded(self, node: ScalarNode) -> object:
        constant = self._constants.get(node.text)
        return node.value if constant is None or isinstance(constant, tuple) else constant

    def _add(self, code: str, place: Place, what: str, cure: str) -> None:
        self._findings.add(code, place, what, cure, where=self._where)


def _misfit(parameter: Parameter, value: object, node: ScalarNode) -> tuple[str, str] | None:
    found = f"found {describe(node)}"
    if parameter.choices:
        if str(value) not in parameter.choices:
            return f"is not one of {listing(parameter.choices)}: {found}", did_you_mean(str(value), parameter.choices)
        return None
    if parameter.kind is Kind.BOOL:
        cure = switch_trap(node.text) or "write true or false"
        return None if isinstance(value, bool) else (f"must be true or false, {found}", cure)
    if parameter.kind is Kind.TIME_OF_DAY:
        fits = isinstance(value, str) and TIME_OF_DAY.fullmatch(value) is not None
        return None if fits else (f"must be a time of day, {found}", 'write HH:MM in quotes: "17:00"')
    if parameter.kind.is_numeric:
        if isinstance(value, bool):
            return f"must be a number, {found}", "write a number or an expression"
        trap = number_trap(value) if isinstance(value, str) else ""
        return (f"must be a number, {found}", trap) if trap else None
    return None


def _misfit_cap(parameter: Parameter, value: object, node: ScalarNode) -> tuple[str, str] | None:
    """A cap is a plain number that is not below zero: it must be known before anything is."""
    if parameter not in CAP_PARAMETERS or parameter.choices:
        return None
    number = number_of(value) if isinstance(value, str) else value
    if isinstance(number, int | float) and number >= 0:
        return None
    return f"must be a number of 0 or more, found {describe(node)}", "write a number: max_positions: 5"


def _converted(kind: Kind, value: object, node: ScalarNode) -> object:
    if isinstance(value, bool):
        return value
    if kind is Kind.TIME_OF_DAY:
        return value
    if not kind.is_numeric:
        return node.text if value is node.value else value
    if isinstance(value, str):
        return number_of(value)
    return value


def number_of(text: str) -> float | str:
    """The number that `80%`, `5m` (300 seconds) or `5` spells; any other text is an expression and stays."""
    value = resolve(text.strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    for reading in (fraction_of(text), seconds_of(text)):
        if reading is not None:
            return reading
    return text
