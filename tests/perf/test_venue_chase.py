"""A few breaches with something going wrong around them; the script plays twenty minutes of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("venue_chase.py")
pytestmark = pytest.mark.long


def test_every_breach_is_acted_on_and_nothing_else_is(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--minutes", "0.4", "--seed", "5", "--keep", str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert "wrong" not in found, found
    assert found["breaches"] >= 1
