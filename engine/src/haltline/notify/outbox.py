"""Messages stay here until a channel has confirmed them: delivered at least once, whatever crashes in between."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from haltline.api import Message, Notifier
from haltline.clock import NS_PER_S, Clock
from haltline.errors import PluginFailed, Refused, Transient
from haltline.model.rule import Severity
from haltline.notify.route import Routes

_SEND_S = 15.0
_FIRST_WAIT_NS = NS_PER_S
_LONGEST_WAIT_NS = 60 * NS_PER_S
_ATTEMPTS = 8
_LOUDEST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


class Pending(msgspec.Struct, kw_only=True):
    """One message on its way to one channel."""

    key: str
    channel: str
    message: Message
    due: int
    attempts: int = 0
    tried: tuple[str, ...] = ()


class OutboxTable(Protocol):
    """Where pending messages are kept. Called by the journal's writer only."""

    def put(self, pending: Pending) -> None:
        """Keep or replace one."""

    def remove(self, key: str) -> None:
        """Drop one."""

    def rows(self) -> list[Pending]:
        """All of them, oldest first."""


class MemoryOutboxTable:
    """A table that ends with the process."""

    def __init__(self) -> None:
        self._rows: dict[str, Pending] = {}

    def put(self, pending: Pending) -> None:
        """Keep or replace one."""
        self._rows[pending.key] = pending

    def remove(self, key: str) -> None:
        """Drop one."""
        self._rows.pop(key, None)

    def rows(self) -> list[Pending]:
        """All of them."""
        return list(self._rows.values())


class SqliteOutboxTable:
    """The table `outbox` of a journal file, on the journal's own connection: one transaction covers both."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, pending: Pending) -> None:
        """Keep or replace one."""
        body = msgspec.json.encode(pending).decode()
        row = (pending.key, pending.channel, pending.due, pending.attempts, body)
        self._connection.execute("INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?)", row)

    def remove(self, key: str) -> None:
        """Drop one."""
        self._connection.execute("DELETE FROM outbox WHERE key = ?", (key,))

    def rows(self) -> list[Pending]:
        """All of them, oldest first."""
        found = self._connection.execute("SELECT message FROM outbox ORDER BY rowid").fetchall()
        return [msgspec.json.decode(body, type=Pending) for (body,) in found]


type Write = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a change of the table in the journal's writer."""


