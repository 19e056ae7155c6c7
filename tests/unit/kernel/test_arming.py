"""Shadow and live: nothing is done for an account that is not armed, and arming makes up for what was only recorded."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import Acknowledge, ArmRequest
from haltline.model.rule import (
    ActionSpec,
    Comparison,
    Latch,
    LimitSpec,
    OnUnknown,
    RuleMode,
    RuleSpec,
    Scope,
    Step,
)


def arm(made, account="eval", *, live=True):
    return made.send(ArmRequest(at=made.now, received_at=made.now, account=account, operator="ann", live=live))


def plan(made):
    return [(action.name, action.account, action.shadow) for result in made.results for action in result.plan]


def wide(each, text, *then, **more):
    return RuleSpec(id="r", each=each, when=text, then=tuple(ActionSpec(name=name) for name in then), **more)


class TestWideRules:
    def test_a_portfolio_rule_does_nothing_for_an_account_that_is_not_armed(self, world):
        made = world(wide(Scope.PORTFOLIO, "portfolio.open_positions > 0", "flatten"), live=False)
        arm(made, "live")
        made.forget().fill(1, 21_000)
        assert plan(made) == [("flatten", "eval", True), ("flatten", "live", False)]

    def test_a_portfolio_rule_locks_only_accounts_that_are_armed(self, world):
        made = world(wide(Scope.PORTFOLIO, "portfolio.open_positions > 0", "lock"), live=False)
        arm(made, "live")
        made.fill(1, 21_000)
        assert [lock.account for lock in made.kernel.governor.locks] == ["live"]

    def test_a_portfolio_rule_does_not_block_an_account_that_is_not_armed(self, world):
        made = world(wide(Scope.PORTFOLIO, "portfolio.open_positions > 0", "block_entries"), live=False)
        arm(made, "live")
        made.fill(1, 21_000)
        assert made.mode == "ACTIVE"
        assert made.kernel.state.accounts["live"].mode == "REDUCING"

    def test_arming_an_account_asks_for_what_a_portfolio_rule_only_recorded_for_it(self, world):
        made = world(wide(Scope.PORTFOLIO, "portfolio.open_positions > 0", "flatten"), live=False)
        made.fill(1, 21_000)
        made.forget()
        arm(made)
        assert plan(made) == [("flatten", "eval", False)]

    def test_arming_asks_for_what_every_rung_of_a_portfolio_rule_has_recorded(self, world, rule):
        steps = tuple(
            Step(threshold=at, then=rule.actions(action))
            for at, action in (
                (1.0, "cancel_orders"),
                (2.0, "block_entries"),
                (3.0, ("cancel_orders", {"side": "buy"})),
            )
        )
        limit = LimitSpec(value="portfolio.open_positions", comparison=Comparison.AT, steps=steps)
        made = world(RuleSpec(id="r", each=Scope.PORTFOLIO, limit=limit), live=False)
        made.fill(1, 21_000)
        made.fill(1, 5_000, symbol="MES")
        made.forget()
        arm(made)
        assert [name for name, _, _ in plan(made)] == ["block_entries", "cancel_orders"]

    def test_arming_twice_asks_under_another_id(self, world):
        made = world(wide(Scope.PORTFOLIO, "portfolio.open_positions > 0", "flatten"), live=False)
        made.fill(1, 21_000)
        arm(made.at(1))
        arm(made.at(2), live=False)
        made.kernel.arbiter.flights.clear()
        arm(made.at(3))
        ids = [action.id for result in made.results for action in result.plan]
        assert len(set(ids)) == len(ids) == 4

    def test_a_message_of_a_portfolio_rule_is_one(self, world):
        made = world(wide(Scope.PORTFOLIO, "portfolio.open_positions > 0", "notify"))
        made.fill(1, 21_000)
        assert plan(made) == [("notify", None, False)]

    def test_a_message_about_an_instrument_that_nobody_holds_is_sent(self, world):
        made = world(wide(Scope.INSTRUMENT, "instrument.last > 5", "notify"))
        made.quote(21_000)
        assert plan(made) == [("notify", None, False)]

    def test_a_wide_rule_is_in_shadow_while_no_account_is_armed(self, world):
        made = world(wide(Scope.INSTRUMENT, "instrument.last > 5", "notify"), live=False)
        made.quote(21_000)
        assert plan(made) == [("notify", None, True)]


class TestArming:
    @pytest.fixture
    def losing(self, world, rule):
        def make(**more):
            made = world(rule.loss(**more), live=False)
            made.quote(21_000)
            made.fill(2, 21_000)
            made.quote(20_000)
            return made

        return make

    def test_what_is_breached_is_acted_on_in_the_very_step_of_arming(self, losing):
        assert "flatten" in [action.name for action in arm(losing()).plan]

    def test_firings_in_shadow_do_not_use_up_max_fires(self, losing):
        made = losing(max_fires=1).forget()
        arm(made)
        assert made.actions == ["block_entries", "flatten", "notify"]

    def test_a_firing_in_shadow_starts_no_cooldown(self, losing):
        made = losing(cooldown_ns=600 * NS_PER_S).forget()
        arm(made)
        assert "flatten" in made.actions

    def test_a_hold_that_was_served_in_shadow_is_not_served_again(self, losing):
        made = losing(for_ns=60 * NS_PER_S).at(60).forget()
        arm(made)
        assert made.phases == ["loss resolved", "loss breached"]
        assert "flatten" in made.actions

    def test_arming_while_unknown_blocks_new_risk(self, world, rule):
        made = world(rule.loss(), live=False, stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(20_000)
        made.at(20)
        arm(made)
        assert made.mode == "REDUCING"

    def test_arming_while_unknown_acts_where_the_last_verdict_is_held(self, world, rule):
        made = world(rule.loss(on_unknown=OnUnknown.HOLD), live=False, stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(20_000)
        made.at(20).forget()
        arm(made)
        assert made.mode == "REDUCING"
        assert "flatten" not in made.actions
        made.at(22)
        assert "flatten" in made.actions

    def test_arming_what_is_armed_repeats_nothing(self, losing):
        made = losing()
        arm(made)
        made.kernel.arbiter.flights.clear()
        made.forget()
        arm(made)
        assert made.phases == made.actions == []

    def test_arming_leaves_rules_in_shadow_alone(self, losing):
        made = losing(mode=RuleMode.SHADOW).forget()
        arm(made)
        assert made.phases == []

    def test_arming_leaves_other_accounts_alone(self, losing):
        made = losing().forget()
        arm(made, "live")
        assert made.phases == []

    def test_a_rule_hears_that_its_account_was_armed(self, world):
        made = world(wide(Scope.ACCOUNT, "account.live", "notify"), live=False)
        arm(made)
        assert made.phases == ["r breached"]

    def test_disarming_is_a_change_that_rules_hear_of(self, world):
        made = world(wide(Scope.PORTFOLIO, "any(not a.live for a in portfolio.accounts)", "notify"))
        arm(made, live=False)
        assert made.phases == ["r breached"]


def test_what_fell_due_while_nothing_ran_happens_at_its_own_instant_before_everything_is_judged(world, rule):
    made = world(rule.loss(for_ns=30 * NS_PER_S), stale_after_s=20)
    made.fill(2, 21_000)
    made.quote(20_000)
    made.forget()
    made.seconds = 3600
    made.note(made.kernel.evaluate_all(made.now))
    assert made.phases == ["loss pending", "loss unknown"]  # at the end of the hold prices had long been stale
    assert "flatten" not in made.actions


def test_the_count_of_firings_of_a_portfolio_rule_ends_with_the_day(world):
    made = world(wide(Scope.PORTFOLIO, "portfolio.open_positions > 0", "notify", max_fires=1))
    for day in range(3):
        made.at(day * 86_400 + 1).fill(1, 21_000)
        made.fill(-1, 21_000)
    assert made.actions == ["notify"] * 3


def test_an_acknowledgement_ends_at_once_what_was_clear_for_long_enough(world, rule):

    made = world(rule.loss(clear_for_ns=60 * NS_PER_S, latch=Latch.ACK))
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    made.at(1).quote(21_000)
    made.at(100).restart()
    (incident,) = made.kernel.live
    made.send(Acknowledge(at=made.now, received_at=made.now, incident=incident, operator="ann"))
    assert made.phases[-1] == "loss resolved"


def test_a_new_breach_makes_the_time_before_resolving_run_anew(world, rule):

    made = world(rule.loss(clear_for_ns=60 * NS_PER_S, latch=Latch.ACK))
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    made.at(1).quote(21_000)
    made.at(100).quote(20_000)
    made.at(101).quote(21_000)
    (incident,) = made.kernel.live
    made.send(Acknowledge(at=made.now, received_at=made.now, incident=incident, operator="ann"))
    assert made.phases[-1] == "loss breached"
    made.at(161)
    assert made.phases[-1] == "loss resolved"
