"""Killed at any write, before or after it: every message is heard at least once, and nothing is forgotten."""

import asyncio
from collections.abc import Callable

import pytest
from tests.unit.notify.conftest import ALL, ack, at, notice, over

from haltline.api import Message
from haltline.clock import ManualClock
from haltline.config.routing import NotifyEntry, RouteEntry, StepEntry
from haltline.errors import Transient
from haltline.model.rule import Severity
from haltline.notify.desk import Desk
from haltline.notify.notice import Notice
from haltline.notify.outbox import Outbox
from haltline.notify.route import Routes
from haltline.notify.table import MemoryOutboxTable

POLICY = NotifyEntry(
    root=RouteEntry(channels=("phone", "mail"), escalate="desk", critical_repeat_ns=0),
    escalations={"desk": (StepEntry(after_ns=120_000_000_000, channels=("boss",)),)},
)
ROUTES = Routes(severities=dict.fromkeys(("phone", "mail", "boss"), ALL), policy=POLICY)
STORY: list[tuple[float, list[Notice], list[object]]] = [
    (0, [notice("a/eval/1")], []),
    (5, [notice("b/eval/1", severity=Severity.WARNING, when=5)], []),
    (150, [notice("c/live/1", when=150)], []),
    (200, [], [ack("a/eval/1", when=200)]),
    (210, [over("a/eval/1", when=210), over("b/eval/1", when=210, severity=Severity.WARNING)], []),
    (400, [over("c/live/1", when=400)], []),
    (1000, [], []),
]


class Killed(BaseException):
    """The process is gone."""


class Disk:
    """A table that is written in transactions, and dies at one of them: before it or right after it."""

    def __init__(self) -> None:
        self.table = MemoryOutboxTable()
        self.writes = 0
        self.die_at = 0
        self.after = False

    def commit(self, work: Callable[[], None]) -> None:
        self.writes += 1
        if self.writes == self.die_at and not self.after:
            raise Killed
        work()
        if self.writes == self.die_at:
            raise Killed

    async def write(self, work: Callable[[], None]) -> None:
        self.commit(work)


class Ear:
    """Hears for all lives; the first message fails once."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.faults = 1

    async def send(self, message: Message) -> None:
        if self.faults:
            self.faults -= 1
            raise Transient("busy")
        self.heard.append(message)


class Life:
    """One life of the process."""

    def __init__(self, disk: Disk, ears: dict[str, Ear], clock: ManualClock) -> None:
        self.disk, self.clock = disk, clock
        self.desk = Desk(ROUTES, disk.table.memory(), clock.now())
        self.outbox = Outbox(channels=ears, routes=ROUTES, table=disk.table, write=disk.write, clock=clock)

    async def play(self, story: list[tuple[float, list[Notice], list[object]]], done: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as group:
            lanes = [group.create_task(self.outbox.run_lane(name)) for name in self.outbox.channels]
            for seconds, notices, heard in story:
                await self._until(at(seconds))
                self._say(self.desk.take(notices, at(seconds), heard=heard))
                done()
                await self._settle()
            for lane in lanes:
                lane.cancel()

    def _say(self, outgoing: list[tuple[Message, str]]) -> None:
        pending, notes = self.outbox.address(outgoing), self.desk.changes()

        def work() -> None:
            self.outbox.store(pending)
            self.outbox.remember(notes)

        self.disk.commit(work)
        self.outbox.release(pending)

    async def _until(self, instant: int) -> None:
        while self.clock.now() < instant:
            due = [self.desk.deadline, self.clock.next_wake_ns(), instant]
            self.clock.advance_to(min(each for each in due if each is not None))
            if self.desk.deadline is not None and self.desk.deadline <= self.clock.now():
                self._say(self.desk.advance(self.clock.now()))
            await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(15):
            await asyncio.sleep(0)


async def lives(die_at: int, *, after: bool) -> tuple[dict[str, Ear], int]:
    """Play the story; what was not on record when the process died is told again, as recovery does."""
    disk, clock = Disk(), ManualClock(at(0))
    disk.die_at, disk.after = die_at, after
    ears = {name: Ear() for name in ROUTES.channels}
    left = list(STORY)
    while left:
        try:
            await Life(disk, ears, clock).play(list(left), lambda: left.pop(0))
        except BaseExceptionGroup as group:
            assert group.subgroup(Killed) is not None, group
        except Killed:
            pass
    return ears, disk.writes


def said(ear: Ear) -> set[tuple[str, str]]:
    text = "\n".join(message.text for message in ear.heard)
    return {(rule, word) for rule in "abc" for word in ("breached.", "is fine again") if _told(text, rule, word)}


def _told(text: str, rule: str, word: str) -> bool:
    return f"{rule} {word}" in text or f"rule {rule} {word}" in text


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whatever_write_the_process_dies_at_nothing_is_lost(after: bool) -> None:
    calm, writes = asyncio.run(lives(0, after=False))
    assert said(calm["phone"]) == {(rule, word) for rule in "abc" for word in ("breached.", "is fine again")}
    assert calm["boss"].heard
    for number in range(1, writes + 1):
        ears, _ = asyncio.run(lives(number, after=after))
        for name, ear in ears.items():
            assert said(ear) == said(calm[name]), (number, name)
            twice = len(ear.heard) - len({message.id for message in ear.heard})
            assert twice <= 1, (number, name, [message.id for message in ear.heard])
