"""Aggregates over collections: `sum(p.notional for p in account.positions if …)` and its like."""

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from haltline.api.field import Collection, Kind
from haltline.expr.context import Base, Item, dotted
from haltline.expr.node import (
    Fold,
    FoldName,
    Logic,
    Node,
)
from haltline.expr.report import suggest
from haltline.model.rule import Scope

if TYPE_CHECKING:  # the resolver calls this module
    from haltline.expr.resolve import Resolver


def find_collection(resolver: "Resolver", node: ast.expr) -> tuple[Collection, str, str] | None:
    """The collection a dotted name means, the code of its owner, and the root whose changes count."""
    parts = canonical(resolver, node)
    if parts is None:
        return None
    full, base = parts
    collection = resolver.vocabulary.collections.get(full)
    roots = resolver.vocabulary.roots.get(base.scope, {})
    if collection is None or collection.root not in roots:
        return None
    return collection, roots[collection.root].format(base.path), resolver.credit(base, collection.root)


def canonical(resolver: "Resolver", node: ast.expr) -> tuple[str, Base] | None:
    """A dotted name with a generator variable replaced by its root, and the object it starts from."""
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


def resolve_size(resolver: "Resolver", node: ast.Call, found: tuple[Collection, str, str]) -> Node:
    """`count(account.positions)`: how many items there are."""
    _note_collection(resolver, found)
    return Fold(Kind.COUNT, resolver.source(node), "count", found[0], found[1], "", None, None)


def resolve_fold(resolver: "Resolver", node: ast.Call, name: str, generator: ast.GeneratorExp) -> Node | None:
    """An aggregate over a generator; None after reporting what is wrong with it."""
    walk = generator.generators[0]
    if len(generator.generators) > 1 or walk.is_async or not isinstance(walk.target, ast.Name):
        resolver.refuse(node, "E304", "a generator has exactly one 'for name in collection'", "nest sum(…) instead")
        return None
    found = find_collection(resolver, walk.iter)
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
