"""Calls in expressions: which kind of call it is, and functions of the standard library and of plugins."""

import ast
from typing import TYPE_CHECKING

from haltline.api.field import Change, Kind
from haltline.api.function import Function, Parameter
from haltline.expr.aggregate import find_collection, resolve_fold, resolve_size
from haltline.expr.history import resolve_events, resolve_series
from haltline.expr.node import (
    Age,
    Builtin,
    Call,
    Coalesce,
    Constant,
    FieldRead,
    Known,
    Node,
)
from haltline.expr.report import suggest
from haltline.expr.stdlib import BUILTINS, EVENTS, FOLDS, NAMES, SERIES, SPECIAL
from haltline.expr.types import common, fits

if TYPE_CHECKING:  # the resolver calls this module
    from haltline.expr.resolve import Resolver


def resolve_call(resolver: "Resolver", node: ast.Call) -> Node | None:
    """The tree of a call, None after reporting what is wrong with it."""
    if not isinstance(node.func, ast.Name):
        resolver.refuse(node, "E304", "methods cannot be called", "call a function: name(…)")
        return None
    name = node.func.id
    if any(isinstance(argument, ast.Starred) for argument in node.args) or any(k.arg is None for k in node.keywords):
        resolver.refuse(node, "E304", "'*' is not part of the rule language", "write the arguments one by one")
        return None
    function = resolver.vocabulary.functions.get(name)
    if name not in NAMES:
        if function is not None:
            return _function(resolver, node, function)
        known = [*NAMES, *resolver.vocabulary.functions]
        cure = suggest(name, known) or f"known are {', '.join(sorted(known))}"
        resolver.refuse(node, "E306", f"unknown function {name!r}", cure)
        return None
    if node.keywords:
        resolver.refuse(node, "E312", f"{name!r} takes no named arguments", "write the arguments in order")
        return None
    return _standard(resolver, node, name)


def _standard(resolver: "Resolver", node: ast.Call, name: str) -> Node | None:
    if name in SPECIAL:
        return _special(resolver, node, name)
    if name in SERIES:
        return resolve_series(resolver, node, name)
    generator = node.args[0] if node.args and isinstance(node.args[0], ast.GeneratorExp) else None
    if name in FOLDS and generator is not None:
        if len(node.args) > 1:
            resolver.refuse(node, "E312", f"{name!r} takes one generator and nothing else", "drop the rest")
            return None
        return resolve_fold(resolver, node, name, generator)
    if name in BUILTINS:
        return _builtin(resolver, node, name)
    if name == "count" and len(node.args) == 1:
        collection = find_collection(resolver, node.args[0])
        if collection is not None:
            return resolve_size(resolver, node, collection)
    if name in EVENTS:
        return resolve_events(resolver, node, name)
    cure = f"write {name}(x.… for x in account.positions)"
    resolver.refuse(node, "E316", f"{name!r} needs a generator over a collection", cure)
    return None


def _arguments(resolver: "Resolver", node: ast.Call, name: str, least: int, most: int) -> list[Node] | None:
    resolved = [resolver.resolve(argument) for argument in node.args]
    if not least <= len(resolved) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        resolver.refuse(node, "E312", f"{name!r} takes {count} arguments, found {len(resolved)}", "add or drop some")
        return None
    sound = [argument for argument in resolved if argument is not None]
    return sound if len(sound) == len(resolved) else None


def _builtin(resolver: "Resolver", node: ast.Call, name: str) -> Node | None:
    builtin = BUILTINS[name]
    arguments = _arguments(resolver, node, name, builtin.least, builtin.most)
    if arguments is None:
        return None
    kind: Kind | None = arguments[0].kind
    for at, argument in zip(node.args, arguments, strict=True):
        if not resolver.require_number(at, argument, f"{name!r}"):
            return None
        kind = common(kind, argument.kind) if kind is not None and name != "round" else kind
    if kind is None:
        kinds = ", ".join(argument.kind for argument in arguments)
        resolver.refuse(node, "E308", f"{name!r} is given values of different kinds ({kinds})", "use one kind")
        return None
    result = kind if builtin.keeps_kind else Kind.NUMBER
    return resolver.folded(node, Builtin(result, resolver.source(node), name, tuple(arguments)))


