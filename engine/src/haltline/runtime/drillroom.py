"""Drills of a running engine: one at a time, through the channels as they are, acknowledged by whoever hears them."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from haltline.api import Notifier
from haltline.clock import NS_PER_S, Clock
from haltline.errors import EngineError
from haltline.journal.record import Entry
from haltline.notify.drillreport import DrillReport
from haltline.notify.lane import ChannelLimit
from haltline.notify.route import Routes
from haltline.runtime.drill import drill_name, run_drill

_KEPT = 20


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A drill that was asked for. `acked_by` is who acknowledged it, `report` what it has shown in the end."""

    name: str
    labels: Mapping[str, str]
    wait_ns: int
    acked_by: str = ""
    report: DrillReport | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class DrillRoom:
    """Implements `control.door.Drills`. `run` is a service: it carries out what `begin` asked for."""

    def __init__(
        self, channels: Mapping[str, Notifier], routes: Routes, limits: Callable[[], Mapping[str, ChannelLimit]],
        *, clock: Clock, record: Callable[[Sequence[Entry]], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._channels = channels
        self._routes = routes
        self._limits = limits
        self._clock = clock
        self._record = record
        self._current: _Begun | None = None
        self._known: OrderedDict[str, _Begun] = OrderedDict()
        self._wake = asyncio.Event()

    def begin(self, labels: Mapping[str, str], *, wait_ns: int) -> str:
        """Ask for one; its name. Raises EngineError while another goes on."""
        if self._current is not None:
            raise EngineError(f"the drill {self._current.name} goes on; wait for its end [E860]")
        name = drill_name(labels, self._clock.now())
        self._current = _Begun(name=name, labels={**labels, "incident": name}, wait_ns=wait_ns)
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
            report = await run_drill(
                self._channels, self._routes, self._limits(), self._clock, begun.labels, has_button=bool(begun.wait_ns),
                acknowledge=(lambda: self._heard(begun)) if begun.wait_ns else None,
            )  # fmt: skip
            await self._record([report.entry()])
            begun.report = report
        finally:
            self._current = None
            begun.ended.set()

    async def _heard(self, begun: _Begun) -> str:
        try:
            async with asyncio.timeout(begun.wait_ns / NS_PER_S):
                await begun.heard.wait()
        except TimeoutError:
            return ""
        return begun.acked_by
