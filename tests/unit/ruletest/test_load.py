"""What is wrong with a test file is told all at once, at its place, with a cure."""

from textwrap import dedent

import pytest

from haltline.errors import CODES


def test_every_mistake_of_a_file_is_told_at_once(folder):
    found = folder.problems("""\
        tets: []
        tests:
          - name: a
            at: yesterday
            stepz: []
            steps:
              - fil: {}
              - fill: {account: eval, symbol: MNQ, side: bye, quantity: two}
              - {after: 10s, at: 2025-05-06T09:31:00Z}
              - quotes: {MNQ: "1 2q"}
              - after: soon
              - {}
              - expect: [{rule: size}]
              - intent: {account: eval, symbol: MNQ, side: buy, quantity: 1}
                expect_intent: permitted
    """)
    assert [line.split(" ", 1)[1] for line in found] == [
        "E280 unknown key 'tets'",
        "E282 at: Invalid isoformat string: 'yesterday'",
        "E280 unknown key 'stepz'",
        "E280 unknown key 'fil'",
        "E283 'price' is missing",
        "E282 fill: side must be one of buy, sell, 'bye' was found",
        "E282 fill: quantity must be a number, 'two' was found",
        "E284 one step does 'after' and 'at'",
        "E285 '2q' was not understood; write a price, 21000+5x3, -25x4 after a price, _ or stale",
        "E282 after: 'soon' is not a duration; write 90s, 5m, 1h30m or 2d",
        "E284 the step does nothing",
        "E283 'entity' is missing",
        "E282 expect_intent must be allowed, refused or a mapping",
    ]


def test_an_unknown_key_comes_with_the_nearest_known_one(folder):
    (file,) = folder.run("tests: [{name: a, steps: [{afterr: 1s}]}]").files
    assert file.problems[0].cure == "did you mean 'after'?"
    assert "afterr" in file.problems[0].excerpt


def test_a_rule_that_is_not_there_is_named_with_the_nearest(folder):
    (file,) = folder.run("tests: [{name: a, steps: [{expect: {rule: daily-los, entity: eval}}]}]").files
    assert (file.problems[0].code, file.problems[0].cure) == ("E287", "did you mean 'daily-loss'?")


def test_covering_a_rule_that_is_not_there_is_refused(folder):
    assert folder.problems("tests: [{name: a, covers: {rule: nope, case: boundary}, steps: [{after: 1s}]}]") == [
        "16 E287 there is no rule 'nope' to cover"
    ]


def test_two_tests_of_one_name_are_refused(folder):
    found = folder.problems("tests:\n  - {name: a, steps: [{after: 1s}]}\n  - {name: a, steps: [{after: 1s}]}\n")
    assert found == ["18 E286 the test name 'a' is already used on line 17"]


def test_a_mistake_in_the_rules_is_told_at_the_rule(folder):
    head = "accounts: {eval: {}}\nbook: [{id: a, each: account, when: acount.locked, then: [notify]}]\n"
    found = folder.problems("tests: [{name: a, at: 2025-05-06T09:30:00Z, steps: [{after: 1s}]}]\n", head=head)
    assert found[0].startswith("2 E305 unknown field 'acount.locked'")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("book: [{id: a, each: account, when: account.locked, then: [notify]}]\n", "'accounts' is missing"),
        ("accounts: {eval: {}}\n", "there are no rules to test"),
        ("accounts: {eval: {}}\nrules: nowhere.yaml\n", "no rule file matches 'nowhere.yaml'"),
    ],
)
def test_what_a_test_file_needs_is_named(folder, head, what):
    found = folder.problems("tests: [{name: a, at: 2025-05-06T09:30:00Z, steps: [{after: 1s}]}]\n", head=head)
    assert any(line.endswith(what) for line in found)


def test_a_file_without_tests_is_refused(folder):
    assert folder.problems("") == ["1 E283 there are no tests"]


@pytest.mark.parametrize("text", ["- a list\n", "tests: {a: b}\n", "tests: [[]]\n", "tests: [{name: a, steps: {}}]\n"])
def test_values_of_the_wrong_kind_are_told(folder, text):
    head = "" if text.startswith("-") else "accounts: {eval: {}}\nat: 2025-05-06T09:30:00Z\n"
    (file,) = folder.run(text, head=head).files
    assert "E281" in {problem.code for problem in file.problems}


