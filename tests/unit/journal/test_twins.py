"""The journal in memory answers as the one in a file does, and what is read from either has its plain meaning."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from haltline.journal.curve import EquityPoint, EquitySample, curve_of
from haltline.journal.memory import MemoryJournal
from haltline.journal.migrate import migrate, plan_migration
from haltline.journal.query import export_lines
from haltline.journal.record import Entry, RecordKind, entry_of, notice_entry, transition_of
from haltline.journal.store import Journal
from haltline.model.id import AccountId, IncidentId, RuleId
from haltline.model.rule import Severity
from haltline.model.verdict import Phase, Transition

type Either = Journal | MemoryJournal


@pytest.fixture(params=["file", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Either:
    return Journal.open(tmp_path / "j.db") if request.param == "file" else MemoryJournal()


def notices(*at: int) -> list[Entry]:
    return [notice_entry(each, "test", f"at {each}") for each in at]


QUESTIONS: dict[str, tuple[Callable[[Either], object], object]] = {
    "what was written last": (lambda journal: journal.written[0], 5),
    "its digest is the head": (lambda journal: journal.written[1] == journal.head, True),
    "the record at an instant": (lambda journal: [journal.seq_at(at) for at in (9, 10, 25, 99)], [0, 1, 2, 5]),
    "the newest of a kind": (lambda journal: journal.newest(RecordKind.NOTICE).seq, 5),  # type: ignore[union-attr]
    "the newest of a kind that is not there": (lambda journal: journal.newest(RecordKind.PLAN), None),
    "the newest state": (lambda journal: journal.last_snapshot(), (3, b"state")),
    "the state before an instant": (lambda journal: journal.snapshot_before(35), (3, b"state")),
    "the state before there was one": (lambda journal: journal.snapshot_before(34), None),
    "its chain": (lambda journal: (journal.verify().ok, journal.verify().records), (True, 5)),
    "its chain from the middle on": (lambda journal: journal.verify(3).ok, True),
    "what is not finished": (lambda journal: journal.unfinished_records({"flatten"}), []),
    "receipts": (lambda journal: journal.receipt_records([]), []),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_both_journals_give_the_same_answer(journal: Either, question: str) -> None:
    journal.append(notices(10, 20, 30))
    with journal.transaction():
        journal.write_snapshot(3, 35, b"state")
        journal.append(notices(40))
    ask, expected = QUESTIONS[question]
    assert ask(journal) == expected
    journal.close()


def test_an_exported_line_is_one_record(journal: Either) -> None:
    journal.append(notices(1, 2))
    lines = list(export_lines(journal.iterate()))
    assert [msgspec.json.decode(line)["seq"] for line in lines] == [1, 2]
    assert all(line.endswith(b"\n") for line in lines)
    journal.close()


def test_a_transition_on_record_is_the_transition(journal: Either) -> None:
    moved = Transition(
        at=1, rule=RuleId("loss"), entity="eval", incident=IncidentId("loss/eval/1"), phase=Phase.BREACHED,
        previous=Phase.OK, severity=Severity.CRITICAL,
    )  # fmt: skip
    journal.append([entry_of(RecordKind.TRANSITION, 1, moved)])
    assert [transition_of(record) for record in journal.iterate()] == [moved]
    journal.close()


def test_a_curve_is_of_one_account_and_keeps_what_is_not_known(journal: Either) -> None:
    def point(account: str, equity: float | None) -> EquityPoint:
        return EquityPoint(account=AccountId(account), equity=equity, day_pnl=None)

    samples = [
        (1, [point("eval", 50_000.0), point("live", 1.0)]),
        (2, [point("live", 2.0)]),
        (3, [point("eval", None)]),
    ]
    journal.append([entry_of(RecordKind.EQUITY, at, EquitySample(points=tuple(points))) for at, points in samples])
    found = list(curve_of(journal.iterate(kinds=[RecordKind.EQUITY]), AccountId("eval")))
    assert [(at, each.equity) for at, each in found] == [(1, 50_000.0), (3, None)]
    journal.close()


def test_the_state_before_an_instant_and_who_writes_are_told_by_a_file(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as writer:
        writer.append(notices(10))
        assert (writer.state_before(99), writer.is_writer) == (None, True)
        writer.write_snapshot(1, 20, b"state")
        writer.snapshots.keep(1, 500)
        writer.snapshots.keep(1, 400)
        kept = writer.connection.execute("SELECT keep_until FROM snapshot").fetchall()
        with Journal.read(tmp_path / "j.db") as reader:
            assert (reader.state_before(19), reader.state_before(20), reader.is_writer) == (None, 1, False)
    assert kept == [(500,)]


def test_a_backup_left_half_made_is_cleared_away_and_a_name_that_is_taken_is_not_used(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    old.write_bytes((Path(__file__).with_name("fixtures") / "journal-v1.bin").read_bytes())
    first = plan_migration(old, 0)
    first.backup.write_bytes(b"of a start that was killed")
    second = plan_migration(old, 0)
    left = tmp_path / f"{old.name}.v1.backup.part"
    left.write_bytes(b"half")
    connection = sqlite3.connect(old, isolation_level=None)
    made = migrate(connection, second)
    connection.close()
    assert made.path == second.backup != first.backup
    assert first.backup.read_bytes() == b"of a start that was killed"
    assert not left.exists()
