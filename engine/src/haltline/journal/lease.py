"""One writer at a time: a lock that dies with the process that holds it."""

import sqlite3
from pathlib import Path

from haltline.journal.error import JournalLocked


class Lease:
    """An exclusive lock on a small file beside the journal itself, not beside a link to it. SQLite's own file locks
    serve on every system.
    """

    def __init__(self, path: Path) -> None:
        real = path.resolve()
        lease = real.with_name(real.name + ".lease")
        self._connection = sqlite3.connect(lease, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self._connection.close()
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise JournalLocked(
                    f"{path}: another haltline is running on this journal",
                    "stop it first, or name another file under `store: path:`",
                ) from error
            raise

    def release(self) -> None:
        """Let the next writer in."""
        self._connection.close()
