"""The journal is looked after while the engine runs, and a start on a damaged or foreign one is told, never silent."""

import contextlib
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from haltline import Haltline
from haltline.clock import NS_PER_S, ManualClock
from haltline.config.settings import StoreEntry
from haltline.journal.compact import Compaction
from haltline.journal.error import JournalFull, OtherSetup, QuotesRemoved
from haltline.journal.record import Entry, RecordKind, entry_of, event_entry, notice_entry
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import Symbol
from haltline.runtime.embed import load_parts
from haltline.runtime.health import HealthBook
from haltline.runtime.upkeep import GONE, SERVICE, Upkeep
from haltline.runtime.writer import InlineWriter

START = 1_746_500_000 * NS_PER_S
DAY = 86_400 * NS_PER_S
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries, notify]
"""


class RushedClock(ManualClock):
    """Nobody waits: whoever sleeps makes time pass."""

    async def sleep_until(self, instant_ns: int) -> None:
        self.advance_to(instant_ns)


class World:
    """An upkeep over a journal of quotes, and what it told people."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self.health = HealthBook()
        self.journal = Journal.open(path)
        self.clock = RushedClock(START + 2 * DAY)
        self.upkeep = Upkeep(
            self.journal, writer=InlineWriter(self.journal), store=StoreEntry(path=path), clock=self.clock,
            health=self.health, tell=self.tell,
        )  # fmt: skip

    async def tell(self, title: str, text: str) -> None:
        self.told.append(f"{title}: {text}")

    def fill(self, count: int = 1500) -> None:
        quotes = [quote(START + number) for number in range(count)]
        self.journal.append([event_entry(each, each.at) for each in quotes])
        for _ in range(3):
            self.journal.write_snapshot(self.journal.last_seq, START + count, b"state")


def quote(at: int) -> Quote:
    return Quote(at=at, received_at=at, symbol=Symbol("MNQ"), bid=1.0, ask=2.0)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    made = World(tmp_path / "j.db")
    yield made
    made.journal.close()


async def test_a_pass_proves_the_chain_and_removes_old_quotes(world: World) -> None:
    world.fill()
    await world.upkeep.look_after()
    assert world.upkeep.removed.records == 1500
    assert world.journal.verify().ok
    assert [(each.name, each.status) for each in world.health.services()] == [(SERVICE, "up")]
    assert world.health.services()[0].reason == "proven up to record 1503"
    await world.upkeep.look_after()
    assert world.upkeep.removed.records == 1500
    assert world.told == []


async def test_damage_is_told_once_and_nothing_is_removed(world: World) -> None:
    world.fill()
    world.journal.connection.execute("UPDATE record SET at = at + 1 WHERE seq = 700")
    await world.upkeep.look_after()
    await world.upkeep.look_after()
    assert len(world.told) == 1
    assert "record 700 (event) was changed" in world.told[0]
    assert "haltline journal repair" in world.told[0]
    assert world.health.services()[0].status == "degraded"
    assert world.journal.count() == 1503


@pytest.mark.skipif(sys.platform == "win32", reason="a file in use cannot be removed there")
@pytest.mark.parametrize("other", [None, b"another file"])
async def test_a_file_that_was_removed_or_replaced_is_told_once_and_its_return_seen(
    world: World, tmp_path: Path, other: bytes | None
) -> None:
    """A lock of an hour was gone after the next start, and nobody had heard that the file was."""
    world.fill(10)
    aside = (tmp_path / "j.db").rename(tmp_path / "aside.db")
    if other is not None:
        (tmp_path / "j.db").write_bytes(other)
    await world.upkeep.look_after()
    await world.upkeep.look_after()
    assert len(world.told) == 1
    assert "removed or replaced" in world.told[0]
    assert [each.status for each in world.health.services() if each.name == GONE] == ["degraded"]
    aside.replace(tmp_path / "j.db")
    await world.upkeep.look_after()
    assert [each.status for each in world.health.services() if each.name == GONE] == ["up"]
    assert len(world.told) == 1


