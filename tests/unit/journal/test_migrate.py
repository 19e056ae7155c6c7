"""An older journal comes up to date behind a proven backup, or stays what it was."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from haltline.journal import backup as backups
from haltline.journal.backup import back_up, prove, restore
from haltline.journal.error import BackupFailed, JournalError, JournalLocked, NotAJournal
from haltline.journal.migrate import plan_migration
from haltline.journal.record import RecordKind, notice_entry
from haltline.journal.store import Journal

OLD = Path(__file__).with_name("fixtures") / "journal-v1.bin"
"""Written by the engine as it was at commit 32ca1f5: a breach, a flatten, a lock."""
HEAD = "e49393244688a4552f0d632a040907294cf179a1086b8a5ee0acfeccac40771a"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    shutil.copyfile(OLD, path)
    return path


def version_of(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])
    finally:
        connection.close()


def test_an_old_journal_is_brought_up_to_date_and_keeps_its_chain(old: Path) -> None:
    with Journal.open(old) as journal:
        assert journal.verify().records == 51
        assert journal.digest_at(50).hex() == HEAD
        said = journal.newest(RecordKind.NOTICE)
        assert said is not None
        assert b"brought from format 1 to 2" in said.body
        assert journal.backup is not None
        assert prove(journal.backup).head == HEAD
        assert version_of(journal.backup) == "1"
    assert version_of(old) == "2"


def test_what_an_old_journal_left_unfinished_is_found(old: Path) -> None:
    with Journal.open(old) as journal:
        full = [record.seq for record in journal.iterate(kinds=[RecordKind.PLAN])]
        assert [record.seq for record in journal.unfinished_records(["notify", "lock"])] == [full[0], full[2]]
        assert journal.unfinished_records(["flatten"]) == []


def test_an_old_journal_is_read_as_it_is(old: Path) -> None:
    with Journal.read(old) as journal:
        assert journal.verify().ok
        assert journal.gaps.total() == (0, 0)
    assert version_of(old) == "1"


def test_a_plan_changes_nothing(old: Path) -> None:
    before = old.read_bytes()
    plan = plan_migration(old, 0)
    assert (plan.version, plan.newest, len(plan.steps)) == (1, 2, 1)
    assert plan.backup.name == "old.db.v1-19700101T000000Z.backup"
    assert old.read_bytes() == before


def test_a_new_journal_needs_no_migration(tmp_path: Path) -> None:
    Journal.open(tmp_path / "j.db").close()
    assert plan_migration(tmp_path / "j.db", 0).steps == ()


def test_no_room_for_the_backup_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(old.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=10))
    with pytest.raises(BackupFailed, match=r"10 bytes are free.*\[E710\]"):
        Journal.open(old)
    assert version_of(old) == "1"
    assert [path.name for path in old.parent.iterdir() if "backup" in path.name] == []


def test_a_disk_that_fills_up_during_the_backup_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, part: Path, progress: object) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_copy", full)
    with pytest.raises(BackupFailed, match="the disk is full"):
        Journal.open(old)
    assert version_of(old) == "1"
    assert [path.name for path in old.parent.iterdir() if "backup" in path.name] == []


def test_a_damaged_old_journal_is_not_migrated(old: Path) -> None:
    connection = sqlite3.connect(old)
    connection.execute("UPDATE record SET body = '{}' WHERE seq = 7")
    connection.commit()
    connection.close()
    with pytest.raises(BackupFailed, match="record 7"):
        Journal.open(old)
    assert version_of(old) == "1"


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from haltline.journal import schema, store
left = int(sys.argv[2])
def count(statement):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
original = schema.require_journal
def watched(connection, path):
    connection.set_trace_callback(count)
    return original(connection, path)
store.require_journal = watched
store.Journal.open(Path(sys.argv[1])).close()
"""


