"""Awaiting something that may be cut short: by its own time limit, or by whoever needs the lane."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from haltline.clock import Clock


class Wait:
    """One await at a time, of one task. `cut` may be called by any other task of the same loop."""

    __slots__ = ("_grace_s", "_scope")

    def __init__(self) -> None:
        self._scope: asyncio.Timeout | None = None

    async def for_[T](self, call: Awaitable[T], *, longest_s: float | None = None, grace_s: float = 0.0) -> T:
        """Await it; raises TimeoutError after `longest_s`, or `grace_s` after a `cut`."""
        self._grace_s = grace_s
        try:
            async with asyncio.timeout(longest_s) as self._scope:
                return await call
        finally:
            self._scope = None

    async def until(self, clock: Clock, instant_ns: int) -> None:
        """Sleep; returns early once it is cut."""
        with suppress(TimeoutError):
            await self.for_(clock.sleep_until(instant_ns))

    def cut(self) -> None:
        """Let what is awaited now end within its grace."""
        scope = self._scope
        if scope is None or scope.expired():
            return
        end = asyncio.get_running_loop().time() + self._grace_s
        when = scope.when()
        if when is None or end < when:
            scope.reschedule(end)
