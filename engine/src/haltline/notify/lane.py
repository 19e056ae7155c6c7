"""The messages that wait for one channel, and which of them goes next."""

import asyncio
from dataclasses import dataclass

from haltline.model.rule import Severity
from haltline.notify.budget import RateBudget
from haltline.notify.table import Pending

_LOUDEST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLimit:
    """What a channel takes: texts so long, so many messages a minute; `reserved` of these is for critical ones."""

    max_chars: int | None = None
    per_minute: int | None = None
    reserved: float = 0.25


class Lane:
    """At most `capacity` wait; then the oldest of severity info is dropped, and counted in `dropped` until told.

    `paused_until` is when the channel wants to hear from us again.
    """

    def __init__(self, capacity: int, limit: ChannelLimit, now: int) -> None:
        self.waiting: dict[str, Pending] = {}
        self.wake = asyncio.Event()
        self.is_busy = False
        self.paused_until = 0
        self.dropped = 0
        self._capacity = capacity
        self._budget = RateBudget(limit.per_minute, limit.reserved, now)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self.waiting and not self.is_busy

    def add(self, pending: Pending) -> Pending | None:
        """One more; returns what was dropped for it."""
        dropped = None
        if len(self.waiting) >= self._capacity:
            infos = (item for item in self.waiting.values() if item.message.severity is Severity.INFO)
            dropped = next(infos, None)
        if dropped is not None:
            del self.waiting[dropped.key]
            self.dropped += 1
        self.waiting[pending.key] = pending
        if pending.message.severity is Severity.CRITICAL and pending.message.thread:
            self._hurry(pending)
        self.wake.set()
        return dropped

    def replace(self, pending: Pending) -> None:
        """Another state of one that waits; its place in the order stays."""
        self.waiting[pending.key] = pending

    def remove(self, pending: Pending) -> None:
        """One that waits no longer."""
        self.waiting.pop(pending.key, None)

    def sent(self, pending: Pending, now: int) -> None:
        """One was delivered."""
        self.remove(pending)
        self._budget.spend(now)

    def next(self, now: int) -> tuple[Pending | None, int | None]:
        """What goes now, or None and when to ask again: the loudest, then the oldest; within a thread in order."""
        best: Pending | None = None
        earliest: int | None = None
        for item in self._heads():
            ready = max(item.due, self.paused_until, self._budget.ready_at(item.message.severity, now))
            if ready > now:
                earliest = ready if earliest is None else min(earliest, ready)
            elif best is None or _rank(item) < _rank(best):
                best = item
        return best, earliest

    def _heads(self) -> list[Pending]:
        """Of every thread the one that waits longest."""
        heads: dict[str, Pending] = {}
        for item in self.waiting.values():
            heads.setdefault(item.message.thread or item.key, item)
        return list(heads.values())

    def _hurry(self, pending: Pending) -> None:
        """What must go before a critical message is tried again at once."""
        for item in self.waiting.values():
            if item.message.thread == pending.message.thread:
                item.due = min(item.due, pending.due)


def _rank(item: Pending) -> tuple[int, int]:
    return _LOUDEST_FIRST.index(item.message.severity), item.queued
