"""Accounts: equity, flows, peaks, exposure, what brokers report, and proposed orders."""

import math
from decimal import Decimal

import pytest

from haltline.errors import DataRefused
from haltline.model.account import AccountSpec, MarkSource
from haltline.model.event import ConnectionStatus, InstrumentUpdate
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Intent, Side
from haltline.state.state import State, StateSettings


def trade(world, pnl: str) -> None:
    world.fill(1, 21000, pnl=pnl)
    world.fill(-1, 21000, pnl="0")


def test_a_withdrawal_at_the_peak_is_no_drawdown(make_world):
    world = make_world(balance="100")
    trade(world, "20")
    world.cash("-20")
    account = world.account
    assert (account.equity, account.peak_equity, account.drawdown, account.drawdown_fraction) == (
        100.0,
        100.0,
        0.0,
        0.0,
    )


def test_a_deposit_is_no_profit_and_no_new_peak(make_world):
    world = make_world(balance="100")
    trade(world, "-10")
    world.cash("50")
    account = world.account
    assert (account.equity, account.peak_equity, account.drawdown) == (140.0, 150.0, 10.0)
    assert (account.day.total_pnl, account.day.loss, account.day.start_equity) == (-10.0, 10.0, 150.0)


def test_funding_paid_is_a_loss_of_the_day_and_funding_received_makes_up_for_it(make_world):
    world = make_world(balance="100")
    world.cash("-4", is_result=True)
    account = world.account
    assert (account.equity, account.day.total_pnl, account.drawdown, account.day.fees) == (96.0, -4.0, 4.0, 4.0)
    world.cash("1", is_result=True)
    assert (account.equity, account.day.loss, account.day.fees, account.flows) == (97.0, 3.0, 3.0, 0.0)


def test_s0_18_drawdown_from_the_peak(make_world):
    world = make_world(balance="100")
    trade(world, "20")
    trade(world, "-18")
    assert world.account.drawdown_fraction == 0.15


def test_the_same_flow_twice_counts_once(world):
    world.cash("50", "x")
    world.cash("50", "x")
    assert world.account.balance == 50050.0


def test_open_losses_count_in_equity_loss_and_drawdown(world):
    world.fill(1, 21000, "ES")
    world.quote("ES", 20990.0)
    account = world.account
    assert (account.equity, account.day.loss, account.drawdown, account.total_pnl) == (49500.0, 500.0, 500.0, -500.0)
    world.quote("ES", 21010.0)
    assert (account.day.loss, account.day.total_pnl, account.peak_equity) == (0.0, 500.0, 50500.0)
    world.quote("ES", 21000.0)
    assert (account.day.drawdown, account.session.drawdown, account.week.drawdown) == (500.0, 500.0, 500.0)
    assert account.day.drawdown_fraction == 500.0 / 50500.0


def test_an_open_position_without_a_mark_makes_equity_unknown(make_world):
    world = make_world(mark=MarkSource.CLOSE_SIDE)
    world.fill(1, 21000)
    account = world.account
    assert all(
        math.isnan(value) for value in (account.equity, account.unrealized_pnl, account.day.loss, account.leverage)
    )
    assert account.realized_pnl == 0.0
    world.quote(bid=21000.0)
    assert account.equity == 50000.0


def test_s0_21_leverage(world):
    world.fill(1, 5000, "ES")
    world.quote("ES", 5000.0)
    assert (world.account.gross_notional, world.account.leverage) == (250000.0, 5.0)


def test_leverage_without_equity_is_beyond_every_limit(make_world):
    world = make_world(balance="100")
    world.fill(1, 5000, "ES")
    world.quote("ES", 4990.0)
    assert (world.account.equity, world.account.leverage) == (-400.0, 1e9)


def test_long_short_gross_and_net(world):
    world.fill(1, 5000, "ES")
    world.fill(-1, 21000)
    world.quote("ES", 5000.0)
    world.quote(last=21000.0)
    account = world.account
    assert (account.long_notional, account.short_notional) == (250000.0, 42000.0)
    assert (account.gross_notional, account.net_notional) == (292000.0, 208000.0)
    assert (world.state.portfolio.gross_notional, world.state.portfolio.net_notional) == (292000.0, 208000.0)


def test_s0_05_quantities_are_weighted(world):
    world.fill(3, 21000)
    world.fill(-2, 5000, "ES")
    assert (world.account.net_quantity, world.account.gross_quantity) == (-17.0, 23.0)


def test_s0_20_concentration(make_world):
    specs = tuple(InstrumentSpec(symbol=symbol) for symbol in "ABC")
    world = make_world(instruments=specs)
    for symbol, quantity in (("A", 50), ("B", -30), ("C", 20)):
        world.fill(quantity, 10, symbol)
        world.quote(symbol, 10.0)
    assert world.account.hhi == pytest.approx(0.38)
    assert world.account.max_symbol_share == 0.5


