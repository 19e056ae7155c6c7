"""The hours in which a rule applies."""

from dataclasses import dataclass

import pytest

from haltline.clock import from_iso
from haltline.rules.schedule import parse_schedule, parse_window

CHICAGO = "America/Chicago"


@dataclass
class MarketHours:
    open: bool | None


def applies(during: list[str], instant: str, *, excluding: list[str] | None = None, market: bool | None = None) -> bool:
    schedule = parse_schedule(during, excluding or [])
    assert schedule is not None
    return schedule.applies(from_iso(instant), CHICAGO, MarketHours(market))


def test_no_windows_mean_no_schedule() -> None:
    assert parse_schedule([], []) is None


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        ("2025-05-06T09:29:59-05:00", False),
        ("2025-05-06T09:30:00-05:00", True),
        ("2025-05-06T15:59:59-05:00", True),
        ("2025-05-06T16:00:00-05:00", False),
    ],
)
def test_a_window_holds_from_its_start_up_to_but_not_including_its_end(instant: str, inside: bool) -> None:
    assert applies(["09:30-16:00"], instant) is inside


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        ("2025-05-04T16:59:59-05:00", False),  # Sunday before the open
        ("2025-05-04T17:00:00-05:00", True),
        ("2025-05-05T02:00:00-05:00", True),  # past midnight: still Sunday's window
        ("2025-05-05T16:00:00-05:00", False),
        ("2025-05-09T18:00:00-05:00", False),  # Friday evening has no window of its own
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_starts(instant: str, inside: bool) -> None:
    assert applies(["sun-thu 17:00-16:00"], instant) is inside


def test_weekdays_may_be_listed_and_wrap_around_the_week() -> None:
    assert applies(["fri-mon,wed 10:00-11:00"], "2025-05-07T10:30:00-05:00")  # Wednesday
    assert applies(["fri-mon,wed 10:00-11:00"], "2025-05-05T10:30:00-05:00")  # Monday
    assert not applies(["fri-mon,wed 10:00-11:00"], "2025-05-06T10:30:00-05:00")  # Tuesday


def test_a_window_names_its_own_zone() -> None:
    assert applies(["09:30-16:00 America/New_York"], "2025-05-06T08:30:00-05:00")


@pytest.mark.parametrize("instant", ["2025-03-10T09:30:00-05:00", "2025-03-07T09:30:00-06:00"])
def test_daylight_saving_moves_the_instant_not_the_wall_clock(instant: str) -> None:
    assert applies(["09:30-16:00"], instant)


def test_except_wins_over_during() -> None:
    assert not applies(["09:30-16:00"], "2025-05-06T12:00:00-05:00", excluding=["11:30-12:30"])


@pytest.mark.parametrize(("market", "inside"), [(True, True), (False, False), (None, True)])
def test_market_hours_that_are_not_known_count_as_open(market: bool | None, inside: bool) -> None:
    assert applies(["session"], "2025-05-06T12:00:00-05:00", market=market) is inside


@pytest.mark.parametrize(("market", "inside"), [(True, False), (False, True), (None, True)])
def test_market_hours_that_are_not_known_exclude_nothing(market: bool | None, inside: bool) -> None:
    assert applies([], "2025-05-06T12:00:00-05:00", excluding=["session"], market=market) is inside


def test_the_next_change_is_the_next_edge_strictly_after_now() -> None:
    schedule = parse_schedule(["09:30-16:00"], [])
    assert schedule is not None
    opening = from_iso("2025-05-06T09:30:00-05:00")
    assert schedule.next_change(opening - 1, CHICAGO) == opening
    assert schedule.next_change(opening, CHICAGO) == from_iso("2025-05-06T16:00:00-05:00")


def test_a_session_window_has_no_next_change_of_its_own() -> None:
    schedule = parse_schedule(["session"], [])
    assert schedule is not None
    assert schedule.next_change(0, CHICAGO) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("half past nine", "was not understood"),
        ("25:00-26:00", "is not a time of day"),
        ("moo-fri 09:00-10:00", "is not a weekday"),
        ("09:00-10:00 Mars/Olympus", "is not a time zone"),
        ("", "was not understood"),
    ],
)
def test_what_is_no_window_is_refused_in_plain_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_window(text)
