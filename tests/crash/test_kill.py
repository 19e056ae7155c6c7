"""Kill the engine at any write, start it again: it ends exactly where an engine that was never killed ends."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from haltline.journal.record import RecordKind
from haltline.journal.store import Journal

DRIVER = Path(__file__).with_name("driver.py")
SETUP = """version: 1
mode: live
store: {path: data/journal.db}
accounts: {eval: {broker: paper, balance: 50000}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - id: below-cost
    each: account
    when: account.day.loss > 5
    for: 25s
    then: [notify]
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries, flatten, {lock: {until: reset}}]
"""


def world(folder: Path) -> Path:
    folder.mkdir()
    (folder / "haltline.yaml").write_text(SETUP)
    (folder / "rules.yaml").write_text(RULES)
    return folder


def live(folder: Path, crash_at: int) -> tuple[int, dict[str, Any]]:
    """One life; its exit code and, where it came to the end, the state it ended in."""
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(folder), str(crash_at)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else {}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return live(world(tmp_path_factory.mktemp("calm") / "w"), 0)[1]


def test_the_story_is_worth_telling(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["broker"] == []
    assert undisturbed["mode"] == "HALTED"
    assert undisturbed["orders"] == 2
    assert undisturbed["incidents"][0][:2] == ["below-cost", "breached"]


@pytest.mark.parametrize(
    "first", (*(pytest.param(first, marks=pytest.mark.long) for first in (4, 26, 45, 59, 61, 66)), 60)
)
def test_a_kill_at_any_write_changes_nothing_in_the_end(
    tmp_path: Path, undisturbed: dict[str, Any], first: int
) -> None:
    folder = world(tmp_path / "w")
    code, state = live(folder, first)
    if code:
        code, state = live(folder, 0)
    assert state == undisturbed


@pytest.mark.long
def test_being_killed_again_and_again_changes_nothing_in_the_end(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    folder = world(tmp_path / "w")
    for crash_at in (30, 13, 12, 0):
        state = live(folder, crash_at)[1]
    assert state == undisturbed
    with Journal.read(folder / "data/journal.db") as journal:
        assert journal.verify().ok
        intents = [record.body for record in journal.iterate(kinds=[RecordKind.INTENT])]
    assert len({json.loads(body)["order"]["client_id"] for body in intents}) == 1
