"""Blocking calls off the event loop: each in a thread of its own, given up after a deadline.

A pool of threads would not do: a thread that hangs in it for ever keeps the process from ending.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

from haltline.errors import Transient


class Worker:
    """At most `most` calls are under way; those that were given up count until they end."""

    def __init__(self, name: str, *, most: int = 4) -> None:
        self._name = name
        self._most = most
        self._under_way: set[Future[object]] = set()

    async def run[T](self, call: Callable[[], T], *, timeout_s: float) -> T:
        """What the call returns or raises; raises TimeoutError after `timeout_s`, Transient while too many hang."""
        self._under_way = {each for each in self._under_way if not each.done()}
        if len(self._under_way) >= self._most:
            raise Transient(f"{len(self._under_way)} messages before it hang without an answer")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._under_way.add(future)  # type: ignore[arg-type] # only asked whether it is done
        threading.Thread(target=_carry_out, args=(call, future), name=self._name, daemon=True).start()
        async with asyncio.timeout(timeout_s):
            return await asyncio.wrap_future(future)


def _carry_out[T](call: Callable[[], T], future: Future[T]) -> None:
    try:
        found = call()
    except BaseException as error:  # noqa: BLE001 - not swallowed: whoever waits for the future gets it
        future.set_exception(error)
    else:
        future.set_result(found)
