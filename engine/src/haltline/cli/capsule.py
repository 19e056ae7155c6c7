"""`haltline capsule make|replay|to-test|show`: one incident as one file that proves its decision."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from haltline.api.registry import Registry
from haltline.cli.capsuletest import prove_test
from haltline.cli.capsuleview import record_of, show_capsule
from haltline.cli.group import HelpfulCommand
from haltline.cli.journal import File, open_journal
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.progress import progress_bar
from haltline.cli.workspace import find_setup, plugins_of, require_paths
from haltline.clock import parse_duration
from haltline.config.load import load_setup
from haltline.config.secret import secret_values
from haltline.control.basis import Basis
from haltline.control.capsule import SUFFIX, file_stem
from haltline.control.capsulefile import Capsule
from haltline.control.capsulemake import make_capsule
from haltline.control.capsuleplay import replay as replay_capsule
from haltline.control.incidentspan import find_span, read_spans
from haltline.errors import ConfigError, Problem
from haltline.plugins.load import PluginRequest, load_plugins

app = command_app(help="Keep an incident as one file: replay it, make it a test.")

CapsuleFile = Annotated[Path, typer.Argument(metavar="FILE", help=f"A capsule (*{SUFFIX}).")]


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command(cls=HelpfulCommand)
def make(
    incident: Annotated[
        str | None, typer.Argument(metavar="[INCIDENT]", help="Its id; or a rule, or rule/entity, for the newest.")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The newest incident that fired.")] = False,
    lead: Annotated[str, typer.Option("--lead", metavar="DURATION", help="How long before it to begin.")] = "10m",
    to: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write it.")] = Path(),
    file: File = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Write one incident as one file.

    The file holds the rules, the state just before, every record of the journal until the incident's end (or until
    now), and why it fired; no secret of the set-up. Its name carries the digest of its content. What was made is
    replayed at once.

    \b
    Examples:
      haltline capsule make --last
      haltline capsule make daily-loss/eval/1 -o evidence
      haltline capsule make daily-loss --lead 1h --file backup/haltline.db

    \b
    JSON: {"ok": true, "file": "...", "proof": "identical", "manifest": {...}}

    Exit code 0: written, and it proves itself. 1: not written, or its replay differs (then it is written all the same).
    """
    output = Output(json=json, plain=plain)
    if (incident is None) is not last:
        raise typer.BadParameter("name an incident, or say --last")
    lead_ns = _duration(lead)
    with open_journal(file, config) as journal, progress_bar(output, "reading") as progress:
        span = find_span(read_spans(journal), incident)
        made = make_capsule(
            journal, span, to, registries(), lead_ns=lead_ns, secrets=_secrets(config, file), progress=progress
        )
    if json:
        output.emit({"ok": made.comparison.is_identical, "file": made.path, **record_of(made.manifest)})
    output.say(str(made.path))
    show_capsule(output, made.manifest)
    raise typer.Exit(0 if made.comparison.is_identical else 1)


@app.command(cls=HelpfulCommand)
def replay(file: CapsuleFile, plain: Plain = False, json: Json = False) -> None:
    """Decide everything in a capsule again, from the capsule alone.

    \b
    Examples:
      haltline capsule replay daily-loss-eval-1-….capsule

    \b
    JSON: {"ok": true, "transitions": 2, "plans": 9, "difference": null}

    Exit code 0: identical. 1: something differs, and the first difference is shown; or the file cannot be used.
    """
    output = Output(json=json, plain=plain)
    require_paths([file])
    with Capsule(file) as capsule, progress_bar(output, "replaying") as progress:
        comparison = replay_capsule(capsule, registries(), progress=progress)
    if json:
        output.emit(
            {
                "ok": comparison.is_identical,
                "transitions": comparison.transitions,
                "plans": comparison.plans,
                "difference": comparison.difference,
            }
        )
    counts = f"{comparison.transitions} transitions and {comparison.plans} plans"
    if comparison.difference is None:
        output.say(f"identical: {counts} came out word for word", style="bold green")
        return
    output.say(f"different after {counts}: {comparison.difference}", style="bold red")
    raise typer.Exit(1)


@app.command("to-test", cls=HelpfulCommand)
def to_test(
    file: CapsuleFile,
    to: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The test file. [default: after its incident]")
    ] = None,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", "-r", metavar="FILE", help="Rule files to test; several are fine.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Write a capsule as a test of its rule.

    The test passes with `haltline test` as long as the rule decides as it did, and fails once it no longer does.
    Without --rules, the rule files of the capsule are written beside it and tested.

    \b
    Examples:
      haltline capsule to-test daily-loss-eval-1-….capsule --rules rules.yaml -o rules/incident.test.yaml

    \b
    JSON: {"ok": true, "file": "...", "rules": ["..."]}
    """
    output = Output(json=json, plain=plain)
    require_paths([file, *(rules or ())])
    with Capsule(file) as capsule:
        target = to or Path(f"{file_stem(capsule.manifest.incident.id)}.test.yaml")
        if not target.name.endswith(".test.yaml"):
            raise typer.BadParameter("a test file is called NAME.test.yaml", param_hint="--output")
        files = prove_test(capsule, registries(), target, rules or ())
    taken = [path for path, text in files.items() if path.exists() and (path == target or not _holds(path, text))]
    if taken and not force:
        cure = "say --force, or --output FILE" if taken[0] == target else "say --output FILE in another folder"
        raise ConfigError([Problem(code="E901", what=f"{str(taken[0])!r} exists", cure=cure)])
    target.parent.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    beside = [path for path in files if path != target]
    if json:
        output.emit({"ok": True, "file": target, "rules": [*(rules or ()), *beside]})
    output.say(f"wrote {', '.join(map(str, files))}")
    output.say(f"it passes; run it with: haltline test {target}", style="bold green")


@app.command(cls=HelpfulCommand)
def show(file: CapsuleFile, plain: Plain = False, json: Json = False) -> None:
    """Say what is in a capsule.

    \b
    Examples:
      haltline capsule show daily-loss-eval-1-….capsule

    \b
    JSON: {"ok": true, "file": "...", "proof": "identical", "manifest": {...}}
    """
    output = Output(json=json, plain=plain)
    require_paths([file])
    with Capsule(file) as capsule:
        if json:
            output.emit({"ok": True, "file": file, **record_of(capsule.manifest)})
        show_capsule(output, capsule.manifest, capsule)


def _holds(path: Path, text: str) -> bool:
    """Whether a file says just this: the rules of another incident, unchanged since, may be shared."""
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def registries() -> Callable[[Basis], Registry]:
    """Finds the plugins a basis names, each set of them once; raises ConfigError for those that are missing."""
    known: dict[tuple[str, ...], Registry] = {}

    def find(basis: Basis) -> Registry:
        names = basis.enabled
        if names not in known:
            known[names] = load_plugins([PluginRequest(name=name, required=True) for name in names]).registry
        return known[names]

    return find


def _secrets(config: Path | None, file: Path | None) -> tuple[str, ...]:
    """What the set-up reads by reference; nothing where a journal is named and there is no set-up."""
    try:
        path = find_setup(config)
    except ConfigError:
        if file is None or config is not None:
            raise
        return ()
    return secret_values(load_setup(path, plugins_of([path]).registry, environ=os.environ), os.environ)
