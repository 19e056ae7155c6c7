"""The tables of a journal file: made and migrated with sqlite-utils."""

import sqlite3
from pathlib import Path

import sqlite_utils

from haltline.journal.error import JournalNewer, NotAJournal
from haltline.journal.record import SCHEMA_VERSION

_TABLES = {"meta", "record", "snapshot", "outbox"}
_WRITTEN = {"kind", "at", "body", "digest"}


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file, or check those of an old one; raises NotAJournal or JournalNewer."""
    require_journal(connection, path)
    database = sqlite_utils.Database(connection, execute_plugins=False)
    if "meta" in database.table_names():
        return
    database.create_table("meta", {"key": str, "value": str}, pk="key", not_null={"value"})
    database.create_table(
        "record", {"seq": int, "kind": str, "at": int, "body": str, "digest": bytes}, pk="seq", not_null=_WRITTEN
    )
    connection.execute("CREATE INDEX record_kind ON record (kind, seq) WHERE kind != 'event'")
    database.create_table("snapshot", {"seq": int, "at": int, "state": bytes, "digest": bytes}, pk="seq")
    database.create_table("outbox", {"key": str, "channel": str, "due": int, "attempts": int, "message": str}, pk="key")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO meta VALUES ('format', 'haltline-journal'), ('version', ?)", (str(SCHEMA_VERSION),))
    connection.execute("COMMIT")


def require_journal(connection: sqlite3.Connection, path: Path) -> None:
    """Raise NotAJournal for a file of another sort, JournalNewer for one of a later version; an empty file passes."""
    database = sqlite_utils.Database(connection, execute_plugins=False)
    tables = set(database.table_names())
    if not tables:
        return
    meta = dict(connection.execute("SELECT key, value FROM meta")) if "meta" in tables else {}
    if meta.get("format") != "haltline-journal" or not tables >= _TABLES:
        raise NotAJournal(f"{path}: this file is not a journal", "name another file under `store: path:`")
    version = int(meta.get("version", "0"))
    if version > SCHEMA_VERSION:
        raise JournalNewer(
            f"{path}: the journal was written by a later haltline (its format is {version}, this one knows"
            f" {SCHEMA_VERSION})",
            "update haltline, or name another file under `store: path:`",
        )
