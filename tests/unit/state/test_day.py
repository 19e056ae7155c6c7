"""The trading day: labels, rolls in every season, catch-up, weeks, and what a roll does to an account."""

import math

import pytest

from haltline.clock import from_iso, to_iso
from haltline.model.account import MarkSource
from haltline.state.day import RollClock

CHICAGO = {"zone": "America/Chicago", "roll": "17:00"}


@pytest.mark.parametrize(
    ("zone", "roll", "instant", "label", "week", "next_roll"),
    [
        ("America/Chicago", "17:00", "2025-05-06T21:59:59Z", "2025-05-06", "2025-W19", "2025-05-06T22:00:00.000Z"),
        ("America/Chicago", "17:00", "2025-05-06T22:00:00Z", "2025-05-07", "2025-W19", "2025-05-07T22:00:00.000Z"),
        ("America/Chicago", "17:00", "2025-05-04T22:00:00Z", "2025-05-05", "2025-W19", "2025-05-05T22:00:00.000Z"),
        ("America/Chicago", "17:00", "2025-05-04T21:59:59Z", "2025-05-04", "2025-W18", "2025-05-04T22:00:00.000Z"),
        ("America/Chicago", "17:00", "2025-03-08T23:00:00Z", "2025-03-09", "2025-W10", "2025-03-09T22:00:00.000Z"),
        ("America/Chicago", "17:00", "2025-11-01T22:00:00Z", "2025-11-02", "2025-W44", "2025-11-02T23:00:00.000Z"),
        ("UTC", "00:00", "2025-12-31T23:59:59Z", "2025-12-31", "2026-W01", "2026-01-01T00:00:00.000Z"),
        ("Asia/Tokyo", "06:00", "2025-05-06T20:59:59Z", "2025-05-06", "2025-W19", "2025-05-06T21:00:00.000Z"),
        ("America/New_York", "02:30", "2025-03-09T07:30:00Z", "2025-03-09", "2025-W10", "2025-03-10T06:30:00.000Z"),
        ("America/New_York", "01:30", "2025-11-02T05:30:00Z", "2025-11-02", "2025-W44", "2025-11-03T06:30:00.000Z"),
    ],
)
def test_label_week_and_next_roll(zone, roll, instant, label, week, next_roll):
    clock = RollClock(zone, roll)
    clock.refresh(from_iso(instant))
    assert (clock.label, clock.week, to_iso(clock.next_ns)) == (label, week, next_roll)


@pytest.mark.parametrize("year_and_month", ["2025-03", "2025-11"])
def test_every_roll_of_a_month_with_a_clock_change_happens_once(make_world, year_and_month):
    world = make_world(now=f"{year_and_month}-01T12:00:00Z", **CHICAGO)
    labels = [world.account.day.label]
    while (deadline := world.state.deadline) < from_iso(f"{year_and_month}-20T12:00:00Z"):
        world.at_ns(deadline)
        labels.append(world.account.day.label)
    assert labels == [f"{year_and_month}-{day:02d}" for day in range(1, 21)]


def test_a_roll_starts_the_day_with_the_equity_of_that_moment(make_world):
    world = make_world(now="2025-05-06T21:00:00Z", **CHICAGO)
    world.fill(1, 21000, pnl="-100", fee="2")
    world.quote(last=20990.0)
    touched = world.at("2025-05-06T22:00:00Z")
    day = world.account.day
    assert touched == ["account eval", "portfolio portfolio", "account second"]
    assert (day.start_equity, day.loss, day.realized_pnl, day.fees) == (49878.0, 0.0, 0.0, 0.0)
    assert (day.fills, day.entries, day.round_trips) == (0, 0, 0)
    assert (world.account.week.realized_pnl, world.account.realized_pnl) == (-100.0, -100.0)


def test_an_event_after_the_roll_belongs_to_the_new_day_even_without_a_tick(make_world):
    world = make_world(now="2025-05-06T21:59:00Z", **CHICAGO)
    world.fill(1, 21000, pnl="-100")
    late = from_iso("2025-05-06T22:00:01Z")
    world.apply(world.make_fill(1, 21000, pnl="-5", at=late, received_at=late), late)
    assert (world.account.day.realized_pnl, world.account.day.fills) == (-5.0, 1)


def test_missed_rolls_are_caught_up_once(make_world):
    world = make_world(now="2025-05-06T21:55:00Z", **CHICAGO)
    world.fill(1, 21000, pnl="-100")
    world.at("2025-05-09T22:05:00Z")
    assert (world.account.day.label, world.account.day.started_at) == ("2025-05-10", from_iso("2025-05-09T22:00:00Z"))
    assert world.account.day.realized_pnl == 0.0


def test_the_week_begins_with_mondays_trading_day(make_world):
    world = make_world(now="2025-05-09T20:00:00Z", **CHICAGO)
    world.fill(1, 21000, pnl="-100")
    world.at("2025-05-10T22:00:00Z")
    assert world.account.week.realized_pnl == -100.0
    world.at("2025-05-11T22:00:00Z")
    assert (world.account.week.realized_pnl, world.account.week.label) == (0.0, "2025-W20")


def test_where_equity_is_unknown_at_the_roll_the_start_is_the_first_known_one(make_world):
    world = make_world(now="2025-05-06T21:00:00Z", mark=MarkSource.CLOSE_SIDE, **CHICAGO)
    world.fill(1, 21000)
    world.at("2025-05-06T22:00:00Z")
    assert math.isnan(world.account.day.start_equity)
    assert math.isnan(world.account.day.loss)
    world.quote(bid=21010.0)
    assert (world.account.day.start_equity, world.account.day.loss) == (50020.0, 0.0)
    assert world.account.end_of_day_peak_equity == 50020.0


def test_the_end_of_day_peak_ignores_what_happens_within_a_day(make_world):
    world = make_world(now="2025-05-06T21:00:00Z", **CHICAGO)
    world.fill(1, 21000)
    for price, at in ((21500.0, "21:10"), (21500.0, "21:11"), (21100.0, "21:59")):
        world.at(f"2025-05-06T{at}:00Z")
        world.quote(last=price)
    world.at("2025-05-06T22:00:00Z")
    world.quote(last=21050.0)
    account = world.account
    assert (account.peak_equity, account.end_of_day_peak_equity, account.end_of_day_drawdown) == (
        51000.0,
        50200.0,
        100.0,
    )
    world.quote(last=21150.0)
    assert account.end_of_day_drawdown == 0.0


def test_a_void_after_the_roll_does_not_touch_the_new_day(make_world):
    world = make_world(now="2025-05-06T21:00:00Z", **CHICAGO)
    bad = world.fill(1, 21000, pnl="-100", fee="1")
    world.at("2025-05-06T22:00:00Z")
    world.apply(world.make_fill(1, 21000, fill_id=bad.fill_id, voided=True))
    assert (world.account.day.realized_pnl, world.account.day.fills, world.account.week.realized_pnl) == (0.0, 0, 0.0)
    assert (world.account.realized_pnl, world.account.balance) == (0.0, 50000.0)


def test_time_never_runs_back(world):
    now = world.now
    world.at_ns(now - 10**9)
    assert world.now == now


def test_advance_lists_only_what_it_touched(make_world):
    world = make_world(now="2025-05-06T21:00:00Z", **CHICAGO)
    world.quote(last=1.0)
    world.state.advance(from_iso("2025-05-06T22:00:00Z"))
    assert world.settle() == ["account eval", "portfolio portfolio", "account second"]
    world.state.advance(from_iso("2025-05-06T22:00:01Z"))
    assert world.settle() == []
