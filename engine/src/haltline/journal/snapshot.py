"""Saved states: the newest few are kept, each with its digest, and the chain says what was saved."""

import hashlib
import sqlite3

from haltline.journal.record import Entry, RecordKind, entry_of

KEPT = 3


class Snapshots:
    """The snapshots of one journal file; written inside the journal's own transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, seq: int, at: int, state: bytes) -> Entry:
        """Keep one and drop the oldest; returns the entry that notes it in the chain."""
        digest = hashlib.sha256(state).digest()
        self._connection.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?)", (seq, at, state, digest))
        self._connection.execute(
            "DELETE FROM snapshot WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT ?)", (KEPT,)
        )
        return entry_of(RecordKind.SNAPSHOT, at, {"seq": seq, "sha256": digest.hex(), "bytes": len(state)})

    def last(self) -> tuple[int, bytes] | None:
        """The newest one that is what was written; damaged ones are passed over."""
        for seq, state, digest in self._connection.execute("SELECT seq, state, digest FROM snapshot ORDER BY seq DESC"):
            if hashlib.sha256(state).digest() == digest:
                return seq, state
        return None
