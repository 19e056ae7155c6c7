"""The reading half: REST on a clock and after every push, streams in between, and everything told to the engine."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from haltline.api import AccountSnapshot, BrokerSetup, EventSink, Started
from haltline.clock import NS_PER_S
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.event import AccountReport, Event, Fill, InstrumentUpdate, OrderUpdate, PositionReport, Quote
from haltline.model.id import Symbol
from haltline.model.instrument import InstrumentSpec
from haltline_broker_ccxt.book import Told
from haltline_broker_ccxt.deadman import DeadMan
from haltline_broker_ccxt.health import Health
from haltline_broker_ccxt.market import Leg, leg_of, spec_of
from haltline_broker_ccxt.setting import Setting
from haltline_broker_ccxt.stream import Ear, Streams
from haltline_broker_ccxt.venue import Ask, Doubt, Venue
from haltline_broker_ccxt.watermark import Watermark

_SETTLE_NS = NS_PER_S // 5
"""After a push the rest of what belongs to it is waited for, then everything is read once."""
_SPACING_NS = NS_PER_S // 2
"""However much is pushed, readings are so far apart."""
_REFRESH_NS = 1200 * NS_PER_S
_OVERLAP_MS = 5_000
_STALE_NS = 60 * NS_PER_S
_LOOK_NS = NS_PER_S // 2
_MOST_FOLLOWED = 50
_WORDS_S = 2.0
_STREAMS_S = 5.0
"""How long the start waits for the streams; without them REST does."""
_MISSED = (Transient, Refused, OutcomeUnknown)

_log = logging.getLogger(__name__)


class Reader:
    """`run` of a broker that reads. `is_streamed` is False where only REST is known."""

    def __init__(self, venue: Venue, ear: Ear, setup: BrokerSetup, setting: Setting, *, is_streamed: bool) -> None:
        self._venue = venue
        self._ear = ear
        self._setup = setup
        self._setting = setting
        self._clock = setup.clock
        self._account = setup.accounts[0].id
        self._specs: dict[str, InstrumentSpec] = {spec.symbol: spec for spec in setup.instruments}
        self._is_streamed = is_streamed
        self._told = Told(self._account)
        self._mark = Watermark(setup.directory, f"{setup.name}-{self._account}")
        self._sink: EventSink = lambda event: None
        self._announced: set[str] = set()
        self._woken = asyncio.Event()
        self._behind = asyncio.Event()
        self._puzzles: set[str] = set()
        self._wants_markets = False
        self._forbidden: set[str] = set()
        self._newest: dict[str, Quote] = {}
        self._followed: dict[str, None] = {}
        self._health = Health(self._account, self._clock, self._tell)
        self._streams = Streams(
            venue, ear, self._clock, silence_s=setting.silence_s, quote_silence_s=setting.quote_silence_s,
            changed=self._streams_changed,
        )  # fmt: skip
        self._dead_man = DeadMan(venue, setting, self._clock, has_stops=lambda: self._told.has_stops)

    async def run(self, sink: EventSink, started: Started) -> None:
        """Tell what is so, then what happens; raises what the first reading raises."""
        self._sink = sink
        ear = self._ear
        ear.hear, ear.take, ear.doubt, ear.puzzled = self._venue.hear, self._take, self._doubt, self._puzzled
        try:
            await self._begin()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_reading())
                group.create_task(self._keep_up())
                if self._is_streamed:
                    group.create_task(self._streams.keep(self._symbols))
                    group.create_task(self._refresh())
                    group.create_task(self._keep_priced())
                    await self._wait(self._streams.up, _STREAMS_S)
                if self._setting.dead_man_s:
                    group.create_task(self._dead_man.keep(self._renew))
                started()
        finally:
            await self._end()

    async def _begin(self) -> None:
        self._venue.line.reopen()
        await self._share(Ask.OPEN)
        await self._venue.open()
        await self._set_clock()
        await self._read()
        self._told.start()
        await self._read_quotes()
        self._mark.keep(self._mark.load() or self._venue.line.venue_ms(self._clock.now()))
        self._behind.set()

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(_WORDS_S):
                await self._dead_man.clear()
        except (*_MISSED, TimeoutError) as failure:
            _log.warning("the dead-man switch of %s could not be taken back: %s", self._account, failure)
        await self._venue.line.hang_up()
        await self._venue.line.close()

    async def _keep_reading(self) -> None:
        last = 0
        while True:
            if await self._wait(self._woken, self._setting.reconcile_s):
                await self._clock.sleep_until(max(self._clock.now() + _SETTLE_NS, last + _SPACING_NS))
            self._woken.clear()
            last = self._clock.now()
            try:
                await self._read()
                late = self._told.overdue(self._clock.now()) if self._is_streamed else ""
                if late:
                    self._streams.renew(f"a push on {late} did not come")
                    self._behind.set()
                if not self._is_streamed:
                    await self._read_quotes()
            except _MISSED as failure:
                self._health.rest(str(failure))
                await self._clock.sleep_until(self._clock.now() + NS_PER_S)
                self._woken.set()

    async def _read(self) -> None:
        """Pull everything and tell it; orders that ended unheard are looked up one by one."""
        await self._share(Ask.PULL)
        asked_at = self._clock.now()
        snapshot = await self._pull()
        if self._told.is_unexplained(snapshot.account):
            await self._explain()
        gone = self._told.gone(snapshot, asked_at)
        for event in self._told.pull(snapshot, asked_at):
            self._tell(event)
        for order in gone:
            await self._share(Ask.FIND)
            update = self._told.ended(order, await self._venue.find_by_id(order), self._clock.now())
            if update is not None:
                self._tell(update)
                self._behind.set()
        self._health.rest()
        if self._wants_markets:
            self._wants_markets = False
            await self._share(Ask.OPEN)
            await self._venue.open()
        self._follow()

    def _follow(self) -> None:
        """Prices of another market that is traded are wanted now: the next reading may have to wait for its share."""
        if self._is_streamed and not self._told.symbols() <= self._watched:
            self._streams.renew("another market is traded", is_planned=True)

    async def _explain(self) -> None:
        """Ask for executions and flows before a balance that jumped is told."""
        since = self._mark.load() - _OVERLAP_MS
        await self._catch_up("fills", self._venue.fills, since)
        await self._catch_up("flows", self._venue.flows, since)

    async def _pull(self) -> AccountSnapshot:
        try:
            async with asyncio.timeout(self._setting.timeout_s * 2):
                return await self._venue.pull()
        except TimeoutError as failure:
            raise Transient(f"{self._venue.name} did not answer in time") from failure

    async def _read_quotes(self) -> None:
        """Ask for prices; one that a stream told meanwhile is newer than the answer."""
        await self._share(Ask.QUOTES)
        asked_at = self._clock.now()
        quotes = await self._venue.quotes(self._symbols())
        overtaken = {symbol for symbol, newest in self._newest.items() if newest.received_at >= asked_at}
        for quote in quotes:
            if quote.symbol not in overtaken:
                self._tell(quote)

    async def _keep_up(self) -> None:
        """Executions by REST at the start, after each loss or doubt, and on a clock; flows with them at the start and
        on the clock. What could not be read is asked for again soon.
        """
        flowed_at = 0
        while True:
            await self._wait(self._behind, self._setting.flows_s)
            self._behind.clear()
            wants_flows = self._clock.now() - flowed_at >= self._setting.flows_s * NS_PER_S
            since = self._mark.load() - _OVERLAP_MS
            until = self._venue.line.venue_ms(self._clock.now())
            try:
                await self._set_clock()
                done = await self._catch_up("fills", self._venue.fills, since)
                done = wants_flows and await self._catch_up("flows", self._venue.flows, since) and done
            except _MISSED as failure:
                _log.info("executions of %s could not be read: %s", self._account, failure)
                await self._clock.sleep_until(self._clock.now() + NS_PER_S)
                self._behind.set()
                continue
            if done:
                flowed_at = self._clock.now()
                await asyncio.to_thread(self._mark.keep, until)

    async def _catch_up(self, what: str, ask: Callable[..., object], since_ms: int) -> bool:
        """Ask for what happened since; what a venue refuses to tell is said once and not asked for again."""
        if what in self._forbidden:
            return True
        await self._share(Ask(what))
        try:
            found = await ask(since_ms)  # type: ignore[misc]  # one of two methods of a venue
        except Refused as refusal:
            self._forbidden.add(what)
            _log.warning("%s of %s are not told by REST: %s", what, self._account, refusal)
            return True
        for event in found:
            if self._told.is_new(event):
                self._tell(event)
        return True

    async def _refresh(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now() + _REFRESH_NS)
            try:
                await self._venue.refresh()
            except Doubt as doubt:
                self._doubt(str(doubt))
            except _MISSED as failure:
                self._streams.renew(str(failure))

    async def _set_clock(self) -> None:
        await self._share(Ask.CLOCK)
        line = self._venue.line
        await line.set_clock()
        remark = ""
        if line.is_apart:
            ahead = line.offset_ms / 1000
            remark = f"our clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} that of {line.venue}"
        if remark and not self._health.remark:
            _log.warning("%s: %s; requests carry the venue's time", self._account, remark)
        self._health.remark = remark

    async def _share(self, ask: Ask) -> None:
        await self._setup.share(self._venue.cost(ask))

    async def _wait(self, event: asyncio.Event, longest_s: float) -> bool:
        """Until the event is set, or so long; True for the event."""
        try:
            async with asyncio.timeout(longest_s):
                await event.wait()
        except TimeoutError:
            return False
        return True

    def _take(self, event: Event) -> None:
        """A stream has said something."""
        is_news = self._told.is_news(event)
        if not self._told.push(event):
            return
        if isinstance(event, AccountReport) and self._told.is_unexplained(event):
            self._woken.set()
            return
        self._tell(event)
        if is_news:
            self._follow()
            self._woken.set()

    def _tell(self, event: Event) -> None:
        """Hand an event on, after the economics of what it speaks of; a price is that of both sides of a hedge."""
        if isinstance(event, Fill | PositionReport | Quote):
            self._announce(event.symbol)
        elif isinstance(event, OrderUpdate):
            self._announce(event.order.symbol)
        self._sink(event)
        self._told.note(event)
        if isinstance(event, Quote):
            self._newest[event.symbol] = event
            for leg in (Leg.LONG, Leg.SHORT):
                side = f"{event.symbol}:{leg.value}"
                if side in self._announced:
                    self._sink(msgspec.structs.replace(event, symbol=Symbol(side)))

    def _announce(self, symbol: str) -> None:
        if symbol in self._announced:
            return
        market = self._venue.markets.get(symbol)
        if market is None:
            self._wants_markets = True
            return
        self._announced.add(symbol)
        leg = leg_of(symbol)
        set_up = self._specs.get(symbol) or (self._specs.get(market.name) if leg is not Leg.ONE else None)
        stale_ns = max(_STALE_NS, round(3 * self._setting.quote_silence_s * NS_PER_S))
        spec = spec_of(market, leg, set_up, stale_after_ns=stale_ns)
        now = self._clock.now()
        self._sink(InstrumentUpdate(at=now, received_at=now, spec=spec))
        if leg is not Leg.ONE and market.name in self._newest:
            self._sink(msgspec.structs.replace(self._newest[market.name], symbol=symbol))

    def announce(self, snapshot: AccountSnapshot) -> None:
        """Tell the economics of what a snapshot shows before the engine takes it over."""
        for symbol in {each.symbol for each in snapshot.positions} | {each.symbol for each in snapshot.orders}:
            self._announce(symbol)

    def _symbols(self) -> set[str]:
        """Whose prices are wanted, by their plain names: of what is set up, and of what is or was traded. Whoever
        trades there again must not be judged by the price at which it was left, a connection ago.
        """
        traded = {market.name for symbol in self._told.symbols() if (market := self._venue.markets.get(symbol))}
        for name in traded:
            self._followed.pop(name, None)
            self._followed[name] = None
        while len(self._followed) > max(_MOST_FOLLOWED, len(traded)):
            del self._followed[next(iter(self._followed))]
        found = (self._venue.markets.get(symbol) for symbol in (*self._specs, *self._setting.symbols))
        return {market.name for market in found if market is not None} | set(self._followed)

    @property
    def _watched(self) -> set[str]:
        """What the streams tell prices of, each with its two sides."""
        return {name for each in self._streams.wanted for name in (each, f"{each}:LONG", f"{each}:SHORT")} | {
            symbol for symbol in self._told.symbols() if self._venue.markets.get(symbol) is None
        }

    async def _keep_priced(self) -> None:
        """Prices by REST while the streams tell none: what is held must not lose money unseen until a stream that fell
        silent is noticed, which takes longer than a quiet market may be silent.
        """
        asked_ms = 0
        while True:
            await self._clock.sleep_until(self._clock.now() + _LOOK_NS)
            longest_s = self._venue.quiet_s if self._told.symbols() else self._setting.reconcile_s
            if self._ear.now_ms() - max(self._ear.quoted_ms, asked_ms) < longest_s * 1000:
                continue
            asked_ms = self._ear.now_ms()
            try:
                await self._read_quotes()
            except _MISSED as failure:
                _log.info("prices for %s could not be read: %s", self._account, failure)

    def _renew(self, reason: str) -> None:
        self._streams.renew(reason, is_planned=True)

    def _doubt(self, reason: str) -> None:
        self._streams.renew(reason)
        self._behind.set()
        self._woken.set()

    def _puzzled(self, reason: str) -> None:
        if reason not in self._puzzles and len(self._puzzles) < 100:
            self._puzzles.add(reason)
            _log.warning("%s: %s; everything is read by REST instead", self._account, reason)
            self._health.puzzled(reason)
        self._woken.set()

    def _streams_changed(self, reason: str) -> None:
        self._health.streams(reason)
        self._behind.set()
        self._woken.set()
