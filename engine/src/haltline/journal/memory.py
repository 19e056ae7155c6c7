"""A journal without a file: for tests, the demo and replays that nobody keeps."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from haltline.journal.actiontable import KINDS, receipts_among, unfinished_among
from haltline.journal.chain import ORIGIN, VerifyReport, link, verify
from haltline.journal.gap import NoGaps
from haltline.journal.record import Entry, Record, RecordKind, entry_of
from haltline.model.id import ActionId


class MemoryJournal:
    """Same promises as `Journal` while the process lives."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.last_seq = 0
        self.gaps = NoGaps()
        self._snapshot: tuple[int, bytes] | None = None
        self._snapshot_at = 0

    @property
    def head(self) -> str:
        """The digest of the last record, in hexadecimal."""
        return (self.records[-1].digest if self.records else ORIGIN).hex()

    @property
    def written(self) -> tuple[int, str]:
        """The last record and its digest."""
        return self.last_seq, self.head

    def close(self) -> None:
        """Nothing to close."""

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Everything inside is written or nothing."""
        del durable
        kept = self.last_seq
        try:
            yield
        except BaseException:
            del self.records[kept:]
            self.last_seq = kept
            raise

    def append(self, entries: Sequence[Entry]) -> int:
        """Keep entries; returns the last sequence number."""
        digest = self.records[-1].digest if self.records else ORIGIN
        self.records.extend(link(entries, after=self.last_seq, digest=digest))
        self.last_seq = len(self.records)
        return self.last_seq

    def append_durable(self, entries: Sequence[Entry]) -> int:
        """As `append`: memory has no disk to wait for."""
        return self.append(entries)

    def iterate(self, from_seq: int = 1, *, kinds: Sequence[RecordKind] = ()) -> Iterator[Record]:
        """Records in order."""
        for record in self.records[max(0, from_seq - 1) :]:
            if not kinds or record.kind in kinds:
                yield record

    def tail(self, count: int) -> list[Record]:
        """The last records, oldest first."""
        return self.records[-count:] if count > 0 else []

    def newest(self, kind: RecordKind) -> Record | None:
        """The last record of a kind, or None."""
        return next((record for record in reversed(self.records) if record.kind == kind), None)

    def seq_at(self, at: int) -> int:
        """The last record at or before an instant, 0 for none; by halving, so a clock that was set back blurs it."""
        return bisect_right(self.records, at, key=lambda record: record.at)

    def unfinished_records(self, names: Collection[str]) -> list[Record]:
        """All records of actions of these names that have no receipt, in order; shadow ones are left out."""
        return unfinished_among(self.iterate(kinds=KINDS), names)

    def receipt_records(self, actions: Collection[ActionId]) -> list[Record]:
        """The receipts of these actions, in order."""
        return receipts_among(self.iterate(kinds=KINDS), actions)

    def verify(self, from_seq: int = 1) -> VerifyReport:
        """Walk the chain."""
        digest = self.records[from_seq - 2].digest if from_seq > 1 else ORIGIN
        return verify(self.iterate(from_seq), after=max(0, from_seq - 1), digest=digest)

    def write_snapshot(self, seq: int, at: int, state: bytes) -> None:
        """Keep the state as it is after record `seq`."""
        self._snapshot, self._snapshot_at = (seq, state), at
        self.append([entry_of(RecordKind.SNAPSHOT, at, {"seq": seq, "bytes": len(state)})])

    def last_snapshot(self) -> tuple[int, bytes] | None:
        """The last one written, or None."""
        return self._snapshot

    def snapshot_before(self, at: int) -> tuple[int, bytes] | None:
        """The last one written if it was at or before an instant, or None."""
        return self._snapshot if self._snapshot_at <= at else None
