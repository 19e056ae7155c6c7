"""Records that are gone on purpose: which, and the chained record that vouches for it.

A gap holds the digest before it and the digest of its last record, so the chain goes on behind it. The record that made
it (`compaction` or `damage`) holds a hash over all its gaps; what no such record vouches for is damage.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from haltline.journal.error import in_words
from haltline.journal.record import Entry, RecordKind, entry_of


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Records `first` to `last` are gone. `before` and `after` are the digests of the record in front of them and of
    the last of them; `vouched` is the record that says so, `kind` that record's kind."""

    first: int
    last: int
    before: bytes
    after: bytes
    vouched: int
    kind: str = RecordKind.COMPACTION.value

    @property
    def count(self) -> int:
        """How many records are gone."""
        return self.last - self.first + 1


class Vouch(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a `compaction` or `damage` record: `gaps` gaps of `records` records between `first` and `last`.

    `bytes` is the size of their bodies, `sha256` the seal over the gaps. Damage has a `reason`, and a `file` where the
    records were put aside.
    """

    first: int
    last: int
    gaps: int
    records: int
    bytes: int
    sha256: str
    reason: str = ""
    file: str = ""


class Gaps(Protocol):
    """Which records are gone."""

    def at(self, first: int) -> Gap | None:
        """The gap that begins with this record."""

    def of(self, vouched: int) -> list[Gap]:
        """The gaps that one record vouches for, in order."""

    def between(self, first: int, last: int) -> list[Gap]:
        """The gaps that touch a range, in order."""


class NoGaps:
    """Nothing is gone."""

    def at(self, first: int) -> Gap | None:
        """None."""
        del first
        return None

    def of(self, vouched: int) -> list[Gap]:
        """None."""
        del vouched
        return []

    def between(self, first: int, last: int) -> list[Gap]:
        """None."""
        del first, last
        return []


class GapTable:
    """The table `gap` of a journal file; a file of version 1 has none."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._exists = bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'gap'").fetchone())

    def put(self, gaps: Iterable[Gap]) -> None:
        """Note gaps."""
        rows = [(gap.first, gap.last, gap.before, gap.after, gap.vouched, gap.kind) for gap in gaps]
        self._connection.executemany("INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?)", rows)

    def at(self, first: int) -> Gap | None:
        """The gap that begins with this record."""
        return next(iter(self._rows("WHERE first = ?", first)), None)

    def of(self, vouched: int) -> list[Gap]:
        """The gaps that one record vouches for, in order."""
        return self._rows("WHERE vouched = ? ORDER BY first", vouched)

    def between(self, first: int, last: int) -> list[Gap]:
        """The gaps that touch a range, in order. Gaps never overlap, so only one can reach into it from before."""
        return self._rows(
            "WHERE first <= ? AND first >= COALESCE((SELECT MAX(first) FROM gap WHERE first <= ?), 0) AND last >= ?"
            " ORDER BY first",
            last, first, first,
        )  # fmt: skip

    def total(self) -> tuple[int, int]:
        """How many gaps there are, and how many records are gone."""
        if not self._exists:
            return 0, 0
        gaps, gone = self._connection.execute("SELECT COUNT(*), TOTAL(last - first + 1) FROM gap").fetchone()
        return gaps, int(gone)

    def _rows(self, where: str, *given: int) -> list[Gap]:
        if not self._exists:
            return []
        query = f"SELECT first, last, before, after, vouched, kind FROM gap {where}"
        with in_words(self._path):
            found = self._connection.execute(query, given).fetchall()
        return [
            Gap(
                first=_number(first), last=_number(last), before=_bytes(before), after=_bytes(after),
                vouched=_number(vouched),
                kind=str(kind),
            )
            for first, last, before, after, vouched, kind in found
        ]  # fmt: skip


def seal_of(gaps: Sequence[Gap]) -> str:
    """SHA-256 over gaps, in hexadecimal."""
    digest = hashlib.sha256()
    for gap in gaps:
        digest.update(b"%d %d %s %s\n" % (gap.first, gap.last, gap.before.hex().encode(), gap.after.hex().encode()))
    return digest.hexdigest()


def vouch_entry(
    kind: RecordKind, at: int, gaps: Sequence[Gap], *, size: int, reason: str = "", file: str = ""
) -> Entry:
    """The record that vouches for gaps; there must be at least one."""
    vouch = Vouch(
        first=gaps[0].first, last=gaps[-1].last, gaps=len(gaps), records=sum(gap.count for gap in gaps), bytes=size,
        sha256=seal_of(gaps), reason=reason, file=file,
    )  # fmt: skip
    return entry_of(kind, at, vouch)


def _number(found: object) -> int:
    return found if isinstance(found, int) else 0


def _bytes(found: object) -> bytes:
    """A digest as it was stored; something that fits nothing where the file was damaged."""
    return bytes(found) if isinstance(found, bytes) else b""
