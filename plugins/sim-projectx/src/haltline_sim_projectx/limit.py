"""How many calls the platform takes: 200 a minute, and 50 bars requests in 30 seconds; beyond that HTTP 429."""

from collections import deque
from collections.abc import Callable


class Window:
    """`calls` in any `per_s` seconds; None takes any number."""

    def __init__(self, calls: int | None, per_s: float) -> None:
        self._calls = calls
        self._per_s = per_s
        self._taken: deque[float] = deque()

    def retry_after_s(self, now: float) -> float | None:
        """Count a call; the seconds to wait where it is one too many."""
        while self._taken and self._taken[0] <= now - self._per_s:
            self._taken.popleft()
        if self._calls is not None and len(self._taken) >= self._calls:
            return self._taken[0] + self._per_s - now
        self._taken.append(now)
        return None


class Rate:
    """The platform's two windows."""

    def __init__(self, *, now: Callable[[], float], calls: int | None = 200, bars: int | None = 50) -> None:
        self._now = now
        self._calls = Window(calls, 60.0)
        self._bars = Window(bars, 30.0)

    def retry_after_s(self, call: str) -> float | None:
        """The seconds to wait where this call is one too many."""
        window = self._bars if call == "History/retrieveBars" else self._calls
        return window.retry_after_s(self._now())
