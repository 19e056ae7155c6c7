"""What a compiled function reads or works out once: shared paths, fields, and sub-expressions."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from haltline.expr.emit import Emitter
from haltline.expr.node import (
    Age,
    Arithmetic,
    Builtin,
    Call,
    Choice,
    Coalesce,
    FieldRead,
    Fold,
    Logic,
    Node,
    Window,
    children,
    cost,
)

_DOTTED = re.compile(r"e(?:\.[A-Za-z]\w*)+")
_HEAVY = (Age, Arithmetic, Builtin, Call, Fold, Window)


class _Census:
    """Counts what occurs how often, and what is worked out whatever the state."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.nodes: Counter[Node] = Counter()
        self.certain: set[Node] = set()

    def visit(self, node: Node, *, certain: bool) -> None:
        if isinstance(node, _HEAVY):
            self.nodes[node] += 1
            if certain:
                self.certain.add(node)
            if self.nodes[node] > 1:
                return
        if isinstance(node, FieldRead | Window):
            self.codes[node.code] += 1
        if isinstance(node, Age):
            self.codes[node.path + "."] += 1
        if isinstance(node, Fold):
            return
        for position, child in enumerate(children(node)):
            branches = isinstance(node, Logic | Choice | Coalesce) and position > 0
            self.visit(child, certain=certain and not branches)


def hoist(emitter: Emitter, trees: Iterable[Node]) -> list[str]:
    """Assignments to put before the trees are written; the emitter then uses the local variables."""
    census = _Census()
    for tree in trees:
        census.visit(tree, certain=True)
    lines = list(_paths(emitter, census))
    shared = [node for node, count in census.nodes.items() if count > 1 and node in census.certain]
    for node in sorted(shared, key=cost):
        source = emitter.value(node)
        name = emitter.names[node] = emitter.fresh("s")
        lines.append(f"{name} = {source}")
    return lines


def _paths(emitter: Emitter, census: _Census) -> Iterator[str]:
    prefixes: Counter[str] = Counter()
    for code in census.codes:
        found = _DOTTED.match(code)
        parts = found.group().split(".") if found else []
        whole = found is not None and found.group() == code
        prefixes.update(".".join(parts[:size]) for size in range(2, len(parts) + (not whole)))
    useful = {prefix for prefix, count in prefixes.items() if count > 1 and not _covered(prefix, count, prefixes)}
    repeated = {code for code, count in census.codes.items() if count > 1 and not code.endswith((".", ")"))}
    for path in sorted(useful | repeated, key=lambda path: (len(path), path)):
        source = emitter.read(path)
        name = emitter.paths[path] = emitter.fresh("r")
        yield f"{name} = {source}"


def _covered(prefix: str, count: int, prefixes: Counter[str]) -> bool:
    """Whether a longer path serves all the same reads."""
    return any(other.startswith(prefix + ".") and prefixes[other] == count for other in prefixes)
