"""Fills: economics, netting, counters, voids, duplicates, the broker's own profit, and what is refused."""

from decimal import Decimal

import pytest

from haltline.model.rule import Scope


@pytest.mark.parametrize(
    ("symbol", "point_value"),
    [("NQ", 20), ("MNQ", 2), ("ES", 50), ("MES", 5), ("YM", 5), ("MYM", 0.5), ("RTY", 50), ("M2K", 5)],
)
def test_contract_economics(world, symbol, point_value):
    world.fill(1, 5000, symbol)
    world.fill(-1, 5010, symbol)
    assert world.account.realized_pnl == 10 * point_value


def test_two_mnq_lots_earn_40_dollars_on_ten_points(world):
    world.fill(2, 21000)
    world.quote(last=21010.0)
    assert world.position().unrealized_pnl == 40.0
    world.fill(-2, 21010)
    assert world.account.day.realized_pnl == 40.0


def test_one_es_lot_earns_500_dollars_on_ten_points(world):
    world.fill(-1, 5010, "ES")
    world.fill(1, 5000, "ES")
    assert world.account.day.realized_pnl == 500.0


def test_a_partial_close_keeps_the_average_and_realizes_its_part(world):
    world.fill(4, 21000)
    world.fill(-1, 21010)
    position = world.position()
    assert (position.quantity, position.average_price, world.account.realized_pnl) == (3.0, 21000.0, 20.0)


def test_a_flip_ends_the_position_and_begins_another(world):
    world.fill(2, 21000)
    first = world.position()
    world.fill(-3, 21010)
    second = world.position()
    assert world.state.removed == [first]
    assert second in world.state.created
    assert (second.side, second.quantity, second.average_price) == ("short", -1.0, 21010.0)
    assert (world.account.realized_pnl, world.account.day.entries, world.account.day.round_trips) == (40.0, 2, 1)


def test_going_flat_removes_the_position(world):
    world.fill(2, 21000)
    world.fill(-2, 21000)
    assert world.account.open_positions == 0
    assert world.state.instruments["MNQ"].positions == []
    assert world.account.equity == 50000.0


def test_fees_are_a_cost_of_their_own(world):
    world.fill(1, 21000, fee="1.5")
    world.fill(-1, 20990, fee="1.5")
    day = world.account.day
    assert (day.realized_pnl, day.fees, day.net_realized_pnl) == (-20.0, 3.0, -23.0)
    assert (day.realized_loss, day.net_realized_loss, day.loss) == (20.0, 23.0, 23.0)
    assert world.account.balance == 49977.0


def test_the_brokers_profit_is_the_one_that_counts(world):
    for pnl in ("-200", "-150", None, "-149.99"):
        world.fill(1, 21000, pnl=pnl)
    assert world.account.day.realized_pnl == -499.99
    world.fill(1, 21000, pnl="-0.01")
    assert world.account.day.realized_pnl == -500.0


def test_cents_add_up_exactly(world):
    for _ in range(1000):
        world.fill(1, 21000, pnl="-0.1")
    assert world.account.day.realized_loss == 100.0


def test_the_same_fill_twice_counts_once(world):
    event = world.fill(1, 21000, fee="1")
    world.apply(event)
    assert (world.position().quantity, world.account.fees, world.account.day.fills) == (1.0, 1.0, 1)


def test_open_close_and_open_again_at_once_are_three_fills(world):
    world.fill(1, 21000)
    world.fill(-1, 21000)
    world.fill(1, 21000)
    assert (world.account.day.fills, world.account.day.entries, world.position().quantity) == (3, 2, 1.0)


def test_a_voided_fill_leaves_no_trace(world):
    world.fill(2, 21000, fee="1")
    kept = world.account.fills[0]
    bad = world.fill(-2, 20000, fee="1")
    assert world.account.loss_streak == 1
    world.apply(world.make_fill(-2, 20000, fill_id=bad.fill_id, voided=True))
    account = world.account
    assert [fill.voided for fill in world.state.removed if fill.scope is Scope.FILL] == [True]
    assert (account.balance, account.realized_pnl, account.fees, account.loss_streak) == (49999.0, 0.0, 1.0, 0)
    assert (account.day.fills, account.day.round_trips, world.position().quantity) == (1, 0, 2.0)
    assert list(account.fills) == [kept]