@pytest.mark.long
def test_killed_at_any_statement_it_is_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    seen = set()
    for number in range(1, 60, 4):
        for file in tmp_path.iterdir():
            file.unlink()
        (tmp_path / "old.db.v1-x.backup.part").write_bytes(b"of a start before this one")
        shutil.copyfile(OLD, path)
        run = [sys.executable, "-c", KILLED, str(path), str(number)]
        code = subprocess.run(run, check=False, env=os.environ).returncode
        assert code in (0, -signal.SIGKILL)
        seen.add((code, version_of(path)))
        with Journal.open(path) as journal:
            assert journal.digest_at(50).hex() == HEAD
            assert journal.verify().ok
            assert not journal.fault()
        assert version_of(path) == "2"
    assert (-signal.SIGKILL, "1") in seen


def test_a_backup_is_whole_while_somebody_writes(tmp_path: Path) -> None:
    path, to = tmp_path / "j.db", tmp_path / "copy.db"
    with Journal.open(path) as journal:
        journal.append([notice_entry(number, "t", "x" * 300) for number in range(5000)])
        stop = threading.Event()
        begun = threading.Event()

        def write() -> None:
            while not stop.is_set():
                journal.append([notice_entry(1, "t", "more")])
                begun.set()

        thread = threading.Thread(target=write)
        thread.start()
        begun.wait()
        steps: list[tuple[int, int]] = []
        try:
            made = back_up(path, to, progress=lambda done, total: steps.append((done, total)))
        finally:
            stop.set()
            thread.join()
        assert steps
        assert 5000 < made.records < journal.last_seq
        assert journal.digest_at(made.last_seq).hex() == made.head
    assert not to.with_name("copy.db-wal").exists()


def test_a_backup_never_overwrites(tmp_path: Path) -> None:
    Journal.open(tmp_path / "j.db").close()
    with pytest.raises(BackupFailed, match="exists already"):
        back_up(tmp_path / "j.db", tmp_path / "j.db")


def test_a_restored_journal_is_the_one_that_was_backed_up(tmp_path: Path) -> None:
    path, copy = tmp_path / "j.db", tmp_path / "copy.db"
    with Journal.open(path) as journal:
        journal.append([notice_entry(1, "t", "before")])
        made = back_up(path, copy)
        journal.append([notice_entry(2, "t", "after")])
        with pytest.raises(JournalLocked):
            restore(copy, path, 0)
    (tmp_path / "j.db-wal").write_bytes(b"left over from a crash")
    aside = restore(copy, path, 0)
    assert aside is not None
    assert aside.exists()
    with Journal.open(path) as journal:
        assert journal.head == made.head
        assert journal.append([notice_entry(3, "t", "on")]) == 2


def test_a_restore_where_nothing_stood(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append([notice_entry(1, "t", "x")])
    back_up(tmp_path / "j.db", tmp_path / "copy.db")
    (tmp_path / "j.db").unlink()
    assert restore(tmp_path / "copy.db", tmp_path / "j.db", 0) is None


def test_a_copy_that_is_not_whole_is_not_restored(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    with Journal.open(path) as journal:
        journal.append([notice_entry(1, "t", "x"), notice_entry(2, "t", "y")])
        journal.connection.execute("UPDATE record SET at = 9 WHERE seq = 1")
    with pytest.raises(BackupFailed, match="record 1"):
        restore(path, tmp_path / "j.db", 0)
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(BackupFailed, match="no usable copy"):
        restore(path, tmp_path / "j.db", 0)
    assert not (tmp_path / "j.db").exists()


def test_a_restore_that_the_file_system_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal.open(tmp_path / "copy.db").close()

    def refuse(*names: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(shutil, "copyfile", refuse)
    with pytest.raises(BackupFailed, match="could not be put in place"):
        restore(tmp_path / "copy.db", tmp_path / "j.db", 0)


def test_a_file_of_another_sort_has_no_plan(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something else entirely " * 50)
    with pytest.raises(NotAJournal):
        plan_migration(tmp_path / "x", 0)
    with pytest.raises(JournalError):
        plan_migration(tmp_path / "none", 0)
