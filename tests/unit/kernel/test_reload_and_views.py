"""Swapping rules in one instant, exact snapshots, and what people are shown."""

import msgspec
import pytest

from haltline.clock import NS_PER_S
from haltline.errors import ConfigError, EngineError
from haltline.kernel.snapshot import VERSION
from haltline.model.rule import Comparison, LimitSpec, RuleSpec, Scope


class TestReload:
    def test_a_hold_of_an_unchanged_rule_goes_on(self, world, rule):
        kept = rule.loss(for_ns=60 * NS_PER_S)
        made = world(kept)
        made.fill(2, 21_000)
        made.quote(20_700)
        made.at(30)
        made.note(made.kernel.replace_rules(made.compile((rule.size("new"), kept)), made.now))
        made.at(60)
        assert made.phases == ["loss pending", "loss breached"]

    def test_an_incident_of_a_changed_rule_ends_and_the_new_rule_is_judged_at_once(self, world, rule):
        made = world(rule.loss())
        made.fill(2, 21_000)
        made.quote(20_700)
        made.forget()
        made.note(made.kernel.replace_rules(made.compile((rule.loss(at=900),)), made.now))
        assert made.phases == ["loss resolved", "loss breached"]

    def test_a_removed_rule_lets_go_of_what_it_blocked(self, world, rule):
        made = world(rule.loss(then=rule.actions("block_entries")))
        made.fill(2, 21_000)
        made.quote(20_700)
        assert made.mode == "REDUCING"
        made.note(made.kernel.replace_rules(made.compile(()), made.now))
        assert made.mode == "ACTIVE"

    def test_the_history_of_an_unchanged_window_is_kept(self, world):
        limit = LimitSpec(value='-change(account.equity, "5m")', comparison=Comparison.AT, threshold=300.0)
        speed = RuleSpec(id="speed", each=Scope.ACCOUNT, limit=limit)
        made = world(speed)
        made.fill(2, 21_000)
        made.at(100).quote(20_950)
        made.note(made.kernel.replace_rules(made.compile((speed,)), made.now))
        made.at(200).quote(20_925)
        assert made.phases == ["speed breached"]


class TestSnapshot:
    def test_bytes_that_are_no_snapshot_are_refused(self, world, rule):
        with pytest.raises(EngineError, match="E707"):
            world(rule.loss()).kernel.restore(b"nonsense")

    def test_a_snapshot_of_a_newer_version_is_refused(self, world, rule):
        made = world(rule.loss())
        newer = {**msgspec.msgpack.decode(made.kernel.snapshot()), "version": VERSION + 1}
        with pytest.raises(EngineError, match="E708"):
            made.kernel.restore(msgspec.msgpack.encode(newer))

    def test_an_incident_whose_rule_was_edited_meanwhile_is_named_and_judged_anew(self, world, rule):
        made = world(rule.loss())
        made.fill(2, 21_000)
        made.quote(20_700)
        edited = world(rule.loss(at=900))
        notes = edited.kernel.restore(made.kernel.snapshot())
        assert "not carried over" in notes[0]
        assert [each.rule for each in edited.kernel.evaluate_all(made.now).transitions] == ["loss"]


class TestViews:
    def loaded(self, world, rule):
        made = world(rule.loss(warn=0.8), rule.size())
        made.fill(2, 21_000)
        made.quote(20_900)
        return made

    def test_a_gauge_tells_how_full_a_limit_is_and_what_room_is_left(self, world, rule):
        loss, size = (each for each in self.loaded(world, rule).kernel.gauges() if each.entity.startswith("eval"))
        assert (loss.rule, loss.measured, loss.threshold, loss.headroom) == ("loss", 400.0, 1000.0, 600.0)
        assert loss.utilization == pytest.approx(0.4)
        assert (size.rule, size.entity) == ("size", "eval/MNQ") or (size.rule, size.measured) == ("size", 2.0)

    def test_incidents_are_listed_oldest_first(self, world, rule):
        made = self.loaded(world, rule)
        made.at(1).quote(20_790)
        made.at(2).fill(9, 20_790)
        assert [each.rule for each in made.kernel.incidents()] == ["loss", "size"]

    def test_a_rule_is_explained_with_every_value(self, world, rule):
        why = self.loaded(world, rule).kernel.explain("loss", "eval")
        assert (why.verdict, why.measured) == ("ok", 400.0)
        assert b"account.day.loss" in msgspec.json.encode(why)

    def test_an_unknown_rule_or_entity_is_answered_with_the_known_ones(self, world, rule):
        kernel = self.loaded(world, rule).kernel
        with pytest.raises(EngineError, match="the loaded rules are: loss, size"):
            kernel.explain("los", "eval")
        with pytest.raises(EngineError, match="there are: eval"):
            kernel.explain("loss", "evil")

    def test_typed_text_is_checked_before_it_is_evaluated(self, world, rule):
        kernel = self.loaded(world, rule).kernel
        assert kernel.evaluate("account.equity - 49000", "eval").value == pytest.approx(600.0)
        with pytest.raises(ConfigError):
            kernel.evaluate("().__class__", "eval")


def test_every_problem_of_every_rule_is_reported_at_once(world):
    bad = (
        RuleSpec(id="one", each=Scope.ACCOUNT, when="account.eqity > 1"),
        RuleSpec(id="two", each=Scope.ACCOUNT, when="account.equity > 1", suppresses=("three",), during=("noon",)),
    )
    with pytest.raises(ConfigError) as caught:
        world(*bad)
    assert {problem.code for problem in caught.value.problems} >= {"E451", "E455"}
    assert len(caught.value.problems) >= 3
