"""The gateway: sessions with numbered events, heartbeats, resuming, compression, and ways to break all of it."""

import asyncio
import json
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from haltline_sim_discord.record import Json
from haltline_sim_kit.fault import FaultBox, FaultKind
from haltline_sim_kit.watch import Watch

_KEPT = 1000
_PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15
_KNOWN_INTENTS = (1 << 26) - 1
_CLOSE_WAIT_S = 0.5
_QUIET_OPS = frozenset({3, 4})
"""Presence and voice state: taken and not answered."""


@dataclass(slots=True, kw_only=True)
class Session:
    """What the gateway keeps of one identified client, connected or not."""

    id: str
    intents: int
    seq: int = 0
    sent: deque[Json] = field(default_factory=lambda: deque(maxlen=_KEPT))


class Link:
    """One websocket. Frames leave in the order in which they were put."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, *, is_compressed: bool) -> None:
        self.session: Session | None = None
        self.is_closed_here = False
        self._socket = socket
        self._request = request
        self._deflate = zlib.compressobj() if is_compressed else None
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()

    def put(self, frame: Json | str) -> None:
        """Send a frame, or a text as it is."""
        self._queue.put_nowait(frame if isinstance(frame, str) else json.dumps(frame))

    def close(self, code: int) -> None:
        """Close after everything that was put before."""
        self.is_closed_here = True
        self._queue.put_nowait(code)

    def cut(self) -> None:
        """End the connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self) -> None:
        """Send what is put, until closed."""
        while True:
            item = await self._queue.get()
            if isinstance(item, int):
                await self._socket.close(code=item)
                return
            try:
                await self._send(item)
            except (ConnectionError, RuntimeError):
                return

    async def _send(self, text: str) -> None:
        if self._deflate is None:
            await self._socket.send_str(text)
            return
        content = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self._socket.send_bytes(content)


class Gateway:
    """All sessions. What happens while a client is away is kept for it until it resumes.

    `heartbeat_ms` is what clients are told; `answers_heartbeats` off: no acknowledgement. `compresses` off: a client
    that asks for zlib-stream gets plain text. `has_privileged_intents` off: such an intent is refused with 4014.
    """

    def __init__(self, token: str, faults: FaultBox, watch: Watch, ready: Callable[[Session], list[Json]]) -> None:
        self.heartbeat_ms = 41_250
        self.answers_heartbeats = True
        self.compresses = True
        self.has_privileged_intents = False
        self.received: list[Json] = []
        self.sessions: dict[str, Session] = {}
        self.links: list[Link] = []
        self.resumed = 0
        self._token = token
        self._faults = faults
        self._watch = watch
        self._ready = ready
        self._held: tuple[str, Json, int] | None = None
        self._made = 0

    @property
    def is_connected(self) -> bool:
        """Whether an identified client is there."""
        return any(link.session for link in self.links)

    # -- events --------------------------------------------------------------------------------------------------------

    def dispatch(self, event: str, body: Json, *, intents: int = 0) -> None:
        """Tell every session that has one of these intents; 0: all of them."""
        times = 1
        if event == "INTERACTION_CREATE":
            if self._held is None and self._faults.take_event(FaultKind.REORDER):
                self._held = event, body, intents
                return
            times = 2 if self._faults.take_event(FaultKind.DUPLICATE) else 1
        for _ in range(times):
            self._tell(event, body, intents)
        held, self._held = self._held, None
        if held is not None:
            self._tell(*held)

    def _tell(self, event: str, body: Json, intents: int) -> None:
        for session in self.sessions.values():
            if not intents or session.intents & intents:
                self._number(session, event, body)

    def _number(self, session: Session, event: str, body: Json) -> None:
        session.seq += 1
        frame = {"op": 0, "t": event, "s": session.seq, "d": body}
        session.sent.append(frame)
        for link in self.links:
            if link.session is session:
                link.put(frame)

    # -- faults --------------------------------------------------------------------------------------------------------

    def reconnect(self) -> None:
        """Ask every client to reconnect (op 7)."""
        for link in self.links:
            link.put({"op": 7, "d": None, "s": None, "t": None})

    def invalidate(self, *, is_resumable: bool = False) -> None:
        """Tell every client that its session is invalid (op 9)."""
        if not is_resumable:
            self.forget()
        for link in self.links:
            link.session = None
            link.put({"op": 9, "d": is_resumable, "s": None, "t": None})

    def close(self, code: int = 4000) -> None:
        """Close every connection with a code."""
        for link in self.links:
            link.close(code)

    def cut(self) -> None:
        """End every connection without a word."""
        for link in self.links:
            link.cut()

    def garble(self) -> None:
        """Send every client a frame that is no JSON."""
        for link in self.links:
            link.put('{"op":0,"d":')

    def forget(self) -> None:
        """Lose every session, so that nobody can resume."""
        self.sessions.clear()

    # -- serving -------------------------------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, until it ends."""
        socket = web.WebSocketResponse(max_msg_size=0, timeout=_CLOSE_WAIT_S)
        await socket.prepare(request)
        is_compressed = self.compresses and request.query.get("compress") == "zlib-stream"
        link = Link(socket, request, is_compressed=is_compressed)
        self.links.append(link)
        link.put({"op": 10, "d": {"heartbeat_interval": self.heartbeat_ms, "_trace": []}, "s": None, "t": None})
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(link.write())
                await self._read(socket, link)
                writer.cancel()
        finally:
            self.links.remove(link)
            self._watch.changed()
        if socket.close_code in (1000, 1001) and link.session is not None and not link.is_closed_here:
            self.sessions.pop(link.session.id, None)
        return socket

    async def _read(self, socket: web.WebSocketResponse, link: Link) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                frame = json.loads(message.data)
                code = self._take(link, int(frame["op"]), frame.get("d"), frame)
            except (ValueError, TypeError, KeyError, AttributeError):
                code = 4002
            if code is not None:
                link.close(code)
            self._watch.changed()

    def _take(self, link: Link, op: int, body: Json, frame: Json) -> int | None:
        """Act on a frame; returns the code to close with."""
        self.received.append(frame)
        if op == 1:
            if self.answers_heartbeats:
                link.put({"op": 11, "d": None, "s": None, "t": None})
            return None
        if op == 2:
            return 4005 if link.session else self._identify(link, body)
        if op == 6:
            return self._resume(link, body)
        if link.session is None:
            return 4003
        return None if op in _QUIET_OPS or op == 8 else 4001

    def _identify(self, link: Link, body: Json) -> int | None:
        if body["token"].removeprefix("Bot ") != self._token:
            return 4004
        intents = int(body["intents"])
        if intents < 0 or intents & ~_KNOWN_INTENTS:
            return 4013
        if intents & _PRIVILEGED and not self.has_privileged_intents:
            return 4014
        self._made += 1
        session = Session(id=f"session-{self._made}", intents=intents)
        self.sessions[session.id] = link.session = session
        for each in self._ready(session):
            self._number(session, each["t"], each["d"])
        return None

    def _resume(self, link: Link, body: Json) -> int | None:
        if body["token"].removeprefix("Bot ") != self._token:
            return 4004
        session, seq = self.sessions.get(body["session_id"]), int(body["seq"] or 0)
        if session is None:
            link.put({"op": 9, "d": False, "s": None, "t": None})
            return None
        if seq > session.seq:
            return 4007
        for frame in session.sent:
            if frame["s"] > seq:
                link.put(frame)
        link.session = session
        self.resumed += 1
        self._number(session, "RESUMED", {"_trace": []})
        return None
