"""Steps happen on the real kernel, and what is not as expected is told with both sides."""

import pytest

BUY = "- fill: {account: eval, symbol: MNQ, side: buy, quantity: 2, price: 21000}"
LOSS = "- quotes: {MNQ: '21000 20875 20750'}"


def expect(text: str) -> str:
    return f"  expect: {{{text}}}"


def test_the_example_of_the_language_guide_passes(folder):
    assert (
        folder.steps(
            BUY,
            "- quotes: {MNQ: '21000 -25x4'}",
            "- after: 10s",
            expect("rule: daily-loss, entity: eval, state: ok, measured: 400, utilization: 0.4, headroom: 600"),
            "- fill: {account: eval, symbol: MNQ, side: sell, quantity: 2, price: 20750}",
            expect("rule: daily-loss, entity: eval, state: breached, actions: [block_entries, flatten, lock, notify]"),
            "- restart: {}",
            expect("rule: daily-loss, entity: eval, state: breached"),
        )
        == []
    )


def test_a_wrong_state_is_told_with_the_right_one(folder):
    (found,) = folder.steps(BUY, LOSS, expect("rule: daily-loss, entity: eval, state: ok"))
    assert found == "state: ok / breached"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("measured: 999", "measured: 999 / 1000"),
        ("threshold: 999", "threshold: 999 / 1000"),
        ("utilization: 0.5", "utilization: 0.5 / 1"),
        ("headroom: 1", "headroom: 1 / 0"),
        ("severity: info", "severity: info / critical"),
        ("shadow: true", "shadow: true / false"),
        ("suppressed: true", "suppressed: true / false"),
        ("step: 1", "step: 1 / none"),
        ("reason: because", "reason: … because … / none"),
    ],
)
def test_every_number_and_note_of_an_expectation_is_compared(folder, wanted, found):
    assert folder.steps(BUY, LOSS, expect(f"rule: daily-loss, entity: eval, {wanted}")) == [found]


def test_actions_are_compared_by_name_and_parameters_in_any_order(folder):
    big = "- fill: {account: eval, symbol: MNQ, side: buy, quantity: 6, price: 21000}"
    right = expect("rule: size, entity: eval/MNQ, actions: [{reduce_to: {quantity: 5, symbol: MNQ}}]")
    assert folder.steps(big, right) == []
    assert folder.steps(big, expect("rule: size, entity: eval/MNQ, actions: [{reduce_to: {quantity: 4}}]")) == [
        "actions: reduce_to(quantity: 4) / reduce_to(symbol: MNQ, quantity: 5)"
    ]
    assert folder.steps(big, expect("rule: size, entity: eval/MNQ, actions: []")) == [
        "actions: none / reduce_to(symbol: MNQ, quantity: 5)"
    ]


def test_only_the_actions_of_the_step_count(folder):
    assert folder.steps(BUY, LOSS, "- after: 1s", expect("rule: daily-loss, entity: eval, actions: []")) == []


def test_the_whole_plan_may_be_expected(folder):
    assert folder.steps(BUY, LOSS, "  expect_plan: [block_entries, lock, {flatten: {account: eval}}, notify]") == []
    (found,) = folder.steps(BUY, LOSS, "  expect_plan: [notify]")
    assert found.startswith("plan: notify / block_entries, lock(")


def test_the_mode_of_an_account_is_compared(folder):
    assert folder.steps(BUY, LOSS, "  expect_mode: {eval: HALTED}") == []
    (found,) = folder.steps(BUY, LOSS, "  expect_mode: {eval: ACTIVE}")
    assert found.startswith("mode: ACTIVE / HALTED (")
    assert folder.steps("- expect_mode: {nobody: ACTIVE}") == ["mode: ACTIVE / no such account"]


def test_values_of_expressions_are_compared(folder):
    assert folder.steps(BUY, "  expect_value: {entity: eval, of: account.open_positions, is: 1}") == []
    assert folder.steps(BUY, "  expect_value: {entity: eval/MNQ, of: position.quantity > 1, is: false}") == [
        "value: false / true"
    ]
    (found,) = folder.steps("- expect_value: {entity: eval, of: account.nothing, is: 1}")
    assert "E305" in found


