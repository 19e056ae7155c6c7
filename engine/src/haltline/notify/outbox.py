"""Messages stay here until a channel has confirmed them: delivered at least once, whatever crashes in between."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from haltline.api import Message, Notifier
from haltline.clock import NS_PER_S, Clock
from haltline.errors import PluginFailed, Refused, Transient
from haltline.model.rule import Severity
from haltline.notify.handle import Handles
from haltline.notify.harmless import harmless
from haltline.notify.lane import ChannelLimit, Lane
from haltline.notify.render import loss_message
from haltline.notify.route import Routes
from haltline.notify.split import split_message
from haltline.notify.table import OutboxTable, Pending

_SEND_S = 15.0
_FIRST_WAIT_NS = NS_PER_S
_LONGEST_WAIT_NS = 60 * NS_PER_S
_ATTEMPTS = 8
_PATIENCE_NS = 30 * NS_PER_S
"""A channel that wants to be left alone for longer gives its critical messages to the next one."""

type Write = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a change of the table in the journal's writer."""
type Delivered = Callable[[Pending, int], None]
"""Told of a message that a channel has confirmed, and when."""


class Outbox:
    """One lane per channel, so that a slow channel delays no other; in a lane the loudest goes first, then the oldest,
    and messages of one thread in their order. Enforcement never waits for any of this.

    At most `capacity` messages wait per channel; then the oldest of severity info is dropped and counted, and the count
    is told. Messages of higher severity are never dropped while a channel is left to try.
    """

    def __init__(
        self, *, channels: Mapping[str, Notifier], routes: Routes, table: OutboxTable, write: Write, clock: Clock,
        capacity: int = 1000, lost: Callable[[Pending, str], None] = lambda pending, reason: None,
        limits: Mapping[str, ChannelLimit] | None = None,
    ) -> None:  # fmt: skip
        self._channels = channels
        self._routes = routes
        self._table = table
        self._write = write
        self._clock = clock
        self._lost = lost
        self._limits = {name: (limits or {}).get(name, ChannelLimit()) for name in channels}
        self._handles = Handles(table.memory())
        self._lanes = {name: Lane(capacity, self._limits[name], clock.now()) for name in channels}
        self._changes: list[Callable[[], None]] = []
        self._queued = clock.now()
        self.watchers: list[Delivered] = []
        self.dropped = 0
        self.delivered = 0
        for pending in sorted(table.rows(), key=lambda row: row.queued):
            self._enqueue(msgspec.structs.replace(pending, due=min(pending.due, clock.now())))

    @property
    def routes(self) -> Routes:
        """The routes it addresses by."""
        return self._routes

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that have a lane."""
        return tuple(self._lanes)

    @property
    def is_idle(self) -> bool:
        """Whether every message is delivered."""
        return all(lane.is_idle for lane in self._lanes.values())

    def waiting(self, channel: str) -> tuple[Pending, ...]:
        """What waits for a channel, oldest first."""
        return tuple(self._lanes[channel].waiting.values())

    def prepare(self, messages: Sequence[tuple[Message, str]]) -> list[Pending]:
        """Address messages (each with the channels it names, or "") by their routes, at once."""
        return self.address(
            [(message, channel) for message, named in messages for channel in self._routes.channels_for(message, named)]
        )

    def address(self, outgoing: Sequence[tuple[Message, str]]) -> list[Pending]:
        """Address messages, each to one channel, split where the channel takes no text so long."""
        every: dict[str, list[str]] = {}
        for message, channel in outgoing:
            every.setdefault(message.id, []).append(channel)
        found: list[Pending] = []
        for message, channel in outgoing:
            others = tuple(other for other in every[message.id] if other != channel)
            found += self._addressed(message, channel, others=others)
        return found

    def store(self, pending: Sequence[Pending]) -> None:
        """Write them; called by the writer, inside the transaction of what they tell of."""
        for item in pending:
            self._table.put(item)
        self._write_changes()

    def remember(self, notes: Sequence[tuple[str, bytes | None]]) -> None:
        """Write notes; called by the writer, inside the same transaction."""
        for key, body in notes:
            self._table.remember(key, body)

    def release(self, pending: Sequence[Pending]) -> None:
        """Send what is stored; never blocks."""
        for item in pending:
            self._enqueue(item)

    async def run_lane(self, channel: str) -> None:
        """Deliver to one channel until cancelled."""
        lane = self._lanes[channel]
        while True:
            now = self._clock.now()
            impatient = self._impatient(channel, now)
            if impatient is not None:
                await self._hand_on(impatient, "the channel asked to be left alone for too long")
                continue
            pending, ready_at = lane.next(now)
            if pending is None:
                lane.wake.clear()
                await self._wait(lane.wake, ready_at)
                continue
            lane.is_busy = True
            try:
                await self._deliver(pending)
            finally:
                lane.is_busy = False

    async def _wait(self, wake: asyncio.Event, due: int | None) -> None:
        """Until something new waits or the first repeat is due: what is new never waits for the repeat of the old."""
        if due is None:
            await wake.wait()
            return
        async with asyncio.TaskGroup() as group:
            timer = group.create_task(self._wake_at(wake, due))
            await wake.wait()
            timer.cancel()

    async def _wake_at(self, wake: asyncio.Event, due: int) -> None:
        await self._clock.sleep_until(due)
        wake.set()

    def _impatient(self, channel: str, now: int) -> Pending | None:
        """A critical message whose channel will not take it for long, while another might."""
        lane = self._lanes[channel]
        if lane.paused_until - now <= _PATIENCE_NS:
            return None
        critical = (each for each in lane.waiting.values() if each.message.severity is Severity.CRITICAL)
        return next((each for each in critical if self._routes.fallback(channel, each.spent) is not None), None)

    def _addressed(
        self, message: Message, channel: str, tried: tuple[str, ...] = (), others: tuple[str, ...] = ()
    ) -> list[Pending]:
        limit = self._limits[channel] if channel in self._limits else ChannelLimit()
        found = []
        for part in split_message(harmless(message), limit.max_chars):
            self._queued = max(self._queued + 1, self._clock.now())
            found.append(
                Pending(
                    key=f"{part.id}>{channel}", channel=channel, message=part, due=self._clock.now(), tried=tried,
                    queued=self._queued, others=others,
                )
            )  # fmt: skip
        return found

    def _enqueue(self, pending: Pending) -> None:
        lane = self._lanes.get(pending.channel)
        if lane is None:
            self._adopt(pending)
            return
        dropped = lane.add(pending)
        if dropped is not None:
            self._changes.append(lambda: self._table.remove(dropped.key))
            self.dropped += 1

    def _adopt(self, pending: Pending) -> None:
        """Its channel is no longer in the set-up: the next one gets it, and is told so."""
        following = self._routes.fallback(pending.channel, pending.spent)
        self._changes.append(lambda: self._table.remove(pending.key))
        if following is None or following not in self._lanes:
            self.dropped += 1
            self._lost(pending, "the channel is no longer in the set-up")
            return
        note = f"(This was meant for the channel {pending.channel}, which is no longer in the set-up.)"
        items = (*(pending.message.items or (pending.message.text,)), note)
        message = msgspec.structs.replace(pending.message, text="\n".join(items), items=items)
        for item in self._addressed(message, following):
            self._changes.append(lambda item=item: self._table.put(item))  # type: ignore[misc] # bound now, not later
            self._enqueue(item)

    async def _deliver(self, pending: Pending) -> None:
        try:
            async with asyncio.timeout(_SEND_S):
                handle = await self._handles.send(self._channels[pending.channel], pending.channel, pending.message)
        except (Transient, TimeoutError) as failure:
            await self._repeat(pending, failure)
        except Refused as refusal:
            await self._refused(pending, str(refusal))
        except Exception as error:  # noqa: BLE001 - the wall around plugin code: a channel may raise anything
            await self._hand_on(pending, str(PluginFailed(f"{type(error).__name__}: {error}")))
        else:
            await self._confirmed(pending, handle)

    async def _confirmed(self, pending: Pending, handle: str | None) -> None:
        lane, now = self._lanes[pending.channel], self._clock.now()
        lane.sent(pending, now)
        self.delivered += 1
        notes = self._handles.keep(pending.channel, pending.message.thread, handle)
        told = self._tell_losses(pending.channel, lane, now)

        def settle() -> None:
            self._table.remove(pending.key)
            for key, body in notes:
                self._table.remember(key, body)
            self.store(told)

        await self._write(settle)
        self.release(told)
        for watcher in self.watchers:
            watcher(pending, now)

    def _tell_losses(self, channel: str, lane: Lane, now: int) -> list[Pending]:
        """What was dropped is said as soon as the channel takes something again."""
        count, lane.dropped = lane.dropped, 0
        return self._addressed(loss_message(now, channel, count), channel) if count else []

    async def _repeat(self, pending: Pending, failure: BaseException) -> None:
        """Once more after a growing pause; after enough attempts the next channel gets it, if one is left."""
        lane, now = self._lanes[pending.channel], self._clock.now()
        asked_ns = round(getattr(failure, "retry_after_s", 0.0) * NS_PER_S)
        if asked_ns > 0:
            lane.paused_until = max(lane.paused_until, now + asked_ns)
        is_worn_out = pending.attempts + 1 >= _ATTEMPTS
        if is_worn_out and self._routes.fallback(pending.channel, pending.spent) is not None:
            await self._hand_on(pending, str(failure) or "no answer in time")
            return
        wait_ns = max(asked_ns, min(_LONGEST_WAIT_NS, _FIRST_WAIT_NS << min(pending.attempts, _ATTEMPTS)))
        later = msgspec.structs.replace(pending, attempts=pending.attempts + 1, due=now + wait_ns)
        lane.replace(later)
        await self._write(lambda: self._table.put(later))

    async def _refused(self, pending: Pending, reason: str) -> None:
        """Formatting is what is refused most often, so it is tried once without; then the next channel gets it."""
        if pending.message.plain:
            await self._hand_on(pending, reason)
            return
        plain = msgspec.structs.replace(pending, message=msgspec.structs.replace(pending.message, plain=True))
        self._lanes[pending.channel].replace(plain)
        await self._write(lambda: self._table.put(plain))

    async def _hand_on(self, pending: Pending, reason: str) -> None:
        """The channel is dead for this message: the next one gets it that does not get it anyway."""
        self._lanes[pending.channel].remove(pending)
        tried = (*pending.tried, pending.channel)
        following = self._routes.fallback(pending.channel, pending.spent)
        if following is None:
            self.dropped += 1
            await self._write(lambda: self._table.remove(pending.key))
            if not pending.others:  # otherwise it is lost for this channel only
                self._lost(pending, reason)
            return
        message = msgspec.structs.replace(pending.message, plain=False)
        handed = self._addressed(message, following, tried, pending.others)

        def move() -> None:
            self._table.remove(pending.key)
            for item in handed:
                self._table.put(item)

        await self._write(move)
        self.release(handed)

    def _write_changes(self) -> None:
        changes, self._changes = self._changes, []
        for change in changes:
            change()
