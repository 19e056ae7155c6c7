"""Calendars of real exchanges, from `exchange-calendars`; computed once a name, then answered by bisection.

One correction: the library lets CMES sessions run into each other at 17:00 Chicago, while CME Globex stops trading at
16:00 for an hour of maintenance. We close them at 16:00; opens, holidays and early closes are the library's.
"""

import warnings
from functools import lru_cache
from typing import Any

from haltline.api import Calendar, CalendarKind
from haltline.api.calendar import AlwaysOpen
from haltline.builtins.calendar.hours import parse_hours
from haltline.builtins.calendar.sessions import Sessions
from haltline.clock import NS_PER_S

_FIRST_DAY = "2005-01-01"
_LAST_DAY = "2035-12-31"
_ALWAYS = frozenset({"24/7", "24-7"})
_MAINTENANCE_NS = {"CMES": 3600 * NS_PER_S}


@lru_cache(maxsize=64)
def exchange_calendar(name: str) -> Calendar:
    """The calendar of that name (``CMES``, ``XNYS``, ``24/7``), 2005 to 2035 where the library knows so far.

    Raises KeyError for an unknown one. Takes a second or more at its first use in a process.
    """
    if name in _ALWAYS:
        return AlwaysOpen()
    with warnings.catch_warnings():
        # The library uses what pandas will change in its next major version.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _sessions(_load(name))


def _load(name: str) -> Any:
    # Imported here: pandas costs more than a whole `haltline check`, and many set-ups name no exchange.
    import exchange_calendars  # type: ignore[import-untyped]  # noqa: PLC0415 - it brings no types
    from exchange_calendars.errors import InvalidCalendarName  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        return exchange_calendars.get_calendar(name, start=_FIRST_DAY, end=_LAST_DAY)
    except InvalidCalendarName as error:
        raise KeyError(f"{name!r} is not a calendar that exchange-calendars knows") from error
    except (ValueError, NotImplementedError):
        return _load_known_years(name)


def _load_known_years(name: str) -> Any:
    """Only the years that the library offers by itself; KeyError where it fails even there."""
    import exchange_calendars  # noqa: PLC0415

    try:
        return exchange_calendars.get_calendar(name)
    except (ValueError, NotImplementedError) as error:
        raise KeyError(f"exchange-calendars cannot compute {name!r}; write its hours out instead") from error


def _sessions(source: Any) -> Sessions:
    schedule = source.schedule
    early_days = {stamp.value for stamp in source.early_closes}
    maintenance_ns = _MAINTENANCE_NS.get(source.name, 0)
    opens: list[int] = []
    closes: list[int] = []
    early: list[int] = []
    columns = (schedule.index, *(schedule[name] for name in ("open", "break_start", "break_end", "close")))
    for day, opened, break_start, break_end, closed in zip(*columns, strict=True):
        is_early = day.value in early_days
        close_ns = closed.value - (0 if is_early else maintenance_ns)
        opens.append(opened.value)
        if break_start == break_start and break_end == break_end:
            closes.append(break_start.value)
            opens.append(break_end.value)
        closes.append(close_ns)
        if is_early:
            early.append(close_ns)
    return Sessions(opens, closes, early)


EXCHANGE = CalendarKind(
    name="exchange",
    make=exchange_calendar,
    meaning="the hours of an exchange by its name (CMES, XNYS, 24/7), with holidays and early closes",
    calendars=("24/7", "CMES", "XNYS", "XLON", "XTKS"),
)

HOURS = CalendarKind(
    name="hours",
    make=parse_hours,
    meaning="hours written out: mon-fri 09:30-16:00 America/New_York",
)
