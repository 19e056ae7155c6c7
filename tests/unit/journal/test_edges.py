"""The last few ways in which a journal can be odd."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from haltline.errors import InvariantBroken
from haltline.journal import proof as proofs
from haltline.journal.compact import free_pages
from haltline.journal.error import JournalBroken, NotAJournal
from haltline.journal.lease import Lease
from haltline.journal.memory import MemoryJournal
from haltline.journal.proof import Proof
from haltline.journal.record import notice_entry
from haltline.journal.store import Journal

OLD = Path(__file__).with_name("fixtures") / "journal-v1.bin"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append([notice_entry(number, "test", "x" * 200) for number in range(200)])
    return tmp_path / "j.db"


def test_a_file_of_an_older_version_has_no_gaps_and_cannot_shrink(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copyfile(OLD, path)
    with Journal.read(path) as journal:
        assert journal.gaps.at(1) is None
    with Journal.open(path) as journal:
        assert not free_pages(journal, spare=0)


def test_a_lease_that_is_something_else_is_said(tmp_path: Path) -> None:
    (tmp_path / "j.db.lease").write_bytes(b"somebody's notes " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Lease(tmp_path / "j.db")
    with pytest.raises(NotAJournal):
        Journal.open(tmp_path / "j.db")


def test_a_long_proof_is_remembered_on_the_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "_REMEMBER_EVERY", 20)
    with Journal.open(path) as journal:
        assert Proof(journal).step(10)
        assert Proof(journal).seq == 0
        assert Proof(journal).step(30)
        assert Proof(journal).seq == 30


def test_a_file_that_lacks_a_table_is_at_fault(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.connection.execute("DROP TABLE snapshot")
        assert "no such table: snapshot" in journal.fault()


def test_an_index_that_does_not_fit_is_at_fault(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.connection.execute("PRAGMA writable_schema = ON")
        broken = "CREATE INDEX record_kind ON record (kind, seq) WHERE kind != ''notice''"
        journal.connection.execute(f"UPDATE sqlite_master SET sql = '{broken}' WHERE name = 'record_kind'")
    with Journal.read(path) as journal:
        assert journal.fault().startswith("the file is damaged: ")


def test_a_state_of_the_future_is_refused(path: Path) -> None:
    with Journal.open(path) as journal, pytest.raises(InvariantBroken, match="record 999"):
        journal.write_snapshot(999, 1, b"state")


def test_nothing_can_be_written_durably(path: Path) -> None:
    with Journal.open(path) as journal:
        assert journal.append_durable([]) == journal.append([]) == 200


def test_records_that_lead_in_circles_are_damage(path: Path) -> None:
    with Journal.open(path) as journal:
        records = list(journal.raw(1, 2))
        with pytest.raises(JournalBroken, match="damaged at record 2"):
            list(journal._ascending(iter([*records, records[0]])))


def test_a_kind_that_nobody_knows_is_said(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.connection.execute("UPDATE record SET kind = 'evil' WHERE seq = 3")
        with pytest.raises(JournalBroken, match="record 3 is of an unknown kind 'evil'"):
            list(journal.iterate())


def test_memory_forgets_a_transaction_that_failed() -> None:
    journal = MemoryJournal()
    with journal.transaction(durable=True):
        assert journal.append_durable([notice_entry(1, "test", "x")]) == 1
    with pytest.raises(KeyError), journal.transaction():
        journal.append([notice_entry(2, "test", "y")])
        raise KeyError
    assert journal.last_seq == 1
    assert journal.head == journal.records[0].digest.hex()
    assert journal.tail(1) == journal.records
    assert list(journal.iterate(1)) == journal.records
    journal.close()
