"""`haltline explain`: why a rule says what it says, and what codes and names mean."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from haltline.cli.completion import accounts, names
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.tree import reasoning_tree
from haltline.cli.workspace import open_workspace, plugins_of, present_setup
from haltline.clock import to_iso
from haltline.control.recall import recall_kernel
from haltline.control.reference import Entry, reference
from haltline.errors import CODES, CodeEntry, ConfigError, Problem
from haltline.kernel.view import Reasoning

app = command_app()


@app.command(cls=HelpfulCommand)
def explain(
    name: Annotated[str, typer.Argument(autocompletion=names, help="A rule, an error code, or a name in rules.")],
    entity: Annotated[
        str | None,
        typer.Argument(metavar="[ENTITY]", autocompletion=accounts, help="Of a rule: an account, or eval/MNQ."),
    ] = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Say why a rule fires or not, or what a code or name means.

    A rule is explained from the journal: with the values of the last moment that was recorded.

    \b
    Examples:
      haltline explain daily-loss eval        why, or why not, with every value
      haltline explain E207                   what an error code means
      haltline explain account.day.loss       what a field means

    \b
    JSON of a rule: {"ok": true, "at": "...", "rule", "entity", "verdict", "phase", "measured",
          "threshold", "condition": {"text", "value", "children": [...]}, ...}
    JSON of a code: {"ok": true, "code", "title", "why", "cure"}
    JSON of a name: {"ok": true, "entries": [...]}
    """
    output = Output(json=json, plain=plain)
    if entity is not None:
        _explain_rule(output, config, name, entity)
    elif name.upper() in CODES:
        _explain_code(output, name.upper(), CODES[name.upper()])
    else:
        _explain_name(output, config, name)


def _explain_rule(output: Output, config: Path | None, rule: str, entity: str) -> None:
    workspace = open_workspace(config)
    kernel = recall_kernel(workspace.setup, workspace.book, workspace.loaded.registry)
    why = kernel.explain(rule, entity)
    at = to_iso(kernel.now)
    if output.json:
        output.emit({"ok": True, "at": at} | record_of(why))
        return
    output.show(reasoning_tree(why, unicode=output.unicode))
    output.say(f"as of {at}, the last record of the journal", style="dim")


def record_of(why: Reasoning) -> dict[str, object]:
    """The reasoning as a plain mapping."""
    return {field: getattr(why, field) for field in why.__struct_fields__}


def _explain_code(output: Output, code: str, entry: CodeEntry) -> None:
    if output.json:
        output.emit({"ok": True, "code": code, "title": entry.title, "why": entry.why, "cure": entry.cure})
        return
    output.say(f"{code}: {entry.title}", style="bold red")
    output.say(f"  why   {entry.why}")
    output.say(f"  cure  {entry.cure}", style="green")


def _explain_name(output: Output, config: Path | None, name: str) -> None:
    entries = reference(plugins_of(present_setup(config)).registry)
    found = [entry for entry in entries if entry.name == name]
    if not found:
        raise ConfigError([_unknown(name, entries)])
    if output.json:
        output.emit({"ok": True, "entries": found})
        return
    for entry in found:
        _say_entry(output, entry)


def _say_entry(output: Output, entry: Entry) -> None:
    output.say(f"{entry.shape}", style="bold cyan")
    output.say(f"  {entry.meaning}")
    rows = [
        ("sort", entry.sort),
        ("kind", entry.kind),
        ("unit", entry.unit),
        ("choices", ", ".join(entry.choices)),
        ("example", entry.example),
        ("from", entry.origin),
    ]
    for label, text in (*rows, *entry.parameters):
        if text:
            output.say(f"  {label:<9}{text}", style="dim" if label == "from" else None)


def _unknown(name: str, entries: list[Entry]) -> Problem:
    known = [*CODES, *(entry.name for entry in entries)]
    close = difflib.get_close_matches(name, known, n=2)
    cure = "a rule needs an entity behind it: haltline explain RULE ENTITY"
    if close:
        cure = f"did you mean {' or '.join(repr(word) for word in close)}? {cure[0].upper()}{cure[1:]}"
    return Problem(code="E903", what=f"{name!r} is no error code, field, function, action or collection", cure=cure)
