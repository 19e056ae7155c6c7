"""Which of the five cases a suite has shown."""

import pytest

from haltline.ruletest.case import CaseKind

BUY = "      - fill: {account: eval, symbol: MNQ, side: buy, quantity: 2, price: 21000}\n"


def shown(folder, steps: str, *, rule: str = "daily-loss", covers: str = "") -> set[str]:
    head = f"tests:\n  - name: a\n{covers}    steps:\n"
    report = folder.run(head + steps)
    assert report.passed, report
    return {kind.value for each in report.coverage if each.name == rule for kind in each.shown}


def test_nothing_is_shown_of_a_rule_that_nobody_asks_about(folder):
    assert shown(folder, BUY) == set()


def test_an_expected_ok_without_a_breach_is_quiet(folder):
    assert shown(folder, BUY + "        expect: {rule: daily-loss, entity: eval, state: ok}\n") == {"not-firing"}


def test_a_breach_at_the_exact_limit_is_firing_and_boundary(folder):
    steps = BUY + (
        "      - quotes: {MNQ: '21000 20750'}\n        expect: {rule: daily-loss, entity: eval, state: breached}\n"
    )
    assert shown(folder, steps) == {"firing", "boundary"}


def test_a_breach_is_not_also_quiet(folder):
    steps = BUY + (
        "        expect: {rule: daily-loss, entity: eval, state: ok}\n"
        "      - quotes: {MNQ: '21000 20000'}\n        expect: {rule: daily-loss, entity: eval, state: breached}\n"
    )
    assert shown(folder, steps) == {"firing"}


def test_an_unknown_verdict_is_unknown_data(folder):
    steps = "      - position: {account: eval, symbol: MNQ, quantity: 1, average_price: 21000}\n"
    assert shown(folder, steps) == {"unknown-data"}


def test_an_expectation_after_a_restart_is_a_restart(folder):
    steps = BUY + "      - restart: {}\n        expect: {rule: daily-loss, entity: eval, measured: 0}\n"
    assert shown(folder, steps) == {"restart"}


def test_what_cannot_be_inferred_is_declared(folder):
    covers = "    covers: [{rule: daily-loss, case: [boundary, restart]}]\n"
    assert shown(folder, BUY, covers=covers) == {"boundary", "restart"}


def test_a_failed_test_shows_nothing(folder):
    report = folder.run(
        "tests:\n  - name: a\n    steps:\n      - expect: {rule: daily-loss, entity: eval, state: breached}\n"
    )
    assert all(not rule.shown for rule in report.coverage)


def test_a_branch_that_never_ran_is_named(folder):
    report = folder.run("tests: [{name: a, steps: [{after: 1s}]}]\n")
    (rule,) = [rule for rule in report.coverage if rule.name == "daily-loss"]
    assert (rule.never_seen, rule.is_complete) == (("warning",), False)
    assert rule.missing == frozenset(CaseKind)


@pytest.mark.parametrize("use_id", ["daily", "something-else"])
def test_rules_of_one_template_count_together_whatever_their_ids(folder, use_id):
    head = (
        "accounts: {eval: {}, other: {}}\nat: 2025-05-06T09:30:00Z\nbook:\n"
        f"  - {{use: starter/loss-velocity, id: {use_id}, with: {{limit: 100}}, "
        "override: [{account: other, with: {limit: 200}}]}\n"
    )
    report = folder.run("tests: [{name: a, steps: [{after: 1s}]}]\n", head=head)
    assert [rule.name for rule in report.coverage] == ["starter/loss-velocity", "starter/loss-velocity-flatten"]


def test_a_fill_rule_fires_and_its_boundary_is_seen(folder):
    head = (
        "accounts: {eval: {}}\nat: 2025-05-06T09:30:00Z\n"
        "book: [{id: cool, each: fill, limit: {value: -fill.pnl, steps: [{at: 100, then: [notify]}, "
        "{at: 200, then: [notify]}]}}]\n"
    )
    report = folder.run(
        f"tests:\n  - name: a\n    steps:\n{BUY}"
        "      - fill: {id: x, account: eval, symbol: MNQ, side: sell, quantity: 2, price: 20950}\n"
        "        expect: {rule: cool, entity: eval/x, state: breached, measured: 200, step: 2}\n",
        head=head,
    )
    assert report.passed, report
    (rule,) = report.coverage
    assert (rule.shown, rule.never_seen) == ({CaseKind.FIRING, CaseKind.BOUNDARY}, ("step 1",))
