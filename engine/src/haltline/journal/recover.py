"""Where to continue: the newest good snapshot, and everything written after it."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from haltline.journal.chain import VerifyReport
from haltline.journal.error import JournalBroken, QuotesRemoved
from haltline.journal.gap import Gaps
from haltline.journal.record import Entry, Record, RecordKind
from haltline.model.id import ActionId


class Store(Protocol):
    """What the engine needs of a journal; `Journal` and `MemoryJournal` are two."""

    @property
    def last_seq(self) -> int:
        """The sequence number of the last record, 0 for none."""

    @property
    def head(self) -> str:
        """The digest of the last record, in hexadecimal."""

    @property
    def written(self) -> tuple[int, str]:
        """The last record that is really in the file, and its digest in hexadecimal; may be read from any thread."""

    def transaction(self, *, durable: bool = False) -> AbstractContextManager[None]:
        """Everything inside is written or nothing."""

    def append(self, entries: Sequence[Entry]) -> int:
        """Write entries."""

    def append_durable(self, entries: Sequence[Entry]) -> int:
        """Write entries, on disk before this returns."""

    def iterate(self, from_seq: int = 1, *, kinds: Sequence[RecordKind] = ()) -> Iterator[Record]:
        """Records in order."""

    def tail(self, count: int) -> list[Record]:
        """The last records, oldest first."""

    def seq_at(self, at: int) -> int:
        """The last record at or before an instant, 0 for none; a clock that was set back blurs it."""

    def verify(self, from_seq: int = 1) -> VerifyReport:
        """Walk the chain."""

    def write_snapshot(self, seq: int, at: int, state: bytes) -> None:
        """Keep the state as it is after record `seq`."""

    def last_snapshot(self) -> tuple[int, bytes] | None:
        """The newest good snapshot."""

    @property
    def gaps(self) -> Gaps:
        """Which records are gone."""

    def newest(self, kind: RecordKind) -> Record | None:
        """The last record of a kind other than `event`, or None."""

    def unfinished_records(self, names: Collection[str]) -> list[Record]:
        """All records of actions of these names that have no receipt, in order; shadow ones are left out."""

    def receipt_records(self, actions: Collection[ActionId]) -> list[Record]:
        """The receipts of these actions, in order."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A state to restore (None: start empty) and the records after it, oldest first."""

    seq: int
    state: bytes | None
    later: tuple[Record, ...]

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was ever written."""
        return self.state is None and not self.later


def recover(store: Store) -> Recovery:
    """Verify what will be replayed, then return it.

    Raises JournalBroken where the chain does not fit, QuotesRemoved where the newest good state lies before quotes that
    are gone. A record that was found damaged and taken out is passed over: that was told when it happened.
    """
    found = store.last_snapshot()
    seq, state = found if found is not None else (0, None)
    refuse_removed(store.gaps, seq + 1, store.last_seq)
    report = store.verify(seq + 1)
    if not report.ok:
        raise JournalBroken(
            f"the journal cannot be trusted from record {report.broken_seq} on: {report.reason}",
            "keep the file for inspection, and start on a new one or on a backup",
        )
    return Recovery(seq=seq, state=state, later=tuple(store.iterate(seq + 1)))


def refuse_removed(gaps: Gaps, first: int, last: int) -> None:
    """Raise QuotesRemoved where compaction removed quotes within a range that is to be replayed."""
    for gap in gaps.between(first, last):
        if gap.kind == RecordKind.COMPACTION:
            raise QuotesRemoved(
                f"the quotes from record {gap.first} to {gap.last} were removed by compaction, so what followed from"
                " them cannot be decided again",
                "begin from a state saved later, or use a backup from before they were removed",
            )
