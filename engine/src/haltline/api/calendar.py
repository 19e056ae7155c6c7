"""What a trading calendar is: when a market is open, and when that changes next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Calendar(Protocol):
    """Opening hours of one market. Instants are UTC nanoseconds; a session is open in [open, close)."""

    def is_open(self, instant_ns: int) -> bool:
        """Whether the market trades at that instant."""

    def next_open(self, instant_ns: int) -> int | None:
        """The first opening strictly after the instant; None where the calendar never closes or ends."""

    def next_close(self, instant_ns: int) -> int | None:
        """The first close strictly after the instant; None where the calendar never closes or ends."""

    def is_early_close(self, instant_ns: int) -> bool:
        """Whether the session at, or next after, the instant closes earlier than usual."""


class AlwaysOpen:
    """A market that never closes."""

    def is_open(self, instant_ns: int) -> bool:
        """Always."""
        return True

    def next_open(self, instant_ns: int) -> int | None:
        """Never: it is open already."""
        return None

    def next_close(self, instant_ns: int) -> int | None:
        """Never."""
        return None

    def is_early_close(self, instant_ns: int) -> bool:
        """Never."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarKind:
    """A source of calendars: `make` is given a name (``CMES``) and raises KeyError for one it does not know."""

    name: str
    make: Callable[[str], Calendar]
    meaning: str
    calendars: tuple[str, ...] = ()
