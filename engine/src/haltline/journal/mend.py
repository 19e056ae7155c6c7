"""Damaged records at the end of a journal: found, put aside into a file, and taken out under a record that says so.

A record is damaged where its digest does not fit. What follows it is still good where it fits the digest that the
damaged record was stored with, or should have; so as little as possible is taken out. What a lost record vouched for is
vouched for by the new one.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec

from haltline.clock import to_iso
from haltline.journal.backup import stamp, sync_file, sync_folder
from haltline.journal.chain import digest_of, fits
from haltline.journal.error import explained, in_words
from haltline.journal.gap import Gap, vouch_entry
from haltline.journal.record import Record, RecordKind
from haltline.journal.store import Journal


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken out: `records` of them, from `first` to `last`, of these kinds; `file` holds them."""

    first: int
    last: int
    records: int
    kinds: tuple[str, ...]
    file: Path

    def __str__(self) -> str:
        which = f"record {self.first}" if self.first == self.last else f"{self.records} records up to {self.last}"
        is_ = "was" if self.first == self.last else "were"
        what = ", ".join(self.kinds) or "nothing that can be read"
        return f"{which} ({what}) {is_} damaged and taken out of the journal; what was there is in {self.file.name}"


def mend(journal: Journal, now: int, *, from_seq: int = 1) -> Mended | None:
    """Take out what is damaged from a record on; None where everything fits. What is taken out is in a file, fsynced,
    before anything is changed, and everything is changed in one durable transaction.

    Raises JournalBroken where the file itself is damaged, and JournalFull.
    """
    with in_words(journal.path):
        holes = list(_holes(journal, from_seq))
        return _take_out(journal, now, holes) if holes else None


def _take_out(journal: Journal, now: int, holes: list[Gap]) -> Mended:
    removed = [record for hole in holes for record in journal.raw(hole.first, hole.last)]
    file = journal.path.with_name(f"{journal.path.name}.damaged-{stamp(now)}.jsonl")
    _put_aside(removed, file)
    with journal.transaction(durable=True):
        seq = max(journal.last_seq, holes[-1].last) + 1
        orphans = [gap for record in removed for gap in journal.gaps.of(record.seq) if not _is_in(gap, holes)]
        gaps = [msgspec.structs.replace(hole, vouched=seq) for hole in holes]
        for gap in gaps:
            journal.connection.execute("DELETE FROM record WHERE seq BETWEEN ? AND ?", (gap.first, gap.last))
            journal.connection.execute("DELETE FROM gap WHERE first BETWEEN ? AND ?", (gap.first, gap.last))
            journal.connection.execute("DELETE FROM unfinished WHERE seq BETWEEN ? AND ?", (gap.first, gap.last))
            journal.connection.execute("DELETE FROM receipt WHERE seq BETWEEN ? AND ?", (gap.first, gap.last))
        if gaps[-1].last >= journal.last_seq:
            journal.anchor(gaps[-1].last, gaps[-1].after)
        journal.gaps.put(gaps)
        vouched = [(seq, orphan.first) for orphan in orphans]
        journal.connection.executemany("UPDATE gap SET vouched = ? WHERE first = ?", vouched)
        size = sum(len(record.body) for record in removed)
        entry = vouch_entry(RecordKind.DAMAGE, now, journal.gaps.of(seq), size=size, reason="damaged", file=file.name)
        journal.insert([entry])
    kinds = tuple(sorted({str(record.kind) for record in removed if str(record.kind) in set(RecordKind)}))
    return Mended(first=gaps[0].first, last=gaps[-1].last, records=len(removed), kinds=kinds, file=file)


def _holes(journal: Journal, from_seq: int) -> Iterator[Gap]:
    """The least that must go for the rest to fit, `vouched` still 0."""
    walk = journal.walk(from_seq)
    is_over = False
    while not is_over:
        is_over = True
        for record in journal.raw(walk.after + 1):
            if not walk.take(record):
                hole = _hole(journal, record, walk.after + 1, walk.digest)
                yield hole
                walk = walk.behind(hole)
                is_over = False
                break


def _hole(journal: Journal, broken: Record, first: int, before: bytes) -> Gap:
    """From the first record that does not fit to the last one before the next that does."""
    ahead = journal.raw(broken.seq)
    if broken.seq == first:
        own = digest_of(before, broken.seq, broken.kind, broken.at, broken.body)
        following = next(journal.raw(first + 1, first + 1), None)
        if following is not None and fits(following, own):
            return Gap(first=first, last=first, before=before, after=own, vouched=0, kind=RecordKind.DAMAGE)
    last = broken
    for one, following in pairwise(ahead):
        last = following
        if following.seq == one.seq + 1 and fits(following, one.digest):
            last = one
            break
    return Gap(first=first, last=last.seq, before=before, after=last.digest, vouched=0, kind=RecordKind.DAMAGE)


def _is_in(gap: Gap, holes: Iterable[Gap]) -> bool:
    return any(hole.first <= gap.first <= hole.last for hole in holes)


def _put_aside(records: list[Record], file: Path) -> None:
    try:
        with file.open("wb") as out:
            for record in records:
                told = {
                    "seq": record.seq, "at": to_iso(record.at), "kind": str(record.kind),
                    "body": record.body.decode(errors="backslashreplace"), "digest": record.digest.hex(),
                }  # fmt: skip
                out.write(msgspec.json.encode(told) + b"\n")
        sync_file(file)
        sync_folder(file.parent)
    except OSError as error:
        raise explained(error, file) from error
