"""Old quotes go, in small steps; everything else stays for ever, and a chained record vouches for what is gone.

Each step proves the records that it is about to remove, so that damage is never covered up. A step is one transaction:
killed at any instant, its quotes are all there or all gone and vouched for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from haltline.journal.chain import digest_of
from haltline.journal.error import JournalBroken
from haltline.journal.gap import Gap, vouch_entry
from haltline.journal.record import Record, RecordKind
from haltline.journal.schema import meta_of, set_meta
from haltline.journal.store import Journal

STEP = 200
"""Records looked at in one step: about two milliseconds, which a durable write may have to wait for."""
_QUOTE = b'{"type":"Quote"'
_CURSOR = "compacted"
_SPARE_PAGES = 2000
_FREED_PAGES = 64


class Span(NamedTuple):
    """Records from `first` to `last`."""

    first: int
    last: int


@dataclass(slots=True)
class Removed:
    """What compaction removed, or would: records, and the bytes of their bodies."""

    records: int = 0
    bytes: int = 0
    looked_at: int = 0

    def add(self, other: "Removed") -> None:
        """Count another step."""
        self.records += other.records
        self.bytes += other.bytes
        self.looked_at += other.looked_at


@dataclass(slots=True)
class _Batch:
    gaps: list[Gap] = field(default_factory=list)
    removed: Removed = field(default_factory=Removed)
    last: int = 0


class Compaction:
    """One pass over what has become old enough since the last one. `kept` are ranges that incidents still need."""

    def __init__(self, journal: Journal, *, cutoff: int, kept: Sequence[Span], dry: bool = False) -> None:
        self._journal = journal
        self._cutoff = cutoff
        self._dry = dry
        cursor = cursor_of(journal)
        self._end = max(cursor, _newest_allowed(journal, cutoff))
        self._kept = union(kept)
        before = [Span(*row) for row in journal.connection.execute("SELECT first, last FROM kept ORDER BY first")]
        wanted = union([*before, Span(cursor + 1, self._end)])
        self._todo = subtract(wanted, self._kept)
        self.total = sum(span.last - span.first + 1 for span in self._todo)

    def step(self, now: int, *, limit: int = STEP) -> Removed | None:
        """Look at some records and remove the old quotes among them; None once there is nothing left to look at.

        Raises JournalBroken at a record that is not what was written; nothing of the step is removed then.
        """
        if not self._todo:
            if not self._dry and self._kept_changed():
                self._remember()
            return None
        span = self._todo[0]
        batch = self._read(span, limit)
        if batch.gaps and not self._dry:
            self._remove(batch, now)
        if batch.last >= span.last:
            self._todo.pop(0)
        else:
            self._todo[0] = Span(batch.last + 1, span.last)
        return batch.removed

    def _read(self, span: Span, limit: int) -> _Batch:
        journal, batch = self._journal, _Batch(last=span.last)
        previous = journal.digest_at(span.first - 1)
        behind = span.first - 1
        run: list[Record] = []
        start = previous
        for record in journal.raw(span.first, span.last):
            if record.seq != behind + 1:
                previous = self._over(behind, record.seq)
                _close(batch, run, start)
                run = []
            expected = digest_of(previous, record.seq, record.kind, record.at, record.body)
            if expected != record.digest:
                raise JournalBroken(
                    f"record {record.seq} is not what was written, so nothing behind it is removed",
                    "see what 'haltline journal verify' says",
                )
            if self._is_old_quote(record):
                start = start if run else previous
                run.append(record)
            else:
                _close(batch, run, start)
                run = []
            behind, previous = record.seq, record.digest
            batch.removed.looked_at += 1
            if batch.removed.looked_at >= limit:
                batch.last = record.seq
                break
        _close(batch, run, start)
        return batch

    def _over(self, behind: int, seq: int) -> bytes:
        """The digest in front of a record that stands behind gaps."""
        digest = self._journal.digest_at(seq - 1)
        if not digest:
            raise JournalBroken(f"the records from {behind + 1} to {seq - 1} are missing", "restore a backup")
        return digest

    def _is_old_quote(self, record: Record) -> bool:
        return record.kind == RecordKind.EVENT and record.at <= self._cutoff and record.body.startswith(_QUOTE)

    def _remove(self, batch: _Batch, now: int) -> None:
        journal = self._journal
        with journal.transaction():
            vouched = journal.insert(
                [vouch_entry(RecordKind.COMPACTION, now, batch.gaps, size=batch.removed.bytes)]
            )[0].seq  # fmt: skip
            journal.gaps.put(
                Gap(first=gap.first, last=gap.last, before=gap.before, after=gap.after, vouched=vouched)
                for gap in batch.gaps
            )
            ranges = [(gap.first, gap.last) for gap in batch.gaps]
            journal.connection.executemany("DELETE FROM record WHERE seq BETWEEN ? AND ?", ranges)

    def _kept_changed(self) -> bool:
        held = [Span(*row) for row in self._journal.connection.execute("SELECT first, last FROM kept ORDER BY first")]
        return held != self._holding() or cursor_of(self._journal) != self._end

    def _holding(self) -> list[Span]:
        return [Span(first, min(last, self._end)) for first, last in self._kept if first <= self._end]

    def _remember(self) -> None:
        """How far this pass came and what it left, so that the next one looks only at what is new."""
        journal = self._journal
        with journal.transaction():
            journal.connection.execute("DELETE FROM kept")
            journal.connection.executemany("INSERT INTO kept VALUES (?, ?)", self._holding())
            set_meta(journal.connection, _CURSOR, str(self._end))


def cursor_of(journal: Journal) -> int:
    """The last record that a whole pass has looked at; 0 where that is not known."""
    said = meta_of(journal.connection).get(_CURSOR, "")
    return min(int(said), journal.last_seq) if said.isascii() and said.isdigit() else 0


def free_pages(journal: Journal, *, pages: int = _FREED_PAGES, spare: int = _SPARE_PAGES) -> bool:
    """Give some of the file's free space back; True while there is more. `spare` pages stay for what comes next.

    A file that version 0.1 made cannot: its free space is used again, and `haltline journal compact` gives it back.
    """
    run = journal.connection.execute
    if run("PRAGMA auto_vacuum").fetchone()[0] != 2:
        return False
    free = run("PRAGMA freelist_count").fetchone()[0]
    if free <= spare:
        return False
    run(f"PRAGMA incremental_vacuum({min(pages, free - spare)})").fetchall()
    return bool(free - pages > spare)


def union(spans: Sequence[Span]) -> list[Span]:
    """Ranges in order, those that touch made one; empty ones are left out."""
    merged: list[Span] = []
    for span in sorted(span for span in spans if span.first <= span.last):
        if merged and span.first <= merged[-1].last + 1:
            merged[-1] = Span(merged[-1].first, max(merged[-1].last, span.last))
        else:
            merged.append(span)
    return merged


def subtract(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What of some ranges is in none of the others; both in order and merged."""
    return list(_subtract(spans, others))


def _subtract(spans: Sequence[Span], others: Sequence[Span]) -> Iterator[Span]:
    for span in spans:
        first, last = span
        for other in others:
            if other.last < first or other.first > last:
                continue
            if other.first > first:
                yield Span(first, other.first - 1)
            first = other.last + 1
        if first <= last:
            yield Span(first, last)


def _newest_allowed(journal: Journal, cutoff: int) -> int:
    """Nothing behind the oldest state that recovery may take up is ever removed."""
    oldest = journal.snapshots.oldest_for_recovery()
    return min(journal.seq_at(cutoff), oldest) if oldest is not None else 0


def _close(batch: _Batch, run: list[Record], before: bytes) -> None:
    """Note a run of quotes as one gap."""
    if not run:
        return
    batch.gaps.append(
        Gap(first=run[0].seq, last=run[-1].seq, before=before, after=run[-1].digest, vouched=0)
    )  # fmt: skip
    batch.removed.records += len(run)
    batch.removed.bytes += sum(len(record.body) for record in run)
