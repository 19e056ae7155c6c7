"""Notices and desks for the tests of messages; times in seconds from a fixed instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from haltline.api import Message
from haltline.clock import NS_PER_S, from_iso
from haltline.config.routing import NotifyEntry, RouteEntry
from haltline.model.event import Acknowledge, Silence, Unsilence
from haltline.model.id import IncidentId
from haltline.model.rule import Severity
from haltline.notify.desk import Desk, Outgoing
from haltline.notify.notice import Notice
from haltline.notify.render import incident_buttons
from haltline.notify.route import Routes

START = from_iso("2026-03-02T12:00:00Z")
ALL = tuple(Severity)


def at(seconds: float) -> int:
    return START + round(seconds * NS_PER_S)


def notice(
    incident: str = "loss/eval/1", *, when: float = 0, phase: str = "breached", named: str = "", asked: bool = True,
    severity: Severity = Severity.CRITICAL, text: str = "", **labels: str,
) -> Notice:  # fmt: skip
    rule, _, rest = incident.partition("/")
    own = {
        "kind": "incident", "severity": severity.value, "rule": rule, "account": rest.partition("/")[0] or "eval",
        "entity": "eval", "phase": phase, "incident": incident,
    } | labels  # fmt: skip
    over = phase in ("resolved", "ok")
    message = Message(
        id=f"{incident}:{phase}:{when}", at=at(when), severity=severity, title=f"eval: rule {rule} is broken",
        text=text or f"{rule} {phase}.", account=own["account"], rule=rule, phase=phase, labels=own,
        buttons=() if over else incident_buttons(own),
    )  # fmt: skip
    return Notice(
        message=message, labels=own, since=at(when), incident=incident, is_over=over, is_asked=asked, named=named
    )  # fmt: skip


def over(incident: str = "loss/eval/1", *, when: float, severity: Severity = Severity.CRITICAL) -> Notice:
    return notice(incident, when=when, phase="resolved", asked=False, severity=severity)


def ack(incident: str = "loss/eval/1", *, when: float = 0, by: str = "ann") -> Acknowledge:
    return Acknowledge(at=at(when), received_at=at(when), incident=IncidentId(incident), operator=by)


def silence(*matchers: str, when: float = 0, until: float, key: str = "s1") -> Silence:
    return Silence(
        at=at(when), received_at=at(when), silence_id=key, matchers=matchers, until=at(until), operator="ann",
        reason="known",
    )  # fmt: skip


def unsilence(key: str = "s1", *, when: float) -> Unsilence:
    return Unsilence(at=at(when), received_at=at(when), silence_id=key, operator="ann")


@dataclass
class Hall:
    """A desk, and everything it said: (seconds, channel, message). Its notes are kept as a table would."""

    policy: NotifyEntry | None
    channels: Mapping[str, Sequence[Severity]]
    said: list[tuple[float, str, Message]] = field(default_factory=list)
    notes: dict[str, bytes] = field(default_factory=dict)
    now: float = 0

    def __post_init__(self) -> None:
        self.desk = Desk(Routes(severities=self.channels, policy=self.policy), {}, at(0))
        self._keep([])

    def take(self, *notices: Notice, when: float, heard: Sequence[Acknowledge | Silence | Unsilence] = ()) -> None:
        self.until(when)
        self._keep(self.desk.take(notices, at(when), heard=heard))

    def until(self, seconds: float) -> None:
        """Let time pass, at every deadline on the way."""
        while (deadline := self.desk.deadline) is not None and deadline <= at(seconds):
            self.now = max((deadline - START) / NS_PER_S, self.now)
            self._keep(self.desk.advance(at(self.now)))
            assert self.desk.deadline is None or self.desk.deadline > deadline, "the desk stands still"
        self.now = seconds

    def restart(self, policy: NotifyEntry | None = None) -> None:
        """The process ends, and starts again from what it noted."""
        self.policy = policy or self.policy
        self.desk = Desk(Routes(severities=self.channels, policy=self.policy), self.notes, at(self.now))
        self._keep([])

    def heard(self, channel: str = "phone") -> list[tuple[float, str]]:
        """When a channel heard what (the title)."""
        return [(when, message.title) for when, name, message in self.said if name == channel]

    def texts(self, channel: str = "phone") -> list[str]:
        return [message.text for _, name, message in self.said if name == channel]

    def _keep(self, outgoing: Outgoing) -> None:
        now = self.now
        for message, channel in outgoing:
            self.said.append(((max(message.at, at(now)) - START) / NS_PER_S, channel, message))
        for key, body in self.desk.changes():
            if body is None:
                self.notes.pop(key, None)
            else:
                self.notes[key] = body


@pytest.fixture
def hall():
    """Makes a hall from the options of its root route and, if wanted, the whole policy."""

    def make(*, policy: NotifyEntry | None = None, heard: Sequence[str] = ("phone",), **root: object) -> Hall:
        entry = RouteEntry(**{"channels": tuple(heard)} | root)
        channels = dict.fromkeys([*heard, *("phone", "mail", "boss")], ALL)
        return Hall(policy or NotifyEntry(root=entry), channels)

    return make
