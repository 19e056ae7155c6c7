"""Everything a rule reads is looked at, not only its condition; and what an instrument is worth may change."""

from decimal import Decimal

from haltline.clock import NS_PER_S
from haltline.model.event import InstrumentUpdate, OrderUpdate
from haltline.model.instrument import AssetClass, InstrumentSpec
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, OnUnknown, RuleSpec, Scope, Step


def rule(each: Scope, text: str, **more) -> RuleSpec:
    return RuleSpec(id="r", each=each, when=text, **more)


def market_order(made, order_id: str = "m", status: OrderStatus = OrderStatus.WORKING):
    report = OrderReport(
        account="eval",
        order_id=order_id,
        symbol="MNQ",
        side=Side.BUY,
        quantity=Decimal(1),
        type=OrderType.MARKET,
        status=status,
    )
    return made.send(OrderUpdate(at=made.now, received_at=made.now, order=report))


def spec(**more) -> InstrumentSpec:
    economics = {"tick_size": Decimal("0.25"), "tick_value": Decimal("0.5"), **more}
    return InstrumentSpec(symbol="MNQ", **economics)


def update(made, **more):
    return made.send(InstrumentUpdate(at=made.now, received_at=made.now, spec=spec(**more)))


class TestBeyondTheCondition:
    def test_what_clears_a_rule_is_looked_at_when_time_passes(self, world):
        made = world(rule(Scope.ACCOUNT, "account.open_positions > 0", clear="clock.now >= 1746540010"))
        made.fill(1, 21_000)
        made.fill(-1, 21_000)
        made.at(10)
        assert made.phases == ["r breached", "r resolved"]

    def test_what_clears_a_rule_may_be_of_another_entity(self, world):
        made = world(rule(Scope.INSTRUMENT, "instrument.last > 20500", clear="portfolio.open_positions == 0"))
        made.quote(5_000, "MES")
        made.quote(20_000)
        made.fill(1, 5_000, "MES")
        made.forget()
        made.quote(21_000)
        made.quote(20_000)
        made.fill(-1, 5_000, "MES")
        assert made.phases == ["r breached", "r resolved"]

    def test_a_higher_rung_may_depend_on_another_entity(self, world):
        rungs = (Step(threshold=1, then=()), Step(threshold="2 - portfolio.working_orders", then=()))
        limit = LimitSpec(value="abs(position.quantity)", comparison=Comparison.MAX, steps=rungs)
        made = world(RuleSpec(id="r", each=Scope.POSITION, limit=limit))
        made.fill(2, 21_000)
        assert made.results[-1].transitions[-1].step == 0
        made.order("o", 1, symbol="MES")
        assert made.results[-1].transitions[-1].step == 1

    def test_what_an_action_follows_may_be_of_another_entity(self, world):
        then = (ActionSpec(name="place_stop", params={"price": "20000 + portfolio.working_orders"}),)
        made = world(rule(Scope.POSITION, "position.quantity > 0", then=then))
        made.fill(1, 21_000)
        made.order("o", 1, symbol="MES")
        assert made.actions == ["place_stop", "place_stop"]


class TestMarketOrders:
    def test_what_a_market_order_is_worth_follows_the_quotes(self, world):
        made = world(rule(Scope.ORDER, "order.notional > 50000"))
        made.quote(20_000)
        market_order(made)
        made.quote(26_000)
        assert made.phases == ["r breached"]

    def test_the_sum_of_orders_follows_the_quotes_after_a_restart_too(self, world):
        made = world(rule(Scope.ACCOUNT, "sum(o.notional for o in account.orders) > 50000"))
        made.quote(20_000)
        market_order(made)
        made.restart().quote(26_000)
        assert made.phases == ["r breached"]

    def test_an_order_that_is_over_follows_nothing(self, world):
        made = world()
        market_order(made)
        market_order(made, status=OrderStatus.FILLED)
        assert made.kernel.state.instruments["MNQ"].floating == []


class TestNewEconomics:
    def test_a_rule_of_a_position_hears_that_its_instrument_became_another(self, world):
        made = world(rule(Scope.POSITION, 'position.asset_class == "option"'))
        made.fill(1, 21_000)
        update(made, asset_class=AssetClass.OPTION)
        assert made.phases == ["r breached"]

    def test_a_rule_of_an_order_hears_of_a_new_tick_value(self, world):
        made = world(rule(Scope.ORDER, "order.notional > 50000"))
        made.order("o", 1)  # at 20,000
        update(made, tick_value=Decimal(5))
        assert made.phases == ["r breached"]

    def test_a_new_limit_of_age_makes_a_frozen_feed_stale(self, world):
        made = world(rule(Scope.INSTRUMENT, "instrument.stale"))
        made.quote(21_000)
        made.at(5)
        update(made, stale_after_ns=10 * NS_PER_S)
        made.at(9.9)
        assert made.phases == []
        made.at(10)
        assert made.phases == ["r breached"]

    def test_a_new_limit_of_age_that_is_passed_already_makes_prices_unknown_at_once(self, world):
        made = world(rule(Scope.POSITION, "position.unrealized_pnl < -100", on_unknown=OnUnknown.BLOCK))
        made.fill(1, 21_000)
        made.quote(21_000)
        made.at(30)
        made.forget()
        update(made, stale_after_ns=10 * NS_PER_S)
        made.at(31)
        assert "r unknown" in made.phases

    def test_new_economics_of_what_is_stale_leave_it_stale(self, world):
        made = world(stale_after_s=10)
        made.quote(21_000)
        made.at(20)
        update(made, stale_after_ns=600 * NS_PER_S)
        assert made.kernel.state.instruments["MNQ"].stale
