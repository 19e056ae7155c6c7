"""Calls in expressions: aggregates over collections, windows, and functions."""

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from haltline.api.field import Change, Collection, Kind
from haltline.api.function import Function, Parameter
from haltline.clock import NS_PER_S, parse_duration
from haltline.expr.checked import Checked
from haltline.expr.context import Base, Item, Reads, dotted
from haltline.expr.node import (
    Age,
    Builtin,
    Call,
    Coalesce,
    Constant,
    FieldRead,
    Fold,
    FoldName,
    Known,
    Logic,
    Node,
    Window,
    WindowMethod,
    cost,
)
from haltline.expr.report import suggest
from haltline.expr.stdlib import BUILTINS, EVENTS, FOLDS, NAMES, SERIES, SPECIAL
from haltline.expr.types import common, fits
from haltline.expr.window import WindowNeed
from haltline.model.rule import Scope

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
        return _series(resolver, node, name)
    generator = node.args[0] if node.args and isinstance(node.args[0], ast.GeneratorExp) else None
    if name in FOLDS and generator is not None:
        if len(node.args) > 1:
            resolver.refuse(node, "E312", f"{name!r} takes one generator and nothing else", "drop the rest")
            return None
        return _fold(resolver, node, name, generator)
    if name in BUILTINS:
        return _builtin(resolver, node, name)
    if name == "count" and len(node.args) == 1:
        collection = _collection(resolver, node.args[0])
        if collection is not None:
            _note_collection(resolver, collection)
            return Fold(Kind.COUNT, resolver.source(node), "count", collection[0], collection[1], "", None, None)
    if name in EVENTS:
        return _events(resolver, node, name)
    cure = f"write {name}(x.… for x in account.positions)"
    resolver.refuse(node, "E316", f"{name!r} needs a generator over a collection", cure)
    return None


# functions


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


# aggregates


def _collection(resolver: "Resolver", node: ast.expr) -> tuple[Collection, str, str] | None:
    """The collection a dotted name means, the code of its owner, and the root whose changes count."""
    parts = _canonical(resolver, node)
    if parts is None:
        return None
    full, base = parts
    collection = resolver.vocabulary.collections.get(full)
    roots = resolver.vocabulary.roots.get(base.scope, {})
    if collection is None or collection.root not in roots:
        return None
    return collection, roots[collection.root].format(base.path), resolver.credit(base, collection.root)


def _canonical(resolver: "Resolver", node: ast.expr) -> tuple[str, Base] | None:
    parts = dotted(node)
    if parts is None:
        return None
    item = resolver.items.get(parts[0])
    if item is not None:
        return ".".join((item.root, *parts[1:])), Base(Scope(item.root), item.path, item.credit)
    return ".".join(parts), resolver.base


def _note_collection(resolver: "Resolver", found: tuple[Collection, str, str]) -> None:
    collection, _, credit = found
    resolver.reads.fields.add(collection.name)
    resolver.reads.note(credit, collection.changes)


def _fold(resolver: "Resolver", node: ast.Call, name: str, generator: ast.GeneratorExp) -> Node | None:
    walk = generator.generators[0]
    if len(generator.generators) > 1 or walk.is_async or not isinstance(walk.target, ast.Name):
        resolver.refuse(node, "E304", "a generator has exactly one 'for name in collection'", "nest sum(…) instead")
        return None
    found = _collection(resolver, walk.iter)
    if found is None:
        known = resolver.vocabulary.collections
        cure = suggest(resolver.source(walk.iter), known) or f"walk one of {', '.join(sorted(known))}"
        resolver.refuse(walk.iter, "E316", f"{resolver.source(walk.iter)!r} is not a collection here", cure)
        return None
    variable = walk.target.id
    if variable.startswith("_"):
        resolver.refuse(walk.target, "E304", f"{variable!r} starts with an underscore", "use a plain name")
        return None
    _note_collection(resolver, found)
    inner = _inside(resolver, variable, found)
    condition = _conditions(inner, walk.ifs)
    bare = isinstance(generator.elt, ast.Name) and generator.elt.id == variable and name == "count"
    element = None if bare else inner.resolve(generator.elt)
    if (element is None and not bare) or (condition is None and walk.ifs):
        return None
    fold = _Fold(cast(FoldName, name), found[0], found[1], inner.items[variable].path, element, condition)
    return _folded(inner, node, fold)


def _inside(resolver: "Resolver", variable: str, found: tuple[Collection, str, str]) -> "Resolver":
    depth = len({item.path for item in resolver.items.values()})
    item = Item(found[0].item, f"v{depth + 1}", found[2])
    return replace(resolver, items={**resolver.items, variable: item})


