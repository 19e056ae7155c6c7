"""`haltline run` is killed by SIGKILL at instants nobody chose, and started again: it ends as if it never had been."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haltline.journal.record import RecordKind
from haltline.journal.store import Journal

WORLD = Path(__file__).with_name("world")
PROGRAM = (sys.executable, "-c", "from haltline.cli.main import main; main()")
SETUP = """version: 1
mode: live
plugins: [{name: crash_world, required: true}]
accounts: {eval: {broker: venue, balance: 50000}}
brokers: {venue: {kind: market}}
channels: {pager: {kind: down, config: {path: data/pager.txt}}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future}}
stale_after: 1h
store: {path: data/journal.db}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - id: below-cost
    each: account
    when: account.day.loss > 20
    for: 1s
    then: [notify]
  - id: fast-fall
    each: account
    when: change(account.equity, "10m") < -300
    then: [notify]
    latch: manual
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500, warn: 50%}
    then: [block_entries, flatten, {lock: {for: 1h}}, notify]
    severity: critical
  - id: the-end
    each: instrument
    on_unknown: hold
    when: instrument.mark < 100
    then: [notify]
"""
LAST_MESSAGES_S = 1.0
WHERE = os.pathsep.join([str(WORLD), os.environ.get("PYTHONPATH", "")])
ENVIRONMENT = os.environ | {"PYTHONPATH": WHERE, "PYTHONUNBUFFERED": "1"}


def world(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "haltline.yaml").write_text(SETUP)
    (folder / "rules.yaml").write_text(RULES)
    return folder


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "run", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=ENVIRONMENT,
    )


def watched(process: subprocess.Popen[str], after_s: float, end: Callable[[], None] | None = None) -> threading.Timer:
    timer = threading.Timer(after_s, end or process.kill)
    timer.daemon = True
    timer.start()
    return timer


def killed(folder: Path, after_s: float, *, from_guarding: bool) -> None:
    """One life that ends by SIGKILL so long after it was begun, or after it began to guard."""
    with start(folder) as process:
        assert process.stdout is not None
        timer = watched(process, 20 if from_guarding else after_s)
        for line in process.stdout:
            if from_guarding and json.loads(line)["kind"] == "started":
                timer.cancel()
                watched(process, after_s)
        process.wait(timeout=30)
        assert process.stderr is not None
        assert process.returncode == -signal.SIGKILL, process.stderr.read()


def to_the_end(folder: Path) -> dict[str, Any]:
    """The last life, stopped in good order once everything was decided and told; what it left behind."""
    (folder / "data/end").touch()
    awaited = {"the-end", "below-cost"}
    if (folder / "data/journal.db").exists():
        awaited -= {body["rule"] for body in records(folder, RecordKind.TRANSITION) if body["phase"] == "breached"}
    with start(folder) as process:
        assert process.stdout is not None
        watched(process, 30)
        for line in process.stdout:
            said = json.loads(line)
            if said["kind"] == "transition" and said["transition"]["phase"] == "breached":
                awaited.discard(said["transition"]["rule"])
            if not awaited:
                watched(process, LAST_MESSAGES_S, process.terminate)
                awaited = {"nothing more"}
        process.wait(timeout=30)
        assert process.stderr is not None
        assert process.returncode == 0, process.stderr.read()
    return remains(folder)


def records(folder: Path, kind: RecordKind) -> list[dict[str, Any]]:
    with Journal.read(folder / "data/journal.db") as journal:
        assert journal.verify().ok
        return [json.loads(record.body) for record in journal.iterate(kinds=[kind])]


def remains(folder: Path) -> dict[str, Any]:
    """What must not depend on having been killed."""
    done = subprocess.run(
        [sys.executable, str(WORLD / "remains.py")],
        capture_output=True, text=True, cwd=folder, env=ENVIRONMENT, check=True, timeout=30,
    )  # fmt: skip
    return json.loads(done.stdout) | {
        "moves": Counter((body["rule"], body["previous"], body["phase"]) for body in moved(folder)),
        "orders sent": len({body["order"]["client_id"] for body in records(folder, RecordKind.INTENT)}),
        "pages": sorted({without_instant(line) for line in (folder / "data/pager.txt").read_text().splitlines()}),
    }


def without_instant(line: str) -> str:
    """A page of the pager; that an account is armed now is told under the instant at which it was."""
    return re.sub(r"^(armed:\w+):\d+", r"\1", line)


def moved(folder: Path) -> list[dict[str, Any]]:
    """Transitions that tell of broken rules; that prices are unknown for a moment after a start is no such thing."""
    found = records(folder, RecordKind.TRANSITION)
    return [body for body in found if "unknown" not in (body["phase"], body["previous"])]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return to_the_end(world(tmp_path_factory.mktemp("calm") / "w"))


@pytest.mark.long
def test_the_story_is_worth_telling(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["broker"] == []
    assert undisturbed["mode"] == "HALTED"
    assert undisturbed["orders sent"] == 1
    assert undisturbed["peak"] == 50199.0
    assert len(undisturbed["pages"]) == 6  # five of its rules, and that the account is armed


@pytest.mark.long
@pytest.mark.parametrize("seed", (1, 2))
def test_killed_anywhere_again_and_again_it_ends_as_if_it_never_had_been(
    tmp_path: Path, undisturbed: dict[str, Any], seed: int
) -> None:
    dice = random.Random(seed)
    folder = world(tmp_path / "w")
    for _ in range(3):
        killed(folder, dice.uniform(0.01, 0.5), from_guarding=True)
        killed(folder, dice.uniform(0.2, 0.7), from_guarding=False)
    assert to_the_end(folder) == undisturbed


@pytest.mark.long
def test_a_hold_goes_on_while_the_process_is_dead(tmp_path: Path) -> None:
    folder = world(tmp_path / "w")
    killed(folder, 0.8, from_guarding=True)
    to_the_end(folder)
    steps = [body for body in moved(folder) if body["rule"] == "below-cost"]
    assert [body["phase"] for body in steps] == ["pending", "breached"]
    with Journal.read(folder / "data/journal.db") as journal:
        begun = [record.at for record in journal.iterate(kinds=[RecordKind.CONFIG])]
    assert steps[0]["at"] < begun[1]
    assert steps[1]["at"] - begun[1] < 10**9 <= steps[1]["at"] - steps[0]["at"]
