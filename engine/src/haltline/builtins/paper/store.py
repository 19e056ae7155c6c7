"""The paper book on disk: one SQLite file, one row per account, order and execution; survives a kill at any instant."""

import sqlite3
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

import msgspec

from haltline.builtins.paper.book import Row

_SCHEMA = "CREATE TABLE IF NOT EXISTS book (sort TEXT, key TEXT, body TEXT, PRIMARY KEY (sort, key)) WITHOUT ROWID"
_PUT = "INSERT INTO book VALUES (?, ?, ?) ON CONFLICT (sort, key) DO UPDATE SET body = excluded.body"
_DROP = "DELETE FROM book WHERE sort = ? AND key = ?"


class BookStore:
    """Writes changed rows in one transaction, fsynced before `write` returns. Used from worker threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def read(self) -> list[list[object]]:
        """All rows as plain values; empty for a new file. Raises sqlite3.Error."""
        with self._lock:
            found = self._open().execute("SELECT sort, key, body FROM book").fetchall()
        return [[sort, key, msgspec.json.decode(body)] for sort, key, body in found]

    def write(self, rows: Sequence[Row]) -> None:
        """Keep these rows, all or none. Raises sqlite3.Error."""
        with self._lock, self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for row in rows:
                if row.body is None:
                    connection.execute(_DROP, (row.sort, row.key))
                else:
                    connection.execute(_PUT, (row.sort, row.key, msgspec.json.encode(row.body).decode()))

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
            weakref.finalize(self, connection.close)
            self._connection = connection
        return self._connection