def test_a_void_settles_later_fills_anew(world):
    first = world.fill(1, 21000)
    world.fill(1, 21010)
    world.fill(-1, 21020)
    assert world.account.realized_pnl == 30.0
    world.apply(world.make_fill(1, 21000, fill_id=first.fill_id, voided=True))
    assert (world.account.realized_pnl, world.account.fills[-1].pnl, world.account.open_positions) == (20.0, 20.0, 0)


def test_voiding_twice_takes_back_once(world):
    event = world.fill(1, 21000, fee="1")
    for _ in range(2):
        world.apply(world.make_fill(1, 21000, fill_id=event.fill_id, voided=True))
    assert (world.account.fees, world.account.open_positions, world.account.day.fills) == (0.0, 0, 0)


def test_a_fill_that_was_voided_does_not_come_back(world):
    event = world.fill(1, 21000)
    world.apply(world.make_fill(1, 21000, fill_id=event.fill_id, voided=True))
    world.apply(event)
    assert world.account.open_positions == 0


def test_voiding_an_unknown_fill_is_refused(world):
    assert world.refused(world.make_fill(1, 21000, voided=True)) == "E609"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"account": "nobody"}, "E601"),
        ({"symbol": "WHAT"}, "E602"),
        ({"price": "NaN"}, "E603"),
        ({"price": "Infinity"}, "E603"),
        ({"price": "1e18"}, "E603"),
        ({"price": "1e1000000"}, "E603"),
        ({"price": "0"}, "E604"),
        ({"price": "-5"}, "E604"),
        ({"fee": Decimal("NaN")}, "E603"),
        ({"fee": Decimal("-1")}, "E608"),
        ({"pnl": Decimal("Infinity")}, "E603"),
        ({"quantity": "Infinity"}, "E603"),
    ],
)
def test_an_unusable_fill_is_refused_and_changes_nothing(world, change, code):
    world.fill(1, 21000)
    fields = {"quantity": "1", "price": "21000", **change}
    assert world.refused(world.make_fill(**fields)) == code


def test_a_fill_between_ticks_counts_and_makes_the_data_suspect_until_one_lies_on_the_tick(world):
    world.fill(1, "21000.10")
    assert world.position("MNQ").quantity == 1.0
    assert "not a multiple of tick size" in world.account.suspects["MNQ tick"]
    world.fill(1, "21000.25")
    assert not world.account.data_suspect


def test_a_quantity_of_zero_is_refused(world):
    assert world.refused(world.make_fill("-0", 21000)) == "E604"


def test_shares_may_fill_between_ticks(world):
    world.fill(1, "10.0025", "ACME")
    assert world.position("ACME").average_price == 10.0025


def test_streak_and_last_close(world):
    for pnl in ("-1", "-2", None, "-3"):
        world.fill(1, 21000, pnl=pnl)
    world.fill(-5, 21000, pnl="-4")
    assert (world.account.loss_streak, world.account.last_closing_pnl) == (1, -4.0)


def test_a_run_of_losing_closes_is_counted_until_a_gain(world):
    world.fill(5, 21000)
    for price in (20990, 20980, 20970):
        world.fill(-1, price)
    assert world.account.loss_streak == 3
    world.fill(-1, 21010)
    assert (world.account.loss_streak, world.account.last_closing_pnl) == (0, 20.0)


def test_a_profit_whose_sign_denies_its_prices_makes_data_suspect_until_one_agrees(world):
    world.fill(3, 21000)
    world.fill(-1, 20000, pnl="2000")
    assert world.account.data_suspect
    world.fill(-1, 20000, pnl="-2000")
    assert not world.account.data_suspect


def test_a_fill_entity_tells_what_it_did(world):
    world.fill(2, 21000, fee="1", order_id="o1")
    world.wait(5)
    fill = world.account.fills[0]
    assert (fill.key, fill.side, fill.opens, fill.closes, fill.pnl, fill.net_pnl) == (
        "eval/f1",
        "buy",
        True,
        False,
        0.0,
        -1.0,
    )
    assert (fill.order_id, fill.notional, fill.age, fill.as_of("pnl")) == ("o1", 84000.0, 5.0, fill.at_ns)
    assert world.state.entity(Scope.FILL, "eval/f1") is fill


def test_every_fill_touches_the_account_the_position_and_the_portfolio(world):
    world.quote(last=21000.0)
    touched = world.apply(world.make_fill(1, 21000))
    assert set(touched) == {
        "fill eval/f1", "instrument MNQ", "position eval/MNQ", "account eval", "portfolio portfolio",
    }  # fmt: skip
