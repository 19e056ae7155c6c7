"""`evidence:` and `caps:` of a test file, or of the set-up it names: what waits in the engine waits in the test."""

import pytest

HEAD = """\
accounts: {eval: {balance: 50000, broker: paper}}
at: 2025-05-06T09:30:00-04:00
EXTRA
book:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 1000}
    then: [flatten, notify]
"""
LOSE = """\
tests:
  - name: t
    steps:
      - quote: {symbol: MNQ, last: 21000}
      - fill: {account: eval, symbol: MNQ, side: buy, quantity: 10, price: 21000}
      - quote: {symbol: MNQ, last: 20940}
        expect: [{rule: daily-loss, entity: eval, state: breached, actions: [ACTIONS]}]
"""
TWO = """\
tests:
  - name: t
    steps:
      - quote: {symbol: MNQ, last: 21000}
      - quote: {symbol: MES, last: 5000}
      - fill: {account: eval, symbol: MNQ, side: buy, quantity: 10, price: 21000}
      - fill: {account: eval, symbol: MES, side: buy, quantity: 1, price: 5000}
      - quote: {symbol: MNQ, last: 20940}
      - quote: {symbol: MNQ, last: 20940}
        expect: [{rule: daily-loss, entity: eval, waits: WAITS}]
"""
CONSENT = """\
      - consent: {rule: daily-loss, entity: eval}
        expect: [{rule: daily-loss, entity: eval, waits: "", actions: [flatten]}]
"""


def failures(folder, text: str, extra: str) -> list[str]:
    return folder.failures(text, head=HEAD.replace("EXTRA", extra))


def test_a_wider_tolerance_of_the_test_believes_a_jump_that_the_default_lets_wait(folder) -> None:
    at_once, waits = LOSE.replace("ACTIONS", "notify, flatten"), LOSE.replace("ACTIONS", "notify")
    assert failures(folder, at_once, "evidence: {tolerance: 1%}") == []
    assert failures(folder, waits, "evidence: {tolerance: 0.1%}") == []
    assert failures(folder, at_once, "evidence: {tolerance: 0.1%}") != []


def test_an_action_beyond_the_caps_waits_for_consent_and_then_goes(folder) -> None:
    waits = "flatten needs consent: flatten would touch 2 positions (max_positions: 1)"
    needs = TWO.replace("WAITS", f'"{waits}"') + CONSENT
    assert failures(folder, needs, "caps: {max_positions: 1}") == []


@pytest.mark.parametrize(
    "caps", ["{max_positions: 2}", "{max_positions: 1, over: proceed}", "{max_notional: 10000000}"]
)
def test_within_the_caps_or_by_leave_nothing_waits(folder, caps: str) -> None:
    assert failures(folder, TWO.replace("WAITS", '""'), f"caps: {caps}") == []


def test_worth_counts_by_the_marks_of_the_steps(folder) -> None:
    (wrong,) = failures(folder, TWO.replace("WAITS", '""'), "caps: {max_notional: 1000}")
    assert "positions worth 443,800.00 (max_notional: 1000)" in wrong


def test_an_outcome_written_in_the_test_goes_before_what_the_caps_say(folder) -> None:
    steps = TWO.replace(
        "      - quote: {symbol: MES", "      - outcome: {flatten: failed}\n      - quote: {symbol: MES", 1
    )
    assert failures(folder, steps.replace("WAITS", '""'), "caps: {max_positions: 1}") == []


def test_a_named_set_up_brings_its_own_and_the_test_file_may_say_otherwise(folder) -> None:
    setup = "version: 1\naccounts: {eval: {broker: paper}}\ncaps: {max_positions: 1}\n"
    (folder.path / "haltline.yaml").write_text(setup)
    assert failures(folder, TWO.replace("WAITS", '""'), "setup: haltline.yaml") != []
    assert failures(folder, TWO.replace("WAITS", '""'), "setup: haltline.yaml\ncaps: {max_positions: 2}") == []


def test_caps_that_are_none_are_told_with_their_place(folder) -> None:
    head = HEAD.replace("EXTRA", "caps: {max_positions: many, most: 1}")
    assert folder.problems(LOSE.replace("ACTIONS", "notify"), head=head) == [
        "3 E204 expected a whole number, found the text 'many'", "3 E201 unknown key 'most'",
    ]  # fmt: skip
