"""A client's connection: calls with numbers, answers matched to them, and every failure put in its class.

Nothing reached the venue: Transient. It answered no: Refused. It may have acted: OutcomeUnknown.
"""

import asyncio
import itertools
from collections.abc import Callable

import msgspec

from haltline.clock import NS_PER_S, Clock
from haltline.errors import OutcomeUnknown, Refused, SessionClosed, Transient
from haltline_sim_paper.line import LinePeer
from haltline_sim_paper.wire import ANSWERS, Answer, Ask, Call, Failure, Login, Push, Token, line_of

_CONNECT_S = 5.0


class _Expired(Exception):
    """The venue wants a new login; it did nothing."""


class _Lost(Exception):
    """The connection ended while an answer was awaited."""


class Link:
    """Connects on the first call, and again after a loss. A hung call holds nobody else up."""

    def __init__(
        self, address: tuple[str, int], login: Login, clock: Clock, *, timeout_s: float,
        on_push: Callable[[Push | None], None] = lambda push: None,
    ) -> None:  # fmt: skip
        self._address = address
        self._login = login
        self._clock = clock
        self._timeout_s = timeout_s
        self._on_push = on_push
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._connecting = asyncio.Lock()
        self._wire: _Wire | None = None
        self._token = ""
        self._not_before = 0

    async def call[T](self, call: Call, kind: type[T], *, mutates: bool = False) -> T:
        """Make a call; a token that has expired is renewed once, as the venue did nothing by then."""
        wait_ns = self._not_before - self._clock.now()
        if wait_ns > 0:
            wait_s = wait_ns / NS_PER_S
            raise Transient(f"the venue wants no request for another {wait_s:.2f} s", retry_after_s=wait_s)
        wire = await self._connected()
        try:
            try:
                return await self._exchange(wire, call, kind, mutates=mutates)
            except _Expired:
                await self._log_in(wire)
                return await self._exchange(wire, call, kind, mutates=mutates)
        except _Expired as failure:
            raise Transient("the venue does not accept its own token") from failure

    async def connect(self) -> None:
        """Connect and log in, unless that is so already; raises Transient."""
        await self._connected()

    async def lost(self) -> None:
        """Return once the present connection has ended."""
        if self._wire is not None:
            await self._wire.ended.wait()

    def close(self) -> None:
        """End the connection."""
        if self._wire is not None:
            self._wire.abort()

    async def _connected(self) -> "_Wire":
        async with self._connecting:
            if self._wire is None or self._wire.ended.is_set():
                self._wire = await self._connect()
            return self._wire

    async def _connect(self) -> "_Wire":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, wire = await loop.create_connection(lambda: _Wire(self._take, self._ended), *self._address)
        except (OSError, TimeoutError) as failure:
            raise Transient(f"the venue cannot be reached: {failure}") from failure
        try:
            await self._log_in(wire)
        except BaseException:
            wire.abort()
            raise
        return wire

    async def _log_in(self, wire: "_Wire") -> None:
        try:
            self._token = (await self._exchange(wire, self._login, Token, mutates=False)).token
        except _Expired as failure:
            raise Transient("the venue gives no token") from failure

    async def _exchange[T](self, wire: "_Wire", call: Call, kind: type[T], *, mutates: bool) -> T:
        doubt = OutcomeUnknown if mutates else Transient
        number = next(self._numbers)
        waiter = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            if not wire.send(line_of(Ask(id=number, call=call, token=self._token))):
                raise Transient("the connection to the venue was lost before the request was sent")
            async with asyncio.timeout(self._timeout_s):
                answer = await waiter
        except TimeoutError as failure:
            raise doubt(f"the venue did not answer within {self._timeout_s:g} s") from failure
        except _Lost as failure:
            raise doubt("the connection to the venue was lost before it answered") from failure
        finally:
            self._waiting.pop(number, None)
        if answer.error is not None:
            raise self._failure(answer.error)
        return msgspec.json.decode(answer.ok, type=kind)

    def _failure(self, error: Failure) -> Exception:
        match error.kind:
            case "refused":
                return Refused(error.reason)
            case "closed":
                return SessionClosed(error.reason)
            case "expired":
                return _Expired(error.reason)
            case "unknown":
                return OutcomeUnknown(error.reason)
            case "throttled":
                self._not_before = self._clock.now() + round(error.retry_after_s * NS_PER_S)
        return Transient(error.reason, retry_after_s=error.retry_after_s)

    def _take(self, answer: Answer) -> None:
        if answer.seq is not None:
            self._on_push(Push(seq=answer.seq, event=answer.event))
            return
        waiter = self._waiting.get(answer.id or 0)
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    def _ended(self) -> None:
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(_Lost())
        self._on_push(None)


class _Wire(LinePeer[Answer]):
    """One connection, and whether it has ended."""

    def __init__(self, on_answer: Callable[[Answer], None], on_end: Callable[[], None]) -> None:
        super().__init__(ANSWERS, on_answer)
        self.ended = asyncio.Event()
        self._on_end = on_end

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        self._on_end()

    def send(self, line: bytes) -> bool:
        return not self.ended.is_set() and super().send(line)
