"""Updates in their order, each handed on once, even if the process dies while one is handled."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from aiogram import Bot
from aiogram.exceptions import AiogramError, TelegramConflictError, TelegramNotFound, TelegramUnauthorizedError
from aiogram.types import Update

from haltline.api import SurfaceMemory
from haltline.clock import NS_PER_S, Clock
from haltline.errors import Transient
from haltline_bot_telegram.failure import classified

KINDS = ["message", "callback_query"]
_WAITS_S = (1, 2, 4, 8, 15)
_FINAL = (TelegramConflictError, TelegramUnauthorizedError, TelegramNotFound)


class Heard(NamedTuple):
    """An update, and whether it is so old that nothing may follow from it any more."""

    update: Update
    is_stale: bool

    @property
    def person(self) -> int:
        """The id of whoever said or pressed it, 0 if nobody did."""
        spoken = self.update.message or self.update.callback_query
        return spoken.from_user.id if spoken is not None and spoken.from_user is not None else 0


class Poll:
    """Long polling. Raises Transient or Refused after the fifth failure in a row; at once for another poller (409) or a
    wrong token.

    An update counts as handled when it is handed on: a command that a crash cut off is not done a second time, the
    person sees no answer and says it again. What is older than `stale_ns` is stale; so is a press (which has no date)
    that may have waited while we were away.
    """

    def __init__(self, bot: Bot, memory: SurfaceMemory, clock: Clock, *, wait_s: int, stale_ns: int) -> None:
        self._bot = bot
        self._memory = memory
        self._clock = clock
        self._wait_s = wait_s
        self._stale_ns = stale_ns
        self._key = f"telegram:next:{bot.id}"
        self._last: int | None = None

    async def updates(self) -> AsyncIterator[Heard]:
        """Everything that is said and pressed, until cancelled."""
        failures = 0
        while True:
            # What waits for us already comes back at once; only then is it worth waiting.
            wait_s = self._wait_s if self._last is not None and not failures else 0
            try:
                batch = await self._bot.get_updates(
                    offset=self._next, timeout=wait_s, allowed_updates=KINDS, request_timeout=wait_s + 15
                )
            except _FINAL as error:
                raise classified(error) from error
            except AiogramError as error:
                failures += 1
                await self._wait(failures, error)
                continue
            failures = 0
            now = self._clock.now()
            was_away = self._last is None or now - self._last > self._stale_ns + self._wait_s * NS_PER_S
            self._last = now
            for update in sorted(batch, key=lambda each: each.update_id):
                if self._next is not None and update.update_id < self._next:
                    continue
                await self._memory.put(self._key, str(update.update_id + 1))
                yield Heard(update, self._is_stale(update, now, was_away=was_away))

    @property
    def _next(self) -> int | None:
        kept = self._memory.get(self._key)
        return int(kept) if kept else None

    def _is_stale(self, update: Update, now: int, *, was_away: bool) -> bool:
        if update.message is not None:
            return now - int(update.message.date.timestamp()) * NS_PER_S > self._stale_ns
        return was_away

    async def _wait(self, failures: int, error: AiogramError) -> None:
        reason = classified(error)
        if failures > len(_WAITS_S):
            raise reason from error
        pause_s = float(_WAITS_S[failures - 1])
        if isinstance(reason, Transient):
            pause_s = max(pause_s, reason.retry_after_s)
        await self._clock.sleep_until(self._clock.now() + int(pause_s * NS_PER_S))
