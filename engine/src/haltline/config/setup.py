"""`haltline.yaml` → Setup."""

import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast

from haltline.api.broker import Capability
from haltline.api.registry import Registry, Shelf
from haltline.clock import parse_duration
from haltline.config.arming import bind_arming
from haltline.config.backup import bind_backup
from haltline.config.drill import bind_drills
from haltline.config.evidence import bind_caps, bind_evidence_defaults
from haltline.config.finding import Findings, did_you_mean
from haltline.config.guardian import bind_guardian
from haltline.config.instrument import bind_instruments
from haltline.config.notify import bind_notify
from haltline.config.operator import SurfaceEntry, bind_control, bind_operators
from haltline.config.rule import labels_of, texts_of
from haltline.config.scalar import decimal_of
from haltline.config.schema import Schema
from haltline.config.settings import (
    BrokerEntry,
    ChannelEntry,
    FeedEntry,
    PluginEntry,
    Setup,
    StoreEntry,
)
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode, Source
from haltline.config.validate import check_base, check_fragment, plain
from haltline.errors import Place
from haltline.model.account import AccountSpec, MarkSource
from haltline.model.id import AccountId
from haltline.model.loosening import LooseningPolicy
from haltline.model.rule import Severity


class SetupBinder:
    """Binds one set-up file; problems go to `findings`."""

    def __init__(self, source: Source, path: Path, registry: Registry, findings: Findings) -> None:
        self._source = source
        self._path = path
        self._registry = registry
        self._findings = findings
        self._declared: set[str] = set()

    def bind(self) -> Setup | None:
        """The set-up, or None where its structure is wrong (what is sound is then checked further all the same)."""
        root = self._source.root
        before = len(self._findings.problems)
        sound = check_base(root, "setup", "", self._findings)
        if not isinstance(root, MappingNode):
            return None
        self._declared = set(declared.entries) if (declared := _mapping(root, "brokers")) is not None else set()
        if not sound:
            root = _sound_part(root, {problem.where for problem in self._findings.problems[before:]})
        setup = self._bind(root)
        return setup if sound else None

    def _bind(self, root: MappingNode) -> Setup:
        directory = self._path.parent.resolve()
        brokers = self._brokers(root)
        live = _text(root, "mode") == "live"
        accounts = tuple(self._account(name, node, brokers, live=live) for name, node in _named(root, "accounts"))
        stale_after = _text(root, "stale_after")
        operators = bind_operators(_mapping(root, "operators"), [account.id for account in accounts], self._findings)
        instruments = bind_instruments(_mapping(root, "instruments"), self._findings)
        return Setup(
            path=self._path,
            directory=directory,
            store=self._store(root, directory),
            live=live,
            stale_after_ns=parse_duration(stale_after) if stale_after else 10_000_000_000,
            accounts=accounts,
            brokers=tuple(brokers.values()),
            feeds=self._feeds(root),
            channels=self._channels(root),
            guardian=bind_guardian(_mapping(root, "guardian"), [account.id for account in accounts], self._findings),
            operators=operators,
            control=bind_control(_mapping(root, "control"), operators, self._findings),
            surfaces=self._surfaces(root),
            notify=bind_notify(
                _mapping(root, "notify"),
                [name for section in ("channels", "surfaces") for name, _ in _named(root, section)],
                self._findings,
            ),
            instruments=instruments,
            rules=texts_of(root.get("rules")),
            rule_files=self._rule_files(root.get("rules"), directory),
            plugins=plugin_entries(root, self._findings),
            loosening=LooseningPolicy(_text(root, "loosening") or LooseningPolicy.AT_ONCE),
            evidence=bind_evidence_defaults(_mapping(root, "evidence")),
            caps=bind_caps(_mapping(root, "caps")),
            arming=bind_arming(_mapping(root, "arming"), self._findings),
            drills=bind_drills(
                _mapping(root, "drills"),
                [account.id for account in accounts],
                self._findings,
                practice=[each.id for each in accounts if self._is_practice(brokers.get(each.broker))],
            ),
            sources={self._source.file: self._source.text},
            places=dict(_places(root)),
        )

    def _is_practice(self, broker: BrokerEntry | None) -> bool:
        kind = self._registry.brokers.get(broker.kind) if broker is not None else None
        return kind is not None and kind.practice

    def _brokers(self, root: MappingNode) -> dict[str, BrokerEntry]:
        brokers: dict[str, BrokerEntry] = {}
        for name, node in _named(root, "brokers"):
            config = self._config(self._registry.brokers, "broker", name, node)
            brokers[name] = BrokerEntry(
                name=name, kind=_text(node, "kind"), required=_flag(node, "required", default=True), config=config,
                place=node.place,
            )  # fmt: skip
        for _, node in _named(root, "accounts"):
            name = _text(node, "broker") or "paper"
            kind = self._registry.brokers.get(name)
            if name not in brokers and kind is not None:
                brokers[name] = BrokerEntry(name=name, kind=name, config={}, place=node.place)
                self._check_config(kind.schema, _empty(node.place), f"broker {name!r}")
        return brokers

    def _feeds(self, root: MappingNode) -> tuple[FeedEntry, ...]:
        return tuple(
            FeedEntry(
                name=name, kind=_text(node, "kind"), required=_flag(node, "required", default=False),
                config=self._config(self._registry.feeds, "feed", name, node), place=node.place,
            )
            for name, node in _named(root, "feeds")
        )  # fmt: skip

    def _channels(self, root: MappingNode) -> tuple[ChannelEntry, ...]:
        return tuple(
            ChannelEntry(
                name=name, kind=_text(node, "kind"),
                config=self._config(self._registry.notifiers, "channel", name, node),
                severities=tuple(map(Severity, texts_of(node.get("severities")))) or tuple(Severity),
                place=node.place,
            )
            for name, node in _named(root, "channels")
        )  # fmt: skip

    def _surfaces(self, root: MappingNode) -> tuple[SurfaceEntry, ...]:
        return tuple(
            SurfaceEntry(
                name=name, kind=_text(node, "kind"),
                config=self._config(self._registry.surfaces, "surface", name, node),
                severities=tuple(map(Severity, texts_of(node.get("severities")))) or tuple(Severity),
                place=node.place,
            )
            for name, node in _named(root, "surfaces")
        )  # fmt: skip

    def _config[K](self, shelf: Shelf[K], sort: str, name: str, node: MappingNode) -> Mapping[str, object]:
        """The plain `config` of an entry, checked against the schema that its registered kind declares."""
        where = f"{sort} {name!r}"
        kind_name = _text(node, "kind")
        kind = shelf.get(kind_name)
        if kind is None:
            cure = did_you_mean(_shown(node, "kind"), shelf.names(), sort="known kinds")
            self._findings.add("E420", node.entries["kind"].place, f"unknown kind of {sort} {_shown(node, 'kind')!r}",
                               f"{cure} (a plugin must be listed under 'plugins')", where=where)  # fmt: skip
            return {}
        schema = cast("Schema", getattr(kind, "schema", {}))
        config = _mapping(node, "config") or _empty(node.place_of("config"))
        return self._check_config(schema, config, where)

    def _check_config(self, schema: Schema, config: MappingNode, where: str) -> Mapping[str, object]:
        if not check_fragment(config, schema, self._findings, where=f"{where}: config"):
            return {}
        return cast("Mapping[str, object]", plain(config, schema, schema))

    def _account(self, name: str, node: MappingNode, brokers: Mapping[str, BrokerEntry], *, live: bool) -> AccountSpec:
        where = f"account {name!r}"
        broker = _text(node, "broker") or "paper"
        if broker not in brokers and broker not in self._declared:
            known = {*brokers, *self._registry.brokers.names()}
            place = node.entries["broker"].place if node.get("broker") else node.place
            self._findings.add("E417", place, f"unknown broker {_shown(node, 'broker') or broker!r}",
                               did_you_mean(_shown(node, "broker"), known, sort="brokers"),
                               where=where)  # fmt: skip
        self._require_zone(node.get("zone"), where)
        mode = _text(node, "mode")
        return AccountSpec(
            id=AccountId(name),
            broker=broker,
            currency=_text(node, "currency") or "USD",
            balance=decimal_of(_text(node, "balance")) or Decimal(0),
            calendar=_text(node, "calendar") or "24/7",
            zone=_text(node, "zone") or "UTC",
            roll=_text(node, "roll") or "00:00",
            mark=MarkSource(_text(node, "mark") or MarkSource.MARK),
            live=mode == "live" if mode else live,
            labels=labels_of(node.get("labels")),
            positions_from_broker=_flag(node, "positions_from_broker", default=self._tells_positions(brokers, broker)),
        )

    def _tells_positions(self, brokers: Mapping[str, BrokerEntry], broker: str) -> bool:
        """Whether the kind of a broker pushes positions: fills must then not be counted beside them."""
        entry = brokers.get(broker)
        kind = self._registry.brokers.get(entry.kind) if entry is not None else None
        return kind is not None and Capability.PUSH_POSITIONS in kind.capabilities

    def _require_zone(self, node: Node | None, where: str) -> None:
        if not isinstance(node, ScalarNode):
            return
        try:
            zoneinfo.ZoneInfo(node.text)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            near = did_you_mean(node.shown, zoneinfo.available_timezones())
            cure = near if near.startswith("did") else "write a name such as America/Chicago or UTC"
            self._findings.add("E423", node.place, f"unknown time zone {node.shown!r}", cure, where=where)

    def _store(self, root: MappingNode, directory: Path) -> StoreEntry:
        node = _mapping(root, "store") or _empty(root.place)
        default = StoreEntry(path=directory / (_text(node, "path") or "haltline.db"))
        return replace(
            default,
            keep_quotes_ns=node.duration_ns("keep_quotes", default.keep_quotes_ns),
            keep_incidents_ns=node.duration_ns("keep_incidents", default.keep_incidents_ns),
            backup=bind_backup(_mapping(node, "backup"), directory, default.path, self._findings),
        )  # fmt: skip

    def _rule_files(self, node: Node | None, directory: Path) -> tuple[Path, ...]:
        files: dict[Path, None] = {}
        items = node.items if isinstance(node, ListNode) else (node,)
        for item in items:
            if not isinstance(item, ScalarNode):
                continue
            found = rule_files(self._path.parent, item.text)
            if not found:
                self._findings.add("E121", item.place, f"no rule file matches {item.shown!r}",
                                   f"it is looked for in {self._path.parent}", where="rules")  # fmt: skip
            files.update(dict.fromkeys(found))
        return tuple(files)


