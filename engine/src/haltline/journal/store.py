"""The journal file: WAL, one writer, batches in one transaction each, fsync where an effect follows.

Durability: `append` commits with ``synchronous=NORMAL``: in WAL mode that survives the death of the process at any
instant, and loses at most the last transactions when the machine itself loses power. `append_durable` commits with
``synchronous=FULL``: SQLite then fsyncs the write-ahead log before COMMIT returns, which also makes everything
committed before it durable. What is decided is therefore on disk before anything is sent.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self, cast

from haltline.clock import SystemClock
from haltline.errors import InvariantBroken
from haltline.journal.actiontable import ActionTable, touches
from haltline.journal.chain import ORIGIN, VerifyReport, Walk, link
from haltline.journal.error import JournalBroken, JournalError, JournalUnusable, NotAJournal, explained, in_words
from haltline.journal.gap import GapTable
from haltline.journal.lease import Lease
from haltline.journal.record import SCHEMA_VERSION, Entry, Record, RecordKind, notice_entry
from haltline.journal.schema import prepare, require_journal
from haltline.journal.snapshot import Snapshots
from haltline.model.id import ActionId

BUSY_S = 5.0
"""How long a write waits for another program that has locked the file."""
_INSERT = "INSERT INTO record (seq, kind, at, body, digest) VALUES (?, ?, ?, ?, ?)"
_SELECT = "SELECT seq, CAST(kind AS BLOB), CAST(at AS INTEGER), CAST(body AS BLOB), CAST(digest AS BLOB) FROM record"
"""As bytes, so that a damaged text is read as what it is."""
_LAST_SEQ = 2**63 - 1


class Journal:
    """A journal file. Methods raise JournalError subclasses; call them from one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lease: Lease | None) -> None:
        self.path = path
        self.connection = connection
        self._lease = lease
        self._depth = 0
        self.backup: Path | None = None
        """The file as it was, where opening it brought it to the present format."""
        self._place = _place_of(path)
        self.snapshots = Snapshots(connection)
        self.gaps = GapTable(connection, path)
        self.actions = ActionTable(connection)
        head = next(self.raw(newest_first=True), None)
        self.last_seq, self._digest = (head.seq, head.digest) if head else (0, ORIGIN)
        self.written = self.last_seq, self.head

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for writing, making the file if need be; a second writer is refused with JournalLocked.

        A journal of an older format is brought up to date first, behind a proven backup beside it. A file that could
        not be made whole is not left behind.
        """
        with ExitStack() as undo:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                lease = Lease(path)
                undo.callback(lease.release)
                if not path.exists():
                    undo.callback(_remove, path)
                connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
                undo.callback(connection.close)
                journal = cls._set_up(connection, path, lease)
            except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
                raise explained(error, path) from error
            undo.pop_all()
        return journal

    @classmethod
    def _set_up(cls, connection: sqlite3.Connection, path: Path, lease: Lease) -> Self:
        """A journal ready for writing, brought up to date first."""
        from haltline.journal.migrate import (  # noqa: PLC0415 - backups are read with this very class
            migrate,
            plan_migration,
        )

        version = require_journal(connection, path)
        if not version:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        prepare(connection, path)
        if not 0 < version < SCHEMA_VERSION:
            return cls(path, connection, lease)
        now = SystemClock().now()
        backup = migrate(connection, plan_migration(path, now)).path
        journal = cls(path, connection, lease)
        journal.backup = backup
        said = f"brought from format {version} to {SCHEMA_VERSION}; the file as it was is {backup.name}"
        journal.append_durable([notice_entry(now, "journal", said)])
        return journal

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading only, also while an engine is running on it; older formats are read as they are."""
        if not path.exists():
            raise JournalUnusable(f"{path}: there is no journal", "start `haltline run` once, or name its file")
        if not path.is_dir() and not path.stat().st_size:
            raise NotAJournal(f"{path}: this file is empty", "start `haltline run` once, or name another file")
        with ExitStack() as undo:
            try:
                uri = f"{path.resolve().as_uri()}?mode=ro"
                connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)
                undo.callback(connection.close)
                require_journal(connection, path)
                journal = cls(path, connection, None)
            except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
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
            self.written = self.last_seq, self.head
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
                self.insert(entries)
        return self.last_seq

    def append_durable(self, entries: Sequence[Entry]) -> int:
        """Write entries, fsynced before this returns; returns the last sequence number."""
        with self.transaction(durable=True):
            self.insert(entries)
        return self.last_seq

    def iterate(self, from_seq: int = 1, *, kinds: Sequence[RecordKind] = ()) -> Iterator[Record]:
        """Records in order, from a sequence number on, optionally only of some kinds."""
        chosen = ", ".join(f"'{RecordKind(kind)}'" for kind in kinds)
        where = f" AND kind IN ({chosen})" if kinds else ""
        if kinds and RecordKind.EVENT not in kinds:
            where += " AND kind != 'event'"  # then SQLite can use the index that leaves events out
        with in_words(self.path):
            rows = self.connection.execute(f"{_SELECT} WHERE seq >= ?{where} ORDER BY seq", (from_seq,))
            yield from self._ascending(map(_record, rows))

    def tail(self, count: int) -> list[Record]:
        """The last records, oldest first."""
        return self._rows(f"{_SELECT} ORDER BY seq DESC LIMIT {int(count)}")[::-1]

    def newest(self, kind: RecordKind) -> Record | None:
        """The last record of a kind other than `event`, or None."""
        found = self._rows(f"{_SELECT} WHERE kind = '{kind.value}' AND kind != 'event' ORDER BY seq DESC LIMIT 1")
        return found[0] if found else None

    def count(self) -> int:
        """How many records there are."""
        return int(self.connection.execute("SELECT COUNT(*) FROM record").fetchone()[0])

    def seq_at(self, at: int) -> int:
        """The last record at or before an instant, 0 for none; by halving, so a clock that was set back blurs it."""
        low, high = 0, self.last_seq
        while low < high:
            middle = (low + high + 1) // 2
            found = next(self.raw(middle, high), None)
            if found is None or found.at > at:
                high = middle - 1
            else:
                low = found.seq
        return low

    def digest_at(self, seq: int) -> bytes:
        """The digest of a record, also of the last one of a gap; empty where there is none."""
        if seq <= 0:
            return ORIGIN
        found = next(self.raw(seq, seq), None)
        if found is not None:
            return found.digest
        return next((gap.after for gap in self.gaps.between(seq, seq) if gap.last == seq), b"")

    def verify(self, from_seq: int = 1) -> VerifyReport:
        """Walk the chain from a record on (from the first by default)."""
        walk = self.walk(from_seq)
        for record in self.raw(from_seq):
            if not walk.take(record):
                break
        return walk.report()

    def walk(self, from_seq: int = 1) -> Walk:
        """A walk along the chain that begins with a record."""
        after = max(0, from_seq - 1)
        return Walk(after=after, digest=self.digest_at(after), gaps=self.gaps)

    def fault(self) -> str:
        """What SQLite finds wrong with the file itself, or with a saved state; empty where nothing is."""
        try:
            with in_words(self.path):
                said = [str(line) for (line,) in self.connection.execute("PRAGMA integrity_check(3)")]
                damaged = self.snapshots.damaged()
        except JournalError as error:
            return error.what
        if said != ["ok"]:
            return "the file is damaged: " + "; ".join(line.replace("\n", " ") for line in said)
        return f"the state saved at record {damaged[0]} is not what was written" if damaged else ""

    def state_before(self, at: int) -> int | None:
        """The record of the newest state saved at or before an instant, or None; the state itself is not read."""
        return self.snapshots.seq_before(at)

    @property
    def is_in_place(self) -> bool:
        """Whether its name still leads to the file that was opened: it may be removed or replaced while it is used."""
        return _place_of(self.path) == self._place

    @property
    def is_writer(self) -> bool:
        """Whether it was opened for writing."""
        return self._lease is not None

    def unfinished_records(self, names: Collection[str]) -> list[Record]:
        """All records of actions of these names that have no receipt, in order; shadow ones are left out."""
        with in_words(self.path):
            return self._at(self.actions.records_of_unfinished(names))

    def receipt_records(self, actions: Collection[ActionId]) -> list[Record]:
        """The receipts of these actions, in order."""
        with in_words(self.path):
            return self._at(self.actions.records_of_receipts(actions))

    def raw(self, first: int = 1, last: int | None = None, *, newest_first: bool = False) -> Iterator[Record]:
        """Records as they lie there, damaged ones too, whatever their kind says."""
        order = "DESC" if newest_first else "ASC"
        query = f"{_SELECT} WHERE seq BETWEEN ? AND ? ORDER BY seq {order}"
        with in_words(self.path):
            rows = self.connection.execute(query, (first, _LAST_SEQ if last is None else last))
            yield from self._ascending(map(_raw, rows), sign=-1 if newest_first else 1)

    def write_snapshot(self, seq: int, at: int, state: bytes) -> None:
        """Keep the state as it is after record `seq`, and note in the chain what was kept; raises InvariantBroken
        for a sequence number that does not exist yet."""
        if seq > self.last_seq:
            raise InvariantBroken(f"a snapshot of record {seq} was given, and the last record is {self.last_seq}")
        with self.transaction():
            self.insert([self.snapshots.put(seq, at, state)])

    def last_snapshot(self) -> tuple[int, bytes] | None:
        """The newest snapshot that is what was written, or None."""
        with in_words(self.path):
            return self.snapshots.last()

    def snapshot_before(self, at: int) -> tuple[int, bytes] | None:
        """The newest good snapshot taken at or before an instant, or None."""
        with in_words(self.path):
            return self.snapshots.before(at)

    def insert(self, entries: Sequence[Entry]) -> list[Record]:
        """Write entries inside a transaction that is under way."""
        if self.last_seq > _LAST_SEQ - len(entries):
            raise JournalUnusable(f"{self.path}: the journal has run out of numbers", "start on a new journal")
        records = link(entries, after=self.last_seq, digest=self._digest)
        rows = [(seq, kind.value, at, body.decode(), digest) for seq, kind, at, body, digest in records]
        self.connection.executemany(_INSERT, rows)
        if touches(entries):
            self.actions.take(records)
        if records:
            self.last_seq, self._digest = records[-1].seq, records[-1].digest
        return records

    def anchor(self, seq: int, digest: bytes) -> None:
        """Go on behind this record, which is the last one of a gap."""
        self.last_seq, self._digest = seq, digest

    def _ascending(self, records: Iterator[Record], *, sign: int = 1) -> Iterator[Record]:
        """Records that really are in order: a damaged file may lead in circles."""
        before: int | None = None
        for record in records:
            if before is not None and sign * record.seq <= sign * before:
                raise JournalBroken(f"{self.path}: the file is damaged at record {before}", "restore it from a backup")
            before = record.seq
            yield record

    def _at(self, numbers: Sequence[int]) -> list[Record]:
        query = f"{_SELECT} WHERE seq = ?"
        return [_record(row) for seq in numbers for row in self.connection.execute(query, (seq,))]

    def _rows(self, query: str) -> list[Record]:
        with in_words(self.path):
            return [_record(row) for row in self.connection.execute(query)]


type _Row = tuple[int, bytes | None, int | None, bytes | None, bytes | None]


def _raw(row: _Row) -> Record:
    seq, kind, at, body, digest = row
    named = cast("RecordKind", (kind or b"").decode(errors="replace"))
    return Record(seq, named, at or 0, body or b"", digest or b"")


def _record(row: _Row) -> Record:
    record = _raw(row)
    try:
        return record._replace(kind=RecordKind(record.kind))
    except ValueError as error:
        what = f"record {record.seq} is of an unknown kind {str(record.kind)!r}"
        raise JournalBroken(what, "see what 'haltline journal verify' says; restore a backup") from error


def _place_of(path: Path) -> tuple[int, int] | None:
    """Which file a name leads to; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _remove(path: Path) -> None:
    """A file that was begun and not finished, and what SQLite keeps beside it."""
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
