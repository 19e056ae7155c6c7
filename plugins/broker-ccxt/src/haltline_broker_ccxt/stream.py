"""Keeping the streams: opened, watched, and made anew after silence, a failure or a doubt.

A message is a wake-up. It is translated in the very call in which ccxt hands it over, so that none is lost or merged in
ccxt's caches, and everything is read again by REST right after.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable

from haltline.clock import NS_PER_S, Clock, SteadyClock
from haltline.errors import EngineError, Transient
from haltline.model.event import Event, Quote
from haltline_broker_ccxt.client import Line
from haltline_broker_ccxt.row import Malformed
from haltline_broker_ccxt.venue import Doubt, Subscription, Venue

NS_PER_MS = 1_000_000
_LOOK_NS = NS_PER_S // 4
_FIRST_WAIT_NS = NS_PER_S // 10
_LONGEST_WAIT_NS = 10 * NS_PER_S
_GREETING = "Websocket connection"
"""Hyperliquid says so in plain words."""
_STEADY_NS = 20 * NS_PER_S
"""A stream that lasted so long was sound: the next loss is met at once again."""


class Ear:
    """The tap of an exchange object: notes life, translates, and hands events on; it never raises into ccxt.

    Life is timed by a clock that nobody can set: one that is set back would hide how long a stream has been silent.
    """

    def __init__(self) -> None:
        self.hear: Callable[[object], Iterable[Event] | None] = lambda message: None
        self.take: Callable[[Event], None] = lambda event: None
        self.doubt: Callable[[str], None] = lambda reason: None
        self.puzzled: Callable[[str], None] = lambda reason: None
        self.steady: Clock = SteadyClock()
        self.alive_ms: dict[str, int] = {}
        self.quoted_ms = 0
        self._pongs: dict[str, tuple[object, int]] = {}

    def now_ms(self) -> int:
        """The present instant of the steady clock."""
        return self.steady.now() // NS_PER_MS

    def begin(self) -> None:
        """All connections are made anew."""
        self.alive_ms.clear()
        self._pongs.clear()
        self.quoted_ms = self.now_ms()

    def last_ms(self, url: str, pong: object) -> int:
        """When something came last on a connection, 0 for never. `pong` is ccxt's stamp of the last one, by a clock
        that may be set: what counts is when it was another than before.
        """
        if pong and self._pongs.get(url, (None, 0))[0] != pong:
            self._pongs[url] = pong, self.now_ms()
        return max(self.alive_ms.get(url, 0), self._pongs.get(url, (None, 0))[1])

    def __call__(self, url: str, message: object) -> bool:
        """True where the message was for us."""
        self.alive_ms[url] = self.now_ms()
        if isinstance(message, str) and not message.startswith(_GREETING):
            self.puzzled("a message was no JSON")
            return True
        try:
            heard = self.hear(message)
            events = None if heard is None else list(heard)
        except Doubt as doubt:
            self.doubt(str(doubt))
            return True
        except Malformed as failure:
            self.puzzled(f"a message was not understood: {failure}")
            return True
        for event in events or ():
            if isinstance(event, Quote):
                self.quoted_ms = self.now_ms()
            self.take(event)
        return events is not None


class Streams:
    """The connections of one venue. `changed` is told of a loss with its reason, and of life with an empty one."""

    def __init__(
        self, venue: Venue, ear: Ear, clock: Clock, *, silence_s: float, quote_silence_s: float,
        changed: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._venue = venue
        self._ear = ear
        self._clock = clock
        self._silence_ms = silence_s * 1000
        self._quote_silence_ms = quote_silence_s * 1000
        self._changed = changed
        self._demand = ""
        self._is_planned = False
        self.wanted: frozenset[str] = frozenset()
        self.up = asyncio.Event()
        """Set once every connection stands, and has spoken where it does that unasked."""

    def renew(self, reason: str, *, is_planned: bool = False) -> None:
        """All connections are made anew at the next look; a planned change is no loss."""
        self._is_planned = is_planned and (self._is_planned or not self._demand)
        self._demand = self._demand or reason

    async def keep(self, symbols: Callable[[], Collection[str]]) -> None:
        """Listen for ever. `symbols` says whose prices are wanted, asked again for each new set of connections."""
        wait = _FIRST_WAIT_NS
        while True:
            began = self._clock.now()
            self.wanted = frozenset(symbols())
            reason = await self._listen(self._venue.subscriptions(self.wanted))
            if not self._is_planned:
                self._changed(reason)
            await self._venue.line.hang_up()
            wait = _FIRST_WAIT_NS if self._clock.now() - began > _STEADY_NS else min(wait * 2, _LONGEST_WAIT_NS)
            await self._clock.sleep_until(self._clock.now() + wait)

    async def _listen(self, subscriptions: Collection[Subscription]) -> str:
        """Until something is wrong; returns what."""
        self._demand, self._is_planned = "", False
        self.up.clear()
        self._ear.begin()
        try:
            async with asyncio.TaskGroup() as group:
                for each in subscriptions:
                    group.create_task(self._open(each))
                group.create_task(self._watch(subscriptions))
        except BaseExceptionGroup as failures:
            engine, others = failures.split(EngineError)
            if others is not None or engine is None:
                raise
            return _first(engine)
        return "the streams ended"

    async def _open(self, subscription: Subscription) -> None:
        await self._venue.line.perform(subscription.open, mutates=False)
        raise Transient(f"the {subscription.name} stream ended")

    async def _watch(self, subscriptions: Collection[Subscription]) -> None:
        """Raise Transient for silence, or where new connections are wanted."""
        wants_quotes = any(each.is_public for each in subscriptions)
        is_up = False
        while True:
            await self._clock.sleep_until(self._clock.now() + _LOOK_NS)
            if self._demand:
                raise Transient(self._demand)
            _require_life(self._venue.line, self._ear, self._silence_ms)
            if wants_quotes and self._ear.now_ms() - self._ear.quoted_ms > self._quote_silence_ms:
                raise Transient("no price has come for too long")
            if not is_up and _are_up(self._venue.line, self._ear, subscriptions):
                is_up = True
                self.up.set()
                self._changed("")


def _are_up(line: Line, ear: Ear, subscriptions: Collection[Subscription]) -> bool:
    """A connection stands from its first ping on."""
    standing = [url for url, client in line.exchange.clients.items() if url in ear.alive_ms or client.lastPong]
    talking = sum(each.answers for each in subscriptions)
    return len(standing) >= len(subscriptions) and len(ear.alive_ms) >= talking


def _require_life(line: Line, ear: Ear, silence_ms: float) -> None:
    """Raise Transient where a connection has said nothing: ccxt's own flags stay as they were when its loop is dead."""
    for url, client in line.exchange.clients.items():
        last = ear.last_ms(url, client.lastPong)
        if last and ear.now_ms() - last > silence_ms:
            raise Transient(f"a stream was silent for {silence_ms / 1000:g} s")


def _first(failures: BaseExceptionGroup[EngineError]) -> str:
    found: BaseException = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return str(found)