async def test_it_begins_after_a_while_and_never_ends(world: World) -> None:
    world.fill(3)
    passes = 0
    look_after = world.upkeep.look_after

    async def counted() -> None:
        nonlocal passes
        passes += 1
        await look_after()
        if passes == 3:
            raise InterruptedError

    world.upkeep.look_after = counted  # type: ignore[method-assign]  # counts on the way
    with pytest.raises(InterruptedError):
        await world.upkeep.run()
    assert world.clock.now() >= START + 2 * DAY + (60 + 2 * 300) * NS_PER_S


async def test_a_full_disk_ends_the_pass_and_not_the_journal(world: World) -> None:
    world.fill()
    pages = world.journal.connection.execute("PRAGMA page_count").fetchone()[0]
    world.journal.connection.execute(f"PRAGMA max_page_count = {pages}")
    with contextlib.suppress(JournalFull):
        await world.upkeep.look_after()
    world.journal.connection.execute("PRAGMA max_page_count = 1000000")
    await world.upkeep.look_after()
    assert world.upkeep.removed.records == 1500
    assert world.journal.verify().ok


# -- starts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = Path(__file__).with_name("world.yaml").read_text()
    (tmp_path / "haltline.yaml").write_text(text.replace("out.jsonl", str(tmp_path / "out.jsonl")))
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def engine_in(folder: Path) -> Haltline:
    parts = load_parts(folder / "haltline.yaml", environ={})
    return Haltline.from_parts(parts, clock=ManualClock(START), in_memory=False)


async def live_once(folder: Path) -> Path:
    async with engine_in(folder) as engine:
        engine.put(quote(START))
        await engine.until_idle()
        return engine.engine.parts.setup.store.path


def hurt(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


async def test_a_damaged_tail_is_taken_out_told_and_put_aside(folder: Path) -> None:
    path = await live_once(folder)
    with Journal.open(path) as journal:
        journal.append([notice_entry(START, "test", "behind the saved state"), notice_entry(START, "test", "more")])
        seq = journal.last_seq - 1
    hurt(path, f"UPDATE record SET at = 1 WHERE seq = {seq}")
    async with engine_in(folder) as engine:
        await engine.until_idle()
        assert engine.engine.store.verify().lost == 1
    out = (folder / "out.jsonl").read_text()
    assert f"record {seq} (notice) was damaged and taken out" in out
    assert len(list(path.parent.glob("*.damaged-*.jsonl"))) == 1


async def test_a_journal_of_other_accounts_is_refused(folder: Path) -> None:
    path = await live_once(folder)
    setup = folder / "haltline.yaml"
    parts = load_parts(setup, environ={})
    names = [account.id for account in parts.setup.accounts]
    with Journal.open(path) as journal:
        said = journal.newest(RecordKind.CONFIG)
        assert said is not None
        body = said.body
        for name in names:
            body = body.replace(f'"id":"{name}"'.encode(), f'"id":"other-{name}"'.encode())
        journal.append([Entry(said.kind, said.at, body)])
    with pytest.raises(OtherSetup, match=r"the journal belongs to another set-up: it guards other-.*\[E711\]"):
        await live_once(folder)


async def test_a_config_record_of_an_older_version_refuses_nobody(folder: Path) -> None:
    path = await live_once(folder)
    with Journal.open(path) as journal:
        journal.append([entry_of(RecordKind.CONFIG, START, ["something", "old"])])
    await live_once(folder)


async def test_a_start_never_replays_across_removed_quotes(folder: Path) -> None:
    path = await live_once(folder)
    with Journal.open(path) as journal:
        for _ in range(3):
            journal.write_snapshot(journal.last_seq, START, b"state")
        work = Compaction(journal, cutoff=START, kept=())
        while work.step(START) is not None:
            pass
    hurt(path, "UPDATE snapshot SET state = x'00'")
    with pytest.raises(QuotesRemoved, match="cannot be decided again"):
        await live_once(folder)


async def test_an_old_journal_is_brought_up_to_date_by_a_start(folder: Path) -> None:
    path = load_parts(folder / "haltline.yaml", environ={}).setup.store.path
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).parents[1] / "journal" / "fixtures" / "journal-v1.bin", path)
    with Journal.open(path) as journal:
        assert journal.backup is not None
    async with engine_in(folder) as engine:
        assert engine.status().modes["eval"] == "HALTED"
        assert engine.engine.store.verify().ok
