"""Problems for people and machines: caret excerpts, order, and the four output formats."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

import msgspec

from haltline.errors import ConfigError, Problem

type Format = Literal["text", "json", "github", "junit"]
_WIDEST = 110
_REFERENCE_CODES = frozenset({"E117", "E118", "E119"})


def with_excerpts(problems: Iterable[Problem], sources: Mapping[str, str]) -> list[Problem]:
    """The problems sorted by place, each once, with the source line and a caret where the file is known.

    A value that is missing because its reference failed is not complained about a second time.
    """
    problems = list(problems)
    unresolved = {problem.place for problem in problems if problem.code in _REFERENCE_CODES}
    lines: dict[str, list[str]] = {}
    seen: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        if problem.place in unresolved and problem.code not in _REFERENCE_CODES:
            continue
        key = (problem.place, problem.code, problem.where, problem.what)
        if key in seen:
            continue
        place = problem.place
        if place is not None and not problem.excerpt and place.file in sources:
            found = lines.setdefault(place.file, sources[place.file].split("\n"))
            problem = msgspec.structs.replace(problem, excerpt=_excerpt(found, place.line, place.column))  # noqa: PLW2901
        seen[key] = problem
    return sorted(seen.values(), key=lambda problem: problem.sort_key)


def explained(error: ConfigError, sources: Mapping[str, str]) -> ConfigError:
    """The same error with excerpts."""
    return ConfigError(with_excerpts(error.problems, sources))


def _excerpt(lines: Sequence[str], line: int, column: int) -> str:
    if not 1 <= line <= len(lines):
        return ""
    text = lines[line - 1].rstrip("\r").replace("\t", " ")
    if not text.strip() or not text.isprintable():
        return ""
    start = max(0, column - 1 - _WIDEST // 2) if len(text) > _WIDEST else 0
    return f"{text[start : start + _WIDEST]}\n{' ' * (column - 1 - start)}^"


def render(problems: Sequence[Problem], style: Format, *, files: Sequence[str] = ()) -> str:
    """All problems as text. `files` names what was checked, so that JUnit can list the good ones too."""
    match style:
        case "text":
            return _text(problems)
        case "json":
            return json.dumps([problem.as_record() for problem in problems], indent=2, ensure_ascii=False)
        case "github":
            return "\n".join(_github(problem) for problem in problems)
        case "junit":
            return _junit(problems, files)


def _text(problems: Sequence[Problem]) -> str:
    blocks = []
    for problem in problems:
        excerpt = "".join(f"\n    {line}" for line in problem.excerpt.split("\n")) if problem.excerpt else ""
        prefix = "" if problem.severity == "error" else f"{problem.severity}: "
        blocks.append(f"{prefix}{problem}{excerpt}")
    return "\n".join(blocks)


def _github(problem: Problem) -> str:
    place = problem.place
    at = f"file={_property(place.file)},line={place.line},col={place.column}," if place else ""
    message = f"{problem.where}: " if problem.where else ""
    message += problem.what + (f"; {problem.cure}" if problem.cure else "")
    level = "error" if problem.severity == "error" else "warning"
    return f"::{level} {at}title={_property(problem.code)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _junit(problems: Sequence[Problem], files: Sequence[str]) -> str:
    failing: dict[str, list[Problem]] = {file: [] for file in files}
    for problem in problems:
        failing.setdefault(problem.place.file if problem.place else "set-up", []).append(problem)
    errors = sum(problem.severity == "error" for problem in problems)
    cases = "".join(_junit_case(file, found) for file, found in failing.items())
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuite name="haltline check" tests="{len(failing)}" failures="{errors}">\n{cases}</testsuite>\n'
    )


def _junit_case(file: str, problems: Sequence[Problem]) -> str:
    failures = "".join(
        f"    <failure type={quoteattr(problem.code)} message={quoteattr(problem.what)}>"
        f"{escape(_text([problem]))}</failure>\n"
        for problem in problems
        if problem.severity == "error"
    )
    body = f">\n{failures}  </testcase>" if failures else "/>"
    return f'  <testcase classname="haltline.check" name={quoteattr(file)}{body}\n'
