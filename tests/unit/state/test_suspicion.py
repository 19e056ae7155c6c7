"""What speaks against prices, and who sent an order."""

import math

import pytest

from haltline.model.event import Quote
from haltline.model.order import OrderStatus
from haltline.model.origin import Origin, origin_of
from haltline.state.backing import is_backed
from haltline.state.state import State
from haltline.state.suspicion import note_refused

SECOND = 10**9


def refuse(world, bid=21_010.0, ask=21_000.0):
    quote = Quote(at=world.now, received_at=world.now, symbol="MNQ", bid=bid, ask=ask)
    world.state.note_refused(quote, world.now, "bid above ask")


def test_after_a_refused_quote_no_price_is_backed_until_a_good_one_comes(world):
    world.quote(bid=21_000.0, ask=21_000.25)
    world.quote(bid=21_000.25, ask=21_000.5)
    mnq = world.state.instruments["MNQ"]
    assert is_backed(mnq, 0)
    world.wait(1)
    refuse(world)
    assert not is_backed(mnq, 0)
    assert mnq.suspect_reason == "MNQ: the newest quote could not be used: bid above ask"
    world.quote(bid=21_000.25, ask=21_000.5)
    assert is_backed(mnq, 0)
    assert mnq.suspect_reason == ""
    assert mnq.refused_quotes == 1


def test_an_old_quote_that_is_refused_late_speaks_against_nothing(world):
    world.quote(bid=21_000.0, ask=21_000.25)
    world.wait(5)
    world.quote(bid=21_000.0, ask=21_000.25)
    mnq = world.state.instruments["MNQ"]
    note_refused(mnq, world.now - SECOND, "late")
    assert not mnq.was_refused
    assert mnq.refused_quotes == 1


def test_a_refused_quote_of_an_unknown_symbol_changes_nothing(world):
    quote = Quote(at=world.now, received_at=world.now, symbol="WHAT", bid=1.0)
    world.state.note_refused(quote, world.now, "unknown")
    assert all(item.refused_quotes == 0 for item in world.state.instruments.values())


def test_before_any_quote_nothing_is_known_of_moves(world):
    mnq = world.state.instruments["MNQ"]
    assert all(math.isnan(value) for value in (mnq.jump, mnq.gap, mnq.lag, mnq.still_since))
    assert mnq.suspect_reason == ""


def test_jump_and_gap_are_between_the_two_newest_quotes(world):
    world.quote(last=20_000.0)
    world.wait(7)
    world.quote(last=21_000.0)
    mnq = world.state.instruments["MNQ"]
    assert (mnq.jump, mnq.gap) == (0.05, 7.0)
    assert "nothing else shows it" in mnq.suspect_reason


@pytest.mark.parametrize(
    ("second", "moved"),
    [
        ({"bid": 100.0, "ask": 101.0}, False),
        ({"bid": 100.0}, False),
        ({"bid": 100.5, "ask": 101.0}, True),
        ({"ask": 100.75}, True),
        ({"last": 100.25}, True),
    ],
)
def test_a_price_moves_where_a_side_or_the_mark_is_another_one(world, second, moved):
    world.quote(bid=100.0, ask=101.0)
    mnq = world.state.instruments["MNQ"]
    first = mnq.moved_at
    world.wait(1)
    world.quote(**second)
    assert (mnq.moved_at > first) is moved


def test_a_feed_of_last_trades_alone_stands_still_where_they_repeat(world):
    world.quote(last=100.0)
    mnq = world.state.instruments["MNQ"]
    first = mnq.moved_at
    world.wait(1)
    world.quote(last=100.0)
    assert mnq.moved_at == first


def test_what_speaks_against_prices_outlives_a_restart(world):
    world.quote(bid=100.0, ask=101.0)
    world.wait(1)
    world.quote(symbol="MES", last=5_000.0)
    world.wait(1)
    refuse(world)
    again = State(world.state.settings)
    again.restore(world.state.snapshot())
    old, new = world.state.instruments["MNQ"], again.instruments["MNQ"]
    assert (new.lag, new.moved_at, new.suspect_reason) == (old.lag, old.moved_at, old.suspect_reason) != (0, 0, "")


@pytest.mark.parametrize(
    ("client_id", "origin"),
    [
        ("hl-0123", Origin.HALTLINE), ("", Origin.MANUAL), ("web_1", Origin.MANUAL), ("ios_9", Origin.MANUAL),
        ("my-bot-7", Origin.TOOL), ("HL-0123", Origin.TOOL), ("autoclose-1", Origin.VENUE),
    ],
)  # fmt: skip
def test_an_order_is_told_apart_by_its_client_id(client_id, origin):
    assert origin_of(client_id) is origin


def test_a_fill_is_of_the_origin_of_its_order_before_and_after_that_has_ended(world):
    world.order("a", 1, client_id="hl-1")
    world.fill(1, 21_000, order_id="a")
    (fill,) = world.state.accounts["eval"].fills
    assert fill.origin == "haltline"
    world.order("a", 1, client_id="hl-1", status=OrderStatus.FILLED)
    assert fill.origin == "haltline"


def test_a_fill_of_no_order_that_was_heard_of_is_of_unknown_origin(world):
    world.fill(1, 21_000)
    (fill,) = world.state.accounts["eval"].fills
    assert fill.origin is None


def test_a_fill_that_comes_before_its_order_is_looked_at_again(world):
    world.fill(1, 21_000, order_id="late")
    world.order("late", 1, client_id="my-bot")
    (fill,) = world.state.accounts["eval"].fills
    assert fill.origin == "tool"
    assert fill in world.state.touched
