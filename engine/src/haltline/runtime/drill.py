"""A fire drill: a made-up breach goes through the real routes and channels, is acknowledged, and ends.

It never reaches the kernel or a broker, and every message says that it is a drill. Where somebody is to acknowledge it,
reminders and escalation go on until then. The report tells how long each channel took, who would be told if nobody
acknowledged, and how ready the alarm path is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import msgspec

from haltline.api import Message, Notifier
from haltline.clock import NS_PER_S, Clock
from haltline.model.event import Acknowledge
from haltline.model.id import IncidentId
from haltline.notify.desk import Desk
from haltline.notify.drillreport import Check, Delivery, DrillReport
from haltline.notify.forecast import SPAN_NS, Hearing, hearings, sample
from haltline.notify.lane import ChannelLimit
from haltline.notify.notice import Notice
from haltline.notify.outbox import Outbox
from haltline.notify.render import incident_buttons
from haltline.notify.route import Routes
from haltline.notify.table import MemoryOutboxTable, Pending
from haltline.runtime.compose import Parts, limits_of, make_channels
from haltline.runtime.supervise import Supervisor

_PATIENCE_NS = 30 * NS_PER_S
_PROMPT_NS = 5 * NS_PER_S
_POLL_NS = NS_PER_S // 100
_COMPANY_NS = 60 * NS_PER_S
"""How long a drill waits where routes let the first message wait for others."""
_WEIGHTS = {
    "every channel has taken the alarm": 40,
    "each of them within 5s": 15,
    "more than one channel hears it": 15,
    "somebody else is told if nobody acknowledges": 10,
    "the acknowledgement stops the reminders": 10,
    "the end is told": 10,
}
"""What is asked of an alarm path, and what it counts for; 100 in all."""


type Acknowledged = Callable[[], Awaitable[str]]
"""Returns once a person has acknowledged the drill: who that was, empty for nobody."""


async def run_drill(
    channels: Mapping[str, Notifier], routes: Routes, limits: Mapping[str, ChannelLimit], clock: Clock,
    labels: Mapping[str, str], *, acknowledge: Acknowledged | None = None, has_button: bool = False,
) -> DrillReport:  # fmt: skip
    """Run one through these channels, beside whatever else they are given. With `has_button` its messages offer to
    acknowledge it, by the name that `drill_name` makes of the labels and the instant."""
    drill = _Drill(routes, clock, labels, has_button=has_button)
    drill.outbox = Outbox(
        channels=channels, routes=routes, table=MemoryOutboxTable(), write=_at_once, clock=clock, limits=limits,
        lost=drill.lose,
    )  # fmt: skip
    drill.outbox.watchers.append(drill.see)
    async with Supervisor(clock) as supervisor:
        for name in channels:
            supervisor.vital(f"channel {name}", partial(drill.outbox.run_lane, name))
        return await drill.run(acknowledge)


def drill_name(labels: Mapping[str, str], now: int) -> str:
    """What a drill is called, as an incident would be."""
    return labels.get("incident") or f"drill/{labels.get('account', '') or 'portfolio'}/{now}"


async def drill_offline(
    parts: Parts, clock: Clock, labels: Mapping[str, str], *, acknowledge: Acknowledged | None = None
) -> DrillReport:
    """Run one without an engine, through channels made for it; raises ConfigError for one that cannot be made."""
    channels, routes = make_channels(parts)
    return await run_drill(channels, routes, limits_of(parts, channels), clock, labels, acknowledge=acknowledge)


class _Drill:
    """One drill under way."""

    outbox: Outbox

    def __init__(self, routes: Routes, clock: Clock, labels: Mapping[str, str], *, has_button: bool) -> None:
        self._routes = routes
        self._clock = clock
        self._now = clock.now()
        account = labels.get("account", "")
        self._incident = drill_name(labels, self._now)
        self._has_button = has_button
        self._labels = {"severity": "critical", "rule": "drill", "entity": account, **labels, "drill": "true",
                        "incident": self._incident}  # fmt: skip
        self._desk = Desk(routes)
        self._stages: dict[str, tuple[str, str, int]] = {}
        self._done: dict[str, Delivery] = {}
        self._faults: list[str] = []

    def see(self, pending: Pending, at: int) -> None:
        """A channel has confirmed a message."""
        stage, _, sent = self._stages.get(_origin(pending.message), ("alarm", "", self._now))
        key = f"{stage}>{pending.channel}"
        self._done[key] = Delivery(
            channel=pending.channel, stage=stage, elapsed_ns=at - sent, attempts=pending.attempts + 1
        )

    def lose(self, pending: Pending, reason: str) -> None:
        """No channel takes a message."""
        self._faults.append(f"{pending.channel}: {reason}")

    async def run(self, acknowledge: Acknowledged | None) -> DrillReport:
        """Alarm, acknowledgement, end."""
        begun = self._notice("DRILL: a made-up breach", "DRILL: this is a test of the alarm path. Nothing happened.")
        alarm = await self._send("alarm", await self._alarm(begun))
        acked_by = await self._until_acknowledged(acknowledge) if acknowledge is not None else "drill"
        ack_ns = self._clock.now() - self._now if acked_by else None
        if acked_by:
            event = Acknowledge(
                at=self._clock.now(), received_at=self._clock.now(), incident=IncidentId(self._incident),
                operator=acked_by,
            )  # fmt: skip
            await self._send("acknowledged", self._desk.take([], self._clock.now(), heard=[event]))
        is_quiet = not Desk(self._routes, dict(self._notes()), self._clock.now()).advance(
            self._clock.now() + SPAN_NS
        )  # fmt: skip
        over = msgspec.structs.replace(begun, is_over=True, is_asked=False)
        end = await self._send("end", self._desk.take([over], self._clock.now()))
        ahead = hearings(self._routes, self._labels, self._now, SPAN_NS)
        report = self._report(alarm, end, ahead, ack_ns, is_quiet=is_quiet and bool(acked_by))
        return msgspec.structs.replace(report, acknowledged_by=acked_by if acknowledge is not None else "")

    async def _alarm(self, begun: Notice) -> Sequence[tuple[Message, str]]:
        """What is said first; later where the routes let it wait for company."""
        first = self._desk.take([begun], self._now)
        while not first and (due := self._desk.deadline) is not None and due <= self._now + _COMPANY_NS:
            await self._clock.sleep_until(due)
            first = self._desk.advance(self._clock.now())
        return first

    async def _until_acknowledged(self, acknowledge: Acknowledged) -> str:
        """Who acknowledged it; reminders and escalation go on meanwhile."""
        async with asyncio.TaskGroup() as group:
            reminders = group.create_task(self._remind())
            acked_by = await acknowledge()
            reminders.cancel()
        return acked_by

    async def _remind(self) -> None:
        while (due := self._desk.deadline) is not None:
            await self._clock.sleep_until(due)
            await self._send("reminder", self._desk.advance(self._clock.now()))

    def _notes(self) -> Sequence[tuple[str, bytes]]:
        return [(key, body) for key, body in self._desk.changes() if body is not None]

    def _notice(self, title: str, text: str) -> Notice:
        notice = sample(self._labels, self._now, title=title, text=text)
        offered = msgspec.structs.replace(notice.message, buttons=incident_buttons(self._labels))
        return msgspec.structs.replace(notice, message=offered)

    async def _send(self, stage: str, outgoing: Sequence[tuple[Message, str]]) -> tuple[str, ...]:
        """Hand out, and wait until every channel has confirmed or patience is at its end; who was addressed."""
        sent = self._clock.now()
        for message, channel in outgoing:
            self._stages[message.id] = (stage, channel, sent)
        pending = self.outbox.address([(self._marked(message), channel) for message, channel in outgoing])
        self.outbox.store(pending)
        self.outbox.release(pending)
        deadline = sent + _PATIENCE_NS
        while not self.outbox.is_idle and self._clock.now() < deadline:
            await self._clock.sleep_until(self._clock.now() + _POLL_NS)
        return tuple(dict.fromkeys(channel for _, channel in outgoing))

    def _marked(self, message: Message) -> Message:
        """A drill in its title, and no button but the one that acknowledges it."""
        title = message.title if "DRILL" in message.title else f"DRILL: {message.title}"
        buttons = tuple(each for each in message.buttons if self._has_button and each.command == "ack")
        return msgspec.structs.replace(message, title=title, buttons=buttons)

    def _report(
        self, alarm: Sequence[str], end: Sequence[str], ahead: Sequence[Hearing], ack_ns: int | None, *, is_quiet: bool
    ) -> DrillReport:
        alarms = [self._done.get(f"alarm>{channel}") for channel in alarm]
        took = [each.elapsed_ns for each in alarms if each is not None and each.elapsed_ns is not None]
        others = {each.channel for each in ahead} - set(alarm)
        met = (
            bool(alarm) and len(took) == len(alarm),
            bool(took) and len(took) == len(alarm) and max(took) <= _PROMPT_NS,
            len(alarm) > 1,
            bool(others),
            is_quiet,
            bool(end) and all(f"end>{channel}" in self._done for channel in end),
        )
        checks = [
            Check(question=question, is_met=is_met, points=points)
            for (question, points), is_met in zip(_WEIGHTS.items(), met, strict=True)
        ]
        missing = [
            Delivery(channel=channel, stage="alarm", elapsed_ns=None)
            for channel, each in zip(alarm, alarms, strict=True)
            if each is None
        ]
        return DrillReport(
            at=self._now, labels=self._labels, deliveries=(*self._done.values(), *missing),
            unacknowledged=tuple(ahead), ack_ns=ack_ns, checks=tuple(checks), faults=tuple(self._faults),
        )  # fmt: skip


def _origin(message: Message) -> str:
    """The id before it was split."""
    head, _, tail = message.id.rpartition("#")
    return head if "/" in tail and tail.replace("/", "").isdigit() else message.id


async def _at_once(work: Callable[[], None]) -> None:
    work()
    await asyncio.sleep(0)
