"""The page of pitfalls names tests: each of them exists, and none of the pitfall files is left out."""

import re
from pathlib import Path

from haltline.testing.broker import all_broker_cases

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("plugins/broker-*/tests/test_*.py"))
_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def names_in(files: list[Path]) -> set[str]:
    return {name for file in files for name in _TEST.findall(file.read_text("utf-8"))}


def named() -> set[str]:
    return set(re.findall(r"`(test_\w+)`", (ROOT / "docs/pitfalls.md").read_text("utf-8")))


def test_every_test_that_the_page_names_exists() -> None:
    assert sorted(named() - names_in(FILES)) == []


def test_every_test_of_a_pitfall_is_named_on_the_page() -> None:
    files = [file for file in FILES if file.name in ("test_pitfalls.py", "test_library.py", "test_hang_up.py")]
    assert len(files) == 4
    assert sorted(names_in(files) - named()) == []


def test_every_row_of_the_page_names_a_test_or_a_case() -> None:
    page = (ROOT / "docs/pitfalls.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith(("| what", "| ---"))]
    assert len(rows) > 50
    assert [row for row in rows if not re.search(r"`test_\w+`", row.split("|")[3])] == []
    cases = set(re.findall(r"`(BRK-\d+)`", page))
    assert cases <= {case.id for case in all_broker_cases()}
