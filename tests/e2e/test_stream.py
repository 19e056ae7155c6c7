"""Streams that are closed or know only ASCII are no internal error."""

import os
import subprocess
import sys

PROGRAM = f"{sys.executable} -c 'from haltline.cli.main import main; main()'"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True, text=True, check=False, timeout=60, env=os.environ | environment,
    )  # fmt: skip


def test_a_closed_standard_output_is_silence() -> None:
    done = shell(f"{PROGRAM} explain E101 >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_ascii_terminal_gets_question_marks() -> None:
    done = shell(f"{PROGRAM} demo --fast --plain", LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
