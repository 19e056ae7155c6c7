"""An older journal brought to the present format: a proven copy first, then one transaction."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from haltline.journal.backup import Backup, back_up, size_of, stamp
from haltline.journal.error import explained
from haltline.journal.record import SCHEMA_VERSION
from haltline.journal.schema import STEPS, require_journal, set_version, whole


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """What bringing a journal up to date takes; nothing where `steps` is empty. `backup` is where the copy goes."""

    path: Path
    version: int
    newest: int
    steps: tuple[str, ...]
    bytes: int
    backup: Path


def plan_migration(path: Path, now: int) -> Migration:
    """What there is to do; changes nothing. Raises NotAJournal, JournalNewer, JournalBroken, JournalUnusable."""
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)) as connection:
            version = require_journal(connection, path) or SCHEMA_VERSION
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return Migration(
        path=path, version=version, newest=SCHEMA_VERSION,
        steps=tuple(STEPS[each][0] for each in range(version, SCHEMA_VERSION)), bytes=size_of(path),
        backup=_unused(path.with_name(f"{path.name}.v{version}-{stamp(now)}.backup")),
    )  # fmt: skip


def migrate(connection: sqlite3.Connection, plan: Migration) -> Backup:
    """Do it, on the connection that holds the journal. Raises BackupFailed, and then nothing was changed; killed at any
    instant, the file is as it was, or it is up to date."""
    for left in plan.path.parent.glob(f"{plan.path.name}.v*.backup.part"):
        left.unlink()
    made = back_up(plan.path, plan.backup)
    with whole(connection):
        for version in range(plan.version, SCHEMA_VERSION):
            STEPS[version][1](connection)
        set_version(connection)
    return made


def _unused(path: Path) -> Path:
    """A name that is free: a start that was killed after its backup is tried again within the second."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
