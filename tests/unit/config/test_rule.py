"""The smaller checks of rules and set-ups, one mistake each."""

from pathlib import Path

import pytest

from haltline.api.action import Action, HandledBy
from haltline.api.broker import Capability
from haltline.api.field import Kind
from haltline.api.function import Parameter
from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.config.cross import actions_of, check_capabilities
from haltline.config.load import load_book, load_setup
from haltline.errors import ConfigError

A = "  - {id: r, each: account, "


@pytest.fixture
def odd() -> Registry:
    """The built-in actions and one with parameters of every kind."""
    found = Registry()
    for hook in (plugin.haltline_register_actions, plugin.haltline_register_brokers):
        hook(found)
    parameters = (
        Parameter(name="at", kind=Kind.TIME_OF_DAY, required=False),
        Parameter(name="how", kind=Kind.ENUM, choices=("soft", "hard"), required=False),
        Parameter(name="size", kind=Kind.QUANTITY, required=False),
        Parameter(name="hold", kind=Kind.DURATION, required=False),
        Parameter(name="share", kind=Kind.FRACTION, required=False),
        Parameter(name="sure", kind=Kind.BOOL, required=False),
        Parameter(name="text", kind=Kind.TEXT, required=False),
    )
    found.add_action(
        Action(
            name="odd", meaning="odd", handled_by=HandledBy.ENFORCE, parameters=parameters,
            needs=frozenset({Capability.GREEKS}),
        )
    )  # fmt: skip
    closed = {"type": "object", "additionalProperties": False, "properties": {"room": {"type": "string"}}}
    room = Parameter(name="room", kind=Kind.TEXT, required=False)
    found.add_action(
        Action(name="page", meaning="page", handled_by=HandledBy.NOTIFY, parameters=(room,), schema=closed)
    )
    return found


