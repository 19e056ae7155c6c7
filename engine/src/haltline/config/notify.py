"""The section `notify:` of a set-up: routes, inhibition, times, chains of escalation, budgets → NotifyEntry."""

from collections.abc import Callable, Iterator, Sequence

from haltline.clock import parse_duration
from haltline.config.finding import Findings, did_you_mean
from haltline.config.routing import InhibitEntry, NotifyEntry, RouteEntry, StepEntry
from haltline.config.rule import texts_of
from haltline.config.scalar import fraction_of
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.model.matcher import Matcher, parse_matcher
from haltline.rules.schedule import Window, parse_window

_WHERE = "notify"


def bind_notify(node: MappingNode | None, channels: Sequence[str], findings: Findings) -> NotifyEntry | None:
    """The section, or None where there is none. Problems: E434 matchers, E435 names, E436 times, E437 order of steps,
    E438 what makes critical messages wait (a warning), E439 a route that nothing can reach (a warning)."""
    return None if node is None else _Binder(node, channels, findings).bind()


class _Binder:
    def __init__(self, node: MappingNode, channels: Sequence[str], findings: Findings) -> None:
        self._node = node
        self._channels = channels
        self._findings = findings
        self._times = _mapping(node, "times")
        self._chains = _mapping(node, "escalations")

    def bind(self) -> NotifyEntry:
        node = self._node
        per_minute = _text(node, "per_minute")
        return NotifyEntry(
            root=self._route(node, _WHERE, is_root=True),
            inhibit=tuple(self._inhibit(item, at) for item, at in _items(node, "inhibit")),
            times={name: tuple(self._windows(value, name)) for name, value in _entries(self._times)},
            escalations={name: tuple(self._steps(value, name)) for name, value in _entries(self._chains)},
            per_minute=int(per_minute) if per_minute.isdigit() else None,
            reserved=_share(_text(node, "reserved")),
            place=node.place,
        )

    def _route(self, node: MappingNode, at: str, *, is_root: bool = False) -> RouteEntry:
        mute_critical = _flag(node, "mute_critical")
        entry = RouteEntry(
            match=() if is_root else tuple(self._matchers(node.get("match"), at)),
            channels=self._names(node, "channels", self._channels, "channel", at),
            goes_on=_flag(node, "continue") is True,
            group_by=texts_of(node.get("group_by")) if node.get("group_by") is not None else None,
            group_wait_ns=_duration(node, "group_wait"),
            group_interval_ns=_duration(node, "group_interval"),
            repeat_interval_ns=_pause(node, "repeat_interval"),
            critical_wait_ns=_duration(node, "critical_wait"),
            critical_repeat_ns=_pause(node, "critical_repeat"),
            ack_for_ns=_duration(node, "ack_for"),
            resolved=_flag(node, "resolved"),
            escalate=self._chain(node, at),
            mute=self._names(node, "mute", _keys(self._times), "entry of 'times'", at),
            active=self._names(node, "active", _keys(self._times), "entry of 'times'", at),
            mute_critical=mute_critical,
            routes=tuple(self._route(item, where) for item, where in _items(node, "routes", at)),
        )
        if entry.critical_wait_ns:
            self._remark(node, "critical_wait", at)
        if mute_critical:
            self._remark(node, "mute_critical", at)
        self._require_reachable(node, at)
        return entry

    def _remark(self, node: MappingNode, key: str, at: str) -> None:
        self._findings.warn(
            "E438", node.place_of(key), f"{key!r} lets critical messages wait", "remove it unless that is meant",
            where=at,
        )  # fmt: skip

    def _require_reachable(self, node: MappingNode, at: str) -> None:
        """A route without a matcher takes everything; what stands after it never gets anything."""
        items = list(_items(node, "routes", at))
        for number, (item, where) in enumerate(items):
            takes_all = not texts_of(item.get("match")) and _flag(item, "continue") is not True
            if takes_all and number + 1 < len(items):
                self._findings.warn(
                    "E439", items[number + 1][0].place, "no notice can reach this route",
                    f"'{where}' takes everything; give it a 'match' or 'continue: true'", where=items[number + 1][1],
                )  # fmt: skip
                return

    def _matchers(self, node: Node | None, at: str) -> Iterator[Matcher]:
        for item in node.items if isinstance(node, ListNode) else (node,):
            if not isinstance(item, ScalarNode):
                continue
            try:
                yield parse_matcher(item.text)
            except ValueError as error:
                what, _, cure = str(error).partition("; ")
                self._findings.add("E434", item.place, what, cure, where=at)

    def _names(
        self, node: MappingNode, key: str, known: Sequence[str], sort: str, at: str
    ) -> tuple[str, ...] | None:  # fmt: skip
        given = node.get(key)
        if given is None:
            return None
        for item in given.items if isinstance(given, ListNode) else (given,):
            if isinstance(item, ScalarNode) and item.text not in known:
                self._findings.add(
                    "E435", item.place, f"unknown {sort} {item.shown!r}", did_you_mean(item.text, known),
                    where=f"{at}: {key}",
                )  # fmt: skip
        return tuple(name for name in texts_of(given) if name in known)

    def _chain(self, node: MappingNode, at: str) -> str | None:
        given = node.get("escalate")
        if not isinstance(given, ScalarNode):
            return None
        if given.text not in _keys(self._chains):
            self._findings.add(
                "E435", given.place, f"unknown entry of 'escalations' {given.shown!r}",
                did_you_mean(given.text, _keys(self._chains)), where=f"{at}: escalate",
            )  # fmt: skip
        return given.text

    def _inhibit(self, node: MappingNode, at: str) -> InhibitEntry:
        return InhibitEntry(
            when=tuple(self._matchers(node.get("when"), f"{at}: when")),
            mute=tuple(self._matchers(node.get("mute"), f"{at}: mute")),
            equal=texts_of(node.get("equal")),
        )

    def _windows(self, node: Node, name: str) -> Iterator[Window]:
        for item in node.items if isinstance(node, ListNode) else (node,):
            if not isinstance(item, ScalarNode):
                continue
            try:
                window = parse_window(item.text)
            except ValueError as error:
                cure = "write hours with a zone: mon-fri 22:00-07:00 America/Chicago"
                self._findings.add(
                    "E436", item.place, str(error).partition("; ")[0], cure, where=f"{_WHERE}: times: {name}"
                )
                continue
            if isinstance(window, str) or window.zone is None:
                what = f"{item.shown!r} does not say whose clock it means"
                cure = "add a zone: mon-fri 22:00-07:00 America/Chicago"
                self._findings.add("E436", item.place, what, cure, where=f"{_WHERE}: times: {name}")
            else:
                yield window

    def _steps(self, node: Node, name: str) -> Iterator[StepEntry]:
        where = f"{_WHERE}: escalations: {name}"
        before = 0
        for item in node.items if isinstance(node, ListNode) else ():
            if not isinstance(item, MappingNode):
                continue
            after_ns = _duration(item, "after") or 0
            if after_ns <= before:
                self._findings.add(
                    "E437", item.place_of("after"), "the steps are not in order",
                    "each must come later than the one before, and the first after more than 0s", where=where,
                )  # fmt: skip
            before = after_ns
            yield StepEntry(
                after_ns=after_ns, channels=self._names(item, "channels", self._channels, "channel", where) or ()
            )


