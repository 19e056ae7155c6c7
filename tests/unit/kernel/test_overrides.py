"""Operators make room for a while: grants count at once, end by themselves, and never touch locks."""

import pytest

from haltline.model.event import OverrideGrant, OverrideRevoke
from haltline.model.rule import Comparison, LimitSpec, RuleSpec, Scope, Step


def grant(made, name="g", *, rule="loss", entity="eval", until_s=600, extra=None):
    return made.send(
        OverrideGrant(
            at=made.now,
            received_at=made.now,
            grant_id=name,
            rule=rule,
            entity=entity,
            until=made.now + round(until_s * 1e9),
            operator="ann",
            reason="news",
            extra=extra,
        )
    )


def revoke(made, name="g"):
    return made.send(OverrideRevoke(at=made.now, received_at=made.now, grant_id=name, operator="ann", reason="over"))


@pytest.fixture
def losing(world, rule):
    def make(*rules, by=1000.0):
        made = world(*(rules or (rule.loss(),)))
        made.fill(2, 21_000)
        made.quote(21_000 - by / 4)
        return made

    return make


def test_extra_room_moves_the_limit(losing):
    made = losing(by=900)
    grant(made, extra=150.0)
    made.forget().quote(20_720)  # 1,120 down
    assert made.phases == []
    made.quote(20_712.5)  # 1,150 down
    assert made.phases == ["loss breached"]
    assert made.results[-1].transitions[0].threshold == 1150.0


def test_what_is_told_under_a_grant_is_a_share_of_the_limit_that_counts(losing, rule):
    """A warning at 90 % of what was granted said that 113 % were used."""
    made = losing(rule.loss(warn=0.8), by=700)
    grant(made, extra=250.0)
    made.forget().quote(20_718.75)  # 1,125 down
    (warned,) = made.results[-1].transitions
    assert (warned.phase, warned.threshold, warned.utilization) == ("warning", 1250.0, 0.9)


def test_an_exemption_ends_the_incident_and_what_it_blocked_whatever_the_latch(losing, rule):
    made = losing(rule.loss(latch="manual", then=rule.actions("block_entries")))
    assert made.mode == "REDUCING"
    grant(made)
    assert made.phases == ["loss breached", "loss resolved"]
    assert made.mode == "ACTIVE"


def test_a_lock_outlives_the_grant_until_its_own_release(losing, rule):
    made = losing(rule.loss(then=rule.actions(("lock", {"until": "released"}))))
    grant(made)
    assert made.mode == "HALTED"


def test_a_grant_ends_at_its_instant_and_the_rule_fires_at_once_if_it_must(losing):
    made = losing()
    grant(made, until_s=60)
    made.forget().at(59.999)
    assert made.phases == []
    made.at(60)
    assert made.phases == ["loss breached"]


def test_revoking_ends_it_before_its_time(losing):
    made = losing()
    grant(made)
    made.forget()
    revoke(made)
    assert made.phases == ["loss breached"]


def test_it_survives_a_restart_and_still_ends_at_its_instant(losing):
    made = losing()
    grant(made, until_s=60)
    made.restart().forget()
    made.quote(20_700)
    assert made.phases == []
    made.at(60)
    assert made.phases == ["loss breached"]


def test_an_unknown_condition_of_an_exempted_rule_blocks_nothing(world, rule):
    made = world(rule.loss(), stale_after_s=10)
    made.fill(2, 21_000)
    made.quote(21_000)
    grant(made)
    made.at(11)
    assert made.mode == "ACTIVE"


def test_a_grant_for_an_account_covers_its_positions_only_for_that_rule(world, rule):
    made = world(rule.size(), rule.loss())
    grant(made, rule="size", extra=2.0)
    made.fill(7, 21_000)
    assert made.phases == []
    made.fill(1, 21_000)
    assert made.phases == ["size breached"]


def test_every_rung_of_a_ladder_is_moved(losing, rule):
    steps = (Step(threshold=500.0, then=rule.actions("notify")), Step(threshold=1000.0, then=rule.actions("flatten")))
    limit = LimitSpec(value="account.day.loss", comparison=Comparison.AT, steps=steps)
    made = losing(RuleSpec(id="loss", each=Scope.ACCOUNT, limit=limit), by=400)
    grant(made, extra=200.0)
    made.forget().quote(20_825)  # 700 down
    assert made.actions == ["notify"]
    made.quote(20_700)  # 1,200 down
    assert made.actions == ["notify", "flatten"]


def test_the_gauge_shows_the_limit_in_force_and_why(losing):
    made = losing(by=500)
    grant(made, extra=250.0)
    gauge = next(each for each in made.kernel.gauges() if each.entity == "eval")
    assert (gauge.threshold, gauge.headroom, gauge.utilization) == (1250.0, 750.0, 0.4)
    assert "by ann: news" in gauge.override


