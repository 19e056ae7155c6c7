"""Problems as people see them: place, what is wrong, what to do, the line with a caret."""

from collections.abc import Sequence

from rich.text import Text

from haltline.cli.output import Output
from haltline.errors import Problem
from haltline.errors.inert import inert


def say_problems(output: Output, problems: Sequence[Problem]) -> None:
    """Write each problem, its excerpt below it."""
    for problem in problems:
        output.console.print(styled(problem), soft_wrap=True)


def styled(problem: Problem) -> Text:
    """One problem with its parts in colour; as plain text it reads the same."""
    colour = "red" if problem.severity == "error" else "yellow"
    text = Text()
    if problem.place:
        text.append(inert(f"{problem.place}: "), style="bold")
    if problem.severity != "error":
        text.append(f"{problem.severity}: ", style=colour)
    if problem.where:
        text.append(inert(f"{problem.where}: "))
    text.append(inert(problem.what), style=colour)
    if problem.cure:
        text.append("; ").append(inert(problem.cure), style="green")
    text.append(f" [{problem.code}]", style="dim")
    for line in problem.excerpt.splitlines():
        is_caret = not line.strip(" ^")
        text.append(inert(f"\n    {line}"), style=f"bold {colour}" if is_caret else "cyan")
    return text


def count_line(problems: Sequence[Problem], checked: int) -> str:
    """The last line: how many of what, in how many files."""
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    parts = [_count(errors, "problem") if errors else "no problems"]
    if warnings:
        parts.append(_count(warnings, "warning"))
    return f"{', '.join(parts)} in {_count(checked, 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