def test_nothing_held_is_no_concentration_and_no_leverage(world):
    account = world.account
    assert (account.hhi, account.max_symbol_share, account.leverage, account.margin_used) == (0.0, 0.0, 0.0, 0.0)


def test_without_any_balance_equity_is_unknown_and_profit_is_not(make_world):
    world = make_world(balance="0")
    trade(world, "-10")
    account = world.account
    assert all(
        math.isnan(value) for value in (account.balance, account.equity, account.day.start_equity, account.leverage)
    )
    assert account.day.loss == 10.0
    assert account.unknown_reason("equity").startswith("no balance of eval is known")
    assert math.isnan(world.state.portfolio.equity)


def test_the_brokers_first_balance_replaces_the_configured_one_without_profit(world):
    world.broker(balance=Decimal("48000"))
    account = world.account
    assert (account.equity, account.day.total_pnl, account.peak_equity, account.drawdown) == (
        48000.0,
        0.0,
        48000.0,
        0.0,
    )


def test_a_later_change_of_the_brokers_balance_is_profit_or_loss(world):
    world.broker(balance=Decimal("50000"))
    world.wait(1)
    world.broker(balance=Decimal("49900"))
    assert (world.account.day.loss, world.account.day.realized_pnl) == (100.0, 0.0)


def test_a_fill_that_the_reported_balance_already_holds_does_not_move_it(world):
    world.wait(5)
    world.broker(balance=Decimal("49990"))
    world.fill(1, 21000, pnl="-10", at=world.now - 10**9)
    assert (world.account.balance, world.account.realized_pnl) == (49990.0, -10.0)


def test_a_report_older_than_the_newest_is_ignored(world):
    world.broker(balance=Decimal("50000"), can_trade=True)
    world.broker(balance=Decimal("1"), can_trade=False, at=world.now - 1)
    assert (world.account.balance, world.account.can_trade) == (50000.0, True)


def test_what_the_broker_has_not_said_is_unknown(world):
    account = world.account
    assert (account.can_trade, account.connected) == (None, None)
    assert account.provenance("can_trade").reason == "the broker of eval has not said"


def test_reported_figures_win_over_computed_ones(world):
    world.broker(equity=49000.0, margin_used=5000.0, margin_available=44000.0, can_trade=False)
    account = world.account
    assert (account.reported_equity, account.equity, account.can_trade) == (49000.0, 50000.0, False)
    assert (account.margin_used, account.margin_available, account.margin_utilization) == (5000.0, 44000.0, 0.1)


@pytest.mark.parametrize(("status", "connected"), [(s, s is ConnectionStatus.CONNECTED) for s in ConnectionStatus])
def test_connections(world, status, connected):
    assert world.connection(status) == ["account eval", "portfolio portfolio"]
    assert world.account.connected is connected


@pytest.mark.parametrize("name", ["equity", "margin_used"])
def test_an_account_report_that_is_not_finite_is_refused(world, name):
    with pytest.raises(DataRefused, match="E603"):
        world.broker(**{name: float("nan")})
    assert math.isnan(getattr(world.account, f"reported_{name}"))


def test_flows_that_are_not_finite_are_refused(world):
    with pytest.raises(DataRefused, match="E603"):
        world.cash("NaN")


def test_a_report_that_contradicts_fills_wins_and_makes_data_suspect(world):
    world.fill(2, 21000)
    world.report(3, 21010)
    assert (world.position().quantity, world.position().average_price, world.account.data_suspect) == (
        3.0,
        21010.0,
        True,
    )
    world.report(3, 21010)
    assert not world.account.data_suspect


def test_a_report_that_agrees_but_for_rounding_changes_nothing(world):
    world.fill(1, 21000)
    world.fill(2, "21000.25")
    before = world.position().lot
    world.report(3, "21000.166666666667")
    assert (world.position().lot, world.account.data_suspect) == (before, False)


def test_a_report_of_flat_ends_the_position(world):
    world.report(2, 21000)
    world.report(0, 0)
    assert world.account.open_positions == 0


def test_a_report_older_than_the_newest_fill_is_ignored(world):
    world.fill(2, 21000)
    world.report(5, 21000, at=world.now - 1)
    assert world.position().quantity == 2.0


def test_a_fill_that_a_report_already_holds_does_not_move_the_position(world):
    world.wait(5)
    world.report(2, 21000)
    world.fill(2, 21000, at=world.now - 10**9)
    assert (world.position().quantity, world.account.day.fills) == (2.0, 1)


