"""The journal file: order, chain, durability, one writer, plain errors."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.journal.chain import ORIGIN, link, verify
from haltline.journal.error import JournalBroken, JournalLocked, JournalNewer, JournalUnusable, NotAJournal, explained
from haltline.journal.memory import MemoryJournal
from haltline.journal.query import as_json, export_lines, sentence
from haltline.journal.record import Entry, RecordKind, event_entry, event_of, notice_entry, tick_entry
from haltline.journal.recover import recover
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import Symbol


def notices(count: int) -> list[Entry]:
    return [notice_entry(number, "test", f"number {number}") for number in range(count)]


def test_records_are_numbered_from_one_and_read_in_order(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        assert journal.append(notices(3)) == 3
        assert [record.seq for record in journal.iterate()] == [1, 2, 3]
        assert [record.seq for record in journal.tail(2)] == [2, 3]


def test_a_reopened_journal_continues_its_chain(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal.append(notices(2))
    with Journal.open(path) as journal:
        journal.append_durable(notices(2))
        assert journal.verify().ok
        assert journal.last_seq == 4


def test_an_event_is_read_back_exactly(tmp_path: Path) -> None:
    quote = Quote(at=1, received_at=2, symbol=Symbol("MNQ"), bid=0.1 + 0.2, ask=1e-300)
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append([event_entry(quote, 5)])
        assert event_of(journal.tail(1)[0]) == quote


def test_only_some_kinds_can_be_read(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append([*notices(1), tick_entry(1)])
        assert [record.seq for record in journal.iterate(kinds=[RecordKind.NOTICE])] == [1]


@pytest.mark.parametrize("change", ["body = 'x'", "at = 99", "kind = 'config'", "digest = x'00'"])
def test_any_changed_record_is_named(tmp_path: Path, change: str) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal.append(notices(5))
    with sqlite3.connect(path) as forger:
        forger.execute(f"UPDATE record SET {change} WHERE seq = 3")
    forger.close()
    with Journal.read(path) as journal:
        report = journal.verify()
    assert report.broken_seq == 3
    assert "record 3" in sentence(report)


def test_a_removed_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal.append(notices(5))
        journal.connection.execute("DELETE FROM record WHERE seq = 2")
        assert journal.verify().reason == "record 2 is missing: 3 follows 1"


def test_recovery_refuses_a_broken_tail(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append(notices(5))
        journal.connection.execute("UPDATE record SET body = '{}' WHERE seq = 4")
        with pytest.raises(JournalBroken, match="record 4"):
            recover(journal)


def test_recovery_gives_the_snapshot_and_what_came_after(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append(notices(3))
        journal.write_snapshot(3, 7, b"state")
        journal.append(notices(2))
        found = recover(journal)
    assert (found.seq, found.state) == (3, b"state")
    assert [record.kind for record in found.later] == ["snapshot", "notice", "notice"]


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append(notices(3))
        journal.write_snapshot(1, 7, b"one")
        journal.write_snapshot(2, 8, b"two")
        journal.connection.execute("UPDATE snapshot SET state = x'00' WHERE seq = 2")
        assert journal.last_snapshot() == (1, b"one")


def test_only_the_newest_snapshots_are_kept(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append(notices(9))
        for seq in range(1, 9):
            journal.write_snapshot(seq, seq, b"x")
        kept = [row[0] for row in journal.connection.execute("SELECT seq FROM snapshot ORDER BY seq")]
    assert kept == [6, 7, 8]


def test_one_of_every_hour_is_kept_for_two_days(tmp_path: Path) -> None:
    hour = 3_600_000_000_000
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append(notices(220))
        for seq in range(1, 200):
            journal.write_snapshot(seq, seq * hour // 3, b"x")
        kept = [row[0] for row in journal.connection.execute("SELECT seq FROM snapshot ORDER BY seq")]
        assert kept[-4:] == [194, 197, 198, 199]
        assert kept[:2] == [59, 62]
        assert journal.snapshot_before(100 * hour // 3) == (98, b"x")
        assert journal.snapshot_before(0) is None


def test_records_without_events_are_found_by_their_index(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        query = "SELECT seq FROM record WHERE seq >= 1 AND kind IN ('plan') AND kind != 'event' ORDER BY seq"
        plan = str(list(journal.connection.execute(f"EXPLAIN QUERY PLAN {query}")))
        assert "record_kind" in plan


def test_a_new_journal_has_nothing_to_recover(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        assert recover(journal).is_fresh


def test_a_second_writer_is_refused_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path), pytest.raises(JournalLocked, match=r"another haltline is running.*\[E701\]"):
        Journal.open(path)


@pytest.mark.parametrize("name", ["linked.db", "folder/haltline.db"])
def test_nor_through_a_link_to_it(tmp_path: Path, name: str) -> None:
    path, link = tmp_path / "real" / "haltline.db", tmp_path / name
    path.parent.mkdir()
    with Journal.open(path):
        if link.parent == tmp_path:
            link.symlink_to(path)
        else:
            link.parent.symlink_to(path.parent)
        with pytest.raises(JournalLocked):
            Journal.open(link)


def test_the_lease_dies_with_the_process_that_held_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    code = (
        "import os, signal, sys; from pathlib import Path; from haltline.journal.store import Journal\n"
        "journal = Journal.open(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    with Journal.open(path) as journal:
        assert journal.append(notices(1)) == 1


def test_a_reader_sees_what_is_committed_while_the_writer_works(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as writer, Journal.read(path) as reader:
        writer.append(notices(3))
        assert [record.seq for record in reader.iterate()] == [1, 2, 3]


def test_a_failed_transaction_leaves_nothing_and_the_chain_goes_on(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        with pytest.raises(KeyError), journal.transaction():
            journal.append(notices(2))
            raise KeyError
        journal.append(notices(2))
        assert journal.verify().records == 2


def test_a_durable_append_commits_with_full_sync_and_a_plain_one_does_not(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        said: list[str] = []
        journal.connection.set_trace_callback(said.append)
        journal.append(notices(1))
        assert not any("FULL" in line for line in said)
        journal.append_durable(notices(1))
    words = [line for line in said if line.startswith(("PRAGMA", "BEGIN", "COMMIT"))]
    assert words[2:] == ["PRAGMA synchronous = FULL", "BEGIN IMMEDIATE", "COMMIT", "PRAGMA synchronous = NORMAL"]


def test_another_sqlite_file_is_not_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE cats (name TEXT)")
    other.close()
    with pytest.raises(NotAJournal, match="E703"):
        Journal.open(path)


def test_a_text_file_is_not_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("just some notes about trading\n" * 100)
    with pytest.raises(NotAJournal, match="E703"):
        Journal.open(path)


def test_a_journal_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal.connection.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    with pytest.raises(JournalNewer, match="its format is 99"):
        Journal.open(path)


def test_reading_a_missing_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="there is no journal"):
        Journal.read(tmp_path / "none.db")


def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append(notices(1))
        pages = journal.connection.execute("PRAGMA page_count").fetchone()[0]
        journal.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(Exception, match=r"the disk is full.*\[E702\]"):
            journal.append([notice_entry(1, "big", "x" * 100_000)])
        assert journal.verify().records == 1


def test_an_error_of_the_file_system_is_explained(tmp_path: Path) -> None:
    assert "E706" in str(explained(PermissionError(13, "Permission denied"), tmp_path))


def test_an_exported_line_is_json_with_the_body_inside() -> None:
    journal = MemoryJournal()
    journal.append(notices(1))
    line = next(export_lines(journal.iterate()))
    assert line.startswith(b'{"seq":1,"at":"1970-01-01T00:00:00.000Z","kind":"notice","body":{"topic":"test"')
    assert line == as_json(journal.records[0]) + b"\n"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=8), min_size=2, max_size=8), st.data())
def test_no_single_change_of_a_body_goes_unnoticed(bodies: list[bytes], data: st.DataObject) -> None:
    records = link([Entry(RecordKind.NOTICE, 1, body) for body in bodies], after=0, digest=ORIGIN)
    place = data.draw(st.integers(0, len(records) - 1))
    other = data.draw(st.binary(max_size=8).filter(lambda body: body != bodies[place]))
    records[place] = records[place]._replace(body=other)
    assert verify(records).broken_seq == place + 1
