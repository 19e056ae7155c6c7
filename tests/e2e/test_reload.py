"""A real `haltline run` whose files are edited under it: well, badly, half, and put right again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-c", "from haltline.cli.main import main; main()")
SETUP = """version: 1
accounts: {eval: {broker: paper, balance: 50000}}
channels: {archive: {kind: jsonl, config: {path: told.jsonl}, severities: [info]}}
store: {path: var/journal.db}
rules: [rules]
"""
RULES = """version: 1
rules:
  - id: idle
    each: account
    when: account.day.entries < 1
    for: 8s
    then: [notify]
  - id: size
    each: position
    limit: {value: abs(position.quantity), max: 5}
    then: [notify]
"""


class Guard:
    """One `haltline run`; what it says is read in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[dict[str, object]] = []
        self.process = subprocess.Popen(
            [*PROGRAM, "run", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.said.extend(json.loads(line) for line in iter(self.process.stdout.readline, ""))

    def wait_for(self, text: str, *, after: int = 0) -> int:
        """Wait until a line says so; returns how many lines there were up to it."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for number, line in enumerate(self.said[after:], after + 1):
                if text in json.dumps(line, ensure_ascii=False):
                    return number
            time.sleep(0.05)  # sleeps: another process writes what is waited for
        raise AssertionError(f"nobody said {text!r}: {self.said}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self._reader.join(timeout=10)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "account.yaml").write_text(RULES)
    guard = Guard(tmp_path)
    try:
        guard.wait_for('"started"')
        yield guard
    finally:
        guard.stop()


def write(guard: Guard, text: str) -> None:
    (guard.folder / "rules" / "account.yaml").write_text(text)


@pytest.mark.long
def test_good_broken_half_written_and_corrected_edits(guard: Guard) -> None:
    pending = guard.wait_for("idle")
    first = RULES.replace("rules:\n", "rules:\n  - {id: locked, each: account, when: account.locked, then: [notify]}\n")
    write(guard, first)
    done = guard.wait_for("1 added (locked)")
    assert "idle" not in json.dumps(guard.said[pending:done])

    write(guard, first + "  - id: [\n")
    failed = guard.wait_for("NOT reloaded", after=done)

    with (guard.folder / "rules" / "account.yaml").open("w") as file:
        for line in first.replace("max: 5", "max: 3").splitlines(keepends=True):
            file.write(line)
            file.flush()
            time.sleep(0.1)  # sleeps: a slow editor, which is the point
    good = guard.wait_for("1 changed (size)", after=failed)
    assert "are good again" in json.dumps(guard.said[failed:good])
    assert len([each for each in guard.said if "NOT reloaded" in json.dumps(each)]) == 1

    fired = guard.wait_for('"breached"', after=pending)
    moved = [each["transition"] for each in guard.said[:fired] if each["kind"] == "transition"]
    assert [(each["rule"], each["phase"]) for each in moved] == [("idle", "pending"), ("idle", "breached")]  # type: ignore[index] # JSON
    guard.stop()
    told = (guard.folder / "told.jsonl").read_text()
    assert "Rules NOT reloaded" in told, "every channel hears it, also one that hears no critical messages"


@pytest.mark.long
def test_a_set_up_that_changed_besides_its_rules_waits_for_a_restart(guard: Guard) -> None:
    (guard.folder / "haltline.yaml").write_text(SETUP.replace("50000", "60000"))
    guard.wait_for("account 'eval' was changed")
    shown = subprocess.run(
        [*PROGRAM, "diff", "haltline.yaml", "rules", "--at", "var/journal.db", "--json"],
        capture_output=True, text=True, cwd=guard.folder, check=False, timeout=60,
    )  # fmt: skip
    assert json.loads(shown.stdout)["same_behaviour"] is True
    assert shown.returncode == 0
