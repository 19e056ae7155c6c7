"""Stage 1: is every key known, is nothing missing, is each thing a mapping, a list or a value as it should be.

Driven by the same JSON Schema as stage 2, but walked by hand: the answer is one sentence at the place of the mistake.
"""

from collections.abc import Mapping
from typing import cast

from haltline.config.finding import Findings, did_you_mean, listing
from haltline.config.schema import Schema, resolve_ref, sub_schema, types_of
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode

_KINDS = {"object": "a mapping (key: value)", "array": "a list"}


class Walk:
    """Stage 1 over one node; `root` is the schema that local references point into."""

    def __init__(self, root: Schema, findings: Findings, where: str = "") -> None:
        self._root = root
        self._findings = findings
        self._where = where

    def check(self, node: Node, schema: Schema, path: str = "") -> None:
        """Note E201 unknown key, E202 missing key, E203 wrong kind of node, here and below."""
        schema = resolve_ref(schema, self._root)
        if not self._right_kind(node, types_of(schema), path):
            return
        if isinstance(node, MappingNode):
            self._mapping(node, schema, path)
        elif isinstance(node, ListNode):
            inner = sub_schema(schema, "items")
            for index, item in enumerate(node.items):
                self.check(item, inner, f"{path}[{index}]")

    def _right_kind(self, node: Node, types: frozenset[str], path: str) -> bool:
        if not types or kind_of(node) in types:
            return True
        if isinstance(node, ScalarNode) and types - {"object", "array"}:
            return True
        wanted = [_KINDS[name] for name in ("object", "array") if name in types]
        if types - {"object", "array"}:
            wanted.insert(0, "a single value")
        self._findings.add(
            "E203", node.place, f"expected {' or '.join(wanted)}, found {describe(node)}", _cure(node, types),
            where=self.at(path),
        )  # fmt: skip
        return False

    def _mapping(self, node: MappingNode, schema: Schema, path: str) -> None:
        known = cast("Mapping[str, Schema]", schema.get("properties", {}))
        closed = schema.get("additionalProperties") is False
        for key, value in node.entries.items():
            inner = f"{path}.{key}" if path else key
            if closed and key not in known:
                self._findings.add(
                    "E201", node.keys[key], f"unknown key {key!r}", did_you_mean(key, known), where=self.at(path)
                )
            elif node.get(key) is not None:
                self.check(value, known.get(key) or sub_schema(schema, "additionalProperties"), inner)
            elif key not in known:
                self._empty_entry(node, key, sub_schema(schema, "additionalProperties"), inner)
        for key in cast("list[str]", schema.get("required", [])):
            if node.get(key) is None:
                state = "is empty" if key in node.entries else "is missing"
                cure = f"add '{key}:'" if state == "is missing" else "give it a value"
                self._findings.add("E202", node.place_of(key), f"the key {key!r} {state}", cure, where=self.at(path))

    def _empty_entry(self, node: MappingNode, key: str, schema: Schema, path: str) -> None:
        needed = cast("list[str]", resolve_ref(schema, self._root).get("required", []))
        if needed:
            self._findings.add(
                "E202", node.keys[key], f"{key!r} is empty", f"give it '{needed[0]}:'", where=self.at(path)
            )

    def at(self, path: str) -> str:
        """The user's words for where this is."""
        return ": ".join(part for part in (self._where, path) if part)


def kind_of(node: Node) -> str:
    """`object`, `array` or `scalar`."""
    return "object" if isinstance(node, MappingNode) else "array" if isinstance(node, ListNode) else "scalar"


def describe(node: Node) -> str:
    """What was found, in words, without the content of references."""
    if isinstance(node, MappingNode):
        return f"a mapping with {listing(list(node.entries), most=4)}" if node.entries else "an empty mapping"
    if isinstance(node, ListNode):
        return "a list"
    return describe_scalar(node)


def describe_scalar(node: ScalarNode) -> str:
    """`the number 5`, `the text 'abc'`, `true`; a reference as it was written."""
    if node.referenced:
        return f"{node.shown!r} (of which the value is not shown)"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return node.text
    if isinstance(node.value, str):
        return f"the text {shortened(node.text)!r}"
    return f"the number {node.text}"


def shortened(text: str, *, most: int = 60) -> str:
    """The text, cut off where it is long."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _cure(node: Node, types: frozenset[str]) -> str:
    if "array" in types and isinstance(node, ScalarNode) and node.value is not None:
        return f"write [{shortened(node.shown)}]"
    if "array" in types and isinstance(node, MappingNode):
        return "start each item with '- '"
    if "object" in types and isinstance(node, ListNode):
        return "write 'key: value' lines without '- '"
    if types == {"object"}:
        return "write 'key: value' lines below it"
    return "write one value"
