"""The simulator: an HTTP server that speaks the Bot API, its scripted people, its faults, and what it was asked."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from haltline_sim_kit.chat import ChatSimulator
from haltline_sim_kit.fault import Fault
from haltline_sim_telegram import poll
from haltline_sim_telegram.control import TelegramControls
from haltline_sim_telegram.failure import ApiError, bad_request
from haltline_sim_telegram.human import Human, Room
from haltline_sim_telegram.limit import Rate
from haltline_sim_telegram.markup import decode
from haltline_sim_telegram.method import METHODS, Files
from haltline_sim_telegram.record import ChatKind, File, Json, Message, Person, Press, Request
from haltline_sim_telegram.schema import Schema, find_schema, load_schema
from haltline_sim_telegram.world import World

TOKEN = "4200000001:simulated-bot-token-for-tests-only"
_WEBHOOKS = {
    "setwebhook": poll.set_webhook, "deletewebhook": poll.delete_webhook, "getwebhookinfo": poll.webhook_info,
}  # fmt: skip
_MOST_BYTES = 64 << 20


class TelegramSim(ChatSimulator[World, Schema, Request]):
    """A Bot API on loopback for one bot.

    `schema` is the published description of the API; without an argument it is looked for, None switches the check of
    requests off. `checks_answers` compares the simulator's own results with it too. `now` gives the time in seconds.
    `rate` limits what the bot may send.
    """

    def __init__(
        self, *, token: str = TOKEN, bot_name: str = "haltline", port: int = 0, rate: Rate | None = None,
        schema: Path | str | None = "", checks_answers: bool = False, now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        path = find_schema() if schema == "" else Path(schema) if schema else None
        world = World(token=token, bot_name=bot_name, rate=rate or Rate(), now=now)
        described = load_schema(path) if path else None
        super().__init__(world, port=port, schema=described, checks_answers=checks_answers)
        self.polling = poll.Polling(self.world, self.faults)

    def calls(self, method: str) -> list[Request]:
        """The requests of one method, oldest first; letter case does not matter."""
        return [each for each in self.requests if each.method.lower() == method.lower()]

    # -- people --------------------------------------------------------------------------------------------------------

    def user(self, user_id: int, name: str, *, username: str = "") -> Human:
        """A person; the private chat has the same number and opens when they write first."""
        person = self.world.people.get(user_id)
        if person is None:
            person = self.world.people[user_id] = Person(id=user_id, name=name, username=username or name.lower())
            self.world.add_chat(user_id, "private", name)
        return Human(self.world, person)

    def room(
        self, chat_id: int, title: str, *, kind: ChatKind = "supergroup", topics: dict[int, str] | None = None
    ) -> Room:
        """A group or channel; its number is negative."""
        chat = self.world.chats.get(chat_id) or self.world.add_chat(chat_id, kind, title)
        chat.topics.update(topics or {})
        return Room(self.world, chat)

    async def wait_for_message(
        self, text: str = "", *, chat_id: int | None = None, since: int = 0, timeout_s: float = 5.0
    ) -> Message:  # fmt: skip
        """A message of the bot whose text contains this, new or edited; looks from appearance number `since` on.

        `since=sim.mark()` before acting passes over what was said earlier. Raises TimeoutError with the transcript.
        """

        def look() -> Message | None:
            said = self.world.said[since:]
            return next((m for m in said if text in m.text and chat_id in (None, m.chat.id) and not m.deleted), None)

        return await self._until(look, f"no message with {text!r}", timeout_s)

    async def wait_for_answer(self, press: Press, *, timeout_s: float = 5.0) -> str:
        """What the bot answers to a press, often nothing; raises TimeoutError."""
        await self._until(lambda: press.answered or None, f"no answer to {press.data!r}", timeout_s)
        return press.answer

    async def wait_for_poll(self, *, timeout_s: float = 10.0) -> None:
        """Until somebody polls; raises TimeoutError."""
        await self._until(lambda: self.polling.is_waiting or None, "nobody polls", timeout_s)

    async def wait_for_call(self, method: str, *, count: int = 1, timeout_s: float = 5.0) -> Request:
        """Until a method was called so often; its last call. Raises TimeoutError."""

        def look() -> Request | None:
            found = self.calls(method)
            return found[count - 1] if len(found) >= count else None

        return await self._until(look, f"{method} was not called {count} times", timeout_s)

    # -- faults --------------------------------------------------------------------------------------------------------

    def deliver_again(self, count: int = 1) -> None:
        """Deliver the last updates once more, with the same numbers, although they were confirmed."""
        self.polling.forced += self.world.sent_before[-count:]
        self.watch.changed()

    # -- serving -------------------------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        found = web.Application(client_max_size=_MOST_BYTES)
        found.router.add_route("*", "/bot{token}/{method}", self._call)
        found.router.add_get("/file/bot{token}/{path:.+}", self._download)
        TelegramControls(self).add_to(found)
        return found

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        try:
            given, files = await _read(request)
        except ApiError as failure:
            self.requests.append(Request(method=method, parameters={}, at=self.world.now(), violations=(str(failure),)))
            return _failed(failure)
        self._record(method, given, files)
        return await self.faults.around(request, method, lambda: self._serve(request, given, files), _faulty)

    async def _serve(self, request: web.Request, given: Json, files: Files) -> web.StreamResponse:
        token, name = request.match_info["token"], request.match_info["method"].lower()
        try:
            if token != self.world.token:
                raise ApiError(401, "Unauthorized") if ":" in token else ApiError(404, "Not Found")
            answer = await self._result(name, given, files)
        except ApiError as failure:
            return _failed(failure)
        except (TypeError, AttributeError, KeyError, ValueError) as mistake:
            return _failed(bad_request(f"a parameter has the wrong type: {mistake}"))
        if self._schema and self._checks_answers:
            self.own_violations += self._schema.answer_violations(name, answer)
        return _json(200, {"ok": True, "result": answer})

    async def _result(self, name: str, given: Json, files: Files) -> object:
        if name == "getupdates":
            return await self.polling.get_updates(given)
        if name in _WEBHOOKS:
            return _WEBHOOKS[name](self.world, given)
        if name not in METHODS:
            raise ApiError(404, "Not Found: method not found")
        return METHODS[name](self.world, given, files)

    def _record(self, method: str, given: Json, files: Files) -> None:
        found: list[str] = []
        if self._schema:
            uploaded = {name: "attach://" for name in files if name in ("photo", "document")}
            found += self._schema.violations(method, uploaded | given)
        if method.lower() not in (*METHODS, *_WEBHOOKS, "getupdates"):
            found.append(f"{method}: the simulator does not have this method")
        names = tuple(file.name for file in files.values())
        at = self.world.now()
        self.requests.append(Request(method=method, parameters=given, at=at, files=names, violations=tuple(found)))
        self.watch.changed()

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.world.token:
            return _failed(ApiError(401, "Unauthorized"))
        found = next((f for f in self.world.files.values() if f.path == request.match_info["path"]), None)
        return web.Response(body=found.content) if found else _failed(ApiError(404, "Not Found"))


async def _read(request: web.Request) -> tuple[Json, Files]:
    fields, files = dict(request.query), dict[str, File]()
    if request.content_type == "application/json" and request.can_read_body:
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ApiError(400, "Bad Request: object expected")
        return {**fields, **body}, files
    if request.can_read_body:
        for name, part in (await request.post()).items():
            if isinstance(part, web.FileField):
                files[name] = File(file_id="", name=part.filename, content=part.file.read(), mime=part.content_type)
            elif isinstance(part, str):
                fields[name] = part
    return decode(fields), files


def _json(status: int, body: Json) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")


def _failed(failure: ApiError) -> web.Response:
    body: Json = {"ok": False, "error_code": failure.code, "description": failure.description}
    if failure.parameters:
        body["parameters"] = failure.parameters
    return _json(failure.code, body)


def _faulty(fault: Fault) -> web.Response:
    if fault.status == 429:
        wait = int(fault.retry_after_s or 1)
        return _failed(ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait))
    words = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 409: "Conflict", 500: "Internal Server Error"}
    head = words.get(fault.status, "Bad Gateway")
    return _failed(ApiError(fault.status, f"{head}: {fault.reason}" if fault.reason else head))
