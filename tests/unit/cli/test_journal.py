"""`haltline journal` on a journal made by hand."""

import json
import sqlite3

import pytest

from haltline.journal.record import RecordKind, entry_of, notice_entry, tick_entry
from haltline.journal.store import Journal


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal.append([tick_entry(10**18), notice_entry(10**18 + 1, "demo", "something [odd] was seen")])
        moved = {"rule": "loss", "entity": "eval", "previous": "ok", "phase": "breached"}
        measured = {"measured": 1000.0, "threshold": 1000.0}
        journal.append([entry_of(RecordKind.TRANSITION, 10**18 + 2, moved | measured)])
    return str(path)


def test_tail_tells_each_record_in_a_line(terminal, file):
    lines = terminal("journal", "tail", "-f", file).out.splitlines()
    assert len(lines) == 3
    assert "something [odd] was seen" in lines[1]
    assert "loss on eval: ok → breached, 1000 of 1000" in lines[2]


def test_tail_tells_records_of_every_kind(terminal, tmp_path):
    path = tmp_path / "kinds.db"
    with Journal.open(path) as journal:
        journal.append([entry_of(kind, 10**18, {"name": f"about {kind.value}"}) for kind in RecordKind])
    told = terminal("journal", "tail", "-f", str(path))
    assert told.code == 0
    assert all(kind.value in told.out for kind in RecordKind)


def test_tail_takes_the_last_of_a_kind(terminal, file):
    lines = terminal("journal", "tail", "-f", file, "-n", "1", "--kind", "notice", "--json").out.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["notice"]


def test_export_writes_every_record_as_a_line(terminal, file):
    lines = terminal("journal", "export", "-f", file).out.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3]


def test_export_to_a_file_says_how_many(terminal, file, tmp_path):
    ran = terminal("journal", "export", "-f", file, "-o", str(tmp_path / "x.jsonl"), "--from", "2", "--json")
    assert ran.json["records"] == 2
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 2


def test_an_untouched_journal_is_intact(terminal, file):
    ran = terminal("journal", "verify", "-f", file)
    assert ran.code == 0
    assert ran.out.startswith("intact: all 3 records fit")


def test_the_first_changed_record_is_named(terminal, file):
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE record SET body = replace(body, 'odd', 'fine') WHERE seq = 2")
    connection.close()
    ran = terminal("journal", "verify", "-f", file)
    assert ran.code == 1
    assert "broken at record 2" in ran.out
    assert terminal("journal", "verify", "-f", file, "--json").json["broken_seq"] == 2


def test_a_missing_journal_is_said_with_its_cure(terminal, tmp_path):
    ran = terminal("journal", "tail", "-f", str(tmp_path / "none.db"))
    assert ran.code == 1
    assert "[E907]" in ran.err


def test_another_file_is_not_taken_for_a_journal(terminal, tmp_path):
    (tmp_path / "x.db").write_text("hello")
    ran = terminal("journal", "verify", "-f", str(tmp_path / "x.db"))
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "not a journal" in ran.err