def _special(resolver: "Resolver", node: ast.Call, name: str) -> Node | None:
    arguments = _arguments(resolver, node, name, 2 if name == "coalesce" else 1, 8 if name == "coalesce" else 1)
    if arguments is None:
        return None
    source = resolver.source(node)
    if name == "known":
        return Known(Kind.BOOL, source, arguments[0])
    if name == "age":
        return _age(resolver, node, arguments[0])
    kind: Kind | None = arguments[0].kind
    for argument in arguments[1:]:
        kind = common(kind, argument.kind) if kind is not None else None
    if kind is None:
        resolver.refuse(node, "E308", "coalesce is given values of different kinds", "use one kind")
        return None
    if isinstance(arguments[0], Constant):
        return arguments[0]
    return Coalesce(kind, source, tuple(arguments))


def _age(resolver: "Resolver", node: ast.Call, argument: Node) -> Node | None:
    if not isinstance(argument, FieldRead):
        resolver.refuse(node, "E312", f"age needs a field, found {argument.source!r}", "write age(position.mark)")
        return None
    resolver.reads.note("clock", Change.TIME)
    return Age(Kind.DURATION, resolver.source(node), argument.field, argument.path)


def _function(resolver: "Resolver", node: ast.Call, function: Function) -> Node | None:
    given = _bind(resolver, node, function)
    arguments: list[Node] = []
    sound = given is not None
    for parameter, expression in given or ():
        argument = _argument(resolver, function, parameter, expression)
        sound = sound and argument is not None
        if argument is not None:
            arguments.append(argument)
    if not sound:
        return None
    for root in {resolver.base.scope.value, *(resolver.reads.changes if arguments else ())} - {"clock"}:
        resolver.reads.note(resolver.credit(resolver.base, root), function.changes)
    return Call(function.returns, resolver.source(node), function, tuple(arguments))


def _bind(
    resolver: "Resolver", node: ast.Call, function: Function
) -> list[tuple[Parameter, ast.expr | Constant]] | None:
    parameters = {parameter.name: parameter for parameter in function.parameters}
    usage = f"{function.name}({', '.join(parameters)})"
    if len(node.args) > len(parameters):
        what = f"{function.name!r} takes {len(parameters)} arguments, found {len(node.args)}"
        resolver.refuse(node, "E312", what, f"write {usage}")
        return None
    given: dict[str, ast.expr] = dict(zip(parameters, node.args, strict=False))
    for keyword in node.keywords:
        name = keyword.arg or ""
        if name not in parameters or name in given:
            problem = "is given twice" if name in given else "is not known"
            cure = suggest(name, parameters) or f"write {usage}"
            resolver.refuse(keyword, "E312", f"argument {name!r} of {function.name!r} {problem}", cure)
            return None
        given[name] = keyword.value
    return _in_order(resolver, node, function, given)


def _in_order(
    resolver: "Resolver", node: ast.Call, function: Function, given: dict[str, ast.expr]
) -> list[tuple[Parameter, ast.expr | Constant]] | None:
    bound: list[tuple[Parameter, ast.expr | Constant]] = []
    remaining = len(given)
    for parameter in function.parameters:
        expression = given.get(parameter.name)
        if expression is not None:
            bound.append((parameter, expression))
            remaining -= 1
            continue
        if parameter.required and parameter.default is None:
            what = f"{function.name!r} needs {parameter.name!r} ({parameter.kind})"
            resolver.refuse(node, "E312", what, "add it")
            return None
        if parameter.default is not None:
            default = resolver.constant(node, parameter.default)
            bound.extend([(parameter, default)] if default is not None else [])
        elif remaining:
            what = f"{function.name!r} needs {parameter.name!r} before later arguments"
            resolver.refuse(node, "E312", what, "add it")
            return None
    return bound


def _argument(
    resolver: "Resolver", function: Function, parameter: Parameter, expression: ast.expr | Constant
) -> Node | None:
    if isinstance(expression, Constant):
        return expression
    argument = resolver.resolve(expression)
    if argument is not None:
        argument = resolver.convert(expression, argument, parameter.kind)
    if argument is None:
        return None
    if not fits(argument.kind, parameter.kind):
        found = f"{argument.source!r} ({argument.kind})"
        what = f"{parameter.name!r} of {function.name!r} is {parameter.kind}, found {found}"
        resolver.refuse(expression, "E308", what, f"give a {parameter.kind}")
        return None
    if parameter.choices and isinstance(argument, Constant) and argument.value not in parameter.choices:
        cure = suggest(str(argument.value), parameter.choices) or f"it is one of {', '.join(parameter.choices)}"
        resolver.refuse(expression, "E310", f"{parameter.name!r} is never {argument.value!r}", cure)
        return None
    return argument
