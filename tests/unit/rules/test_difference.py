"""What changes between two rule sets, told by the keys that people write."""

from haltline.clock import NS_PER_S
from haltline.model.id import RuleId
from haltline.model.rule import (
    ActionSpec,
    Comparison,
    Definition,
    EscalationStep,
    Evidence,
    EvidenceSpec,
    LimitSpec,
    RuleMode,
    RuleSpec,
    Scope,
    Severity,
    Step,
)
from haltline.rules.difference import compare_rules, keys_of


def loss(name="loss", at=1000.0, **more):
    limit = LimitSpec(value="account.day.loss", comparison=Comparison.AT, threshold=at)
    return RuleSpec(id=RuleId(name), each=Scope.ACCOUNT, limit=limit, **more)


def changes(old, new):
    (change,) = compare_rules([old], [new]).changed
    return [str(key) for key in change.keys]


def test_the_same_set_in_another_order_differs_in_nothing():
    found = compare_rules([loss("a"), loss("b")], [loss("b"), loss("a")])
    assert (found.is_empty, found.same_behaviour, found.unchanged) == (True, True, ("a", "b"))


def test_a_sentence_names_the_first_of_many_and_counts_the_rest():
    """Five hundred names were sent to a phone, in a dozen messages."""
    found = compare_rules([], [loss(f"r{number:03}") for number in range(500)])
    said = str(found)
    assert said.startswith("500 added (r000, r001, ")
    assert said.endswith("r011 and 488 more), 0 unchanged")
    assert len(found.added) == 500


def test_rules_come_and_go_by_their_ids():
    found = compare_rules([loss("a"), loss("b")], [loss("b"), loss("c")])
    assert (found.added, found.removed, found.unchanged) == (("c",), ("a",), ("b",))
    assert not found.same_behaviour
    assert str(found) == "1 added (c), 1 removed (a), 1 unchanged"


def test_a_changed_key_is_told_with_both_its_texts():
    assert changes(loss(), loss(at=900)) == ["limit.at: 1000 → 900"]
    assert changes(loss(), loss(for_ns=90 * NS_PER_S)) == ["for: nothing → 1m30s"]
    lock = ActionSpec(name="lock", params={"until": "next_session"})
    assert changes(loss(then=(lock,)), loss()) == ["then: lock {until: next_session} → nothing"]


def test_another_comparison_is_another_key():
    other = LimitSpec(value="account.day.loss", comparison=Comparison.MAX, threshold=1000.0)
    found = changes(loss(), RuleSpec(id=RuleId("loss"), each=Scope.ACCOUNT, limit=other))
    assert found == ["limit.at: 1000 → nothing", "limit.max: nothing → 1000"]


def test_a_range_and_a_ladder_are_told_whole():
    wide = LimitSpec(value="account.leverage", comparison=Comparison.RANGE, low=0.5, high=2.0)
    rung = Step(threshold=600.0, then=(ActionSpec(name="notify"),))
    ladder = LimitSpec(value="account.day.loss", comparison=Comparison.AT, steps=(rung,))
    assert keys_of(RuleSpec(id=RuleId("r"), each=Scope.ACCOUNT, limit=wide))["limit.range"] == "[0.5, 2]"
    assert keys_of(RuleSpec(id=RuleId("r"), each=Scope.ACCOUNT, limit=ladder))["limit.steps"] == "at: 600, then: notify"


def test_only_words_change_no_behaviour_and_are_still_told():
    found = compare_rules([loss(title="Stop")], [loss(title="Halt")])
    assert found.same_behaviour
    assert found.changed[0].only_words
    assert not found.is_empty


def test_rules_that_are_off_change_no_behaviour_until_they_are_on():
    off = loss(mode=RuleMode.OFF)
    assert compare_rules([], [off]).same_behaviour
    assert compare_rules([off], []).same_behaviour
    assert compare_rules([off], [loss(at=1, mode=RuleMode.OFF)]).same_behaviour
    assert not compare_rules([off], [loss()]).same_behaviour


def test_a_changed_definition_changes_the_rules_that_name_it_and_no_others():
    def used(name, value):
        return RuleSpec(id=RuleId(name), each=Scope.ACCOUNT, when=value)

    rules = [used("one", "account.risk > 1"), used("two", "account.balance > 1")]
    old, new = (Definition(name="account.risk", text=text) for text in ("account.balance", "account.equity"))
    found = compare_rules(rules, rules, old_definitions=[old], new_definitions=[new])
    assert [change.rule for change in found.changed] == ["one"]
    assert str(found.changed[0].keys[0]) == "define account.risk: account.balance → account.equity"
    assert [str(key) for key in found.definitions] == ["account.risk: account.balance → account.equity"]
    assert found.unchanged == ("two",)


def test_truths_lists_and_numbers_are_told_as_people_write_them():
    cancel = ActionSpec(name="cancel_orders", params={"keep_protective": False, "symbols": ["MNQ", 2.5], "max": None})
    assert keys_of(loss(then=(cancel,)))["then"] == (
        "cancel_orders {keep_protective: false, symbols: [MNQ, 2.5], max: }"
    )


def test_evidence_and_escalation_are_told_with_their_times():
    evidence = EvidenceSpec(grade=Evidence.CORROBORATED, actions={"notify": Evidence.WITNESS}, hold_ns=0)
    steps = (
        EscalationStep(attempts=3, severity=Severity.CRITICAL),
        EscalationStep(after_ns=NS_PER_S, severity=Severity.WARNING, then=(ActionSpec(name="notify"),)),
    )
    keys = keys_of(loss(evidence=evidence, escalate=steps))
    assert keys["evidence"] == f"{Evidence.CORROBORATED.value}, notify: {Evidence.WITNESS.value}, hold: 0s"
    assert keys["escalate"] == ("after: 3 tries, severity: critical; after: 1s, severity: warning, then: notify")
