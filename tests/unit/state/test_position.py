"""Positions: protection by stops, extremes, ratios, margins, and what a broker reports."""

import math
from decimal import Decimal

import pytest

from haltline.errors import DataRefused
from haltline.model.account import MarkSource
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderStatus, OrderType
from haltline.model.rule import Scope


def long_two(world):
    world.fill(2, 21000)
    world.quote(last=21000.0)
    return world.position()


def test_s0_12_case_1_no_stop(world):
    assert not long_two(world).protected


def test_s0_12_case_2_a_limit_order_is_no_stop(world):
    position = long_two(world)
    world.order("o", -2, OrderType.LIMIT, limit_price=20900)
    assert not position.protected


def test_s0_12_case_3_a_stop_on_the_wrong_side_of_the_price(world):
    position = long_two(world)
    world.order("o", -2, stop_price=21100)
    assert not position.protected


def test_a_stop_that_would_enlarge_the_position_protects_nothing(world):
    position = long_two(world)
    world.order("o", 2, stop_price=20900)
    assert not position.protected


def test_s0_12_case_4_a_stop_for_half_the_size(world):
    position = long_two(world)
    world.order("o", -1, stop_price=20900)
    assert not position.protected


@pytest.mark.parametrize("kind", [OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP])
def test_s0_12_case_5_a_stop_for_the_whole_size(world, kind):
    position = long_two(world)
    touched = world.order("o", -2, kind, stop_price=20900)
    assert position.protected
    assert (position.stop_price, position.stop_distance) == (20900.0, 100.0)
    assert set(touched) == {"order eval/o", "position eval/MNQ", "account eval", "portfolio portfolio"}


@pytest.mark.parametrize(
    "status", [OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.FILLED]
)
def test_s0_12_case_6_a_stop_that_no_longer_works(world, status):
    position = long_two(world)
    world.order("o", -2, stop_price=20900)
    world.order("o", -2, stop_price=20900, status=status)
    assert not position.protected
    assert math.isnan(position.stop_price)


def test_s0_12_case_7_the_size_doubles(world):
    position = long_two(world)
    world.order("o", -2, stop_price=20900)
    world.fill(2, 21000)
    assert not position.protected


def test_two_stops_together_protect_and_the_farthest_counts(world):
    position = long_two(world)
    world.order("a", -1, stop_price=20900)
    world.order("b", -1, stop_price=20800)
    assert (position.protected, position.stop_price) == (True, 20800.0)


def test_a_partly_filled_stop_protects_only_what_remains(world):
    position = long_two(world)
    world.order("o", -2, stop_price=20900, filled=1, status=OrderStatus.PARTIALLY_FILLED)
    assert not position.protected


def test_a_stop_that_locks_in_profit_protects(world):
    position = long_two(world)
    world.quote(last=21200.0)
    world.order("o", -2, stop_price=21100)
    assert position.protected


def test_a_short_is_protected_by_a_buy_stop_above(world):
    world.fill(-2, 21000)
    world.order("o", 2, stop_price=21100)
    assert (world.position().protected, world.position().stop_distance) == (True, 100.0)


def test_a_trailing_stop_known_only_by_its_distance_protects(world):
    position = long_two(world)
    world.order("o", -2, OrderType.TRAILING_STOP, trail=50)
    assert (position.protected, position.stop_price) == (True, 20950.0)


def test_an_order_that_was_there_before_the_fill_protects(world):
    world.order("o", -2, stop_price=20900)
    assert long_two(world).protected


def test_extremes_since_the_opening(world):
    position = long_two(world)
    for price in (21050.0, 20950.0, 21010.0):
        world.quote(last=price)
    assert (position.best_price, position.worst_price) == (21050.0, 20950.0)


def test_extremes_of_a_short_are_mirrored(world):
    world.fill(-1, 21000)
    for price in (21050.0, 20950.0):
        world.quote(last=price)
    assert (world.position().best_price, world.position().worst_price) == (20950.0, 21050.0)


def test_profit_in_ticks_fraction_and_multiples_of_risk(world):
    position = long_two(world)
    world.order("o", -2, stop_price=20950)
    world.quote(last=21100.0)
    assert (position.unrealized_ticks, position.r_multiple) == (400.0, 2.0)
    assert position.unrealized_fraction == 400.0 / 84000.0


def test_the_first_stop_is_the_one_that_risk_is_measured_by(world):
    position = long_two(world)
    world.order("o", -2, stop_price=20950)
    world.order("o", -2, stop_price=20990)
    world.quote(last=21100.0)
    assert position.r_multiple == 2.0


def test_s0_08_a_long_loses_300_dollars_at_exactly_75_points(world):
    position = long_two(world)
    world.quote(last=20925.25)
    assert position.unrealized_pnl == -299.0
    world.quote(last=20925.0)
    assert position.unrealized_pnl == -300.0


