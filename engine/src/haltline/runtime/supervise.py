"""The only place that makes tasks: vital ones end the engine when they end, guarded ones are started again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from haltline.clock import NS_PER_S, Clock
from haltline.errors import InvariantBroken

type Work = Callable[[], Coroutine[None, None, None]]
type OnChange = Callable[[str, str, str], None]
"""Told of a service's name, its status (``up``, ``down``, ``degraded``) and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How soon a guarded service starts again: after `budget` starts within `window_ns` it is degraded, and tried only
    every `longest_wait_ns`. One that ran for `steady_ns` had not failed to start, and begins anew: a link that is cut
    now and then is back at once each time. It is never given up: a venue may be away for a night.
    """

    steady_ns: int = 10 * NS_PER_S
    budget: int = 8
    window_ns: int = 600 * NS_PER_S
    first_wait_ns: int = NS_PER_S // 2
    longest_wait_ns: int = 60 * NS_PER_S


class Supervisor:
    """A named TaskGroup. Leaving it cancels everything that still runs and waits for it."""

    def __init__(self, clock: Clock, on_change: OnChange = lambda name, status, reason: None) -> None:
        self._clock = clock
        self._on_change = on_change
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        await self._group.__aexit__(kind, error, trace)

    async def finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave without cancelling: wait until everything has ended by itself (at once where an error is given)."""
        if error is not None:
            self.stop()
        await self._group.__aexit__(kind, error, trace)

    def vital(self, name: str, work: Work) -> None:
        """Run a service without which nothing may go on: its failure, or its end, ends everything."""
        self._spawn(name, self._vital(name, work))

    def guard(self, name: str, work: Work, policy: Policy | None = None) -> None:
        """Run a plugin's service; it is started again whenever it fails."""
        self._spawn(name, self._guarded(name, work, policy or Policy()))

    def once(self, name: str, work: Work) -> None:
        """Run something to its end; its failure ends everything."""
        self._spawn(name, work())

    def stop(self) -> None:
        """Cancel everything."""
        for task in self._tasks:
            task.cancel()

    def _spawn(self, name: str, work: Coroutine[None, None, None]) -> None:
        task = self._group.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    async def _vital(self, name: str, work: Work) -> None:
        await work()
        raise InvariantBroken(f"the service {name} ended by itself")

    async def _guarded(self, name: str, work: Work, policy: Policy) -> None:
        starts: list[int] = []
        while True:
            now = self._clock.now()
            starts = [start for start in starts if start > now - policy.window_ns]
            starts.append(now)
            try:
                await work()
                reason = "it ended by itself"
            except InvariantBroken:
                raise
            except Exception as error:  # noqa: BLE001 - the wall around plugin services
                reason = f"{type(error).__name__}: {error}"
            if self._clock.now() >= now + policy.steady_ns:
                starts = [now]
            is_spent = len(starts) >= policy.budget
            self._on_change(name, "degraded" if is_spent else "down", reason)
            wait_ns = policy.longest_wait_ns if is_spent else policy.first_wait_ns << len(starts)
            await self._clock.sleep_until(self._clock.now() + min(wait_ns, policy.longest_wait_ns))


async def wait_for_either(event: asyncio.Event, clock: Clock, instant_ns: int | None) -> None:
    """Return once the event is set or the instant has come."""
    if instant_ns is None or event.is_set():
        await event.wait()
        return
    waits: list[asyncio.Future[object]] = [
        asyncio.ensure_future(_as_object(event.wait())),
        asyncio.ensure_future(_as_object(clock.sleep_until(instant_ns))),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _as_object(awaitable: Awaitable[object]) -> object:
    return await awaitable
