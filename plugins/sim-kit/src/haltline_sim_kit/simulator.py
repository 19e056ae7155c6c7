"""What every simulator is: a platform on loopback with faults that are armed, and outages that are planned."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from aiohttp import web

from haltline_sim_kit.fault import Fault, FaultBox, FaultKind
from haltline_sim_kit.host import Host
from haltline_sim_kit.watch import Watch


class Simulator(ABC):
    """A platform that is up inside `async with`. `watch` and `faults` are given where others share them."""

    def __init__(self, *, port: int, watch: Watch | None = None, faults: FaultBox | None = None) -> None:
        self.watch = watch or Watch()
        self.faults = faults or FaultBox()
        """The armed faults."""
        self.host = Host(self._application, port=port)
        self.outage_count = 0
        """How many planned outages are over."""
        self._planned: float | None = None

    @abstractmethod
    def _application(self) -> web.Application:
        """The platform's paths, built anew each time the port opens."""

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self.faults.clear()
        await self.host.down()

    @property
    def port(self) -> int:
        """The port on loopback."""
        return self.host.port

    @property
    def base_url(self) -> str:
        """Where it listens: what takes the place of the platform's own address."""
        return f"http://127.0.0.1:{self.port}"

    def arm(self, kind: FaultKind | str, call: str = "*", **more: object) -> None:
        """Arm a fault: `sim.arm("status", CALL, status=503)`; see `Fault` for the rest."""
        self.faults.arm(Fault(kind=FaultKind(kind), call=call, **more))  # type: ignore[arg-type]

    def mend(self) -> None:
        """Take every fault away."""
        self.faults.clear()

    async def down(self) -> None:
        """The platform refuses connections until `up`."""
        self.watch.changed()
        await self.host.down()

    async def up(self) -> None:
        """The platform is back on the same port, with everything it knew."""
        await self.host.up()

    def plan_outage(self, seconds: float) -> None:
        """Be down for so long, soon; `outages` carries it out."""
        self._planned = seconds
        self.watch.changed()

    async def outages(self) -> None:
        """Carry out planned outages until cancelled: what the command does while it serves."""
        while True:
            seconds = await self.watch.until(lambda: self._planned, timeout_s=None)
            self._planned = None
            await self.host.away(seconds)
            self.outage_count += 1
            self.watch.changed()
