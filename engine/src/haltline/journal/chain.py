"""The hash chain: each record's digest covers its own content and the digest before it."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from haltline.journal.gap import Gap, Gaps, NoGaps, Vouch, seal_of
from haltline.journal.record import Entry, Record, RecordKind

ORIGIN = hashlib.sha256(b"haltline journal 1").digest()
VOUCHING = frozenset({RecordKind.COMPACTION, RecordKind.DAMAGE})
_VOUCHES = msgspec.json.Decoder(Vouch)


def digest_of(previous: bytes, seq: int, kind: str, at: int, body: bytes) -> bytes:
    """SHA-256 over the previous digest, the sequence number, the instant, the kind and the body, unambiguously."""
    head = b"%d %d %s %d\n" % (seq, at, kind.encode(), len(body))
    return hashlib.sha256(previous + head + body).digest()


def fits(record: Record, previous: bytes) -> bool:
    """Whether a record is what was written behind that digest."""
    return digest_of(previous, record.seq, record.kind, record.at, record.body) == record.digest


def link(entries: Sequence[Entry], *, after: int, digest: bytes) -> list[Record]:
    """Number and chain entries behind the record `after` with its `digest`."""
    records = []
    for seq, (kind, at, body) in enumerate(entries, after + 1):
        digest = digest_of(digest, seq, kind, at, body)
        records.append(Record(seq, kind, at, body, digest))
    return records


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk along the chain found; `broken_seq` is the first record that does not fit.

    `head` is the last good digest in hexadecimal. Note it down elsewhere: a chain cannot tell by itself that its last
    records were cut off. `removed` counts quotes that compaction removed, `lost` records that were found damaged and
    taken out; a record of the chain vouches for each.
    """

    records: int
    head: str
    broken_seq: int | None = None
    reason: str = ""
    removed: int = 0
    lost: int = 0

    @property
    def ok(self) -> bool:
        """Whether every record fits."""
        return self.broken_seq is None


class Walk:
    """A walk along the chain that can rest between two records. `after` and `digest` are the last good record's."""

    def __init__(self, *, after: int = 0, digest: bytes = ORIGIN, gaps: Gaps | None = None) -> None:
        self.after = after
        self.digest = digest
        self.records = 0
        self.broken = ""
        self._broken_seq = 0
        self._gaps = gaps if gaps is not None else NoGaps()
        self._gone: dict[str, int] = {}
        self._owed: dict[int, int] = {}

    def take(self, record: Record) -> bool:
        """The next record; False, and `broken` says why, where it does not fit. Then the walk is over."""
        self._jump(record.seq)
        expected = self.after + 1
        if record.seq != expected:
            return self._break(expected, f"record {expected} is missing: {record.seq} follows {self.after}")
        if not fits(record, self.digest):
            return self._break(expected, f"record {record.seq} ({record.kind}) was changed after it was written")
        if record.kind in VOUCHING and not self._vouches(record):
            return self._break(expected, f"record {record.seq} ({record.kind}) does not say what is missing")
        self.after, self.digest = record.seq, record.digest
        self.records += 1
        return True

    @property
    def is_settled(self) -> bool:
        """Whether every gap so far was vouched for."""
        return not self._owed

    def behind(self, gap: Gap) -> "Walk":
        """A walk that goes on behind records that are to be taken out."""
        return Walk(after=gap.last, digest=gap.after, gaps=self._gaps)

    def report(self) -> VerifyReport:
        """What was found; called at the end, a gap that nothing vouches for is damage."""
        if not self.broken and self._owed:
            first = min(self._owed.values())
            self._break(first, f"the records from {first} on are missing, and no record vouches for it")
        return VerifyReport(
            records=self.records, head=self.digest.hex(), broken_seq=self._broken_seq if self.broken else None,
            reason=self.broken, removed=self._gone.get(RecordKind.COMPACTION, 0),
            lost=self._gone.get(RecordKind.DAMAGE, 0),
        )  # fmt: skip

    def _jump(self, seq: int) -> None:
        """Over the gaps in front of a record."""
        while seq > self.after + 1:
            gap = self._gaps.at(self.after + 1)
            if gap is None or gap.before != self.digest or gap.last < gap.first or gap.vouched <= gap.last:
                return
            self._note(gap)

    def _note(self, gap: Gap) -> None:
        self._owed.setdefault(gap.vouched, gap.first)
        self._gone[gap.kind] = self._gone.get(gap.kind, 0) + gap.count
        self.after, self.digest = gap.last, gap.after

    def _vouches(self, record: Record) -> bool:
        try:
            vouch = _VOUCHES.decode(record.body)
        except msgspec.MsgspecError:
            return False
        gaps = self._gaps.of(record.seq)
        self._owed.pop(record.seq, None)
        return seal_of(gaps) == vouch.sha256

    def _break(self, seq: int, reason: str) -> bool:
        self._broken_seq, self.broken = seq, reason
        return False


def verify(
    records: Iterable[Record], *, after: int = 0, digest: bytes = ORIGIN, gaps: Gaps | None = None
) -> VerifyReport:
    """Walk records in order; stops at the first one that is missing or not what was written."""
    walk = Walk(after=after, digest=digest, gaps=gaps)
    for record in records:
        if not walk.take(record):
            break
    return walk.report()
