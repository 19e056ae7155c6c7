"""`haltline run` and the commands of an operator beside it, as two processes: on the paper broker, over the socket."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMED = "import sys; sys.argv[0] = 'haltline'; from haltline.cli.main import main; main()"
PROGRAM = "from haltline.cli.main import main; main()"
CANARIES = {"BOT_TOKEN": "canary-token-93f1c7", "ANN_TOTP": "CANARYJBSWY3DPEHPK3PXPJBSWY3DPEH"}
SETUP = """version: 1
mode: live
accounts: {eval: {broker: paper, balance: 50000}}
operators:
  ann: {role: admin, identities: {local: NAME, telegram: 4}, totp: "${ANN_TOTP}"}
channels: {log: {kind: jsonl, config: {path: "${BOT_TOKEN}.jsonl"}}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 1000}
    then: [block_entries, notify]
"""


def haltline(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL, env=os.environ | CANARIES,
    )  # fmt: skip


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    from haltline.runtime.peer import user_name

    (tmp_path / "haltline.yaml").write_text(SETUP.replace("NAME", user_name()))
    (tmp_path / "rules.yaml").write_text(RULES)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", "--json"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | CANARIES,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["kind"] == "started"
        yield tmp_path
        process.send_signal(signal.SIGINT)
        said = process.stdout.read() + process.stderr.read()
        process.wait(30)
    assert process.returncode == 130
    for secret in CANARIES.values():
        assert secret not in said


@pytest.mark.long
def test_channels_are_tried_by_the_engine_that_runs(running: Path) -> None:
    ran = haltline(running, "notify", "test", "--json")
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["passed"], [each["channel"] for each in said["channels"]]) == (0, True, ["log"])
    assert "log: delivered in" in haltline(running, "notify", "test", "log").stdout
    assert "2 of" not in haltline(running, "ping").stdout
    wrong = haltline(running, "notify", "test", "lag")
    assert (wrong.returncode, "there is no channel 'lag'; did you mean 'log'?" in wrong.stderr) == (1, True)
    commands = haltline(running, "journal", "tail", "--kind", "command", "-n", "50").stdout
    assert commands.count("command=ping") == 4


def completed(folder: Path, line: str) -> list[str]:
    """What Tab offers at the end of a line."""
    words = line.split(" ")
    typed = {"_HALTLINE_COMPLETE": "complete_bash", "COMP_WORDS": line.rstrip(), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", NAMED], cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | CANARIES | typed,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.long
def test_tab_offers_what_the_running_engine_knows(running: Path) -> None:
    assert completed(running, "haltline lock ") == ["eval"]
    assert completed(running, "haltline why dai") == ["daily-loss"]
    assert completed(running, "haltline why daily-loss e") == ["eval"]
    assert completed(running, "haltline ping ") == ["log"]
    haltline(running, "lock", "eval", "1h", "--yes")
    assert completed(running, "haltline unlock op") == ["operator@eval"]
    assert completed(running, "haltline drill --account e") == ["eval"]


def test_without_an_engine_every_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "haltline.yaml").write_text("version: 1\naccounts: {eval: {broker: paper}}\n")
    ended = haltline(tmp_path, "status")
    assert ended.returncode == 1 and "[E909]" in ended.stderr and "haltline run" in ended.stderr


@pytest.mark.long
def test_an_operator_looks_locks_flattens_and_unlocks(running: Path) -> None:
    asked = haltline(running, "lock", "eval", "1h", "because", "of", "the news")
    assert asked.returncode == 3 and "Lock account eval for 1h, because: because of the news" in asked.stdout
    nonce = asked.stdout.partition("nonce=")[2].split()[0]
    assert haltline(running, "confirm", nonce).returncode == 0
    assert haltline(running, "confirm", nonce).returncode == 1
    status = json.loads(haltline(running, "status", "--json").stdout)
    assert "HALTED" in json.dumps(status)
    flat = haltline(running, "flatten", "eval", "--yes")
    assert flat.returncode == 0 and "the broker shows: no position, no working order" in flat.stdout
    assert haltline(running, "unlock", "operator@eval", "over", "--yes").returncode == 0
    assert "ACTIVE" in haltline(running, "accounts").stdout
    refused = haltline(running, "lock", "nobody")
    assert refused.returncode == 1 and "there is no account 'nobody'" in refused.stdout
    told = [
        haltline(running, *words).stdout for words in (("health",), ("report",), ("history",), ("whoami", "--json"))
    ]
    capsules = haltline(running, "journal", "export").stdout
    for secret in CANARIES.values():
        assert secret not in "".join(told) + capsules
    assert '"operator":"ann"' in capsules.replace(" ", "")


def test_a_secret_is_in_no_message_about_a_set_up_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "haltline.yaml").write_text(
        SETUP.replace("role: admin", "role: king").replace("kind: jsonl", "kind: telegraf").replace(
            "local: NAME", 'local: x, discord: ["${BOT_TOKEN}", 5]'
        )
    )  # fmt: skip
    for words in (("check",), ("check", "--json"), ("run",)):
        ended = haltline(tmp_path, *words)
        assert ended.returncode == 1
        for secret in CANARIES.values():
            assert secret not in ended.stdout + ended.stderr
