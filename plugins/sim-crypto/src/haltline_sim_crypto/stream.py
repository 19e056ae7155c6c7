"""Websockets: who is connected to what, messages in order, and the ways in which a stream goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

from aiohttp import WSMsgType, web

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.record import Frame
from haltline_sim_kit.fault import FaultBox, FaultKind
from haltline_sim_kit.watch import Watch

_CLOSE_WAIT_S = 0.5


class Link:
    """One websocket. `kind` is `private` or `public`; `account` is known once the client has proved who it is."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, kind: str) -> None:
        self.kind = kind
        self.path = request.path
        self.account: Account | None = None
        self.key = ""
        self.topics: list[Any] = []
        self.number = 0
        self._socket = socket
        self._request = request
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()

    def put(self, message: Any) -> None:
        """Send a message after everything that was put before; a text goes as it is."""
        self._queue.put_nowait(message if isinstance(message, str) else json.dumps(message))

    def close(self, code: int) -> None:
        """Close after everything that was put before."""
        self._queue.put_nowait(code)

    def cut(self) -> None:
        """End the connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self, is_muted: Callable[[], bool]) -> None:
        """Send what is put, until closed. What is put while the stream is muted is lost."""
        while True:
            item = await self._queue.get()
            if isinstance(item, int):
                await self._socket.close(code=item)
                return
            try:
                if not is_muted():
                    await self._socket.send_str(item)
            except (ConnectionError, RuntimeError):
                return

    async def pong(self, content: bytes) -> None:
        """Answer a ping of the protocol."""
        await self._socket.pong(content)


class Streams:
    """All websockets of a simulator. `kind` is a pattern: `private`, `public`, `*`."""

    def __init__(self, faults: FaultBox, watch: Watch, now_ms: Callable[[], int]) -> None:
        self.links: list[Link] = []
        self.heard: list[Frame] = []
        self.opened = 0
        """How many websockets were ever accepted."""
        self._faults = faults
        self._watch = watch
        self._now_ms = now_ms
        self._muted: set[str] = set()
        self._held: list[tuple[Link, Any]] = []

    def of(self, kind: str) -> list[Link]:
        """The open websockets of a kind."""
        return [link for link in self.links if fnmatch(link.kind, kind)]

    # -- sending -------------------------------------------------------------------------------------------------------

    def push(self, link: Link, message: Any) -> None:
        """Tell a client something that happened; the faults for events meet it here."""
        if not self._held and self._faults.take_event(FaultKind.REORDER):
            self._held.append((link, message))
            return
        for _ in range(2 if self._faults.take_event(FaultKind.DUPLICATE) else 1):
            link.put(message)
        held, self._held = self._held, []
        for place, late in held:
            place.put(late)

    # -- faults --------------------------------------------------------------------------------------------------------

    def mute(self, kind: str = "*") -> None:
        """Say nothing any more, not even a pong, and keep the connections."""
        self._muted.add(kind)

    def unmute(self) -> None:
        """Speak again; what was not said stays unsaid."""
        self._muted.clear()

    def says(self, text: str, kind: str = "*") -> None:
        """Send a text as it is."""
        for link in self.of(kind):
            link.put(text)

    def malformed(self, kind: str = "*") -> None:
        """Send half of a message."""
        self.says('{"topic":"position","e":"ORDER_TRADE_UPDATE","channel":"orderUpdates","data":', kind)

    def close(self, kind: str = "*", *, code: int = 1001) -> None:
        """Close politely."""
        for link in self.of(kind):
            link.close(code)

    def abort(self, kind: str = "*") -> None:
        """Cut the connections without a word."""
        for link in self.of(kind):
            link.cut()

    # -- serving -------------------------------------------------------------------------------------------------------

    async def serve(
        self, request: web.Request, link_kind: str, hear: Callable[[Link, Any], None],
        greet: Callable[[Link], None] | None = None,
    ) -> web.WebSocketResponse:  # fmt: skip
        """Serve one client until it leaves; `hear` takes its decoded messages."""
        socket = web.WebSocketResponse(timeout=_CLOSE_WAIT_S, autoping=False)
        await socket.prepare(request)
        link = Link(socket, request, link_kind)
        self.opened += 1
        link.number = self.opened
        self.links.append(link)
        if greet is not None:
            greet(link)
        self._watch.changed()
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(link.write(lambda: self._is_muted(link)))
                await self._read(socket, link, hear)
                writer.cancel()
        finally:
            self.links.remove(link)
            self._watch.changed()
        return socket

    async def _read(self, socket: web.WebSocketResponse, link: Link, hear: Callable[[Link, Any], None]) -> None:
        async for frame in socket:
            if frame.type is WSMsgType.PING and not self._is_muted(link):
                await link.pong(frame.data)
            if frame.type is not WSMsgType.TEXT:
                continue
            try:
                message = json.loads(frame.data)
            except ValueError:
                message = frame.data
            self.heard.append(Frame(stream=link.kind, message=message, at_ms=self._now_ms()))
            hear(link, message)
            self._watch.changed()

    def _is_muted(self, link: Link) -> bool:
        return any(fnmatch(link.kind, kind) for kind in self._muted)