class Outbox:
    """One lane per channel, so that a slow channel delays no other; in a lane the loudest goes first, then the oldest.
    Enforcement never waits for any of this.

    At most `capacity` messages wait per channel; then the oldest of severity info is dropped and counted. Messages of
    higher severity are never dropped while a channel is left to try.
    """

    def __init__(
        self, *, channels: Mapping[str, Notifier], routes: Routes, table: OutboxTable, write: Write, clock: Clock,
        capacity: int = 1000, lost: Callable[[Pending, str], None] = lambda pending, reason: None,
    ) -> None:  # fmt: skip
        self._channels = channels
        self._routes = routes
        self._table = table
        self._write = write
        self._clock = clock
        self._capacity = capacity
        self._lost = lost
        self.dropped = 0
        self.delivered = 0
        self._lanes: dict[str, dict[str, Pending]] = {name: {} for name in channels}
        self._wake = {name: asyncio.Event() for name in channels}
        self._busy: set[str] = set()
        self._forgotten: list[str] = []
        for pending in table.rows():
            self._enqueue(msgspec.structs.replace(pending, due=min(pending.due, clock.now())))

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that have a lane."""
        return tuple(self._lanes)

    @property
    def is_idle(self) -> bool:
        """Whether every message is delivered."""
        return not any(self._lanes.values()) and not self._busy

    def prepare(self, messages: Sequence[tuple[Message, str]]) -> list[Pending]:
        """Address messages (each with the channels it names, or "")."""
        now = self._clock.now()
        return [
            Pending(key=f"{message.id}>{channel}", channel=channel, message=message, due=now)
            for message, named in messages
            for channel in self._routes.channels_for(message, named)
        ]

    def store(self, pending: Sequence[Pending]) -> None:
        """Write them; called by the writer, inside the transaction of what they tell of."""
        for item in pending:
            self._table.put(item)
        forgotten, self._forgotten = self._forgotten, []
        for key in forgotten:
            self._table.remove(key)

    def release(self, pending: Sequence[Pending]) -> None:
        """Send what is stored; never blocks."""
        for item in pending:
            self._enqueue(item)

    async def run_lane(self, channel: str) -> None:
        """Deliver to one channel until cancelled."""
        lane, wake = self._lanes[channel], self._wake[channel]
        while True:
            now = self._clock.now()
            due = [item for item in lane.values() if item.due <= now]
            if not due:
                wake.clear()
                await self._wait(wake, min((item.due for item in lane.values()), default=None))
                continue
            self._busy.add(channel)
            try:
                await self._deliver(min(due, key=lambda item: (_LOUDEST_FIRST.index(item.message.severity), item.due)))
            finally:
                self._busy.discard(channel)

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

    def _enqueue(self, pending: Pending) -> None:
        lane = self._lanes.get(pending.channel)
        if lane is None:
            self._lost(pending, "the channel is no longer in the set-up")
            return
        if len(lane) >= self._capacity:
            self._drop_oldest(lane)
        lane[pending.key] = pending
        self._wake[pending.channel].set()

    def _drop_oldest(self, lane: dict[str, Pending]) -> None:
        key = next((key for key, item in lane.items() if item.message.severity is Severity.INFO), None)
        if key is not None:
            del lane[key]
            self._forgotten.append(key)
            self.dropped += 1

    async def _deliver(self, pending: Pending) -> None:
        try:
            async with asyncio.timeout(_SEND_S):
                await self._channels[pending.channel].send(pending.message)
        except (Transient, TimeoutError) as failure:
            await self._repeat(pending, str(failure) or "no answer in time")
        except Refused as refusal:
            await self._hand_on(pending, str(refusal))
        except Exception as error:  # noqa: BLE001 - the wall around plugin code: a channel may raise anything
            await self._hand_on(pending, str(PluginFailed(f"{type(error).__name__}: {error}")))
        else:
            self._lanes[pending.channel].pop(pending.key, None)
            self.delivered += 1
            await self._write(lambda: self._table.remove(pending.key))

    async def _repeat(self, pending: Pending, reason: str) -> None:
        """Once more after a growing pause; after enough attempts the next channel gets it, if one is left."""
        tried = (*pending.tried, pending.channel)
        if pending.attempts + 1 >= _ATTEMPTS and self._routes.fallback(pending.channel, tried) is not None:
            await self._hand_on(pending, reason)
            return
        wait_ns = min(_LONGEST_WAIT_NS, _FIRST_WAIT_NS << min(pending.attempts, _ATTEMPTS))
        later = msgspec.structs.replace(pending, attempts=pending.attempts + 1, due=self._clock.now() + wait_ns)
        self._lanes[pending.channel][pending.key] = later
        await self._write(lambda: self._table.put(later))

    async def _hand_on(self, pending: Pending, reason: str) -> None:
        """The channel is dead for this message: the next one gets it."""
        self._lanes[pending.channel].pop(pending.key, None)
        tried = (*pending.tried, pending.channel)
        following = self._routes.fallback(pending.channel, tried)
        if following is None:
            self.dropped += 1
            await self._write(lambda: self._table.remove(pending.key))
            self._lost(pending, reason)
            return
        other = Pending(
            key=f"{pending.message.id}>{following}", channel=following, message=pending.message,
            due=self._clock.now(), tried=tried,
        )  # fmt: skip

        def move() -> None:
            self._table.remove(pending.key)
            self._table.put(other)

        await self._write(move)
        self._enqueue(other)
