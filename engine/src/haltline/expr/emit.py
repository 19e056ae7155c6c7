"""Tree → Python source, on two rails: an expression for *definitely true*, another for *definitely false*.

Invariants. Numbers are written so that NaN means UNKNOWN; `magnitude` bounds what a sub-expression can reach, and where
that is infinite the value is guarded before anything could make it finite again or answer from it. Comparisons with
NaN are false on both rails, so plain comparisons need no guard. Names are made here, literals are written by `repr`
of validated constants: no text of a person ever reaches the source. `e` is the entity, `v1`… are items.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from haltline.api.field import Kind
from haltline.expr.explain import READER_BUILTINS
from haltline.expr.magnitude import INFINITE, magnitude
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
    children,
)
from haltline.expr.stdlib import builtin_caller, function_caller
from haltline.expr.value import FAULTS, INF, NAN, Relation, age_seconds, close, close_range, power

_OPPOSITE: dict[Relation, Relation] = {"gt": "le", "le": "gt", "ge": "lt", "lt": "ge", "eq": "ne", "ne": "eq"}
_MIRRORED: dict[Relation, Relation] = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq", "ne": "ne"}
_NAME = re.compile(r"[A-Za-z_]\w*")
_cached_range = lru_cache(maxsize=1024)(close_range)


class Emitter:
    """Writes the source of expressions and of the functions they need; `namespace` is what the code runs in."""

    def __init__(self, bindings: Mapping[str, object]) -> None:
        self.namespace: dict[str, object] = {
            "__builtins__": READER_BUILTINS, **bindings, "_nan": NAN, "_inf": INF, "_close": close, "_power": power,
            "_age": age_seconds, "_abs": abs, "_FAULTS": FAULTS,
        }  # fmt: skip
        self.functions: list[str] = []
        self.names: dict[Node, str] = {}
        self.paths: dict[str, str] = {}
        self._variables: tuple[str, ...] = ()
        self._written: dict[tuple[str, Node, tuple[str, ...]], str] = {}
        self._counter = 0

    def fresh(self, stem: str) -> str:
        """A name not used before."""
        self._counter += 1
        return f"{stem}{self._counter}"

    def read(self, code: str) -> str:
        """Declared code with the longest part replaced that a local variable already holds."""
        best = ""
        for path in self.paths:
            if len(path) > len(best) and (code == path or code.startswith(path + ".")):
                best = path
        return self.paths[best] + code[len(best) :] if best else code

    # numbers

    def number(self, node: Node) -> str:
        """Source of a number: a float, NaN for UNKNOWN, perhaps infinite where `magnitude` is."""
        named = self.names.get(node)
        if named is not None:
            return named
        match node:
            case Constant(value=value):
                return f"({value!r})" if str(value).startswith("-") else repr(value)
            case FieldRead() | Window():
                return self.read(node.code)
            case Age():
                return f"_age({self.read(node.path)}, {node.attribute!r}, clock)"
            case Negative():
                return f"(-{self.number(node.operand)})"
            case Arithmetic():
                return self._arithmetic(node)
            case Builtin():
                return self._builtin(node)
            case Call():
                return self._call(node)
        return self._composed_number(node)

    def _composed_number(self, node: Node) -> str:
        match node:
            case Choice():
                return self._choice(node, self.number(node.body), self.number(node.orelse), "_nan")
            case Coalesce():
                *early, last = node.operands
                source = self.number(last)
                for operand in reversed(early):
                    first, again = self._atom(self.finite(operand))
                    source = f"({again} if {first} == {again} else {source})"
                return source
            case Fold():
                return self._fold(node)
        raise TypeError(f"{type(node).__name__} is not a number")

    def finite(self, node: Node) -> str:
        """Source of a number that is finite or NaN."""
        source = self.number(node)
        if magnitude(node) < INFINITE:
            return source
        first, again = self._atom(source)
        return f"({again} if -_inf < {first} < _inf else _nan)"

    def _atom(self, source: str) -> tuple[str, str]:
        """How to write a source the first time, and again."""
        if _NAME.fullmatch(source):
            return source, source
        name = self.fresh("t")
        return f"({name} := {source})", name

    def _arithmetic(self, node: Arithmetic) -> str:
        left, operator, right = self.number(node.left), node.operator, node.right
        if operator == "**":
            if magnitude(node) < INFINITE and isinstance(right, Constant) and right.value in (1.0, 2.0, 3.0, 4.0):
                return f"({left} ** {right.value!r})"
            return f"_power({left}, {self.number(right)})"
        if operator in ("+", "-", "*") or isinstance(right, Constant):
            return f"({left} {operator} {self.number(right)})"
        first, again = self._atom(self.finite(right))
        return f"({left} {operator} {again} if {first} else _nan)"

    def _builtin(self, node: Builtin) -> str:
        if node.name == "abs":
            return f"_abs({self.number(node.arguments[0])})"
        if node.name in ("min", "max") and len(node.arguments) == 2:
            sign = "<" if node.name == "min" else ">"
            one, one_again = self._atom(self.finite(node.arguments[0]))
            other, other_again = self._atom(self.finite(node.arguments[1]))
            rest = f"{other_again} if {other_again} {sign}= {one_again} else _nan"
            return f"({one_again} if {one} {sign} {other} else {rest})"
        name = f"_std_{node.name}"
        self.namespace.setdefault(name, builtin_caller(node.name))
        return f"{name}({', '.join(self.number(argument) for argument in node.arguments)})"

    def _call(self, node: Call) -> str:
        name = f"_fn_{node.function.name}"
        self.namespace.setdefault(name, function_caller(node.function))
        return f"{name}({', '.join(self.value(argument) for argument in node.arguments)})"

    def _choice(self, node: Choice, body: str, orelse: str, unknown: str) -> str:
        if _is_plain(node.test):
            return f"({body} if {self.true(node.test)} else {orelse} if {self.false(node.test)} else {unknown})"
        first, again = self._atom(self.truth(node.test))
        return f"({body} if {first} is True else {orelse} if {again} is False else {unknown})"

    # any kind

    def value(self, node: Node) -> str:
        """Source of a value by its kind: number, text, or truth with None for UNKNOWN."""
        if node.kind.is_numeric:
            return self.number(node)
        return self.truth(node) if node.kind is Kind.BOOL else self.text(node)

    def text(self, node: Node) -> str:
        """Source of a text, None for UNKNOWN."""
        match node:
            case Constant(value=value):
                return repr(value)
            case FieldRead():
                return self.read(node.code)
            case Call():
                return self.names.get(node) or self._call(node)
            case Choice():
                return self._choice(node, self.text(node.body), self.text(node.orelse), "None")
            case Coalesce():
                return self._first_known(node)
        raise TypeError(f"{type(node).__name__} is not a text")

    def _first_known(self, node: Coalesce) -> str:
        *early, last = node.operands
        source = self.value(last)
        for operand in reversed(early):
            first, again = self._atom(self.value(operand))
            source = f"({again} if {first} is not None else {source})"
        return source

    def truth(self, node: Node) -> str:
        """Source of a truth as True, False or None."""
        named = self.names.get(node)
        if named is not None:
            return named
        match node:
            case Constant(value=value):
                return repr(value)
            case FieldRead():
                return self.read(node.code)
            case Call():
                return self._call(node)
            case Fold():
                return self._fold(node)
            case Coalesce():
                return self._first_known(node)
            case Choice():
                return self._choice(node, self.truth(node.body), self.truth(node.orelse), "None")
        return self._function("truth", node)

    # rails

    def true(self, node: Node) -> str:
        """Source of: definitely true."""
        return self._rail(node, wanted=True)

    def false(self, node: Node) -> str:
        """Source of: definitely false."""
        return self._rail(node, wanted=False)

    def _rail(self, node: Node, *, wanted: bool) -> str:
        match node:
            case Not():
                return self._rail(node.operand, wanted=not wanted)
            case Logic():
                joint = " and " if (node.operator == "and") is wanted else " or "
                return f"({joint.join(self._rail(operand, wanted=wanted) for operand in node.operands)})"
            case Compare():
                return self._compare(node, wanted=wanted)
            case Same():
                return self._same(node, wanted=wanted)
            case OneOf():
                return self._one_of(node, wanted=wanted)
            case Contains():
                return self._contains(node, wanted=wanted)
            case Known():
                return self._known(node.operand) if wanted else f"(not {self._known(node.operand)})"
            case Constant(value=value):
                return repr(value is wanted)
        return f"({self.truth(node)} is {wanted})"

    def _compare(self, node: Compare, *, wanted: bool) -> str:
        relation = node.relation if wanted else _OPPOSITE[node.relation]
        if isinstance(node.right, Constant) and isinstance(node.right.value, float):
            return self._compare_constant(relation, node.left, node.right.value)
        if isinstance(node.left, Constant) and isinstance(node.left.value, float):
            return self._compare_constant(_MIRRORED[relation], node.right, node.left.value)
        left, right = self.finite(node.left), self.finite(node.right)
        one, a = self._atom(left)
        other, b = self._atom(right)
        match relation:
            case "gt":
                return f"({_apart(other, one, a)} or ({a} > {b} and not _close({a}, {b})))"
            case "lt":
                return f"({_apart(one, other, b)} or ({a} < {b} and not _close({a}, {b})))"
            case "ge":
                return f"({one} >= {other} or (not {_apart(a, b, b)} and _close({a}, {b})))"
            case "le":
                return f"({one} <= {other} or (not {_apart(b, a, a)} and _close({a}, {b})))"
            case "eq":
                return f"_close({one}, {other})"
        return f"(({one} < {other} or {a} > {b}) and not _close({a}, {b}))"

    def _compare_constant(self, relation: Relation, node: Node, constant: float) -> str:
        low, high = (repr(edge) for edge in _cached_range(constant))
        source = self.number(node)
        bounded = magnitude(node) < INFINITE
        match relation:
            case "gt":
                return f"({source} > {high})" if bounded else f"({high} < {source} < _inf)"
            case "ge":
                return f"({source} >= {low})" if bounded else f"({low} <= {source} < _inf)"
            case "lt":
                return f"({source} < {low})" if bounded else f"(-_inf < {source} < {low})"
            case "le":
                return f"({source} <= {high})" if bounded else f"(-_inf < {source} <= {high})"
            case "eq":
                return f"({low} <= {source} <= {high})"
        first, again = self._atom(source)
        if bounded:
            return f"({first} < {low} or {again} > {high})"
        return f"(-_inf < {first} < {low} or {high} < {again} < _inf)"

    def _same(self, node: Same, *, wanted: bool) -> str:
        left, right = node.left, node.right
        if isinstance(left, Constant):
            left, right = right, left
        if isinstance(right, Constant):
            literal = repr(right.value)
            return f"({self.value(left)} == {literal})" if wanted else f"({self.value(left)} not in (None, {literal}))"
        one, a = self._atom(self.value(left))
        other, b = self._atom(self.value(right))
        return f"({one} is not None and {other} is not None and {a} {'==' if wanted else '!='} {b})"

    def _one_of(self, node: OneOf, *, wanted: bool) -> str:
        if not node.operand.kind.is_numeric:
            listed = ", ".join(repr(option) for option in node.options)
            source = self.text(node.operand)
            return f"({source} in ({listed},))" if wanted else f"({source} not in (None, {listed}))"
        first, again = self._atom(self.finite(node.operand))
        ranges = [_cached_range(option) for option in node.options if isinstance(option, float)]
        near = " or ".join(f"{low!r} <= {again} <= {high!r}" for low, high in ranges)
        return f"({first} == {again} and {'' if wanted else 'not '}({near}))"

    def _contains(self, node: Contains, *, wanted: bool) -> str:
        part, a = self._atom(self.text(node.part))
        whole, b = self._atom(self.text(node.whole))
        return f"({part} is not None and {whole} is not None and {a} {'in' if wanted else 'not in'} {b})"

    def _known(self, node: Node) -> str:
        if node.kind.is_numeric:
            return f"(-_inf < {self.number(node)} < _inf)"
        return f"({self.value(node)} is not None)"

    # functions

    def _function(self, stem: str, node: Node) -> str:
        """A call of the function that works `node` out, written once."""
        key = (stem, node, self._variables)
        name = self._written.get(key)
        if name is None:
            name = self._written[key] = self.fresh(f"_{stem}")
            with self._own_scope(self._variables):
                lines = _fold_lines(self, node) if isinstance(node, Fold) else self.verdict_lines(node)
            parameters = ", ".join(("e", *self._variables))
            self.functions.append("\n".join([f"def {name}({parameters}):", *(f"    {line}" for line in lines)]))
        return f"{name}({', '.join(('e', *self._variables))})"

    def verdict_lines(self, node: Node) -> list[str]:
        """Statements that return True, False or None."""
        return [
            f"if {self.true(node)}:", "    return True", f"if {self.false(node)}:", "    return False", "return None",
        ]  # fmt: skip

    def _fold(self, node: Fold) -> str:
        return self._function("fold", node)

    @contextmanager
    def _own_scope(self, variables: tuple[str, ...]) -> Iterator[None]:
        """Local variables of the function being written are not visible in another one."""
        kept = self.names, self.paths, self._variables
        self.names, self.paths, self._variables = {}, {}, variables
        try:
            yield
        finally:
            self.names, self.paths, self._variables = kept

    @contextmanager
    def over(self, variable: str) -> Iterator[None]:
        """Within, the items of a collection are bound to `variable`."""
        kept = self._variables
        self._variables = (*kept, variable) if variable else kept
        try:
            yield
        finally:
            self._variables = kept


def _is_plain(node: Node) -> bool:
    """Whether writing both rails of a test inline cannot multiply the source."""
    return not isinstance(node, Choice | Coalesce | Known) and all(_is_plain(child) for child in children(node))


def _fold_lines(emitter: Emitter, node: Fold) -> list[str]:
    iterable = node.code
    with emitter.over(node.variable):
        loop = f"for {node.variable or '_'} in {iterable}:"
        if node.name in ("any", "all"):
            return _quantifier_lines(emitter, node, loop)
        return _total_lines(emitter, node, loop)


def _total_lines(emitter: Emitter, node: Fold, loop: str) -> list[str]:
    start, step, end = _STEPS[node.name]
    lines = [start, loop]
    indent = "    "
    if node.condition is not None:
        lines.append(f"    if {emitter.true(node.condition)}:")
        indent = "        "
    if node.element is not None:
        lines.append(f"{indent}x = {emitter.finite(node.element)}")
    lines += [indent + line for line in step]
    if node.condition is not None:
        lines += [f"    elif not {emitter.false(node.condition)}:", "        return _nan"]
    return [*lines, end]


_STEPS: dict[str, tuple[str, list[str], str]] = {
    "count": ("total = 0.0", ["total += 1.0"], "return total"),
    "sum": ("total = 0.0", ["total += x"], "return total if -_inf < total < _inf else _nan"),
    "min": (
        "best = None",
        ["if best is None:", "    best = x", "else:", "    best = best if best < x else x if x <= best else _nan"],
        "return _nan if best is None else best",
    ),
    "max": (
        "best = None",
        ["if best is None:", "    best = x", "else:", "    best = best if best > x else x if x >= best else _nan"],
        "return _nan if best is None else best",
    ),
}


def _quantifier_lines(emitter: Emitter, node: Fold, loop: str) -> list[str]:
    element, condition = node.element, node.condition
    if element is None:
        raise TypeError(f"{node.name} needs an element")
    decides = node.name == "any"
    deciding = emitter.true(element) if decides else emitter.false(element)
    idle = emitter.false(element) if decides else emitter.true(element)
    if condition is not None:
        deciding = f"{emitter.true(condition)} and {deciding}"
        idle = f"({emitter.false(condition)} or {idle})"
    return [
        "known = True", loop, f"    if {deciding}:", f"        return {decides}",
        f"    if known and not {idle}:", "        known = False", f"return {not decides} if known else None",
    ]  # fmt: skip


def _apart(smaller: str, larger: str, larger_again: str) -> str:
    """Source of a cheap test that one number is surely smaller and not close, true for nearly all pairs that are so.

    With larger > 0.1 and smaller below it by 1e-8 of it, their distance is over 1e-9 of either and over 1e-9.
    """
    return f"({smaller} < {larger} * 0.99999999 and {larger_again} > 0.1)"
