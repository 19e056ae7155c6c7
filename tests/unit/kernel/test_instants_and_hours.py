"""Fills are judged once, rules that follow market hours wake with them, and windows know the present from the start."""

from haltline.model.rule import Comparison, LimitSpec, RuleSpec, Scope
from haltline.rules.schedule import parse_schedule


def loss_of_a_fill(rule, **more):
    limit = LimitSpec(value="-fill.pnl", comparison=Comparison.AT, threshold=100.0)
    return RuleSpec(id="cooldown", each=Scope.FILL, limit=limit, then=rule.actions("flatten"), **more)


def test_a_fill_fires_its_rule_once_and_the_incident_is_over(world, rule):
    made = world(loss_of_a_fill(rule))
    made.fill(2, 21_000)
    made.fill(-1, 20_950)
    assert made.phases == ["cooldown breached", "cooldown resolved"]
    assert made.actions == ["flatten"]
    assert made.kernel.incidents() == []


def test_an_old_fill_is_not_judged_again_by_the_passing_of_time(world, rule):
    made = world(loss_of_a_fill(rule, excluding=("14:10-14:20",)))
    made.fill(2, 21_000)
    made.at(600).fill(-1, 20_950)
    made.at(1200)
    assert made.phases == []


def test_a_window_knows_the_present_before_anything_happened(world, rule):
    limit = LimitSpec(value='change(account.equity, "5m")', comparison=Comparison.DOWN_TO, threshold=-1000.0)
    made = world(RuleSpec(id="fast", each=Scope.ACCOUNT, limit=limit, then=rule.actions("notify")))
    assert [gauge.measured for gauge in made.kernel.gauges() if gauge.entity == "eval"] == [0.0]


def test_a_schedule_knows_whether_it_follows_the_market():
    assert parse_schedule(["session"], []).follows_session
    assert parse_schedule([], ["session"]).follows_session
    assert not parse_schedule(["09:30-16:00"], []).follows_session


def test_what_a_late_quote_decides_is_stamped_with_the_quote_and_not_with_the_deadline_before_it(world, rule):
    limit = LimitSpec(value='-change(account.equity, "1m")', comparison=Comparison.MAX, threshold=100.0)
    made = world(RuleSpec(id="fast", each=Scope.ACCOUNT, limit=limit, then=rule.actions("notify")))
    made.fill(2, 21_000)
    made.seconds = 5.5  # the tick of a second is due before
    result = made.quote(20_900)
    assert [each.at for each in result.transitions] == [made.now]
