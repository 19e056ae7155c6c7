"""Windows: whose history an expression follows, and what is to be sampled."""

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from haltline.api.field import Change, Collection, Kind
from haltline.clock import NS_PER_S, parse_duration
from haltline.expr.aggregate import canonical
from haltline.expr.checked import Checked
from haltline.expr.context import Base, Item, Reads, dotted
from haltline.expr.node import (
    Constant,
    Node,
    Window,
    WindowMethod,
    cost,
)
from haltline.expr.window import WindowNeed
from haltline.model.rule import Scope

if TYPE_CHECKING:  # the resolver calls this module
    from haltline.expr.resolve import Resolver


def resolve_series(resolver: "Resolver", node: ast.Call, name: str) -> Node | None:
    """`change`, `max_over` and their like over the history of a number."""
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


def resolve_events(resolver: "Resolver", node: ast.Call, name: str) -> Node | None:
    """`count`, `sum` and `streak` over the fills of a collection."""
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
        named = canonical(resolver, each) if isinstance(each, ast.expr) and dotted(each) else None
        if named is not None and named[0] in resolver.vocabulary.collections:
            owners.add(named)
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
        tree = _each_once(resolver, node, found[0])
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


def _each_once(resolver: "Resolver", node: ast.expr, collection: Collection) -> Node | None:
    named = canonical(resolver, node)
    if named is not None and named[0] == collection.name:
        return Constant(Kind.NUMBER, "1", 1.0)
    resolver.refuse(node, "E317", "'count' counts whole fills", f'write count({collection.name}, "1h")')
    return None


def _fits_events(resolver: "Resolver", node: ast.expr, tree: Node, name: str) -> bool:
    if name == "streak":
        return resolver.require_bool(node, tree, "'streak'")
    return resolver.require_number(node, tree, f"{name!r}")