def test_an_intent_rule_can_be_overridden_for_its_account(world):
    limit = LimitSpec(value="abs(intent.resulting_quantity)", comparison=Comparison.MAX, threshold=3.0)
    made = world(RuleSpec(id="max", each=Scope.INTENT, limit=limit))
    made.quote(21_000)
    assert not made.kernel.check(made.intent(4)).allowed
    grant(made, rule="max", extra=1.0)
    assert made.kernel.check(made.intent(4)).allowed


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rule": "nothing"}, "there is no rule"),
        ({"entity": "nobody"}, "there is no account or account 'nobody'"),
        ({"until_s": 0}, "it would have ended already"),
        ({"extra": 0.0}, "must be a positive number"),
        ({"extra": float("nan")}, "must be a positive number"),
        ({"extra": float("inf")}, "must be a positive number"),
        ({"rule": "auth", "extra": 5.0}, "has no limit to move"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused_and_changes_nothing(world, rule, fields, why):
    made = world(rule.loss(), RuleSpec(id="auth", each=Scope.ACCOUNT, when="not account.can_trade"))
    before = made.kernel.snapshot()
    assert why in grant(made, **fields).notices[0]
    assert made.kernel.snapshot() == before


def test_the_same_grant_twice_counts_once(losing):
    made = losing(by=500)
    grant(made, extra=100.0)
    (said,) = grant(made, extra=900.0).notices
    assert said == "override 'g' was refused: a grant of that name stands already"
    assert [each.extra for each in made.kernel.overrides] == [100.0]


def test_revoking_nothing_is_said(losing):
    assert "there is no override 'g'" in revoke(losing()).notices[0]


def test_a_grant_ends_when_its_rule_changes(losing, rule):
    made = losing(by=1100)
    grant(made)
    result = made.kernel.replace_rules(made.compile((rule.loss(at=900),)), made.now)
    assert any("its rule was changed or removed" in notice for notice in result.notices)
    assert [each.phase.value for each in result.transitions] == ["breached"]


def test_a_grant_for_a_rule_edited_while_the_engine_was_down_ends_and_is_named(losing, world, rule):
    made = losing(by=1100)
    grant(made)
    edited = world(rule.loss(at=900))
    assert any("its rule was changed or removed" in note for note in edited.kernel.restore(made.kernel.snapshot()))


def notices(made):
    return [text for result in made.results for text in result.notices]


def test_a_grant_is_for_the_rule_it_names_and_no_other(losing, rule):
    made = losing(rule.loss("first", latch="manual"), rule.loss(latch="manual"))
    grant(made.forget())
    assert made.phases == ["loss resolved"]
    assert list(made.kernel.live) == ["first/eval/1"]


def test_a_grant_ends_incidents_of_what_it_covers_alone(world, rule):
    made = world(rule.size(latch="manual"))
    made.fill(9, 21_000)
    made.fill(9, 21_000, account="live")
    grant(made.forget(), rule="size")
    assert list(made.kernel.live) == ["size/live/MNQ/1"]


def test_a_grant_ends_no_latched_incident_of_an_account_that_it_is_not_for(world, rule):
    made = world(rule.size(latch="manual"))
    made.fill(9, 21_000, account="live")
    made.fill(-8, 21_000, account="live")
    grant(made.forget(), rule="size")
    assert (made.phases, list(made.kernel.live)) == ([], ["size/live/MNQ/1"])


def test_revoking_a_grant_judges_its_own_rule_of_several(losing, rule):
    made = losing(rule.loss("first", at=5000), rule.loss())
    grant(made)
    revoke(made.forget())
    assert made.phases == ["loss breached"]


def test_a_grant_breaks_off_a_hold_without_saying_that_it_ended_a_breach(losing, rule):
    made = losing(rule.loss(for_ns=60 * 10**9))
    grant(made.forget())
    assert made.phases == ["loss ok"]


def test_what_is_granted_revoked_and_over_is_said_and_by_whom(losing):
    made = losing(by=500)
    assert grant(made).notices[0].startswith("granted: ")
    assert revoke(made).notices[0].startswith("revoked by ann (over): ")
    grant(made, until_s=60)
    made.forget().at(60)
    assert notices(made)[0].startswith("ended: ")


def test_a_rule_without_a_limit_can_be_exempted(world):
    made = world(RuleSpec(id="auth", each=Scope.ACCOUNT, when="not account.can_trade"))
    made.can_trade(False)
    grant(made, rule="auth")
    assert made.phases[-1] == "auth resolved"


def test_one_position_can_be_exempted_while_it_is_there(world, rule):
    made = world(rule.size())
    made.fill(9, 21_000)
    assert grant(made, rule="size", entity="eval/MNQ").notices[0].startswith("granted: ")
    assert made.phases[-1] == "size resolved"
    assert "there is no account or position" in grant(made, "h", rule="size", entity="eval/MES").notices[0]


def test_a_grant_that_is_not_enough_leaves_the_breach_as_it_is(losing):
    made = losing(by=1200)
    grant(made.forget(), extra=100.0)
    assert (made.phases, list(made.kernel.live)) == ([], ["loss/eval/1"])
