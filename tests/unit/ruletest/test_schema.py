"""The schema that editors use agrees with what the loader reads."""

import json
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from haltline.config.source import read_source
from haltline.ruletest.case import BODIES
from haltline.ruletest.load import CASE_KEYS, FILE_KEYS
from haltline.ruletest.reading import plain
from haltline.ruletest.step import STEP_KEYS

SCHEMA = json.loads(resources.files("haltline_schemas").joinpath("ruletest.schema.json").read_text("utf-8"))
STARTER = Path(__file__).parents[3] / "rules" / "starter" / "tests"


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("part", "keys"),
    [(SCHEMA, FILE_KEYS), (SCHEMA["$defs"]["test"], CASE_KEYS), (SCHEMA["$defs"]["step"], STEP_KEYS)],
    ids=["file", "test", "step"],
)
def test_the_schema_knows_the_keys_of_the_loader(part, keys):
    assert set(part["properties"]) == set(keys)


@pytest.mark.parametrize("name", sorted(BODIES))
def test_the_schema_knows_the_fields_of_every_step(name):
    fields = msgspec.structs.fields(BODIES[name])
    part = SCHEMA["$defs"][name]
    assert set(part["properties"]) == {field.name for field in fields}
    assert set(part["required"]) == {field.name for field in fields if field.required}


@pytest.mark.parametrize("path", sorted(STARTER.glob("*.test.yaml")), ids=lambda path: path.stem)
def test_the_starter_tests_fit_the_schema(path):
    errors = [error.message for error in Draft202012Validator(SCHEMA).iter_errors(plain(read_source(path).root))]
    assert errors == []