def test_rules_may_stand_in_files_beside_the_test(folder):
    (folder.path / "r.yaml").write_text(
        "version: 1\nrules: [{id: a, each: account, when: account.open_positions > 0, then: [notify]}]\n"
    )
    report = folder.run(
        dedent("""\
            tests:
              - name: fires
                steps:
                  - fill: {account: eval, symbol: MNQ, side: buy, quantity: 1, price: 21000}
                    expect: {rule: a, entity: eval, state: breached}
        """),
        head="rules: [r.yaml]\naccounts: {eval: {}}\nat: 2025-05-06T09:30:00Z\n",
    )
    assert report.passed


def test_a_file_that_does_not_exist_is_a_problem_and_not_a_stack_trace(folder, registry):
    from haltline.ruletest.run import run_files

    report = run_files([folder.path / "none.test.yaml"], registry)
    assert (report.passed, report.files[0].problems[0].code) == (False, "E101")


@pytest.mark.parametrize("code", [f"E28{digit}" for digit in range(8)])
def test_every_code_is_explained(code):
    assert all(CODES[code])


@pytest.mark.parametrize(
    ("step", "what"),
    [
        ("[]", "E281 a step must be a mapping"),
        ("{after: {}}", "E282 after must be text"),
        ("{at: {}}", "E282 at must be text"),
        (
            "{at: 2025-05-06T09:30:00}",
            "E282 at: '2025-05-06T09:30:00' has no zone; write an offset such as -04:00, or Z",
        ),
        ("{quotes: {MNQ: '1'}, every: 0s}", "E282 every must be more than 0"),
        ("{quotes: {MNQ: '1'}, every: often}", "E282 every: 'often' is not a duration; write 90s, 5m, 1h30m or 2d"),
        ("{quotes: {MNQ: {lst: '1'}}}", "E280 unknown key 'lst'"),
        ("{quotes: {MNQ: {last: [1]}}}", "E282 quotes of MNQ must be text"),
        ("{quotes: []}", "E281 quotes must be a mapping"),
        ("{fill: []}", "E281 fill must be a mapping"),
        (
            "{lock: {account: eval, until: soon}}",
            "E282 lock: until: 'soon' is not a duration; write 90s, 5m, 1h30m or 2d",
        ),
        ("{expect: [1]}", "E281 an expectation must be a mapping"),
        (
            "{expect: {rule: size, entity: a, state: fine}}",
            "E282 state must be one of ok, pending, warning, breached, resolved, unknown, 'fine' was found",
        ),
        ("{expect: {rule: size, entity: a, measured: much}}", "E282 measured must be a number, 'much' was found"),
        ("{expect: {rule: size, entity: a, measured: [1]}}", "E282 measured must be a number, a list was found"),
        ("{expect: {rule: size, entity: a, actions: {notify: {}}}}", "E281 actions must be a list"),
        ("{expect: {rule: size, entity: a, actions: [[]]}}", "E282 an action must be a name or {name: params}"),
        (
            "{expect: {rule: size, entity: a, actions: [{notify: 1}]}}",
            "E282 the parameters of 'notify' must be a mapping of plain values",
        ),
        (
            "{expect_mode: {eval: OFF}}",
            "E282 expect_mode of eval must be one of ACTIVE, REDUCING, HALTED, 'OFF' was found",
        ),
        ("{expect_mode: []}", "E281 expect_mode must be a mapping"),
        ("{expect_intent: allowed}", "E284 expect_intent stands in a step without intent"),
        ("{expect_value: [1]}", "E281 expect_value must be a mapping"),
        ("{expect_value: {entity: eval}}", "E283 expect_value needs entity, of and is"),
    ],
)
def test_every_mistake_in_a_step_is_told(folder, step, what):
    (found,) = folder.problems(f"tests: [{{name: a, steps: [{step}]}}]\n")
    assert found == f"16 {what}"


@pytest.mark.parametrize(
    "covers", ["{rule: size, case: borderline}", "[1]", "{rule: size, kind: firing, case: firing}"]
)
def test_a_cover_that_makes_no_sense_is_told(folder, covers):
    assert folder.problems(f"tests: [{{name: a, covers: {covers}, steps: [{{after: 1s}}]}}]\n")
