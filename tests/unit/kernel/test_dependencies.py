"""What changed decides what is looked at: rules of one thing that read another, and where their actions go."""

import pytest

from haltline.errors import ConfigError
from haltline.model.event import PositionReport, Tick
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, OnUnknown, RuleSpec, Scope


def when(each: Scope, text: str, *then: str, **more) -> RuleSpec:
    actions = tuple(ActionSpec(name=name) for name in then)
    return RuleSpec(id="r", each=each, when=text, then=actions, **more)


@pytest.fixture
def long_two(world):
    """Long 2 MNQ and 1 MES in one account, both priced."""

    def make(*rules):
        made = world(*rules)
        made.fill(2, 21_000)
        made.fill(1, 5_000, symbol="MES")
        return made.forget()

    return make


class TestReadingUpwards:
    def test_a_position_rule_hears_of_its_account_when_another_position_moves_it(self, long_two):
        made = long_two(when(Scope.POSITION, "account.day.loss >= 100 and position.symbol == 'MES'"))
        made.quote(20_975)
        assert made.phases == ["r breached"]

    def test_an_order_rule_hears_of_its_account(self, long_two):
        made = long_two(when(Scope.ORDER, "account.day.loss >= 100"))
        made.order("o", 1)
        made.quote(20_975)
        assert made.phases == ["r breached"]

    def test_an_order_rule_hears_of_its_instrument(self, long_two):
        made = long_two(when(Scope.ORDER, "instrument.last < 20980"))
        made.order("o", 1)
        made.quote(20_975)
        assert made.phases == ["r breached"]

    def test_an_account_rule_hears_of_the_portfolio(self, world):
        made = world(when(Scope.ACCOUNT, "portfolio.open_positions >= 1 and account.open_positions == 0"))
        made.fill(1, 21_000, account="live")
        assert made.phases == ["r breached"]
        assert made.results[-1].transitions[0].entity == "eval"

    def test_an_account_rule_hears_of_each_of_its_positions(self, long_two):
        made = long_two(when(Scope.ACCOUNT, "any(p.unrealized_pnl < -50 for p in account.positions)"))
        made.quote(20_975)
        assert made.phases == ["r breached"]

    def test_an_instrument_rule_hears_of_its_quotes(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980"))
        made.quote(21_000)
        assert made.phases.count("r breached") == 0
        made.quote(20_975)
        assert made.phases[-1] == "r breached"

    def test_what_does_not_change_is_looked_at_when_the_entity_appears(self, world):
        made = world(when(Scope.POSITION, 'position.symbol == "MES"'))
        made.fill(1, 5_000, symbol="MES")
        assert made.phases == ["r breached"]


class TestTime:
    def test_an_age_is_looked_at_every_second(self, world):
        made = world(when(Scope.POSITION, "position.age >= 90"))
        made.fill(1, 21_000)
        made.at(89.9)
        assert made.phases == []
        made.at(90)
        assert made.phases == ["r breached"]

    def test_an_age_that_falls_ends_the_incident(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.age > 30", on_unknown=OnUnknown.HOLD))
        made.quote(21_000)
        made.at(31)
        assert made.phases == ["r breached"]
        made.quote(21_000)
        assert made.phases == ["r breached", "r resolved"]

    def test_no_rule_that_reads_time_means_no_tick(self, world, rule):
        made = world(rule.loss())
        assert made.kernel.next_tick is None

    def test_an_instant_before_the_last_one_counts_as_the_last_one(self, world, rule):
        made = world(rule.loss())
        made.at(100)
        earlier = made.now - 50_000_000_000
        made.kernel.step(Tick(at=earlier, received_at=earlier), earlier)
        assert made.kernel.now == made.now


class TestTargets:
    def flattened(self, made):
        return sorted(action.account for result in made.results for action in result.plan if action.name == "flatten")

    def test_a_portfolio_rule_acts_on_every_account(self, world):
        made = world(when(Scope.PORTFOLIO, "portfolio.open_positions >= 2", "flatten"))
        made.fill(1, 21_000)
        made.fill(1, 21_000, account="live")
        assert self.flattened(made) == ["eval", "live"]

    def test_an_instrument_rule_acts_where_the_instrument_is_held(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "close_position"))
        made.fill(1, 21_000, account="live")
        made.forget().quote(20_975)
        (action,) = made.results[-1].plan
        assert (action.account, action.symbol) == ("live", "MNQ")

    def test_a_portfolio_rule_blocks_every_account(self, world):
        made = world(when(Scope.PORTFOLIO, "portfolio.open_positions >= 1", "block_entries"))
        made.fill(1, 21_000, account="live")
        assert made.mode == "REDUCING"

    def test_an_account_rule_blocks_only_its_own_account(self, world):
        made = world(when(Scope.ACCOUNT, "account.open_positions >= 1", "block_entries"))
        made.fill(1, 21_000, account="live")
        assert made.mode == "ACTIVE"
        assert made.kernel.state.accounts["live"].mode == "REDUCING"

    def test_an_instrument_rule_blocks_the_accounts_that_hold_it(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "block_entries"))
        made.fill(1, 21_000, account="live")
        made.quote(20_975)
        assert made.kernel.state.accounts["live"].mode == "REDUCING"
        assert made.mode == "ACTIVE"

    def test_an_instrument_that_nobody_holds_blocks_everybody(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "block_entries"))
        made.quote(20_975)
        assert made.mode == "REDUCING"

    def test_an_instrument_rule_blocks_who_comes_to_hold_it_later(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "block_entries"))
        made.fill(1, 21_000, account="live")
        made.quote(20_975)
        made.fill(1, 20_975)
        assert made.mode == "REDUCING"
        made.restart().fill(-1, 20_975)
        assert made.mode == "ACTIVE"

    def test_nobody_may_enter_an_instrument_that_is_blocked(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "block_entries"))
        made.fill(1, 21_000, account="live")
        made.quote(20_975)
        assert made.mode == "ACTIVE"
        answer = made.kernel.check(made.intent(1))
        assert (answer.allowed, answer.reasons) == (False, ("MNQ may not be entered: r",))
        made.quote(21_000, "MES")
        assert made.kernel.check(made.intent(1, "MES")).allowed
        made.forget().order("o", 1)
        assert made.actions == ["cancel_orders"]
        made.forget().order("p", 1, "MES")
        assert made.actions == []

    def test_it_may_be_entered_again_once_the_incident_is_over(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "block_entries"))
        made.fill(1, 21_000, account="live")
        made.quote(20_975)
        made.quote(21_000)
        assert made.kernel.check(made.intent(1)).allowed

    def test_an_order_rule_names_its_order(self, world):
        made = world(when(Scope.ORDER, "order.quantity > 5", "cancel_orders"))
        made.order("big", 9)
        (action,) = made.results[-1].plan
        assert (action.order_id, action.symbol) == ("big", "MNQ")

    def test_a_fill_rule_fires_once_and_is_over(self, world):
        made = world(when(Scope.FILL, "fill.quantity > 5", "notify"))
        made.fill(9, 21_000)
        assert made.phases == ["r breached", "r resolved"]
        assert made.actions == ["notify"]
        assert made.kernel.live == {}