def test_an_intent_is_answered(folder):
    ask = "- intent: {account: eval, symbol: MNQ, side: buy, quantity: 1}"
    assert folder.steps(ask, "  expect_intent: allowed") == []
    assert folder.steps(ask, "  expect_intent: refused") == ["intent: refused / allowed"]
    found = folder.steps(BUY, LOSS, ask, "  expect_intent: {allowed: true, rules: [x], reason: none}")
    assert [item.split(":")[0] for item in found] == ["intent", "rules", "reason"]


def test_an_acknowledgement_ends_what_waits_for_it(folder):
    flat = "- fill: {account: eval, symbol: MNQ, side: sell, quantity: 2, price: 21000}"
    assert folder.steps(
        BUY, flat, expect("rule: seen, entity: eval, state: breached"),
        "- ack: {rule: seen, entity: eval}", expect("rule: seen, entity: eval, state: resolved"),
    ) == []  # fmt: skip
    assert folder.steps("- ack: {rule: seen, entity: eval}") == ["ack: a live incident / none"]


def test_locks_of_operators_are_set_and_released(folder):
    assert folder.steps(
        "- lock: {account: eval, until: 1h}", "  expect_mode: {eval: HALTED}",
        "- release: {account: eval}", "  expect_mode: {eval: ACTIVE}",
        "- lock: {account: eval}", "- after: 10d", "  expect_mode: {eval: HALTED}",
    ) == []  # fmt: skip
    assert folder.steps("- release: {account: eval}") == ["release: a standing lock / none"]


def test_an_incident_is_released(folder):
    assert folder.steps(BUY, "- release: {rule: seen, entity: eval}") == []


def test_a_broker_speaks_of_accounts_orders_positions_cash_and_its_connection(folder):
    assert (
        folder.steps(
            "- account: {account: eval, can_trade: true, balance: 1000}",
            "  expect_value: {entity: eval, of: account.balance, is: 1000}",
            "- cash: {account: eval, amount: 500}",
            "  expect_value: {entity: eval, of: account.balance, is: 1500}",
            "- position: {account: eval, symbol: MNQ, quantity: -1, average_price: 21000}",
            "  expect_value: {entity: eval/MNQ, of: position.quantity, is: -1}",
            "- order: {account: eval, id: a, symbol: MNQ, side: buy, type: stop, quantity: 1, stop_price: 21100}",
            "  expect_value: {entity: eval/MNQ, of: position.protected, is: true}",
            "- connection: {account: eval, status: disconnected, reason: test}",
            "  expect_value: {entity: eval, of: account.connected, is: false}",
            "- quote: {symbol: MNQ, bid: 20999, ask: 21001}",
            "  expect_value: {entity: MNQ, of: instrument.mid, is: 21000}",
        )
        == []
    )


def test_series_of_bid_and_ask_are_one_quote(folder):
    assert folder.steps(
        "- quotes: {MNQ: {bid: '20999 +1x2', ask: '21001 +1x2'}}", "  every: 1m",
        "  expect_value: [{entity: MNQ, of: instrument.mid, is: 21002}, {entity: MNQ, of: instrument.age, is: 0}]",
    ) == []  # fmt: skip


def test_a_stale_price_is_waited_for(folder):
    assert folder.steps(
        BUY, "- quotes: {MNQ: '21000 stale'}", "  expect_value: {entity: eval, of: account.equity, is: unknown}",
        "- quotes: {MNQ: '_ 21000'}", "  expect_value: {entity: eval, of: account.equity, is: 50000}",
    ) == []  # fmt: skip


def test_an_account_in_shadow_only_records(folder):
    assert folder.steps(
        "- arm: {account: eval, live: false}", BUY, LOSS,
        expect("rule: daily-loss, entity: eval, state: breached, shadow: true"), "  expect_mode: {eval: ACTIVE}",
    ) == []  # fmt: skip


def test_time_cannot_go_back(folder):
    assert folder.steps("- at: 2025-05-05T09:30:00Z") == ["at: an instant after the step before / an earlier one"]


