"""What went beyond its caps waits for an operator, and goes on once."""

from decimal import Decimal

import msgspec
import pytest

from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import ActionOutcome, ArmRequest, Consent, OutcomeStatus
from haltline.model.id import AccountId, ActionId, IncidentId
from haltline.model.plan import Caps, Over
from haltline.rules.compile import caps_of
from haltline.state.state import State, StateSettings


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


def test_what_waits_is_told_and_what_was_consented_to_as_well(world, rule):
    made = world(rule.loss(then=rule.actions(("flatten", {"max_positions": 1}))))
    made.fill(2, 21_000)
    made.quote(20_700)
    result = outcome(made, made.results[-1].plan[0].id)
    assert result.notices[0] == "flatten on eval needs consent: would touch 2 positions"
    assert consent(made).notices == ("ann consented to flatten on eval: it is right",)


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
    result = consent(refused, **names)
    (name,) = names.values()
    assert result.plan == ()
    assert result.notices == (f"ann consented to {name!r}, but nothing of that name waits for consent",)
    assert "needs consent" in waits(refused)


def test_only_the_incident_that_asked_for_it_waits_and_only_what_was_meant_goes_on(world, rule):
    made = world(
        rule.loss("loss", then=rule.actions(("flatten", {"max_positions": 1}))),
        rule.loss("late", at=1100, then=rule.actions("notify")),
        rule.size(maximum=1, then=rule.actions(("reduce_to", {"quantity": 1, "max_notional": 5}))),
    )
    made.fill(2, 21_000)
    (reduction,) = [action for result in made.results for action in result.plan if action.name == "reduce_to"]
    outcome(made, reduction.id)
    made.quote(20_000)
    (flatten,) = [action for result in made.results for action in result.plan if action.name == "flatten"]
    outcome(made, flatten.id)
    assert {view.rule: view.waits.partition(":")[0] for view in made.kernel.incidents()} == {
        "size": "reduce_to needs consent", "loss": "flatten needs consent", "late": "",
    }  # fmt: skip
    assert [action.name for action in consent(made, incident=IncidentId("loss/eval/1")).plan] == ["flatten"]
    assert [action.name for action in consent(made, action=reduction.id).plan] == ["reduce_to"]


def test_entries_are_free_at_once_where_what_went_beyond_its_caps_is_not_wanted_any_more(world, rule):
    made = world(rule.loss(then=rule.actions(("flatten", {"max_positions": 1}))))
    made.fill(2, 21_000)
    made.quote(20_700)
    flatten = made.results[-1].plan[0].id
    made.quote(21_000)
    assert made.mode == "REDUCING", "the flatten is under way"
    result = outcome(made, flatten)
    assert result.notices[:2] == (
        "flatten on eval needs consent: would touch 2 positions",
        "flatten on eval needs no consent any more: what asked for it is over",
    )
    assert made.mode == "ACTIVE"


def test_consent_to_what_an_account_asked_for_that_is_no_longer_in_the_set_up_sends_nothing(refused):
    accounts = (AccountSpec(id=AccountId("live"), balance=Decimal(50_000)),)
    smaller = Kernel(State(StateSettings(accounts=accounts, now=refused.now)), refused.compile(refused.specs))
    smaller.restore(refused.kernel.snapshot())
    said = Consent(at=refused.now, received_at=refused.now, operator="ann", reason="it is right", action=key(refused))
    result = smaller.step(said, refused.now)
    assert result.plan == ()
    assert "flatten on eval was not consented to" in result.notices[0]


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
