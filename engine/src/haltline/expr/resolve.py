"""AST → tree: names looked up, definitions inlined, kinds worked out, every mistake reported.

A method that finds a mistake reports it and returns None; its caller goes on with the siblings, so that one pass
finds all mistakes.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from haltline.api.field import Collection, Kind
from haltline.clock import from_iso, parse_duration
from haltline.expr import calls
from haltline.expr.context import Base, Budget, Item, Reads, dotted
from haltline.expr.fold import fold_constant
from haltline.expr.node import (
    Arithmetic,
    Choice,
    Compare,
    Constant,
    Contains,
    FieldRead,
    Logic,
    Negative,
    Node,
    Not,
    OneOf,
    Same,
)
from haltline.expr.parse import parse
from haltline.expr.report import Report, suggest
from haltline.expr.types import common, fits, product_kind, quotient_kind, sum_kind
from haltline.expr.value import Operator, Relation
from haltline.expr.vocabulary import Vocabulary
from haltline.model.rule import ConstantValue, Definition, Scope

_OPERATORS: dict[type[ast.operator], Operator] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip
_RELATIONS: dict[type[ast.cmpop], Relation] = {
    ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le", ast.Eq: "eq", ast.NotEq: "ne",
}  # fmt: skip
_WRITTEN = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
_REFUSED = {
    ast.Lambda: "a lambda", ast.JoinedStr: "an f-string", ast.Subscript: "a subscript", ast.NamedExpr: "':='",
    ast.Starred: "'*'", ast.ListComp: "a list comprehension", ast.SetComp: "a set comprehension",
    ast.DictComp: "a dict comprehension", ast.Dict: "a dict", ast.Await: "'await'",
    ast.GeneratorExp: "a generator outside sum, min, max, count, any, all",
    ast.Tuple: "a list outside 'in'", ast.List: "a list outside 'in'", ast.Set: "a list outside 'in'",
}  # fmt: skip
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
MAX_EXPONENT = 10
MAX_NUMBER = 1e18
_CONVERTED = (Kind.DURATION, Kind.TIME, Kind.TIME_OF_DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Resolves the sub-expressions of one text over one base object."""

    vocabulary: Vocabulary
    report: Report
    base: Base
    reads: Reads
    constants: Mapping[str, ConstantValue] = field(default_factory=dict)
    items: Mapping[str, Item] = field(default_factory=dict)
    events: Collection | None = None
    stack: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)

    def resolve(self, node: ast.expr) -> Node | None:
        """The tree of a sub-expression, None after reporting what is wrong with it."""
        if not self.budget.enter():
            self.refuse(node, "E303", "with its definitions, the expression is too large", "define simpler values")
            return None
        found = self._dispatch(node)
        self.budget.leave()
        return found

    def _dispatch(self, node: ast.expr) -> Node | None:
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name() | ast.Attribute():
                return self.name(node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp():
                return self._binary(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.BoolOp():
                return self._logic(node)
            case ast.IfExp():
                return self._choice(node)
            case ast.Call():
                return calls.resolve_call(self, node)
        found = _REFUSED.get(type(node), type(node).__name__)
        self.refuse(node, "E304", f"{found} is not part of the rule language", "see the language guide")
        return None

    def refuse(self, node: ast.AST, code: str, what: str, cure: str = "") -> None:
        """Report a mistake at a sub-expression."""
        self.report.add(code, what, cure, at=node)

    def source(self, node: ast.AST) -> str:
        """The text of a sub-expression."""
        return self.report.source(node)

    # literals and names

    def _literal(self, node: ast.Constant) -> Node | None:
        return self.constant(node, node.value)

    def constant(self, node: ast.AST, value: object) -> Constant | None:
        """A constant of a literal's or input's value."""
        source = self.source(node)
        match value:
            case bool():
                return Constant(Kind.BOOL, source, value)
            case int() | float() if abs(value) <= MAX_NUMBER:
                return Constant(Kind.NUMBER, source, float(value))
            case int() | float():
                self.refuse(node, "E314", f"the number {source[:40]} is too large", f"stay below {MAX_NUMBER:g}")
            case str():
                return Constant(Kind.TEXT, source, value)
            case None:
                self.refuse(node, "E304", "None is not a value", "use known(x) to ask whether x is known")
            case _:
                self.refuse(node, "E304", f"{source} is not a number, text or truth", "write a plain number or text")
        return None

    def name(self, node: ast.expr) -> Node | None:
        """A field, definition, constant, or True and False in YAML's spelling."""
        parts = dotted(node)
        if parts is None:
            what = "only fields may be read, not attributes of values"
            self.refuse(node, "E304", what, "write a field such as account.equity")
            return None
        full = ".".join(parts)
        private = next((part for part in parts if part.startswith("_")), None)
        if private is not None:
            self.refuse(node, "E304", f"{private!r} starts with an underscore", "such names cannot be read")
            return None
        if full in self.constants:
            given = self.constants[full]
            if isinstance(given, tuple):
                self.refuse(node, "E308", f"{full!r} is a list", f"write x in {full}")
                return None
            return self.constant(node, given)
        if full in ("true", "false"):
            return Constant(Kind.BOOL, full, full == "true")
        if self.events is not None and full.startswith(self.events.name + "."):
            full = self.events.item + full.removeprefix(self.events.name)
            return self._read(node, self.base, full)
        if parts[0] in self.items:
            return self._item_name(node, self.items[parts[0]], parts)
        return self._read(node, self.base, full)

    def _item_name(self, node: ast.expr, item: Item, parts: tuple[str, ...]) -> Node | None:
        rest = ".".join(parts[1:])
        base = Base(Scope(item.root), item.path, item.credit)
        if not rest:
            self.refuse(node, "E316", f"{parts[0]!r} is an item, not a value", f"read a field: {parts[0]}.…")
            return None
        full = f"{item.root}.{rest}"
        navigable = parts[1] in self.vocabulary.roots.get(base.scope, {}) and len(parts) > 2
        if not self._is_named(full) and navigable and self._is_named(rest):
            return self._read(node, base, rest)
        return self._read(node, base, full)

    def _is_named(self, full: str) -> bool:
        return full in self.vocabulary.fields or full in self.vocabulary.definitions

    def _read(self, node: ast.expr, base: Base, full: str) -> Node | None:
        root = full.partition(".")[0]
        roots = self.vocabulary.roots.get(base.scope, {})
        if root not in roots:
            self._unknown_root(node, base, full)
            return None
        path = roots[root].format(base.path)
        found = self.vocabulary.fields.get(full)
        if found is not None:
            self.reads.fields.add(full)
            self.reads.note(self.credit(base, root), found.changes)
            return FieldRead(found.kind, self.source(node), found, path)
        definition = self.vocabulary.definitions.get(full)
        if definition is not None:
            return self._inline(node, definition, base, path)
        self._unknown_name(node, full)
        return None

    def credit(self, base: Base, root: str) -> str:
        """The root whose changes stand for those of `root`."""
        return base.credit if base.credit is not None and root != "clock" else root

    def _unknown_root(self, node: ast.expr, base: Base, full: str) -> None:
        root = full.partition(".")[0]
        known_root = any(root in roots for roots in self.vocabulary.roots.values())
        if known_root:
            walk = next((c.name for c in self.vocabulary.collections.values() if c.item == root), None)
            cure = f"read {root} fields in a generator: sum({root[0]}.… for {root[0]} in {walk})" if walk else ""
            self.refuse(node, "E307", f"{full!r} cannot be read in a rule over each {base.scope.value}", cure)
        else:
            self._unknown_name(node, full)

    def _unknown_name(self, node: ast.expr, full: str) -> None:
        vocabulary = self.vocabulary
        collection = next((name for name in vocabulary.collections if f"{full}.".startswith(f"{name}.")), None)
        if collection is not None:
            cure = f"walk it: sum(x.… for x in {collection}), or use count, any, all, min, max"
            self.refuse(node, "E316", f"{collection!r} is a collection, not a value", cure)
            return
        names = [*vocabulary.fields, *vocabulary.definitions, *self.constants]
        self.refuse(node, "E305", f"unknown field {full!r}", suggest(full, names) or "see 'haltline explain fields'")

    def _inline(self, node: ast.expr, definition: Definition, base: Base, path: str) -> Node | None:
        if definition.name in self.stack:
            cycle = " → ".join((*self.stack, definition.name))
            self.refuse(node, "E315", f"definition {definition.name!r} needs itself ({cycle})", "break the circle")
            return None
        where = f"define {definition.name!r}"
        inner = Report(text=definition.text, where=where, place=definition.place, problems=self.report.problems)
        parsed = parse(inner)
        if parsed is None:
            return None
        root = definition.name.partition(".")[0]
        own = Base(Scope(root), path, base.credit) if root in Scope else base
        resolver = Resolver(
            vocabulary=self.vocabulary, report=inner.shifted(parsed.shift), base=own, reads=self.reads,
            stack=(*self.stack, definition.name), budget=self.budget,
        )  # fmt: skip
        return resolver.resolve(parsed.body)

    # operators

    def _unary(self, node: ast.UnaryOp) -> Node | None:
        operand = self.resolve(node.operand)
        if operand is None:
            return None
        if isinstance(node.op, ast.Not):
            if not self.require_bool(node.operand, operand, "'not'"):
                return None
            return fold_constant(Not(Kind.BOOL, self.source(node), operand))
        if isinstance(node.op, ast.Invert):
            self.refuse(node, "E304", "'~' is not part of the rule language", "write 'not'")
            return None
        if not self.require_number(node.operand, operand, "a sign"):
            return None
        if isinstance(node.op, ast.UAdd):
            return operand
        return fold_constant(Negative(operand.kind, self.source(node), operand))

    def _binary(self, node: ast.BinOp) -> Node | None:
        left, right = self.resolve(node.left), self.resolve(node.right)
        operator = _OPERATORS.get(type(node.op))
        if operator is None:
            self.refuse(node, "E304", "bit operators are not part of the rule language", "write 'and' or 'or'")
            return None
        if left is None or right is None:
            return None
        if operator in "+-":
            pair = self._converted(node.left, left, node.right, right)
            if pair is None:
                return None
            left, right = pair
        numeric = self.require_number(node.left, left, f"{operator!r}")
        if not (self.require_number(node.right, right, f"{operator!r}") and numeric):
            return None
        kind = self._binary_kind(node, operator, left, right)
        if kind is None:
            return None
        return self.folded(node, Arithmetic(kind, self.source(node), operator, left, right))

    def _binary_kind(self, node: ast.BinOp, operator: Operator, left: Node, right: Node) -> Kind | None:
        if operator == "**":
            return self._power_kind(node, left, right)
        if operator == "*":
            return product_kind(left.kind, right.kind)
        if operator in ("/", "//", "%"):
            if isinstance(right, Constant) and right.value == 0:
                self.refuse(node.right, "E319", "a division by zero is always unknown", "divide by something else")
                return None
            return quotient_kind(operator, left.kind, right.kind)
        kind = sum_kind(operator, left.kind, right.kind)
        if kind is None:
            what = f"{left.source!r} ({left.kind}) {operator} {right.source!r} ({right.kind}) makes no sense"
            self.refuse(node, "E308", what, "add and subtract values of one kind")
        return kind

    def _power_kind(self, node: ast.BinOp, left: Node, right: Node) -> Kind | None:
        if not isinstance(right, Constant) or not isinstance(right.value, float) or abs(right.value) > MAX_EXPONENT:
            what = f"the exponent {right.source!r} is not a plain number up to {MAX_EXPONENT}"
            self.refuse(node.right, "E313", what, "write a small literal exponent such as 2 or 0.5")
            return None
        return left.kind if right.value == 1 else Kind.NUMBER

    def folded(self, node: ast.AST, tree: Node) -> Node | None:
        """The tree with constant parts computed; reports a constant that is always unknown."""
        result = fold_constant(tree)
        if result is None:
            self.refuse(node, "E319", f"{tree.source!r} is always unknown", "check the numbers")
        return result

    def _comparison(self, node: ast.Compare) -> Node | None:
        parts: list[Node | None] = []
        lefts = [node.left, *node.comparators[:-1]]
        for left, operator, right in zip(lefts, node.ops, node.comparators, strict=True):
            parts.append(self._pair(node, left, operator, right))
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        if len(known) == 1:
            return fold_constant(known[0])
        return fold_constant(Logic(Kind.BOOL, self.source(node), "and", tuple(known)))

    def _pair(self, node: ast.Compare, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Node | None:
        if isinstance(operator, ast.Is | ast.IsNot):
            self.refuse(node, "E304", "'is' is not part of the rule language", "write == or !=, or known(x)")
            return None
        if isinstance(operator, ast.In | ast.NotIn):
            found = self._membership(node, left, right)
            negated = isinstance(operator, ast.NotIn)
            return Not(Kind.BOOL, found.source, found) if found is not None and negated else found
        one, other = self.resolve(left), self.resolve(right)
        if one is None or other is None:
            return None
        pair = self._converted(left, one, right, other)
        if pair is None:
            return None
        one, other = pair
        relation = _RELATIONS[type(operator)]
        source = f"{one.source} {_WRITTEN[relation]} {other.source}"
        if not self._comparable(node, one, other, relation):
            return None
        if one.kind.is_numeric:
            return Compare(Kind.BOOL, source, relation, one, other)
        same = Same(Kind.BOOL, source, one, other)
        return same if relation == "eq" else Not(Kind.BOOL, source, same)

    def _comparable(self, node: ast.AST, one: Node, other: Node, relation: Relation) -> bool:
        if not fits(one.kind, other.kind):
            what = f"{one.source!r} ({one.kind}) is compared with {other.source!r} ({other.kind})"
            self.refuse(node, "E308", what, "compare values of one kind")
            return False
        if not one.kind.is_numeric and relation not in ("eq", "ne"):
            self.refuse(node, "E308", f"{one.kind} values have no order", "compare them with == or !=")
            return False
        return self.require_choice(node, one, other) and self.require_choice(node, other, one)

    def require_choice(self, node: ast.AST, field_read: Node, literal: Node) -> bool:
        """Report a text literal that an enumeration does not have."""
        choices = field_read.field.choices if isinstance(field_read, FieldRead) else ()
        if not choices or not isinstance(literal, Constant) or literal.value in choices:
            return True
        cure = suggest(str(literal.value), choices) or f"it is one of {', '.join(choices)}"
        self.refuse(node, "E310", f"{field_read.source!r} is never {literal.value!r}", cure)
        return False

    def _membership(self, node: ast.Compare, left: ast.expr, right: ast.expr) -> Node | None:
        operand = self.resolve(left)
        if isinstance(right, ast.Tuple | ast.List | ast.Set):
            options = [self.resolve(element) for element in right.elts]
            if operand is None or None in options:
                return None
            return self._one_of(node, operand, [option for option in options if option is not None])
        given = self.constants.get(".".join(dotted(right) or ()))
        if isinstance(given, tuple):
            known = [self.constant(right, each) for each in given]
            if operand is None or None in known:
                return None
            return self._one_of(node, operand, [option for option in known if option is not None])
        whole = self.resolve(right)
        if operand is None or whole is None:
            return None
        if operand.kind in (Kind.TEXT, Kind.ENUM) and whole.kind in (Kind.TEXT, Kind.ENUM):
            return Contains(Kind.BOOL, self.source(node), operand, whole)
        what = f"'in' needs a list of literals or a text, found {whole.source!r} ({whole.kind})"
        self.refuse(node, "E308", what, 'write x in ("a", "b")')
        return None

    def _one_of(self, node: ast.Compare, operand: Node, options: list[Node]) -> Node | None:
        values: list[float | str] = []
        for option in options:
            converted = self.convert(node, option, operand.kind)
            if converted is None or not self._comparable(node, operand, converted, "eq"):
                return None
            if not isinstance(converted, Constant) or isinstance(converted.value, bool):
                self.refuse(node, "E308", f"{option.source!r} is not a literal", "list plain numbers or texts")
                return None
            values.append(converted.value)
        if not values:
            self.refuse(node, "E308", "the list is empty, so the condition is never true", "list at least one value")
            return None
        return OneOf(Kind.BOOL, self.source(node), operand, tuple(values))

    def _logic(self, node: ast.BoolOp) -> Node | None:
        operator = "and" if isinstance(node.op, ast.And) else "or"
        operands = [self.resolve(value) for value in node.values]
        sound = [
            part for value, part in zip(node.values, operands, strict=True)
            if part is not None and self.require_bool(value, part, f"{operator!r}")
        ]  # fmt: skip
        if len(sound) < len(operands):
            return None
        return fold_constant(Logic(Kind.BOOL, self.source(node), "and" if operator == "and" else "or", tuple(sound)))

    def _choice(self, node: ast.IfExp) -> Node | None:
        test, body, orelse = self.resolve(node.test), self.resolve(node.body), self.resolve(node.orelse)
        if test is None or body is None or orelse is None or not self.require_bool(node.test, test, "'if'"):
            return None
        kind = common(body.kind, orelse.kind)
        if kind is None:
            what = f"{body.source!r} is {body.kind}, {orelse.source!r} is {orelse.kind}"
            self.refuse(node, "E308", what, "both sides of if … else need one kind")
            return None
        return fold_constant(Choice(kind, self.source(node), test, body, orelse))

    # kinds

    def require_bool(self, at: ast.AST, node: Node, user: str) -> bool:
        """Report an operand that is not a truth."""
        if node.kind is Kind.BOOL:
            return True
        what = f"{user} needs a condition, found {node.source!r} ({node.kind})"
        self.refuse(at, "E309", what, "compare it with something: … > 0")
        return False

    def require_number(self, at: ast.AST, node: Node, user: str) -> bool:
        """Report an operand that is not a number."""
        if node.kind.is_numeric:
            return True
        self.refuse(at, "E308", f"{user} needs a number, found {node.source!r} ({node.kind})", "use a numeric field")
        return False

    def _converted(self, left: ast.expr, one: Node, right: ast.expr, other: Node) -> tuple[Node, Node] | None:
        first, second = self.convert(left, one, other.kind), self.convert(right, other, one.kind)
        return (first, second) if first is not None and second is not None else None

    def convert(self, at: ast.AST, node: Node, wanted: Kind) -> Node | None:
        """A text literal as the seconds it means where a duration or time is wanted; other nodes as they are."""
        if wanted not in _CONVERTED or not isinstance(node, Constant) or not isinstance(node.value, str):
            return node
        try:
            return Constant(wanted, node.source, seconds_of(node.value, wanted))
        except ValueError:
            self.refuse(at, "E311", f"{node.value!r} is not a {wanted}", _example(wanted))
            return None


def seconds_of(text: str, kind: Kind) -> float:
    """Seconds of a duration (``90s``), instant (ISO-8601 with a zone) or time of day (``15:30``); raises ValueError."""
    if kind is Kind.DURATION:
        return parse_duration(text) / 1e9
    if kind is Kind.TIME:
        return from_iso(text) / 1e9
    match = _TIME_OF_DAY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time of day")
    hours, minutes, seconds = match.groups()
    return float(int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0))


def _example(kind: Kind) -> str:
    if kind is Kind.DURATION:
        return "write 90s, 5m, 1h30m or 2d"
    return "write 15:30" if kind is Kind.TIME_OF_DAY else "write 2025-05-06T09:30:00-04:00"
