"""Ways through the kernel that no story takes: what cannot happen, what nobody asks for, what is damaged."""

import base64
import zlib
from types import SimpleNamespace

import pytest

from haltline.api.field import Change
from haltline.errors import EngineError, InvariantBroken
from haltline.kernel.finding import SUFFICIENT, weigh_evidence
from haltline.kernel.governor import next_session_ns
from haltline.kernel.packed import pack_state, unpack_state
from haltline.model.event import OverrideGrant, Release
from haltline.model.id import AccountId, ActionId, RuleId
from haltline.model.plan import PlannedAction
from haltline.model.rule import Evidence, Scope


def test_a_deadline_that_was_processed_and_stands_still_ends_the_engine(world, rule):
    made = world(rule.loss())
    made.quote(21_000)
    made.kernel.deadline = made.now
    made.kernel.schedule_next = lambda: None
    with pytest.raises(InvariantBroken, match="stands still"):
        made.at(1)


def test_what_one_witness_suffices_for_is_not_weighed():
    action = SimpleNamespace(grade=Evidence.WITNESS)
    entity = SimpleNamespace(scope=Scope.PORTFOLIO, accounts=[])
    assert weigh_evidence(object(), action, entity, object(), judge=None, now=0, hold_ns=0) is SUFFICIENT


@pytest.mark.parametrize("account", [None, "nobody"])
def test_a_lock_for_no_account_of_ours_is_no_lock(world, account):
    made = world()
    action = PlannedAction(
        id=ActionId("a"), at=0, name="lock", account=account and AccountId(account), rules=(RuleId("r"),)
    )
    made.kernel.governor.lock_for_rule(action, made.now)
    assert list(made.kernel.governor.locks) == []


def test_a_window_is_not_evaluated_by_itself(world, rule):
    with pytest.raises(EngineError, match="E462"):
        world(rule.loss()).kernel.evaluate('count(account.fills, "1h")', "eval")


def test_a_grant_judges_nothing_that_its_rule_leaves_out(world, rule):
    made = world(rule.size(where='position.symbol == "MES"'))
    made.fill(9, 21_000)
    grant = OverrideGrant(
        at=made.now, received_at=made.now, grant_id="g", rule=RuleId("size"), entity="eval",
        until=made.now + 10**9, operator="ann", reason="news", extra=1.0,
    )  # fmt: skip
    made.send(grant)
    made.at(2)
    assert made.phases == []


def test_releasing_an_incident_that_is_not_there_is_said(world, rule):
    made = world(rule.loss())
    release = Release(at=made.now, received_at=made.now, operator="ann", reason="seen", incident="loss/eval/9")
    assert "there is no live incident 'loss/eval/9' to release" in made.send(release).notices


def test_a_market_that_is_open_then_or_never_again_begins_its_session_with_the_roll():
    closed = SimpleNamespace(is_open=lambda instant: False, next_open=lambda instant: None)
    account = SimpleNamespace(roll=SimpleNamespace(next_ns=77), hours=SimpleNamespace(source=closed))
    assert next_session_ns(account) == 77
    closed.next_open = lambda instant: instant + 5
    assert next_session_ns(account) == 82
    closed.is_open = lambda instant: True
    assert next_session_ns(account) == 77


def test_rules_that_keep_changing_each_others_input_are_cut_off_and_judged_anew_in_the_next_step(world, rule):
    made = world(rule.loss())
    made.fill(2, 21_000)
    account = made.kernel.state.accounts["eval"]
    undo = made.kernel.governor.undo

    def touching(each, now):
        made.kernel.state.touch(account, int(Change.ANY))
        return undo(each, now)

    made.kernel.governor.undo = touching
    result = made.quote(20_000)
    assert any("judging was cut off after" in text for text in result.notices)
    made.kernel.governor.undo = undo
    made.forget().at(1)
    assert made.results == [] and list(made.kernel.live) == ["loss/eval/1"]


def test_a_packed_state_is_unpacked_as_it_was():
    state = bytes(range(256)) * 50
    assert unpack_state(pack_state(state)) == state


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no base64!", "base64|Only"),
        (base64.b64encode(b"nothing packed").decode(), "incorrect header"),
        (base64.b64encode(zlib.compress(b"state" * 99)[:-9]).decode(), "its end is missing"),
    ],
)
def test_a_text_that_is_no_packed_state_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        unpack_state(text)
