"""The controls over HTTP, under `/_sim/`: arm faults, let people write and press, read what was said and asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiohttp import web

from haltline_sim_kit.control import ChatControls, Control

if TYPE_CHECKING:
    from haltline_sim_telegram.server import TelegramSim


class TelegramControls(ChatControls):
    """The handlers, beside those that every chat platform has."""

    _sim: TelegramSim

    def table(self) -> Iterable[Control]:
        """What there is."""
        return (
            *super().table(), ("POST", "say", self.say), ("POST", "press", self.press),
            ("GET", "messages", self.messages),
        )  # fmt: skip

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

    async def messages(self, request: web.Request) -> web.Response:
        """Every message there is."""
        kept = self._sim.world.messages.values()
        return web.json_response([message.to_json() for message in kept if not message.deleted])
