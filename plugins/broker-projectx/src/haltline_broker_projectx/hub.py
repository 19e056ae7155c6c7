"""A SignalR hub under supervision: a new client for every attempt, and a clock that is set by every message.

The library's own client reconnects after some endings, dies silently after others and never says which. Here every
ending, every frame that cannot be read and every silence ends the attempt, and the next one starts from nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from haltline.clock import NS_PER_S, Clock
from haltline.errors import EngineError
from haltline_broker_projectx.library import AuthorizationError, CloseMessage, JSONProtocol, Message, SignalRClient
from haltline_broker_projectx.session import Session

type Invocation = tuple[str, list[Any]]
type OnPush = Callable[[str, list[Any]], None]
"""Told of a target and its arguments; never blocks."""

_FIRST_WAIT_NS = NS_PER_S // 5
_LONGEST_WAIT_NS = 3 * NS_PER_S
_STEADY_NS = 2 * NS_PER_S
_LOOK_NS = NS_PER_S // 4
_OPENING_NS = 10 * NS_PER_S
_CONNECT_S = 5
_PING_S = 5


@dataclass(slots=True)
class HubState:
    """What is known of a hub. `since` is when it came up or went down, `opened` how often it has come up."""

    is_up: bool = False
    since: int = 0
    opened: int = 0
    last_heard: int = 0
    reason: str = "not connected yet"


class Hub:
    """One hub by `name` (``user``, ``market``). `wanted` lists its subscriptions, whenever it connects."""

    def __init__(
        self, name: str, *, url: str, session: Session, clock: Clock, wanted: Callable[[], Sequence[Invocation]],
        targets: Sequence[str], on_push: OnPush, changed: Callable[[], None], silence_s: float,
    ) -> None:  # fmt: skip
        self.name = name
        self.state = HubState()
        self._url = url
        self._session = session
        self._clock = clock
        self._wanted = wanted
        self._targets = targets
        self._on_push = on_push
        self._changed = changed
        self._silence_ns = round(silence_s * NS_PER_S)
        self._attempt: _Attempt | None = None

    async def run(self) -> None:
        """Keep it connected until cancelled."""
        wait_ns = _FIRST_WAIT_NS
        while True:
            began = self._clock.now()
            try:
                await self._connect()
            except EngineError as failure:
                self._went_down(str(failure))
            lasted = self._clock.now() - began
            wait_ns = _FIRST_WAIT_NS if lasted > _STEADY_NS else min(2 * wait_ns, _LONGEST_WAIT_NS)
            await self._clock.sleep_until(self._clock.now() + wait_ns)

    def rebuild(self, reason: str) -> None:
        """Start again from nothing: what it says is no longer trusted."""
        if self._attempt is not None:
            self._attempt.end(reason)

    async def invoke(self, method: str, arguments: list[Any]) -> None:
        """Subscribe to more; a hub that is down does it when it is up."""
        attempt = self._attempt
        if attempt is None or not self.state.is_up:
            return
        try:
            await attempt.client.send(method, arguments)
        except Exception as failure:  # noqa: BLE001 - whatever the library raises, the next attempt subscribes to it
            attempt.end(type(failure).__name__)

    async def _connect(self) -> None:
        token = await self._session.token()
        attempt = self._attempt = _Attempt(f"{self._url}/{self.name}?access_token={quote(token)}", self._heard)
        for target in self._targets:
            attempt.client.on(target, _handler(target, self._on_push))
        attempt.client.on_open(self._opened)
        try:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(attempt.run(), name=f"projectx {self.name} hub")
                await self._watch(attempt)
                running.cancel()
        finally:
            self._attempt = None
            self._went_down(attempt.reason)
            await attempt.close()
        if attempt.was_unauthorized:
            await self._session.forget(token)

    async def _watch(self, attempt: "_Attempt") -> None:
        """Return once the attempt has ended, or was silent for too long."""
        began = self.state.last_heard = looked = self._clock.now()
        while not attempt.ended.is_set():
            try:
                async with asyncio.timeout(_LOOK_NS / NS_PER_S):
                    await attempt.ended.wait()
            except TimeoutError:
                now = self._clock.now()
                self.state.last_heard += max(0, now - looked - 2 * _LOOK_NS)  # while we did not look we did not hear
                looked, silent_ns = now, now - self.state.last_heard
                if not self.state.is_up and now - began >= _OPENING_NS:
                    attempt.end("it did not open in time")
                elif silent_ns >= self._silence_ns:
                    attempt.end(f"silent for {silent_ns / NS_PER_S:.1f} s")

    def _heard(self) -> None:
        self.state.last_heard = self._clock.now()

    async def _opened(self) -> None:
        attempt = self._attempt
        if attempt is None:
            return
        for method, arguments in self._wanted():
            await attempt.client.send(method, arguments)
        self.state.is_up, self.state.since, self.state.reason = True, self._clock.now(), ""
        self.state.opened += 1
        self._changed()

    def _went_down(self, reason: str) -> None:
        was_up, self.state.is_up, self.state.reason = self.state.is_up, False, reason
        if was_up or not self.state.since:
            self.state.since = self._clock.now()
        self._changed()


class _Attempt:
    """One client of the library, and whether it has ended."""

    def __init__(self, url: str, heard: Callable[[], None]) -> None:
        self.ended = asyncio.Event()
        self.reason = ""
        self.was_unauthorized = False
        self.client = SignalRClient(
            url, protocol=_Protocol(heard, self.end), retry_count=1, connection_timeout=_CONNECT_S,
            ping_interval=_PING_S, signalr_ping_interval=_PING_S,
        )  # fmt: skip
        self.client.on_close(self._closed)

    def end(self, reason: str) -> None:
        """No more of this one; the first reason stays."""
        self.reason = self.reason or reason
        self.ended.set()

    async def run(self) -> None:
        """Run the library's client; however that ends, the attempt has."""
        try:
            await self.client.run()
        except AuthorizationError:
            self.was_unauthorized = True
            self.end("the hub does not accept the token")
        except Exception as failure:  # noqa: BLE001 - a library's task: whatever it raises ends this attempt only
            self.end(type(failure).__name__)
        else:
            self.end("the client ended by itself")

    async def close(self) -> None:
        """Close the socket, which the library leaves open after some errors."""
        socket: Any = getattr(self.client._transport, "_ws", None)
        if socket is not None:
            try:
                async with asyncio.timeout(1.0):
                    await socket.close()
            except (TimeoutError, OSError, RuntimeError):
                socket.transport.abort()

    async def _closed(self) -> None:
        self.end("the connection was closed")


class _Protocol(JSONProtocol):
    """The library's, except that what it cannot read, and a Close message, end the attempt instead of the task."""

    def __init__(self, heard: Callable[[], None], end: Callable[[str], None]) -> None:
        super().__init__()
        self._heard = heard
        self._end = end

    def decode(self, raw_message: str | bytes) -> list[Message]:
        """The messages of a frame; none of one that cannot be read."""
        self._heard()
        try:
            found = super().decode(raw_message)
        except Exception as failure:  # noqa: BLE001 - orjson, dataclasses and enums of the library raise what they like
            self._end(f"a frame that cannot be read ({type(failure).__name__})")
            return []
        for message in found:
            if isinstance(message, CloseMessage):
                self._end(f"closed by the platform: {message.error or 'no reason given'}")
        return [message for message in found if not isinstance(message, CloseMessage)]


def _handler(target: str, on_push: OnPush) -> Callable[[list[Any]], Awaitable[None]]:
    async def handle(arguments: list[Any]) -> None:
        on_push(target, arguments)

    return handle
