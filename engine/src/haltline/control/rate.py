"""How often somebody may command: at most so many attempts in any minute."""

from collections import deque

from haltline.clock import NS_PER_S

_WINDOW_NS = 60 * NS_PER_S
_MOST_NAMES = 1000


class Rate:
    """Counts attempts by name."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._seen: dict[str, deque[int]] = {}

    def is_free(self, name: str, now: int) -> bool:
        """Count one more attempt, and tell whether it is still within the bounds."""
        if name not in self._seen and len(self._seen) >= _MOST_NAMES:
            self._seen.pop(next(iter(self._seen)))
        seen = self._seen.setdefault(name, deque(maxlen=self.per_minute))
        while seen and not now - _WINDOW_NS < seen[0] <= now:  # a clock that was set back locks nobody out
            seen.popleft()
        if len(seen) >= self.per_minute:
            return False
        seen.append(now)
        return True
