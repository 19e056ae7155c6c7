"""Whatever happens to the file, it is found, it is said in words, and as little as possible is lost."""

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.journal import mend as mending
from haltline.journal.compact import Compaction
from haltline.journal.error import JournalBroken, JournalError, JournalFull, JournalUnusable, NotAJournal
from haltline.journal.gap import NoGaps
from haltline.journal.lease import Lease
from haltline.journal.memory import MemoryJournal
from haltline.journal.mend import mend
from haltline.journal.proof import Proof
from haltline.journal.query import sentence
from haltline.journal.record import Record, RecordKind, event_entry, notice_entry
from haltline.journal.recover import recover
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import Symbol


def make(path: Path, count: int = 8) -> None:
    with Journal.open(path) as journal:
        journal.append([notice_entry(number, "test", f"number {number}") for number in range(1, count + 1)])


def hurt(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


BODY = "UPDATE record SET body = replace(body, 'number', 'nomber') WHERE seq = {}"
DIGEST = "UPDATE record SET digest = x'0011' WHERE seq = {}"
GONE = "DELETE FROM record WHERE seq = {}"


@pytest.mark.parametrize(
    ("statements", "first", "last"),
    [
        ([BODY.format(4)], 4, 4),
        ([DIGEST.format(4)], 4, 4),
        (["UPDATE record SET at = 99 WHERE seq = 4"], 4, 4),
        (["UPDATE record SET kind = 'evil' WHERE seq = 4"], 4, 4),
        ([BODY.format(4), BODY.format(5)], 4, 5),
        ([BODY.format(4), DIGEST.format(4)], 4, 5),
        ([GONE.format(4)], 4, 5),
        ([BODY.format(8)], 8, 8),
        ([DIGEST.format(8)], 8, 8),
        ([BODY.format(1)], 1, 1),
        ([BODY.format(2), BODY.format(6)], 2, 6),
        ([BODY.format(7), DIGEST.format(8)], 7, 8),
    ],
)
def test_as_little_as_possible_is_taken_out(tmp_path: Path, statements: list[str], first: int, last: int) -> None:
    path = tmp_path / "j.db"
    make(path)
    hurt(path, *statements)
    with Journal.open(path) as journal:
        before = {record.seq: record for record in journal.raw()}
        mended = mend(journal, 5)
        assert mended is not None
        assert (mended.first, mended.last) == (first, last)
        assert journal.verify().ok
        assert not journal.fault()
        assert journal.verify().lost >= 1
        assert all(before[record.seq] == record for record in journal.raw() if record.kind != RecordKind.DAMAGE)
        journal.append([notice_entry(9, "test", "on it goes")])
        assert mend(journal, 6) is None
    aside = [json.loads(line) for line in mended.file.read_text().splitlines()]
    assert [line["seq"] for line in aside] == [seq for seq in before if _is_out(path, seq)]


def _is_out(path: Path, seq: int) -> bool:
    with Journal.read(path) as journal:
        return not list(journal.raw(seq, seq))


def test_what_was_taken_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path)
    hurt(path, BODY.format(4), BODY.format(6))
    with Journal.open(path) as journal:
        mended = mend(journal, 0)
        assert str(mended) == (
            "2 records up to 6 (notice) were damaged and taken out of the journal; what was there is in"
            " j.db.damaged-19700101T000000Z.jsonl"
        )
        assert "2 damaged records were taken out" in sentence(journal.verify())


def test_only_behind_the_saved_state_is_mended_at_a_start(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path)
    with Journal.open(path) as journal:
        journal.write_snapshot(5, 5, b"state")
    hurt(path, BODY.format(2), BODY.format(7))
    with Journal.open(path) as journal:
        mended = mend(journal, 0, from_seq=6)
        assert mended is not None
        assert mended.records == 1
        assert [record.seq for record in recover(journal).later] == [6, 8, 9, 10]
        assert journal.verify().broken_seq == 2


def test_a_lost_compaction_record_takes_no_gap_with_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        quotes = [Quote(at=n, received_at=n, symbol=Symbol("MNQ"), bid=1.0, ask=2.0) for n in range(1, 6)]
        journal.append([event_entry(quote, quote.at) for quote in quotes])
        for _ in range(3):
            journal.write_snapshot(journal.last_seq, 9, b"state")
        work = Compaction(journal, cutoff=99, kept=())
        while work.step(10) is not None:
            pass
    hurt(path, "UPDATE record SET at = 0 WHERE kind = 'compaction'")
    with Journal.open(path) as journal:
        assert not journal.verify().ok
        assert mend(journal, 0) is not None
        report = journal.verify()
        assert (report.ok, report.removed, report.lost) == (True, 5, 1)


