"""A minute of everything going wrong at once: nothing grows, nothing is missed, nothing is flattened without cause."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("soak.py")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--minutes", "1"], capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.long
def test_every_account_that_broke_its_rule_is_flat_and_no_other_was_touched(report: dict[str, Any]) -> None:
    assert report["crashes"] >= 3
    assert (report["missed"], report["false"]) == ([], [])


@pytest.mark.long
def test_tasks_files_and_threads_do_not_grow(report: dict[str, Any]) -> None:
    growth = report["growth"]
    assert growth["files"] <= 4
    assert growth["threads"] <= 2
    assert growth["tasks"] <= 8  # requests that are under way at the last look


@pytest.mark.long
def test_memory_does_not_grow_with_what_happened(report: dict[str, Any]) -> None:
    """Megabytes of a journal's caches and of an allocator are allowed for; a leak of events would be far beyond."""
    assert report["growth"]["rss_mb"] < 60
    assert report["growth"]["blocks"] < 150_000


@pytest.mark.long
def test_quotes_beyond_their_retention_are_gone_from_the_journal(report: dict[str, Any]) -> None:
    assert report["quotes_beyond_retention"] == 0