def _conditions(resolver: "Resolver", expressions: list[ast.expr]) -> Node | None:
    conditions = [resolver.resolve(expression) for expression in expressions]
    sound = [
        condition for expression, condition in zip(expressions, conditions, strict=True)
        if condition is not None and resolver.require_bool(expression, condition, "'if'")
    ]  # fmt: skip
    if not sound or len(sound) < len(conditions):
        return None
    return sound[0] if len(sound) == 1 else Logic(Kind.BOOL, sound[0].source, "and", tuple(sound))


class _Fold(NamedTuple):
    name: FoldName
    collection: Collection
    path: str
    variable: str
    element: Node | None
    condition: Node | None


def _folded(resolver: "Resolver", node: ast.Call, fold: _Fold) -> Node | None:
    name, element, condition = fold.name, fold.element, fold.condition
    kind = Kind.COUNT if name == "count" else Kind.BOOL
    if name in ("sum", "min", "max"):
        if element is None or not resolver.require_number(node, element, f"{name!r}"):
            return None
        kind = element.kind
    elif element is not None and not resolver.require_bool(node, element, f"{name!r}"):
        return None
    if name == "count" and element is not None:
        both = (condition, element) if condition is not None else (element,)
        condition = Logic(Kind.BOOL, element.source, "and", both) if len(both) > 1 else element
        element = None
    source = resolver.source(node)
    return Fold(kind, source, name, fold.collection, fold.path, fold.variable, element, condition)


# windows


def _series(resolver: "Resolver", node: ast.Call, name: str) -> Node | None:
    if len(node.args) != 2:
        resolver.refuse(node, "E312", f"{name!r} takes a value and a duration", f'write {name}(account.equity, "5m")')
        return None
    duration_ns = _duration(resolver, node.args[1])
    base = _owner(resolver, node.args[0])
    if base is None:
        return None
    reads, reader = _reader(resolver, node.args[0], base)
    if reader is None or duration_ns is None:
        return None
    if not resolver.require_number(node.args[0], reader.tree, f"{name!r}"):
        return None
    changes = Change.NONE
    for change in reader.changes.values():
        changes |= change
    need = WindowNeed(owner=base.scope, kind="series", reader=reader, duration_ns=duration_ns, changes=changes)
    kind = reader.kind
    if name in ("change", "stddev_over") and kind in (Kind.TIME, Kind.TIME_OF_DAY):
        kind = Kind.DURATION
    return _window(resolver, node, need, base, reads=reads, kind=kind)


def _window(resolver: "Resolver", node: ast.Call, need: WindowNeed, base: Base, *, reads: Reads, kind: Kind) -> Node:
    resolver.reads.absorb(reads, base.credit)
    if need not in resolver.reads.windows:
        resolver.reads.windows.append(need)
    if need.duration_ns is not None:
        resolver.reads.note("clock", Change.TIME)
    method = cast(WindowMethod, cast(ast.Name, node.func).id)
    return Window(kind, resolver.source(node), need, base.path, resolver.vocabulary.plan.index(need), method)


def _duration(resolver: "Resolver", node: ast.expr) -> int | None:
    text = resolver.resolve(node)
    if text is None:
        return None
    duration_ns = _nanoseconds(text, is_input=isinstance(node, ast.Attribute)) if isinstance(text, Constant) else 0
    if duration_ns > 0:
        return duration_ns
    resolver.refuse(node, "E311", f"{text.source!r} is not a duration", 'write a literal such as "5m" or "1h30m"')
    return None


def _nanoseconds(constant: Constant, *, is_input: bool) -> int:
    """The length a constant means, 0 for none: a template's duration input is a number of seconds."""
    if is_input and isinstance(constant.value, float):
        return round(constant.value * NS_PER_S)
    try:
        return parse_duration(constant.value) if isinstance(constant.value, str) else 0
    except ValueError:
        return 0


def _heads(resolver: "Resolver", node: ast.expr) -> set[str]:
    """The first parts of all names in a sub-expression, without constants and its own generator variables."""
    own = {inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.comprehension)
           and isinstance(inner.target, ast.Name)}  # fmt: skip
    heads: set[str] = set()
    queue: list[ast.AST] = [node]
    while queue:
        each = queue.pop()
        parts = dotted(each)
        if parts is None:
            queue.extend(each.args if isinstance(each, ast.Call) else ast.iter_child_nodes(each))
            continue
        if ".".join(parts) not in resolver.constants and parts[0] not in own:
            heads.add(parts[0])
    return heads - {"clock", "true", "false"}


