"""The controls over HTTP, under `/_sim/`: arm faults, let people act, break the gateway, read what happened."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from haltline_sim_discord.human import Human
    from haltline_sim_discord.server import DiscordSim


class Controls:
    """The handlers; a wrong request is answered 400 with the reason."""

    def __init__(self, sim: DiscordSim) -> None:
        self._sim = sim

    async def arm(self, request: web.Request) -> web.Response:
        """`{"kind": "status", "call": "POST /channels/*/messages", "status": 500, "count": 2}`."""
        self._sim.arm(**await request.json())
        return web.json_response({"armed": True})

    async def mend(self, request: web.Request) -> web.Response:
        """Take every fault away."""
        self._sim.faults.clear()
        return web.json_response({"armed": False})

    async def say(self, request: web.Request) -> web.Response:
        """`{"user": 7, "name": "Anna", "text": "hello", "channel": "general"}`."""
        asked = await request.json()
        to = self._sim.channel(str(asked.get("channel", "general")))
        return web.json_response({"id": self._human(asked).says(str(asked["text"]), to=to).id})

    async def slash(self, request: web.Request) -> web.Response:
        """`{"user": 7, "name": "Anna", "command": "status", "options": {"account": "eval"}}`."""
        asked = await request.json()
        made = self._human(asked).slash(str(asked["command"]), **asked.get("options", {}))
        return web.json_response({"id": made.id})

    async def press(self, request: web.Request) -> web.Response:
        """`{"user": 7, "message": "110…", "label": "Acknowledge"}`."""
        asked = await request.json()
        message = self._sim.world.messages[str(asked["message"])]
        return web.json_response({"id": self._human(asked).presses(message, str(asked["label"])).id})

    async def gateway(self, request: web.Request) -> web.Response:
        """`{"do": "close", "code": 4000}`, `reconnect`, `invalidate`, `cut`, `garble`, `forget`, `mute`, `unmute`."""
        asked, gateway = await request.json(), self._sim.gateway
        match asked["do"]:
            case "invalidate":
                gateway.invalidate(is_resumable=bool(asked.get("resumable")))
            case "close":
                gateway.close(int(asked.get("code", 4000)))
            case "mute" | "unmute" as word:
                gateway.answers_heartbeats = word == "unmute"
            case "reconnect" | "cut" | "garble" | "forget" as word:
                getattr(gateway, word)()
            case other:
                raise ValueError(f"unknown: {other!r}")
        return web.json_response({"sessions": len(gateway.sessions)})

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
        return web.json_response([message.to_json(self._sim.base_url) for message in kept if not message.deleted])

    async def transcript(self, request: web.Request) -> web.Response:
        """Everything that was said, as text."""
        return web.Response(text=self._sim.transcript + "\n")

    def _human(self, asked: dict[str, Any]) -> Human:
        return self._sim.user(int(asked["user"]), str(asked.get("name", asked["user"])))


def add_routes(application: web.Application, sim: DiscordSim) -> None:
    """Add the controls to an application."""
    does = Controls(sim)
    for verb, path, handler in (
        ("POST", "faults", does.arm), ("DELETE", "faults", does.mend), ("POST", "say", does.say),
        ("POST", "slash", does.slash), ("POST", "press", does.press), ("POST", "gateway", does.gateway),
        ("POST", "outage", does.outage), ("GET", "requests", does.requests), ("GET", "violations", does.violations),
        ("GET", "messages", does.messages), ("GET", "transcript", does.transcript),
    ):  # fmt: skip
        application.router.add_route(verb, f"/_sim/{path}", _forgiving(handler))


def _forgiving(handler: Any) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            found: web.StreamResponse = await handler(request)
        except (ValueError, LookupError, TypeError, PermissionError) as mistake:
            return web.json_response({"error": f"{type(mistake).__name__}: {mistake}"}, status=400)
        return found

    return handle
