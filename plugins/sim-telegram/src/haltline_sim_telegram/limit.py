"""How fast the platform lets a bot write: overall, in one chat, in one group."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from haltline_sim_telegram.failure import too_many


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What the platform publishes: 30 messages a second overall, one a second in a chat with short bursts, 20 a minute
    in a group. How long a burst may be is not published; None switches a limit off.
    """

    overall_per_s: int | None = 30
    chat_per_s: float | None = 1.0
    chat_burst: int = 20
    group_per_min: int | None = 20


OFF = Rate(overall_per_s=None, chat_per_s=None, group_per_min=None)
"""No limits."""


class Pace:
    """Counts what was sent; raises 429 with the seconds to wait."""

    def __init__(self, rate: Rate, now: Callable[[], float]) -> None:
        self.rate = rate
        self._now = now
        self._sent: dict[int | None, deque[float]] = {}
        self._debt: dict[int, tuple[float, float]] = {}

    def spend(self, chat_id: int, *, is_group: bool) -> None:
        """Count one message; raises ApiError 429 and counts nothing."""
        now, rate = self._now(), self.rate
        waits = [self._window(None, rate.overall_per_s, 1.0, now)]
        if is_group:
            waits.append(self._window(chat_id, rate.group_per_min, 60.0, now))
        elif rate.chat_per_s is not None:
            level, at = self._debt.get(chat_id, (0.0, now))
            level = max(0.0, level - (now - at) * rate.chat_per_s)
            waits.append((level + 1 - rate.chat_burst) / rate.chat_per_s)
            if max(waits) <= 0:
                self._debt[chat_id] = level + 1, now
        if max(waits) > 0:
            raise too_many(math.ceil(max(waits)))
        for key in (None, chat_id):
            self._sent.setdefault(key, deque()).append(now)

    def _window(self, key: int | None, most: int | None, span_s: float, now: float) -> float:
        """Seconds until the window has room again; 0: it has."""
        if most is None:
            return 0.0
        sent = self._sent.setdefault(key, deque())
        while sent and sent[0] <= now - span_s:
            sent.popleft()
        return 0.0 if len(sent) < most else sent[0] + span_s - now
