"""`arming:` of a set-up: what drills must have shown before an account is armed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from haltline.api.registry import Registry
from haltline.clock import NS_PER_S
from haltline.config.arming import ArmingTerms, bind_arming
from haltline.config.finding import Findings
from haltline.config.load import load_setup
from haltline.config.settings import Setup
from haltline.config.waiting import changes_that_wait
from haltline.errors import ConfigError

BASE = "version: 1\naccounts: {eval: {broker: paper, balance: 1}}\n"

type Load = Callable[[str], Setup]


@pytest.fixture
def load(tmp_path: Path, registry: Registry) -> Load:
    def load(section: str) -> Setup:
        (tmp_path / "haltline.yaml").write_text(BASE + section)
        return load_setup(tmp_path / "haltline.yaml", registry, environ={})

    return load


def test_a_set_up_that_says_nothing_of_it_asks_for_nothing(load: Load) -> None:
    assert load("").arming == ArmingTerms(readiness=0, drilled_within_ns=0)
    assert bind_arming(None, Findings()) == ArmingTerms()


def test_it_says_what_drills_must_have_shown_and_how_lately(load: Load) -> None:
    found = load("arming: {readiness: 80, drilled_within: 8d}\n").arming
    assert (found.readiness, found.drilled_within_ns) == (80, 8 * 86_400 * NS_PER_S)
    assert load("arming: {readiness: 100}\n").arming == ArmingTerms(readiness=100)


@pytest.mark.parametrize(
    "given", ["0", "101", "-5", "80.5", "much", "80 %", "[80]", "{a: 1}", "", "null", "yes", "inf"]
)
def test_a_readiness_that_is_no_number_of_1_to_100_is_refused(load: Load, given: str) -> None:
    with pytest.raises(ConfigError):
        load(f"arming: {{readiness: {given}}}\n")


@pytest.mark.parametrize("given", ["0s", "59s", "soon", "-1d", "8"])
def test_a_time_within_which_nobody_could_drill_is_refused(load: Load, given: str) -> None:
    with pytest.raises(ConfigError):
        load(f"arming: {{readiness: 80, drilled_within: {given}}}\n")


def test_a_time_without_a_readiness_is_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match="E202"):
        load("arming: {drilled_within: 8d}\n")


def test_a_change_of_it_waits_for_a_restart(load: Load) -> None:
    asked, less = load("arming: {readiness: 80}\n"), load("arming: {readiness: 40}\n")
    assert changes_that_wait(asked, less) == ("arming was changed",)
    assert changes_that_wait(asked, asked) == ()
