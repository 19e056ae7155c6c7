"""The picture of `haltline run`: what nobody may overlook is in it."""

import io

import pytest
from rich.console import Console

from haltline.cli.liveview import draw_status
from haltline.control.status import Status
from haltline.runtime.health import EngineStatus, RulesStatus


def picture(rules: RulesStatus) -> str:
    engine = EngineStatus(
        now=0, events=0, waiting=0, conflated=0, enforcing=False, undelivered=False, accounts=(), reconciled=(),
        services=(), modes={}, rules=rules,
    )  # fmt: skip
    status = Status(at=0, accounts=(), gauges=(), incidents=(), locks=())
    console = Console(file=io.StringIO(), width=120, height=30)
    with console.capture() as captured:
        console.print(draw_status(status, engine, [], where="haltline.yaml", width=120, height=30))
    return captured.get()


def test_a_failed_reload_stands_at_the_top_with_its_first_problem():
    shown = picture(RulesStatus(rules=3, failed_at=1, problems=("rules.yaml:3:1: not valid YAML [E106]",)))
    assert "RULES NOT RELOADED" in shown
    assert "the earlier 3 stay in force" in shown
    assert "rules.yaml:3:1: not valid YAML" in shown


@pytest.mark.parametrize("rules", [RulesStatus(), RulesStatus(rules=3)])
def test_good_files_take_no_room(rules):
    assert "RELOADED" not in picture(rules)


def test_what_waits_for_a_restart_is_shown():
    assert "restart to apply: account 'eval' was changed" in picture(
        RulesStatus(waiting=("account 'eval' was changed",))
    )