def test_where_the_broker_pushes_positions_fills_only_count(make_world):
    world = make_world(from_broker=True)
    world.fill(2, 21000, fee="1")
    assert (world.account.open_positions, world.account.day.entries, world.account.fees) == (0, 1, 1.0)
    world.report(2, 21000)
    world.wait(1)
    world.fill(-2, 21010)
    assert (world.position().quantity, world.account.day.realized_pnl, world.account.data_suspect) == (2.0, 40.0, False)


@pytest.mark.parametrize(
    ("change", "code"), [({"price": -1}, "E604"), ({"quantity": "NaN"}, "E603"), ({"margin": math.inf}, "E603")]
)
def test_an_unusable_position_report_is_refused(world, change, code):
    with pytest.raises(DataRefused, match=code):
        world.report(**{"quantity": 1, "price": 1, **change})


def test_new_economics_revalue_what_is_open(world):
    world.fill(1, 21000)
    world.quote(last=21010.0)
    spec = InstrumentSpec(symbol="MNQ", tick_size=Decimal("0.25"), tick_value=Decimal(5))
    world.apply(InstrumentUpdate(at=world.now, received_at=world.now, spec=spec))
    assert (world.account.unrealized_pnl, world.account.equity) == (200.0, 50200.0)
    world.fill(-1, 21010)
    assert world.account.realized_pnl == 200.0


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (InstrumentSpec(symbol="NEW", aliases=("ES",)), "E611"),
        (InstrumentSpec(symbol="NEW", calendar="NOWHERE"), "E612"),
        (InstrumentSpec(symbol="NEW", weight=float("nan")), "E603"),
        (InstrumentSpec(symbol="NEW", weight=0.0), "E604"),
    ],
)
def test_unusable_economics_are_refused(world, spec, code):
    assert world.refused(InstrumentUpdate(at=world.now, received_at=world.now, spec=spec)) == code


def test_a_new_instrument_can_be_quoted(world):
    world.apply(
        InstrumentUpdate(at=world.now, received_at=world.now, spec=InstrumentSpec(symbol="NEW", aliases=("N",)))
    )
    assert [entity.key for entity in world.state.created] == ["NEW"]
    world.quote("N", 5.0)
    assert world.state.instruments["NEW"].last == 5.0


def test_a_portfolio_of_two_currencies_has_no_sum():
    specs = (AccountSpec(id="a", currency="USD"), AccountSpec(id="b", currency="EUR"))
    portfolio = State(StateSettings(accounts=specs)).portfolio
    assert math.isnan(portfolio.equity)
    assert portfolio.provenance("equity").reason == "accounts differ in currency (EUR, USD)"


def test_portfolio_sums(world):
    world.fill(1, 21000, fee="1")
    world.fill(1, 21000, account="second")
    world.quote(last=20990.0)
    portfolio = world.state.portfolio
    assert (portfolio.balance, portfolio.unrealized_pnl, portfolio.equity) == (99999.0, -40.0, 99959.0)
    assert (portfolio.day_pnl, portfolio.day_loss, portfolio.fees, portfolio.realized_pnl) == (-41.0, 41.0, 1.0, 0.0)
    assert (portfolio.open_positions, portfolio.account_count, portfolio.working_orders) == (2, 2, 0)


def propose(world, side: Side, quantity: float, **rest: object):
    return world.state.intent(Intent(account="eval", symbol="MNQ", side=side, quantity=quantity, **rest))


def test_a_proposed_order_shows_what_it_would_do(world):
    world.fill(2, 21000)
    world.quote(bid=20999.0, ask=21001.0)
    intent = propose(world, Side.BUY, 1.0, stop_price=20951.0, confidence=0.7, source="bot", strategy="s")
    assert (intent.price, intent.notional, intent.risk) == (21001.0, 42002.0, 100.0)
    assert (intent.position_quantity, intent.resulting_quantity, intent.increases) == (2.0, 3.0, True)
    assert (intent.confidence, intent.origin, intent.strategy, intent.side) == (0.7, "bot", "s", "buy")
    assert not propose(world, Side.SELL, 2.0).increases
    assert propose(world, Side.SELL, 3.0).increases


def test_a_proposal_without_prices_says_why(world):
    intent = propose(world, Side.SELL, 1.0)
    assert math.isnan(intent.notional)
    assert intent.unknown_reason("notional") == "MNQ: no quote yet"
    assert intent.unknown_reason("risk") == "the order was proposed without stop_price"
    assert propose(world, Side.SELL, 1.0, price=5.0).notional == 10.0


@pytest.mark.parametrize("quantity", [0.0, -1.0, math.nan, math.inf])
def test_a_proposal_of_no_usable_size_is_refused(world, quantity):
    with pytest.raises(DataRefused):
        propose(world, Side.BUY, quantity)
