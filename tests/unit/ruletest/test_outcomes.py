"""A test may say how tries of an action end, so that what follows from failure can be shown."""

import pytest

BUY = "- fill: {account: eval, symbol: MNQ, side: buy, quantity: 2, price: 21000}"
LOSS = "- quotes: {MNQ: '21000 20750 20750'}"
STUCK = "  expect_plan: [flatten, {notify: {severity: critical, channels: '*'}}]"


def test_an_action_fails_from_there_on_until_it_is_done_again(folder):
    steps = (
        BUY,
        "- outcome: {flatten: failed}",
        LOSS,
        "- after: 2s",
        "  expect_plan: [flatten]",
        "- after: 3s",
        "  expect_plan: []",
        "- after: 1s",
        "  expect_plan: [flatten, {notify: {severity: critical, channels: '*'}}]",
        "- outcome: {flatten: done}",
        "- fill: {account: eval, symbol: MNQ, side: sell, quantity: 2, price: 20750}",
        "- after: 2m",
        "  expect_plan: [flatten, {notify: {channels: '*'}}]",
    )
    assert folder.steps(*steps) == []


def test_what_is_under_way_ends_too(folder):
    steps = (BUY, LOSS, "- outcome: {flatten: unknown}", "- after: 2s", "  expect_plan: [flatten]")
    assert folder.steps(*steps) == []


def test_a_broker_may_name_when_it_wants_to_be_asked_again(folder):
    steps = (
        BUY,
        "- outcome: {flatten: {status: failed, detail: market closed, retry_after: 30m}}",
        LOSS,
        "- after: 29m",
        "  expect_plan: [{notify: {text: x}}]",
        "- after: 1m",
        "  expect_plan: [flatten]",
    )
    (found,) = folder.steps(*steps)
    assert "market closed" in found  # what is told says the broker's words


def test_an_action_that_no_rule_names_is_a_mistake_of_the_test(folder):
    (found,) = folder.steps(BUY, "- outcome: {flaten: failed}")
    assert found == "outcome: an action that a rule names / none of that name"


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("outcome: {flatten: superseded}", "E282 outcome of flatten must be one of done, failed, unknown"),
        ("outcome: {flatten: {status: maybe}}", "E282 outcome of flatten: status must be one of done, failed, unknown"),
        ("outcome: {flatten: {state: failed}}", "E280 unknown key 'state'"),
        ("outcome: {flatten: {retry_after: later}}", "E282 outcome of flatten: retry_after"),
        ("outcome: failed", "E281 outcome must be a mapping"),
    ],
)
def test_a_mistake_in_it_is_named(folder, step, problem):
    (found,) = folder.problems(f"tests:\n  - name: a\n    steps:\n      - {step}\n")
    assert problem in found


@pytest.mark.parametrize(("symbol", "planned"), [("MNQ", "[]"), ("MES", "[close_position]")])
def test_a_close_is_under_way_for_as_long_as_an_order_of_its_symbol_works(folder, symbol, planned):
    head = (
        "accounts: {eval: {balance: 50000}}\nat: 2025-05-06T09:30:00-04:00\nstale_after: 1d\n"
        "book: [{id: big, each: position, when: position.quantity >= 2, then: [close_position]}]\n"
    )
    steps = (
        "- order: {account: eval, id: a, symbol: SYMBOL, side: buy, type: limit, quantity: 1, limit_price: 20000}",
        BUY,
        "  expect_plan: [close_position]",
        "- fill: {account: eval, symbol: MNQ, side: sell, quantity: 2, price: 21000}",
        BUY,
        f"  expect_plan: {planned}",
    )
    lines = "".join(f"      {step}\n" for step in steps).replace("SYMBOL", symbol)
    assert folder.failures(f"tests:\n  - name: t\n    steps:\n{lines}", head=head) == []