def _mapping(node: MappingNode, key: str) -> MappingNode | None:
    found = node.get(key)
    return found if isinstance(found, MappingNode) else None


def _entries(node: MappingNode | None) -> Iterator[tuple[str, Node]]:
    yield from node.entries.items() if node is not None else ()


def _keys(node: MappingNode | None) -> list[str]:
    return list(node.entries) if node is not None else []


def _items(node: MappingNode, key: str, at: str = _WHERE) -> Iterator[tuple[MappingNode, str]]:
    found = node.get(key)
    for number, item in enumerate(found.items if isinstance(found, ListNode) else ()):
        if isinstance(item, MappingNode):
            yield item, f"{at}.{key}[{number}]"


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.text.strip() if isinstance(value, ScalarNode) else ""


def _flag(node: MappingNode, key: str) -> bool | None:
    return {"true": True, "false": False}.get(_text(node, key).lower())


def _read[T](text: str, parse: Callable[[str], T], default: T) -> T:
    """What cannot be read was reported by the schema already."""
    try:
        return parse(text)
    except ValueError:
        return default


def _duration(node: MappingNode, key: str) -> int | None:
    text = _text(node, key)
    return _read(text, parse_duration, 0) if text else None


def _pause(node: MappingNode, key: str) -> int | None:
    """A duration, or ``never`` (0)."""
    return 0 if _text(node, key) == "never" else _duration(node, key)


def _share(text: str) -> float:
    """A fraction below 1; a quarter where nothing is said."""
    share = fraction_of(text)
    if share is None:
        share = _read(text, float, 0.25)
    return share if 0 <= share < 1 else 0.25
