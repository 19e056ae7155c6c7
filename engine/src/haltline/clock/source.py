"""The only readers of time: a system clock and a manual one that tests, replay and the demo move by hand."""

import asyncio
import heapq
import itertools
import sys
import time
from typing import Protocol


class Clock(Protocol):
    """UTC nanoseconds since the epoch, and sleeping until such an instant."""

    def now(self) -> int:
        """The present instant, never earlier than one already returned."""

    async def sleep_until(self, instant_ns: int) -> None:
        """Return once `now() >= instant_ns`; at once if that is already so."""


class SystemClock:
    """Wall-clock time that never runs backwards and never stands still.

    A step back of the host's clock is made up for slowly: until the host has caught up, time here passes at half the
    speed of the time that really does, so that whatever waits for an instant comes to its turn.
    """

    def __init__(self) -> None:
        self._latest = 0
        self._behind_since: int | None = None

    def begin_at(self, instant_ns: int) -> None:
        """Go on from an instant that was told before this clock was made, where the host's is behind it."""
        self._latest = max(self._latest, instant_ns)

    def now(self) -> int:
        """The host's clock; while that is behind what was told already, what was told and half of what passed since."""
        host = time.time_ns()
        if host >= self._latest:
            self._latest, self._behind_since = host, None
            return host
        elapsed = _elapsed_ns()
        if self._behind_since is None:
            self._behind_since = elapsed
        half = max(0, elapsed - self._behind_since) // 2
        self._behind_since += 2 * half
        self._latest += half
        return self._latest

    async def sleep_until(self, instant_ns: int) -> None:
        """Sleep on the event loop, again after each early wake-up."""
        while (remaining_ns := instant_ns - self.now()) > 0:  # noqa: ASYNC110 - no event tells that time passed
            await asyncio.sleep(remaining_ns / 1e9)


class SteadyClock:
    """UTC when it was made, and from then on the time that really passed: setting the host's clock does not move it.

    For measuring silence and delay. It counts the time the host was suspended, where the system can tell.
    """

    def __init__(self) -> None:
        self._offset = time.time_ns() - _elapsed_ns()

    def now(self) -> int:
        """The instant of making plus what has passed since."""
        return self._offset + _elapsed_ns()

    async def sleep_until(self, instant_ns: int) -> None:
        """Sleep on the event loop, again after each early wake-up."""
        while (remaining_ns := instant_ns - self.now()) > 0:  # noqa: ASYNC110 - no event tells that time passed
            await asyncio.sleep(remaining_ns / 1e9)


class ManualClock:
    """A clock that stands still until `advance_to` moves it; sleepers wake in order of their instants."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now = start_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._ticket = itertools.count()

    def now(self) -> int:
        """The instant last advanced to."""
        return self._now

    async def sleep_until(self, instant_ns: int) -> None:
        """Wait for `advance_to` to reach the instant."""
        if instant_ns <= self._now:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (instant_ns, next(self._ticket), future))
        await future

    def next_wake_ns(self) -> int | None:
        """The earliest instant somebody sleeps for, or None."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def advance_to(self, instant_ns: int) -> None:
        """Move to the instant (never back) and wake everybody whose time has come."""
        self._now = max(self._now, instant_ns)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)


def _elapsed_ns() -> int:
    """Nanoseconds since some fixed moment, the same for every process of this host since it started."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()
