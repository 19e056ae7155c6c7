"""The crypto examples: their set-ups check, and their days end flat, with the genuine client against the simulators."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples/crypto"
VENUES = ("bybit", "binance", "hyperliquid")
OWN = {
    "BYBIT_API_KEY": "key-of-nobody", "BYBIT_API_SECRET": "secret-of-nobody", "BINANCE_API_KEY": "key-of-nobody",
    "BINANCE_API_SECRET": "secret-of-nobody", "HYPERLIQUID_WALLET": "0x" + "1" * 40, "HYPERLIQUID_KEY": "0x" + "2" * 64,
    "VENUE_HOST": "127.0.0.1:1",
}  # fmt: skip


def run(*words: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=EXAMPLES, env={**os.environ, **more}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("venue", VENUES)
def test_nothing_is_wrong_with_it(venue: str) -> None:
    words = (
        "-c",
        "from haltline.cli.main import main; main()",
        "check",
        "--strict",
        "--plain",
        f"{venue}.yaml",
        "rules.yaml",
    )
    assert "no problems" in run(*words, **OWN)


@pytest.mark.long
@pytest.mark.parametrize("venue", VENUES)
def test_the_day_ends_flat_and_locked(venue: str) -> None:
    said = run("run.py", venue)
    assert said.count("confirmed by push_and_pull") == 2
    assert "flatten done" in said
    assert "may he buy?    no: main is locked" in said
    assert said.rstrip().endswith("the venue:     holds 0 BTC")
