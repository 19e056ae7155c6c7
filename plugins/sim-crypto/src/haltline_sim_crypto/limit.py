"""How fast a client may ask: a sliding window of weights for each thing that is limited."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So much weight in so many seconds."""

    weight: int
    seconds: float


class Pace:
    """Counts what was asked."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._spent: dict[str, deque[tuple[int, int]]] = {}

    def used(self, name: str, limit: Limit) -> int:
        """Weight that is spent within the window."""
        spent = self._spent.setdefault(name, deque())
        since = self._now_ms() - limit.seconds * 1000
        while spent and spent[0][0] <= since:
            spent.popleft()
        return sum(weight for _, weight in spent)

    def spend(self, name: str, limit: Limit, weight: int) -> bool:
        """Whether the weight fits; it is counted either way."""
        fits = self.used(name, limit) + weight <= limit.weight
        self._spent[name].append((self._now_ms(), weight))
        return fits

    def free_at_ms(self, name: str, limit: Limit) -> int:
        """When the oldest weight leaves the window."""
        spent = self._spent.get(name)
        return int(spent[0][0] + limit.seconds * 1000) if spent else self._now_ms()
