"""YAML text → a tree in which every key and value knows its line and column.

Built from the parser's events and not by a constructor: nothing is ever instantiated, duplicate keys, tags, deep
nesting and alias bombs are refused here, and words keep the text they were written with (money is read exactly).
"""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from haltline.clock import parse_duration
from haltline.config.diagnose import explained
from haltline.config.finding import Findings
from haltline.config.scalar import ScalarValue, is_not_finite, resolve
from haltline.config.syntax import explain
from haltline.errors import ConfigError, Place, Problem
from haltline.errors.inert import first_control

MAX_BYTES = 1_048_576
"""A file a person wrote is a few kilobytes; a megabyte still checks within seconds, more is a wrong file."""
MAX_NODES = 100_000
"""Values in one file once aliases are written out: stops `billion laughs`."""
MAX_DEPTH = 40

_PLAIN_TAGS = frozenset({None, "!", *(f"tag:yaml.org,2002:{name}" for name in
                        ("str", "int", "float", "bool", "null", "map", "seq"))})  # fmt: skip
_STR = "tag:yaml.org,2002:str"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

type Expand = Callable[[str, Place], str | None]
"""Replaces references in one text; None where that failed (the problem is noted elsewhere)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarNode:
    """One word or text. `shown` is what may be printed: the reference as written where `referenced`."""

    text: str
    value: ScalarValue
    place: Place
    quoted: bool = False
    referenced: bool = False
    shown: str = ""
    size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    """A sequence."""

    items: tuple["Node", ...]
    place: Place
    size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingNode:
    """A mapping from text to nodes, with the place of every key."""

    entries: dict[str, "Node"]
    keys: dict[str, Place]
    place: Place
    size: int = 1

    def get(self, key: str) -> "Node | None":
        """The value of a key; None where it is missing or null."""
        node = self.entries.get(key)
        return None if isinstance(node, ScalarNode) and node.value is None else node

    def place_of(self, key: str) -> Place:
        """Where the key stands, or the mapping itself."""
        return self.keys.get(key, self.place)

    def duration_ns(self, key: str, default_ns: int) -> int:
        """A duration; the default where it is missing, or none, which is reported elsewhere."""
        node = self.get(key)
        try:
            return parse_duration(node.text.strip()) if isinstance(node, ScalarNode) else default_ns
        except ValueError:
            return default_ns


type Node = ScalarNode | ListNode | MappingNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file that was read: its name as shown to people, its text, its tree."""

    file: str
    text: str
    root: Node


def read_source(path: Path, *, shown: str | None = None, expand: Expand | None = None) -> Source:
    """Read and compose one file; raises ConfigError (E1xx) with all problems that can be told."""
    file = shown or str(path)
    text = _read_text(path, file)
    try:
        return Source(file=file, text=text, root=compose(text, file, expand=expand))
    except ConfigError as error:
        raise explained(error, {file: text}) from error


def compose(text: str, file: str, *, expand: Expand | None = None) -> Node:
    """The tree of one YAML document; raises ConfigError (E1xx)."""
    _refuse_control_characters(text, file)
    composer = _Composer(text, file, expand)
    try:
        root = composer.document()
    except yaml.YAMLError as error:
        raise ConfigError([*composer.findings.problems, explain(error, text, file)]) from error
    composer.findings.raise_errors()
    return root


def _read_text(path: Path, file: str) -> str:
    place = Place(file=file)
    try:
        _refuse_special(path)
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        what = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot read it: {error.strerror}"
        raise ConfigError(
            [Problem(code="E101", place=place, what=what, cure="check the path and its permissions")]
        ) from error
    if len(raw) > MAX_BYTES:
        what = f"the file has {path.stat().st_size:,} bytes, the limit is {MAX_BYTES:,}"
        cure = "split it into several rule files; files that people write are far smaller"
        raise ConfigError([Problem(code="E102", place=place, what=what, cure=cure)])
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError([_encoding_problem(raw, error.start, file)]) from error


def _refuse_special(path: Path) -> None:
    """Raise OSError for a named pipe or a device: reading one may never end, and would end all reloading with it.

    A pipe without a name, as shells make them for `<(…)`, is somebody's wish and has an end.
    """
    real = Path(os.path.realpath(path))
    if real.exists() and not (real.is_file() or real.is_dir()):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no file")


def _encoding_problem(raw: bytes, offset: int, file: str) -> Problem:
    before = raw[:offset]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return Problem(
        code="E103", place=Place(file=file, line=line, column=column),
        what=f"byte 0x{raw[offset]:02X} is not UTF-8", cure="save the file as UTF-8",
    )  # fmt: skip


