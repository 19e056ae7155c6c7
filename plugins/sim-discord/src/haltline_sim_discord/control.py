"""The controls over HTTP, under `/_sim/`: arm faults, let people act, break the gateway, read what happened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from haltline_sim_kit.control import ChatControls, Control

if TYPE_CHECKING:
    from haltline_sim_discord.human import Human
    from haltline_sim_discord.server import DiscordSim


class DiscordControls(ChatControls):
    """The handlers, beside those that every chat platform has."""

    _sim: DiscordSim

    mistakes = (*ChatControls.mistakes, PermissionError)

    def table(self) -> Iterable[Control]:
        """What there is."""
        return (
            *super().table(), ("POST", "say", self.say), ("POST", "slash", self.slash), ("POST", "press", self.press),
            ("POST", "gateway", self.gateway), ("GET", "messages", self.messages),
        )  # fmt: skip

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

    async def messages(self, request: web.Request) -> web.Response:
        """Every message there is."""
        kept = self._sim.world.messages.values()
        return web.json_response([message.to_json(self._sim.base_url) for message in kept if not message.deleted])

    def _human(self, asked: dict[str, Any]) -> Human:
        return self._sim.user(int(asked["user"]), str(asked.get("name", asked["user"])))
