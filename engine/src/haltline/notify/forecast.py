"""What would be told of something with given labels: by which routes, grouped how, to whom and when."""

from collections.abc import Mapping, Sequence

import msgspec

from haltline.api import Message
from haltline.clock import NS_PER_S, format_duration
from haltline.model.rule import Severity
from haltline.notify.desk import Desk
from haltline.notify.notice import Notice
from haltline.notify.route import NAMED, Route, Routes, walk


class Hearing(msgspec.Struct, frozen=True, kw_only=True):
    """One channel that would hear it, so long after it happened, if nobody acknowledged."""

    after_ns: int
    channel: str
    why: str


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What one route does with it. `path` are the matchers from the root to the route."""

    route: str
    path: tuple[str, ...]
    group: dict[str, str]
    channels: tuple[str, ...]
    wait_ns: int
    repeat_ns: int
    rests: bool


def forecast(routes: Routes, labels: Mapping[str, str], now: int, named: str = "") -> list[Forecast]:
    """The routes that take these labels, in order."""
    severity = severity_of(labels)
    found = []
    for route in routes.find(labels, named):
        is_named = route.id.startswith(NAMED)
        channels = tuple(name for name in route.options.channels if is_named or routes.hears(name, severity))
        at_once = route.options.at_once
        found.append(
            Forecast(
                route=route.id, path=_path(routes, route), group=route.group_of(labels), channels=channels,
                wait_ns=0 if at_once else route.options.wait_ns(severity),
                repeat_ns=0 if at_once else route.options.repeat_ns(severity),
                rests=route.options.rests(severity, now),
            )
        )  # fmt: skip
    return found


def hearings(routes: Routes, labels: Mapping[str, str], now: int, span_ns: int, named: str = "") -> list[Hearing]:
    """Who hears it within a span if nobody acknowledges: played on a desk of its own."""
    desk = Desk(routes)
    told = [(now, message, channel) for message, channel in desk.take([sample(labels, now, named)], now)]
    while (due := desk.deadline) is not None and due <= now + span_ns:
        told += [(due, message, channel) for message, channel in desk.advance(due)]
    return [Hearing(after_ns=at - now, channel=channel, why=_why(message)) for at, message, channel in told]


def sample(labels: Mapping[str, str], now: int, named: str = "", *, title: str = "", text: str = "") -> Notice:
    """A notice with these labels, as an incident that has just begun would give it."""
    incident = labels.get("incident", f"sample/{now}")
    full = {"kind": "incident", "phase": "breached", "severity": severity_of(labels).value, **labels}
    full["incident"] = incident
    message = Message(
        id=f"{incident}:{now}", at=now, severity=severity_of(labels), title=title or "sample", text=text or "Sample.",
        account=full.get("account", ""), rule=full.get("rule", ""), phase=full["phase"], labels=full,
    )  # fmt: skip
    return Notice(message=message, labels=full, since=now, incident=incident, named=named)


def severity_of(labels: Mapping[str, str]) -> Severity:
    """The severity among the labels; warning where there is none, or another word."""
    word = labels.get("severity", "")
    return Severity(word) if word in list(Severity) else Severity.WARNING


def sentence(item: Forecast) -> str:
    """The forecast in one line."""
    channels = ", ".join(item.channels) or "nobody"
    wait = f"after {format_duration(item.wait_ns)}" if item.wait_ns else "at once"
    again = f", again every {format_duration(item.repeat_ns)} until acknowledged" if item.repeat_ns else ""
    rests = "; it rests now" if item.rests else ""
    return f"{channels} {wait}{again}{rests}"


def _path(routes: Routes, found: Route) -> tuple[str, ...]:
    if found.id.startswith(NAMED):
        return ("named by the rule",)
    above = [route for route in walk(routes.root) if _is_above(route.id, found.id)]
    return tuple(", ".join(map(str, route.match)) or "everything" for route in above)


def _is_above(one: str, other: str) -> bool:
    return one in ("/", other) or other.startswith(f"{one}/")


def _why(message: Message) -> str:
    lead = message.title.partition(":")[0]
    return lead.lower() if lead.startswith("Not acknowledged") else "it happened"


def summary(heard: Sequence[Hearing]) -> list[str]:
    """The hearings in lines: each channel once for each reason, with when first and how often."""
    first: dict[tuple[str, str], tuple[int, int]] = {}
    for each in heard:
        begun, count = first.get((each.channel, each.why), (each.after_ns, 0))
        first[(each.channel, each.why)] = (begun, count + 1)
    return [
        f"{format_duration(begun):>6}  {channel}  ({why}{f', {count} times' if count > 1 else ''})"
        for (channel, why), (begun, count) in first.items()
    ]


SPAN_NS = 600 * NS_PER_S
"""How far ahead people usually want to know."""
