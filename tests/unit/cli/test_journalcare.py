"""`haltline journal size|compact|backup|restore|migrate|repair` on journals made by hand."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from haltline.cli.journalcare import _bytes
from haltline.cli.output import Output
from haltline.cli.progress import progress_bar
from haltline.journal.record import event_entry, notice_entry
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import Symbol

AT = 1_746_500_000_000_000_000
OLD = Path(__file__).parents[1] / "journal" / "fixtures" / "journal-v1.bin"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        quotes = [Quote(at=AT + n, received_at=AT, symbol=Symbol("MNQ"), bid=1.0, ask=2.0) for n in range(3000)]
        journal.append([event_entry(quote, quote.at) for quote in quotes])
        journal.append([notice_entry(AT + 4000, "test", "stays")])
        for _ in range(3):
            journal.write_snapshot(journal.last_seq, AT + 5000, b"state")
    return path


@pytest.fixture
def damaged(path):
    connection = sqlite3.connect(path)
    connection.execute("UPDATE record SET at = 1 WHERE seq = 7")
    connection.commit()
    connection.close()
    return path


def test_size_shows_kinds_by_day(terminal, path):
    lines = terminal("journal", "size", "-f", str(path)).out.splitlines()
    assert lines[1].split()[:3] == ["2025-05-06", "notice", "1"]
    assert lines[2].split()[:3] == ["2025-05-06", "quote", "3,000"]
    assert lines[-1].endswith("0 quotes were removed")


def test_size_as_json_counts_the_same(terminal, path):
    found = terminal("journal", "size", "-f", str(path), "--json").json
    assert {share["kind"]: share["records"] for share in found["shares"]} == {"quote": 3000, "notice": 1, "snapshot": 3}
    assert (found["gaps"], found["removed"], found["states"]) == (0, 0, 15)


def test_compact_gives_space_back_and_the_chain_fits(terminal, path):
    ran = terminal("journal", "compact", "-f", str(path))
    assert ran.out.startswith("3,000 quotes older than 1d were removed (")
    assert path.stat().st_size < 120_000
    verified = terminal("journal", "verify", "-f", str(path), "--json").json
    assert (verified["ok"], verified["removed"], verified["lost"]) == (True, 3000, 0)


def test_a_dry_run_of_compact_changes_nothing(terminal, path):
    before = path.read_bytes()
    found = terminal("journal", "compact", "-f", str(path), "--dry-run", "--json").json
    assert (found["records"], found["dry_run"], found["before"]) == (3000, True, found["after"])
    assert path.read_bytes() == before


def test_compact_keeps_what_it_is_told_to_keep(terminal, path):
    ran = terminal("journal", "compact", "-f", str(path), "--keep-quotes", "3650d", "--json")
    assert ran.json["records"] == 0
    ran = terminal("journal", "compact", "-f", str(path), "--keep-quotes", "soon")
    assert ran.code == 2
    assert "--keep-quotes" in ran.err


def test_compact_takes_its_ages_from_the_set_up(terminal, path, tmp_path, monkeypatch):
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
    (tmp_path / "haltline.yaml").write_text(
        "version: 1\nstore: {path: j.db, keep_quotes: 3650d, keep_incidents: 2d}\n"
        "accounts: {eval: {broker: paper, balance: 50000}}\nrules: [rules.yaml]\n"
    )
    monkeypatch.chdir(tmp_path)
    assert terminal("journal", "compact", "--json").json["records"] == 0


def test_compact_is_refused_while_an_engine_runs(terminal, path):
    with Journal.open(path):
        ran = terminal("journal", "compact", "-f", str(path))
    assert ran.code != 0
    assert "E701" in ran.err


def test_compact_of_an_old_file_makes_it_able_to_shrink(terminal, tmp_path):
    path = tmp_path / "old.db"
    shutil.copyfile(OLD, path)
    assert terminal("journal", "compact", "-f", str(path)).code == 0
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
    connection.close()


def test_backup_and_restore(terminal, path, tmp_path):
    copy = tmp_path / "copy.db"
    made = terminal("journal", "backup", str(copy), "-f", str(path), "--json").json
    assert made["records"] == 3004
    assert "exists already" in terminal("journal", "backup", str(copy), "-f", str(path)).err
    path.write_bytes(b"lost")
    ran = terminal("journal", "restore", str(copy), "-f", str(path))
    assert "the journal before it is j.db.before-restore-" in ran.out
    assert terminal("journal", "verify", "-f", str(path), "--json").json["head"] == made["head"]
    assert terminal("journal", "restore", str(tmp_path / "none"), "-f", str(path)).code == 1
    assert terminal("journal", "restore", str(copy), "-f", str(path), "--json").json["ok"]


def test_backup_says_what_it_holds(terminal, path, tmp_path):
    assert "holds 3,004 records and is whole" in terminal("journal", "backup", str(tmp_path / "c"), "-f", str(path)).out


def test_migrate_says_what_it_would_do_and_does_it(terminal, tmp_path):
    path = tmp_path / "old.db"
    shutil.copyfile(OLD, path)
    ran = terminal("journal", "migrate", "-f", str(path), "--dry-run")
    assert ran.out.startswith("format 1 → 2: room for compaction")
    assert "it would be backed up first" in ran.out
    assert list(tmp_path.glob("*.backup")) == []
    found = terminal("journal", "migrate", "-f", str(path), "--json").json
    assert Path(found["backup"]).exists()
    assert "nothing to do" in terminal("journal", "migrate", "-f", str(path)).out
    assert terminal("journal", "migrate", "-f", str(path), "--json").json["backup"] is None


def test_repair_takes_out_what_is_damaged(terminal, damaged):
    assert terminal("journal", "verify", "-f", str(damaged)).code == 1
    found = terminal("journal", "repair", "-f", str(damaged), "--json").json
    assert (found["ok"], found["records"], found["first"]) == (True, 1, 7)
    assert json.loads(Path(found["file"]).read_text())["seq"] == 7
    assert "1 damaged records were taken out" in terminal("journal", "verify", "-f", str(damaged)).out
    assert terminal("journal", "repair", "-f", str(damaged)).out == "no record is damaged\n"


def test_repair_cannot_make_a_saved_state_again(terminal, path):
    connection = sqlite3.connect(path)
    connection.execute("UPDATE snapshot SET state = x'00'")
    connection.commit()
    connection.close()
    ran = terminal("journal", "repair", "-f", str(path))
    assert ran.code == 1
    assert "is not what was written; restore a backup" in ran.out
    ran = terminal("journal", "verify", "-f", str(path))
    assert ran.code == 1
    assert "the state saved at record" in ran.out


@pytest.mark.parametrize("words", [["size"], ["compact"], ["backup", "x"], ["restore", "x"], ["migrate"], ["repair"]])
def test_a_journal_that_is_not_there_is_said(terminal, tmp_path, words):
    ran = terminal("journal", *words, "-f", str(tmp_path / "none.db"))
    assert ran.code == 1
    assert "there is no" in ran.err


def test_a_terminal_shows_how_far_it_is(capsys):
    output = Output()
    output.plain = False
    with progress_bar(output, "reading") as told:
        told(1, 2)


def test_large_sizes_are_readable():
    assert [_bytes(n) for n in (5, 1500, 2_500_000, 3_210_000_000)] == ["5 B", "1.5 kB", "2.5 MB", "3.21 GB"]
