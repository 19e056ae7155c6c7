"""The two SignalR hubs: negotiate, handshake, JSON messages that end in 0x1E, subscriptions, and pushes."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from haltline_sim_kit.fault import FaultBox, FaultKind
from haltline_sim_projectx.record import Json

END = "\x1e"
_OF_ACCOUNTS = {"GatewayUserOrder": "Orders", "GatewayUserPosition": "Positions", "GatewayUserTrade": "Trades"}


@dataclass(slots=True, kw_only=True, eq=False)
class Line:
    """One connection: what it subscribed to, and the messages on their way to it."""

    socket: web.WebSocketResponse
    request: web.Request
    subscriptions: set[tuple[str, Any]] = field(default_factory=set)
    waiting: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)


class Hub:
    """One hub. `name` is ``user`` or ``market``; `is_good` judges tokens; `beat_s` is how often it sends a ping."""

    def __init__(
        self, name: str, *, faults: FaultBox, is_good: Callable[[str], bool], changed: Callable[[], None],
        beat_s: float = 15.0,
    ) -> None:  # fmt: skip
        self.name = name
        self.beat_s = beat_s
        self.calls: list[Json] = []
        """Every invocation of every client, oldest first."""
        self.negotiations = 0
        self.openings = 0
        self.is_muted = False
        """Whether nothing at all is sent, not even pings, on connections that stay open."""
        self.loses_pushes = False
        """Whether pushes get lost while pings still come."""
        self.is_bare = False
        """Whether pushes of the user hub come without `{"action", "data"}` around them."""
        self._faults = faults
        self._is_good = is_good
        self._changed = changed
        self._numbers = itertools.count(1)
        self._known: set[str] = set()
        self._lines: list[Line] = []
        self._held: list[tuple[Line, str]] = []

    @property
    def connections(self) -> int:
        """How many clients are connected and have shaken hands."""
        return len(self._lines)

    def has(self, method: str, argument: object = None) -> bool:
        """Whether some connection holds a subscription (``SubscribeOrders``, an account)."""
        return any((method.removeprefix("Subscribe"), argument) in line.subscriptions for line in self._lines)

    # -- serving -------------------------------------------------------------------------------------------------------

    async def negotiate(self, request: web.Request) -> web.StreamResponse:
        """`POST /hubs/<name>/negotiate`: a connection id for whoever has a good token."""
        self.negotiations += 1
        if not self._is_good(_token_of(request)):
            return web.Response(status=401)
        number = f"{self.name}{next(self._numbers)}"
        self._known.add(number)
        formats = {"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}
        return web.json_response({"negotiateVersion": 0, "connectionId": number, "availableTransports": [formats]})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`GET /hubs/<name>`: the websocket of a connection that was negotiated; an id is good once."""
        number = request.query.get("id", "")
        if number not in self._known:
            return web.Response(status=404, text="No Connection with that ID")
        if not self._is_good(_token_of(request)):
            return web.Response(status=401)
        self._known.discard(number)
        socket = web.WebSocketResponse(max_msg_size=1 << 20)
        await socket.prepare(request)
        if not await _shake_hands(socket):
            return socket
        line = Line(socket=socket, request=request)
        self._lines.append(line)
        self.openings += 1
        self._changed()
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write(line))
                await self._read(line)
                writer.cancel()
        finally:
            self._lines.remove(line)
            self._changed()
        return socket

    async def _read(self, line: Line) -> None:
        async for message in line.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            for part in filter(None, str(message.data).split(END)):
                self._hear(line, json.loads(part))

    def _hear(self, line: Line, said: Json) -> None:
        if said.get("type") != 1:
            return
        self.calls.append(said)
        target, arguments = str(said.get("target", "")), said.get("arguments") or [None]
        if target.startswith("Subscribe"):
            line.subscriptions.add((target.removeprefix("Subscribe"), arguments[0]))
        elif target.startswith("Unsubscribe"):
            line.subscriptions.discard((target.removeprefix("Unsubscribe"), arguments[0]))
        if said.get("invocationId"):
            line.waiting.put_nowait(_text({"type": 3, "invocationId": said["invocationId"], "result": None}))
        self._changed()

    async def _write(self, line: Line) -> None:
        """Send what waits, and a ping after each quiet spell."""
        while not line.socket.closed:
            try:
                async with asyncio.timeout(self.beat_s):
                    text = await line.waiting.get()
            except TimeoutError:
                text = _text({"type": 6})
            if text is None:
                await line.socket.close(code=WSCloseCode.GOING_AWAY)
                return
            if not self.is_muted:
                await line.socket.send_str(text)

    # -- pushes --------------------------------------------------------------------------------------------------------

    def push_user(self, target: str, account: int, data: Json, action: int) -> None:
        """Tell whoever subscribed to it that something of an account has changed."""
        argument: Json = data if self.is_bare else {"action": action, "data": data}
        wanted = (_OF_ACCOUNTS[target], account) if target in _OF_ACCOUNTS else ("Accounts", None)
        self._push(wanted, target, argument)

    def push_market(self, target: str, contract: str, data: Json) -> None:
        """Tell whoever subscribed to it that a contract's market has moved."""
        self._push((f"Contract{target.removeprefix('Gateway')}s", contract), target, contract, data)

    def _push(self, wanted: tuple[str, Any], target: str, *arguments: object) -> None:
        text = _text({"type": 1, "target": target, "arguments": list(arguments)})
        lines = [line for line in self._lines if wanted in line.subscriptions]
        if not lines or self.loses_pushes:
            return
        if self._faults.take_event(FaultKind.REORDER):
            self._held += [(line, text) for line in lines]
            return
        twice = self._faults.take_event(FaultKind.DUPLICATE)
        for line in lines:
            line.waiting.put_nowait(text + text if twice else text)
        self.release()

    def release(self) -> None:
        """Send what a `reorder` held back."""
        held, self._held = self._held, []
        for line, text in held:
            line.waiting.put_nowait(text)

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def send_raw(self, text: str) -> None:
        """Send a text as it is to everybody: a malformed frame, an unknown key, a Close message with an error."""
        self._send_all([text])

    def close(self) -> None:
        """End every connection in good order."""
        self._send_all([None])

    def abort(self) -> None:
        """Cut every connection."""
        for line in tuple(self._lines):
            if line.request.transport is not None:
                line.request.transport.abort()

    def log_out(self) -> None:
        """Tell every client that another login displaced it, and end its connection."""
        self._send_all([_text({"type": 1, "target": "GatewayLogout", "arguments": []}), None])

    def _send_all(self, texts: Iterable[str | None]) -> None:
        for text in texts:
            for line in self._lines:
                line.waiting.put_nowait(text)


CLOSE_WITH_ERROR = '{"type":7,"error":"Connection closed with an error.","allowReconnect":true}' + END
MALFORMED = '{"type":1,' + END
UNKNOWN_KEY = '{"type":1,"target":"GatewayUserPosition","arguments":[],"somethingNew":1}' + END


def _text(message: Json) -> str:
    return json.dumps(message) + END


def _token_of(request: web.Request) -> str:
    return request.query.get("access_token") or request.headers.get("Authorization", "").removeprefix("Bearer ")


async def _shake_hands(socket: web.WebSocketResponse) -> bool:
    first = await socket.receive()
    if first.type is not WSMsgType.TEXT:
        return False
    asked = json.loads(str(first.data).split(END)[0])
    if asked.get("protocol") != "json":
        await socket.send_str(_text({"error": f"The protocol '{asked.get('protocol')}' is not supported."}))
        await socket.close()
        return False
    await socket.send_str(_text({}))
    return True
