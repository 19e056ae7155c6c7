"""The hours in which a rule applies: times of day in a zone, on some weekdays, or the market's session."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from haltline.clock import from_datetime, to_datetime

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)*)\s+)?"
    r"(?P<start>\d{1,2}:\d{2})\s*-\s*(?P<end>\d{1,2}:\d{2})(?:\s+(?P<zone>\S+))?",
    re.IGNORECASE,
)
SESSION = "session"


class Hours(Protocol):
    """The market hours of an account, as the state keeps them."""

    @property
    def open(self) -> bool | None:
        """Whether the market is open now; None when that is not known."""


@dataclass(frozen=True, slots=True)
class Window:
    """``[start, end)`` in local wall-clock time on the weekdays in which it starts; `end <= start` crosses midnight."""

    start: time
    end: time
    weekdays: frozenset[int]
    zone: str | None

    def _spans(self, instant_ns: int, zone: str) -> list[tuple[int, int]]:
        """The openings around an instant as UTC nanoseconds, from yesterday's to next week's."""
        tz = _zone(self.zone or zone)
        today = to_datetime(instant_ns).astimezone(tz).date()
        spans = []
        for offset in range(-1, 9):
            day = today + timedelta(days=offset)
            if day.weekday() in self.weekdays:
                last = day if self.end > self.start else day + timedelta(days=1)
                spans.append((_instant(day, self.start, tz), _instant(last, self.end, tz)))
        return spans

    def contains(self, instant_ns: int, zone: str) -> bool:
        """Whether the window is open at the instant."""
        return any(start <= instant_ns < end for start, end in self._spans(instant_ns, zone))

    def next_opening(self, instant_ns: int, zone: str) -> int | None:
        """The first opening strictly after the instant."""
        return min((start for start, _ in self._spans(instant_ns, zone) if start > instant_ns), default=None)

    def next_change(self, instant_ns: int, zone: str) -> int | None:
        """The first opening or closing strictly after the instant."""
        edges = (edge for span in self._spans(instant_ns, zone) for edge in span if edge > instant_ns)
        return min(edges, default=None)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rule applies when any `during` window is open (all day if none is given) and no `excluding` one is."""

    during: tuple[Window | str, ...]
    excluding: tuple[Window | str, ...]

    @property
    def follows_session(self) -> bool:
        """Whether it opens or closes with the market hours of the account."""
        return SESSION in self.during or SESSION in self.excluding

    def applies(self, instant_ns: int, zone: str, hours: Hours | None) -> bool:
        """Whether the rule applies now. Market hours that are not known count as open: the rule then applies."""
        if self.during and not any(_is_open(window, instant_ns, zone, hours, unknown=True) for window in self.during):
            return False
        return not any(_is_open(window, instant_ns, zone, hours, unknown=False) for window in self.excluding)

    def next_change(self, instant_ns: int, zone: str) -> int | None:
        """The next instant at which a time-of-day window opens or closes; market hours know their own."""
        windows = (window for window in (*self.during, *self.excluding) if isinstance(window, Window))
        changes = (window.next_change(instant_ns, zone) for window in windows)
        return min((change for change in changes if change is not None), default=None)


def parse_schedule(during: Sequence[str], excluding: Sequence[str]) -> Schedule | None:
    """The schedule of a rule, or None if it always applies; raises ValueError in plain words."""
    if not during and not excluding:
        return None
    return Schedule(tuple(map(parse_window, during)), tuple(map(parse_window, excluding)))


def parse_window(text: str) -> Window | str:
    """``session``, or ``[mon-fri] 09:30-16:00 [Zone/Name]``; raises ValueError in plain words."""
    cleaned = text.strip()
    if cleaned.lower() == SESSION:
        return SESSION
    match = _WINDOW.fullmatch(cleaned)
    if match is None:
        raise ValueError(f"{text!r} was not understood; write session, 09:30-16:00 or mon-fri 09:30-16:00 Zone/Name")
    zone = match["zone"]
    if zone is not None:
        try:
            _zone(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{zone!r} is not a time zone; write a name such as America/New_York") from None
    return Window(_time(match["start"]), _time(match["end"]), _weekdays(match["days"]), zone)


def _is_open(window: Window | str, instant_ns: int, zone: str, hours: Hours | None, *, unknown: bool) -> bool:
    if isinstance(window, Window):
        return window.contains(instant_ns, zone)
    is_open = hours.open if hours is not None else None
    return unknown if is_open is None else is_open


def _weekdays(text: str | None) -> frozenset[int]:
    if not text:
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last and last not in _DAYS):
            raise ValueError(f"{part!r} is not a weekday; write mon, tue, wed, thu, fri, sat or sun")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return frozenset(days)


def _time(text: str) -> time:
    hour, _, minute = text.partition(":")
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"{text!r} is not a time of day; write HH:MM from 00:00 to 23:59")
    return time(int(hour), int(minute))


def _instant(day: date, at: time, zone: ZoneInfo) -> int:
    """Wall-clock time as UTC; in a spring gap the instant the clocks jump, in an autumn fold the first occurrence."""
    return from_datetime(datetime.combine(day, at, tzinfo=zone))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
