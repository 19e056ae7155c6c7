"""Many rule files → one RuleBook, with the checks that span files."""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from haltline.api.registry import Registry
from haltline.config.finding import Findings, did_you_mean
from haltline.config.limit import expression
from haltline.config.override import UseBinder
from haltline.config.pack import Packs
from haltline.config.reference import References
from haltline.config.rule import bind_rule
from haltline.config.schema import Schema, base_schema
from haltline.config.settings import RuleBook
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode, Source, read_source
from haltline.config.validate import check_fragment
from haltline.errors import ConfigError, Place
from haltline.model.rule import Definition, RuleSpec


class BookBinder:
    """Collects the rules of several files. Not to be used again after `book`."""

    def __init__(self, registry: Registry, environ: Mapping[str, str], findings: Findings) -> None:
        self._registry = registry
        self._environ = environ
        self._findings = findings
        self._packs = Packs(registry, findings)
        self._uses = UseBinder(registry, self._packs, findings)
        self._rules: list[RuleSpec] = []
        self._definitions: dict[str, Definition] = {}
        self._written: dict[str, Place] = {}
        self._sources: dict[str, str] = {}

    @property
    def sources(self) -> dict[str, str]:
        """The texts of all files read so far, templates included."""
        return {**self._sources, **self._packs.sources}

    def read(self, path: Path) -> None:
        """Add one rule file; its problems are noted."""
        try:
            source = read_source(path, expand=References(self._environ, path.parent, self._findings, secret=False))
        except ConfigError as error:
            self._findings.extend(error.problems)
            return
        self.add(source)

    def add(self, source: Source) -> None:
        """Add one file that has been read."""
        self._sources[source.file] = source.text
        check_fragment(source.root, _file_schema(), self._findings, where="")
        if not isinstance(source.root, MappingNode):
            return
        defined = source.root.get("define")
        if isinstance(defined, MappingNode):
            self._define(defined)
        entries = source.root.get("rules")
        for entry in entries.items if isinstance(entries, ListNode) else ():
            self._entry(entry)

    def _entry(self, node: Node) -> None:
        name = node.get("id") if isinstance(node, MappingNode) else None
        if isinstance(name, ScalarNode):
            self._require_new(name)
        if isinstance(node, MappingNode) and "use" in node.entries:
            self._rules += self._uses.bind(node)
            return
        spec = bind_rule(node, self._registry, self._findings)
        if spec is not None:
            self._rules.append(spec)

    def _require_new(self, name: ScalarNode) -> None:
        earlier = self._written.setdefault(name.text, name.place)
        if earlier != name.place:
            self._note_duplicate(name.text, name.place, earlier)

    def _note_duplicate(self, name: str, place: Place | None, earlier: Place | None) -> None:
        self._findings.add(
            "E401", place, f"the id {name!r} is already used at {earlier}", "give every rule its own id",
            where=f"rule {name!r}",
        )  # fmt: skip

    def _define(self, node: MappingNode) -> None:
        for name, value in node.entries.items():
            place = node.keys[name]
            earlier = self._definitions.get(name)
            if earlier is not None:
                self._findings.add("E419", place, f"{name!r} is already defined at {earlier.place}", "keep one of them")
            elif node.get(name) is None:
                self._findings.add("E202", place, f"the definition of {name!r} is empty", "give it an expression")
            elif isinstance(value, ScalarNode):
                self._definitions[name] = Definition(name=name, text=expression(value), place=value.place)

    def book(self) -> RuleBook:
        """Everything read, after the checks that span files (E401, E416)."""
        self._require_unique()
        rules = tuple(self._resolved(spec) for spec in self._rules)
        definitions = tuple(self._definitions.values())
        return RuleBook(
            rules=rules,
            definitions=definitions,
            files=tuple(self.sources),
            sources=self.sources,
            mentions=tuple(self._uses.mentions),
            digest=digest_of(rules, definitions),
        )

    def _require_unique(self) -> None:
        """Ids that a template made: those that are written were compared when they were read."""
        seen: dict[str, Place | None] = {}
        for spec in self._rules:
            place = _id_place(spec)
            if spec.id in seen and place != self._written.get(spec.id, place):
                continue
            if spec.id in seen:
                self._note_duplicate(str(spec.id), place, seen[spec.id])
            seen.setdefault(spec.id, place)

    def _resolved(self, spec: RuleSpec) -> RuleSpec:
        """The rule with `suppresses` naming rules that exist: a base id stands for its overrides too."""
        names: list[str] = []
        known = [str(other.id) for other in self._rules]
        for name in spec.suppresses:
            found = [other for other in known if other == name or other.startswith(f"{name}@")]
            names += found
            if not found and name not in self._written:
                place = spec.places.get("suppresses") or spec.places.get("")
                cure = did_you_mean(name, known, sort="rules")
                self._findings.add(
                    "E416", place, f"suppresses {name!r}, which is no rule", cure, where=f"rule {str(spec.id)!r}"
                )
        unique = tuple(dict.fromkeys(name for name in names if name != spec.id))
        return msgspec.structs.replace(spec, suppresses=unique) if unique != spec.suppresses else spec


def digest_of(rules: Sequence[RuleSpec], definitions: Sequence[Definition]) -> str:
    """SHA-256 of what the rules say, without where they stand."""
    bare = _without_places(msgspec.to_builtins([list(rules), list(definitions)]))
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()


def _without_places(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_places(item) for key, item in value.items() if key not in ("place", "places")}
    if isinstance(value, list | tuple):
        return [_without_places(item) for item in value]
    return value


def _id_place(spec: RuleSpec) -> Place | None:
    return spec.places.get("id") or spec.places.get("")


@functools.cache
def _file_schema() -> Schema:
    """The schema of a rule file without that of its entries, which are checked one by one."""
    root = base_schema("rules")
    properties = cast("dict[str, object]", root["properties"])
    return {**root, "properties": {**properties, "rules": {"type": "array"}}}
