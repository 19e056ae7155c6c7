"""What a run of tests found, as text, JSON and JUnit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from haltline.config.diagnose import render as render_problems
from haltline.errors import Place, Problem
from haltline.ruletest.coverage import RuleCoverage

type Format = Literal["text", "json", "github", "junit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One thing that was expected otherwise; both sides in words."""

    subject: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An expectation that did not hold: where it stands, what differs, and why the rule says what it says."""

    place: Place
    title: str
    mismatches: tuple[Mismatch, ...]
    explanation: str = ""

    def __str__(self) -> str:
        width = max((len(item.subject) for item in self.mismatches), default=0)
        lines = [f"{self.place}: {self.title}"]
        for item in self.mismatches:
            lines.append(f"    {item.subject:<{width}}  expected {item.expected}, was {item.actual}")
        if self.explanation:
            lines.append("  why:")
            lines += [f"    {line}" for line in self.explanation.splitlines()]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReport:
    """One test: it passed if it has no failures."""

    name: str
    place: Place
    failures: tuple[Failure, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One test file; with `problems` it could not be loaded and ran nothing."""

    file: str
    cases: tuple[CaseReport, ...] = ()
    problems: tuple[Problem, ...] = ()
    coverage: tuple[RuleCoverage, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the file loaded and all its tests passed."""
        return not self.problems and all(case.passed for case in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """Everything that one call of `run_files` found."""

    __test__ = False  # pytest would take the class for a test

    files: tuple[FileReport, ...]
    coverage: tuple[RuleCoverage, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all files loaded and all tests passed."""
        return all(file.passed for file in self.files)

    @property
    def case_count(self) -> int:
        """How many tests ran."""
        return sum(len(file.cases) for file in self.files)

    @property
    def failed_count(self) -> int:
        """How many tests failed; a file that did not load counts as one."""
        return sum(not case.passed for file in self.files for case in file.cases) + sum(
            bool(file.problems) for file in self.files
        )

    @property
    def is_covered(self) -> bool:
        """Whether every rule has shown all five cases."""
        return all(rule.is_complete for rule in self.coverage)


def render(report: TestReport, style: Format = "text", *, coverage: bool = False) -> str:
    """The report for people (text), for programs (json), for a code review (github), or for a CI server (junit)."""
    match style:
        case "text":
            return _text(report, coverage=coverage)
        case "json":
            return json.dumps(_record(report), indent=2, ensure_ascii=False)
        case "github":
            return "\n".join(_github(report))
        case "junit":
            return _junit(report)


def _text(report: TestReport, *, coverage: bool) -> str:
    lines: list[str] = []
    for file in report.files:
        failed = sum(not case.passed for case in file.cases)
        if file.problems:
            lines += [f"{file.file}: could not be loaded", render_problems(file.problems, "text"), ""]
            continue
        verdict = "ok" if not failed else f"{failed} failed"
        lines.append(f"{file.file}: {_count(len(file.cases), 'test')}, {verdict}")
        for case in file.cases:
            if not case.passed:
                lines += ["", f"  FAILED  {case.name}"]
                lines += [_indented(str(failure), "  ") for failure in case.failures]
                lines.append("")
    if coverage:
        lines += ["", *_coverage_table(report.coverage)]
    lines += ["", _summary(report)]
    return "\n".join(lines).strip("\n")


def _summary(report: TestReport) -> str:
    passed = report.case_count - sum(not case.passed for file in report.files for case in file.cases)
    shown = sum(len(rule.shown) for rule in report.coverage)
    wanted = 5 * len(report.coverage)
    share = f"; case coverage {100 * shown // wanted} % of {_count(len(report.coverage), 'rule')}" if wanted else ""
    if not report.files:
        return "no tests were found"
    return f"{passed} passed, {report.failed_count} failed in {_count(len(report.files), 'file')}{share}"


def _coverage_table(rules: Sequence[RuleCoverage]) -> list[str]:
    """One line a rule: a mark for each of the five cases, then the branches that never ran."""
    if not rules:
        return ["no rules"]
    width = max(len(rule.name) for rule in rules)
    lines = [f"{'rule':<{width}}  firing  quiet  boundary  unknown  restart  never seen"]
    for rule in rules:
        marks = [("yes" if kind in rule.shown else "-") for kind in RuleCoverage.KINDS]
        firing, quiet, boundary, unknown, restart = marks
        never = ", ".join(rule.never_seen)
        row = f"{rule.name:<{width}}  {firing:<6}  {quiet:<5}  {boundary:<8}  {unknown:<7}  {restart:<7}  {never}"
        lines.append(row.rstrip())
    return lines


def _record(report: TestReport) -> dict[str, object]:
    return {
        "passed": report.passed,
        "tests": report.case_count,
        "failed": report.failed_count,
        "files": [
            {
                "file": file.file,
                "problems": json.loads(render_problems(file.problems, "json")),
                "tests": [_case_record(case) for case in file.cases],
            }
            for file in report.files
        ],
        "coverage": [
            {
                "rule": rule.name,
                "shown": sorted(rule.shown),
                "missing": sorted(rule.missing),
                "never_seen": list(rule.never_seen),
            }
            for rule in report.coverage
        ],
    }


def _case_record(case: CaseReport) -> dict[str, object]:
    return {
        "name": case.name,
        "line": case.place.line,
        "passed": case.passed,
        "failures": [
            {
                "line": failure.place.line,
                "column": failure.place.column,
                "title": failure.title,
                "mismatches": [
                    {"subject": item.subject, "expected": item.expected, "actual": item.actual}
                    for item in failure.mismatches
                ],
                "explanation": failure.explanation,
            }
            for failure in case.failures
        ],
    }


def _github(report: TestReport) -> list[str]:
    lines = []
    for file in report.files:
        if file.problems:
            lines.append(render_problems(file.problems, "github"))
        for case in file.cases:
            for failure in case.failures:
                message = "%0A".join(str(failure).replace("%", "%25").splitlines())
                at = f"file={failure.place.file},line={failure.place.line},col={failure.place.column}"
                lines.append(f"::error {at},title={_attribute(case.name)}::{message}")
    return lines


def _attribute(text: str) -> str:
    return text.replace("%", "%25").replace(":", "%3A").replace(",", "%2C").replace("\n", "%0A")


def _junit(report: TestReport) -> str:
    suites = "".join(_suite(file) for file in report.files)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites name="haltline test" tests="{report.case_count}" failures="{report.failed_count}">\n'
        f"{suites}</testsuites>\n"
    )


def _suite(file: FileReport) -> str:
    failed = sum(not case.passed for case in file.cases)
    cases = "".join(_testcase(file.file, case) for case in file.cases)
    if file.problems:
        failed += 1
        text = escape(_printable(render_problems(file.problems, "text")))
        cases += (
            f'    <testcase classname={quoteattr(file.file)} name="loads">\n'
            f'      <failure message="could not be loaded">{text}</failure>\n    </testcase>\n'
        )
    count = len(file.cases) + bool(file.problems)
    return f'  <testsuite name={quoteattr(file.file)} tests="{count}" failures="{failed}">\n{cases}  </testsuite>\n'


def _testcase(file: str, case: CaseReport) -> str:
    head = f"    <testcase classname={quoteattr(file)} name={quoteattr(_printable(case.name))}"
    if case.passed:
        return f"{head}/>\n"
    failures = "".join(
        f"      <failure message={quoteattr(_printable(failure.title))}>{escape(_printable(str(failure)))}</failure>\n"
        for failure in case.failures
    )
    return f"{head}>\n{failures}    </testcase>\n"


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def _indented(text: str, prefix: str) -> str:
    return "\n".join(f"{prefix}{line}" if line else line for line in text.splitlines())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