def _refuse_control_characters(text: str, file: str) -> None:
    for offset, character in enumerate(text) if not text.isprintable() else ():
        if (character < " " and character not in "\n\t\r") or character == "\x7f":
            line = text.count("\n", 0, offset) + 1
            column = offset - text.rfind("\n", 0, offset)
            name = "NUL byte" if character == "\0" else f"control character 0x{ord(character):02X}"
            raise ConfigError([Problem(
                code="E104", place=Place(file=file, line=line, column=column),
                what=f"found a {name}", cure="this is not a text file, or it was damaged: restore it",
            )])  # fmt: skip


class _Composer:
    def __init__(self, text: str, file: str, expand: Expand | None) -> None:
        self.findings = Findings()
        self._file = file
        self._expand = expand
        self._anchors: dict[str, Node] = {}
        self._size = 0
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if root is not None:
                self._refuse("E109", event, "a second document starts here", "use one file for each, without '---'")
            root = self._node(next(self._events), 0)
        if root is None or (isinstance(root, ScalarNode) and root.value is None):
            raise ConfigError([Problem(
                code="E105", place=Place(file=self._file), what="the file is empty",
                cure="write 'version: 1' and 'rules:', or take the file out of the set-up",
            )])  # fmt: skip
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self._refuse("E111", event, f"values are nested deeper than {MAX_DEPTH} levels", "flatten the structure")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        assert isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent)
        if event.tag not in _PLAIN_TAGS:
            self._refuse("E113", event, f"the tag {event.tag!r} is not allowed", "remove it: write the plain value")
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            node: Node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(event, depth)
        else:
            node = self._mapping(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            self._refuse("E112", event, f"'*{event.anchor}' has no '&{event.anchor}' before it", "define it first")
        self._count(event, node.size)
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        place = self._place(event)
        written = event.value
        self._refuse_controls(written, place)
        quoted = bool(event.style) or event.tag in ("!", _STR)
        text = written
        if self._expand is not None and "${" in written:
            expanded = self._expand(written, place)
            text = written if expanded is None else expanded
        value: ScalarValue = text if quoted else resolve(text)
        if not quoted and is_not_finite(text, value):
            self.findings.add(
                "E116", place, f"{written} is not a finite number", "write a number, or leave the key out"
            )
        return ScalarNode(
            text=text, value=value, place=place, quoted=quoted, referenced=text is not written, shown=written
        )

    def _list(self, start: yaml.Event, depth: int) -> ListNode:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return ListNode(items=tuple(items), place=self._place(start), size=1 + sum(item.size for item in items))

    def _mapping(self, start: yaml.Event, depth: int) -> MappingNode:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[Node] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, place = self._key(event)
            value = self._node(next(self._events), depth + 1)
            if key == "<<":
                merged.append(value)
            elif key in entries:
                self.findings.add(
                    "E108", place, f"the key {key!r} was already given on line {keys[key].line}",
                    "remove one of the two",
                )  # fmt: skip
            else:
                entries[key], keys[key] = value, place
        for node in merged:
            self._merge(node, entries, keys)
        size = 1 + sum(node.size for node in entries.values())
        return MappingNode(entries=entries, keys=keys, place=self._place(start), size=size)

    def _key(self, event: yaml.Event) -> tuple[str, Place]:
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(
                "E115", event, "a key must be a plain word", "write 'key: value'; quote values that hold {} or []"
            )
        self._refuse_controls(event.value, self._place(event))
        return event.value, self._place(event)

    def _refuse_controls(self, text: str, place: Place) -> None:
        sign = first_control(text)
        if sign:
            what = f"found the control character 0x{ord(sign):02X}, written as an escape"
            self.findings.add("E104", place, what, "take it out: a terminal would obey it")

    def _merge(self, node: Node, entries: dict[str, Node], keys: dict[str, Place]) -> None:
        for source in node.items if isinstance(node, ListNode) else (node,):
            if not isinstance(source, MappingNode):
                self.findings.add("E115", source.place, "'<<' needs a mapping", "write '<<: *name'")
                continue
            for key, value in source.entries.items():
                entries.setdefault(key, value)
                keys.setdefault(key, source.keys[key])

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._size += nodes
        if self._size > MAX_NODES:
            self._refuse(
                "E110", event, f"the file has more than {MAX_NODES:,} values (every use of an alias counts)",
                "split the file, or use fewer '*' aliases",
            )  # fmt: skip

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None
        return Place(file=self._file, line=mark.line + 1, column=mark.column + 1)

    def _refuse(self, code: str, event: yaml.Event, what: str, cure: str) -> NoReturn:
        self.findings.add(code, self._place(event), what, cure)
        raise ConfigError(self.findings.problems)
