"""Most of a minute of trouble at four venues, with their genuine clients; the script plays half an hour of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("venue_soak.py")
VENUES = ["binance", "bybit", "hyperliquid", "projectx"]
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def soaked() -> tuple[dict[str, Any], str]:
    """What the script found, and what it complained of."""
    command = [sys.executable, str(SCRIPT), "--minutes", "0.6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.stderr


def test_no_breach_is_missed_and_nothing_is_closed_without_one(soaked: tuple[dict[str, Any], str]) -> None:
    found, _ = soaked
    assert found["wrong"] == []
    assert sorted(found["venues"]) == VENUES
    assert found["breaches"] >= 1


def test_engine_and_venues_agree_at_the_end(soaked: tuple[dict[str, Any], str]) -> None:
    found, _ = soaked
    assert found["agreements"] >= len(VENUES)
    assert [told["violations"] for told in found["venues"].values()] == [[]] * len(VENUES)


def test_nothing_is_left_after_the_end(soaked: tuple[dict[str, Any], str]) -> None:
    found, complaints = soaked
    assert found["left_after_the_end"]["tasks"] == 0
    assert found["left_after_the_end"]["files"] <= 4
    assert "never retrieved" not in complaints
