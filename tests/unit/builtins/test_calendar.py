"""Trading hours: exchanges against recorded answers, and hours written out."""

import csv
import io
import tarfile
from pathlib import Path

import pytest

from haltline.builtins.calendar.exchange import exchange_calendar
from haltline.builtins.calendar.hours import parse_hours
from haltline.clock import from_iso, to_iso

ANSWERS = Path(__file__).parents[4] / "shared/data/market/exchange_calendars_answers.tar.gz"
NEW_YORK = "mon-fri 09:30-16:00 America/New_York"


def iso(instant: int | None) -> str:
    assert instant is not None
    return to_iso(instant).replace(":00.000Z", "Z")


def test_the_market_that_never_closes_has_no_next_open_or_close() -> None:
    calendar = exchange_calendar("24/7")
    assert calendar.is_open(0)
    assert (calendar.next_open(0), calendar.next_close(0), calendar.is_early_close(0)) == (None, None, False)


def test_globex_stops_for_an_hour_at_sixteen_chicago() -> None:
    calendar = exchange_calendar("CMES")
    noon = from_iso("2025-05-06T12:00:00-05:00")
    assert iso(calendar.next_close(noon)) == "2025-05-06T21:00Z"
    assert iso(calendar.next_open(noon)) == "2025-05-06T22:00Z"
    assert not calendar.is_open(from_iso("2025-05-06T16:30:00-05:00"))
    assert calendar.is_open(from_iso("2025-05-06T17:00:00-05:00"))


def test_independence_day_closes_globex_early() -> None:
    calendar = exchange_calendar("CMES")
    morning = from_iso("2019-07-04T09:00:00-05:00")
    assert calendar.is_early_close(morning)
    assert iso(calendar.next_close(morning)) == "2019-07-04T17:00Z"
    assert not calendar.is_early_close(from_iso("2019-07-08T09:00:00-05:00"))


def test_new_york_follows_daylight_saving_and_holidays() -> None:
    calendar = exchange_calendar("XNYS")
    assert iso(calendar.next_open(from_iso("2025-03-07T22:00:00Z"))) == "2025-03-10T13:30Z"
    assert iso(calendar.next_open(from_iso("2025-12-24T22:00:00Z"))) == "2025-12-26T14:30Z"


def test_a_lunch_break_is_a_closing() -> None:
    calendar = exchange_calendar("XTKS")
    assert not calendar.is_open(from_iso("2025-05-07T12:00:00+09:00"))
    assert iso(calendar.next_open(from_iso("2025-05-07T12:00:00+09:00"))) == "2025-05-07T03:30Z"


def test_an_unknown_exchange_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="NOPE"):
        exchange_calendar("NOPE")


@pytest.mark.parametrize("name", ["XKRX", "XBOM", "XTAE", "ASEX"])
def test_an_exchange_that_the_library_cannot_compute_is_a_key_error_and_nothing_worse(name: str) -> None:
    try:
        calendar = exchange_calendar(name)
    except KeyError as error:
        assert "write its hours out" in str(error)
    else:
        assert calendar.next_open(from_iso("2025-05-06T00:00:00Z")) is not None


def test_outside_the_known_years_a_market_is_closed() -> None:
    calendar = exchange_calendar("XNYS")
    assert not calendar.is_open(0)
    assert calendar.next_close(from_iso("2100-01-01T00:00:00Z")) is None


@pytest.mark.skipif(not ANSWERS.is_file(), reason="the shared data set is not here")
@pytest.mark.parametrize(("name", "file"), [("CMES", "cmes"), ("XNYS", "xnys"), ("XTKS", "xtks"), ("XLON", "xlon")])
def test_sessions_agree_with_recorded_answers(name: str, file: str) -> None:
    calendar = exchange_calendar(name)
    with tarfile.open(ANSWERS) as archive:
        member = archive.extractfile(f"{file}.csv")
        assert member is not None
        rows = [row for row in csv.DictReader(io.TextIOWrapper(member)) if "2015" <= row[""] < "2026"]
    assert len(rows) > 2000
    for row in rows:
        opens, closes = from_iso(row["open"]), from_iso(row["close"])
        assert calendar.next_open(opens - 1) == opens, row
        assert calendar.is_open(opens), row
        if name != "CMES":
            assert calendar.next_close(from_iso(row["break_end"] or row["open"])) == closes, row
            assert not calendar.is_open(closes), row


def test_written_hours_are_open_from_the_opening_to_before_the_close() -> None:
    hours = parse_hours(NEW_YORK)
    opens, closes = from_iso("2025-05-06T09:30:00-04:00"), from_iso("2025-05-06T16:00:00-04:00")
    assert [hours.is_open(instant) for instant in (opens - 1, opens, closes - 1, closes)] == [False, True, True, False]


def test_written_hours_follow_daylight_saving() -> None:
    hours = parse_hours(NEW_YORK)
    assert iso(hours.next_open(from_iso("2025-03-07T22:00:00Z"))) == "2025-03-10T13:30Z"
    assert iso(hours.next_open(from_iso("2025-10-31T22:00:00Z"))) == "2025-11-03T14:30Z"


def test_a_session_may_run_past_midnight() -> None:
    hours = parse_hours("sun-thu 17:00-16:00 America/Chicago")
    assert hours.is_open(from_iso("2025-05-07T03:00:00-05:00"))
    assert not hours.is_open(from_iso("2025-05-07T16:30:00-05:00"))
    assert not hours.is_open(from_iso("2025-05-10T03:00:00-05:00"))


def test_days_that_follow_each_other_without_a_gap_are_one_session() -> None:
    hours = parse_hours("mon-fri 00:00-24:00")
    wednesday = from_iso("2025-05-07T12:00:00Z")
    assert iso(hours.next_close(wednesday)) == "2025-05-10T00:00Z"
    assert iso(hours.next_open(wednesday)) == "2025-05-12T00:00Z"


def test_days_may_be_listed_and_wrap_around_the_week() -> None:
    hours = parse_hours("sat-mon,wed 10:00-11:00")
    assert [hours.is_open(from_iso(f"2025-05-{day:02d}T10:30:00Z")) for day in range(5, 12)] == [
        True, False, True, False, False, True, True,
    ]  # fmt: skip


def test_written_hours_have_no_early_close() -> None:
    assert not parse_hours(NEW_YORK).is_early_close(0)


@pytest.mark.parametrize("text", ["always", "mon-fry 09:30-16:00", "25:00-26:00", "09:30-16:00 Mars/Phobos", ""])
def test_hours_that_cannot_be_read_are_a_key_error(text: str) -> None:
    with pytest.raises(KeyError):
        parse_hours(text)
