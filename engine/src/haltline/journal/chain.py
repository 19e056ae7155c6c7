"""The hash chain: each record's digest covers its own content and the digest before it."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from haltline.journal.record import Entry, Record

ORIGIN = hashlib.sha256(b"haltline journal 1").digest()


def digest_of(previous: bytes, seq: int, kind: str, at: int, body: bytes) -> bytes:
    """SHA-256 over the previous digest, the sequence number, the instant, the kind and the body, unambiguously."""
    head = b"%d %d %s %d\n" % (seq, at, kind.encode(), len(body))
    return hashlib.sha256(previous + head + body).digest()


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
    records were cut off.
    """

    records: int
    head: str
    broken_seq: int | None = None
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether every record fits."""
        return self.broken_seq is None


def verify(records: Iterable[Record], *, after: int = 0, digest: bytes = ORIGIN) -> VerifyReport:
    """Walk records in order; stops at the first one that is missing or not what was written."""
    count = 0
    for record in records:
        expected = after + 1
        reason = ""
        if record.seq != expected:
            reason = f"record {expected} is missing: {record.seq} follows {after}"
        elif digest_of(digest, record.seq, record.kind, record.at, record.body) != record.digest:
            reason = f"record {record.seq} ({record.kind}) was changed after it was written"
        if reason:
            return VerifyReport(records=count, head=digest.hex(), broken_seq=expected, reason=reason)
        after, digest = record.seq, record.digest
        count += 1
    return VerifyReport(records=count, head=digest.hex())
