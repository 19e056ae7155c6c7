"""What the engine notices: a loop that stands still, an evaluation that does not come, a guardian that is gone."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from haltline.clock import NS_PER_S, ManualClock
from haltline.journal.memory import MemoryJournal
from haltline.model.id import AccountId
from haltline.runtime.handover import LEASE_NS, Lease
from haltline.runtime.health import HealthBook
from haltline.runtime.heartbeat import Heartbeat, heartbeat_path, read_heartbeat, write_heartbeat
from haltline.runtime.watchdog import Pulse, Watchdog, Watched

START = 1_746_500_000 * NS_PER_S


@dataclass
class FakeAccount:
    mode: str = "ACTIVE"
    live: bool = True
    equity: float = 50_000.0


@dataclass
class FakeState:
    accounts: dict[str, FakeAccount] = field(default_factory=lambda: {"eval": FakeAccount()})


@dataclass
class FakeKernel:
    deadline: int | None = None
    state: FakeState = field(default_factory=FakeState)


@dataclass
class FakePump:
    turns: int = 0
    events: int = 0
    is_busy: bool = False


class FakeInbox:
    def __init__(self) -> None:
        self.waiting = 0
        self.wake = asyncio.Event()

    def __len__(self) -> int:
        return self.waiting


@dataclass
class FakeGuarded:
    flaws: dict[str, str] = field(default_factory=dict)

    def flaw(self, account: str) -> str:
        return self.flaws.get(account, "")

    def pull_age_ns(self, account: str) -> int | None:
        return NS_PER_S


class World:
    """A watchdog over fakes, on two clocks."""

    def __init__(self, journal: Path | None = None, guardian_silence_ns: int | None = None) -> None:
        self.wall, self.steady = ManualClock(START), ManualClock(START)
        self.kernel, self.pump, self.inbox = FakeKernel(), FakePump(), FakeInbox()
        self.told: list[str] = []
        self.shouted: list[str] = []
        self.health = HealthBook()
        self.guarded = FakeGuarded()
        self.pulses: list[Pulse] = []
        watched = Watched(
            kernel=self.kernel, pump=self.pump, inbox=self.inbox, store=MemoryJournal(), clock=self.wall,
            health=self.health, reconciled={"eval"}, guarded=self.guarded, tell=self._tell, shout=self._shout,
        )  # fmt: skip
        self.dog = Watchdog(
            watched, steady=self.steady, journal=journal, pid=7, guardian_silence_ns=guardian_silence_ns
        )
        self.dog.subscribers.append(self.pulses.append)

    async def _tell(self, title: str, text: str) -> None:
        self.told.append(title)

    async def _shout(self, title: str, text: str) -> None:
        self.shouted.append(title)

    def health_of(self, name: str) -> str:
        return next((item.status for item in self.health.services() if item.name == name), "")

    async def pass_s(self, seconds: int, *, wall: float | None = None, lag_ns: int = 0) -> None:
        """Let seconds pass, with a look each; the wall clock moves by `wall` seconds each time."""
        for _ in range(seconds):
            self.steady.advance_to(self.steady.now() + NS_PER_S)
            self.wall.advance_to(self.wall.now() + round((1 if wall is None else wall) * NS_PER_S))
            await self.dog.look(lag_ns)


async def test_an_engine_that_is_well_says_nothing() -> None:
    world = World()
    await world.pass_s(100)
    assert (world.told, world.shouted, world.health.services()) == ([], [], ())
    assert all(pulse.is_well for pulse in world.pulses)


async def test_a_loop_that_stood_still_is_told_once_and_fine_again_by_itself() -> None:
    world = World()
    await world.pass_s(3, lag_ns=3 * NS_PER_S)
    assert world.told == ["The engine stood still"]
    assert world.health_of("event loop") == "degraded"
    await world.pass_s(1)
    assert world.health_of("event loop") == "up"


async def test_a_little_lag_is_no_alarm() -> None:
    world = World()
    await world.pass_s(10, lag_ns=NS_PER_S)
    assert world.told == []


async def test_the_lag_is_measured_by_oversleeping() -> None:
    world = World()
    task = asyncio.get_running_loop().create_task(world.dog.run())
    await asyncio.sleep(0)
    world.wall.advance_to(START + 6 * NS_PER_S)
    world.steady.advance_to(START + 6 * NS_PER_S)
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    assert [pulse.lag_ns for pulse in world.pulses] == [5 * NS_PER_S]
    assert world.told == ["The engine stood still"]


async def test_a_deadline_that_passed_wakes_the_pump_at_once() -> None:
    world = World()
    world.kernel.deadline = world.wall.now() + NS_PER_S
    await world.pass_s(2)
    assert world.inbox.wake.is_set()
    assert world.shouted == []


async def test_a_kernel_that_is_not_stepped_though_its_deadline_passed_is_an_alarm_past_the_journal() -> None:
    world = World()
    world.kernel.deadline = world.wall.now()
    await world.pass_s(20)
    assert world.shouted == ["Rules are not evaluated"]
    assert world.told == []
    assert not world.pulses[-1].is_well
    assert world.dog.next_beat().state == "stuck"
    world.pump.turns, world.kernel.deadline = 1, None
    await world.pass_s(1)
    assert world.shouted == ["Rules are not evaluated", "The engine evaluates again"]
    assert world.pulses[-1].is_well


@pytest.mark.parametrize("what", ["waiting", "busy"])
async def test_events_that_wait_while_no_turn_ends_are_an_alarm(what: str) -> None:
    world = World()
    world.inbox.waiting, world.pump.is_busy = int(what == "waiting"), what == "busy"
    await world.pass_s(10)
    assert world.shouted == ["Rules are not evaluated"]


async def test_a_busy_engine_whose_turns_end_is_well() -> None:
    world = World()
    world.inbox.waiting, world.pump.is_busy = 1_000, True
    for turn in range(60):
        world.pump.turns = turn
        await world.pass_s(1)
    assert world.shouted == []


async def test_a_clock_set_forward_is_told_and_nothing_else() -> None:
    world = World()
    await world.pass_s(5)
    await world.pass_s(1, wall=3600)
    await world.pass_s(5)
    assert (world.told, world.shouted) == (["The clock was set forward"], [])


async def test_a_clock_set_back_passes_slowly_until_the_host_has_caught_up_and_is_told_once() -> None:
    world = World()
    await world.pass_s(5)
    await world.pass_s(1, wall=0)
    await world.pass_s(30, wall=0.5)
    assert world.told == ["The clock was set back"]
    assert world.health_of("clock") == "degraded"
    await world.pass_s(1)
    assert world.health_of("clock") == "up"


async def test_a_clock_that_is_a_little_slow_is_none_that_was_set_back() -> None:
    world = World()
    await world.pass_s(5)
    await world.pass_s(30, wall=0.8)
    assert (world.told, world.health_of("clock")) == ([], "")


def test_a_beat_tells_head_accounts_and_state(tmp_path: Path) -> None:
    world = World(tmp_path / "haltline.db")
    assert world.dog.next_beat().state == "starting"
    world.dog.is_started = True
    world.kernel.state.accounts["eval"].equity = float("nan")
    beat = world.dog.next_beat()
    assert (beat.number, beat.state, beat.journal, beat.seq) == (2, "guarding", "haltline.db", 0)
    account = beat.accounts["eval"]
    assert (account.mode, account.live, account.confirmed, account.equity) == ("ACTIVE", True, True, None)


def test_the_last_beat_says_how_it_ended_and_a_full_disk_is_no_harm(tmp_path: Path) -> None:
    world = World(tmp_path / "haltline.db")
    world.dog.last_beat("stopped")
    path = heartbeat_path(tmp_path / "haltline.db", "engine")
    assert read_heartbeat(path, role="engine", journal="haltline.db").state == "stopped"
    World(tmp_path / "no" / "folder.db").dog.last_beat("stopped")


def guardian_beat(folder: Path, number: int, state: str = "guarding") -> None:
    beat = Heartbeat(
        role="guardian", run="g", number=number, pid=1, wall=0, steady=0, state=state, journal="haltline.db"
    )
    write_heartbeat(heartbeat_path(folder / "haltline.db", "guardian"), beat)


async def watch_guardian(world: World, folder: Path, seconds: int) -> None:
    for _ in range(seconds):
        world.steady.advance_to(world.steady.now() + NS_PER_S)
        await world.dog._watch_guardian(folder / "haltline.db")


@pytest.mark.parametrize(
    ("state", "is_started", "guards"),
    [("", True, ("eval",)), ("", False, ("eval",)), ("stopped", True, ()), ("failed", True, ())],
)
def test_a_beat_names_the_accounts_that_are_guarded(state: str, *, is_started: bool, guards: tuple[str, ...]) -> None:
    world = World()
    world.dog.is_started = is_started
    assert world.dog.next_beat(state).guards == guards
    assert world.dog.next_beat(state).accounts["eval"].pull_age_ns == NS_PER_S


def test_an_account_that_is_not_guarded_is_in_the_beat_with_its_reason() -> None:
    world = World()
    world.guarded.flaws["eval"] = "the broker far is out of reach"
    beat = world.dog.next_beat()
    assert (beat.guards, beat.accounts["eval"].unguarded) == ((), "the broker far is out of reach")


async def test_an_engine_that_evaluates_nothing_guards_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "haltline.db")
    world.inbox.waiting = 1
    await world.pass_s(10)
    assert world.dog.next_beat().guards == ()


async def test_each_beat_on_disk_renews_the_lease_and_a_disk_that_fails_lets_it_end(tmp_path: Path) -> None:
    path = tmp_path / "haltline.db"
    world = World(path)
    lease = Lease(path, steady=world.steady)
    world.dog._lease = lease
    task = asyncio.get_running_loop().create_task(world.dog.beat())
    async with asyncio.timeout(30):
        while not lease.is_held(AccountId("eval")):  # noqa: ASYNC110 - a thread writes the file
            await asyncio.sleep(0.001)
    task.cancel()
    world.steady.advance_to(world.steady.now() + LEASE_NS + 1)
    assert not lease.is_held(AccountId("eval"))


async def test_a_guardian_that_never_came_is_told_once(tmp_path: Path) -> None:
    world = World(tmp_path / "haltline.db", guardian_silence_ns=5 * NS_PER_S)
    await watch_guardian(world, tmp_path, 20)
    assert world.told == ["The guardian is silent"]
    assert world.health_of("guardian") == "degraded"


async def test_a_guardian_that_is_not_expected_is_not_missed(tmp_path: Path) -> None:
    world = World(tmp_path / "haltline.db")
    await watch_guardian(world, tmp_path, 60)
    assert world.told == []


async def test_a_guardian_that_was_heard_is_missed_and_welcomed(tmp_path: Path) -> None:
    world = World(tmp_path / "haltline.db")
    for number in range(5):
        guardian_beat(tmp_path, number)
        await watch_guardian(world, tmp_path, 1)
    await watch_guardian(world, tmp_path, 30)
    assert world.told == ["The guardian is silent"]
    guardian_beat(tmp_path, 6)
    await watch_guardian(world, tmp_path, 1)
    assert world.told == ["The guardian is silent", "The guardian is back"]
    assert world.health_of("guardian") == "up"


async def test_the_service_leaves_beats_once_a_second(tmp_path: Path) -> None:
    world = World(tmp_path / "haltline.db")
    task = asyncio.get_running_loop().create_task(world.dog.beat())
    path = heartbeat_path(tmp_path / "haltline.db", "engine")
    async with asyncio.timeout(5):
        while not path.exists() or world.steady.next_wake_ns() is None:  # noqa: ASYNC110 - a thread writes the file
            await asyncio.sleep(0.001)
        first = read_heartbeat(path, role="engine", journal="haltline.db").number
        world.steady.advance_to(START + NS_PER_S)
        while read_heartbeat(path, role="engine", journal="haltline.db").number == first:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.001)
    task.cancel()
