"""Every kind of mistake a user can make in a file, and exactly what is said about it."""

import re
import time
from pathlib import Path

import pytest

from haltline.api.registry import Registry
from haltline.compose.kernel import meaning_problems
from haltline.config.load import check_files
from haltline.errors import CODES, Problem

BAD = Path(__file__).parents[2] / "bad"
CONFIG = Path(__file__).parents[3] / "engine" / "src" / "haltline" / "config"
CASES = sorted(path.name for path in BAD.iterdir() if path.suffix not in (".txt", ".md"))
MADE_IN_TESTS = {"E101", "E102", "E215", "E426", "E448"}


def expected_of(name: str) -> str:
    return (BAD / f"{name.removesuffix('.yaml')}.expected.txt").read_text("utf-8")


def check(name: str, registry: Registry) -> list[Problem]:
    return check_files(
        [Path(name)], registry, environ={}, meaning=lambda setup, book: meaning_problems(setup, book, registry)
    )


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_named_with_its_place_cause_and_cure(
    name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD)
    problems = check(name, registry)
    assert "".join(f"{problem}\n" for problem in problems) == expected_of(name)


@pytest.mark.parametrize("name", CASES)
def test_every_message_carries_a_code_that_can_be_explained(name: str) -> None:
    lines = expected_of(name).splitlines()
    assert lines
    assert {code for line in lines for code in re.findall(r"\[(E\d{3})\]$", line) or [line]} <= set(CODES)


def test_there_are_enough_kinds_of_mistakes_and_each_has_its_expected_text() -> None:
    assert len(CASES) >= 35
    expected = {path.name.removesuffix(".expected.txt") for path in BAD.glob("*.expected.txt")}
    assert expected == {name.removesuffix(".yaml") for name in CASES}


def test_the_codes_that_loading_emits_are_exactly_those_in_the_table() -> None:
    emitted = {code for path in CONFIG.glob("*.py") for code in re.findall(r'"(E\d{3})"', path.read_text("utf-8"))}
    assert emitted == {code for code in CODES if is_ours(code)}


def test_every_code_of_loading_is_shown_by_a_bad_file() -> None:
    shown = {code for name in CASES for code in re.findall(r"\[(E\d{3})\]$", expected_of(name), re.MULTILINE)}
    assert {code for code in CODES if is_ours(code)} - shown == MADE_IN_TESTS


def is_ours(code: str) -> bool:
    return code[1] == "1" or "E200" <= code < "E280" or "E400" <= code < "E450"


def test_a_mistake_in_a_file_is_shown_under_its_line(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    [problem] = check("unknown-key.yaml", registry)
    assert problem.excerpt == "    severty: critical\n    ^"


def test_all_bad_files_together_are_checked_well_under_two_seconds(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD)
    started = time.process_time()
    assert len(check(".", registry)) >= len(CASES)
    assert time.process_time() - started < 2
