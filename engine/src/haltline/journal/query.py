"""Reading a journal: as lines of JSON, and as sentences about its chain."""

from collections.abc import Iterable, Iterator

import msgspec

from haltline.clock import to_iso
from haltline.journal.chain import VerifyReport
from haltline.journal.record import Record


def as_json(record: Record) -> bytes:
    """One line of JSON without its newline: seq, at (ISO-8601), kind, body, digest (hexadecimal)."""
    return msgspec.json.encode(
        {
            "seq": record.seq,
            "at": to_iso(record.at),
            "kind": record.kind,
            "body": msgspec.Raw(record.body),
            "digest": record.digest.hex(),
        }
    )


def export_lines(records: Iterable[Record]) -> Iterator[bytes]:
    """JSON lines of records."""
    for record in records:
        yield as_json(record) + b"\n"


def sentence(report: VerifyReport) -> str:
    """The result of a verification in one sentence."""
    if report.ok:
        gone = f"; {report.removed} old quotes were removed, and records vouch for it" if report.removed else ""
        lost = f"; {report.lost} damaged records were taken out" if report.lost else ""
        return f"all {report.records} records fit{gone}{lost}; the head is {report.head}"
    return f"the first {report.records} records fit; {report.reason}"
