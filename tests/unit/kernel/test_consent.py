"""What went beyond its caps waits for an operator, and goes on once."""

import msgspec
import pytest

from haltline.model.event import ActionOutcome, ArmRequest, Consent, OutcomeStatus
from haltline.model.id import AccountId, ActionId, IncidentId
from haltline.model.plan import Caps, Over
from haltline.rules.compile import caps_of


@pytest.fixture
def refused(world, rule):
    """A flatten that would touch too much, and the enforcer has said so."""
    made = world(rule.loss(then=rule.actions(("flatten", {"max_positions": 1}))))
    made.fill(2, 21_000)
    made.quote(20_700)
    outcome(made, made.results[-1].plan[0].id)
    return made.forget()


def outcome(made, action, status=OutcomeStatus.NEEDS_CONSENT):
    return made.send(
        ActionOutcome(
            at=made.now, received_at=made.now, action_id=action, account=AccountId("eval"), status=status,
            detail="would touch 2 positions",
        )
    )  # fmt: skip


def consent(made, **names):
    names = names or {"incident": IncidentId("loss/eval/1")}
    return made.send(Consent(at=made.now, received_at=made.now, operator="ann", reason="it is right", **names))


def waits(made):
    return " ".join(view.waits for view in made.kernel.incidents())


def test_a_plan_carries_its_caps(world, rule):
    made = world(rule.loss(then=rule.actions(("flatten", {"max_positions": 1, "over": "proceed"}))))
    made.fill(2, 21_000)
    made.quote(20_700)
    assert made.results[-1].plan[0].caps == Caps(max_positions=1, over=Over.PROCEED)


def test_the_set_up_fills_in_what_a_rule_leaves_out(world, rule):
    spec = rule.loss(then=rule.actions(("flatten", {"max_positions": 1}), "cancel_orders", "block_entries"))
    made = world(spec)
    made.kernel.gate.caps = Caps(max_positions=9, max_orders=7)
    made.fill(2, 21_000)
    made.quote(20_700)
    caps = {action.name: action.caps for result in made.results for action in result.plan}
    assert caps["flatten"] == Caps(max_positions=1, max_orders=7)
    assert caps["block_entries"] is None
    assert caps["cancel_orders"] == Caps(max_positions=9, max_orders=7)


def test_entries_stay_blocked_and_nothing_is_tried_again(refused):
    assert refused.mode == "REDUCING"
    assert "flatten needs consent: would touch 2 positions" in waits(refused)
    refused.at(3600)
    refused.quote(20_600)
    assert refused.actions == []


@pytest.mark.parametrize("by", ["incident", "action"])
def test_consent_lets_exactly_this_go_on_once(refused, by):
    names = {"incident": IncidentId("loss/eval/1")} if by == "incident" else {"action": key(refused)}
    (action,) = consent(refused, **names).plan
    assert (action.name, action.consent, action.caps) == ("flatten", "ann: it is right", Caps(max_positions=1))
    assert action.id == "loss/eval/1:fire:flatten:eval!1"
    assert (waits(refused), refused.mode) == ("", "REDUCING")
    again = consent(refused, **names)
    assert again.plan == () and "nothing of that name waits" in again.notices[0]
    outcome(refused, action.id, OutcomeStatus.DONE)
    assert refused.mode == "ACTIVE"


def key(made):
    return ActionId(next(iter(made.kernel.consents.refused)))


def test_a_failure_after_consent_is_tried_again_with_it(refused):
    (action,) = consent(refused).plan
    outcome(refused, action.id, OutcomeStatus.FAILED)
    refused.forget().at(600)
    again = [each for result in refused.results for each in result.plan if each.name == "flatten"]
    assert again and {each.consent for each in again} == {"ann: it is right"}
    assert all(each.id.startswith("loss/eval/1:fire:flatten:eval!1~") for each in again)


@pytest.mark.parametrize("names", [{"incident": IncidentId("loss/eval/9")}, {"action": ActionId("x")}])
def test_consent_to_something_else_does_nothing(refused, names):
    assert consent(refused, **names).plan == ()
    assert "needs consent" in waits(refused)


def test_it_is_forgotten_when_the_incident_is_over(refused):
    result = refused.quote(21_000)
    assert refused.mode == "ACTIVE"
    assert any("needs no consent any more" in notice for notice in result.notices)
    assert consent(refused).plan == ()


def test_it_survives_a_restart(refused):
    again = refused.restart()
    assert again.mode == "REDUCING"
    assert [action.name for action in consent(again).plan] == ["flatten"]


def test_nothing_is_sent_for_an_account_in_shadow(refused):
    refused.send(
        ArmRequest(at=refused.now, received_at=refused.now, account=AccountId("eval"), operator="ann", live=False)
    )
    result = consent(refused)
    assert result.plan == () and "arm it first" in result.notices[0]


def test_an_outcome_of_nothing_under_way_changes_nothing(refused):
    assert outcome(refused, ActionId("other")).notices == ()


def test_what_was_left_out_because_of_it_is_asked_for(world, rule):
    made = world(
        rule.loss(then=rule.actions(("flatten", {"max_positions": 0}))),
        rule.size(maximum=1, then=rule.actions(("reduce_to", {"quantity": 1}))),
    )
    made.fill(1, 21_000)
    made.quote(20_000)
    (flatten,) = [action for result in made.results for action in result.plan if action.name == "flatten"]
    made.fill(1, 20_000)
    assert "reduce_to" not in made.actions
    result = outcome(made, flatten.id)
    assert [action.name for action in result.plan] == ["reduce_to"]


def test_caps_that_are_an_actions_own_parameters_are_no_caps(rule):
    (spec,) = rule.actions(("x", {"max_orders": 3, "max_notional": "1e3"}))
    assert caps_of(spec, {"max_orders"}) == Caps(max_notional=1000.0)
    assert caps_of(msgspec.structs.replace(spec, params={})) is None


def test_an_amount_of_money_that_a_rule_leaves_out_is_that_of_the_set_up(world, rule):
    made = world(rule.loss(then=rule.actions(("flatten", {"max_positions": 1}))))
    made.kernel.gate.caps = Caps(max_notional=9_000.0)
    made.fill(2, 21_000)
    made.quote(20_700)
    (flatten,) = made.results[-1].plan
    assert flatten.caps == Caps(max_positions=1, max_notional=9_000.0)


def test_what_a_rule_caps_itself_the_set_up_does_not_widen(world, rule):
    made = world(rule.loss(then=rule.actions(("flatten", {"max_notional": 500.0, "max_orders": 2}))))
    made.kernel.gate.caps = Caps(max_positions=9, max_notional=9_000.0, max_orders=7)
    made.fill(2, 21_000)
    made.quote(20_700)
    (flatten,) = [action for action in made.results[-1].plan if action.name == "flatten"]
    assert flatten.caps == Caps(max_positions=9, max_notional=500.0, max_orders=2)