def test_an_event_that_the_state_refuses_is_told(folder):
    (found,) = folder.steps("- quote: {symbol: NOPE, last: 1}")
    assert "NOPE" in found


def test_an_entity_that_is_not_there_is_explained(folder):
    report = folder.run("tests: [{name: a, steps: [{expect: {rule: size, entity: eval/MNQ, state: breached}}]}]\n")
    assert "there is no position 'eval/MNQ'" in report.files[0].cases[0].failures[0].explanation


def test_a_failure_shows_every_part_of_the_condition(folder):
    report = folder.run(f"tests:\n  - name: a\n    steps:\n      {BUY}\n      {LOSS}\n      "
                        f"{expect('rule: daily-loss, entity: eval, state: ok')}\n")  # fmt: skip
    assert "account.day.loss = 1000" in report.files[0].cases[0].failures[0].explanation


def test_a_pattern_chooses_tests_by_name(folder):
    two = "tests: [{name: one loss, steps: [{after: 1s}]}, {name: two, steps: [{after: 1s}]}]\n"
    assert folder.run(two, pattern="loss").case_count == 1
    assert folder.run(two, pattern="t*").case_count == 1
    assert folder.run(two).case_count == 2


def test_deadlines_on_the_way_are_honoured(folder):
    head = (
        "accounts: {eval: {}}\nat: 2025-05-06T09:30:00Z\nstale_after: 1d\n"
        "book: [{id: held, each: position, when: position.quantity > 0, for: 60s, then: [close_position]}]\n"
    )
    assert (
        folder.failures(
            "tests:\n  - name: a\n    steps:\n"
            f"      {BUY}\n"
            "      - after: 10m\n"
            "        expect: {rule: held, entity: eval/MNQ, state: breached, actions: [close_position]}\n"
            "        expect_value: {entity: eval/MNQ, of: position.age, is: 600}\n",
            head=head,
        )
        == []
    )


class TestGrants:
    def test_a_grant_gives_room_for_a_while(self, folder):
        loss = "rule: daily-loss, entity: eval, state"
        assert (
            folder.steps(
                BUY,
                "- grant: {rule: daily-loss, entity: eval, extra: 500, until: 10m}",
                LOSS,
                expect(f"{loss}: ok, measured: 1000"),
                "- after: 10m",
                expect(f"{loss}: breached"),
            )
            == []
        )

    @pytest.mark.parametrize("which", ["id: mine", "rule: daily-loss, entity: eval"])
    def test_a_grant_can_be_taken_back(self, folder, which):
        assert (
            folder.steps(
                BUY,
                "- grant: {rule: daily-loss, entity: eval, until: 10m, id: mine}",
                LOSS,
                expect("rule: daily-loss, entity: eval, state: ok"),
                f"- revoke: {{{which}}}",
                expect("rule: daily-loss, entity: eval, state: breached"),
            )
            == []
        )

    def test_what_is_taken_back_must_stand(self, folder):
        (found,) = folder.steps(BUY, "- revoke: {id: mine}")
        assert found == "revoke: a standing grant / none"

    def test_how_long_must_be_a_duration(self, folder):
        (found,) = folder.problems(
            "tests:\n  - name: t\n    steps:\n      - grant: {rule: size, entity: eval, until: soon}\n"
        )
        assert "E282" in found


class TestLateFills:
    def test_an_old_fill_is_taken_in_before_anything_is_done(self, folder):
        old = "account: eval, symbol: MNQ, price: 21000, ago: 1h"
        assert (
            folder.steps(
                "- quotes: {MNQ: '20000x3'}",
                f"- fill: {{{old}, side: buy, quantity: 2}}",
                expect("rule: daily-loss, entity: eval, state: breached, actions: [block_entries, notify]"),
                "- after: 1s",
                expect("rule: daily-loss, entity: eval, actions: [flatten, lock]"),
            )
            == []
        )

    def test_how_long_ago_must_be_a_duration(self, folder):
        body = "{account: eval, symbol: MNQ, side: buy, quantity: 1, price: 1, ago: long}"
        (found,) = folder.problems(f"tests:\n  - name: t\n    steps:\n      - fill: {body}\n")
        assert "E282" in found
