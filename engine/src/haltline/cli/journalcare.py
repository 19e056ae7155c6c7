"""`haltline journal size|compact|backup|restore|migrate|repair`: looking after the file that holds the journal."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from haltline.cli.group import HelpfulCommand
from haltline.cli.journal import File, app, journal_path, open_journal
from haltline.cli.option import Config, Json, Plain
from haltline.cli.output import Output
from haltline.cli.progress import Told, progress_bar
from haltline.cli.workspace import find_setup, plugins_of
from haltline.clock import SystemClock, format_duration, parse_duration
from haltline.config.load import load_setup
from haltline.config.settings import StoreEntry
from haltline.control.retention import Needs
from haltline.errors import ConfigError, Problem
from haltline.journal.backup import back_up, restore, size_of
from haltline.journal.compact import Compaction, Removed, free_pages
from haltline.journal.mend import mend
from haltline.journal.migrate import plan_migration
from haltline.journal.size import size_of_journal
from haltline.journal.store import Journal

_DAY_S = 86_400


@app.command(cls=HelpfulCommand)
def size(file: File = None, config: Config = None, plain: Plain = False, json: Json = False) -> None:
    """Show what fills the journal: records and bytes by kind and day.

    \b
    Examples:
      haltline journal size
      haltline journal size --file backup/haltline.db --json

    \b
    JSON: {"file": 90112, "states": 24864, "free": 0, "gaps": 0, "removed": 0,
           "shares": [{"day": "2026-11-21", "kind": "quote", "records": 12, "bytes": 3240}]}
    """
    output = Output(json=json, plain=plain)
    path = file or journal_path(config)
    with open_journal(file, config) as journal:
        found = size_of_journal(journal, size_of(path))
    shares = [
        {"day": _day(share.day), "kind": share.kind, "records": share.records, "bytes": share.bytes}
        for share in found.shares
    ]
    if json:
        output.emit(
            {
                "file": found.file, "states": found.states, "free": found.free, "gaps": found.gaps,
                "removed": found.removed, "shares": shares,
            }
        )  # fmt: skip
    table = Table("day", "kind", box=None)
    table.add_column("records", justify="right")
    table.add_column("size", justify="right")
    for share in shares:
        table.add_row(str(share["day"]), str(share["kind"]), f"{share['records']:,}", _bytes(int(str(share["bytes"]))))
    output.show(table)
    output.say(
        f"the file takes {_bytes(found.file)}: {_bytes(found.states)} of saved states, {_bytes(found.free)} free"
        f" inside; {found.removed:,} quotes were removed"
    )


@app.command(cls=HelpfulCommand)
def compact(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    keep: Annotated[
        str | None, typer.Option("--keep-quotes", metavar="TIME", help="Instead of what the set-up says, such as 12h.")
    ] = None,
    file: File = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Remove old quotes and give the file's free space back; the engine must not run on it.

    A running engine does the same by itself, in small steps. Decisions, orders, fills and whatever else is no quote
    stay for ever; the quotes of young incidents stay too.

    \b
    Examples:
      haltline journal compact --dry-run
      haltline journal compact --keep-quotes 12h

    \b
    JSON: {"ok": true, "dry_run": false, "records": 120000, "bytes": 32400000, "before": 90112, "after": 40960}
    """
    output = Output(json=json, plain=plain)
    path, entry = _store(file, config, keep)
    before = size_of(path)
    now = SystemClock().now()
    with (
        open_journal(path, None) if dry_run else Journal.open(path) as journal,
        progress_bar(output, "reading") as told,
    ):
        removed = _compact(journal, entry, now, told, dry=dry_run)
        if not dry_run:
            _shrink(journal)
    after = size_of(path)
    if json:
        output.emit(
            {
                "ok": True, "dry_run": dry_run, "records": removed.records, "bytes": removed.bytes, "before": before,
                "after": after,
            }
        )  # fmt: skip
    verb = "would be removed" if dry_run else "were removed"
    age, freed = format_duration(entry.keep_quotes_ns), _bytes(removed.bytes)
    text = f"{removed.records:,} quotes older than {age} {verb} ({freed})"
    output.say(text + ("" if dry_run else f"; the file went from {_bytes(before)} to {_bytes(after)}"))


