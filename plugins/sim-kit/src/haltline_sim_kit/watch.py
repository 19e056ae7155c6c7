"""Waiting for something to become so, without polling and without sleeping."""

import asyncio
from collections.abc import Callable


class Watch:
    """Told of every change; whoever waits looks again."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def changed(self) -> None:
        """Something has changed."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until[T](self, look: Callable[[], T | None], *, timeout_s: float | None) -> T:
        """What `look` finds as soon as it is not None; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while (found := look()) is None:
                future = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
                await future
        return found
