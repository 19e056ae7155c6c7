"""The `clock` root: the present instant, and the wall clock in one named zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from haltline.api.field import Provenance
from haltline.clock import NS_PER_S

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_QUARTER_NS = 900 * NS_PER_S
_DAY_NS = 86_400 * NS_PER_S
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClockView:
    """Time as rules see it. Offsets of zones change on quarter hours, so one is kept for that long."""

    __slots__ = ("_offset_from", "_offset_ns", "_tz", "now_ns", "zone")

    def __init__(self, zone: str, now_ns: int = 0) -> None:
        self.zone = zone
        self.now_ns = now_ns
        self._tz = ZoneInfo(zone)
        self._offset_from = -1
        self._offset_ns = 0

    def local_ns(self) -> int:
        """Wall-clock nanoseconds since 1970 in the zone."""
        quarter = self.now_ns // _QUARTER_NS
        if quarter != self._offset_from:
            moment = (_EPOCH + timedelta(seconds=quarter * 900)).astimezone(self._tz)
            self._offset_ns = int((moment.utcoffset() or timedelta()).total_seconds()) * NS_PER_S
            self._offset_from = quarter
        return self.now_ns + self._offset_ns

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.now_ns / NS_PER_S

    @property
    def time(self) -> float:
        """Seconds since midnight on the zone's wall clock."""
        return self.local_ns() % _DAY_NS / NS_PER_S

    @property
    def weekday(self) -> str:
        """``mon`` … ``sun`` in the zone."""
        return WEEKDAYS[(self.local_ns() // _DAY_NS + 3) % 7]

    @property
    def date(self) -> str:
        """``2025-05-06`` in the zone."""
        return (_EPOCH + timedelta(days=self.local_ns() // _DAY_NS)).strftime("%Y-%m-%d")

    def as_of(self, attribute: str) -> int | None:
        """The present instant."""
        return self.now_ns

    def provenance(self, attribute: str) -> Provenance:
        """The clock is always known."""
        return Provenance(source=f"clock in {self.zone}, {attribute}", as_of_ns=self.now_ns, reason="")
