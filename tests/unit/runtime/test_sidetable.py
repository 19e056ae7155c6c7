"""One bad byte beside the chain keeps no engine from guarding, is taken out, put on record and told."""

import getpass
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from haltline import Haltline
from haltline.api import Message
from haltline.api.control import Caller, Request
from haltline.clock import NS_PER_S, ManualClock
from haltline.control.question import Question
from haltline.control.readiness import Standing
from haltline.journal.record import RecordKind
from haltline.journal.store import Journal
from haltline.model.rule import Severity
from haltline.notify.group import Group
from haltline.notify.silence import StandingSilence
from haltline.notify.table import Pending
from haltline.runtime.embed import load_parts
from haltline.runtime.sidetable import set_aside

START = 1_746_500_000 * NS_PER_S
SETUP = """version: 1
store: {path: journal.db}
accounts: {eval: {broker: paper, balance: 50000}}
channels: {mail: {kind: jsonl, config: {path: mail.jsonl}}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules: [{id: loss, each: account, limit: {value: account.day.loss, at: 1000}, then: [notify]}]
"""
NOT_UTF8 = "CAST(x'7bfffe7d' AS TEXT)"
ROWS = {
    "outbox": "message",
    "notification": "body",
    "control_note": "text",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def make(folder: Path, clock: Any) -> Haltline:
    return Haltline.from_parts(load_parts(folder / "haltline.yaml", environ={}), clock=clock, in_memory=False)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def fill(path: Path) -> None:
    """One good row of each sort beside the chain."""
    message = Message(id="m", at=START, severity=Severity.CRITICAL, title="t", text="flat")
    asked = Question(
        id="q", command="flatten", arguments={}, operator="ann", platform="local", user="ann", text="?", asked_at=1,
        expires_at=2,
    )  # fmt: skip
    silence = StandingSilence(id="s", matchers=(), since=0, until=1, operator="ann", reason="")
    rows: list[tuple[str, str, object]] = [
        ("outbox", "'k>mail', 'mail', 0, 0", Pending(key="k>mail", channel="mail", message=message, due=0)),
        ("notification", "'group:g'", Group(id="g", route="r", labels={})),
        ("notification", "'silence:s'", silence),
        ("notification", "'handle:mail|t'", "h"),
        ("control_note", "'question', 'q', 1", asked),
        ("control_note", "'drill', 'd', 1", Standing(name="d")),
        ("control_note", "'code', 'ann', 1", 7),
        ("control_note", "'wrong-code', 'ann', 1", 8),
        ("control_note", "'surface:chat', 'x', 1", "any text"),
    ]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table, columns, body in rows:
            text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
            connection.execute(f"INSERT INTO {table} VALUES ({columns}, ?)", (text,))


def counts(journal: Journal) -> dict[str, int]:
    return {name: journal.connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ROWS}


def test_what_can_be_read_stays(tmp_path: Path) -> None:
    Journal.open(tmp_path / "j.db").close()
    fill(tmp_path / "j.db")
    with Journal.open(tmp_path / "j.db") as journal:
        assert set_aside(journal, START) == ""
        assert counts(journal) == {"outbox": 1, "notification": 3, "control_note": 5}
        assert journal.last_seq == 0


@pytest.mark.parametrize("value", [NOT_UTF8, "'{\"id\":'"])
def test_what_cannot_be_read_goes_on_record_and_is_counted(tmp_path: Path, value: str) -> None:
    Journal.open(tmp_path / "j.db").close()
    fill(tmp_path / "j.db")
    structured = "space != 'surface:chat'" if value != NOT_UTF8 else "true"
    change(
        tmp_path / "j.db", f"UPDATE outbox SET message = {value}",
        f"UPDATE notification SET body = {value} WHERE key NOT LIKE 'handle%'",
        f"UPDATE control_note SET text = {value} WHERE {structured}",
    )  # fmt: skip
    with Journal.open(tmp_path / "j.db") as journal:
        told = set_aside(journal, START)
        left = counts(journal)
        assert (left["outbox"], left["notification"]) == (0, 1)
        assert left["control_note"] == (1 if value != NOT_UTF8 else 0)
        assert "1 waiting messages, 2 notes of the notifier" in told
        notices = [record.body.decode() for record in journal.iterate(kinds=[RecordKind.NOTICE])]
        assert len(notices) == 9 - sum(left.values())
        assert any("outbox" in text and "k>mail" in text for text in notices)
        assert journal.verify().ok


def test_names_and_instants_that_cannot_be_read_take_only_their_row(tmp_path: Path) -> None:
    Journal.open(tmp_path / "j.db").close()
    fill(tmp_path / "j.db")
    change(
        tmp_path / "j.db", f"UPDATE notification SET key = {NOT_UTF8} WHERE key = 'silence:s'",
        "UPDATE control_note SET at = 'soon' WHERE space = 'code'",
        f"UPDATE control_note SET key = {NOT_UTF8} WHERE space = 'drill'",
    )  # fmt: skip
    with Journal.open(tmp_path / "j.db") as journal:
        assert set_aside(journal, START)
        assert counts(journal) == {"outbox": 1, "notification": 2, "control_note": 3}


async def test_an_engine_starts_all_the_same_and_tells_people(folder: Path) -> None:
    clock = ManualClock(START)
    async with make(folder, clock) as engine:
        await engine.until_idle()
    fill(folder / "journal.db")
    change(folder / "journal.db", "UPDATE outbox SET message = substr(message, 1, 40)")
    async with make(folder, clock) as engine:
        await engine.until_idle()
        assert engine.status().accounts == ("eval",)
    assert "1 waiting messages" in (folder / "mail.jsonl").read_text()
    async with make(folder, clock) as engine:
        await engine.until_idle()
    assert (folder / "mail.jsonl").read_text().count("1 waiting messages") == 1


async def test_a_question_that_cannot_be_read_keeps_nobody_from_asking(folder: Path) -> None:
    clock = ManualClock(START)
    async with make(folder, clock) as engine:
        await engine.until_idle()
    fill(folder / "journal.db")
    change(folder / "journal.db", "UPDATE control_note SET text = substr(text, 1, 9) WHERE space = 'question'")
    async with make(folder, clock) as engine:
        caller = Caller(platform="local", user=getpass.getuser())
        reply = await engine.engine.control.run(
            Request(caller=caller, command="flatten", arguments={"account": "eval"})
        )
        assert reply.title == "Please confirm"