def rule_files(directory: Path, pattern: str) -> list[Path]:
    """The rule files a pattern names, sorted; a folder stands for those in it; tests of rules are left out."""
    target = Path(pattern)
    if target.is_absolute():
        directory, pattern = Path(target.anchor), str(target.relative_to(target.anchor))
    try:
        found = [directory / pattern] if (directory / pattern).exists() else sorted(directory.glob(pattern))
    except (ValueError, NotImplementedError, OSError):
        return []
    files: list[Path] = []
    for path in found:
        files += yaml_files(path) if path.is_dir() else [path]
    return [path for path in files if not is_rule_test(path)]


def yaml_files(folder: Path) -> list[Path]:
    """All YAML files under a folder, sorted, hidden ones left out."""
    return sorted(
        path
        for suffix in ("*.yaml", "*.yml")
        for path in folder.rglob(suffix)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def is_rule_test(path: Path) -> bool:
    """Whether a file holds tests of rules."""
    return path.name.endswith((".test.yaml", ".test.yml"))


def plugin_entries(root: MappingNode, findings: Findings) -> tuple[PluginEntry, ...]:
    """The plugins a set-up names (E429 for one named twice)."""
    entries: dict[str, PluginEntry] = {}
    node = root.get("plugins")
    for item in node.items if isinstance(node, ListNode) else ():
        name = (
            item.text if isinstance(item, ScalarNode) else _text(item, "name") if isinstance(item, MappingNode) else ""
        )
        required = isinstance(item, MappingNode) and _flag(item, "required", default=False)
        if name in entries:
            findings.add(
                "E429", item.place, f"the plugin {name!r} is listed twice", "keep one of them", where="plugins"
            )
        entries[name] = PluginEntry(name=name, required=required, place=item.place)
    return tuple(entries.values())


def _places(root: MappingNode) -> Iterator[tuple[str, Place]]:
    """Where each entry and each of its values stands, by dotted key."""
    for section in ("accounts", "brokers", "feeds", "channels", "surfaces", "operators", "instruments"):
        for name, node in _named(root, section):
            yield f"{section}.{name}", node.place
            for key, value in node.entries.items():
                yield f"{section}.{name}.{key}", value.place


def _sound_part(root: MappingNode, wrong: set[str]) -> MappingNode:
    """The set-up less the entries in which something is wrong (`wrong` holds dotted paths)."""
    kept: dict[str, Node] = {}
    for key, node in root.entries.items():
        at = [path for path in wrong if path == key or path.startswith((f"{key}.", f"{key}["))]
        if isinstance(node, MappingNode) and key not in at:
            entries = {
                name: value
                for name, value in node.entries.items()
                if not any(
                    path == f"{key}.{name}" or path.startswith((f"{key}.{name}.", f"{key}.{name}[")) for path in at
                )
            }
            kept[key] = MappingNode(entries=entries, keys=node.keys, place=node.place)
        elif not at:
            kept[key] = node
    return MappingNode(entries=kept, keys=root.keys, place=root.place)


def _named(root: MappingNode, section: str) -> Iterator[tuple[str, MappingNode]]:
    node = root.get(section)
    for name, entry in (node.entries if isinstance(node, MappingNode) else {}).items():
        yield name, entry if isinstance(entry, MappingNode) else _empty(entry.place)


def _mapping(node: MappingNode, key: str) -> MappingNode | None:
    found = node.get(key)
    return found if isinstance(found, MappingNode) else None


def _empty(place: Place) -> MappingNode:
    return MappingNode(entries={}, keys={}, place=place)


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.text.strip() if isinstance(value, ScalarNode) else ""


def _shown(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.shown if isinstance(value, ScalarNode) else ""


def _flag(node: MappingNode, key: str, *, default: bool) -> bool:
    text = _text(node, key)
    return text.lower() == "true" if text else default
