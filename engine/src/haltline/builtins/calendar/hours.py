"""Calendars written out as text: ``mon-fri 09:30-16:00 America/New_York``."""

import re
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from haltline.clock import from_datetime, to_datetime

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TEXT = re.compile(r"(?:([a-z,\s-]+?)\s+)?(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})(?:\s+([A-Za-z][\w/+-]*))?", re.ASCII)
_DAY = timedelta(days=1)


class Hours:
    """Opening hours by weekday in one zone; a session that ends before it begins runs past midnight.

    Wall-clock times follow the zone's daylight saving: a session starts and ends when local clocks say so.
    ``00:00-00:00`` (or ``00:00-24:00``) is the whole day.
    """

    def __init__(self, days: frozenset[int], opens: time, closes: time, zone: ZoneInfo) -> None:
        self._days = days
        self._opens = opens
        self._closes = closes
        self._zone = zone
        self._session = lru_cache(maxsize=64)(self._compute)

    def is_open(self, instant_ns: int) -> bool:
        """Whether local clocks stand inside a session."""
        return any(opened <= instant_ns < closed for opened, closed in self._around(instant_ns))

    def next_open(self, instant_ns: int) -> int | None:
        """The first opening strictly after the instant that does not merely continue a session."""
        sessions = self._around(instant_ns)
        ends = {closed for _, closed in sessions}
        return min((opened for opened, _ in sessions if opened > instant_ns and opened not in ends), default=None)

    def next_close(self, instant_ns: int) -> int | None:
        """The first close strictly after the instant that is not at once an opening."""
        sessions = self._around(instant_ns)
        starts = {opened for opened, _ in sessions}
        return min((closed for _, closed in sessions if closed > instant_ns and closed not in starts), default=None)

    def is_early_close(self, instant_ns: int) -> bool:
        """Never: written hours know no exceptions."""
        return False

    def _around(self, instant_ns: int) -> list[tuple[int, int]]:
        today = to_datetime(instant_ns).astimezone(self._zone).date()
        days = (today.toordinal() + offset for offset in range(-2, 9))
        return [session for day in days if (session := self._session(day)) is not None]

    def _compute(self, day: int) -> tuple[int, int] | None:
        date = datetime.fromordinal(day)
        if date.weekday() not in self._days:
            return None
        end = date + _DAY if self._closes <= self._opens else date
        opened = self._instant(datetime.combine(date, self._opens))
        closed = self._instant(datetime.combine(end, self._closes))
        return (opened, closed) if opened < closed else None

    def _instant(self, local: datetime) -> int:
        return from_datetime(local.replace(tzinfo=self._zone).astimezone(UTC))


def parse_hours(text: str) -> Hours:
    """Read ``[days] HH:MM-HH:MM [zone]``; days such as ``mon-fri`` or ``sat,sun`` (default: all), zone UTC by default.

    Raises KeyError, saying what is wrong, for anything else.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise KeyError(f"{text!r} is not written like mon-fri 09:30-16:00 America/New_York")
    days, opens, closes, zone = found.groups()
    return Hours(_parse_days(days or "mon-sun"), _parse_time(opens), _parse_time(closes), _parse_zone(zone or "UTC"))


def _parse_days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.strip().partition("-")
        start, end = _day(first), _day(last or first)
        found.update((start + offset) % 7 for offset in range((end - start) % 7 + 1))
    return frozenset(found)


def _day(text: str) -> int:
    name = text.strip()[:3]
    if name not in _DAYS:
        raise KeyError(f"{text.strip()!r} is not a day; write mon, tue, wed, thu, fri, sat or sun")
    return _DAYS.index(name)


def _parse_time(text: str) -> time:
    hour, minute = (int(part) for part in text.split(":"))
    if (hour, minute) == (24, 0):
        return time(0, 0)
    if hour > 23 or minute > 59:
        raise KeyError(f"{text!r} is not a time of day")
    return time(hour, minute)


def _parse_zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise KeyError(f"{text!r} is not a time zone; write a name such as America/New_York") from error
