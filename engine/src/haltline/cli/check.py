"""`haltline check`: everything that is wrong in set-ups, rules, templates and rule tests, with places and cures."""

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from haltline.api.registry import Registry
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.problem import count_line, say_problems
from haltline.cli.workspace import plugins_of, require_paths
from haltline.compose.kernel import meaning_problems
from haltline.config.diagnose import render, with_excerpts
from haltline.config.load import check_files
from haltline.config.settings import RuleBook, Setup
from haltline.config.setup import is_rule_test, yaml_files
from haltline.errors import ConfigError, Problem
from haltline.ruletest.load import load_suite

app = command_app()


class Format(StrEnum):
    """How problems are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    JUNIT = "junit"


@app.command(cls=HelpfulCommand)
def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files and folders. [default: this folder]")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="For people, programs or CI.")] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")] = False,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Find everything that is wrong in set-ups, rules and tests.

    \b
    Examples:
      haltline check                        everything in this folder
      haltline check rules/ desk.yaml       some files and folders
      haltline check --format github        annotations in a pull request

    \b
    JSON: {"ok": false, "files": 3, "problems": [{"file", "line", "column",
          "code", "severity", "where", "what", "cure", "excerpt"}, ...]}

    Exit code 0: nothing is wrong. 1: there are problems.
    """
    output = Output(json=json or format is Format.JSON, plain=plain)
    chosen = paths or [Path()]
    require_paths(chosen)
    registry = plugins_of(chosen).registry
    problems = find_problems(chosen, registry)
    files = files_of(chosen)
    ok = not any(strict or problem.severity == "error" for problem in problems)
    match Format.JSON if output.json else format:
        case Format.JSON:
            output.emit({"ok": ok, "files": len(files), "problems": [problem.as_record() for problem in problems]})
        case Format.TEXT:
            say_problems(output, problems)
            output.say(count_line(problems, len(files)), style="bold green" if ok else "bold red")
        case _:
            sys.stdout.write(render(problems, format.value, files=[str(file) for file in files]).rstrip("\n") + "\n")
    raise typer.Exit(0 if ok else 1)


def find_problems(paths: Sequence[Path], registry: Registry) -> list[Problem]:
    """All problems of the paths, sorted by place."""

    def meaning(setup: Setup | None, book: RuleBook) -> Sequence[Problem]:
        return meaning_problems(setup, book, registry)

    found = check_files(paths, registry, environ=os.environ, meaning=meaning)
    for file in filter(is_rule_test, files_of(paths)):
        found += _test_problems(file, registry)
    return with_excerpts(found, {})


def _test_problems(file: Path, registry: Registry) -> Sequence[Problem]:
    try:
        load_suite(file, registry)
    except ConfigError as error:
        return error.problems
    return ()


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The YAML files among the paths and below them."""
    return [file for path in paths for file in (yaml_files(path) if path.is_dir() else [path])]
