"""Drills and test messages of a running engine, through its channels as they are. One drill goes on at a time, and is
acknowledged by whoever hears it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from haltline.api import Notifier
from haltline.clock import Clock
from haltline.config.drill import DrillEntry
from haltline.control.practice import PracticeAccount
from haltline.control.readiness import BY_HAND, Standing, Standings
from haltline.errors import EngineError
from haltline.journal.record import Entry
from haltline.notify.drillreport import DrillReport, with_flatten
from haltline.notify.lane import ChannelLimit
from haltline.notify.route import Routes
from haltline.notify.trial import Trial, trial_message, try_channel
from haltline.runtime.drill import drill_name, run_drill
from haltline.runtime.practiceflatten import PracticeFlatten

_KEPT = 20


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A drill that was asked for. `acked_by` is who acknowledged it, `report` what it has shown in the end."""

    name: str
    labels: Mapping[str, str]
    wait_ns: int
    schedule: str
    due: int
    practice: PracticeAccount | None = None
    operator: str = ""
    acked_by: str = ""
    report: DrillReport | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class DrillRoom:
    """Implements `control.door.Drills`. `run` is a service: it carries out what `begin` asked for. `practice` does what
    of a drill is done at a broker."""

    def __init__(
        self, channels: Mapping[str, Notifier], routes: Routes, limits: Callable[[], Mapping[str, ChannelLimit]],
        *, clock: Clock, record: Callable[[Sequence[Entry]], Awaitable[None]], standings: Standings,
        drills: Sequence[DrillEntry], inert: Callable[[str], str], practice: PracticeFlatten,
    ) -> None:  # fmt: skip
        self._standings = standings
        self._entries = drills
        self._inert = inert
        self.practice = practice
        self._channels = channels
        self._routes = routes
        self._limits = limits
        self._clock = clock
        self._record = record
        self._current: _Begun | None = None
        self._known: OrderedDict[str, _Begun] = OrderedDict()
        self._wake = asyncio.Event()

    @property
    def channels(self) -> Sequence[str]:
        """The names of the channels, front ends that are some among them."""
        return tuple(self._channels)

    async def try_channel(self, channel: str) -> Trial:
        """Send one real message through a channel, past what waits for it."""
        trial = await try_channel(
            channel, self._channels[channel], trial_message(channel, self._clock.now()), self._clock
        )
        return msgspec.structs.replace(trial, reason=self._inert(trial.reason))

    def standings(self) -> Sequence[Standing]:
        """What each drill of the set-up has shown the last time, then the last one that somebody started."""
        return self._standings.of([entry.name for entry in self._entries])

    def next_due(self, drill: str) -> int | None:
        """When a drill of the set-up begins next (UTC nanoseconds)."""
        entry = next((each for each in self._entries if each.name == drill), None)
        return entry.next_after(self._clock.now()) if entry is not None else None

    def begin(
        self, labels: Mapping[str, str], *, wait_ns: int, schedule: str = BY_HAND, due: int = 0,
        practice: PracticeAccount | None = None, operator: str = "",
    ) -> str:  # fmt: skip
        """Ask for one; its name. It flattens the practice account, where one is given, for the operator. Raises
        EngineError while another goes on."""
        if self._current is not None:
            raise EngineError(f"the drill {self._current.name} goes on; wait for its end [E860]")
        name = drill_name(labels, self._clock.now())
        self._current = _Begun(
            name=name, labels={**labels, "incident": name}, wait_ns=wait_ns, schedule=schedule, due=due,
            practice=practice, operator=operator or "the set-up",
        )  # fmt: skip
        self._known[name] = self._current
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        self._wake.set()
        return name

    def waiting(self) -> Sequence[tuple[str, str]]:
        """The drill that waits to be acknowledged, with its account."""
        begun = self._current
        if begun is None or not begun.wait_ns or begun.heard.is_set():
            return ()
        return ((begun.name, begun.labels.get("account", "")),)

    def acknowledge(self, drill: str, operator: str) -> bool:
        """Somebody has heard it; False where it does not wait for that."""
        begun = self._current
        if begun is None or drill not in dict(self.waiting()):
            return False
        begun.acked_by = operator
        begun.heard.set()
        return True

    async def ended(self, drill: str) -> DrillReport | None:
        """What it has shown, once it is at its end; None for what is no drill. Raises EngineError where it broke."""
        begun = self._known.get(drill)
        if begun is None:
            return None
        await begun.ended.wait()
        if begun.report is None:
            raise EngineError(f"the drill {drill} was cut off [E855]")
        return begun.report

    async def run(self) -> None:
        """Carry out what is asked for, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._current is not None:
                await self._carry_out(self._current)

    async def _carry_out(self, begun: _Begun) -> None:
        try:
            report = await self._run(begun)
            await self._record([report.entry()])
            await self._standings.put(self._standings.get(begun.schedule).after(report, begun.due))
            for name in self._also_shown_by(begun):
                standing = self._standings.get(name)
                await self._standings.put(standing.after(report, standing.due))
            begun.report = report
        finally:
            self._current = None
            begun.ended.set()

    async def _run(self, begun: _Begun) -> DrillReport:
        """The alarm path; beside it what is done at the broker, which waits for no channel."""
        async with asyncio.TaskGroup() as group:
            account = begun.practice
            flatten = group.create_task(self.practice.flatten(account, begun.name, begun.operator)) if account else None
            report = await run_drill(
                self._channels, self._routes, self._limits(), self._clock, begun.labels, has_button=bool(begun.wait_ns),
                acknowledge=(lambda: self._heard(begun)) if begun.wait_ns else None,
            )  # fmt: skip
        return report if flatten is None else with_flatten(report, *flatten.result())

    def _also_shown_by(self, begun: _Begun) -> Sequence[str]:
        """Drills of the set-up that one by hand stands for: of the same account, as loud, and with as much to do."""
        account, severity = begun.labels.get("account", ""), begun.labels.get("severity", "")
        return [
            entry.name
            for entry in self._entries
            if begun.schedule == BY_HAND and entry.account in ("", account) and entry.severity.value == severity
            and (begun.wait_ns or not entry.wait_ns) and (begun.practice is not None or not entry.flatten)
        ]  # fmt: skip

    async def _heard(self, begun: _Begun) -> str:
        """Who acknowledged it in time; empty where nobody did."""
        async with asyncio.TaskGroup() as group:
            patience = group.create_task(self._give_up(begun, self._clock.now() + begun.wait_ns))
            await begun.heard.wait()
            patience.cancel()
        return begun.acked_by

    async def _give_up(self, begun: _Begun, at: int) -> None:
        await self._clock.sleep_until(at)
        begun.heard.set()