class TestRange:
    def rule(self, rule):
        limit = LimitSpec(value="position.quantity", comparison=Comparison.RANGE, low=-2.0, high=4.0, warn=0.9)
        return RuleSpec(id="r", each=Scope.POSITION, limit=limit, then=rule.actions("notify"))

    @pytest.mark.parametrize(
        ("quantity", "phase"), [(3, []), (4, ["r warning"]), (5, ["r breached"]), (-3, ["r breached"])]
    )
    def test_a_range_breaks_outside_and_warns_near_either_end(self, world, rule, quantity, phase):
        made = world(self.rule(rule))
        made.fill(quantity, 21_000)
        assert made.phases == phase

    def test_the_end_that_is_nearer_is_the_one_told(self, world, rule):
        made = world(self.rule(rule))
        made.fill(-3, 21_000)
        assert made.results[-1].transitions[0].threshold == -2.0

    def test_its_gauge_is_measured_from_the_middle(self, world, rule):
        made = world(self.rule(rule))
        made.fill(3, 21_000)
        (gauge,) = made.kernel.gauges()
        assert gauge.utilization == pytest.approx(2 / 3)
        assert gauge.headroom == 1.0


def test_a_broker_that_shows_flat_ends_the_positions_incidents(world, rule):
    made = world(rule.size())
    made.fill(9, 21_000)
    report = PositionReport(
        at=made.now, received_at=made.now, account="eval", symbol="MNQ", quantity=0, average_price=0
    )
    made.send(report)
    assert made.phases[-1] == "size resolved"


def test_an_event_for_nobody_is_refused_and_named(world, rule):
    made = world(rule.loss())
    assert "E601" in made.fill(1, 21_000, account="nobody").notices[0]


class TestInstrumentsThatNobodyPlays:
    def test_one_that_was_never_quoted_and_is_not_held_is_nobodys_risk(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "notify"))
        made.note(made.kernel.evaluate_all(made.now))
        assert made.phases == []
        assert made.mode == "ACTIVE"

    def test_an_entry_into_it_is_refused_because_the_rule_cannot_know(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "notify"))
        answer = made.kernel.check(made.intent(1))
        assert not answer.allowed
        assert "unknown means no" in answer.reasons[0]

    def test_once_quoted_it_is_judged_and_an_entry_is_fine(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.last < 20980", "notify"))
        made.quote(21_000)
        assert made.kernel.check(made.intent(1)).allowed

    def test_one_that_is_held_but_was_never_quoted_is_judged(self, world):
        made = world(when(Scope.INSTRUMENT, "instrument.bid < 20980", "notify"))
        made.fill(1, 21_000)
        assert made.phases == ["r unknown"]


def test_blocking_entries_for_an_instant_is_refused_when_the_rule_is_loaded(world):
    with pytest.raises(ConfigError, match="E457"):
        world(when(Scope.FILL, "fill.quantity > 5", "block_entries"))
