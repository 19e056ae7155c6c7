"""The tables of a journal file and what it says about itself; made with sqlite-utils, all of them or none."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlite_utils

from haltline.journal.actiontable import KINDS, ActionTable
from haltline.journal.error import JournalBroken, JournalNewer, NotAJournal
from haltline.journal.record import SCHEMA_VERSION, Record, RecordKind

_TABLES = {"meta", "record", "snapshot", "outbox"}
_WRITTEN = {"kind", "at", "body", "digest"}

type Step = Callable[[sqlite3.Connection], None]


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file, in one transaction; one that exists is checked. Raises NotAJournal or
    JournalNewer."""
    if require_journal(connection, path):
        return
    with whole(connection):
        database = _database(connection)
        database.create_table("meta", {"key": str, "value": str}, pk="key", not_null={"value"})
        database.create_table(
            "record", {"seq": int, "kind": str, "at": int, "body": str, "digest": bytes}, pk="seq", not_null=_WRITTEN
        )
        connection.execute("CREATE INDEX record_kind ON record (kind, seq) WHERE kind != 'event'")
        database.create_table("snapshot", {"seq": int, "at": int, "state": bytes, "digest": bytes}, pk="seq")
        database.create_table(
            "outbox", {"key": str, "channel": str, "due": int, "attempts": int, "message": str}, pk="key"
        )
        connection.execute("INSERT INTO meta VALUES ('format', 'haltline-journal')")
        for version in range(1, SCHEMA_VERSION):
            STEPS[version][1](connection)
        set_version(connection)


def require_journal(connection: sqlite3.Connection, path: Path) -> int:
    """The format version of a journal; 0 for an empty file. Raises NotAJournal for a file of another sort,
    JournalNewer for one of a later version, JournalBroken where it does not say."""
    tables = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    meta = meta_of(connection) if "meta" in tables else {}
    if not meta and tables <= _TABLES and ("record" not in tables or _is_empty(connection)):
        raise NotAJournal(f"{path}: this journal was begun and never finished", "delete the file and start again")
    if meta.get("format") != "haltline-journal" or not tables >= _TABLES:
        raise NotAJournal(f"{path}: this file is not a journal", "name another file under `store: path:`")
    said = meta.get("version", "")
    if not said.isascii() or not said.isdigit() or said == "0":
        raise JournalBroken(f"{path}: the journal does not say its version", "restore it from a backup")
    if int(said) > SCHEMA_VERSION:
        raise JournalNewer(
            f"{path}: the journal was written by a later haltline (its format is {said}, this one knows"
            f" {SCHEMA_VERSION})",
            "update haltline, or name another file under `store: path:`",
        )
    return int(said)


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM record LIMIT 1").fetchone() is None


def meta_of(connection: sqlite3.Connection) -> dict[str, str]:
    """What the file says about itself."""
    return {str(key): str(value) for key, value in connection.execute("SELECT key, value FROM meta")}


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Note something about the file."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def set_version(connection: sqlite3.Connection) -> None:
    """Note that the file has the newest format."""
    set_meta(connection, "version", str(SCHEMA_VERSION))


@contextmanager
def whole(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything inside is written, and on disk, or nothing is."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA synchronous = NORMAL")


def _database(connection: sqlite3.Connection) -> sqlite_utils.Database:
    return sqlite_utils.Database(connection, execute_plugins=False)


def _to_2(connection: sqlite3.Connection) -> None:
    """Gaps, ranges that incidents keep, saved states that outlive their hours, where unfinished actions stand, and what
    the notifier and the control service remember."""
    database = _database(connection)
    columns = {"first": int, "last": int, "before": bytes, "after": bytes, "vouched": int, "kind": str}
    database.create_table("gap", columns, pk="first", not_null=set(columns))
    connection.execute("CREATE INDEX gap_vouched ON gap (vouched)")
    database.create_table("kept", {"first": int, "last": int}, pk="first", not_null={"last"})
    connection.execute("ALTER TABLE snapshot ADD COLUMN keep_until INTEGER NOT NULL DEFAULT 0")
    database.create_table(
        "unfinished", {"seq": int, "kind": str, "action": str, "name": str}, pk="seq", not_null={"action"}
    )
    connection.execute("CREATE INDEX unfinished_action ON unfinished (action)")
    connection.execute("CREATE INDEX unfinished_name ON unfinished (name) WHERE kind = 'plan'")
    database.create_table("receipt", {"action": str, "seq": int}, pk="action", not_null={"seq"})
    database.create_table("notification", {"key": str, "body": str}, pk="key", not_null={"body"})
    notes = {"space": str, "key": str, "at": int, "text": str}
    database.create_table("control_note", notes, pk=("space", "key"), not_null=set(notes))
    chosen = ", ".join(f"'{kind}'" for kind in KINDS)
    query = f"SELECT seq, kind, at, body, digest FROM record WHERE kind IN ({chosen}) AND kind != 'event' ORDER BY seq"
    rows = connection.execute(query)
    ActionTable(connection).take(
        Record(seq, RecordKind(kind), at, str(body).encode(), digest) for seq, kind, at, body, digest in rows
    )


STEPS: dict[int, tuple[str, Step]] = {
    1: ("room for compaction, for saved states kept longer, and an index of unfinished actions", _to_2),
}
"""What takes a file from each version to the next: in words, and the change itself."""
