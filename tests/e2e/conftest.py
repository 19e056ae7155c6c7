"""What end-to-end tests share."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"
PLATFORMS = ("telegram", "discord")


@pytest.fixture
def shared_data() -> Path:
    """The shared data set; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the shared data set beside the repository (../shared/data)")
    return SHARED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The fault table of chats, where its tests ran."""
    stats = terminalreporter.stats
    rows: dict[str, dict[str, str]] = {}
    for outcome, word in (("passed", "kept"), ("failed", "BROKEN"), ("error", "BROKEN")):
        for report in stats.get(outcome, ()):
            if "test_chat_faults.py::" in report.nodeid and (outcome != "passed" or report.when == "call"):
                row, platform = named(report.nodeid)
                rows.setdefault(row, {})[platform] = word
    if rows:
        terminalreporter.section("fault table of chats: nothing lost, nothing twice, enforcement never waits")
        for line in table(rows.items()):
            terminalreporter.write_line(line)


def named(nodeid: str) -> tuple[str, str]:
    """The sentence of a test with its case, and the platform that it ran on."""
    found = re.fullmatch(r".*::test_(\w+)(?:\[(.*)\])?", nodeid)
    assert found is not None
    words = (found[2] or "telegram").split("-")
    platform = next(each for each in words if each in PLATFORMS)
    case = " ".join(word for word in words if word != platform and found[2])
    return found[1].replace("_", " ") + (f": {case}" if case else ""), platform


def table(rows: Iterable[tuple[str, dict[str, str]]]) -> list[str]:
    """One line a row; a dash where the platform has no such fault."""
    given = list(rows)
    width = max(len(row) for row, _ in given)
    lines = [f"{'':<{width}}  {'  '.join(f'{each:<8}' for each in PLATFORMS)}"]
    return lines + [
        f"{row:<{width}}  {'  '.join(f'{cells.get(each, "–"):<8}' for each in PLATFORMS)}".rstrip()
        for row, cells in given
    ]
