"""When two rules mean the same: only then incidents, holds and windows go on over a reload."""

import pytest

from haltline.errors import Place
from haltline.model.id import RuleId
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, RuleSpec, Scope, Severity, Step
from haltline.rules.meaning import fingerprint_of, used_definitions

HERE, THERE = Place(file="rules.yaml", line=3), Place(file="other.yaml", line=40)


def rule(place=HERE, **more):
    limit = LimitSpec(
        value="account.risk_used",
        comparison=Comparison.AT,
        steps=(Step(threshold=0.5, then=(ActionSpec(name="notify", place=place),), place=place),),
    )
    keys = {"limit": limit, "then": (ActionSpec(name="flatten", place=place),), "places": {"": place}} | more
    return RuleSpec(id=RuleId("risk"), each=Scope.ACCOUNT, **keys)


def test_a_rule_that_moved_to_another_line_or_file_means_the_same():
    assert fingerprint_of(rule(), {}) == fingerprint_of(rule(THERE), {})


@pytest.mark.parametrize("key", ["title", "why", "runbook"])
def test_words_for_people_change_no_meaning(key):
    assert fingerprint_of(rule(), {}) == fingerprint_of(rule(**{key: "other words"}), {})


@pytest.mark.parametrize(
    "change",
    [
        {"for_ns": 1},
        {"then": ()},
        {"severity": Severity.CRITICAL},
        {"labels": {"place": "desk"}},
        {"where": 'account.id != "x"'},
    ],
)
def test_everything_else_does(change):
    assert fingerprint_of(rule(), {}) != fingerprint_of(rule(**change), {})


def test_the_meaning_of_a_rule_holds_the_definitions_it_names():
    old = {"account.risk_used": "account.day.loss / account.day.start_equity"}
    new = {"account.risk_used": "account.day.loss / account.balance"}
    assert fingerprint_of(rule(), old) != fingerprint_of(rule(), new)


def test_a_definition_that_nobody_names_changes_no_meaning():
    assert fingerprint_of(rule(), {"account.spare": "1"}) == fingerprint_of(rule(), {})


def test_definitions_of_definitions_count_and_generators_name_them_by_their_last_word():
    definitions = {"account.used": "account.room - 1", "account.room": "account.balance", "account.other": "2"}
    found = used_definitions("sum(a.used for a in portfolio.accounts)", definitions)
    assert set(found) == {"account.used", "account.room"}
