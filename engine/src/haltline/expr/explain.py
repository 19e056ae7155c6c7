"""The explaining evaluator: walks the checked tree on simpleeval's evaluator and records every sub-expression.

It defines what an expression means: compiled code falls back to it when something raises, and constants are folded
by it. It reads fields through code declared in the vocabulary, never through text a person typed.
"""

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import cast

import msgspec
from simpleeval import SimpleEval  # type: ignore[import-untyped]  # it ships no types

from haltline.api.field import Field, Kind, Provenance
from haltline.expr.checked import Checked
from haltline.expr.node import (
    Age,
    Arithmetic,
    Builtin,
    Call,
    Choice,
    Coalesce,
    Compare,
    Constant,
    Contains,
    FieldRead,
    Fold,
    Known,
    Logic,
    Negative,
    Node,
    Not,
    OneOf,
    Same,
    Window,
)
from haltline.expr.stdlib import call_builtin, call_function
from haltline.expr.value import (
    FAULTS,
    NAN,
    Value,
    age_seconds,
    arithmetic,
    compare,
    conjoin,
    disjoin,
    finite,
    greater,
    is_known,
    lesser,
    negate,
)

MAX_ITEMS = 20
"""Items of a collection that an explanation lists; all of them are evaluated."""

READER_BUILTINS: dict[str, object] = {
    "abs": abs, "bool": bool, "float": float, "int": int, "len": len, "max": max, "min": min, "round": round,
    "str": str,
}  # fmt: skip
"""What the code of a field may use besides its root object and the bindings."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One sub-expression and what it was: `value` None with a reason in `unknown`, or the value.

    `source` and `age_s` tell where a field came from and how many seconds ago it was refreshed; `meaning` and `unit`
    are the field's. Renders to JSON as it is.
    """

    text: str
    kind: Kind
    value: float | str | bool | None
    unknown: str = ""
    source: str = ""
    age_s: float | None = None
    meaning: str = ""
    unit: str = ""
    children: tuple["Explanation", ...] = ()

    @property
    def is_number_as_written(self) -> bool:
        """Whether it is a plain number of the expression, of which there is nothing to tell."""
        if self.children or isinstance(self.value, bool):
            return False
        try:
            float(self.text)
        except ValueError:
            return False
        return True


def explain(checked: Checked, entity: object, bindings: Mapping[str, object]) -> Explanation:
    """Evaluate on an entity and tell how; never raises for what the state holds."""
    explainer = _Explainer(entity, bindings, recording=True)
    explainer.evaluate(checked.tree)
    return explainer.recorded[0]


def evaluate(checked: Checked, entity: object, bindings: Mapping[str, object]) -> Value:
    """The value alone; a numeric UNKNOWN is NaN, any other None."""
    return evaluate_tree(checked.tree, entity, bindings)


def evaluate_tree(tree: Node, entity: object, bindings: Mapping[str, object]) -> Value:
    """The value of a tree on an entity."""
    return _Explainer(entity, bindings, recording=False).evaluate(tree)


@lru_cache(maxsize=4096)
def reader_code(code: str) -> CodeType:
    """The code object of a declared reader."""
    return compile(code, "<field>", "eval")


def normal(kind: Kind, raw: object) -> Value:
    """What was read, as a value of its kind: anything else is UNKNOWN."""
    if kind.is_numeric:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return finite(float(raw))
        return NAN
    if kind is Kind.BOOL:
        return raw if isinstance(raw, bool) else None
    return str(raw) if isinstance(raw, str) else None


