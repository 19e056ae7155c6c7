"""The controls over HTTP, under `/_sim/`: what every simulator understands, and how the rest is added."""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar

from aiohttp import web

from haltline_sim_kit.chat import AnyChat
from haltline_sim_kit.simulator import Simulator

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Control = tuple[str, str, Handler]
"""The verb, the path below `/_sim/`, and who answers."""


class Controls:
    """The handlers; a wrong request, one of `mistakes`, is answered 400 with the reason."""

    mistakes: ClassVar[tuple[type[Exception], ...]] = (ValueError, LookupError, TypeError)

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim

    def table(self) -> Iterable[Control]:
        """What there is; a simulator adds its own."""
        return ("POST", "faults", self.arm), ("DELETE", "faults", self.mend), ("POST", "outage", self.outage)

    async def arm(self, request: web.Request) -> web.Response:
        """`{"kind": "status", "call": "*", "status": 500, "count": 2}`: see `Fault`."""
        self._sim.arm(**await request.json())
        return web.json_response({"armed": True})

    async def mend(self, request: web.Request) -> web.Response:
        """Take every fault away."""
        self._sim.mend()
        return web.json_response({"armed": False})

    async def outage(self, request: web.Request) -> web.Response:
        """`{"seconds": 5}`: refuse connections for so long, then be back on the same port."""
        seconds = float((await request.json())["seconds"])
        self._sim.plan_outage(seconds)
        return web.json_response({"seconds": seconds})

    def add_to(self, application: web.Application) -> None:
        """Add the controls to an application."""
        for verb, path, handler in self.table():
            application.router.add_route(verb, f"/_sim/{path}", self._forgiving(handler))

    def _forgiving(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except self.mistakes as mistake:
                return web.json_response({"error": f"{type(mistake).__name__}: {mistake}"}, status=400)

        return handle


class ChatControls(Controls):
    """The handlers that every chat platform has."""

    _sim: AnyChat

    def table(self) -> Iterable[Control]:
        """What there is."""
        return (
            *super().table(), ("GET", "requests", self.requests), ("GET", "violations", self.violations),
            ("GET", "transcript", self.transcript),
        )  # fmt: skip

    async def requests(self, request: web.Request) -> web.Response:
        """Every request of the client."""
        return web.json_response([dataclasses.asdict(each) for each in self._sim.requests])

    async def violations(self, request: web.Request) -> web.Response:
        """What departed from the published description."""
        return web.json_response({"validation": self._sim.validation, "violations": self._sim.violations})

    async def transcript(self, request: web.Request) -> web.Response:
        """Everything that was said, as text."""
        return web.Response(text=self._sim.transcript + "\n")
