"""Every instant at which a flatten can be cut: each await of each service, and each write of the journal.

A point is an instant in a known order: (where, how often before). A wrapper around the coroutines of the event loop
counts them from outside; nothing in the engine knows of it.
"""

import asyncio
import os
import signal
import types
from collections import Counter
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any

from haltline.journal.store import Journal

SERVICES = ("pump", "receipts", "reconciler", "enforce ", "channel ", "broker ")


class Points:
    """Counts points while `counting`; dies by SIGKILL at `target`. What was passed goes to a file, line by line."""

    def __init__(self, target: tuple[str, int] | None, record: Path) -> None:
        self.counting = False
        self._target = target
        self._seen: Counter[str] = Counter()
        self._file = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def reach(self, where: str) -> None:
        """The process is here."""
        if not self.counting:
            return
        self._seen[where] += 1
        os.write(self._file, f"{where}\t{self._seen[where]}\n".encode())
        if self._target == (where, self._seen[where]):
            os.kill(os.getpid(), signal.SIGKILL)

    def watch_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wrap what becomes a task from now on."""

        def factory(loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> asyncio.Task[Any]:
            return asyncio.Task(self._watched(coro), loop=loop, **more)

        loop.set_task_factory(factory)

    def watch_writes(self) -> None:
        """Stand before and after every COMMIT."""
        whole = Journal.transaction
        points = self

        def transaction(journal: Journal, *, durable: bool = False) -> Any:
            inner = whole(journal, durable=durable)
            return inner if journal._depth else _Watched(inner, points, "durable" if durable else "plain")

        Journal.transaction = transaction  # type: ignore[method-assign]

    async def _watched(self, coro: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.current_task()
        name = task.get_name() if task is not None else ""
        return await (self._drive(coro, name) if name.startswith(SERVICES) else coro)

    @types.coroutine
    def _drive(self, coro: Coroutine[Any, Any, Any], name: str) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                yielded = coro.send(value) if error is None else coro.throw(error)
            except StopIteration as stop:
                return stop.value
            place = _place(coro)
            self.reach(f"{name} | leaves {place}")
            try:
                value, error = (yield yielded), None
            except GeneratorExit:
                coro.close()
                raise
            except BaseException as raised:  # noqa: BLE001 - handed on to the coroutine
                value, error = None, raised
            self.reach(f"{name} | enters {place}")


class _Watched:
    def __init__(self, inner: Any, points: Points, sort: str) -> None:
        self._inner, self._points, self._sort = inner, points, sort

    def __enter__(self) -> None:
        self._inner.__enter__()

    def __exit__(self, *exc: object) -> Any:
        self._points.reach(f"journal | before a {self._sort} commit")
        done = self._inner.__exit__(*exc)
        self._points.reach(f"journal | after a {self._sort} commit")
        return done


def _place(coro: Any) -> str:
    """The innermost function of ours that awaits."""
    place = "?"
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        if frame is not None and "haltline" in frame.f_code.co_filename:
            place = f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}"
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)
    return place
