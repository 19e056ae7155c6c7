"""The tree of routes: which channels hear something, how it is grouped, how often it is said again.

A tree is walked from its root. Among the routes below a node the first that fits takes the notice, and the next ones
too as long as each says `continue`; where none fits, the node itself takes it. What a route does not say it inherits.
Without a section `notify:` the tree is made from the channels: each hears its severities, at once, once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from haltline.api import Message
from haltline.clock import NS_PER_S
from haltline.config.routing import EVERYTHING, NotifyEntry, RouteEntry, StepEntry
from haltline.kernel.escalation import EVERY_CHANNEL
from haltline.model.matcher import Matcher, Operator, match_all
from haltline.model.rule import Severity
from haltline.rules.schedule import Window

_MINUTE_NS = 60 * NS_PER_S
NAMED = "="


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What holds for a route in the end. Repeats of 0 ns mean never; `at_once` passes on without any grouping."""

    channels: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ("account",)
    group_wait_ns: int = 30 * NS_PER_S
    group_interval_ns: int = 5 * _MINUTE_NS
    repeat_interval_ns: int = 240 * _MINUTE_NS
    critical_wait_ns: int = 0
    critical_repeat_ns: int = _MINUTE_NS
    ack_for_ns: int = 0
    resolved: bool = True
    steps: tuple[StepEntry, ...] = ()
    mute: tuple[Window, ...] = ()
    active: tuple[Window, ...] = ()
    mute_critical: bool = False
    at_once: bool = False

    def wait_ns(self, severity: Severity) -> int:
        """How long the first message of a group waits for company."""
        return self.critical_wait_ns if severity is Severity.CRITICAL else self.group_wait_ns

    def repeat_ns(self, severity: Severity) -> int:
        """After how long something that goes on is said again; 0 for never."""
        return self.critical_repeat_ns if severity is Severity.CRITICAL else self.repeat_interval_ns

    def rests(self, severity: Severity, instant_ns: int) -> bool:
        """Whether nothing of this severity is said at the instant; what is critical never rests unless told to."""
        if severity is Severity.CRITICAL and not self.mute_critical:
            return False
        if self.active and not any(window.contains(instant_ns, "UTC") for window in self.active):
            return True
        return any(window.contains(instant_ns, "UTC") for window in self.mute)

    def next_change(self, instant_ns: int) -> int | None:
        """The next instant at which hours of rest begin or end."""
        changes = (window.next_change(instant_ns, "UTC") for window in (*self.mute, *self.active))
        return min((change for change in changes if change is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One node of the tree. `id` is its path from the root: ``/``, ``/0``, ``/0/2``."""

    id: str
    options: Options
    match: tuple[Matcher, ...] = ()
    goes_on: bool = False
    routes: tuple["Route", ...] = ()

    def find(self, labels: Mapping[str, str]) -> list["Route"]:
        """The routes that take these labels, in order; none where this one does not fit."""
        if not match_all(self.match, labels):
            return []
        found: list[Route] = []
        for route in self.routes:
            taken = route.find(labels)
            found += taken
            if taken and not route.goes_on:
                break
        return found or [self]

    def group_of(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels that make the group."""
        if EVERYTHING in self.options.group_by:
            return dict(sorted(labels.items()))
        return {name: labels.get(name, "") for name in sorted(self.options.group_by)}


@dataclass(frozen=True, kw_only=True)
class Routes:
    """The routes of a set-up. `severities` tells for each channel, in the order of the set-up, what it may hear."""

    severities: Mapping[str, Sequence[Severity]]
    policy: NotifyEntry | None = None

    @cached_property
    def root(self) -> Route:
        """The tree."""
        if self.policy is None:
            return _by_severity(self.severities)
        return _route(self.policy.root, self.policy, "/", Options(channels=self.channels))

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels."""
        return tuple(self.severities)

    def find(self, labels: Mapping[str, str], named: str = "") -> list[Route]:
        """The routes that take something; channels that it names itself (``*``: all) come before any route."""
        wanted = list(self.severities) if named == EVERY_CHANNEL else [name.strip() for name in named.split(",")]
        chosen = tuple(dict.fromkeys(name for name in wanted if name in self.severities))
        return [self.to_channels(chosen)] if chosen else self.root.find(labels)

    def to_channels(self, names: Sequence[str]) -> Route:
        """A route to channels by name, otherwise like the root."""
        above = self.root.options
        own = {name: getattr(above, name) for name in Options.__dataclass_fields__}
        return Route(id=NAMED + ",".join(names), options=Options(**own | {"channels": tuple(names)}))

    def route(self, route_id: str) -> Route | None:
        """The route of that id, or None."""
        if route_id.startswith(NAMED):
            names = [name for name in route_id.removeprefix(NAMED).split(",") if name in self.severities]
            return self.to_channels(names) if names else None
        return next((route for route in walk(self.root) if route.id == route_id), None)

    def hears(self, channel: str, severity: Severity) -> bool:
        """Whether a channel is for this severity at all."""
        return severity in self.severities.get(channel, ())

    def channels_for(self, message: Message, named: str = "") -> tuple[str, ...]:
        """The channels that hear a message at once: those it names, otherwise those of its routes, each once."""
        routes = self.find(labels_of(message), named)
        names = dict.fromkeys(name for route in routes for name in route.options.channels)
        if routes and routes[0].id.startswith(NAMED):
            return tuple(names)
        return tuple(name for name in names if self.hears(name, message.severity))

    def fallback(self, channel: str, tried: Sequence[str] = ()) -> str | None:
        """The next channel in the set-up that has not been tried, or None."""
        names = [name for name in self.severities if name != channel and name not in tried]
        return names[0] if names else None


def walk(route: Route) -> Iterator[Route]:
    """A route and all below it."""
    yield route
    for below in route.routes:
        yield from walk(below)


def labels_of(message: Message) -> dict[str, str]:
    """The labels a message is routed by."""
    own = {
        "severity": message.severity.value, "account": message.account, "rule": message.rule, "phase": message.phase
    }  # fmt: skip
    return message.labels or {name: text for name, text in own.items() if text}


def _by_severity(severities: Mapping[str, Sequence[Severity]]) -> Route:
    routes = []
    for number, (channel, heard) in enumerate(severities.items()):
        any_of = Matcher(label="severity", operator=Operator.FITS, text="|".join(each.value for each in heard))
        options = Options(channels=(channel,), at_once=True)
        routes.append(Route(id=f"/{number}", options=options, match=(any_of,), goes_on=True))
    return Route(id="/", options=Options(at_once=True), routes=tuple(routes))


def _route(entry: RouteEntry, policy: NotifyEntry, path: str, above: Options) -> Route:
    options = _options(entry, policy, above)
    inner = path.rstrip("/")
    return Route(
        id=path, options=options, match=entry.match, goes_on=entry.goes_on,
        routes=tuple(_route(each, policy, f"{inner}/{number}", options) for number, each in enumerate(entry.routes)),
    )  # fmt: skip


_COPIED = (
    "channels", "group_by", "group_wait_ns", "group_interval_ns", "repeat_interval_ns", "critical_wait_ns",
    "critical_repeat_ns", "ack_for_ns", "resolved", "mute_critical",
)  # fmt: skip


def _options(entry: RouteEntry, policy: NotifyEntry, above: Options) -> Options:
    own = {name: getattr(above, name) for name in Options.__dataclass_fields__}
    own |= {name: value for name in _COPIED if (value := getattr(entry, name)) is not None}
    if entry.escalate is not None:
        own["steps"] = policy.escalations.get(entry.escalate, ())
    for name in ("mute", "active"):
        times: tuple[str, ...] | None = getattr(entry, name)
        if times is not None:
            own[name] = tuple(window for each in times for window in policy.times.get(each, ()))
    return Options(**own)
