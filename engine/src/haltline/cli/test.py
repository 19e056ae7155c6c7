"""`haltline test`: stories about rules, played on the real engine with a virtual clock."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from haltline.cli.check import Format
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.workspace import plugins_of, require_paths
from haltline.ruletest.report import render
from haltline.ruletest.run import run_files

app = command_app()


@app.command(cls=HelpfulCommand)
def test(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Test files and folders. [default: this folder]")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="PATTERN", help="Only tests whose name contains or fits it.")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Show which cases of each rule were never seen.")
    ] = False,
    format: Annotated[Format, typer.Option("--format", help="For people, programs or CI.")] = Format.TEXT,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Run *.test.yaml files on the real engine.

    \b
    Examples:
      haltline test                          every test below this folder
      haltline test rules/ --coverage        and which cases are missing
      haltline test --run "*one thousand*"   some of them
      haltline test --format junit           for a CI server

    \b
    JSON: {"passed": true, "tests": 5, "failed": 0, "files": [...], "coverage": [...]}

    Exit code 0: all passed. 1: something failed or could not be loaded.
    """
    output = Output(json=json or format is Format.JSON, plain=plain)
    chosen = paths or [Path()]
    require_paths(chosen)
    report = run_files(chosen, plugins_of(chosen).registry, pattern=run)
    match Format.JSON if output.json else format:
        case Format.JSON:
            output.emit(msgspec.Raw(render(report, "json").encode()))
        case Format.TEXT:
            text = render(report, "text", coverage=coverage)
            body, _, last = text.rpartition("\n")
            output.say(body) if body else None
            output.say(last, style="bold green" if report.passed else "bold red")
        case _:
            sys.stdout.write(render(report, format.value).rstrip("\n") + "\n")
    raise typer.Exit(0 if report.passed and report.files else 1)
