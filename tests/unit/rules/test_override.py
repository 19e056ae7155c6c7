"""Override grants, and limits weighed on plain numbers."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.api.registry import Registry
from haltline.compose.vocabulary import build_vocabulary
from haltline.expr.check import check
from haltline.expr.compile import compile_truth
from haltline.model.id import RuleId
from haltline.model.plan import Override
from haltline.model.rule import Comparison, Scope
from haltline.model.verdict import Verdict
from haltline.rules.condition import limit_conditions, weigh, widened
from haltline.rules.override import OverrideBook, covers, describe_override

numbers = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 80.0, 80.0 + 1e-9, 100.0, 100.0 - 1e-8, 100.0 + 1e-6]))
UP_OR_DOWN = [Comparison.MAX, Comparison.AT, Comparison.MIN, Comparison.DOWN_TO]


def grant(name: str = "g", *, entity: str = "eval", until: int = 100, extra: float | None = None) -> Override:
    return Override(
        id=name, rule=RuleId("loss"), entity=entity, since=0, until=until, operator="ann", reason="news", extra=extra
    )


@settings(deadline=None, max_examples=300)
@given(
    kind=st.sampled_from([*UP_OR_DOWN, Comparison.RANGE]),
    measured=st.one_of(numbers, st.just(float("nan"))),
    warn=st.sampled_from([None, 0.5, 0.8]),
)
def test_plain_numbers_are_weighed_as_the_compiled_conditions_of_the_same_limit_say(kind, measured, warn) -> None:
    thresholds = (80.0, 100.0) if kind is Comparison.RANGE else (100.0,)
    value = check(
        "account.equity", scope=Scope.ACCOUNT, vocabulary=build_vocabulary(Registry()), wants=None, problems=[]
    )
    assert value is not None
    conditions = limit_conditions(value, kind, thresholds, warn)
    entity, bindings = SimpleNamespace(equity=measured), {"clock": None, "portfolio": None}
    breached = compile_truth(conditions.breach, bindings).evaluate(entity)
    warned = compile_truth(conditions.warn, bindings).evaluate(entity) if conditions.warn else False
    expected = {True: Verdict.BREACH, None: Verdict.UNKNOWN}.get(breached, Verdict.WARNING if warned else Verdict.OK)
    assert weigh(kind, measured, thresholds, warn)[0] is expected


def test_a_ladder_names_the_highest_rung_reached() -> None:
    rungs = (100.0, 200.0, 300.0)
    assert weigh(Comparison.AT, 250.0, rungs, None) == (Verdict.BREACH, 1)
    assert weigh(Comparison.AT, 99.0, rungs, None) == (Verdict.OK, 0)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (Comparison.AT, (100.0,), (110.0,)),
        (Comparison.MAX, (100.0, 200.0), (110.0, 210.0)),
        (Comparison.MIN, (100.0,), (90.0,)),
        (Comparison.DOWN_TO, (100.0,), (90.0,)),
        (Comparison.RANGE, (80.0, 100.0), (70.0, 110.0)),
    ],
)
def test_extra_room_moves_the_limit_away_from_the_value(kind, before, after) -> None:
    assert widened(kind, before, 10.0) == after


def test_a_grant_ends_exactly_at_its_instant() -> None:
    book = OverrideBook()
    book.add(grant(until=100))
    assert book.expire(99) == []
    assert [each.id for each in book.expire(100)] == ["g"]
    assert not book


def test_the_same_grant_again_changes_nothing() -> None:
    book = OverrideBook()
    assert book.add(grant(until=100))
    assert not book.add(grant(until=999))
    assert book.next_expiry() == 100


def test_revoking_what_does_not_stand_does_nothing() -> None:
    assert OverrideBook().revoke("nothing") is None


def test_an_exemption_counts_before_any_allowance_and_the_largest_allowance_before_others() -> None:
    book = OverrideBook()
    entity, rule = SimpleNamespace(key="eval", scope=Scope.ACCOUNT, id="eval"), SimpleNamespace(id="loss")
    book.add(grant("small", extra=10.0))
    book.add(grant("large", extra=50.0))
    assert book.of(rule, entity).id == "large"  # type: ignore[arg-type, union-attr]
    book.add(grant("all"))
    assert book.of(rule, entity).id == "all"  # type: ignore[arg-type, union-attr]


def test_a_grant_for_an_account_covers_what_is_in_it_and_nothing_else() -> None:
    account = SimpleNamespace(key="eval", id="eval", scope=Scope.ACCOUNT)
    position = SimpleNamespace(key="eval/MNQ", scope=Scope.POSITION, account=account)
    assert covers(grant(entity="eval"), position)
    assert covers(grant(entity="eval/MNQ"), position)
    assert not covers(grant(entity="eval/MES"), position)
    assert not covers(grant(entity="eval"), SimpleNamespace(key="MNQ", scope=Scope.INSTRUMENT))


def test_grants_of_changed_rules_end() -> None:
    book = OverrideBook()
    book.add(grant())
    assert book.keep_rules(["loss"]) == []
    assert [each.id for each in book.keep_rules(["other"])] == ["g"]


def test_a_grant_is_told_with_who_and_why() -> None:
    text = describe_override(grant(extra=150.0, until=1_746_540_000_000_000_000))
    assert text == "150 more for loss on eval until 2025-05-06T14:00:00.000Z by ann: news"
