"""Which way an edit goes: only what can be shown to catch everything it caught before tightens."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haltline.clock import NS_PER_S
from haltline.model.id import RuleId
from haltline.model.loosening import LooseningPolicy
from haltline.model.rule import (
    ActionSpec,
    Comparison,
    Definition,
    Evidence,
    EvidenceSpec,
    Latch,
    LimitSpec,
    OnUnknown,
    RuleMode,
    RuleSpec,
    Scope,
    Severity,
    Step,
)
from haltline.model.verdict import Verdict
from haltline.rules.condition import weigh
from haltline.rules.exchange import BESIDE, RuleSet, has_locks, plan_exchange
from haltline.rules.loosening import Direction, move_of

FLATTEN, NOTIFY, LOCK = ActionSpec(name="flatten"), ActionSpec(name="notify"), ActionSpec(name="lock")
WAIT = LooseningPolicy.NEXT_SESSION


def limit(at=500.0, comparison=Comparison.AT, **more):
    return LimitSpec(value="account.day.loss", comparison=comparison, threshold=at, **more)


def rule(name="loss", at=500.0, **more):
    fields = {"limit": limit(at), "then": (FLATTEN,)} | more
    return RuleSpec(id=RuleId(name), each=Scope.ACCOUNT, **fields)


def band(low, high, **more):
    return LimitSpec(value="account.day.loss", comparison=Comparison.RANGE, low=low, high=high, **more)


def ladder(*rungs):
    steps = tuple(Step(threshold=at, then=then) for at, then in rungs)
    return LimitSpec(value="account.day.loss", comparison=Comparison.AT, steps=steps)


def needs(grade=None, *, hold_ns=None, **actions):
    return EvidenceSpec(grade=grade, actions=actions, hold_ns=hold_ns)


WITNESS, FRESH, SURE = Evidence
TIGHTER = [
    ("limit", limit(500.0), limit(400.0)),
    ("limit", limit(500.0, Comparison.MIN), limit(600.0, Comparison.MIN)),
    ("limit", limit(500.0, Comparison.DOWN_TO), limit(600.0, Comparison.DOWN_TO)),
    ("limit", limit(500.0, Comparison.MAX), limit(400.0, Comparison.MAX)),
    ("limit", band(0.0, 10.0), band(1.0, 10.0)),
    ("limit", band(0.0, 10.0), band(0.0, 9.0)),
    ("limit", limit(warn=0.9), limit(warn=0.8)),
    ("limit", limit(), limit(warn=0.8)),
    ("limit", ladder((100.0, (NOTIFY,)), (500.0, (FLATTEN,))), ladder((90.0, (NOTIFY,)), (400.0, (FLATTEN,)))),
    ("limit", ladder((100.0, (NOTIFY,))), ladder((100.0, (NOTIFY, LOCK)))),
    ("for", 60, 30),
    ("cooldown", 60, 30),
    ("max_fires", 2, 3),
    ("max_fires", 2, None),
    ("where", "account.id == 'a'", None),
    ("then", (FLATTEN,), (FLATTEN, LOCK)),
    ("warn_then", (), (NOTIFY,)),
    ("on_unknown", OnUnknown.WARN, OnUnknown.BLOCK),
    ("on_unknown", OnUnknown.BLOCK, OnUnknown.ACT),
    ("during", ("09:30-16:00",), ()),
    ("during", ("09:30-16:00",), ("09:30-16:00", "18:00-20:00")),
    ("except", ("09:30-16:00",), ()),
    ("mode", RuleMode.SHADOW, RuleMode.LIVE),
    ("severity", Severity.INFO, Severity.CRITICAL),
    ("evidence", needs(SURE), needs(FRESH)),
    ("evidence", needs(SURE), None),
    ("evidence", None, needs(WITNESS)),
    ("evidence", needs(flatten=SURE), needs(flatten=WITNESS)),
    ("evidence", needs(SURE, flatten=SURE), needs(SURE, flatten=FRESH)),
    ("evidence", needs(SURE, lock=SURE), needs(FRESH, lock=FRESH)),
    ("evidence", needs(SURE, hold_ns=60), needs(SURE, hold_ns=30)),
    ("loosening", None, LooseningPolicy.BOTH),
    ("loosening", LooseningPolicy.BOTH, LooseningPolicy.SECOND_OPERATOR),
]
FIELDS = {"for": "for_ns", "cooldown": "cooldown_ns", "except": "excluding"}


@pytest.mark.parametrize(("key", "old", "new"), TIGHTER)
def test_a_key_that_tightens_and_the_same_one_back(key, old, new):
    field = FIELDS.get(key, key)
    before, after = rule(**{field: old}), rule(**{field: new})
    there, back = move_of(before, after), move_of(after, before)
    assert (there.direction, back.direction) == (Direction.TIGHTENS, Direction.LOOSENS)
    assert [each.key for each in there.keys] == [key]
    assert getattr(there.stricter, field) == getattr(back.stricter, field) == getattr(after, field)


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("when", "account.fills > 1", "account.fills > 2"),
        ("where", "account.id == 'a'", "account.id == 'b'"),
        ("clear", None, "account.day.loss < 100"),
        ("clear_for_ns", 0, NS_PER_S),
        ("limit", limit(), LimitSpec(value="account.day.pnl", comparison=Comparison.AT, threshold=400.0)),
        ("limit", limit(), limit(comparison=Comparison.MAX)),
        ("limit", limit(), limit("0.04 * account.balance")),
        ("limit", limit(), None),
        ("limit", band(0.0, 10.0, warn=0.8), band(5.0, 10.0, warn=0.8)),
        ("limit", limit(-5.0, warn=0.9), limit(-5.0, warn=0.8)),
        ("limit", ladder((100.0, (NOTIFY,))), ladder((100.0, (NOTIFY,)), (500.0, (FLATTEN,)))),
        ("then", (ActionSpec(name="lock", params={"for": "2h"}),), (ActionSpec(name="lock", params={"for": "1h"}),)),
        ("on_clear", (), (NOTIFY,)),
        ("on_unknown", OnUnknown.HOLD, OnUnknown.BLOCK),
        ("evidence", None, needs(FRESH)),
        ("evidence", needs(FRESH), None),
        ("evidence", needs(SURE), needs(SURE, hold_ns=30)),
        ("evidence", needs(SURE, hold_ns=30), needs(FRESH)),
        ("latch", Latch.CLEAR, Latch.MANUAL),
        ("latch", Latch.ACK, Latch.SESSION),
    ],
)
def test_what_cannot_be_shown_counts_as_a_loosening(field, old, new):
    move = move_of(rule(**{field: old}), rule(**{field: new}))
    assert move.direction is Direction.MIXED
    assert not move.is_safe
    assert move.stricter is None


def test_a_key_that_nobody_compares_is_unproven():
    """A key added later is a loosening until somebody says otherwise."""
    changed = msgspec.structs.replace(rule(), each=Scope.POSITION)
    assert move_of(rule(), changed).stricter is None


@pytest.mark.parametrize("field", ["title", "why", "runbook"])
def test_words_go_nowhere(field):
    assert move_of(rule(), rule(**{field: "other"})).direction is Direction.NEUTRAL


def test_a_shorter_latch_loosens():
    assert move_of(rule(latch=Latch.MANUAL), rule(latch=Latch.CLEAR)).direction is Direction.LOOSENS


def test_what_was_off_cannot_be_loosened():
    assert move_of(rule(mode=RuleMode.OFF), rule(at=900.0)).direction is Direction.TIGHTENS
    assert move_of(rule(mode=RuleMode.OFF), rule(at=900.0, mode=RuleMode.OFF)).direction is Direction.NEUTRAL


def test_turning_off_loosens():
    assert move_of(rule(), rule(mode=RuleMode.OFF)).direction is Direction.LOOSENS


def test_an_edit_both_ways_has_a_rule_as_strict_as_both():
    move = move_of(rule(at=500.0, for_ns=60), rule(at=400.0, for_ns=90))
    assert move.direction is Direction.MIXED
    assert (move.stricter.limit.threshold, move.stricter.for_ns) == (400.0, 60)


def test_actions_exchanged_are_both_asked_for():
    move = move_of(rule(then=(FLATTEN,)), rule(then=(LOCK,)))
    assert move.direction is Direction.MIXED
    assert move.stricter.then == (FLATTEN, LOCK)


def test_of_evidence_that_goes_both_ways_the_least_of_each_is_asked_for():
    move = move_of(rule(evidence=needs(SURE, lock=WITNESS, hold_ns=60)), rule(evidence=needs(FRESH, hold_ns=90)))
    assert move.direction is Direction.MIXED
    assert move.stricter.evidence == needs(FRESH, lock=WITNESS, hold_ns=60)


def test_evidence_that_stands_as_its_default_is_no_change():
    assert move_of(rule(evidence=needs()), rule()).direction is Direction.NEUTRAL
    assert move_of(rule(evidence=needs(SURE, flatten=SURE)), rule(evidence=needs(SURE))).direction is Direction.NEUTRAL


@given(
    old=st.builds(needs, st.sampled_from([None, *Evidence]), flatten=st.sampled_from(list(Evidence))),
    new=st.builds(needs, st.sampled_from([None, *Evidence]), lock=st.sampled_from(list(Evidence))),
    own=st.sampled_from(list(Evidence)),
)
def test_whatever_actions_ask_for_themselves_the_stricter_rule_never_asks_for_more(old, new, own):
    move = move_of(rule(evidence=old), rule(evidence=new))
    for name in ("flatten", "lock", "close_position"):
        was, now = (each.actions.get(name) or each.grade or own for each in (old, new))
        if move.is_safe:
            assert now.rank <= was.rank
        if move.stricter is not None:
            spec = move.stricter.evidence or needs()
            assert (spec.actions.get(name) or spec.grade or own).rank <= min(was.rank, now.rank)


def test_hours_moved_are_both_guarded():
    move = move_of(rule(during=("09:00-10:00",)), rule(during=("10:00-11:00",)))
    assert move.stricter.during == ("09:00-10:00", "10:00-11:00")


def test_inputs_of_templates_are_compared_by_their_values():
    old = rule(limit=limit("inputs.most"), constants={"inputs.most": 500.0})
    new = rule(limit=limit("inputs.most"), constants={"inputs.most": 400.0})
    assert move_of(old, new).direction is Direction.TIGHTENS
    assert move_of(new, old).direction is Direction.LOOSENS


def test_an_input_inside_an_expression_is_unproven():
    old = rule(limit=limit("inputs.share * account.balance"), constants={"inputs.share": 0.04})
    new = rule(limit=limit("inputs.share * account.balance"), constants={"inputs.share": 0.05})
    assert move_of(old, new).stricter is None


# -- exchanges ---------------------------------------------------------------------------------------------------------


def exchange(old, new, *, policy=WAIT, terms=((), ()), **more):
    before = RuleSet(rules=tuple(old), definitions=tuple(terms[0]))
    after = RuleSet(rules=tuple(new), definitions=tuple(terms[1]))
    return plan_exchange(before, after, policy=policy, **more)


def ids(found):
    return [str(spec.id) for spec in found.rules]


def test_an_added_rule_counts_at_once():
    found = exchange([], [rule()])
    assert (ids(found), found.waiting) == (["loss"], ())


def test_a_removed_rule_stays_until_it_is_let_go():
    found = exchange([rule()], [])
    assert ids(found) == ["loss"]
    (waits,) = found.waiting
    assert (waits.id, waits.text) == ("rule:loss:removed", "rule loss removed")
    assert ids(exchange([rule()], [], released={waits.id})) == []


def test_removing_what_was_off_needs_nobody():
    assert ids(exchange([rule(mode=RuleMode.OFF)], [])) == []


def test_a_tighter_rule_takes_the_place_of_the_old_one():
    found = exchange([rule(at=500.0)], [rule(at=400.0)])
    assert (found.rules[0].limit.threshold, found.waiting) == (400.0, ())


def test_a_looser_rule_waits_and_the_old_one_stays_alone():
    found = exchange([rule(at=500.0)], [rule(at=600.0)])
    assert [spec.limit.threshold for spec in found.rules] == [500.0]
    (waits,) = found.waiting
    assert exchange([rule(at=500.0)], [rule(at=600.0)], released={waits.id}).rules[0].limit.threshold == 600.0


def test_two_looser_edits_have_different_names():
    one = exchange([rule()], [rule(at=600.0)]).waiting[0].id
    other = exchange([rule()], [rule(at=700.0)]).waiting[0].id
    assert one != other


def test_what_was_let_go_is_not_a_pass_for_more():
    waits = exchange([rule()], [rule(at=600.0)]).waiting[0].id
    assert exchange([rule()], [rule(at=700.0)], released={waits}).rules[0].limit.threshold == 500.0


def test_tightening_goes_on_while_something_else_waits():
    found = exchange([rule("a"), rule("b")], [rule("a", at=400.0), rule("b", at=600.0)])
    assert [spec.limit.threshold for spec in found.rules] == [400.0, 500.0]
    assert [each.subject for each in found.waiting] == ["b"]


def test_a_mixed_edit_is_as_strict_as_both_and_then_what_was_written():
    old, new = rule(at=500.0, for_ns=60), rule(at=400.0, for_ns=90)
    first = exchange([old], [new])
    (stricter,) = first.rules
    assert (stricter.limit.threshold, stricter.for_ns) == (400.0, 60)
    second = exchange(first.rules, [new])
    assert second.rules == first.rules
    assert second.waiting == first.waiting
    assert exchange(first.rules, [new], released={first.waiting[0].id}).rules == (new,)


def test_what_cannot_be_compared_stands_beside_until_it_is_let_go():
    old, new = rule(at=500.0), rule(limit=limit("0.01 * account.balance"))
    first = exchange([old], [new])
    assert first.rules[0] == old
    assert first.rules[1].limit == new.limit
    assert str(first.rules[1].id).startswith(f"loss{BESIDE}")
    assert exchange(first.rules, [new]).rules == first.rules
    assert exchange(first.rules, [new], released={first.waiting[0].id}).rules == (new,)


def test_what_stands_beside_is_not_dropped_by_taking_the_edit_back():
    """It guards by now, so that it goes like any other rule."""
    old, new = rule(at=500.0), rule(limit=limit("0.01 * account.balance"))
    first = exchange([old], [new])
    back = exchange(first.rules, [old])
    assert ids(back) == ids(first)
    assert [each.subject for each in back.waiting] == [str(first.rules[1].id)]
    assert exchange(first.rules, [old], released={back.waiting[0].id}).rules == (old,)


def test_an_open_incident_is_not_ended_by_a_tightening_edit():
    old, new = rule(at=500.0, latch=Latch.MANUAL), rule(at=499.0, latch=Latch.MANUAL)
    found = exchange([old], [new], busy={"loss"})
    assert found.rules[0] == old
    assert found.rules[1].limit.threshold == 499.0
    assert "while its incident is open" in found.waiting[0].text


def test_words_of_a_rule_with_an_open_incident_change_at_once():
    found = exchange([rule()], [rule(title="other")], busy={"loss"})
    assert (found.rules[0].title, found.waiting) == ("other", ())


def test_without_policies_everything_counts_at_once():
    old, new = [rule("a"), rule("b")], [rule("b", at=900.0)]
    found = exchange(old, new, policy=LooseningPolicy.AT_ONCE, busy={"b"})
    assert (found.rules, found.waiting) == (tuple(new), ())


def test_the_policy_of_the_rule_in_force_counts_not_that_of_the_edit():
    old = rule(loosening=LooseningPolicy.SECOND_OPERATOR)
    found = exchange([old], [rule(at=900.0)], policy=LooseningPolicy.AT_ONCE)
    assert found.rules[0].limit.threshold == 500.0
    assert found.waiting[0].policy is LooseningPolicy.SECOND_OPERATOR


def test_whether_anything_ever_waits():
    assert not has_locks([rule()], LooseningPolicy.AT_ONCE)
    assert has_locks([rule()], LooseningPolicy.BOTH)
    assert has_locks([rule(loosening=LooseningPolicy.BOTH)], LooseningPolicy.AT_ONCE)


RISK = Definition(name="account.risk", text="account.day.loss")
MILD = Definition(name="account.risk", text="account.day.loss / 2")
USES = rule(limit=LimitSpec(value="account.risk", comparison=Comparison.AT, threshold=500.0))


def test_a_derived_value_in_use_stays_what_it_was():
    found = exchange([USES], [USES], terms=([RISK], [MILD]))
    assert found.definitions == (RISK,)
    (waits,) = found.waiting
    assert waits.subject == "account.risk"
    let_go = exchange([USES], [USES], terms=([RISK], [MILD]), released={waits.id})
    assert let_go.definitions == (MILD,)


def test_a_derived_value_that_nobody_uses_changes_at_once():
    assert exchange([rule()], [rule()], terms=([RISK], [MILD])).definitions == (MILD,)


def test_a_derived_value_stays_as_long_as_a_rule_that_uses_it():
    found = exchange([USES], [], terms=([RISK], []))
    assert found.definitions == (RISK,)
    assert exchange([USES], [], terms=([RISK], []), released={"rule:loss:removed"}).definitions == ()


def test_a_derived_value_of_a_stricter_rule_waits_as_that_rule_does():
    uses = msgspec.structs.replace(USES, loosening=LooseningPolicy.SECOND_OPERATOR)
    found = exchange([uses], [uses], policy=LooseningPolicy.AT_ONCE, terms=([RISK], [MILD]))
    assert found.waiting[0].policy is LooseningPolicy.SECOND_OPERATOR


NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False).map(lambda number: round(number, 2))
SINGLE = [Comparison.MAX, Comparison.AT, Comparison.MIN, Comparison.DOWN_TO]


@st.composite
def limits(draw, comparison):
    if comparison is Comparison.RANGE:
        low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
        return band(low, high + 0.01)
    return limit(draw(NUMBERS), comparison)


@st.composite
def edits(draw):
    comparison = draw(st.sampled_from([*SINGLE, Comparison.RANGE]))
    fields = {"for_ns": st.integers(0, 3), "max_fires": st.none() | st.integers(1, 3)}

    def one():
        more = {name: draw(strategy) for name, strategy in fields.items()}
        return rule(limit=draw(limits(draw(st.just(comparison)))), **more)

    return one(), one()


def breaks(spec, measured):
    found = spec.limit
    thresholds = (found.low, found.high) if found.comparison is Comparison.RANGE else (found.threshold,)
    return weigh(found.comparison, measured, thresholds, None)[0] is Verdict.BREACH


@given(edits(), NUMBERS, st.booleans())
def test_whatever_is_edited_nothing_escapes_that_was_caught(pair, measured, is_busy):
    """Rules in force after an exchange catch what the old ones caught, no later, and what the new ones catch too
    wherever these do not only loosen."""
    old, new = pair
    found = exchange([old], [new], busy={"loss"} if is_busy else ())
    catching = [spec for spec in found.rules if breaks(spec, measured)]
    if breaks(old, measured):
        assert any(spec.for_ns <= old.for_ns and _fires(spec) >= _fires(old) for spec in catching)
    if breaks(new, measured) and move_of(old, new).direction is not Direction.LOOSENS:
        assert catching


def _fires(spec):
    return float("inf") if spec.max_fires is None else spec.max_fires


@given(st.lists(edits(), min_size=1, max_size=4), NUMBERS)
def test_no_chain_of_edits_gets_round_the_first_rule(chain, measured):
    first = chain[0][0]
    rules = (first,)
    for _, edited in chain:
        rules = exchange(rules, [msgspec.structs.replace(edited, limit=first.limit)]).rules
        rules = exchange(rules, [edited] if edited.limit.comparison is first.limit.comparison else []).rules
    if breaks(first, measured):
        assert any(breaks(spec, measured) for spec in rules)
