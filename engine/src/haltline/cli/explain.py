"""`haltline explain`: why a rule says what it says, and what codes and names mean."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from haltline.cli.completion import accounts, names
from haltline.cli.group import HelpfulCommand
from haltline.cli.operate import journal_of
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.tree import reasoning_tree
from haltline.cli.workspace import find_setup, open_workspace, plugins_of, present_setup
from haltline.clock import to_iso
from haltline.config.settings import RuleBook, Setup
from haltline.control.recall import Recalled, recall_kernel
from haltline.control.reference import Entry, reference
from haltline.errors import CODES, CodeEntry, ConfigError, Problem
from haltline.kernel.view import Reasoning

app = command_app()
_SAME, _DIFFER, _UNREADABLE = "same", "differ", "unreadable"
_SAID = {
    _DIFFER: "the rule files say something else by now; a running engine takes them up with 'haltline reload'",
    _UNREADABLE: "the rule files have problems by now: see 'haltline check'",
}


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

    A rule is explained from the journal: as it was in force, with the values of the last moment that was recorded.
    Where the rule files say something else by now, that is said. `haltline why` asks the running engine itself.

    \b
    Examples:
      haltline explain daily-loss eval        why, or why not, with every value
      haltline explain E207                   what an error code means
      haltline explain account.day.loss       what a field means

    \b
    JSON of a rule: {"ok": true, "at": "...", "rules": "in force" | "files", "files": "same" | "differ" |
          "unreadable", "rule", "entity", "verdict", "phase", "measured", "threshold", "condition": {"text", "value",
          "children": [...]}, ...}
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
    def files() -> tuple[Setup, RuleBook]:
        workspace = open_workspace(config)
        return workspace.setup, workspace.book

    recalled = recall_kernel(journal_of(config), plugins_of([find_setup(config)]).registry, files)
    of_files = _of_files(recalled, config)
    _require_in_force(recalled, of_files, rule)
    why = recalled.kernel.explain(rule, entity)
    at, rules = to_iso(recalled.kernel.now), "in force" if recalled.basis is not None else "files"
    if output.json:
        output.emit({"ok": True, "at": at, "rules": rules, "files": _compared(recalled, of_files)} | record_of(why))
        return
    output.show(reasoning_tree(why, unicode=output.unicode))
    by = "the rules in force then" if recalled.basis is not None else "the rule files: the journal does not keep rules"
    output.say(f"as of {at}, the last record of the journal, by {by}", style="dim")
    said = _SAID.get(_compared(recalled, of_files))
    if said is not None:
        output.say(said, style="yellow")


def _of_files(recalled: Recalled, config: Path | None) -> RuleBook | None:
    """The rules as their files are now; None where those cannot be used."""
    try:
        return open_workspace(config).book
    except ConfigError:
        if recalled.basis is None:
            raise
        return None


def _compared(recalled: Recalled, of_files: RuleBook | None) -> str:
    if of_files is None:
        return _UNREADABLE
    return _SAME if recalled.basis is None or recalled.basis.digest == of_files.digest else _DIFFER


def _require_in_force(recalled: Recalled, of_files: RuleBook | None, rule: str) -> None:
    """Raise ConfigError for a rule that stands in the files and is not in force: its name is not what is wrong."""
    known = {each.id for each in recalled.kernel.index.rules}
    if rule not in known and of_files is not None and any(each.id == rule for each in of_files.rules):
        what = f"rule {rule!r} stands in the rule files and was not in force at the last record of the journal"
        raise ConfigError(
            [Problem(code="E903", what=what, cure="take it up with 'haltline reload', or start the engine")]
        )


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
