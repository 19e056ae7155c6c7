"""The schemas: the base is valid, the whole grows with plugins and says what loading says."""

import copy
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from haltline.api.action import Action, HandledBy
from haltline.api.field import Kind
from haltline.api.function import Parameter
from haltline.api.notifier import Notifier, NotifierKind, NotifierSetup
from haltline.api.registry import Registry
from haltline.config.load import load_setup
from haltline.config.schema import base_schema, compose_schema
from haltline.errors import ConfigError

SETUP = {"version": 1, "accounts": {"eval": {"broker": "paper"}}}
RULES = {"version": 1, "rules": [{"id": "a", "each": "account", "when": "account.locked", "then": ["notify"]}]}
STARTER = Path(__file__).parents[3] / "rules" / "starter" / "src" / "haltline_rules_starter"


def make_notifier(setup: NotifierSetup) -> Notifier:
    raise NotImplementedError


@pytest.fixture
def composed(registry: Registry) -> Draft202012Validator:
    return Draft202012Validator(compose_schema(registry))


def changed(document: dict[str, object], **keys: object) -> dict[str, object]:
    return {**copy.deepcopy(document), **keys}


@pytest.mark.parametrize("name", ["setup", "rules", "template"])
def test_every_base_schema_is_itself_valid_and_closed(name: str) -> None:
    schema = base_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


def test_the_composed_schema_is_itself_valid(registry: Registry) -> None:
    Draft202012Validator.check_schema(compose_schema(registry))


@pytest.mark.parametrize("document", [SETUP, RULES], ids=["setup", "rules"])
def test_good_files_fit_the_composed_schema(document: dict[str, object], composed: Draft202012Validator) -> None:
    assert list(composed.iter_errors(document)) == []


@pytest.mark.parametrize(
    "path", sorted(set(STARTER.glob("*.yaml")) - set(STARTER.glob("*.test.yaml"))), ids=lambda path: path.stem
)
def test_the_starter_templates_fit_the_composed_schema(path: Path, composed: Draft202012Validator) -> None:
    assert list(composed.iter_errors(yaml.safe_load(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    ("document", "at"),
    [
        (changed(SETUP, account={}), []),
        (changed(SETUP, brokers={"sim": {"kind": "papr"}}), ["brokers", "sim", "kind"]),
        (changed(SETUP, brokers={"sim": {"kind": "paper", "config": {"x": 1}}}), ["brokers", "sim", "config"]),
        (changed(SETUP, channels={"c": {"kind": "console", "config": {"x": 1}}}), ["channels", "c", "config"]),
        (changed(RULES, rules=[{**RULES["rules"][0], "then": ["notfy"]}]), ["rules", 0, "then", 0]),  # type: ignore[index]
        (
            changed(RULES, rules=[{**RULES["rules"][0], "then": [{"reduce_to": {"x": 1, "quantity": 2}}]}]),  # type: ignore[index]
            ["rules", 0, "then", 0, "reduce_to"],
        ),
    ],
)
def test_an_editor_is_told_just_the_one_mistake_at_its_place(
    document: dict[str, object], at: list[object], composed: Draft202012Validator
) -> None:
    [error] = composed.iter_errors(document)
    assert list(error.absolute_path) == at


def test_the_schema_grows_with_what_plugins_register() -> None:
    registry = Registry()
    fragment = {
        "type": "object", "additionalProperties": False, "required": ["room"],
        "properties": {"room": {"$ref": "#/$defs/room"}}, "$defs": {"room": {"type": "string", "minLength": 3}},
    }  # fmt: skip
    registry.add_notifier(NotifierKind(name="pager", make=make_notifier, meaning="pages", schema=fragment))
    loudness = Parameter(name="loudness", kind=Kind.ENUM, choices=("low", "high"))
    registry.add_action(Action(name="ring", meaning="ring", handled_by=HandledBy.NOTIFY, parameters=(loudness,)))
    schema = compose_schema(registry)
    Draft202012Validator.check_schema(schema)
    composed = Draft202012Validator(schema)
    rule = {"id": "a", "each": "account", "when": "x", "then": [{"ring": {"loudness": "loud"}}]}
    channel = {"kind": "pager", "config": {"room": "ab"}}
    documents = ({"version": 1, "rules": [rule]}, {"version": 1, "channels": {"p": channel}})
    found = [error for document in documents for error in composed.iter_errors(document)]
    assert [error.message for error in found] == ["'loud' is not one of ['low', 'high']", "'ab' is too short"]


def test_a_plugins_own_kind_of_rule_is_reported_without_showing_secrets(tmp_path: Path) -> None:
    registry = Registry()
    fragment = {"type": "object", "properties": {"token": {"not": {"type": "string"}}, "plain": {"not": {"const": 1}}}}
    registry.add_notifier(NotifierKind(name="pager", make=make_notifier, meaning="pages", schema=fragment))
    path = tmp_path / "haltline.yaml"
    path.write_text('version: 1\nchannels: {p: {kind: pager, config: {token: "${T}", plain: 1}}}\n')
    with pytest.raises(ConfigError) as caught:
        load_setup(path, registry, environ={"T": "s3cret"})
    assert [(problem.code, problem.what) for problem in caught.value.problems] == [
        ("E215", "does not fit the plugin's 'not'"),
        ("E215", "1 should not be valid under {'const': 1}"),
    ]
