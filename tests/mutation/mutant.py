"""Small wrong changes to a module: what each one is called, and the code it makes.

Glossary. A *mutant* is a module with one change in one function; its *key* names it for good: module, function, what
was and what is, and a number where a function has several alike. A *change* puts one node in the place of another.

What is changed: comparisons (`<` and `<=`, `==` and `!=`, `is`, `in`), `and` and `or`, one side of either, `not`,
conditions to True and to False, `min` and `max`, `any` and `all`, numbers, booleans, words (texts with a space are only
messages), arithmetic, what a return gives, and statements taken away. Only bodies of functions are changed: module
constants, defaults and annotations stay. An `assert` states what cannot happen, so taking it away proves nothing.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

sys.path.insert(0, str(Path(__file__).parent))

from source import PACKAGE, Function, functions_of, tree_of

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_NOT_RUN = frozenset({"annotation", "returns", "type_params", "decorator_list", "type"})
_WORD = re.compile(r"[\w:./~^*@-]+")


@dataclass(frozen=True, slots=True)
class Change:
    """`new` in the place of `old`: the field of a node, or one item of a field that is a list."""

    parent: ast.AST
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST

    def put(self, node: ast.AST) -> None:
        """Set the node in its place."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function (`Class.name`); `lines` are those of the statement it is in."""

    key: str
    module: str
    function: str
    lines: range
    change: Change
    tree: ast.Module

    def code(self) -> CodeType:
        """The code of the changed function, compiled; raises ValueError where Python refuses it."""
        self.change.put(ast.fix_missing_locations(ast.copy_location(self.change.new, self.change.old)))
        try:
            compiled = compile(self.tree, str(PACKAGE / self.module), "exec")
        except SyntaxError as error:
            raise ValueError(str(error)) from error
        finally:
            self.change.put(self.change.old)
        return code_of(compiled, self.function)


def code_of(module: CodeType, function: str) -> CodeType:
    """The code of `Class.name` within that of a module; raises ValueError where there is none."""
    code = module
    for part in function.split("."):
        code = next(each for each in _inner(code) if each.co_name == part)
    return code


def _inner(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if each.co_name.startswith("<generic parameters of"):
                yield from _inner(each)
            yield each


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a module (`rules/incident.py`), in the order of its text."""
    tree = tree_of(module)
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for name, function in functions_of(tree):
        if not _is_abstract(function):
            for lines, change in _changes(function):
                text = f"{module}::{name}: {_short(change.old)} => {_short(change.new)}"
                seen[text] += 1
                key = text if seen[text] == 1 else f"{text} #{seen[text]}"
                found.append(Mutant(key, module, name, lines, change, tree))
    return found


def _is_abstract(function: Function) -> bool:
    """Whether it holds a docstring alone: a member of a protocol."""
    return all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in function.body)


def _short(node: ast.AST) -> str:
    if isinstance(node, ast.Pass):
        return "(nothing)"
    return " ".join(ast.unparse(node).split())


def _changes(function: Function) -> Iterator[tuple[range, Change]]:
    for statement, parent, index, field in _statements(function):
        lines = range(statement.lineno, _header_end(statement) + 1)
        is_vain = statement is function.body[-1] and _gives_nothing(statement)
        for new in _instead_of(statement) if not is_vain else ():
            yield lines, Change(parent, field, index, statement, new)
        for change in _within(statement):
            yield lines, change


def _gives_nothing(statement: ast.stmt) -> bool:
    """Whether it is a return of None, which the end of a function does by itself."""
    return isinstance(statement, ast.Return) and (statement.value is None or _is_none(statement.value))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _statements(node: ast.AST) -> Iterator[tuple[ast.stmt, ast.AST, int, str]]:
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):
        for index, each in enumerate(getattr(node, field, ())):
            if isinstance(each, ast.stmt):
                is_docstring = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
                if not is_docstring and not isinstance(each, ast.Assert):
                    yield each, node, index, field
            yield from _statements(each)


def _header_end(statement: ast.stmt) -> int:
    first = [each.lineno for each in getattr(statement, "body", ()) if isinstance(each, ast.stmt)]
    if isinstance(statement, ast.Match):
        return statement.subject.end_lineno or statement.lineno
    return max(statement.lineno, first[0] - 1) if first else (statement.end_lineno or statement.lineno)


def _instead_of(statement: ast.stmt) -> Iterator[ast.stmt]:
    match statement:
        case ast.Return(value=None) | ast.Continue() | ast.Break() | ast.Raise() | ast.Delete() | ast.AugAssign():
            yield ast.Pass()
        case ast.Return(value=ast.Constant(value=None)):
            yield ast.Pass()
        case ast.Return(value=ast.Constant(value=bool() | "")):
            return  # None would do as False or "" does; another text or truth is among the constants
        case ast.Return():
            yield ast.Return(ast.Constant(None))
        case ast.Expr():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Name()]):
            return  # a name that is missing raises at once
        case ast.Assign():
            yield ast.Pass()


def _within(statement: ast.AST) -> Iterator[Change]:
    """Changes of the expressions of one statement, not of the statements in it."""
    for field, index, child in _children(statement):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            continue
        if field in _NOT_RUN or (field == "args" and not isinstance(statement, ast.Call)):
            continue
        if not isinstance(child, ast.JoinedStr):
            for new in _variants(child, is_condition=field in ("test", "ifs"), holder=statement):
                yield Change(statement, field, index, child, new)
        yield from _within(child)


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for field, content in ast.iter_fields(node):
        if isinstance(content, ast.AST):
            yield field, None, content
        elif isinstance(content, list):
            for index, each in enumerate(content):
                if isinstance(each, ast.AST):
                    yield field, index, each


def _variants(node: ast.AST, *, is_condition: bool, holder: ast.AST) -> Iterator[ast.expr]:
    if is_condition and not isinstance(node, ast.Constant):
        if not isinstance(holder, ast.While):
            yield ast.Constant(True)
        yield ast.Constant(False)
    match node:
        case ast.Compare(left, [operator], [right]) if type(operator) in _COMPARISONS:
            yield ast.Compare(left, [_COMPARISONS[type(operator)]()], [right])
        case ast.BoolOp(operator, operands):
            yield from _fewer(operator, operands)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC:
            yield ast.BinOp(left, _ARITHMETIC[type(operator)](), right)
        case ast.Name(name) if name in _NAMES and isinstance(holder, ast.Call):
            yield ast.Name(_NAMES[name], ast.Load())
        case ast.Constant(content):
            yield from _constants(content, holder)


def _fewer(operator: ast.boolop, operands: list[ast.expr]) -> Iterator[ast.expr]:
    yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), operands)
    for index in range(len(operands)):
        rest = operands[:index] + operands[index + 1 :]
        yield rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)


def _constants(content: object, holder: ast.AST) -> Iterator[ast.expr]:
    if isinstance(content, bool):
        yield ast.Constant(not content)
    elif isinstance(content, int | float):
        yield ast.Constant(content + 1)
    elif isinstance(content, str) and _WORD.fullmatch(content) and not isinstance(holder, ast.JoinedStr):
        yield ast.Constant(f"not {content}")
