"""Saved states: the newest few are kept and one of every hour, each with its digest; the chain says what was saved.

The newest are for recovery, the hourly ones for looking back: an incident of last night is taken up from the hour
before it.
"""

import hashlib
import sqlite3

from haltline.clock import NS_PER_S
from haltline.journal.record import Entry, RecordKind, entry_of

KEPT = 3
HOURS = 48
_HOUR_NS = 3600 * NS_PER_S
_THIN = f"""
DELETE FROM snapshot
WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT {KEPT})
AND seq NOT IN (SELECT MAX(seq) FROM snapshot GROUP BY at / {_HOUR_NS} ORDER BY MAX(seq) DESC LIMIT {HOURS})
"""


class Snapshots:
    """The snapshots of one journal file; written inside the journal's own transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, seq: int, at: int, state: bytes) -> Entry:
        """Keep one and drop what is not needed any more; returns the entry that notes it in the chain."""
        digest = hashlib.sha256(state).digest()
        self._connection.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?)", (seq, at, state, digest))
        self._connection.execute(_THIN)
        return entry_of(RecordKind.SNAPSHOT, at, {"seq": seq, "sha256": digest.hex(), "bytes": len(state)})

    def last(self) -> tuple[int, bytes] | None:
        """The newest one that is what was written; damaged ones are passed over."""
        return self.before(None)

    def before(self, at: int | None) -> tuple[int, bytes] | None:
        """The newest good one taken at or before an instant (None: of all)."""
        where, given = ("", ()) if at is None else ("WHERE at <= ?", (at,))
        query = f"SELECT seq, state, digest FROM snapshot {where} ORDER BY seq DESC"
        for seq, state, digest in self._connection.execute(query, given):
            if hashlib.sha256(state).digest() == digest:
                return seq, state
        return None