@app.command(cls=HelpfulCommand)
def backup(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.", show_default=False)],
    file: File = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Copy the journal, also while an engine writes to it, and prove the copy record by record.

    \b
    Examples:
      haltline journal backup backup/haltline-2026-11-21.db

    \b
    JSON: {"ok": true, "file": "...", "records": 512, "last_seq": 512, "head": "...", "bytes": 90112}
    """
    output = Output(json=json, plain=plain)
    path = _existing(file, config)
    with progress_bar(output, "reading") as told:
        made = back_up(path, to, progress=told)
    if json:
        output.emit(
            {
                "ok": True, "file": made.path, "records": made.records, "last_seq": made.last_seq, "head": made.head,
                "bytes": made.bytes,
            }
        )  # fmt: skip
    output.say(f"{made.path} holds {made.records:,} records and is whole; its head is {made.head}", style="bold green")


@app.command("restore", cls=HelpfulCommand)
def restore_command(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="What to restore from.", show_default=False)],
    file: File = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Put a backup in the journal's place; the engine must not run. What stood there is kept under another name.

    \b
    Examples:
      haltline journal restore backup/haltline-2026-11-21.db

    \b
    JSON: {"ok": true, "file": "...", "kept": "..."}
    """
    output = Output(json=json, plain=plain)
    path = file or journal_path(config)
    if not backup.is_file():
        raise ConfigError([Problem(code="E907", what=f"there is no file {str(backup)!r}", cure="name a backup")])
    kept = restore(backup, path, SystemClock().now())
    if json:
        output.emit({"ok": True, "file": path, "kept": kept})
    output.say(f"{path} is what {backup} was" + (f"; the journal before it is {kept.name}" if kept else ""))


@app.command("migrate", cls=HelpfulCommand)
def migrate_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    file: File = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Bring a journal of an older version to the present format, behind a proven backup beside it.

    `haltline run` does the same by itself when it starts.

    \b
    Examples:
      haltline journal migrate --dry-run

    \b
    JSON: {"ok": true, "dry_run": false, "version": 1, "newest": 2, "steps": ["..."], "backup": "..."}
    """
    output = Output(json=json, plain=plain)
    path = _existing(file, config)
    plan = plan_migration(path, SystemClock().now())
    to = plan.backup
    if plan.steps and not dry_run:
        with Journal.open(path) as journal:
            to = journal.backup or to
    if json:
        output.emit(
            {
                "ok": True, "dry_run": dry_run, "version": plan.version, "newest": plan.newest, "steps": plan.steps,
                "backup": to if plan.steps else None,
            }
        )  # fmt: skip
    if not plan.steps:
        output.say(f"{path} has format {plan.version}, the newest: nothing to do")
    for step in plan.steps:
        output.say(f"format {plan.version} → {plan.newest}: {step}")
    if plan.steps:
        output.say(f"{'it would be' if dry_run else 'it was'} backed up first, {_bytes(plan.bytes)}: {to}")


@app.command(cls=HelpfulCommand)
def repair(file: File = None, config: Config = None, plain: Plain = False, json: Json = False) -> None:
    """Take damaged records out of the journal, into a file beside it; the engine must not run.

    Copy the file first. What is taken out cannot be decided again, and a record of the chain says so for ever.

    \b
    Examples:
      haltline journal repair

    \b
    JSON: {"ok": true, "records": 1, "first": 17, "last": 17, "file": "..."}
    """
    output = Output(json=json, plain=plain)
    path = _existing(file, config)
    with Journal.open(path) as journal:
        mended = mend(journal, SystemClock().now())
        fault = journal.fault() or journal.verify().reason
    if json:
        output.emit(
            {
                "ok": not fault, "records": mended.records if mended else 0, "first": mended.first if mended else None,
                "last": mended.last if mended else None, "file": mended.file if mended else None,
            }
        )  # fmt: skip
    output.say(str(mended) if mended else "no record is damaged")
    if fault:
        output.say(f"{fault}; restore a backup", style="bold red")
        raise typer.Exit(1)


def _compact(journal: Journal, entry: StoreEntry, now: int, told: Told, *, dry: bool) -> Removed:
    needs = Needs(journal, entry)
    while needs.read(10_000) or needs.weigh(now, 10_000):
        pass
    work = Compaction(journal, cutoff=now - entry.keep_quotes_ns, kept=needs.spans(now), dry=dry)
    total = Removed()
    while (removed := work.step(now, limit=5_000)) is not None:
        total.add(removed)
        told(min(total.looked_at, work.total), work.total)
    return total


def _shrink(journal: Journal) -> None:
    """All free space goes back; a file of version 0.1 is written anew, so that from then on it can shrink by itself."""
    if journal.connection.execute("PRAGMA auto_vacuum").fetchone()[0] != 2:
        journal.connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        journal.connection.execute("VACUUM")
    while free_pages(journal, pages=2_000, spare=0):
        pass
    journal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _store(file: Path | None, config: Path | None, keep: str | None) -> tuple[Path, StoreEntry]:
    """The journal and how long it keeps what: by the set-up where one is found, else as a set-up that does not say."""
    entry = StoreEntry(path=file) if file is not None and config is None else _entry(config)
    path = file or entry.path
    quotes_ns = entry.keep_quotes_ns
    if keep is not None:
        try:
            quotes_ns = parse_duration(keep)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--keep-quotes") from None
    if not path.is_file():
        raise ConfigError([_none(path)])
    return path, StoreEntry(path=path, keep_quotes_ns=quotes_ns, keep_incidents_ns=entry.keep_incidents_ns)


def _entry(config: Path | None) -> StoreEntry:
    path = find_setup(config)
    return load_setup(path, plugins_of([path]).registry, environ=os.environ).store


def _existing(file: Path | None, config: Path | None) -> Path:
    path = file or journal_path(config)
    if not path.is_file():
        raise ConfigError([_none(path)])
    return path


def _none(path: Path) -> Problem:
    cure = "start 'haltline run' once, or name it with --file"
    return Problem(code="E907", what=f"there is no journal at {str(path)!r}", cure=cure)


def _day(days: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(days * _DAY_S))


def _bytes(count: int) -> str:
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.2f} GB"
