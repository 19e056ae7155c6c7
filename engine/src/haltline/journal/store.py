"""The journal file: WAL, one writer, batches in one transaction each, fsync where an effect follows.

Durability: `append` commits with ``synchronous=NORMAL``: in WAL mode that survives the death of the process at any
instant, and loses at most the last transactions when the machine itself loses power. `append_durable` commits with
``synchronous=FULL``: SQLite then fsyncs the write-ahead log before COMMIT returns, which also makes everything
committed before it durable. What is decided is therefore on disk before anything is sent.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from haltline.errors import InvariantBroken
from haltline.journal.chain import ORIGIN, VerifyReport, link, verify
from haltline.journal.error import JournalBroken, JournalUnusable, explained
from haltline.journal.lease import Lease
from haltline.journal.record import Entry, Record, RecordKind
from haltline.journal.schema import prepare, require_journal
from haltline.journal.snapshot import Snapshots

_INSERT = "INSERT INTO record (seq, kind, at, body, digest) VALUES (?, ?, ?, ?, ?)"
_SELECT = "SELECT seq, kind, at, body, digest FROM record"


class Journal:
    """A journal file. Methods raise JournalError subclasses; call them from one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lease: Lease | None) -> None:
        self.path = path
        self.connection = connection
        self._lease = lease
        self._depth = 0
        self.snapshots = Snapshots(connection)
        head = self._rows(f"{_SELECT} ORDER BY seq DESC LIMIT 1")
        self.last_seq, self._digest = (head[0].seq, head[0].digest) if head else (0, ORIGIN)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for writing, making the file if need be; a second writer is refused with JournalLocked."""
        with ExitStack() as undo:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                lease = Lease(path)
                undo.callback(lease.release)
                connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
                undo.callback(connection.close)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                prepare(connection, path)
                journal = cls(path, connection, lease)
            except (sqlite3.Error, OSError) as error:
                raise explained(error, path) from error
            undo.pop_all()
        return journal

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading only, also while an engine is running on it."""
        if not path.exists():
            raise JournalUnusable(f"{path}: there is no journal", "start `haltline run` once, or name its file")
        with ExitStack() as undo:
            try:
                uri = f"{path.resolve().as_uri()}?mode=ro"
                connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)
                undo.callback(connection.close)
                require_journal(connection, path)
                journal = cls(path, connection, None)
            except (sqlite3.Error, OSError) as error:
                raise explained(error, path) from error
            undo.pop_all()
        return journal

    @property
    def head(self) -> str:
        """The digest of the last record, in hexadecimal."""
        return self._digest.hex()

    def close(self) -> None:
        """Close the file and let the next writer in."""
        self.connection.close()
        if self._lease is not None:
            self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Everything inside is written or nothing; a nested one joins the outer one."""
        if self._depth:
            yield
            return
        kept = self.last_seq, self._digest
        try:
            if durable:
                self.connection.execute("PRAGMA synchronous = FULL")
            self.connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            yield
            self.connection.execute("COMMIT")
        except BaseException as error:
            self.last_seq, self._digest = kept
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise explained(error, self.path) from error
            raise
        finally:
            self._depth = 0
            if durable:
                self.connection.execute("PRAGMA synchronous = NORMAL")

    def append(self, entries: Sequence[Entry]) -> int:
        """Write entries in one transaction; returns the last sequence number. Survives a kill, not a power cut."""
        if entries:
            with self.transaction():
                self._insert(entries)
        return self.last_seq

    def append_durable(self, entries: Sequence[Entry]) -> int:
        """Write entries, fsynced before this returns; returns the last sequence number."""
        with self.transaction(durable=True):
            self._insert(entries)
        return self.last_seq

    def iterate(self, from_seq: int = 1, *, kinds: Sequence[RecordKind] = ()) -> Iterator[Record]:
        """Records in order, from a sequence number on, optionally only of some kinds."""
        chosen = ", ".join(f"'{RecordKind(kind)}'" for kind in kinds)
        where = f" AND kind IN ({chosen})" if kinds else ""
        if kinds and RecordKind.EVENT not in kinds:
            where += " AND kind != 'event'"  # then SQLite can use the index that leaves events out
        try:
            for row in self.connection.execute(f"{_SELECT} WHERE seq >= ?{where} ORDER BY seq", (from_seq,)):
                yield _record(row)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def tail(self, count: int) -> list[Record]:
        """The last records, oldest first."""
        return self._rows(f"{_SELECT} ORDER BY seq DESC LIMIT {int(count)}")[::-1]

    def verify(self, from_seq: int = 1) -> VerifyReport:
        """Walk the chain from a record on (from the first by default)."""
        if from_seq <= 1:
            return verify(self.iterate())
        before = self._rows(f"{_SELECT} WHERE seq = {int(from_seq) - 1}")
        digest = before[0].digest if before else b""
        return verify(self.iterate(from_seq), after=from_seq - 1, digest=digest)

    def write_snapshot(self, seq: int, at: int, state: bytes) -> None:
        """Keep the state as it is after record `seq`, and note in the chain what was kept; raises InvariantBroken
        for a sequence number that does not exist yet."""
        if seq > self.last_seq:
            raise InvariantBroken(f"a snapshot of record {seq} was given, and the last record is {self.last_seq}")
        with self.transaction():
            self._insert([self.snapshots.put(seq, at, state)])

    def last_snapshot(self) -> tuple[int, bytes] | None:
        """The newest snapshot that is what was written, or None."""
        return self.snapshots.last()

    def snapshot_before(self, at: int) -> tuple[int, bytes] | None:
        """The newest good snapshot taken at or before an instant, or None."""
        return self.snapshots.before(at)

    def _insert(self, entries: Sequence[Entry]) -> None:
        records = link(entries, after=self.last_seq, digest=self._digest)
        rows = [(seq, kind.value, at, body.decode(), digest) for seq, kind, at, body, digest in records]
        self.connection.executemany(_INSERT, rows)
        if records:
            self.last_seq, self._digest = records[-1].seq, records[-1].digest

    def _rows(self, query: str) -> list[Record]:
        try:
            return [_record(row) for row in self.connection.execute(query)]
        except sqlite3.Error as error:
            raise explained(error, self.path) from error


def _record(row: tuple[int, str, int, str | bytes, bytes]) -> Record:
    seq, kind, at, body, digest = row
    try:
        known = RecordKind(kind)
    except ValueError as error:
        raise JournalBroken(f"record {seq} is of an unknown kind {kind!r}", "restore it from a backup") from error
    return Record(seq, known, at, body.encode() if isinstance(body, str) else bytes(body), bytes(digest))
