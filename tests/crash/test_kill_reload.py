"""SIGKILL at every write around an exchange of rules: then the rules on disk guard, once, and the journal says so."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from haltline.journal.record import RecordKind
from haltline.journal.store import Journal

DRIVER = Path(__file__).with_name("reload_driver.py")
SETUP = """version: 1
mode: live
accounts: {eval: {broker: paper, balance: 50000}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}}
store: {path: journal.db}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - {id: loss, each: account, limit: {value: account.day.loss, at: 2000}, then: [{lock: {for: 1h}}]}
  - {id: slow, each: account, when: account.day.loss > 100, for: 60s, then: [notify]}
"""


def live(folder: Path, number: int) -> int:
    words = [sys.executable, str(DRIVER), str(folder), str(number)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=25, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def records(folder: Path) -> list[tuple[RecordKind, dict[str, object]]]:
    with Journal.read(folder / "journal.db") as journal:
        assert journal.verify().ok
        return [(record.kind, json.loads(record.body)) for record in journal.iterate()]


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, 11))
def test_a_kill_around_the_exchange_leaves_one_rule_set_in_force(tmp_path: Path, number: int) -> None:
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    live(tmp_path, number)
    assert live(tmp_path, 0) == 0
    found = records(tmp_path)

    configs = [body for kind, body in found if kind is RecordKind.CONFIG]
    assert len({body["rules"] for body in configs}) == 2, "the first set, then the edited one"
    assert "at: 1000" in json.dumps(configs[-1])

    moved = [body for kind, body in found if kind is RecordKind.TRANSITION]
    fired = [body["rule"] for body in moved if body["phase"] == "breached"]
    assert fired == ["loss"], "the new limit fires, and once"
    assert moved[0]["rule"] == "slow"
    held = [body["phase"] for body in moved if body["rule"] == "slow"]
    assert held == ["pending"], "the hold of the unchanged rule goes on"
    plans = [body["id"] for kind, body in found if kind is RecordKind.PLAN]
    assert len(plans) == len(set(plans)) == 1


@pytest.mark.long
def test_an_exchange_that_nobody_kills_ends_in_good_order(tmp_path: Path) -> None:
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    assert live(tmp_path, 999) == 0
