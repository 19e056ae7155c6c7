"""Copies of the journal while the engine runs: on time, proven, the newest kept, a failure told once."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from haltline.clock import NS_PER_S, ManualClock
from haltline.config.settings import BackupEntry
from haltline.journal.backup import Backup, prove, stamp
from haltline.journal.error import BackupFailed
from haltline.journal.record import notice_entry
from haltline.journal.store import Journal
from haltline.runtime.backups import AGAIN_AFTER_NS, SERVICE, Backups, copy_apart
from haltline.runtime.health import HealthBook
from haltline.runtime.upkeep import FIRST_AFTER_NS

START = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * NS_PER_S
DAY = 86_400 * NS_PER_S


class World:
    """Backups of a journal with one record, what they told, and a copier that fails on demand."""

    def __init__(self, folder: Path, *, keep: int = 7) -> None:
        self.path = folder / "haltline.db"
        self.folder = folder / "backup"
        self.told: list[str] = []
        self.fault = ""
        self.health = HealthBook()
        self.clock = ManualClock(START)
        with Journal.open(self.path) as journal:
            journal.append([notice_entry(START, "engine", "hello")])
        self.backups = Backups(
            self.path, entry=BackupEntry(folder=self.folder, keep=keep), clock=self.clock, health=self.health,
            tell=self.tell, copy=self.copy,
        )  # fmt: skip

    async def tell(self, title: str, text: str) -> None:
        self.told.append(f"{title}: {text}")

    async def copy(self, path: Path, to: Path) -> Backup:
        if self.fault:
            raise BackupFailed(self.fault, "free some space")
        to.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, to)
        return Backup(path=to, records=1, last_seq=1, head="", bytes=1)

    def names(self) -> list[str]:
        return [path.name for _, path in self.backups.copies()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_first_copy_waits_until_the_start_is_over(world: World) -> None:
    assert world.backups.due() == START + FIRST_AFTER_NS


async def test_a_restart_neither_skips_a_copy_nor_adds_one(world: World, tmp_path: Path) -> None:
    await world.backups.make()
    world.clock.advance_to(START + DAY // 2)
    assert World(tmp_path).backups.due() == START + DAY


async def test_a_copy_that_was_due_while_nobody_ran_is_made_soon_after_the_start(world: World) -> None:
    await world.backups.make()
    world.clock.advance_to(START + 5 * DAY)
    assert world.backups.due() == START + 5 * DAY + FIRST_AFTER_NS


async def test_a_copy_from_the_future_does_not_stop_the_copies(world: World) -> None:
    world.folder.mkdir()
    (world.folder / f"haltline-{stamp(START + 900 * DAY)}.db").touch()
    assert world.backups.due() == START + DAY


async def test_the_oldest_are_removed_once_a_newer_one_is_proven(tmp_path: Path) -> None:
    world = World(tmp_path, keep=2)
    for day in range(4):
        world.clock.advance_to(START + day * DAY)
        await world.backups.make()
    assert world.names() == ["haltline-20261123T120000Z.db", "haltline-20261124T120000Z.db"]
    assert world.health.services()[0].reason == "haltline-20261124T120000Z.db: 1 records, proven"


async def test_what_others_put_into_the_folder_stays(tmp_path: Path) -> None:
    world = World(tmp_path, keep=1)
    world.folder.mkdir()
    others = [world.folder / name for name in ("holiday.db", "haltline-old.db", "other-20200101T000000Z.db")]
    for other in others:
        other.touch()
    for day in range(3):
        world.clock.advance_to(START + day * DAY)
        await world.backups.make()
    assert all(other.exists() for other in others)
    assert len(world.names()) == 1


async def test_a_failure_is_told_once_tried_again_within_the_hour_and_costs_no_older_copy(world: World) -> None:
    await world.backups.make()
    world.fault = "the disk is full"
    world.clock.advance_to(START + DAY)
    await world.backups.make()
    await world.backups.make()
    assert world.told == [
        "No backup of the journal: the disk is full; free some space [E710]. It is tried again within the hour."
    ]
    assert [(each.name, each.status) for each in world.health.services()] == [(SERVICE, "degraded")]
    assert world.backups.due() == START + DAY + AGAIN_AFTER_NS
    assert world.names() == ["haltline-20261121T120000Z.db"]
    world.fault = ""
    await world.backups.make()
    assert world.health.services()[0].status == "up"
    assert world.backups.due() == START + 2 * DAY


async def test_what_a_killed_copy_left_is_cleared(world: World) -> None:
    world.folder.mkdir()
    left = world.folder / "haltline-20261120T120000Z.db.part"
    left.touch()
    await world.backups.make()
    assert not left.exists()


async def test_the_process_apart_makes_a_proven_copy(world: World) -> None:
    to = world.folder / "copy.db"
    made = await copy_apart(world.path, to)
    assert (made.path, made.records) == (to, 1)
    assert prove(to).head == made.head


@pytest.mark.parametrize("content", [b"", b"no journal at all" * 500])
async def test_the_process_apart_says_why_it_made_none(world: World, content: bytes) -> None:
    broken = world.folder.with_name("broken.db")
    broken.write_bytes(content)
    with pytest.raises(BackupFailed) as failure:
        await copy_apart(broken, world.folder / "copy.db")
    assert str(broken) in str(failure.value) or "copy.db" in str(failure.value)
    assert list(world.folder.glob("*")) == []


async def test_a_file_that_is_there_is_never_written_over(world: World) -> None:
    world.folder.mkdir()
    there: Any = world.folder / "copy.db"
    there.write_text("mine")
    with pytest.raises(BackupFailed, match="this file exists already"):
        await copy_apart(world.path, there)
    assert there.read_text() == "mine"
