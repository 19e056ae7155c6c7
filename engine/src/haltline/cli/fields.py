"""`haltline fields`: everything that rules can read, call and do."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from haltline.cli.completion import names
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.workspace import plugins_of, present_setup
from haltline.control.reference import Entry, reference

app = command_app()


class Sort(StrEnum):
    """What to list."""

    FIELD = "field"
    COLLECTION = "collection"
    FUNCTION = "function"
    ACTION = "action"


_HEADINGS = {
    Sort.FIELD: "Fields: what rules can read",
    Sort.COLLECTION: "Collections: what generators walk, as in sum(p.notional for p in account.positions)",
    Sort.FUNCTION: "Functions: what expressions can call",
    Sort.ACTION: "Actions: what `then` can do",
}


@app.command(cls=HelpfulCommand)
def fields(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORD]...", autocompletion=names, help="Only what contains them all."),
    ] = None,
    sort: Annotated[Sort | None, typer.Option("--sort", help="Only this sort.")] = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """List what rules can read, call and do.

    \b
    Examples:
      haltline fields                     everything
      haltline fields drawdown            whatever speaks of drawdown
      haltline fields account.day         one branch
      haltline fields --sort action       what `then` can do

    \b
    JSON: {"ok": true, "entries": [{"sort", "name", "shape", "kind", "meaning",
          "unit", "choices", "parameters", "example", "origin"}, ...]}
    """
    output = Output(json=json, plain=plain)
    entries = [entry for entry in reference(plugins_of(present_setup(config)).registry) if _fits(entry, words, sort)]
    if json:
        output.emit({"ok": bool(entries), "entries": entries})
    elif not entries:
        output.say(f"nothing is called or means {' '.join(words or ())!r}; 'haltline fields' lists everything")
    else:
        for chosen, heading in _HEADINGS.items():
            _show(output, heading, [entry for entry in entries if entry.sort == chosen])
    raise typer.Exit(0 if entries else 1)


def _fits(entry: Entry, words: Sequence[str] | None, sort: Sort | None) -> bool:
    text = f"{entry.name} {entry.meaning}".lower()
    return (sort is None or entry.sort == sort) and all(word.lower() in text for word in words or ())


def _show(output: Output, heading: str, entries: Sequence[Entry]) -> None:
    if not entries:
        return
    output.say(heading, style="bold cyan")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True, style="green")
    table.add_column()
    for entry in entries:
        meaning = Text(entry.meaning)
        if entry.unit and not entry.choices:
            meaning.append(f" ({entry.unit})", style="dim")
        if entry.choices:
            meaning.append(f" ({', '.join(entry.choices)})", style="dim")
        table.add_row(f"  {entry.shape}", entry.kind, meaning)
    output.show(table)
    output.say()