def test_where_nothing_can_be_put_aside_nothing_is_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j.db"
    make(path)
    hurt(path, BODY.format(4))

    def full(file: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mending, "sync_file", full)
    with Journal.open(path) as journal:
        with pytest.raises(JournalFull):
            mend(journal, 0)
        assert journal.count() == 8


def test_damage_of_the_file_itself_is_not_mended_but_said(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path, 400)
    content = bytearray(path.read_bytes())
    for page in range(8, len(content) // 4096):
        content[page * 4096 : page * 4096 + 60] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"\[E70[56]\]"), Journal.open(path) as journal:
        mend(journal, 0)


def test_the_proof_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path)
    with Journal.open(path) as journal:
        proof = Proof(journal)
        assert proof.step(3)
        assert proof.step(3)
        assert not proof.step(3)
        assert Proof(journal).seq == 8
        journal.append([notice_entry(1, "test", "more")])
        proof = Proof(journal)
        assert not proof.step(3)
        assert proof.seq == 9


def test_the_proof_finds_damage_and_keeps_finding_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path)
    hurt(path, BODY.format(4))
    for _ in range(2):
        with Journal.open(path) as journal, pytest.raises(JournalBroken, match="record 4"):
            Proof(journal).step()


@pytest.mark.parametrize("said", ["8 00ff", "nonsense", "99 " + "00" * 32, ""])
def test_a_proof_that_does_not_fit_is_made_again(tmp_path: Path, said: str) -> None:
    path = tmp_path / "j.db"
    make(path)
    hurt(path, f"INSERT INTO meta VALUES ('proven', '{said}')")
    with Journal.open(path) as journal:
        proof = Proof(journal)
        assert proof.seq == 0
        assert not proof.step()


def test_a_gap_that_nobody_vouches_for_is_found_by_the_proof(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path)
    with Journal.open(path) as journal:
        before, after = journal.digest_at(3), journal.digest_at(4)
        journal.connection.execute("DELETE FROM record WHERE seq = 4")
        journal.connection.execute("INSERT INTO gap VALUES (4, 4, ?, ?, 99, 'compaction')", (before, after))
        with pytest.raises(JournalBroken, match="no record vouches"):
            Proof(journal).step()


# -- every bit --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "j.db"
    with Journal.open(path) as journal:
        quotes = [Quote(at=n, received_at=n, symbol=Symbol("MNQ"), bid=1.0, ask=2.0) for n in range(1, 12)]
        journal.append([event_entry(quote, quote.at) for quote in quotes])
        for _ in range(3):
            journal.write_snapshot(journal.last_seq, 50, b"the state of everything" * 20)
        work = Compaction(journal, cutoff=6, kept=())
        while work.step(60) is not None:
            pass
        journal.append([notice_entry(n, "test", f"number {n}") for n in range(60, 80)])
    return path


def content_of(path: Path) -> tuple[list[Record], tuple[int, bytes] | None]:
    with Journal.read(path) as journal:
        return list(journal.iterate()), journal.last_snapshot()


@settings(deadline=None, max_examples=150)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_changes_nothing(
    small: Path, tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "j.db"
    shutil.copyfile(small, path)
    flip(path, place, bit)
    try:
        with Journal.read(path) as journal:
            found = not journal.verify().ok or bool(journal.fault())
        if not found:
            assert content_of(path) == content_of(small)
    except JournalError:
        pass


@settings(deadline=None, max_examples=100)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=4))
def test_a_start_on_a_damaged_file_recovers_or_says_why(
    small: Path, tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[float, int]]
) -> None:
    path = tmp_path_factory.mktemp("flip") / "j.db"
    shutil.copyfile(small, path)
    for place, bit in flips:
        flip(path, place, bit)
    try:
        with Journal.open(path) as journal:
            newest = journal.last_snapshot()
            mend(journal, 100, from_seq=newest[0] + 1 if newest else 1)
            for record in recover(journal).later:
                assert record in content_of(small)[0] or record.kind is RecordKind.DAMAGE
            journal.append([notice_entry(1, "test", "on it goes")])
    except JournalError:
        pass


