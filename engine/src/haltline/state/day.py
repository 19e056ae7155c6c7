"""The trading day: when it rolls, what it is called, and to which week it belongs.

A day begins at the roll time of a named zone. A roll at noon or later belongs to the next date (17:00 in Chicago on
Sunday opens Monday's trading day); one before noon to its own. Where the clock jumps over the roll time it happens an
hour later on the wall clock; where the time occurs twice it happens the first time.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from haltline.clock import from_datetime, to_datetime

_ONE_DAY = timedelta(days=1)


class RollClock:
    """The rolls of all accounts that share a zone and a roll time."""

    __slots__ = ("_after_noon", "_roll", "_tz", "label", "next_ns", "roll", "started_ns", "week", "zone")

    def __init__(self, zone: str, roll: str) -> None:
        self.zone = zone
        self.roll = roll
        self._tz = ZoneInfo(zone)
        self._roll = time.fromisoformat(roll)
        self._after_noon = self._roll.hour >= 12
        self.label = ""
        self.week = ""
        self.started_ns = 0
        self.next_ns = 0

    def instant(self, day: date) -> int:
        """When the roll on this wall-clock date happens."""
        return from_datetime(datetime.combine(day, self._roll, self._tz))

    def refresh(self, now: int) -> None:
        """Find the trading day that `now` lies in: its label, week, start and end."""
        day = to_datetime(now).astimezone(self._tz).date() + _ONE_DAY
        while self.instant(day) > now:
            day -= _ONE_DAY
        self.started_ns = self.instant(day)
        self.next_ns = self.instant(day + _ONE_DAY)
        trading = day + _ONE_DAY if self._after_noon else day
        self.label = trading.isoformat()
        year, week, _ = trading.isocalendar()
        self.week = f"{year}-W{week:02d}"
