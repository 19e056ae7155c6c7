"""The simulator: REST and gateway on one port, scripted people, faults, and what the client asked."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from haltline_sim_discord.control import DiscordControls
from haltline_sim_discord.failure import ApiError, Throttled, bad_form
from haltline_sim_discord.gateway import Gateway
from haltline_sim_discord.human import Human, interaction_json
from haltline_sim_discord.limit import Rate
from haltline_sim_discord.method import Call, Operation
from haltline_sim_discord.record import DEFAULT_PERMISSIONS, Channel, Interaction, Json, Message, Person, Request
from haltline_sim_discord.route import ROUTES, bucket_of, needs_token
from haltline_sim_discord.schema import Schema, find_schema, load_schema
from haltline_sim_discord.world import GUILD_ID, World
from haltline_sim_kit.chat import ChatSimulator
from haltline_sim_kit.fault import Fault

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.simulated.bot-token-for-tests-only"
_PREFIX = "/api/v10"
_MOST_BYTES = 64 << 20
_MULTIPART = "multipart/form-data"


class DiscordSim(ChatSimulator[World, Schema, Request]):
    """Discord on loopback for one bot in one guild.

    `schema` is the published OpenAPI description; without an argument it is looked for, None switches the check of
    requests off. `checks_answers` compares the simulator's own answers with it too. `now` gives the time in seconds.
    """

    def __init__(
        self, *, token: str = TOKEN, bot_name: str = "haltline", port: int = 0, rate: Rate | None = None,
        schema: Path | str | None = "", checks_answers: bool = False, now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        path = find_schema() if schema == "" else Path(schema) if schema else None
        world = World(token=token, bot_name=bot_name, rate=rate or Rate(), now=now)
        described = load_schema(path) if path else None
        super().__init__(world, port=port, schema=described, checks_answers=checks_answers, faults=world.faults)

    # -- where and how -------------------------------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """Where REST is: `discord.http.Route.BASE`."""
        return self.base_url + _PREFIX

    @property
    def gateway_url(self) -> str:
        """Where the gateway is: `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`, as a yarl.URL."""
        return f"ws://127.0.0.1:{self.port}/gateway"

    @property
    def guild_id(self) -> int:
        """The guild."""
        return int(GUILD_ID)

    @property
    def gateway(self) -> Gateway:
        """Sessions, heartbeats, and ways to break them."""
        return self.world.gateway

    # -- people --------------------------------------------------------------------------------------------------------

    def user(
        self, user_id: int, name: str, *, permissions: int = DEFAULT_PERMISSIONS, roles: tuple[int, ...] = ()
    ) -> Human:
        """A member of the guild."""
        person = self.world.people.get(str(user_id))
        if person is None:
            person = Person(id=str(user_id), name=name, permissions=permissions, roles=tuple(map(str, roles)))
            self.world.people[person.id] = person
        return Human(self.world, person)

    def role(self, role_id: int, name: str) -> None:
        """A role of the guild."""
        self.world.roles[str(role_id)] = name

    def channel(self, name: str = "general") -> Channel:
        """The channel or thread of this name, made if there is none."""
        found = next((each for each in self.world.channels.values() if each.name == name), None)
        return found or self.world.add_channel(name)

    async def wait_for_message(
        self, text: str = "", *, channel: Channel | None = None, since: int = 0, timeout_s: float = 5.0
    ) -> Message:  # fmt: skip
        """A message of the bot that shows this text, embeds included; looks from appearance number `since` on.

        `since=sim.mark()` before acting passes over what was said earlier. Raises TimeoutError with the transcript.
        """

        def look() -> Message | None:
            said = self.world.said[since:]
            return next((m for m in said if text in m.shown and channel in (None, m.channel) and not m.deleted), None)

        return await self._until(look, f"no message with {text!r}", timeout_s)

    async def wait_for_reply(self, interaction: Interaction, text: str = "", *, timeout_s: float = 5.0) -> Message:
        """What the bot answers to a command or press, once it shows this text; raises TimeoutError."""

        def look() -> Message | None:
            return interaction.reply if interaction.reply and text in interaction.reply.shown else None

        return await self._until(look, f"no reply with {text!r}", timeout_s)

    async def wait_for_response(self, interaction: Interaction, *, timeout_s: float = 5.0) -> int:
        """The type of the bot's first response: 4 a message, 5 thinking, 7 an edit …; raises TimeoutError."""
        return await self._until(lambda: interaction.answered, "no response", timeout_s)

    async def wait_for_ready(self, *, timeout_s: float = 10.0) -> None:
        """Until a client is identified or has resumed; raises TimeoutError."""
        await self._until(lambda: self.gateway.is_connected or None, "nobody is connected", timeout_s)

    async def wait_for_resumed(self, count: int = 1, *, timeout_s: float = 10.0) -> None:
        """Until clients have resumed so often; raises TimeoutError."""
        await self._until(lambda: self.gateway.resumed >= count or None, "nobody resumed", timeout_s)

    async def wait_for_commands(self, *names: str, timeout_s: float = 10.0) -> None:
        """Until these slash commands are registered; raises TimeoutError."""

        def look() -> bool | None:
            return set(names) <= {each["name"] for kept in self.world.commands.values() for each in kept} or None

        await self._until(look, f"no commands {names}", timeout_s)

    # -- faults --------------------------------------------------------------------------------------------------------

    async def up(self) -> None:
        """REST and gateway are back on the same port, with every session and everything they knew."""
        await super().up()
        self.world.base_url = self.base_url

    def deliver_again(self, interaction: Interaction) -> None:
        """Tell the client of an interaction once more, with the same number and token."""
        self.gateway.dispatch("INTERACTION_CREATE", interaction_json(self.world, interaction))

    # -- serving -------------------------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        found = web.Application(client_max_size=_MOST_BYTES)
        for verb, template, operation in ROUTES:
            found.router.add_route(verb, _PREFIX + template, self._handler(verb, template, operation))
        found.router.add_get("/gateway", self.gateway.serve)
        found.router.add_get("/gateway/", self.gateway.serve)
        found.router.add_get("/cdn/{attachment}/{name}", self._download)
        DiscordControls(self).add_to(found)
        found.router.add_route("*", _PREFIX + "/{path:.*}", self._missing)
        return found

    def _handler(self, verb: str, template: str, operation: Operation) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            parts = dict(request.match_info)
            try:
                body, files = await _read(request)
            except ApiError as failure:
                return _failed(failure)
            call = Call(world=self.world, parts=parts, body=body, files=files, query=dict(request.query))
            self._record(request, call)
            bucket = bucket_of(verb, template, parts)

            async def serve() -> web.StreamResponse:
                return self._serve(request, call, operation, bucket)

            name = f"{verb} {request.path.removeprefix(_PREFIX)}"
            return await self.faults.around(request, name, serve, _faulty)

        return handle

    def _serve(self, request: web.Request, call: Call, operation: Operation, bucket: str | None) -> web.Response:
        path = request.path.removeprefix(_PREFIX)
        try:
            if needs_token(path) and request.headers.get("Authorization") != f"Bot {self.world.token}":
                raise ApiError(401, 0, "401: Unauthorized")
            headers = self.world.pace.spend(bucket)
            status, body = operation(call)
        except Throttled as wait:
            return _throttled(wait)
        except ApiError as failure:
            return _failed(failure)
        except (TypeError, AttributeError, KeyError, ValueError):
            return _failed(bad_form("", "DICT_TYPE_CONVERT", "A value has the wrong type"))
        if self._schema and self._checks_answers:
            self.own_violations += self._schema.answer_violations(request.method, path, status, body)
        return _json(status, body, headers)

    def _record(self, request: web.Request, call: Call) -> None:
        path = request.path.removeprefix(_PREFIX)
        found = self._schema.violations(request.method, path, call.body, call.query) if self._schema else []
        self.requests.append(
            Request(
                verb=request.method, path=path, body=call.body, at=self.world.now(), query=call.query,
                files=tuple(name for name, _, _ in call.files.values()), violations=tuple(found),
            )
        )  # fmt: skip
        self.watch.changed()

    async def _missing(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(_PREFIX)
        told = f"{request.method} {path}: the simulator does not have this operation"
        self.requests.append(
            Request(verb=request.method, path=path, body=None, at=self.world.now(), query={}, violations=(told,))
        )
        return _failed(ApiError(404, 0, "404: Not Found"))

    async def _download(self, request: web.Request) -> web.StreamResponse:
        found = self.world.attachments.get(request.match_info["attachment"])
        if found is None:
            return _failed(ApiError(404, 0, "404: Not Found"))
        return web.Response(body=found.content, content_type=found.mime)


async def _read(request: web.Request) -> tuple[Any, dict[int, tuple[str, bytes, str]]]:
    files: dict[int, tuple[str, bytes, str]] = {}
    if not request.can_read_body:
        return None, files
    try:
        if request.content_type != _MULTIPART:
            text = await request.text()
            return (json.loads(text) if text else None), files
        posted = await request.post()
        for name, part in posted.items():
            if isinstance(part, web.FileField):
                place = int(name.removeprefix("files[").removesuffix("]"))
                files[place] = part.filename, part.file.read(), part.content_type
        return json.loads(str(posted.get("payload_json", "null"))), files
    except ValueError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    """The content type without a character set: clients compare it word for word."""
    if body is None:
        return web.Response(status=status, headers=headers)
    content = json.dumps(body).encode()
    return web.Response(status=status, body=content, content_type="application/json", headers=headers)


def _failed(failure: ApiError) -> web.Response:
    body: Json = {"message": failure.message, "code": failure.code}
    if failure.errors is not None:
        body["errors"] = failure.errors
    return _json(failure.status, body)


def _throttled(wait: Throttled) -> web.Response:
    body = {"message": "You are being rate limited.", "retry_after": wait.retry_after_s, "global": wait.is_global}
    scope = "global" if wait.is_global else "user"
    headers = {
        "Retry-After": str(max(1, round(wait.retry_after_s))), "Via": "1.1 simulator", "X-RateLimit-Scope": scope,
    }  # fmt: skip
    if wait.is_global:
        headers["X-RateLimit-Global"] = "true"
    return _json(429, body, headers)


def _faulty(fault: Fault) -> web.Response:
    if fault.status == 429:
        return _throttled(Throttled(fault.retry_after_s or 1.0, is_global=fault.reason == "global"))
    words = {400: "400: Bad Request", 401: "401: Unauthorized", 403: "Missing Access", 404: "404: Not Found"}
    told = fault.reason or words.get(fault.status, "500: Internal Server Error")
    return _failed(ApiError(fault.status, fault.code, told))
