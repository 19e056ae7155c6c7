"""The one thread that writes the journal, so that an fsync never stops the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from haltline.journal.record import Entry
from haltline.journal.recover import Store


class Writer(Protocol):
    """Runs writes one after the other, in the order they were asked for."""

    async def run(self, work: Callable[[], None]) -> None:
        """Do one piece of writing; raises what it raises."""

    async def run_in_transaction(self, work: Callable[[], None]) -> None:
        """Do one piece of writing on the journal's connection, whole or not at all; raises JournalError."""

    async def record(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """Write entries."""

    def close(self) -> None:
        """Wait for what was asked for, and take no more."""


class InlineWriter:
    """Writes at once, on the event loop: for journals in memory, where order must not depend on threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, work: Callable[[], None]) -> None:
        """Do it now."""
        work()

    async def run_in_transaction(self, work: Callable[[], None]) -> None:
        """Do it now."""
        _in_transaction(self._store, work)

    async def record(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """Write entries now."""
        (self._store.append_durable if durable else self._store.append)(entries)

    def close(self) -> None:
        """Nothing waits."""


class ThreadWriter:
    """Writes in one worker thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="haltline-journal")

    async def run(self, work: Callable[[], None]) -> None:
        """Do it in the thread. A caller that is cancelled leaves a write that was begun to finish."""
        await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def run_in_transaction(self, work: Callable[[], None]) -> None:
        """Do it in the thread."""
        await self.run(lambda: _in_transaction(self._store, work))

    async def record(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """Write entries in the thread."""
        append = self._store.append_durable if durable else self._store.append
        await asyncio.get_running_loop().run_in_executor(self._pool, append, entries)

    def close(self) -> None:
        """Wait for what was asked for."""
        self._pool.shutdown(wait=True)


def _in_transaction(store: Store, work: Callable[[], None]) -> None:
    with store.transaction():
        work()
