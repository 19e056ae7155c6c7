"""Sessions by calendar: openings, overnight sessions, early closes, sessions missed while away; and the clock root."""

import math

import pytest

from haltline.clock import from_iso
from haltline.state.clockview import ClockView

OVERNIGHT = (("2025-11-26T23:00:00Z", "2025-11-27T18:00:00Z"), ("2025-11-27T23:00:00Z", "2025-11-28T18:15:00Z"),
             ("2025-11-30T23:00:00Z", "2025-12-01T22:00:00Z"))  # fmt: skip


@pytest.fixture
def open_world(make_world, make_calendar):
    calendar = make_calendar(*OVERNIGHT, early=("2025-11-27T18:00:00Z", "2025-11-28T18:15:00Z"))
    return make_world(now="2025-11-26T22:00:00Z", calendar="CME", calendars={"CME": calendar})


def test_an_overnight_session_is_open_on_both_sides_of_midnight(open_world):
    hours = open_world.account.hours
    assert (hours.open, hours.seconds_to_open, hours.seconds_to_close) == (False, 3600.0, 0.0)
    for at, is_open in (("26T23:00:00", True), ("27T00:00:00", True), ("27T17:59:59", True), ("27T18:00:00", False)):
        open_world.at(f"2025-11-{at}Z")
        assert hours.open is is_open


def test_an_early_close_is_seen_and_counted_down_to(open_world):
    open_world.at("2025-11-27T17:00:00Z")
    hours = open_world.account.hours
    assert (hours.early_close, hours.seconds_to_close) == (True, 3600.0)
    open_world.at("2025-12-01T00:00:00Z")
    assert not hours.early_close


def test_edges_are_deadlines_and_touch_the_accounts(open_world):
    assert open_world.state.deadline == from_iso("2025-11-26T23:00:00Z")
    assert open_world.at("2025-11-26T23:00:00Z") == ["account eval", "portfolio portfolio", "account second"]


def test_a_session_begins_at_the_opening_and_lasts_until_the_next(open_world):
    open_world.at("2025-11-26T23:00:00Z")
    open_world.fill(1, 21000, pnl="-100")
    open_world.at("2025-11-27T20:00:00Z")
    assert open_world.account.session.realized_pnl == -100.0
    open_world.at("2025-11-27T23:00:00Z")
    session = open_world.account.session
    assert (session.realized_pnl, session.start_equity, session.loss) == (0.0, 49900.0, 0.0)
    assert session.started_at == from_iso("2025-11-27T23:00:00Z")


def test_the_day_rolls_within_an_overnight_session_and_the_session_does_not(open_world):
    open_world.at("2025-11-26T23:00:00Z")
    open_world.fill(1, 21000, pnl="-100")
    open_world.at("2025-11-27T01:00:00Z")
    assert (open_world.account.day.realized_pnl, open_world.account.session.realized_pnl) == (0.0, -100.0)


def test_sessions_missed_while_away_begin_once_at_their_true_opening(open_world):
    open_world.at("2025-11-26T23:00:00Z")
    open_world.fill(1, 21000, pnl="-100")
    open_world.at("2025-12-01T03:00:00Z")
    session = open_world.account.session
    assert (session.realized_pnl, session.started_at) == (0.0, from_iso("2025-11-30T23:00:00Z"))


def test_a_market_that_never_closes_has_the_day_as_its_session(world):
    hours = world.account.hours
    assert world.account.session is world.account.day
    assert (hours.open, hours.seconds_to_open) == (True, 0.0)
    assert math.isnan(hours.seconds_to_close)
    assert hours.provenance("next_close").reason == "calendar 24/7 never closes"


def test_after_the_last_known_session_nothing_is_due_but_the_roll(open_world):
    open_world.at("2025-12-01T22:00:00Z")
    hours = open_world.account.hours
    assert hours.due is None
    assert math.isnan(hours.next_open)
    assert math.isnan(hours.seconds_to_open)


@pytest.mark.parametrize(
    ("zone", "at", "time", "weekday", "date"),
    [
        ("UTC", "2025-05-06T14:30:00Z", 52200.0, "tue", "2025-05-06"),
        ("America/Chicago", "2025-05-06T03:30:00Z", 81000.0, "mon", "2025-05-05"),
        ("America/Chicago", "2025-03-09T07:59:59Z", 7199.0, "sun", "2025-03-09"),
        ("America/Chicago", "2025-03-09T08:00:00Z", 10800.0, "sun", "2025-03-09"),
        ("Asia/Kathmandu", "2025-01-01T18:15:00Z", 0.0, "thu", "2025-01-02"),
    ],
)
def test_the_wall_clock_of_a_zone(zone, at, time, weekday, date):
    clock = ClockView(zone, from_iso(at))
    assert (clock.time, clock.weekday, clock.date, clock.now) == (time, weekday, date, from_iso(at) / 1e9)


def test_the_clock_follows_a_change_of_offset():
    clock = ClockView("America/Chicago", from_iso("2025-11-02T06:59:59Z"))
    assert clock.time == 7199.0
    clock.now_ns = from_iso("2025-11-02T07:00:00Z")
    assert clock.time == 3600.0
    assert clock.provenance("time").as_of_ns == clock.now_ns
