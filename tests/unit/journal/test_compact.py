"""Old quotes go, everything else stays, the chain still proves itself, and no crash leaves a half."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.journal.compact import Compaction, Removed, Span, cursor_of, free_pages, subtract, union
from haltline.journal.error import JournalBroken, JournalFull, QuotesRemoved
from haltline.journal.query import sentence
from haltline.journal.record import Entry, RecordKind, event_entry, notice_entry, tick_entry
from haltline.journal.recover import recover
from haltline.journal.size import size_of_journal
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import Symbol

LATER = 10**9


def quote(at: int) -> Entry:
    return event_entry(Quote(at=at, received_at=at, symbol=Symbol("MNQ"), bid=1.0, ask=2.0), at)


def story(journal: Journal, shape: str = "qqnqqqtqq") -> None:
    """q a quote, n a notice, t a tick; then three saved states, so that everything before them may go."""
    make: dict[str, Callable[[int], Entry]] = {
        "q": quote,
        "t": tick_entry,
        "n": lambda at: notice_entry(at, "test", "x"),
    }
    journal.append([make[letter](at) for at, letter in enumerate(shape, 1)])
    for _ in range(3):
        journal.write_snapshot(journal.last_seq, 100, b"state")


def compact(journal: Journal, *, cutoff: int = LATER, kept: tuple[Span, ...] = (), limit: int = 400) -> Removed:
    work, total = Compaction(journal, cutoff=cutoff, kept=kept), Removed()
    while (removed := work.step(200, limit=limit)) is not None:
        total.add(removed)
    return total


def kinds(journal: Journal) -> str:
    return "".join("q" if record.body.startswith(b'{"type":"Quote"') else record.kind[0] for record in journal.raw())


def test_only_quotes_go_and_the_chain_still_proves_itself(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        assert compact(journal).records == 7
        report = journal.verify()
        assert kinds(journal) == "nesssc"
        assert (report.ok, report.removed, report.records) == (True, 7, 6)
        assert "7 old quotes were removed" in sentence(report)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_steps_of_any_size_remove_the_same(tmp_path: Path, limit: int) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        assert compact(journal, limit=limit).records == 7
        assert journal.verify().ok
        journal.append([quote(1)])
        assert journal.verify().ok


def test_young_quotes_stay(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        compact(journal, cutoff=4)
        assert [record.seq for record in journal.raw(1, 9)] == [3, 5, 6, 7, 8, 9]


def test_what_an_incident_needs_stays_until_it_does_not(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        compact(journal, kept=(Span(2, 5),))
        assert [record.seq for record in journal.raw(1, 9)] == [2, 3, 4, 5, 7]
        compact(journal, kept=(Span(4, 4),))
        assert [record.seq for record in journal.raw(1, 9)] == [3, 4, 7]
        compact(journal)
        assert [record.seq for record in journal.raw(1, 9)] == [3, 7]
        assert journal.verify().ok


def test_a_second_pass_looks_only_at_what_is_new(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        compact(journal)
        cursor = cursor_of(journal)
        assert compact(journal).looked_at == 0
        assert cursor_of(journal) == cursor
        assert sum(record.kind == RecordKind.COMPACTION for record in journal.raw()) == 1


def test_nothing_goes_that_recovery_may_need(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append([quote(1), quote(2)])
        assert compact(journal).records == 0
        for _ in range(2):
            journal.write_snapshot(journal.last_seq, 3, b"state")
        assert compact(journal).records == 0
        journal.write_snapshot(journal.last_seq, 3, b"state")
        journal.append([quote(4)])
        assert compact(journal).records == 2
        assert recover(journal).state == b"state"


def test_records_of_a_clock_that_ran_ahead_stop_nothing(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append([quote(1), quote(10**12), quote(2), quote(3)])
        for _ in range(3):
            journal.write_snapshot(4, 4, b"state")
        compact(journal, cutoff=3)
        assert 2 in [record.seq for record in journal.raw()]
        assert journal.verify().ok


def test_a_dry_run_counts_and_changes_nothing(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        head = journal.head
        work = Compaction(journal, cutoff=LATER, kept=(), dry=True)
        removed = work.step(1)
        assert removed is not None
        assert removed.records == 7
        assert work.step(1) is None
        assert (journal.head, cursor_of(journal)) == (head, 0)


def test_damage_is_not_covered_up_by_compaction(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        journal.connection.execute("UPDATE record SET body = replace(body, '2.0', '3.0') WHERE seq = 5")
        with pytest.raises(JournalBroken, match="record 5 is not what was written"):
            compact(journal)
        assert journal.verify().broken_seq == 5


def test_missing_records_are_not_covered_up_either(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        journal.connection.execute("DELETE FROM record WHERE seq = 5")
        with pytest.raises(JournalBroken, match="the records from 5 to 5 are missing"):
            compact(journal)


def test_a_gap_that_nobody_vouches_for_is_damage(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        compact(journal)
        journal.connection.execute("UPDATE gap SET vouched = 99 WHERE first = 4")
        report = journal.verify()
    assert not report.ok


def test_a_gap_whose_voucher_never_comes_is_damage(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        compact(journal)
        journal.connection.execute("DELETE FROM record WHERE kind = 'compaction'")
        assert "no record vouches for it" in journal.verify().reason


@pytest.mark.parametrize(
    "change",
    ["after = x'00'", "before = x'00'", "last = last + 1", "vouched = 1", "kind = 'damage'", "after = 'x'"],
)
def test_a_changed_gap_is_noticed_or_means_the_same(tmp_path: Path, change: str) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        compact(journal)
        journal.connection.execute(f"UPDATE gap SET {change} WHERE first = 4")
        assert journal.verify().ok == (change == "kind = 'damage'")


def test_a_changed_compaction_record_is_noticed(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        journal.append([Entry(RecordKind.COMPACTION, 1, b"[]")])
        assert "does not say what is missing" in journal.verify().reason


def test_history_before_a_gap_cannot_be_rewritten(tmp_path: Path) -> None:
    """A forger who chains new records up to a gap is found out, because the gap knows the digest in front of it."""
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal, "nnqqn")
        compact(journal)
    with Journal.open(tmp_path / "other.db") as forged:
        forged.append([notice_entry(1, "test", "another story"), notice_entry(2, "test", "x")])
        rows = forged.connection.execute("SELECT body, digest, seq FROM record").fetchall()
    with Journal.open(tmp_path / "j.db") as journal:
        journal.connection.executemany("UPDATE record SET body = ?, digest = ? WHERE seq = ?", rows)
        assert journal.verify().broken_seq == 3


def test_recovery_refuses_to_replay_across_removed_quotes(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        compact(journal)
        journal.connection.execute("UPDATE snapshot SET state = x'00'")
        with pytest.raises(QuotesRemoved, match=r"from record 1 to 2 were removed by compaction.*\[E709\]"):
            recover(journal)


def test_a_walk_can_begin_right_behind_a_gap(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        compact(journal)
        assert journal.verify(3).ok
        assert not journal.verify(2).ok
        assert journal.digest_at(0) == journal.walk().digest


def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal, "q" * 400)
        before, head = kinds(journal), journal.head
        journal.connection.execute("CREATE TRIGGER full BEFORE INSERT ON gap BEGIN SELECT RAISE(ABORT, 'x'); END")
        with pytest.raises(Exception, match="x"):
            compact(journal)
        journal.connection.execute("DROP TRIGGER full")
        pages = journal.connection.execute("PRAGMA page_count").fetchone()[0]
        journal.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalFull):
            journal.append([notice_entry(1, "big", "x" * 100_000)])
        assert (kinds(journal), journal.head) == (before, head)
        assert journal.verify().ok


def test_a_reader_keeps_what_it_began_to_read(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal, Journal.read(path) as reader:
        story(journal)
        records = reader.raw()
        first = next(records)
        compact(journal)
        assert [first.seq, *(record.seq for record in records)] == list(range(1, 13))
        assert reader.verify().removed == 7


def test_free_space_goes_back_in_small_portions(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        story(journal, "q" * 3000)
        compact(journal)
        pages = journal.connection.execute("PRAGMA page_count").fetchone()[0]
        assert not free_pages(journal)  # what is free is little, and will be used again
        assert free_pages(journal, pages=10, spare=5)
        while free_pages(journal, pages=10, spare=0):
            pass
        assert journal.connection.execute("PRAGMA page_count").fetchone()[0] < pages / 3
        assert journal.verify().ok


def test_the_size_tells_quotes_from_other_events(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        story(journal)
        found = size_of_journal(journal, 1)
        assert {share.kind: share.records for share in found.shares} == {
            "quote": 7, "event": 1, "notice": 1, "snapshot": 3,
        }  # fmt: skip
        compact(journal)
        found = size_of_journal(journal, 1)
    assert (found.gaps, found.removed) == (3, 7)


@settings(deadline=None, max_examples=40)
@given(
    st.text("qqqqnt", min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 20)), max_size=3),
    st.integers(1, 20),
    st.integers(0, 70),
)
def test_whatever_is_removed_the_rest_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, shape: str, ranges: list[tuple[int, int]], limit: int, cutoff: int
) -> None:
    with Journal.open(tmp_path_factory.mktemp("c") / "j.db") as journal:
        story(journal, shape)
        before = {record.seq: record for record in journal.raw()}
        kept = [Span(first, first + more) for first, more in ranges]
        compact(journal, cutoff=cutoff, kept=tuple(kept), limit=limit)
        after = {record.seq: record for record in journal.raw(1, len(before))}
        assert all(before[seq] == record for seq, record in after.items())
        for seq in before.keys() - after.keys():
            assert before[seq].body.startswith(b'{"type":"Quote"')
            assert before[seq].at <= cutoff
            assert not any(span.first <= seq <= span.last for span in kept)
        assert journal.verify().ok
        compact(journal)
        assert "q" not in kinds(journal)
        assert journal.verify().ok


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(-2, 8))),
    st.lists(st.tuples(st.integers(0, 30), st.integers(-2, 8))),
)
def test_ranges_are_sets(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    def numbers(spans: list[Span]) -> set[int]:
        return {number for span in spans for number in range(span.first, span.last + 1)}

    a, b = ([Span(first, first + more) for first, more in side] for side in (left, right))
    assert numbers(union(a)) == numbers(a)
    assert numbers(subtract(union(a), union(b))) == numbers(a) - numbers(b)


KILLED = """
import os, signal, sys
from pathlib import Path
from haltline.journal.compact import Compaction
from haltline.journal.store import Journal
journal = Journal.open(Path(sys.argv[1]))
left = int(sys.argv[2])
def count(statement):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
work = Compaction(journal, cutoff=10**9, kept=())
journal.connection.set_trace_callback(count)
while work.step(200, limit=4) is not None:
    pass
"""


@pytest.mark.long
def test_killed_at_any_statement_it_is_whole_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    deaths = 0
    for number in range(3, 40, 5):
        path.unlink(missing_ok=True)
        with Journal.open(path) as journal:
            story(journal)
        run = [sys.executable, "-c", KILLED, str(path), str(number)]
        code = subprocess.run(run, check=False, env=os.environ).returncode
        assert code in (0, -signal.SIGKILL)
        deaths += code != 0
        with Journal.open(path) as journal:
            assert journal.verify().ok
            compact(journal)
            assert kinds(journal).replace("c", "") == "nesss"
            assert journal.verify().removed == 7
    assert deaths > 3


def test_a_foreign_lock_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        story(journal)
        journal.connection.execute("PRAGMA busy_timeout = 20")
        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(Exception, match=r"another program is writing.*\[E701\]"):
            compact(journal)
        foreign.execute("ROLLBACK")
        foreign.close()
        assert compact(journal).records == 7
