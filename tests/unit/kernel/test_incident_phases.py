"""What an incident keeps, what it lets go of and what it tells while it moves from phase to phase."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.rule import Comparison, LimitSpec, OnUnknown, RuleSpec, Scope, Severity, Step
from haltline.rules.rule import ALERT


@pytest.fixture
def losing(world):
    """A world that is long 2 MNQ (2 USD a point each) and down by 1,000."""

    def make(*rules, by=1000.0, **more):
        made = world(*rules, **more)
        made.fill(2, 21_000)
        made.quote(21_000 - by / 4)
        return made

    return make


@pytest.fixture
def ladder(rule):
    """Tell at a loss of 500, tell again at 1,000."""

    def make(**more):
        rungs = tuple(Step(threshold=at, then=rule.actions("notify")) for at in (500.0, 1000.0))
        limit = LimitSpec(value="account.day.loss", comparison=Comparison.AT, steps=rungs)
        return RuleSpec(id="loss", each=Scope.ACCOUNT, limit=limit, **more)

    return make


def told(made):
    return [each for result in made.results for each in result.transitions]


def planned(made):
    return [each for result in made.results for each in result.plan]


def stops(made):
    return [each.params["price"] for each in planned(made) if each.name == "place_stop"]


def only(made):
    (incident,) = made.kernel.live.values()
    return incident


class TestHolds:
    def test_how_long_it_must_still_hold_is_told_when_it_begins(self, losing, rule):
        (begun,) = told(losing(rule.loss(for_ns=60 * NS_PER_S)))
        assert begun.reason == "must hold for 1m more, until 2025-05-06T14:01:00.000Z"

    def test_what_was_unknown_ends_as_soon_as_it_is_known_whatever_time_clearing_takes(self, world, rule):
        made = world(rule.loss(clear_for_ns=30 * NS_PER_S), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(21_000)
        made.at(11)
        assert made.phases == ["loss unknown"]
        made.at(14).quote(21_001)
        assert made.phases == ["loss unknown", "loss resolved"]

    def test_a_warning_that_was_ending_when_it_fired_clears_for_the_whole_time_anew(self, losing, rule):
        made = losing(rule.loss(warn=0.5, clear_for_ns=30 * NS_PER_S, then=rule.actions("notify")), by=600)
        made.at(5).tick(20_990)
        made.at(10).tick(20_700)
        made.at(30).tick(20_990)
        made.at(59.9)
        assert made.phases == ["loss warning", "loss breached"]
        made.at(60)
        assert made.phases[-1] == "loss resolved"

    def test_what_fires_unknown_holds_at_the_levels_it_had_reached_and_no_higher(self, losing, ladder):
        made = losing(ladder(for_ns=60 * NS_PER_S, on_unknown=OnUnknown.HOLD), by=600, stale_after_s=10)
        began = made.now
        made.at(60)
        assert made.phases == ["loss pending", "loss breached"]
        assert only(made).held == {ALERT: began, 0: began}


class TestFiring:
    def test_the_instant_at_which_it_fired_is_shown(self, losing, rule):
        made = losing(rule.loss(for_ns=60 * NS_PER_S))
        assert made.kernel.incidents()[0].fired_at is None
        made.at(60)
        assert made.kernel.incidents()[0].fired_at == made.now

    def test_without_a_cooldown_it_fires_again_at_once(self, losing, rule):
        made = losing(rule.loss(then=rule.actions("notify")))
        made.at(5).quote(20_900)
        made.at(6).quote(20_700)
        assert made.phases == ["loss breached", "loss resolved", "loss breached"]

    def test_it_acts_as_often_as_max_fires_says_and_then_says_why_it_does_not(self, losing, rule):
        made = losing(rule.loss(max_fires=2, then=rule.actions("notify")))
        for second in (10, 20):
            made.at(second).quote(20_900)
            made.at(second + 5).quote(20_700)
        reasons = [each.reason for each in told(made) if each.phase.value == "breached"]
        assert reasons == ["", "", "fired 2 times in this session already, no actions are run"]
        assert made.actions == ["notify", "notify"]

    def test_what_fired_too_often_to_act_follows_nothing_either(self, world, rule):
        then = rule.actions(("place_stop", {"price": "position.best_price - 10"}))
        limit = LimitSpec(value="position.mark - position.average_price", comparison=Comparison.AT, threshold=10.0)
        made = world(RuleSpec(id="trail", each=Scope.POSITION, limit=limit, then=then, max_fires=1))
        made.fill(1, 21_000)
        for second, price in enumerate((21_010, 21_000, 21_010, 21_020, 21_030)):
            made.at(second * 5).quote(price)
        assert made.phases == ["trail breached", "trail resolved", "trail breached"]
        assert stops(made) == [21_000]


class TestLadder:
    def test_each_rung_asks_under_a_name_of_its_own(self, losing, ladder):
        made = losing(ladder(), by=600)
        made.at(5).quote(20_700)
        assert [each.id.split(":")[1] for each in planned(made)] == ["rung0", "rung1"]

    def test_a_rule_without_rungs_asks_once_as_it_fires(self, losing, rule):
        assert [each.id.split(":")[1] for each in planned(losing(rule.loss(then=rule.actions("notify"))))] == ["fire"]

    def test_an_action_of_the_rung_reached_follows_its_parameters_and_one_of_a_higher_rung_does_not(self, world, rule):
        rungs = (
            Step(threshold=10.0, then=rule.actions(("place_stop", {"price": "position.best_price - 10"}))),
            Step(threshold=1000.0, then=rule.actions("notify")),
        )
        value = "position.best_price - position.average_price"
        limit = LimitSpec(value=value, comparison=Comparison.AT, steps=rungs)
        made = world(RuleSpec(id="trail", each=Scope.POSITION, limit=limit))
        made.fill(1, 21_000)
        for price in (21_010, 21_012, 21_020):
            made.quote(price)
        assert stops(made) == [21_000, 21_002, 21_010]


class TestWorst:
    def test_it_is_the_farthest_value_and_not_the_last_or_the_first(self, losing, ladder):
        made = losing(ladder(), by=500)
        made.quote(20_700)
        made.quote(20_800)
        assert only(made).worst == 1200
        assert [each.worst for each in told(made)] == [500, 1200]

    def test_as_far_on_the_other_side_is_no_worse(self, losing, rule):
        limit = LimitSpec(value="account.unrealized_pnl", comparison=Comparison.RANGE, low=-500.0, high=500.0)
        made = losing(RuleSpec(id="calm", each=Scope.ACCOUNT, limit=limit, then=rule.actions("notify")))
        made.quote(21_250)
        assert made.phases == ["calm breached"]
        assert only(made).judgement.measured == 1000
        assert only(made).worst == -1000


class TestTold:
    def test_a_limit_is_told_with_what_was_measured_and_what_it_allows_as_loudly_as_the_rule_says(self, losing, rule):
        (fired,) = told(losing(rule.loss(severity=Severity.CRITICAL), by=1100))
        assert fired.severity is Severity.CRITICAL
        assert (fired.account, fired.symbol, fired.measured, fired.threshold) == ("eval", None, 1100, 1000)

    def test_a_position_is_told_with_its_symbol(self, world, rule):
        made = world(rule.size())
        made.fill(9, 21_000)
        (fired,) = told(made)
        assert (fired.account, fired.symbol) == ("eval", "MNQ")

    def test_a_condition_without_a_limit_measures_nothing_and_has_no_threshold(self, world, rule):
        then = rule.actions("notify")
        made = world(RuleSpec(id="held", each=Scope.POSITION, when="position.quantity >= 1", then=then))
        made.fill(1, 21_000)
        (fired,) = told(made)
        assert (fired.measured, fired.threshold, fired.worst) == (None, None, None)
