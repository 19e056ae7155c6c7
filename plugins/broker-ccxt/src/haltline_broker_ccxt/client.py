"""The genuine client: an exchange object of ccxt, pointed where it is wanted, watched, and its failures put in words.

ccxt takes about a second to import, so this module is only imported once a broker is made.
"""

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import ccxt  # type: ignore[import-untyped]  # ccxt has no stubs

from haltline.clock import NS_PER_S, Clock, SteadyClock
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline_broker_ccxt.failure import ClockApart, Codes, judge
from haltline_broker_ccxt.row import Row, row
from haltline_broker_ccxt.setting import Setting

type Tap = Callable[[str, object], bool]
"""Shown each message of a stream, with its address, before ccxt sees it; True where ccxt need not see it at all."""

NS_PER_MS = 1_000_000
_DEFAULT_WAIT_S = 1.0
_TOO_FAR_APART_MS = 500
_STEP_MS = 50
_CLOCK_READINGS = 2
"""The first may have to connect; the quickest answer counts."""
_LIBRARY = (ccxt.BaseError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What ccxt raises over a message that it did not expect; each would end its receive loop without a word."""


class Exchange(Protocol):
    """The part of a ccxt exchange object that is used."""

    id: str
    urls: dict[str, Any]
    options: dict[str, Any]
    clients: dict[str, Any]
    has: Mapping[str, object]
    markets: Mapping[str, object] | None
    last_response_headers: Mapping[str, str] | None
    timeout_on_exit: float

    async def load_markets(self, reload: bool = False) -> Mapping[str, object]: ...
    async def fetch_time(self) -> int: ...
    async def close(self) -> None: ...
    def watch(
        self, url: str, message_hash: str, message: object = None, subscribe_hash: object = None
    ) -> Awaitable[object]: ...
    def milliseconds(self) -> int: ...
    def set_markets_from_exchange(self, other: "Exchange") -> object: ...


def make_exchange(name: str, config: Mapping[str, object], *, host: str = "", tap: Tap | None = None) -> Exchange:
    """An exchange object; with `host` every address of it is turned to a simulator. Raises Refused for an unknown one.

    On Hyperliquid ccxt would first sign `approveBuilderFee` and `setReferrer` in favour of its makers: it is kept from
    doing so, with whatever options.
    """
    logging.getLogger("ccxt").setLevel(logging.INFO)  # at DEBUG it writes down keys and signatures
    pro, rest = importlib.import_module("ccxt.pro"), importlib.import_module("ccxt.async_support")
    base = getattr(pro, name, None) or getattr(rest, name, None)
    if not isinstance(base, type):
        raise Refused(f"ccxt knows no exchange that is called {name!r}")
    members: dict[str, object] = {"parse_json": _strict(base)}
    if tap is not None:
        members["handle_message"] = _tapped(base, tap)
        members["client"] = _sound(base)
    if name.startswith("hyperliquid"):
        members["initialize_client"] = _do_nothing
    exchange = cast(Exchange, type(base.__name__, (base,), members)(dict(config)))
    if host:
        exchange.urls["api"] = _turned(exchange.urls["api"], host)
        exchange.timeout_on_exit = 0
    return exchange


def make_streaming(name: str, config: Mapping[str, object], setting: Setting, tap: Tap | None) -> Exchange:
    """An exchange object of a kind with streams: how long it waits, and where it is, are what the set-up says."""
    usual = {
        "timeout": round(setting.timeout_s * 1000), "enableRateLimit": False,
        "streaming": {"keepAlive": round(setting.silence_s * 1000 / 3)},
    }  # fmt: skip
    return make_exchange(name, {**usual, **config}, host=setting.host, tap=tap)


def _strict(base: Any) -> Callable[[Any, Any], object]:
    """Half of a JSON text, or a proxy's page, is no answer: ccxt would hand it on as a text, and make of it that there
    are no positions."""

    def parse_json(self: Any, http_response: Any) -> object:
        found: object = base.parse_json(self, http_response)
        if found is None and str(http_response).lstrip()[:1] in ("{", "[", "<"):
            raise ccxt.NetworkError(f"{self.id} answered with something that is no JSON")
        return found

    return parse_json


async def _do_nothing(exchange: Exchange) -> bool:
    return True


def _tapped(base: Any, tap: Tap) -> Callable[[Any, Any, Any], None]:
    def handle_message(self: Any, client: Any, message: Any) -> None:
        if tap(str(client.url), message):
            return
        try:
            base.handle_message(self, client, message)
        except _LIBRARY as failure:
            client.reject(ccxt.NetworkError(f"a message was not understood: {type(failure).__name__}"))

    return handle_message


def _sound(base: Any) -> Callable[[Any, str], object]:
    """What cannot be decoded would end the receive loop without a word, and the prices before it would stand on. The
    end of a connection is told by every future of it, whether somebody still waits for that one or not.
    """

    def client(self: Any, url: str) -> object:
        found: Any = base.client(self, url)
        if "handle_text_or_binary_message" not in vars(found):
            read, promise = found.handle_text_or_binary_message, found.future

            def decode(data: object) -> None:
                try:
                    read(data)
                except ValueError:
                    found.on_error(ccxt.NetworkError("a message was no JSON"))

            def future(message_hash: object) -> object:
                made: asyncio.Future[object] = promise(message_hash)
                made.add_done_callback(_retrieve)
                return made

            found.handle_text_or_binary_message, found.future = decode, future
            _end_whole(found)
        return found

    return client


def _end_whole(client: Any) -> None:
    """ccxt closes a connection that stands. One that is still being made would be made all the same, and live on,
    subscribed to nothing and owned by nobody: it is given up as well.
    """
    connect, leave = client.open, client.close
    making: list[asyncio.Task[object]] = []
    is_left = asyncio.Event()

    async def open_(session: object, backoff_delay: float = 0) -> None:
        task = asyncio.current_task()
        if is_left.is_set() or task is None:
            return
        making.append(task)
        try:
            await connect(session, backoff_delay)
        finally:
            making.clear()

    async def close(code: int = 1000) -> None:
        is_left.set()
        for task in making:
            task.cancel()
        await leave(code)

    client.open, client.close = open_, close


def _turned(found: object, host: str) -> object:
    if isinstance(found, dict):
        return {name: _turned(each, host) for name, each in found.items()}
    if isinstance(found, str) and "://" in found:
        parts = urlsplit(found)
        return urlunsplit(("ws" if parts.scheme.startswith("ws") else "http", host, parts.path, parts.query, ""))
    return found


class Lead:
    """How far a clock that may be set is ahead of one that may not: the same until it is set, so that two instants that
    the venue tells keep their order.
    """

    def __init__(self) -> None:
        self._ms: int | None = None

    def over(self, steady_ms: int, told_ms: int) -> int:
        """Its lead now, in ms; a change is a step only above what reading two clocks one after the other makes."""
        lead_ms = told_ms - steady_ms
        if self._ms is None or abs(lead_ms - self._ms) > _STEP_MS:
            self._ms = lead_ms
        return self._ms


class Line:
    """Calls on one exchange object. Raises Transient, Refused and OutcomeUnknown, and nothing else of ccxt's.

    How far the venue's clock is from ours is measured against a clock that nobody can set, so that a step of the
    host's clock is known in the instant in which it happens.
    """

    def __init__(self, exchange: Exchange, *, venue: str, codes: Codes, clock: Clock) -> None:
        self.exchange = exchange
        self.venue = venue
        self.codes = codes
        self._clock = clock
        self._steady: Clock = SteadyClock()
        self._venue_lag_ms: int | None = None
        self._host, self._ours = Lead(), Lead()
        self._closed = False

    async def read(self, method: str, params: Mapping[str, object] | None = None) -> object:
        """Ask something; asked again once with the venue's time where clocks were apart."""
        return await self._twice(lambda: self._call(method, params, mutates=False))

    async def read_row(self, method: str, params: Mapping[str, object] | None = None) -> Row:
        """Ask something that is answered by an object."""
        return _object(await self.read(method, params), self.venue, mutates=False)

    async def act(self, method: str, params: Mapping[str, object] | None = None) -> Row:
        """Change something. What is not known to have been refused raises OutcomeUnknown."""
        answer = await self._twice(lambda: self._call(method, params, mutates=True))
        return _object(answer, self.venue, mutates=True)

    async def perform[T](self, call: Callable[[], Awaitable[T]], *, mutates: bool) -> T:
        """Any call of ccxt's own."""
        if self._venue_lag_ms is not None:
            self.exchange.options["timeDifference"] = self.offset_ms
        try:
            return await call()
        except (ccxt.BaseError, aiohttp.ClientError, TimeoutError) as failure:
            raise judge(failure, venue=self.venue, codes=self.codes, mutates=mutates, wait_s=self._wait_s) from failure
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as failure:
            # ccxt found something in an answer that it cannot read: half of it, or a proxy's page
            told = f"{self.venue}: an answer was not understood ({type(failure).__name__})"
            raise (OutcomeUnknown(told) if mutates else Transient(told)) from failure

    async def set_clock(self) -> int:
        """Learn how far our clock is ahead of the venue's, in ms; requests carry the venue's time from then on."""
        best: int | None = None
        for _ in range(_CLOCK_READINGS):
            before = self._steady_ms
            there = await self.perform(self.exchange.fetch_time, mutates=False)
            after = self._steady_ms
            if there is not None and (best is None or after - before < best):
                best = after - before
                self._venue_lag_ms = after - int(there)  # rather late than early: what is later than now counts as now
        return self.offset_ms

    @property
    def offset_ms(self) -> int:
        """How far our host's clock is ahead of the venue's; 0 as long as nobody has asked."""
        if self._venue_lag_ms is None:
            return 0
        return self._host.over(self._steady_ms, self.exchange.milliseconds()) + self._venue_lag_ms

    @property
    def is_apart(self) -> bool:
        """Whether our clock differs from the venue's by more than half a second."""
        return abs(self.offset_ms) > _TOO_FAR_APART_MS

    def at_ns(self, venue_ms: int) -> int:
        """An instant told by the venue, on our clock; now where it tells none."""
        return (venue_ms + self._our_lead_ms) * NS_PER_MS if venue_ms else self._clock.now()

    def venue_ms(self, at_ns: int) -> int:
        """An instant of ours, on the venue's clock."""
        return at_ns // NS_PER_MS - self._our_lead_ms

    @property
    def _steady_ms(self) -> int:
        return self._steady.now() // NS_PER_MS

    @property
    def _our_lead_ms(self) -> int:
        """How far the engine's clock is ahead of the venue's; 0 as long as nobody has asked."""
        if self._venue_lag_ms is None:
            return 0
        return self._ours.over(self._steady_ms, self._clock.now() // NS_PER_MS) + self._venue_lag_ms

    def subscribe(self, url: str, name: str, message: object) -> None:
        """One more subscription on a connection that somebody waits on already: that one tells of its end."""
        self.exchange.watch(url, name, message, name)

    async def hang_up(self) -> None:
        """Close every stream, and forget what they were subscribed to."""
        for client in list(self.exchange.clients.values()):
            await client.close()
        self.exchange.clients.clear()

    async def close(self) -> None:
        """Let go of everything; closing twice does no harm."""
        if not self._closed:
            self._closed = True
            await self.exchange.close()

    def reopen(self) -> None:
        """It is used again."""
        self._closed = False

    async def _call(self, method: str, params: Mapping[str, object] | None, *, mutates: bool) -> object:
        self.reopen()
        call = getattr(self.exchange, method)
        return await self.perform(lambda: call(dict(params or {})), mutates=mutates)

    async def _twice(self, call: Callable[[], Awaitable[object]]) -> object:
        try:
            return await call()
        except ClockApart:
            await self.set_clock()
            return await call()

    def _wait_s(self) -> float:
        """How long the venue wants us to stay away, as told with its last answer."""
        headers = {name.lower(): said for name, said in (self.exchange.last_response_headers or {}).items()}
        try:
            if "retry-after" in headers:
                return max(0.0, float(headers["retry-after"]))
            if "x-bapi-limit-reset-timestamp" in headers:
                reset_ns = self.at_ns(int(headers["x-bapi-limit-reset-timestamp"]))
                return min(60.0, max(0.1, (reset_ns - self._clock.now()) / NS_PER_S))
        except ValueError:
            pass
        return _DEFAULT_WAIT_S


def _retrieve(future: asyncio.Future[object]) -> None:
    """Look at a failure, so that nobody complains that nobody did."""
    if not future.cancelled():
        future.exception()


def _object(answer: object, venue: str, *, mutates: bool) -> Row:
    if isinstance(answer, Mapping):
        return row(answer)
    told = f"{venue}: the answer was no object"
    raise OutcomeUnknown(told) if mutates else Transient(told)
