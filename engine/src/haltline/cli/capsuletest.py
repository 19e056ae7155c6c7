"""A test from a capsule, proven before anybody gets it: it is run, and made smaller where a file cannot hold it."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from haltline.control.basis import Basis
from haltline.control.capsule import NotATest
from haltline.control.capsulefile import Capsule
from haltline.control.capsuleplay import RegistryOf
from haltline.control.capsuletest import MOST_STEPS, write_test
from haltline.ruletest.report import TestReport
from haltline.ruletest.run import run_files

_TOO_LARGE = frozenset({"E102", "E110"})
_FEWEST = 20


def prove_test(capsule: Capsule, registry_of: RegistryOf, target: Path, rules: Sequence[Path]) -> dict[Path, str]:
    """The files to write and their texts, the test first; raises NotATest for a test that does not pass."""
    most = MOST_STEPS
    while True:
        report, files = _attempt(capsule, registry_of, target, rules, most)
        if report.passed and report.files:
            return files
        codes = {problem.code for file in report.files for problem in file.problems}
        if not codes & _TOO_LARGE or most <= _FEWEST:
            raise NotATest(
                f"the test does not pass: {_first(report)}", "see whether the rules given are those that fired"
            )
        most = max(_FEWEST, most // 4)


def _attempt(
    capsule: Capsule, registry_of: RegistryOf, target: Path, rules: Sequence[Path], most: int
) -> tuple[TestReport, dict[Path, str]]:
    basis: Basis = capsule.basis
    beside = [os.path.relpath(path, target.parent) for path in rules]
    made = write_test(capsule, registry_of, rules=beside, most=most)
    files = {target: made.text} | {target.parent / name: text for name, text in made.rules.items()}
    absolute = write_test(capsule, registry_of, rules=[str(path.resolve()) for path in rules], most=most)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in absolute.rules.items():
            (folder / path).write_text(text, encoding="utf-8")
        (folder / target.name).write_text(absolute.text, encoding="utf-8")
        return run_files([folder / target.name], registry_of(basis)), files


def _first(report: TestReport) -> str:
    for file in report.files:
        for problem in file.problems:
            return f"{problem.where + ': ' if problem.where else ''}{problem.what}"
        for case in file.cases:
            for failure in case.failures:
                wrong = "; ".join(
                    f"{each.subject} should be {each.expected}, and is {each.actual}" for each in failure.mismatches
                )
                return f"{failure.title}: {wrong}"
    return "it could not be run"