def problems(body: str, tmp_path: Path, registry: Registry) -> list[tuple[str, str, str]]:
    path = tmp_path / "rules.yaml"
    path.write_text(f"version: 1\nrules:\n{body}\n")
    with pytest.raises(ConfigError) as caught:
        load_book([path], registry, environ={})
    return [(problem.code, problem.what, problem.cure) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("rest", "code", "what"),
    [
        ("when: x, then: [{odd: {at: 5pm}}]}", "E405", "odd.at must be a time of day, found the text '5pm'"),
        ("when: x, then: [{odd: {how: hrd}}]}", "E405", "odd.how is not one of soft, hard: found the text 'hrd'"),
        ("when: x, then: [{odd: {size: 1_000}}]}", "E405", "odd.size must be a number, found the text '1_000'"),
        ("when: x, then: [{odd: {sure: yes}}]}", "E405", "odd.sure must be true or false, found the text 'yes'"),
        ("when: x, then: [{odd: {size: [1]}}]}", "E405", "odd.size must be one value, found a list"),
        ("when: x, then: [{odd: 5}]}", "E203", "the parameters of 'odd' must be a mapping, found the number 5"),
        ("when: x, then: [{page: {rom: a}}]}", "E201", "unknown key 'rom'"),
        ("when: x, then: [notify], warn_then: [notify]}", "E414", "'warn_then' without a limit"),
        ("when: x, then: [notify], suppresses: [r]}", "E416", "the rule suppresses itself"),
        ("when: x, then: [notify], for: 99999d}", "E208", "'99999d' is longer than ten years"),
        ("when: x}", "E202", "the key 'then' is missing"),
        ("limit: {value: x, steps: [{at: 1, then: []}]}, then: [notify]}", "E415", "'then' does not go with 'steps'"),
        ("limit: {value: x, warn: 1%, steps: [{at: 1, then: []}]}}", "E415", "'warn' does not go with 'steps'"),
        ("limit: {value: x, steps: [{then: []}]}}", "E211", "a step has no comparison"),
        (
            "limit: {value: x, at: '1,000'}, then: [notify]}", "E212",
            "expected a number or an expression, found the text '1,000'",
        ),
        (
            "limit: {value: x, at: $500}, then: [notify]}", "E212",
            "expected a number or an expression, found the text '$500'",
        ),
        ("limit: {value: x, steps: [{min: 1, then: []}, {min: 2, then: []}]}}", "E413", "the step 2 comes after 1"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_rule_is_named(rest: str, code: str, what: str, tmp_path: Path, odd: Registry) -> None:
    assert [found[:2] for found in problems(A + rest, tmp_path, odd)] == [(code, what)]


def test_parameters_take_the_type_their_kind_reads(tmp_path: Path, odd: Registry) -> None:
    path = tmp_path / "rules.yaml"
    given = "{at: '17:00', how: soft, size: 5, hold: 5m, share: 80%, sure: true, text: 17}"
    path.write_text(f"version: 1\nrules:\n{A}when: x, then: [{{odd: {given}}}, {{page: }}]}}\n")
    then = load_book([path], odd, environ={}).rules[0].then
    assert then[0].params == {
        "at": "17:00", "how": "soft", "size": 5, "hold": 300.0, "share": 0.8, "sure": True, "text": "17",
    }  # fmt: skip
    assert then[1].params == {}


def test_steps_that_are_expressions_are_left_to_the_meaning_check(tmp_path: Path, odd: Registry) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        f"version: 1\nrules:\n{A}limit: {{value: x, steps: [{{at: y, then: [notify]}}, {{at: 1, then: [odd]}}]}}}}\n"
    )
    [spec] = load_book([path], odd, environ={}).rules
    assert [action.name for action in actions_of(spec)] == ["notify", "odd"]


@pytest.mark.parametrize(("mode", "codes"), [("live", ["E426"]), ("off", [])])
def test_capabilities_are_asked_for_only_by_rules_that_are_on(
    mode: str, codes: list[str], tmp_path: Path, odd: Registry
) -> None:
    (tmp_path / "haltline.yaml").write_text(
        "version: 1\naccounts: {a: {broker: paper}}\nbrokers: {spare: {kind: paper}}\n"
    )
    (tmp_path / "rules.yaml").write_text(f"version: 1\nrules:\n{A}when: x, then: [odd], mode: {mode}}}\n")
    setup = load_setup(tmp_path / "haltline.yaml", odd, environ={})
    book = load_book([tmp_path / "rules.yaml"], odd, environ={})
    assert [problem.code for problem in check_capabilities(setup, book, odd)] == codes


@pytest.mark.parametrize(
    ("text", "code", "what"),
    [
        ("store: {config: {x: 1}}", "E201", "unknown key 'config'"),
        ("store: {kind: postgres}", "E201", "unknown key 'kind'"),
        ("instruments: {X: {expiry: 2025-12-19}}", "E206", "'2025-12-19' is not an instant with a zone"),
        ("brokers: {sim: }", "E202", "'sim' is empty"),
        ("accounts: {a b: {}}", "E206", "'a b' is not a name"),
        ("rules: ['/no/such/folder/*.yaml']", "E121", "no rule file matches '/no/such/folder/*.yaml'"),
        ("rules: ['**bad']", "E121", "no rule file matches '**bad'"),
    ],
)
def test_a_mistake_in_a_set_up_is_named(text: str, code: str, what: str, tmp_path: Path, odd: Registry) -> None:
    path = tmp_path / "haltline.yaml"
    path.write_text(f"version: 1\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_setup(path, odd, environ={})
    assert [(problem.code, problem.what) for problem in caught.value.problems] == [(code, what)]


def test_a_set_up_that_is_a_list_is_no_set_up(tmp_path: Path, odd: Registry) -> None:
    path = tmp_path / "haltline.yaml"
    path.write_text("- version: 1\n")
    with pytest.raises(ConfigError, match=r"expected a mapping \(key: value\), found a list.*\[E203\]"):
        load_setup(path, odd, environ={})
