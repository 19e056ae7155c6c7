"""Four simulated venues and their genuine clients in one engine, while everything goes wrong: see `venue_soak.py`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("venue_soak.py")


@pytest.mark.long
def test_a_minute_of_trouble_at_four_venues_misses_nothing_and_flattens_nothing_falsely() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--minutes", "1"], capture_output=True, text=True, check=False, timeout=400
    )
    assert done.stdout, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["wrong"] == []
    assert report["breaches"] >= 4
    assert report["left_after_the_end"]["tasks"] <= 0
    assert all(told["requests"] for told in report["venues"].values())
