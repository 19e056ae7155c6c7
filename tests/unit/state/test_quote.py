"""Prices: what is refused, which price values a position, when they go stale, and what a quote touches."""

import math

import pytest

from haltline.model.account import MarkSource
from haltline.model.event import Quote
from haltline.model.rule import Scope

NAN = float("nan")


@pytest.mark.parametrize(
    ("prices", "code"),
    [
        ({"last": NAN}, "E603"),
        ({"bid": math.inf}, "E603"),
        ({"mark": -math.inf}, "E603"),
        ({"ask": 1e18}, "E603"),
        ({"last": 0.0}, "E604"),
        ({"last": -1.0}, "E604"),
        ({"bid": 101.0, "ask": 100.0}, "E605"),
        ({}, "E606"),
        ({"last": 1.0, "volume_24h": NAN}, "E603"),
        ({"last": 1.0, "volume_24h": -1.0}, "E604"),
    ],
)
def test_an_unusable_quote_is_refused_and_changes_nothing(world, prices, code):
    world.fill(1, 21000)
    world.quote(last=21001.0)
    assert world.refused(Quote(at=world.now, received_at=world.now, symbol="MNQ", **prices)) == code


def test_a_quote_for_an_unknown_symbol_is_refused(world):
    assert world.refused(Quote(at=world.now, received_at=world.now, symbol="WHAT", last=1.0)) == "E602"


@pytest.mark.parametrize("name", ["NQ", "ENQ", "CON.F.US.ENQ.Z25", "CON.F.US.NQ.Z25", "F.US.ENQ"])
def test_aliases_and_full_contract_ids_reach_the_instrument(world, name):
    world.quote(name, 21000.0)
    assert world.state.instruments["NQ"].last == 21000.0


def test_a_locked_market_is_not_crossed(world):
    world.quote(bid=100.0, ask=100.0)
    assert world.state.instruments["MNQ"].spread == 0.0


@pytest.mark.parametrize(
    ("mark", "quantity", "quote", "expected"),
    [
        (MarkSource.MARK, 1, {"mark": 3.0, "last": 2.0, "bid": 1.0, "ask": 1.5}, 3.0),
        (MarkSource.MARK, 1, {"last": 2.0, "bid": 1.0, "ask": 1.5}, 2.0),
        (MarkSource.MARK, 1, {"bid": 1.0, "ask": 1.5}, 1.25),
        (MarkSource.LAST, 1, {"mark": 3.0, "last": 2.0}, 2.0),
        (MarkSource.LAST, 1, {"mark": 3.0, "bid": 1.0, "ask": 1.5}, 3.0),
        (MarkSource.LAST, 1, {"bid": 1.0, "ask": 1.5}, 1.25),
        (MarkSource.MID, 1, {"last": 2.0, "bid": 1.0, "ask": 1.5}, 1.25),
        (MarkSource.MID, 1, {"mark": 3.0, "last": 2.0}, 3.0),
        (MarkSource.MID, 1, {"last": 2.0}, 2.0),
        (MarkSource.CLOSE_SIDE, 1, {"last": 2.0, "bid": 1.0, "ask": 1.5}, 1.0),
        (MarkSource.CLOSE_SIDE, -1, {"last": 2.0, "bid": 1.0, "ask": 1.5}, 1.5),
        (MarkSource.CLOSE_SIDE, 1, {"last": 2.0, "mark": 3.0}, NAN),
        (MarkSource.MARK, 1, {"bid": 1.0}, NAN),
    ],
)
def test_the_mark_falls_back_as_documented(make_world, mark, quantity, quote, expected):
    world = make_world(mark=mark)
    world.fill(quantity, 2, "ACME")
    world.quote("ACME", **quote)
    assert world.position("ACME").mark == pytest.approx(expected, nan_ok=True)


def test_a_price_left_out_keeps_its_last_value(world):
    world.quote(bid=1.0, ask=2.0, last=1.5, mark=1.6)
    world.quote(bid=1.25)
    instrument = world.state.instruments["MNQ"]
    assert (instrument.bid, instrument.ask, instrument.last, instrument.quoted_mark) == (1.25, 2.0, 1.5, 1.6)


def test_a_price_left_out_for_longer_than_the_limit_is_unknown(make_world):
    world = make_world(stale_s=10)
    world.quote(bid=1.0, ask=2.0, mark=1.6)
    for _ in range(4):
        world.wait(4)
        world.quote(bid=1.0, ask=2.0)
    instrument = world.state.instruments["MNQ"]
    assert math.isnan(instrument.quoted_mark)
    assert instrument.mark == 1.5


@pytest.mark.parametrize(("newer", "gone"), [({"bid": 3.0}, "ask"), ({"ask": 0.5}, "bid")])
def test_an_older_side_that_would_cross_the_newer_one_is_dropped(world, newer, gone):
    world.quote(bid=1.0, ask=2.0)
    world.quote(**newer)
    assert math.isnan(getattr(world.state.instruments["MNQ"], gone))


def test_a_quote_older_than_the_newest_is_ignored_and_counted(world):
    world.quote(last=2.0)
    world.quote(last=1.0, at=world.now - 1)
    instrument = world.state.instruments["MNQ"]
    assert (instrument.last, instrument.late_quotes) == (2.0, 1)


def test_a_quote_from_the_future_counts_as_of_now_and_blocks_nothing(world):
    world.quote(last=2.0, at=world.now + 10**12)
    world.quote(last=3.0)
    assert world.state.instruments["MNQ"].last == 3.0


