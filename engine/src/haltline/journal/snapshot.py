"""Saved states: the newest few are kept and one of every hour, each with its digest; the chain says what was saved.

The newest are for recovery, the hourly ones for looking back: an incident of last night is taken up from the hour
before it. One that an incident begins from outlives its hours.
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
AND keep_until <= ?
"""
_PUT = "INSERT OR REPLACE INTO snapshot (seq, at, state, digest) VALUES (?, ?, ?, ?)"


class Snapshots:
    """The snapshots of one journal file; written inside the journal's own transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, seq: int, at: int, state: bytes) -> Entry:
        """Keep one and drop what is not needed any more; returns the entry that notes it in the chain."""
        digest = hashlib.sha256(state).digest()
        self._connection.execute(_PUT, (seq, at, state, digest))
        self._connection.execute(_THIN, (at,))
        return entry_of(RecordKind.SNAPSHOT, at, {"seq": seq, "sha256": digest.hex(), "bytes": len(state)})

    def keep(self, seq: int, until: int) -> None:
        """Keep one until an instant (UTC nanoseconds) at least."""
        query = "UPDATE snapshot SET keep_until = ? WHERE seq = ? AND keep_until < ?"
        self._connection.execute(query, (until, seq, until))

    def seq_before(self, at: int) -> int | None:
        """The record of the newest one taken at or before an instant, whatever it looks like; None: there is none."""
        found = self._connection.execute("SELECT MAX(seq) FROM snapshot WHERE at <= ?", (at,)).fetchone()
        return None if found[0] is None else int(found[0])

    def oldest_for_recovery(self) -> int | None:
        """The record of the oldest of the newest few; what follows it is never compacted. None: there are fewer."""
        query = "SELECT seq FROM snapshot ORDER BY seq DESC LIMIT 1 OFFSET ?"
        found = self._connection.execute(query, (KEPT - 1,)).fetchone()
        return found[0] if found else None

    def damaged(self) -> list[int]:
        """The records of saved states that are not what was written."""
        rows = self._connection.execute("SELECT seq, state, digest FROM snapshot ORDER BY seq")
        return [seq for seq, state, digest in rows if not _is_good(state, digest)]

    def last(self) -> tuple[int, bytes] | None:
        """The newest one that is what was written; damaged ones are passed over."""
        return self.before(None)

    def before(self, at: int | None) -> tuple[int, bytes] | None:
        """The newest good one taken at or before an instant (None: of all)."""
        where, given = ("", ()) if at is None else ("WHERE at <= ?", (at,))
        query = f"SELECT seq, state, digest FROM snapshot {where} ORDER BY seq DESC"
        for seq, state, digest in self._connection.execute(query, given):
            if isinstance(seq, int) and _is_good(state, digest):
                return seq, state
        return None


def _is_good(state: object, digest: object) -> bool:
    return isinstance(state, bytes) and hashlib.sha256(state).digest() == digest
