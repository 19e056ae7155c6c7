"""The starter pack as a whole: every rule shows all five cases, and inputs that make no sense are refused in words."""

from pathlib import Path

import pytest

from haltline.config.load import check_files, load_book
from haltline.errors import ConfigError
from haltline.plugins.load import load_plugins
from haltline.ruletest.report import render
from haltline.ruletest.run import run_files

STARTER = Path(__file__).parents[2] / "rules" / "starter"
TEMPLATES = sorted((STARTER / "src" / "haltline_rules_starter").glob("*.yaml"))


@pytest.fixture(scope="module")
def registry():
    """The built-in plugins and installed packs."""
    return load_plugins().registry


@pytest.fixture(scope="module")
def report(registry):
    """All tests of the pack."""
    return run_files([STARTER], registry)


def test_every_test_of_the_pack_passes(report):
    assert report.passed, render(report)


def test_every_rule_shows_all_five_cases_and_all_branches(report):
    assert report.is_covered, render(report, coverage=True)
    assert [rule.name for rule in report.coverage if rule.never_seen] == []


def test_the_pack_has_the_rules_of_the_origin_those_of_its_readme_and_those_about_trust_in_data():
    assert len(TEMPLATES) == 13 + 4 + 4


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_every_template_is_tested(report, path):
    assert any(rule.name.startswith(f"starter/{path.stem}") for rule in report.coverage)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_every_template_says_why_and_is_named_in_the_readme(path):
    assert "\nwhy: " in path.read_text(encoding="utf-8")
    assert f"`{path.stem}`" in (STARTER / "README.md").read_text(encoding="utf-8")


def test_templates_and_examples_have_no_problems(registry):
    assert check_files([STARTER], registry, environ={}) == []


def problems(registry, folder: Path, *uses: str) -> list[str]:
    """What is wrong with a rule file made of these entries."""
    path = folder / "rules.yaml"
    path.write_text("version: 1\nrules:\n" + "".join(f"  - {use}\n" for use in uses), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_book([path], registry, environ={})
    return [f"{problem.place.line} {problem.where}: {problem.what}" for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("{use: starter/daily-realized-loss, id: a, with: {limit: -1000}}", "-1000 is out of range"),
        ("{use: starter/daily-realized-loss, id: a, with: {limit: 1000, acton: alert}}", "no input 'acton'"),
        ("{use: starter/daily-realized-loss, id: a, with: {limit: 1000, action: halt}}", "'halt' is not one of"),
        ("{use: starter/daily-realized-loss, id: a}", "the input 'limit' is missing"),
        ("{use: starter/require-stop-loss, id: a, with: {warn_after: 5m, close_after: 60s}}", "must not be longer"),
        ("{use: starter/trade-frequency, id: a, with: {per_minute: 20}}", "per_minute must not be more than per_hour"),
        ("{use: starter/trade-frequency, id: a, with: {per_hour: 60}}", "per_hour must not be more than per_session"),
        ("{use: starter/cooldown-after-loss, id: a, with: {medium: 50}}", "the losses must rise"),
        ("{use: starter/cooldown-after-loss, id: a, with: {longest: 1m}}", "the pauses must rise"),
        ("{use: starter/max-contracts, id: a, with: {limit: 5, count: net}}", "reducing needs the gross count"),
        ("{use: starter/concentration, id: a}", "give max_share or max_hhi"),
        ("{use: starter/drawdown, id: a, with: {amount: 2000}}", "the input 'mark' is missing"),
        ("{use: starter/drawdown, id: a, with: {mark: day}}", "give amount or fraction"),
        ("{use: starter/drawdown, id: a, with: {mark: day, fraction: 10}}", "expected a fraction"),
        ("{use: starter/break-even-and-trail, id: a, with: {trail_ticks: 5}}", "break_even_ticks must not be more"),
    ],
)
def test_inputs_that_make_no_sense_are_refused_with_the_reason(registry, tmp_path, use, message):
    assert any(message in line for line in problems(registry, tmp_path, use))


def test_three_mistakes_of_a_file_are_three_problems(registry, tmp_path):
    found = problems(
        registry,
        tmp_path,
        "{use: starter/daily-realized-loss, id: a, with: {limit: -1}}",
        "{use: starter/require-stop-loss, id: b, with: {warn_after: 9m}}",
        "{use: starter/trade-frequency, id: c, with: {per_minute: 11}}",
    )
    assert [line.split(" ", 1)[0] for line in found] == ["3", "4", "5"]
