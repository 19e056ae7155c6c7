"""`haltline run`: from an empty folder to a guarded account, and on after a stop."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-c", "from haltline.cli.main import main; main()")


def call(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


def guard(cwd: Path, *words: str, end: signal.Signals = signal.SIGTERM) -> tuple[int, list[str], str]:
    """Start `haltline run`, wait until it guards, stop it; exit code, lines on standard output, standard error."""
    with subprocess.Popen(
        [*PROGRAM, "run", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if "started" in line:
                break
        process.send_signal(end)
        out, err = process.communicate(timeout=30)
    return process.returncode, [*lines, *out.splitlines()], err


@pytest.fixture
def desk(tmp_path):
    """The set-up of `init`; its calendar, whose package takes a second to import, only where it is the point."""
    assert call("init", cwd=tmp_path).returncode == 0
    path = tmp_path / "haltline.yaml"
    path.write_text(path.read_text().replace("calendar: CMES", "calendar: 24/7"))
    return tmp_path


def test_what_init_writes_checks_tests_and_runs(desk):
    assert call("init", "--force", cwd=desk).returncode == 0
    assert call("check", cwd=desk).returncode == 0
    assert call("test", cwd=desk).returncode == 0
    code, lines, err = guard(desk, "--plain")
    assert code == 0
    assert "guarding eval with 3 rules" in "\n".join(lines)
    assert lines[-1].endswith("stopped in good order; everything is saved")
    assert "Traceback" not in err


def test_ctrl_c_stops_in_good_order_with_130_and_json_is_one_object_a_line(desk):
    code, lines, err = guard(desk, "--json", end=signal.SIGINT)
    assert code == 130
    told = [json.loads(line) for line in lines]
    assert (told[0]["kind"], told[-1]["kind"]) == ("started", "stopped")
    assert "Traceback" not in err


@pytest.mark.long
def test_a_second_run_goes_on_with_the_same_journal(desk):
    guard(desk, "--plain")
    before = json.loads(call("journal", "verify", "--json", cwd=desk).stdout)
    guard(desk, "--plain")
    after = json.loads(call("journal", "verify", "--json", cwd=desk).stdout)
    assert after["ok"] is True
    assert after["records"] > before["records"]


@pytest.mark.long
def test_a_rule_can_be_explained_from_the_journal(desk):
    guard(desk, "--plain")
    found = json.loads(call("explain", "size", "eval/MNQ", "--json", cwd=desk).stdout)
    assert found["ok"] is False
    found = json.loads(call("explain", "overtrading", "eval", "--json", cwd=desk).stdout)
    assert found["verdict"] == "ok"
    assert found["condition"]["children"]
    assert "overtrading on eval" in call("explain", "overtrading", "eval", cwd=desk).stdout


def beats(desk: Path) -> dict[str, object]:
    try:
        return json.loads((desk / "var" / "haltline.db.engine").read_text())
    except (OSError, ValueError):
        return {}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes block otherwise there")
@pytest.mark.parametrize("reader", ["reads no more", pytest.param("is gone", marks=pytest.mark.long)])
def test_a_reader_of_its_lines_that_reads_no_more_keeps_it_from_nothing(desk, reader):
    """A paused terminal, or a log that hangs, stopped the event loop: nothing was enforced and nobody told."""
    reading, writing = os.pipe()
    if reader == "is gone":
        os.close(reading)
    else:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writing, b"." * 4096):
                continue
        os.set_blocking(writing, True)
    with subprocess.Popen(
        [*PROGRAM, "run", "--plain"], stdout=writing, stderr=subprocess.PIPE, text=True, cwd=desk
    ) as process:
        os.close(writing)
        waiting = time.monotonic() + 60
        while beats(desk).get("state") != "guarding" and process.poll() is None and time.monotonic() < waiting:
            time.sleep(0.05)  # sleeps: another process is waited for, and nothing tells when it has written
        before = beats(desk)
        while beats(desk).get("number") == before.get("number") and time.monotonic() < waiting:
            time.sleep(0.05)  # sleeps: another process is waited for, and nothing tells when it has written
        after = beats(desk)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    if reader != "is gone":
        os.close(reading)
    assert before["state"] == after["state"] == "guarding"
    assert beats(desk)["state"] == "stopped"
    assert (process.returncode, "Traceback" in err) == (0, False)


def test_only_one_engine_writes_a_journal(desk):
    with subprocess.Popen(
        [*PROGRAM, "run", "--plain"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=desk
    ) as first:
        assert first.stdout is not None
        while "started" not in first.stdout.readline():
            continue
        second = call("run", "--plain", cwd=desk)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
    assert second.returncode == 1
    assert "[E701]" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_set_up_with_mistakes_does_not_start(desk):
    path = desk / "rules" / "account.yaml"
    path.write_text(path.read_text().replace("account.day.entries", "account.day.entires"))
    ran = call("run", "--plain", cwd=desk)
    assert ran.returncode == 1
    assert "account.day.entries" in ran.stderr
    assert not (desk / "var").exists()


FAR = """version: 1
mode: live
accounts:
  deaf: {broker: far, balance: 1000}
  eval: {broker: paper, balance: 1000}
brokers:
  far: {kind: paper_remote, config: {port: 9}}
plugins: [sim_paper]
channels: {terminal: {kind: console}}
rules: [rules.yaml]
"""


@pytest.mark.long
def test_an_account_whose_broker_does_not_answer_holds_up_neither_the_others_nor_a_stop(tmp_path):
    pytest.importorskip("haltline_sim_paper", reason="needs the plugin sim-paper, a venue that may be away")
    (tmp_path / "haltline.yaml").write_text(FAR)
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
    code, lines, err = guard(tmp_path, "--plain")
    told = next(line for line in lines if "  started" in line)
    assert "guarding eval with 0 rules; NOT guarded until its broker answers: deaf" in told
    assert (code, lines[-1].endswith("stopped in good order; everything is saved")) == (0, True)
    assert "Traceback" not in err


def test_a_stop_does_not_wait_for_a_broker_that_does_not_answer(tmp_path):
    pytest.importorskip("haltline_sim_paper", reason="needs the plugin sim-paper, a venue that may be away")
    (tmp_path / "haltline.yaml").write_text(FAR)
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
    with subprocess.Popen(
        [*PROGRAM, "run", "--plain"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert "starting" in process.stdout.readline()
        assert "Armed" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped in good order" in out
