"""The life of an incident, on a real kernel."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import Acknowledge, Release
from haltline.model.rule import Comparison, Latch, LimitSpec, OnUnknown, RuleMode, RuleSpec, Scope, Step


def losing(world, *rules, by=1000.0):
    """A world that is long 2 MNQ (2 USD a point each) and down by so much."""
    made = world(*rules)
    made.fill(2, 21_000)
    made.quote(21_000 - by / 4)
    return made


def test_nothing_happens_below_the_limit(world, rule):
    made = losing(world, rule.loss(), by=999.5)
    assert made.phases == []
    assert made.mode == "ACTIVE"


def test_a_loss_of_exactly_the_limit_fires(world, rule):
    made = losing(world, rule.loss(), by=1000)
    assert made.phases == ["loss breached"]
    assert made.actions == ["block_entries", "notify", "flatten"]


def test_a_condition_that_stays_true_does_nothing_more(world, rule):
    made = losing(world, rule.loss())
    made.forget()
    for price in (20_740, 20_730, 20_720):
        made.quote(price)
    assert made.results == []


def test_a_warning_is_told_once_and_ends_by_itself(world, rule):
    made = losing(world, rule.loss(warn=0.8), by=800)
    made.quote(20_799)
    assert made.phases == ["loss warning"]
    assert made.actions == ["notify"]
    made.quote(20_900)
    assert made.phases == ["loss warning", "loss resolved"]


def test_an_incident_resolves_when_the_condition_clears(world, rule):
    made = losing(world, rule.loss(then=rule.actions("block_entries", "notify")))
    made.quote(20_900)
    assert made.phases == ["loss breached", "loss resolved"]
    assert made.mode == "ACTIVE"


def test_a_breach_that_clears_into_the_warning_band_does_not_tell_the_warning_again(world, rule):
    made = losing(world, rule.loss(warn=0.8))
    made.forget().quote(20_780)
    assert made.phases == ["loss resolved", "loss warning"]
    assert made.actions == []


class TestFor:
    def test_a_condition_must_hold_for_the_whole_time(self, world, rule):
        made = losing(world, rule.loss(for_ns=60 * NS_PER_S))
        made.at(59.999)
        assert made.phases == ["loss pending"]
        made.at(60)
        assert made.phases == ["loss pending", "loss breached"]

    def test_a_hold_that_is_broken_off_starts_anew(self, world, rule):
        made = losing(world, rule.loss(for_ns=60 * NS_PER_S))
        made.at(30).quote(20_900)
        assert made.phases == ["loss pending", "loss ok"]
        made.at(40).quote(20_700)
        made.at(99)
        assert made.phases[-1] == "loss pending"
        made.at(100)
        assert made.phases[-1] == "loss breached"

    def test_a_hold_goes_on_over_a_restart(self, world, rule):
        made = losing(world, rule.loss(for_ns=60 * NS_PER_S))
        made.at(50).restart().at(59)
        assert made.phases == ["loss pending"]
        made.at(60)
        assert made.phases[-1] == "loss breached"

    def test_a_late_wake_up_fires_at_the_instant_that_was_due(self, world, rule):
        made = losing(world, rule.loss(for_ns=60 * NS_PER_S))
        made.at(75)
        assert made.results[-1].transitions[-1].at == made.now - 15 * NS_PER_S


class TestClear:
    def test_a_clear_condition_of_its_own_gives_hysteresis(self, world, rule):
        made = losing(world, rule.loss(clear="account.day.loss < 500"))
        made.quote(20_800)
        assert made.phases == ["loss breached"]
        made.quote(20_900)
        assert made.phases[-1] == "loss resolved"

    def test_clearing_must_hold_too_where_clear_for_says_so(self, world, rule):
        made = losing(world, rule.loss(clear_for_ns=30 * NS_PER_S))
        made.quote(20_900)
        made.at(10).quote(20_700)
        made.at(15).quote(20_900)
        made.at(44)
        assert made.phases == ["loss breached"]
        made.at(45)
        assert made.phases[-1] == "loss resolved"

    def test_a_warning_is_held_by_clear_for_and_told_once(self, world, rule):
        made = losing(world, rule.loss(warn=0.5, clear_for_ns=30 * NS_PER_S), by=600.0)
        made.quote(20_990)
        made.at(10).quote(20_850)
        made.at(20).quote(20_990)
        made.at(49)
        assert made.phases == ["loss warning"]
        made.at(50)
        assert made.phases[-1] == "loss resolved"

    def test_on_clear_runs_when_a_fired_incident_ends(self, world, rule):
        made = losing(world, rule.loss(on_clear=rule.actions("notify")))
        made.forget().quote(20_900)
        assert made.actions == ["notify"]


class TestLatch:
    def test_ack_keeps_the_incident_until_somebody_has_seen_it(self, world, rule):
        made = losing(world, rule.loss(latch=Latch.ACK))
        made.quote(20_900)
        assert made.phases == ["loss breached"]
        incident = made.kernel.incidents()[0]
        made.send(Acknowledge(at=made.now, received_at=made.now, incident=incident.id, operator="ann"))
        assert made.phases[-1] == "loss resolved"

    def test_an_early_ack_counts_when_the_condition_clears(self, world, rule):
        made = losing(world, rule.loss(latch=Latch.ACK))
        incident = made.kernel.incidents()[0]
        made.send(Acknowledge(at=made.now, received_at=made.now, incident=incident.id, operator="ann"))
        assert made.phases == ["loss breached"]
        made.quote(20_900)
        assert made.phases[-1] == "loss resolved"

    def test_manual_ends_only_by_release(self, world, rule):
        made = losing(world, rule.loss(latch=Latch.MANUAL))
        made.quote(20_900)
        incident = made.kernel.incidents()[0]
        release = Release(at=made.now, received_at=made.now, operator="ann", reason="seen", incident=incident.id)
        made.send(release)
        assert made.phases == ["loss breached", "loss resolved"]

    def test_session_ends_with_the_trading_day_and_the_new_day_starts_clean(self, world, rule):
        made = losing(world, rule.loss(latch=Latch.SESSION, then=rule.actions("notify")))
        made.quote(20_900)
        made.at(9 * 3600)
        assert made.phases == ["loss breached"]
        made.at(10 * 3600)
        assert made.phases == ["loss breached", "loss resolved"]

    def test_acknowledging_what_is_not_there_is_said_and_changes_nothing(self, world, rule):
        made = world(rule.loss())
        result = made.send(Acknowledge(at=made.now, received_at=made.now, incident="nothing", operator="ann"))
        assert "no live incident" in result.notices[0]

    def test_acknowledged_and_clear_it_still_lasts_for_the_session_where_the_latch_says_so(self, world, rule):
        made = losing(world, rule.loss(latch=Latch.SESSION, then=rule.actions("notify")))
        incident = next(iter(made.kernel.live))
        made.send(Acknowledge(at=made.now, received_at=made.now, incident=incident, operator="ann"))
        made.at(5).quote(20_900)
        assert made.phases == ["loss breached"]


class TestWarning:
    def test_the_same_warning_is_told_once_whatever_comes_in_between(self, world, rule):
        spec = rule.loss(warn=0.8, for_ns=60 * NS_PER_S, warn_then=rule.actions("notify"))
        made = world(spec)
        made.quote(21_000)
        made.fill(2, 21_000)
        for price in (20_780, 20_700, 20_780):
            made.at(made.seconds + 1).quote(price)
        assert made.phases == ["loss warning", "loss pending", "loss warning"]
        assert made.actions == ["notify"]

    def test_near_the_limit_after_a_breach_nobody_is_warned_of_what_they_know(self, world, rule):
        then = rule.actions("block_entries")
        made = losing(world, rule.loss(warn=0.8, for_ns=NS_PER_S, then=then, warn_then=rule.actions("notify")))
        made.at(2)
        made.forget().at(5).quote(20_780)
        made.at(6).quote(20_700)
        made.at(6.5).quote(20_780)
        assert made.phases == ["loss resolved", "loss warning", "loss pending", "loss warning"]
        assert made.actions == []

    def test_a_warning_is_no_block_though_it_was_unknown_before(self, world, rule):
        made = world(rule.loss(warn=0.8), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(21_000)
        made.at(11)
        assert made.mode == "REDUCING"
        made.quote(20_780)
        made.at(13).quote(20_781)
        assert made.phases[-1] == "loss warning"
        assert made.mode == "ACTIVE"


class TestRepetition:
    def test_a_cooldown_delays_the_second_firing(self, world, rule):
        made = losing(world, rule.loss(cooldown_ns=60 * NS_PER_S))
        made.at(10).quote(20_900)
        made.at(20).quote(20_700)
        assert made.phases[-1] == "loss pending"
        made.at(60)
        assert made.phases[-1] == "loss breached"

    def test_after_max_fires_the_breach_is_recorded_but_runs_nothing(self, world, rule):
        made = losing(world, rule.loss(max_fires=1))
        made.quote(20_900)
        made.forget().quote(20_700)
        assert made.phases == ["loss breached"]
        assert made.actions == []


class TestLadder:
    def ladder(self, rule, **more):
        steps = (
            Step(threshold=500.0, then=rule.actions("notify")),
            Step(threshold=1000.0, then=rule.actions("flatten", "notify")),
        )
        limit = LimitSpec(value="account.day.loss", comparison=Comparison.AT, steps=steps)
        return RuleSpec(id="loss", each=Scope.ACCOUNT, limit=limit, **more)

    def test_each_rung_runs_its_own_actions_once(self, world, rule):
        made = losing(world, self.ladder(rule), by=500)
        assert made.actions == ["notify"]
        made.quote(20_750)
        made.quote(20_740)
        assert made.actions == ["notify", "flatten", "notify"]

    def test_before_the_first_rung_no_step_is_told(self, world, rule):
        made = losing(world, self.ladder(rule, for_ns=60 * NS_PER_S), by=500)
        made.at(60)
        told = [(each.phase.value, each.step) for result in made.results for each in result.transitions]
        assert told == [("pending", None), ("breached", 0)]

    def test_a_jump_runs_all_rungs_passed(self, world, rule):
        made = losing(world, self.ladder(rule), by=1200)
        assert made.actions == ["notify", "flatten"]

    def test_falling_back_a_rung_and_rising_again_runs_nothing(self, world, rule):
        made = losing(world, self.ladder(rule), by=1200)
        made.forget().quote(20_850)
        made.quote(20_700)
        assert made.actions == []


class TestUnknown:
    def stale(self, world, rule, on_unknown):
        made = world(rule.loss(on_unknown=on_unknown), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(21_000)
        made.forget()
        made.at(11)
        return made

    def test_block_lets_the_account_only_reduce_and_warns(self, world, rule):
        made = self.stale(world, rule, OnUnknown.BLOCK)
        assert made.phases == ["loss unknown"]
        assert made.actions == ["notify"]
        assert made.mode == "REDUCING"

    def test_known_again_lifts_the_block(self, world, rule):
        made = self.stale(world, rule, OnUnknown.BLOCK)
        made.quote(21_001)
        assert made.phases == ["loss unknown", "loss resolved"]
        assert made.mode == "ACTIVE"

    def test_a_warning_that_becomes_unknown_blocks(self, world, rule):
        made = world(rule.loss(warn=0.8), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(21_000)
        made.quote(20_780)
        made.at(11)
        assert made.phases == ["loss warning", "loss unknown"]
        assert made.mode == "REDUCING"

    def test_warn_only_warns(self, world, rule):
        made = self.stale(world, rule, OnUnknown.WARN)
        assert made.phases == ["loss unknown"]
        assert made.mode == "ACTIVE"

    def test_hold_keeps_the_last_verdict(self, world, rule):
        assert self.stale(world, rule, OnUnknown.HOLD).results == []

    def test_act_treats_it_as_a_breach(self, world, rule):
        made = self.stale(world, rule, OnUnknown.ACT)
        assert made.phases == ["loss breached"]
        assert "flatten" in made.actions

    def test_unknown_never_ends_a_breach(self, world, rule):
        made = world(rule.loss(), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(20_700)
        made.at(11)
        assert made.phases == ["loss breached"]

    def test_unknown_does_not_stop_a_running_hold(self, world, rule):
        made = world(rule.loss(for_ns=60 * NS_PER_S), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(20_700)
        made.at(11)
        assert made.phases == ["loss pending"] * 2  # once more, because entries wait meanwhile
        made.at(55).quote(20_700)
        made.at(60)
        assert made.phases[-1] == "loss breached"

    def test_a_hold_that_ends_while_unknown_fires_where_the_last_verdict_is_held(self, world, rule):
        made = world(rule.loss(for_ns=60 * NS_PER_S, on_unknown=OnUnknown.HOLD), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(20_700)
        made.at(60)
        assert made.phases == ["loss pending", "loss breached"]
        told = [each.reason for result in made.results for each in result.transitions]
        assert told[-1] == "not known at the end of its hold; the last verdict goes on"

    def test_a_hold_before_resolving_starts_anew_after_unknown(self, world, rule):
        made = world(rule.loss(clear_for_ns=30 * NS_PER_S, then=rule.actions("notify")), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(20_700)
        made.at(5).quote(20_900)
        made.at(40)
        assert made.phases == ["loss breached"]
        made.quote(20_900)
        made.at(45).quote(20_900)
        made.at(54).quote(20_900)
        made.at(63).quote(20_900)
        made.at(69.9)
        assert made.phases == ["loss breached"]
        made.at(70)
        assert made.phases == ["loss breached", "loss resolved"]

    def test_a_hold_that_ends_while_unknown_blocks(self, world, rule):
        made = world(rule.loss(for_ns=60 * NS_PER_S), stale_after_s=10)
        made.fill(2, 21_000)
        made.quote(20_700)
        made.at(60)
        assert made.phases == ["loss pending", "loss pending", "loss unknown"]
        assert made.mode == "REDUCING"


class TestModes:
    def test_a_shadow_rule_decides_and_records_but_blocks_nothing(self, world, rule):
        made = losing(world, rule.loss(mode=RuleMode.SHADOW))
        assert all(action.shadow for action in made.results[-1].plan)
        assert made.mode == "ACTIVE"

    def test_an_account_that_is_not_armed_makes_every_action_a_shadow(self, world, rule):
        made = world(rule.loss(), live=False)
        made.fill(2, 21_000)
        made.quote(20_700)
        assert {action.shadow for action in made.results[-1].plan} == {True}
        assert made.mode == "ACTIVE"

    def test_a_rule_that_is_off_is_not_there(self, world, rule):
        assert losing(world, rule.loss(mode=RuleMode.OFF)).results == []

    def test_a_suppressed_rule_stays_quiet_but_still_acts(self, world, rule):
        loud = rule.loss("account-loss", suppresses=("second",), then=rule.actions("flatten", "notify"))
        second = rule.loss("second", then=rule.actions("block_entries", "notify"))
        made = losing(world, loud, second)
        assert made.actions == ["block_entries", "notify", "flatten"]
        notify = next(action for result in made.results for action in result.plan if action.name == "notify")
        assert notify.rules == ("account-loss",)


def test_where_leaves_entities_out(world, rule):
    made = world(rule.size(where='position.symbol == "MES"'))
    made.fill(9, 21_000)
    assert made.results == []
    made.fill(9, 5_000, symbol="MES")
    assert made.phases == ["size breached"]


def test_a_rule_outside_its_hours_is_quiet_and_speaks_when_they_begin(world, rule):
    made = losing(world, rule.loss(during=("14:10-15:00 UTC",)))
    assert made.results == []
    made.at(600)
    assert made.phases == ["loss breached"]


def test_an_incident_ends_with_its_position(world, rule):
    made = world(rule.size())
    made.fill(9, 21_000)
    made.fill(-9, 21_000)
    assert made.phases == ["size breached", "size resolved"]


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1.0, 0.0])
def test_a_quote_that_cannot_be_used_is_refused_and_changes_no_price(world, rule, price):
    made = losing(world, rule.loss(), by=500)
    instrument = made.kernel.state.instruments["MNQ"]
    before = [*instrument.prices, instrument.quoted_at, instrument.stale_due]
    assert "was refused" in made.quote(price).notices[0]
    assert [*instrument.prices, instrument.quoted_at, instrument.stale_due] == before
    assert instrument.refused_quotes == 1


def test_a_voided_fill_no_longer_counts_in_a_window(world, rule):
    limit = LimitSpec(value='count(account.fills, "1h")', comparison=Comparison.MAX, threshold=2.0)
    made = world(RuleSpec(id="trades", each=Scope.ACCOUNT, limit=limit, then=rule.actions("notify")))
    made.fill(1, 21_000)
    made.fill(1, 21_000)
    made.at(5).fill(1, 21_000, fill_id="wrong")
    assert made.phases == ["trades breached"]
    made.at(6).fill(1, 21_000, fill_id="wrong", voided=True)
    assert made.phases == ["trades breached", "trades resolved"]
