"""`haltline journal tail|export|verify`: the record of every decision, read while an engine may be writing it."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.recordline import line_of
from haltline.cli.workspace import find_setup, plugins_of
from haltline.config.load import load_setup
from haltline.errors import ConfigError, Problem
from haltline.journal.query import as_json, export_lines, sentence
from haltline.journal.record import Record, RecordKind
from haltline.journal.store import Journal

app = command_app(help="Read, verify, back up and look after the record of every decision.")
POLL_S = 0.5

File = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="The journal. [default: the one of the set-up]")
]
Kinds = Annotated[
    list[RecordKind] | None, typer.Option("--kind", help="Only records of this kind; may be given several times.")
]


@app.command(cls=HelpfulCommand)
def tail(
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="How many of the last records.")] = 20,
    kind: Kinds = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    file: File = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Show the last records.

    \b
    Examples:
      haltline journal tail -n 50
      haltline journal tail --kind transition --kind plan --follow

    \b
    JSON: one object a line: {"seq", "at", "kind", "body", "digest"}
    """
    output = Output(json=json, plain=plain)
    with open_journal(file, config) as journal:
        seen = _show(output, _last(journal, count, kind or []), 0)
        while follow:
            seen = _show(output, journal.iterate(max(seen, journal.last_seq) + 1, kinds=kind or []), seen)
            time.sleep(POLL_S)


@app.command(cls=HelpfulCommand)
def export(
    to: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")] = None,
    first: Annotated[int, typer.Option("--from", min=1, metavar="SEQ", help="Begin at this record.")] = 1,
    kind: Kinds = None,
    file: File = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Write records as JSON lines, for other programs.

    \b
    Examples:
      haltline journal export > journal.jsonl
      haltline journal export --kind transition -o incidents.jsonl

    \b
    JSON: one object a line: {"seq", "at", "kind", "body", "digest"};
          with -o: {"ok": true, "file": "...", "records": 12}
    """
    output = Output(json=json, plain=plain)
    with open_journal(file, config) as journal:
        lines = export_lines(journal.iterate(first, kinds=kind or []))
        if to is None:
            for line in lines:
                sys.stdout.write(line.decode())
            return
        with to.open("wb") as target:
            written = sum(1 for line in lines if target.write(line))
    if json:
        output.emit({"ok": True, "file": to, "records": written})
    output.say(f"wrote {written} records to {to}")


@app.command(cls=HelpfulCommand)
def verify(file: File = None, config: Config = None, plain: Plain = False, json: Json = False) -> None:
    """Prove that no record was changed, removed or put in.

    Note the head down elsewhere: a chain cannot tell by itself that its last records were cut off.

    \b
    Examples:
      haltline journal verify
      haltline journal verify --file backup/haltline.db

    \b
    JSON: {"ok": true, "records": 512, "head": "...", "broken_seq": null, "reason": "", "removed": 0, "lost": 0}

    Exit code 0: intact. 1: broken, and the first broken record is named.
    """
    output = Output(json=json, plain=plain)
    with open_journal(file, config) as journal:
        report = journal.verify()
        fault = journal.fault() if report.ok else ""
    if json:
        output.emit(
            {
                "ok": report.ok and not fault,
                "records": report.records,
                "head": report.head,
                "broken_seq": report.broken_seq,
                "reason": report.reason or fault,
                "removed": report.removed,
                "lost": report.lost,
            }
        )
    word = "intact" if report.ok else f"broken at record {report.broken_seq}"
    output.say(f"{word}: {sentence(report)}", style="bold green" if report.ok and not fault else "bold red")
    if fault:
        output.say(fault, style="bold red")
    raise typer.Exit(0 if report.ok and not fault else 1)


def open_journal(file: Path | None, config: Path | None) -> Journal:
    """The journal of that name, or of the set-up, for reading; raises ConfigError where there is none."""
    path = file or journal_path(config)
    if not path.is_file():
        cure = "start 'haltline run' once, or name it with --file"
        raise ConfigError([Problem(code="E907", what=f"there is no journal at {str(path)!r}", cure=cure)])
    return Journal.read(path)


def journal_path(config: Path | None) -> Path:
    """Where the set-up keeps its journal."""
    path = find_setup(config)
    return load_setup(path, plugins_of([path]).registry, environ=os.environ).store.path


def _last(journal: Journal, count: int, kinds: list[RecordKind]) -> list[Record]:
    if not kinds:
        return journal.tail(count)
    return list(journal.iterate(kinds=kinds))[-count:] if count else []


def _show(output: Output, records: Iterator[Record] | list[Record], seen: int) -> int:
    for record in records:
        seen = record.seq
        if output.json:
            output.stream.write(as_json(record).decode() + "\n")
        else:
            output.console.print(line_of(record), soft_wrap=True)
    return seen
