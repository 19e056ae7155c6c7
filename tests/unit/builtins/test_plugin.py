"""The built-ins as a plugin: their schemas, settings and examples fit together."""

from decimal import Decimal

import pytest
from yaml import safe_load

from haltline.api import Action, Capability, Registry
from haltline.builtins.paper.broker import PAPER
from haltline.builtins.paper.setting import SCHEMA, PaperSetting, read_setting
from haltline.builtins.replay.setting import SCHEMA as REPLAY_SCHEMA
from haltline.builtins.replay.setting import FileSetting, ReplaySetting
from haltline.plugins.load import load_plugins

REGISTRY: Registry = load_plugins().registry


def test_everything_of_the_first_version_is_registered() -> None:
    assert REGISTRY.brokers.names() == ["paper"]
    assert REGISTRY.feeds.names() == ["replay"]
    assert REGISTRY.calendars.names() == ["exchange", "hours"]
    assert REGISTRY.notifiers.names() == ["console", "jsonl"]
    assert {
        "notify", "block_entries", "lock", "cancel_orders", "close_position", "flatten", "reduce_to", "reduce_by",
        "reduce_gross_to", "place_stop",
    } == set(REGISTRY.actions.names())  # fmt: skip


def test_the_schema_of_the_paper_broker_names_exactly_its_settings() -> None:
    assert set(SCHEMA["properties"]) == set(PaperSetting.__struct_fields__)  # type: ignore[call-overload]


def test_the_schema_of_replay_names_exactly_its_settings() -> None:
    properties = REPLAY_SCHEMA["properties"]
    assert isinstance(properties, dict)
    assert set(properties) == set(ReplaySetting.__struct_fields__)
    assert set(properties["files"]["items"]["properties"]) == set(FileSetting.__struct_fields__)


def test_a_fee_is_the_decimal_that_was_written() -> None:
    setting = read_setting({"taker_fee": 0.0004, "max_fill": 5, "check_margin": False})
    assert (setting.taker_fee, setting.max_fill, setting.check_margin) == (Decimal("0.0004"), Decimal(5), False)


@pytest.mark.parametrize("action", [action for _, action, _ in REGISTRY.actions.items()], ids=REGISTRY.actions.names())
def test_the_example_of_an_action_uses_only_its_parameters(action: Action) -> None:
    (then,) = safe_load(action.example).values()
    used = next(item for item in then if item == action.name or (isinstance(item, dict) and action.name in item))
    params = used[action.name] if isinstance(used, dict) else {}
    assert set(params) <= {parameter.name for parameter in action.parameters}


def test_the_paper_broker_can_do_what_every_action_needs() -> None:
    needed: set[Capability] = set().union(*(action.needs for _, action, _ in REGISTRY.actions.items()))
    assert needed <= PAPER.capabilities
