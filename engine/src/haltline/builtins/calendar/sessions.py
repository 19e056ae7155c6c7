"""Calendars that answer from sorted instants by bisection, and the one that never closes."""

from bisect import bisect_right
from collections.abc import Sequence


class Sessions:
    """Opening intervals [open, close) as UTC nanoseconds, sorted, not overlapping; closed before and after them.

    `early` holds the closes that come earlier than usual. Breaks inside a session are closings like any other.
    """

    def __init__(self, opens: Sequence[int], closes: Sequence[int], early: Sequence[int] = ()) -> None:
        self._opens = tuple(opens)
        self._closes = tuple(closes)
        self._early = frozenset(early)

    def is_open(self, instant_ns: int) -> bool:
        """Whether the instant lies inside an interval."""
        index = bisect_right(self._opens, instant_ns) - 1
        return index >= 0 and instant_ns < self._closes[index]

    def next_open(self, instant_ns: int) -> int | None:
        """The first opening strictly after the instant."""
        return _after(self._opens, instant_ns)

    def next_close(self, instant_ns: int) -> int | None:
        """The first close strictly after the instant."""
        return _after(self._closes, instant_ns)

    def is_early_close(self, instant_ns: int) -> bool:
        """Whether the session at, or next after, the instant closes early."""
        return self.next_close(instant_ns) in self._early


def _after(instants: Sequence[int], instant_ns: int) -> int | None:
    index = bisect_right(instants, instant_ns)
    return instants[index] if index < len(instants) else None
