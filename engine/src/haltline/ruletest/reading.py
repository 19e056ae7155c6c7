"""Nodes of a test file → plain values and records; every mistake becomes a finding at its place."""

import types
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any, Union, get_args, get_origin

import msgspec

from haltline.clock import from_iso, parse_duration
from haltline.config.finding import Findings, did_you_mean
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.errors import Place

type Plain = str | int | float | bool | list[Plain] | dict[str, Plain] | None

_IN_WORDS = {str: "text", float: "a number", Decimal: "a number", int: "a whole number", bool: "true or false"}


class Reader:
    """Reads nodes; what is wrong goes to `findings` and reads as None, so that everything wrong is found at once."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def mapping(self, node: Node | None, what: str) -> MappingNode | None:
        """The node if it is a mapping."""
        if node is None or isinstance(node, MappingNode):
            return node
        self.findings.add("E281", node.place, f"{what} must be a mapping", "write 'key: value' lines below it")
        return None

    def items(self, node: Node | None, what: str) -> tuple[Node, ...]:
        """The items of a list; a single value counts as a list of one."""
        if node is None or (isinstance(node, ScalarNode) and node.value is None):
            return ()
        if isinstance(node, MappingNode):
            self.findings.add("E281", node.place, f"{what} must be a list", "start each item with '- '")
            return ()
        return node.items if isinstance(node, ListNode) else (node,)

    def refuse_unknown(self, node: MappingNode, known: Iterable[str], where: str) -> None:
        """Note every key that is not known, with the nearest known one."""
        names = tuple(known)
        for key in node.entries:
            if key not in names:
                cure = did_you_mean(key, names, sort="keys here")
                self.findings.add("E280", node.place_of(key), f"unknown key {key!r}", cure, where=where)

    def text(self, node: Node | None, what: str) -> str | None:
        """A word or text, as written."""
        if isinstance(node, ScalarNode) and node.value is not None:
            return node.text
        if node is not None:
            self.findings.add("E282", node.place, f"{what} must be text")
        return None

    def duration(self, node: Node | None, what: str) -> int | None:
        """Nanoseconds of ``10s``."""
        text = self.text(node, what)
        if node is None or text is None:
            return None
        try:
            return parse_duration(text)
        except ValueError as error:
            self.findings.add("E282", node.place, f"{what}: {error}")
            return None

    def instant(self, node: Node | None, what: str) -> int | None:
        """Nanoseconds of an ISO-8601 instant."""
        text = self.text(node, what)
        if node is None or text is None:
            return None
        try:
            return from_iso(text)
        except ValueError as error:
            cure = "write an instant such as 2025-05-06T09:30:00-04:00"
            self.findings.add("E282", node.place, f"{what}: {error}", cure)
            return None

    def record[T: msgspec.Struct](self, node: Node | None, kind: type[T], where: str) -> T | None:
        """A record from a mapping: unknown keys, missing keys and wrong values are all noted at their places."""
        mapping = self.mapping(node, where)
        if mapping is None:
            return None
        before = len(self.findings.problems)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        self.refuse_unknown(mapping, fields, where)
        values: dict[str, Any] = {}
        for name, field in fields.items():
            value = mapping.get(name)
            if value is not None:
                values[name] = self.value(value, field.type, f"{where}: {name}")
            elif field.required:
                self.findings.add("E283", mapping.place, f"{name!r} is missing", f"add '{name}: …'", where=where)
        return None if len(self.findings.problems) > before else kind(**values)

    def value(self, node: Node, kind: Any, where: str) -> Any:
        """One value of a type, leniently converted (numbers to Decimal); None and a finding if it does not fit."""
        raw = plain(node, as_text=kind is str or str in get_args(kind))
        try:
            return msgspec.convert(raw, kind, strict=False)
        except msgspec.ValidationError:
            self.findings.add("E282", node.place, f"{where} must be {in_words(kind)}, {_shown(node)} was found")
            return None

    def flag(self, node: Node | None, where: str) -> bool | None:
        """True or false."""
        found: bool | None = None if node is None else self.value(node, bool, where)
        return found

    def number(self, node: Node | None, where: str) -> float | None:
        """A float."""
        found = None if node is None else self.value(node, float, where)
        return float(found) if found is not None else None


def plain(node: Node, *, as_text: bool = False) -> Plain:
    """The node without its places; scalars as they were written where text is wanted."""
    if isinstance(node, MappingNode):
        return {key: plain(value) for key, value in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.text if as_text and node.value is not None else node.value


def place_of(node: Node | None, fallback: Place) -> Place:
    """Where the node stands."""
    return fallback if node is None else node.place


def in_words(kind: Any) -> str:
    """A type as people say it."""
    if get_origin(kind) in (types.UnionType, Union):
        return " or ".join(in_words(part) for part in get_args(kind) if part is not types.NoneType)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "one of " + ", ".join(kind)
    return _IN_WORDS.get(kind, str(getattr(kind, "__name__", kind)))


def _shown(node: Node) -> str:
    return repr(node.text) if isinstance(node, ScalarNode) else "a list" if isinstance(node, ListNode) else "a mapping"
