"""What was under way is carried on although the index of it, or its own record, was damaged meanwhile."""

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from haltline import Haltline
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.journal.error import JournalBroken
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import load_parts
from haltline.runtime.sidetable import set_aside

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
START = 1_746_500_000 * NS_PER_S
SETUP = """version: 1
mode: live
store: {path: journal.db}
accounts: {eval: {broker: paper, balance: 50000}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}}
channels: {mail: {kind: jsonl, config: {path: mail.jsonl}}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules: [{id: size, each: position, limit: {value: abs(position.quantity), max: 1}, then: [flatten, notify]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def make(folder: Path, clock: Any) -> Haltline:
    parts = load_parts(folder / "haltline.yaml", environ={})
    return Haltline.from_parts(parts, clock=clock, in_memory=False)


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount > 0


def broker_of(engine: Haltline) -> PaperBroker:
    return cast("PaperBroker", engine.engine._brokers["paper"])


async def passing(engine: Haltline, clock: ManualClock, is_so: Any) -> None:
    """Let time go on until something is so; the journal is written in a thread, which a loaded machine starves."""
    async with asyncio.timeout(60):
        while not is_so():
            for _ in range(50):
                await asyncio.sleep(0)
            clock.advance_to(clock.now() + NS_PER_S // 2)


def quote(engine: Haltline, clock: ManualClock) -> None:
    now = clock.now()
    engine.put(Quote(at=now, received_at=now, symbol=MNQ, bid=21_000, ask=21_000.25, last=21_000, mark=21_000))


async def stopped_in_the_middle(folder: Path, clock: ManualClock) -> None:
    """An engine that was stopped while the order of a flatten was on its way."""
    is_sent = asyncio.Event()

    async def hang(request: OrderRequest) -> Any:
        is_sent.set()
        await asyncio.Event().wait()

    async with make(folder, clock) as engine:
        quote(engine, clock)
        await engine.until_idle()
        broker, submit = broker_of(engine), broker_of(engine).submit
        cast("Any", broker).submit = hang
        await submit(OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(2)))
        await passing(engine, clock, is_sent.is_set)


async def is_flat_after_a_start(folder: Path, clock: ManualClock) -> None:
    async with make(folder, clock) as engine:
        quote(engine, clock)
        await passing(engine, clock, lambda: not engine.engine.kernel.state.accounts[EVAL].book)
        await passing(engine, clock, lambda: not engine.engine.kernel.arbiter.flights)
        assert (await broker_of(engine).snapshot(EVAL)).positions == ()


async def test_a_flatten_that_was_stopped_is_carried_on(folder: Path) -> None:
    clock = ManualClock(START)
    await stopped_in_the_middle(folder, clock)
    await is_flat_after_a_start(folder, clock)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM unfinished",
        "UPDATE unfinished SET name = 'flatter'",
        "UPDATE unfinished SET action = 'another'",
        "UPDATE unfinished SET kind = 'plam'",
        "UPDATE unfinished SET seq = 1 WHERE name = 'flatten'",
    ],
)
async def test_a_damaged_index_forgets_no_flatten(folder: Path, statement: str) -> None:
    clock = ManualClock(START)
    await stopped_in_the_middle(folder, clock)
    change(folder / "journal.db", statement)
    await is_flat_after_a_start(folder, clock)


@pytest.mark.parametrize("body", ["'{'", "'[]'", "CAST(x'7bfffe7d' AS TEXT)"])
async def test_a_flatten_whose_own_record_is_damaged_is_asked_for_anew(folder: Path, body: str) -> None:
    clock = ManualClock(START)
    await stopped_in_the_middle(folder, clock)
    change(folder / "journal.db", f"UPDATE record SET body = {body} WHERE kind = 'plan' AND body LIKE '%\"flatten\"%'")
    await is_flat_after_a_start(folder, clock)


def end_before_the_first_plan(folder: Path) -> None:
    """Leave the journal as a kill between an event and what it led to does."""
    for table in ("snapshot", "record"):
        first = "SELECT min(seq) FROM record WHERE kind = 'plan'"
        change(folder / "journal.db", f"DELETE FROM {table} WHERE seq >= ({first})")
    for beside in folder.glob("*heartbeat*"):
        beside.unlink()


async def test_a_flatten_that_was_decided_and_not_yet_on_record_is_no_damage(folder: Path) -> None:
    clock = ManualClock(START)
    await stopped_in_the_middle(folder, clock)
    end_before_the_first_plan(folder)
    await is_flat_after_a_start(folder, clock)
    assert "damaged" not in (folder / "mail.jsonl").read_text()


async def test_a_damaged_request_of_a_flatten_stops_no_start(folder: Path) -> None:
    clock = ManualClock(START)
    await stopped_in_the_middle(folder, clock)
    change(folder / "journal.db", "UPDATE record SET body = '{' WHERE kind = 'intent'")
    await is_flat_after_a_start(folder, clock)


@pytest.mark.parametrize(
    "body", ["'{'", "'[]'", "CAST(x'7b227374617274223a22ff227d' AS TEXT)", "replace(body, '\"files\"', '\"fi')"]
)
async def test_a_damaged_record_of_the_rules_in_force_stops_no_start_and_is_told(folder: Path, body: str) -> None:
    clock = ManualClock(START)
    async with make(folder, clock) as engine:
        await engine.until_idle()
    change(folder / "journal.db", f"UPDATE record SET body = {body} WHERE kind = 'config'")
    async with make(folder, clock) as engine:
        await engine.until_idle()
        assert engine.status().accounts == ("eval",)
    if body != "'[]'":  # that is what a record of another shape looks like
        assert "record of the rules in force is damaged" in (folder / "mail.jsonl").read_text()


@pytest.mark.parametrize("page", range(3))
async def test_a_table_beside_the_chain_that_cannot_be_read_is_said_in_words(tmp_path: Path, page: int) -> None:
    """SQLite's own words were shown as an internal error."""
    path = tmp_path / "j.db"
    Journal.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        names = ("outbox", "notification", "control_note")
        query = f"SELECT rootpage FROM sqlite_master WHERE name = '{names[page]}'"
        (root,) = connection.execute(query).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = bytes(size)
    path.write_bytes(content)
    with Journal.open(path) as journal, pytest.raises(JournalBroken):
        set_aside(journal, START)