class _Explainer(SimpleEval):  # type: ignore[misc]  # simpleeval has no type information
    """simpleeval's evaluator with the nodes and operators of the rule language in place of Python's."""

    def __init__(self, entity: object, bindings: Mapping[str, object], *, recording: bool) -> None:
        operators = {ast.And: conjoin, ast.Or: disjoin, ast.Not: negate}
        super().__init__(operators=operators, functions={}, names={})
        self.nodes = {
            Constant: self._constant, FieldRead: self._field, Age: self._age, Negative: self._negative,
            Arithmetic: self._arithmetic, Compare: self._comparison, Same: self._same, OneOf: self._one_of,
            Contains: self._contains, Not: self._not, Logic: self._logic, Choice: self._choice,
            Builtin: self._builtin, Call: self._call, Known: self._known, Coalesce: self._coalesce,
            Fold: self._fold, Window: self._window,
        }  # fmt: skip
        self.recorded: list[Explanation] = []
        self._recording = recording
        self._globals = {"__builtins__": READER_BUILTINS, **bindings}
        self._locals: dict[str, object] = {"e": entity}
        self._reason = ""
        self._origin: Provenance | None = None

    def evaluate(self, tree: Node) -> Value:
        """The value of a tree."""
        return self._eval(tree)

    def _eval(self, node: Node) -> Value:
        if not self._recording:
            return cast(Value, super()._eval(node))
        siblings, self.recorded, self._reason, self._origin = self.recorded, [], "", None
        value = cast(Value, super()._eval(node))
        siblings.append(self._record(node, value))
        self.recorded = siblings
        return value

    def _record(self, node: Node, value: Value) -> Explanation:
        known = is_known(value)
        reason = "" if known else self._reason or next((c.unknown for c in self.recorded if c.unknown), "not known")
        field, origin = getattr(node, "field", None), self._origin
        now_ns, age_s = getattr(self._globals.get("clock"), "now_ns", None), None
        if origin is not None and origin.as_of_ns is not None and now_ns is not None:
            age_s = max(0.0, (now_ns - origin.as_of_ns) / 1e9)
        source = origin.source if origin is not None else field.source if isinstance(field, Field) else ""
        return Explanation(
            text=node.source, kind=node.kind, value=value if known else None, unknown=reason, source=source,
            age_s=age_s, meaning=field.meaning if isinstance(field, Field) else "",
            unit=field.unit if isinstance(field, Field) else "", children=tuple(self.recorded),
        )  # fmt: skip

    def _number(self, node: Node) -> float:
        return cast(float, self._eval(node))

    def _truth(self, node: Node) -> bool | None:
        return cast("bool | None", self._eval(node))

    def _read(self, code: str) -> object:
        return eval(reader_code(code), self._globals, self._locals)

    # leaves

    def _constant(self, node: Constant) -> Value:
        return node.value

    def _field(self, node: FieldRead) -> Value:
        try:
            raw = self._read(node.code)
        except FAULTS as error:
            self._reason = f"{node.field.name} cannot be read ({error})"
            return NAN if node.kind.is_numeric else None
        value = normal(node.kind, raw)
        if self._recording:
            self._trace(node, value)
        return value

    def _trace(self, node: FieldRead, value: Value) -> None:
        try:
            owner = self._read(node.path)
        except FAULTS:
            owner = None
        provenance: Callable[[str], Provenance] | None = getattr(owner, "provenance", None)
        if provenance is not None:
            self._origin = provenance(node.field.name.partition(".")[2])
        if not is_known(value):
            self._reason = (self._origin.reason if self._origin else "") or f"{node.field.name} is missing"

    def _age(self, node: Age) -> float:
        try:
            return age_seconds(self._read(node.path), node.attribute, self._globals.get("clock"))
        except FAULTS:
            self._reason = f"nobody keeps the age of {node.field.name}"
            return NAN

    def _window(self, node: Window) -> Value:
        try:
            value = normal(node.kind, self._read(node.code))
        except FAULTS as error:
            self._reason = f"the history is not there ({error})"
            return NAN
        self._reason = "" if is_known(value) else "the history is too short or has gaps"
        return value

    # numbers

    def _negative(self, node: Negative) -> float:
        return -self._number(node.operand)

    def _arithmetic(self, node: Arithmetic) -> float:
        left, right = self._number(node.left), self._number(node.right)
        result = arithmetic(node.operator, left, right)
        if is_known(left) and is_known(right) and not is_known(result):
            divided = node.operator in ("/", "//", "%") and right == 0
            self._reason = "division by zero" if divided else "the result is not a finite number"
        return result

    def _builtin(self, node: Builtin) -> float:
        arguments = [self._number(argument) for argument in node.arguments]
        result = call_builtin(node.name, arguments)
        if all(is_known(argument) for argument in arguments) and not is_known(result):
            self._reason = f"{node.name} is not defined there"
        return result

    def _call(self, node: Call) -> Value:
        value, reason = call_function(node.function, [self._eval(argument) for argument in node.arguments])
        self._reason = reason
        return value

    # truths

    def _comparison(self, node: Compare) -> bool | None:
        return compare(node.relation, self._number(node.left), self._number(node.right))

    def _same(self, node: Same) -> bool | None:
        left, right = self._eval(node.left), self._eval(node.right)
        return None if left is None or right is None else left == right

    def _one_of(self, node: OneOf) -> bool | None:
        operand = self._eval(node.operand)
        if not is_known(operand):
            return None
        if isinstance(operand, float):
            return any(compare("eq", operand, cast(float, option)) for option in node.options)
        return operand in node.options

    def _contains(self, node: Contains) -> bool | None:
        part, whole = self._eval(node.part), self._eval(node.whole)
        return part in whole if isinstance(part, str) and isinstance(whole, str) else None

    def _not(self, node: Not) -> bool | None:
        return cast("bool | None", self.operators[ast.Not](self._truth(node.operand)))

    def _logic(self, node: Logic) -> bool | None:
        truths = [self._truth(operand) for operand in node.operands]
        return cast("bool | None", self.operators[ast.And if node.operator == "and" else ast.Or](truths))

    def _choice(self, node: Choice) -> Value:
        test = self._truth(node.test)
        if test is None:
            return NAN if node.kind.is_numeric else None
        return self._eval(node.body if test else node.orelse)

    def _known(self, node: Known) -> bool:
        return is_known(self._eval(node.operand))

    def _coalesce(self, node: Coalesce) -> Value:
        value: Value = None
        for operand in node.operands:
            value = self._eval(operand)
            if is_known(value):
                return value
        return value

    # aggregates

    def _fold(self, node: Fold) -> Value:
        unknown = NAN if node.kind.is_numeric else None
        try:
            items = list(self._read(node.code))  # type: ignore[call-overload]  # a TypeError is a fault like others
        except FAULTS as error:
            self._reason = f"{node.collection.name} cannot be read ({error})"
            return unknown
        outer, shown = self._recording, self.recorded
        rows: list[tuple[bool | None, Value]] = []
        for number, item in enumerate(items):
            self._recording = outer and number < MAX_ITEMS
            rows.append(self._item(node, item))
        self._locals.pop(node.variable, None)
        self._recording, self.recorded = outer, shown
        value = _combined(node, rows)
        self._reason = "no items" if not items and not is_known(value) else ""
        return value

    def _item(self, node: Fold, item: object) -> tuple[bool | None, Value]:
        self._locals[node.variable] = item
        shown, self.recorded = self.recorded, []
        passes = True if node.condition is None else self._truth(node.condition)
        unneeded = node.element is None or passes is False
        element = None if unneeded or node.element is None else self._eval(node.element)
        if self._recording:
            label = str(getattr(item, "key", type(item).__name__))
            value = element if is_known(element) else None
            row = Explanation(text=label, kind=node.kind, value=value, children=tuple(self.recorded))
            shown.append(row)
        self.recorded = shown
        return passes, element


def _combined(node: Fold, rows: list[tuple[bool | None, Value]]) -> Value:
    if node.name == "any":
        return disjoin([conjoin([passes, cast("bool | None", element)]) for passes, element in rows])
    if node.name == "all":
        return conjoin([disjoin([negate(passes), cast("bool | None", element)]) for passes, element in rows])
    if any(passes is None for passes, _ in rows):
        return NAN
    chosen = [cast(float, element) for passes, element in rows if passes]
    if node.name == "count":
        return float(len(chosen))
    total = 0.0
    if node.name == "sum":
        for number in chosen:
            total = total + finite(number)
        return finite(total)
    if not chosen:
        return NAN
    best = chosen[0]
    for number in chosen[1:]:
        best = lesser(best, number) if node.name == "min" else greater(best, number)
    return best