def test_a_quote_with_only_a_volume_is_no_sign_of_life_for_prices(make_world):
    world = make_world(stale_s=10)
    world.quote(last=2.0)
    world.wait(9)
    world.quote(volume_24h=5.0)
    world.wait(1)
    instrument = world.state.instruments["MNQ"]
    assert (instrument.stale, instrument.volume_24h) == (True, 5.0)


def test_a_quote_touches_its_positions_and_their_accounts_only(world):
    world.fill(1, 21000)
    world.fill(1, 5000, "ES")
    world.fill(1, 21000, account="second")
    assert world.quote(last=21001.0) == [
        "instrument MNQ",
        "position eval/MNQ",
        "account eval",
        "position second/MNQ",
        "account second",
        "portfolio portfolio",
    ]
    assert world.quote("YM", 40000.0) == ["instrument YM"]


def test_spreads_and_ages(world):
    instrument = world.state.instruments["MNQ"]
    assert math.isnan(instrument.age)
    world.quote(bid=99.0, ask=101.0)
    world.wait(3)
    assert (instrument.mid, instrument.spread_bps, instrument.spread_ticks, instrument.age) == (100.0, 200.0, 8.0, 3.0)


def test_silence_makes_prices_and_all_that_rests_on_them_unknown(make_world):
    world = make_world(stale_s=10)
    world.fill(1, 21000)
    world.quote(last=21001.0)
    assert world.state.deadline == world.now + 10 * 10**9
    world.wait(9.999)
    assert world.account.unrealized_pnl == 2.0
    touched = world.wait(0.001)
    assert touched == ["instrument MNQ", "position eval/MNQ", "account eval", "portfolio portfolio"]
    assert world.state.instruments["MNQ"].stale
    assert math.isnan(world.position().unrealized_pnl)
    assert math.isnan(world.account.equity)
    assert math.isnan(world.state.portfolio.equity)


def test_the_reason_names_the_silent_instrument(make_world):
    world = make_world(stale_s=10)
    world.fill(1, 21000)
    world.quote(last=21001.0)
    quoted = world.now
    world.wait(12)
    expected = "MNQ: last quote is 12 s old, limit 10 s"
    assert world.position().provenance("unrealized_pnl").reason == expected
    assert world.account.provenance("equity").reason == expected
    assert world.state.portfolio.provenance("equity").reason == expected
    assert world.account.as_of("equity") == quoted


def test_a_new_quote_heals(make_world):
    world = make_world(stale_s=10)
    world.fill(1, 21000)
    world.quote(last=21001.0)
    world.wait(12)
    world.quote(last=21002.0)
    assert world.account.equity == 50004.0
    assert world.state.deadline == world.now + 10 * 10**9


def test_quotes_in_time_keep_prices_fresh_for_ever(make_world):
    world = make_world(stale_s=10)
    for step in range(50):
        world.quote(last=21000.0 + step)
        world.wait(9)
    assert not world.state.instruments["MNQ"].stale


def test_a_quote_that_is_too_old_when_it_arrives_is_stale_at_once(make_world):
    world = make_world(stale_s=10)
    world.quote(last=21000.0, at=world.now - 15 * 10**9)
    assert world.state.instruments["MNQ"].stale


def test_silence_while_the_market_is_closed_is_not_staleness(make_world, make_calendar):
    hours = make_calendar(
        ("2025-05-06T13:30:00Z", "2025-05-06T15:00:00Z"), ("2025-05-07T13:30:00Z", "2025-05-07T20:00:00Z")
    )
    spec = make_world().state.instruments["ACME"].spec
    world = make_world(stale_s=10, calendars={"X": hours}, instruments=(type(spec)(symbol="ACME", calendar="X"),))
    acme = world.state.instruments["ACME"]
    world.at("2025-05-06T14:59:55Z")
    world.quote("ACME", 10.0)
    world.at("2025-05-06T15:00:30Z")
    assert not acme.stale
    world.at("2025-05-07T13:30:09Z")
    assert (acme.stale, acme.session_open) == (False, True)
    world.at("2025-05-07T13:30:10Z")
    assert acme.stale


def test_instruments_can_be_found_by_scope_and_key(world):
    assert world.state.entity(Scope.INSTRUMENT, "MNQ") is world.state.instruments["MNQ"]
    assert world.state.entity(Scope.INSTRUMENT, "NOPE") is None


def test_reasons_before_the_first_quote_and_for_a_missing_side(world):
    instrument = world.state.instruments["MNQ"]
    assert instrument.provenance("mark").reason == "MNQ: no quote yet"
    world.quote(last=1.0, source="sim")
    found = instrument.provenance("bid")
    assert (found.reason, found.source, found.as_of_ns) == (
        "MNQ: the feed gives no bid",
        "quote of sim for MNQ",
        world.now,
    )
    assert instrument.provenance("tick_size").as_of_ns is None


def test_where_no_price_is_known_our_own_fill_is_one_until_a_quote_comes(world):
    world.fill(1, 21000)
    assert (world.position().mark, world.account.equity) == (21000.0, 50000.0)
    world.wait(1)
    world.quote(bid=20989.5, ask=20990.5)
    assert world.position().mark == 20990.0


def test_our_own_fill_does_not_replace_a_known_price(world):
    world.quote(last=21010.0)
    world.fill(1, 21000)
    assert world.position().mark == 21010.0


def test_our_own_fill_grows_stale_like_any_price(make_world):
    world = make_world(stale_s=10)
    world.fill(1, 21000)
    world.wait(10)
    assert math.isnan(world.account.equity)