def _owner(resolver: "Resolver", node: ast.expr) -> Base | None:
    """Whose history this is: of the one object the expression reads, else of the rule's own entity."""
    heads = _heads(resolver, node)
    bound = heads & set(resolver.items)
    if not heads:
        resolver.refuse(node, "E317", "a window needs a field to follow", 'write change(account.equity, "5m")')
        return None
    if bound:
        item = resolver.items[min(bound)]
        base = Base(Scope(item.root), item.path, item.credit)
        if len(heads) > 1:
            resolver.refuse(node, "E317", "a window inside a generator follows its item only", "read one variable")
            return None
    else:
        roots = resolver.vocabulary.roots.get(resolver.base.scope, {})
        heads = {"account" if head == "session" else head for head in heads}
        head = min(heads)
        single = len(heads) == 1 and head in roots and head in Scope
        path = roots[head].format(resolver.base.path) if single else resolver.base.path
        base = Base(Scope(head), path, resolver.base.credit) if single else resolver.base
    if base.scope in (Scope.FILL, Scope.INTENT):
        resolver.refuse(node, "E317", f"one {base.scope.value} has no history", 'write sum(account.fills.pnl, "30m")')
        return None
    return base


def _reader(resolver: "Resolver", node: ast.expr, base: Base) -> tuple[Reads, Checked | None]:
    """The sampled expression, resolved anew over the object that keeps the history."""
    reads = Reads()
    items = {name: Item(item.root, "e", item.credit) for name, item in resolver.items.items()}
    own = Base(base.scope, "e")
    inner = replace(resolver, base=own, reads=reads, items=items)
    tree = inner.resolve(node)
    if tree is None:
        return reads, None
    if reads.windows:
        resolver.refuse(node, "E317", "windows cannot be nested", "follow the plain field")
        return reads, None
    checked = Checked(
        text=resolver.source(node), scope=base.scope, tree=tree, reads=frozenset(reads.fields),
        changes=dict(reads.changes), cost=cost(tree),
    )  # fmt: skip
    return reads, checked


def _events(resolver: "Resolver", node: ast.Call, name: str) -> Node | None:
    wanted = 1 if name == "streak" else 2
    if len(node.args) != wanted:
        example = {"streak": "streak(account.fills.pnl < 0)", "count": 'count(account.fills, "1h")'}
        cure = f"write {example.get(name, 'sum(account.fills.pnl, "30m")')}"
        resolver.refuse(node, "E312", f"{name!r} takes {wanted} argument{'s' * (wanted > 1)} here", cure)
        return None
    duration_ns = None if name == "streak" else _duration(resolver, node.args[1])
    found = _followed(resolver, node.args[0])
    if found is None:
        resolver.refuse(node, "E317", f"{name!r} follows the fills of one collection", "write account.fills")
        return None
    reads, reader = _event_reader(resolver, node.args[0], found, name)
    if reader is None or (duration_ns is None and name != "streak"):
        return None
    collection, base = found
    changes = collection.changes | Change.FILL
    need = WindowNeed(owner=base.scope, kind="events", reader=reader, duration_ns=duration_ns, changes=changes)
    resolver.reads.note(resolver.credit(base, collection.root), changes)
    reads.changes.clear()
    kind = reader.kind if name == "sum" else Kind.COUNT
    return _window(resolver, node, need, base, reads=reads, kind=kind)


def _followed(resolver: "Resolver", node: ast.expr) -> tuple[Collection, Base] | None:
    owners: set[tuple[str, Base]] = set()
    for each in ast.walk(node):
        canonical = _canonical(resolver, each) if isinstance(each, ast.expr) and dotted(each) else None
        if canonical is not None and canonical[0] in resolver.vocabulary.collections:
            owners.add((canonical[0], canonical[1]))
    if len(owners) != 1:
        return None
    name, base = owners.pop()
    collection = resolver.vocabulary.collections[name]
    roots = resolver.vocabulary.roots.get(base.scope, {})
    if collection.item != Scope.FILL.value or collection.root not in roots:
        return None
    return collection, Base(Scope(collection.root), roots[collection.root].format(base.path), base.credit)


def _event_reader(
    resolver: "Resolver", node: ast.expr, found: tuple[Collection, Base], name: str
) -> tuple[Reads, Checked | None]:
    reads = Reads()
    own = Base(Scope.FILL, "e")
    tree: Node | None
    if name == "count":
        tree = Constant(Kind.NUMBER, "1", 1.0) if dotted(node) else None
    else:
        tree = replace(resolver, base=own, reads=reads, events=found[0], items={}).resolve(node)
    if tree is None or not _fits_events(resolver, node, tree, name):
        return reads, None
    if reads.windows:
        resolver.refuse(node, "E317", "windows cannot be nested", "follow the plain field")
        return reads, None
    checked = Checked(
        text=resolver.source(node), scope=Scope.FILL, tree=tree, reads=frozenset(reads.fields),
        changes=dict(reads.changes), cost=cost(tree),
    )  # fmt: skip
    return reads, checked


def _fits_events(resolver: "Resolver", node: ast.expr, tree: Node, name: str) -> bool:
    if name == "streak":
        return resolver.require_bool(node, tree, "'streak'")
    return resolver.require_number(node, tree, f"{name!r}")
