"""Every defect in `defects.toml` has the tests that it names: a list may not claim more than there is."""

import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DEFECTS = {
    text: tests
    for group in tomllib.loads(Path(__file__).with_name("defects.toml").read_text("utf-8")).values()
    for text, tests in group.items()
}


@pytest.mark.parametrize("text", DEFECTS)
def test_a_defect_has_tests_that_would_notice_it(text: str) -> None:
    assert DEFECTS[text]
    for name in DEFECTS[text]:
        file, _, test = name.partition("::")
        assert f"def {test}(" in (TESTS / file).read_text("utf-8"), name