def test_signs_of_a_short(world):
    world.fill(-2, 21000)
    world.quote(last=20990.0)
    position = world.position()
    assert (position.side, position.quantity, position.unrealized_pnl) == ("short", -2.0, 40.0)
    assert (position.notional, position.net_notional) == (83960.0, -83960.0)


def test_a_broker_adds_what_only_it_knows(world):
    world.report(
        2, 21000, liquidation_price=19000.0, margin=1500.0, leverage=20.0, strategy="trend", opened_at=world.now - 10**9
    )
    world.quote(last=20000.0)
    position = world.position()
    assert (position.liquidation_price, position.margin, position.leverage, position.strategy) == (
        19000.0,
        1500.0,
        20.0,
        "trend",
    )
    assert (position.liquidation_buffer, position.age) == (0.05, 1.0)


@pytest.mark.parametrize(
    ("terms", "margin"), [({"initial_margin": "150"}, 300.0), ({"margin_fraction": "0.1"}, 400.0), ({}, None)]
)
def test_margin_from_the_instruments_terms(make_world, terms, margin):
    spec = InstrumentSpec(symbol="X", **{name: Decimal(value) for name, value in terms.items()})
    world = make_world(instruments=(spec,))
    world.fill(2, 2000, "X")
    world.quote("X", 2000.0)
    if margin is None:
        assert math.isnan(world.account.margin_used)
    else:
        assert (world.position("X").margin, world.account.margin_used) == (margin, margin)
        assert world.account.margin_available == 50000.0 - margin


def test_age_and_keys(world):
    position = long_two(world)
    world.wait(5)
    assert (position.key, position.account_id, position.age, position.opened_at) == (
        "eval/MNQ",
        "eval",
        5.0,
        position.opened_ns / 1e9,
    )
    assert world.state.entity(Scope.POSITION, "eval/MNQ") is position


def test_reasons_for_what_is_unknown(make_world):
    world = make_world(mark=MarkSource.CLOSE_SIDE)
    world.fill(1, 21000)
    position = world.position()
    assert position.unknown_reason("mark") == "MNQ: the feed gives no bid"
    assert position.unknown_reason("stop_price") == "no stop protects the position"
    assert position.unknown_reason("r_multiple") == "MNQ: the feed gives no bid"
    world.quote(bid=21000.0)
    assert position.unknown_reason("r_multiple") == "the position never had a stop"
    assert position.unknown_reason("liquidation_price") == "the broker does not report it"
    assert position.unknown_reason("symbol") == ""


def test_orders_older_than_the_newest_word_or_after_their_end_change_nothing(world):
    world.order("o", -2, stop_price=20900)
    world.order("o", -2, stop_price=20900, status=OrderStatus.CANCELLED)
    world.order("o", -2, stop_price=20900)
    assert world.account.working_orders == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"account": "nobody"}, "E601"),
        ({"symbol": "WHAT"}, "E602"),
        ({"stop_price": 0}, "E604"),
        ({"stop_price": float("nan")}, "E603"),
        ({"filled": 3}, "E610"),
    ],
)
def test_an_unusable_order_is_refused(world, change, code):
    with pytest.raises(DataRefused) as refusal:
        world.order("o", 2, **change)
    assert refusal.value.code == code
    assert world.account.working_orders == 0


def test_what_an_order_says_of_itself(world):
    world.order("o", 3, OrderType.LIMIT, limit_price=100, symbol="ACME", filled=1, status=OrderStatus.PARTIALLY_FILLED)
    order = world.account.order_book["o"]
    world.wait(2)
    assert (order.remaining, order.notional, order.age, order.working, order.increases) == (2.0, 200.0, 2.0, True, True)
    assert order.unknown_reason("stop_price") == "a limit order has no stop_price"


@pytest.mark.parametrize(("held", "ordered", "reduce_only", "expected"), [
    (0, 1, False, True), (2, 1, False, True), (2, -2, False, False), (2, -4, False, True), (2, -5, False, True),
    (2, 1, True, False), (-2, 1, False, False),
])  # fmt: skip
def test_whether_an_order_increases_exposure(world, held, ordered, reduce_only, expected):
    if held:
        world.fill(held, 21000)
    world.order("o", ordered, OrderType.MARKET, reduce_only=reduce_only)
    assert world.account.order_book["o"].increases is expected


def test_a_rejected_order_is_seen_once_and_not_kept(world):
    touched = world.order("o", 1, status=OrderStatus.REJECTED, reason="no margin")
    assert "order eval/o" in touched
    assert [entity.key for entity in world.state.removed] == ["eval/o"]
    assert world.account.working_orders == 0


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-Infinity", "-5"])
def test_a_report_that_a_position_is_flat_counts_whatever_price_comes_with_it(world, price):
    long_two(world)
    world.report(0, price)
    assert world.account.book == {}
