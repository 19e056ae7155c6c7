"""The ProjectX example: its set-up checks, and its day ends flat, with the genuine clients against the simulator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/projectx"
OWN = {"PROJECT_X_USERNAME": "a", "PROJECT_X_API_KEY": "b", "PROJECTX_URL": "http://127.0.0.1:1"}


def run(*words: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=EXAMPLE, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_is_wrong_with_it() -> None:
    assert "no problems" in run(
        "-c", "from haltline.cli.main import main; main()", "check", "--strict", "--plain", **OWN
    )


@pytest.mark.long
def test_the_day_ends_flat_and_locked() -> None:
    said = run("run.py")
    assert said.count("confirmed by push_and_pull") == 2
    assert "flatten done" in said
    assert "may he buy?    no: eval is locked" in said
    assert said.rstrip().endswith("the platform:  holds 0 MNQ")
