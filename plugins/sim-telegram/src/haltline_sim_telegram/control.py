"""The controls over HTTP, under `/_sim/`: arm faults, let people write and press, read what was said and asked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from haltline_sim_telegram.server import TelegramSim


class Controls:
    """The handlers; a wrong request is answered 400 with the reason."""

    def __init__(self, sim: TelegramSim) -> None:
        self._sim = sim

    async def arm(self, request: web.Request) -> web.Response:
        """`{"kind": "status", "call": "sendMessage", "status": 500, "count": 2}`."""
        self._sim.arm(**await request.json())
        return web.json_response({"armed": True})

    async def mend(self, request: web.Request) -> web.Response:
        """Take every fault away."""
        self._sim.faults.clear()
        return web.json_response({"armed": False})

    async def say(self, request: web.Request) -> web.Response:
        """`{"user": 7, "name": "Anna", "text": "/status"}`, with `chat` in a group."""
        asked = await request.json()
        human = self._sim.user(int(asked["user"]), str(asked.get("name", asked["user"])))
        chat = asked.get("chat")
        to = None if chat is None else self._sim.room(int(chat), str(asked.get("title", chat)))
        return web.json_response(human.says(str(asked["text"]), to=to, ago_s=float(asked.get("ago_s", 0))).to_json())

    async def press(self, request: web.Request) -> web.Response:
        """`{"user": 7, "message": 12, "chat": 7, "label": "Acknowledge"}`; the chat is the user's own if left out."""
        asked = await request.json()
        human = self._sim.user(int(asked["user"]), str(asked.get("name", asked["user"])))
        message = self._sim.world.messages[int(asked.get("chat", asked["user"])), int(asked["message"])]
        return web.json_response(human.presses(message, str(asked["label"])).to_json())

    async def outage(self, request: web.Request) -> web.Response:
        """`{"seconds": 5}`: refuse connections for so long, then be back on the same port."""
        seconds = float((await request.json())["seconds"])
        self._sim.plan_outage(seconds)
        return web.json_response({"seconds": seconds})

    async def requests(self, request: web.Request) -> web.Response:
        """Every request of the client."""
        return web.json_response([dataclasses.asdict(each) for each in self._sim.requests])

    async def violations(self, request: web.Request) -> web.Response:
        """What departed from the published description."""
        return web.json_response({"validation": self._sim.validation, "violations": self._sim.violations})

    async def messages(self, request: web.Request) -> web.Response:
        """Every message there is."""
        kept = self._sim.world.messages.values()
        return web.json_response([message.to_json() for message in kept if not message.deleted])

    async def transcript(self, request: web.Request) -> web.Response:
        """Everything that was said, as text."""
        return web.Response(text=self._sim.transcript + "\n")


def add_routes(application: web.Application, sim: TelegramSim) -> None:
    """Add the controls to an application."""
    does = Controls(sim)
    for verb, path, handler in (
        ("POST", "faults", does.arm), ("DELETE", "faults", does.mend), ("POST", "say", does.say),
        ("POST", "press", does.press), ("POST", "outage", does.outage), ("GET", "requests", does.requests),
        ("GET", "violations", does.violations), ("GET", "messages", does.messages),
        ("GET", "transcript", does.transcript),
    ):  # fmt: skip
        application.router.add_route(verb, f"/_sim/{path}", _forgiving(handler))


def _forgiving(handler: Any) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            found: web.StreamResponse = await handler(request)
        except (ValueError, LookupError, TypeError) as mistake:
            return web.json_response({"error": f"{type(mistake).__name__}: {mistake}"}, status=400)
        return found

    return handle
