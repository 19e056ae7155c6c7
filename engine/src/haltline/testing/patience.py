"""Waiting in a conformance suite: as long as a world allows, and with a word about what is known when that is over."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

_LOOK_S = 0.01


class Patient(ABC):
    """Somebody who waits no longer than `patience_s`."""

    patience_s: float

    @abstractmethod
    def known(self) -> str:
        """What is known so far, for whoever reads why a case failed."""

    async def within[T](self, work: Awaitable[T], what: str) -> T:
        """The result of `work`; raises AssertionError where it takes longer than that."""
        try:
            async with asyncio.timeout(self.patience_s):
                return await work
        except TimeoutError:
            raise AssertionError(f"{self.patience_s:g} s were not enough for {what}; {self.known()}") from None

    async def until(self, look: Callable[[], object], what: str) -> None:
        """Wait for something to become so."""

        async def watch() -> None:
            while not look():  # noqa: ASYNC110 - what a client or a platform does comes by no event of ours
                await asyncio.sleep(_LOOK_S)

        await self.within(watch(), what)
