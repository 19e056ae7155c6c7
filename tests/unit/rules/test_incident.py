"""What an incident remembers by itself, and when its actions are only recorded."""

from types import SimpleNamespace

import pytest

from haltline.model.rule import OnUnknown, Scope
from haltline.model.verdict import Verdict
from haltline.rules.incident import Incident, is_shadow
from haltline.rules.rule import ALERT


@pytest.fixture
def incident():
    """Of a rule that holds its last verdict while it does not know."""
    return Incident(SimpleNamespace(on_unknown=OnUnknown.HOLD), SimpleNamespace(), "i", 0)


def test_a_warning_has_held_since_it_began_and_a_rung_since_it_was_reached(incident):
    incident.note(Verdict.WARNING, 0, 5)
    assert incident.held == {ALERT: 5}
    incident.note(Verdict.BREACH, 1, 8)
    assert incident.held == {ALERT: 5, 0: 8, 1: 8}
    incident.note(Verdict.BREACH, 0, 9)
    assert incident.held == {ALERT: 5, 0: 8}


def test_what_is_fine_holds_nothing(incident):
    incident.note(Verdict.WARNING, 0, 5)
    incident.note(Verdict.OK, 0, 6)
    assert incident.held == {}


@pytest.mark.parametrize(
    ("on_unknown", "held"),
    [(OnUnknown.HOLD, {ALERT: 5}), (OnUnknown.ACT, {ALERT: 5}), (OnUnknown.BLOCK, {}), (OnUnknown.WARN, {})],
)
def test_what_is_unknown_breaks_a_hold_only_where_the_last_verdict_does_not_go_on(incident, on_unknown, held):
    incident.rule.on_unknown = on_unknown
    incident.note(Verdict.WARNING, 0, 5)
    incident.note(Verdict.UNKNOWN, 0, 6)
    assert incident.held == held


@pytest.mark.parametrize(("live", "shadow"), [((False, False), True), ((True, False), False), ((True, True), False)])
def test_a_rule_above_accounts_acts_once_one_of_them_is_armed(live, shadow):
    portfolio = SimpleNamespace(scope=Scope.PORTFOLIO, accounts=[SimpleNamespace(live=each) for each in live])
    assert is_shadow(SimpleNamespace(shadow=False), portfolio) is shadow
    assert is_shadow(SimpleNamespace(shadow=True), portfolio) is True
