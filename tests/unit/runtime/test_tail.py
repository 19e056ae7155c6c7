"""A journal whose end is gone proves itself; the heartbeat beside it knows better."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from haltline import Haltline
from haltline.clock import NS_PER_S, ManualClock
from haltline.journal.record import RecordKind, notice_entry
from haltline.journal.store import Journal
from haltline.runtime.embed import load_parts
from haltline.runtime.heartbeat import Heartbeat, heartbeat_path, write_heartbeat
from haltline.runtime.tail import lost_tail

START = 1_746_500_000 * NS_PER_S
SETUP = """version: 1
accounts: {eval: {broker: paper, balance: 50000}}
store: {path: j.db}
channels: {file: {kind: jsonl, config: {path: FOLDER/told.jsonl}}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.db"


def write(path: Path, count: int, *, text: str = "n") -> None:
    with Journal.open(path) as journal:
        for number in range(count):
            journal.append([notice_entry(START, "test", f"{text}{number}")])


def leave_heartbeat(path: Path, **more: Any) -> None:
    """As the last engine on this journal left it."""
    with Journal.read(path) as journal:
        said: dict[str, Any] = {"seq": journal.last_seq, "head": journal.head} | more
    beat = Heartbeat(
        role="engine", run="r", number=1, pid=1, wall=START, steady=1, state="guarding", journal=path.name, **said
    )
    write_heartbeat(heartbeat_path(path, "engine"), beat)


def tail_of(path: Path) -> str:
    with Journal.open(path) as journal:
        return lost_tail(journal)


def test_a_journal_that_has_everything_is_fine_and_may_have_more(path: Path) -> None:
    write(path, 3)
    leave_heartbeat(path)
    write(path, 2)
    assert tail_of(path) == ""


def test_no_heartbeat_proves_nothing(path: Path) -> None:
    write(path, 3)
    assert tail_of(path) == ""


def test_an_older_copy_is_told(path: Path) -> None:
    write(path, 3)
    shutil.copy(path, path.with_name("copy"))
    write(path, 4)
    leave_heartbeat(path)
    shutil.copy(path.with_name("copy"), path)
    assert "ends at record 3, and the last engine had written 7 at 2025-05-06T02:53:20" in tail_of(path)


def test_a_write_ahead_log_that_was_deleted_is_told(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append([notice_entry(START, "test", "one")])
        journal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        journal.append([notice_entry(START, "test", "two")])
        shutil.copy(path, path.with_name("without-wal"))
        leave_heartbeat(path)
    shutil.copy(path.with_name("without-wal"), path)
    path.with_name("j.db-wal").unlink(missing_ok=True)
    assert "ends at record 1, and the last engine had written 2" in tail_of(path)


def test_another_file_of_the_same_length_is_told(path: Path) -> None:
    write(path, 3)
    leave_heartbeat(path)
    path.unlink()
    write(path, 5, text="other")
    assert "Record 3 of the journal is not the one" in tail_of(path)


@pytest.mark.parametrize("more", [{"seq": 0, "head": ""}, {"head": ""}])
def test_a_heartbeat_that_does_not_know_proves_nothing(path: Path, more: dict[str, object]) -> None:
    write(path, 3)
    leave_heartbeat(path, **more)
    assert tail_of(path) == ""


def test_what_is_not_committed_yet_is_not_written(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append([notice_entry(START, "test", "one")])
        before = journal.written
        with journal.transaction():
            journal.append([notice_entry(START, "test", "two")])
            assert journal.written == before == (1, journal.digest_at(1).hex())
        assert journal.written == (2, journal.head)
        with pytest.raises(RuntimeError), journal.transaction():
            journal.append([notice_entry(START, "test", "three")])
            raise RuntimeError
        assert journal.written == (2, journal.head)


async def test_a_start_on_a_journal_without_its_end_tells_people_and_puts_it_on_record(tmp_path: Path) -> None:
    (tmp_path / "haltline.yaml").write_text(SETUP.replace("FOLDER", str(tmp_path)))
    parts = load_parts(tmp_path / "haltline.yaml", environ={})
    path = tmp_path / "j.db"
    async with Haltline.from_parts(parts, clock=ManualClock(START), in_memory=False) as engine:
        await engine.until_idle()
    leave_heartbeat(path, seq=10_000)
    async with Haltline.from_parts(parts, clock=ManualClock(START + NS_PER_S), in_memory=False) as engine:
        await engine.until_idle()
    told = [json.loads(line)["text"] for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert any("the last engine had written 10000" in text for text in told)
    with Journal.read(path) as journal:
        assert any(b"had written 10000" in each.body for each in journal.iterate(kinds=[RecordKind.NOTICE]))
