"""The `session` root: what a trading calendar says about now, refreshed only when that changes."""

from haltline.api.calendar import AlwaysOpen, Calendar
from haltline.api.field import Provenance
from haltline.clock import NS_PER_S
from haltline.state.clockview import ClockView
from haltline.state.entity import NAN, seconds

_ASK_AGAIN_NS = 60 * NS_PER_S


def always_open(name: str) -> Calendar:
    """The calendar called ``24/7``; raises KeyError for any other name."""
    if name != "24/7":
        raise KeyError(name)
    return AlwaysOpen()


class SessionView:
    """One calendar at the present instant, shared by everything that follows it."""

    __slots__ = (
        "calendar",
        "clock",
        "due",
        "early_close",
        "next_close_ns",
        "next_open_ns",
        "open",
        "opened_ns",
        "source",
    )

    def __init__(self, calendar: str, source: Calendar, clock: ClockView) -> None:
        self.calendar = calendar
        self.source = source
        self.clock = clock
        self.open = False
        self.early_close = False
        self.next_open_ns: int | None = None
        self.next_close_ns: int | None = None
        self.opened_ns = 0
        self.due: int | None = None

    @property
    def never_closes(self) -> bool:
        """Whether sessions mean nothing here, and the trading day is the session."""
        return self.open and self.next_open_ns is None and self.next_close_ns is None

    def begin(self, now: int) -> None:
        """Read the calendar for the first time."""
        self._read(now)
        self.opened_ns = now

    def refresh(self, now: int) -> bool:
        """Read the calendar again at `now`; True where a new session has opened since the last reading."""
        was_open, closed_at, opened_at = self.open, self.next_close_ns, self.next_open_ns
        self._read(now)
        opened = self.open and (not was_open or (closed_at is not None and closed_at <= now))
        if opened:
            self.opened_ns = self._latest_open(opened_at, now)
        return opened

    def _read(self, now: int) -> None:
        self.open = self.source.is_open(now)
        self.next_open_ns = self.source.next_open(now)
        self.next_close_ns = self.source.next_close(now)
        self.early_close = self.source.is_early_close(now)
        edges = [edge for edge in (self.next_open_ns, self.next_close_ns) if edge is not None]
        # A calendar that names an edge that is not ahead is asked again in a minute: it must not stop the clock.
        self.due = min((edge if edge > now else now + _ASK_AGAIN_NS for edge in edges), default=None)

    def _latest_open(self, candidate: int | None, now: int) -> int:
        latest = now
        while candidate is not None and candidate <= now:
            latest = candidate
            candidate = self.source.next_open(candidate)
        return latest

    @property
    def next_open(self) -> float:
        """Seconds since the epoch of the next opening; NaN where there is none."""
        return seconds(self.next_open_ns)

    @property
    def next_close(self) -> float:
        """Seconds since the epoch of the next close; NaN where there is none."""
        return seconds(self.next_close_ns)

    @property
    def seconds_to_close(self) -> float:
        """Seconds until the open session closes; 0 while closed, NaN where the market never closes."""
        if not self.open:
            return 0.0
        return NAN if self.next_close_ns is None else (self.next_close_ns - self.clock.now_ns) / 1e9

    @property
    def seconds_to_open(self) -> float:
        """Seconds until the market opens; 0 while it is open."""
        if self.open:
            return 0.0
        return NAN if self.next_open_ns is None else (self.next_open_ns - self.clock.now_ns) / 1e9

    def as_of(self, attribute: str) -> int | None:
        """The present instant: calendars are always current."""
        return self.clock.now_ns

    def provenance(self, attribute: str) -> Provenance:
        """The calendar that says so."""
        never = self.next_close_ns is None and attribute in ("next_open", "next_close", "seconds_to_close")
        reason = f"calendar {self.calendar} never closes" if never else ""
        return Provenance(source=f"calendar {self.calendar}, {attribute}", as_of_ns=self.clock.now_ns, reason=reason)