def flip(path: Path, place: float, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.parametrize("seed", range(6))
def test_a_torn_write_ahead_log_loses_only_its_end(tmp_path: Path, seed: int) -> None:
    path, torn = tmp_path / "j.db", tmp_path / "torn.db"
    with Journal.open(path) as journal:
        for number in range(1, 9):
            journal.append([notice_entry(number, "test", f"number {number}")])
        for ending in ("", "-wal"):
            shutil.copyfile(f"{path}{ending}", f"{torn}{ending}")
        written = list(journal.raw())
    wal = Path(f"{torn}-wal")
    wal.write_bytes(wal.read_bytes()[: random.Random(seed).randrange(wal.stat().st_size)])
    try:
        with Journal.open(torn) as journal:
            assert mend(journal, 0) is None
            found = list(journal.raw())
            assert found == written[: len(found)]
            assert journal.verify().ok
    except NotAJournal as error:
        pytest.fail(str(error))


# -- a file system that does not help ---------------------------------------------------------------------------------


def test_a_disk_that_is_full_at_the_first_start_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j.db"
    connect = sqlite3.connect

    def small_disk(*given: object, **named: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given, **named)  # type: ignore[call-overload]  # passed on as given
        connection.execute("PRAGMA max_page_count = 4")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small_disk)
    with pytest.raises(JournalFull, match="E702"):
        Journal.open(path)
    monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == ["j.db.lease"]
    make(path)


def test_a_journal_that_was_begun_and_never_finished_says_so(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    hurt(path, "CREATE TABLE meta (key TEXT, value TEXT)", "CREATE TABLE record (seq INTEGER)")
    with pytest.raises(NotAJournal, match="begun and never finished; delete the file"):
        Journal.open(path)


def test_an_empty_file_becomes_a_journal_but_cannot_be_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.touch()
    with pytest.raises(NotAJournal, match="this file is empty"):
        Journal.read(path)
    make(path)


@pytest.mark.parametrize("said", ["", "x", "0", "²"])
def test_a_journal_that_does_not_say_its_version_is_broken(tmp_path: Path, said: str) -> None:
    path = tmp_path / "j.db"
    make(path)
    hurt(path, f"UPDATE meta SET value = '{said}' WHERE key = 'version'")
    with pytest.raises(JournalBroken, match="does not say its version"):
        Journal.open(path)


@pytest.mark.parametrize("opening", [Journal.open, Journal.read])
def test_a_folder_is_no_journal(tmp_path: Path, opening: Callable[[Path], Journal]) -> None:
    with pytest.raises(JournalUnusable, match=r"this is a folder.*\[E706\]"):
        opening(tmp_path)


def test_a_file_that_may_not_be_written_to_says_so(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path)
    with Journal.read(path) as journal, pytest.raises(JournalUnusable, match="may not be written to"):
        journal.append([notice_entry(1, "test", "x")])


def test_a_record_that_is_too_large_is_said(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
        with pytest.raises(JournalUnusable, match="larger than the journal can hold"):
            journal.append([notice_entry(1, "test", "x" * 2000)])
        assert journal.append([notice_entry(1, "test", "x")]) == 1


def test_numbers_that_run_out_are_said(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.anchor(2**63 - 2, b"x")
        journal.append([notice_entry(1, "test", "the last one")])
        with pytest.raises(JournalUnusable, match="run out of numbers"):
            journal.append([notice_entry(1, "test", "one more")])


def test_a_clock_that_was_set_back_breaks_nothing(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append([notice_entry(at, "test", "x") for at in (5, 6, 2, 3, 7)])
        assert journal.verify().ok
        assert journal.seq_at(7) == 5
        assert journal.seq_at(1) == 0


def test_a_shared_memory_file_that_was_left_over_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path)
    (tmp_path / "j.db-shm").write_bytes(b"\xaa" * 32768)
    with Journal.open(path) as journal:
        assert journal.verify().records == 8


def test_a_foreign_writer_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal.connection.execute("PRAGMA busy_timeout = 20")
        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match=r"another program is writing to the journal.*\[E701\]"):
            journal.append_durable([notice_entry(1, "test", "x")])
        foreign.execute("ROLLBACK")
        foreign.close()
        assert journal.append_durable([notice_entry(1, "test", "x")]) == 1


def test_a_lease_that_cannot_be_made_is_no_running_engine(tmp_path: Path) -> None:
    (tmp_path / "j.db.lease").mkdir()
    with pytest.raises(sqlite3.OperationalError):
        Lease(tmp_path / "j.db")
    with pytest.raises(JournalUnusable):
        Journal.open(tmp_path / "j.db")


def test_a_damaged_saved_state_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    make(path)
    with Journal.open(path) as journal:
        journal.write_snapshot(3, 3, b"state")
        journal.connection.execute("UPDATE snapshot SET state = 7")
        assert journal.fault() == "the state saved at record 3 is not what was written"
        assert journal.last_snapshot() is None


def test_memory_keeps_the_same_promises() -> None:
    journal = MemoryJournal()
    journal.append([notice_entry(1, "test", "x")])
    assert journal.newest(RecordKind.NOTICE) == journal.records[0]
    assert journal.newest(RecordKind.CONFIG) is None
    assert recover(journal).later == tuple(journal.records)
    gaps = NoGaps()
    assert (gaps.at(1), gaps.of(1), gaps.between(1, 2)) == (None, [], [])
