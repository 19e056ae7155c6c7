"""The door: text in, a checked expression or problems out."""

import ast
from collections.abc import Mapping
from typing import Literal

from haltline.api.field import Kind
from haltline.errors import Place, Problem
from haltline.expr.checked import Checked
from haltline.expr.context import Base, Reads
from haltline.expr.node import Node, cost, depth
from haltline.expr.parse import MAX_DEPTH, parse
from haltline.expr.report import Report
from haltline.expr.resolve import Resolver
from haltline.expr.types import fits
from haltline.expr.vocabulary import Vocabulary
from haltline.model.rule import ConstantValue, Scope

MAX_COST = 100_000
"""Node evaluations one expression may need, collections at their declared bounds: a few milliseconds."""

type Wanted = Kind | Literal["numeric", "bool"] | None


def check(
    text: str,
    *,
    scope: Scope,
    vocabulary: Vocabulary,
    wants: Wanted,
    problems: list[Problem],
    constants: Mapping[str, ConstantValue] | None = None,
    place: Place | None = None,
    where: str = "",
) -> Checked | None:
    """Check an expression over one entity of `scope`; None after appending every mistake to `problems`.

    `wants` is the kind it must have: a Kind, "numeric", "bool", or None for any. `constants` are template inputs by
    full name (``inputs.limit``); a tuple can only stand behind ``in``. `place` is where the text starts in its file.
    Never raises for a user's mistake.
    """
    report = Report(text=text, where=where, place=place, problems=problems)
    parsed = parse(report)
    if parsed is None:
        return None
    report = report.shifted(parsed.shift)
    reads = Reads()
    resolver = Resolver(
        vocabulary=vocabulary, report=report, base=Base(scope, "e"), reads=reads, constants=constants or {}
    )
    found = resolver.resolve(parsed.body)
    tree = None if found is None else _as_wanted(resolver, parsed.body, found, wants)
    if tree is None or not _is_affordable(report, tree):
        return None
    return Checked(
        text=text, scope=scope, tree=tree, reads=frozenset(reads.fields), changes=dict(reads.changes),
        windows=tuple(reads.windows), cost=cost(tree),
    )  # fmt: skip


def _as_wanted(resolver: Resolver, body: ast.expr, tree: Node, wants: Wanted) -> Node | None:
    if wants is None:
        return tree
    if wants in ("bool", Kind.BOOL):
        return tree if resolver.require_bool(body, tree, "this place") else None
    if wants == "numeric":
        return tree if resolver.require_number(body, tree, "this place") else None
    kind = Kind(wants)
    converted = resolver.convert(body, tree, kind)
    if converted is None:
        return None
    if not fits(converted.kind, kind):
        what = f"this place needs a {kind}, found {tree.source!r} ({tree.kind})"
        resolver.refuse(body, "E309", what, f"give a {kind}")
        return None
    return converted


def _is_affordable(report: Report, tree: Node) -> bool:
    if depth(tree) > MAX_DEPTH:
        report.add("E303", "the expression is nested too deeply", f"at most {MAX_DEPTH} levels are allowed")
        return False
    if cost(tree) > MAX_COST:
        what = f"one evaluation may take {cost(tree):,} steps"
        report.add("E318", what, f"at most {MAX_COST:,} are allowed; walk fewer or smaller collections")
        return False
    return True
