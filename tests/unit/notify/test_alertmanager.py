"""The routing and inhibition tables that Alertmanager is tested with, on our router."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from haltline.clock import parse_duration
from haltline.config.routing import InhibitEntry, NotifyEntry, RouteEntry
from haltline.model.matcher import Matcher, Operator
from haltline.notify.inhibit import is_inhibited
from haltline.notify.route import Route, Routes

CASES = Path(__file__).parents[4] / "shared" / "data" / "conformance" / "alertmanager_cases.json"
TABLES: dict[str, Any] = json.loads(CASES.read_text("utf-8")) if CASES.exists() else {}
pytestmark = pytest.mark.skipif(not TABLES, reason="../shared/data/conformance/alertmanager_cases.json is not there")
DURATIONS = ("group_wait", "group_interval", "repeat_interval")


def entry(node: dict[str, Any]) -> RouteEntry:
    match = [Matcher(label=key, operator=Operator.IS, text=str(text)) for key, text in node.get("match", {}).items()]
    match += [Matcher(label=key, operator=Operator.FITS, text=text) for key, text in node.get("match_re", {}).items()]
    return RouteEntry(
        match=tuple(match), goes_on=node.get("continue", False),
        channels=(node["receiver"],) if "receiver" in node else None,
        group_by=tuple(map(str_of, node["group_by"])) if "group_by" in node else None,
        routes=tuple(map(entry, node.get("routes", []))),
        **{f"{name}_ns": parse_duration(node[name]) for name in DURATIONS if name in node},
    )  # fmt: skip


def str_of(item: object) -> str:
    return "..." if item is ... else str(item)


def found(tree: dict[str, Any], labels: dict[str, str]) -> list[Route]:
    return Routes(severities={}, policy=NotifyEntry(root=entry(tree))).find(labels)


@pytest.mark.parametrize("case", TABLES.get("route_cases", []), ids=lambda case: str(case["labels"]))
def test_the_tree_takes_labels_as_alertmanager_does(case: dict[str, Any]) -> None:
    routes = found(yaml.safe_load(TABLES["route_tree_yaml"]), case["labels"])
    assert [route.options.channels for route in routes] == [(name,) for name in case["receivers"]]
    for number, route in enumerate(routes):
        for name in DURATIONS:
            wanted = (case.get(name) or [None] * len(routes))[number]
            if wanted is not None:
                assert getattr(route.options, f"{name}_ns") == parse_duration(wanted)
        labels = (case.get("group_by") or [None] * len(routes))[number]
        if labels is not None:
            assert sorted(route.options.group_by) == sorted(labels)


@pytest.mark.parametrize("case", TABLES.get("cli_cases", []), ids=lambda case: f"{case['config']} {case['labels']}")
def test_the_routes_of_the_command_line_cases_are_the_same(case: dict[str, Any]) -> None:
    tree = yaml.safe_load(TABLES["cli_configs"][case["config"]])["route"]
    assert [route.options.channels for route in found(tree, case["labels"])] == [(name,) for name in case["receivers"]]


@pytest.mark.parametrize("case", TABLES.get("inhibit_cases", []), ids=lambda case: str(case["name"]))
def test_inhibition_compares_equal_labels_as_alertmanager_does(case: dict[str, Any]) -> None:
    sources = [source["labels"] for source in case["sources"] if source.get("active", True)]
    # the table tests the comparison alone, which takes the input for a target and not for a source
    target = Matcher(label="is-target", operator=Operator.IS_NOT, text="no")
    source = Matcher(label="x-source", operator=Operator.IS, text="yes")
    rule = InhibitEntry(when=(source,), mute=(target,), equal=tuple(case["equal"]))
    marked = [{**labels, "x-source": "yes"} for labels in sources]
    assert is_inhibited(case["input"], marked, [rule]) is case["inhibited"]


def test_all_of_the_table_is_run() -> None:
    assert (len(TABLES["route_cases"]) + len(TABLES["cli_cases"]), len(TABLES["inhibit_cases"])) == (12, 5)
