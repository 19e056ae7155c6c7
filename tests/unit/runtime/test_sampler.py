"""What accounts were worth goes on record: changed ones only, unknown stays unknown."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from haltline.clock import NS_PER_S, ManualClock
from haltline.journal.curve import EquityPoint, curve_of
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import RecordKind
from haltline.kernel.kernel import Kernel
from haltline.model.id import AccountId
from haltline.runtime.sampler import SAMPLE_EVERY_NS, Sampler
from haltline.runtime.supervise import Supervisor
from haltline.runtime.writer import InlineWriter

START = 1_746_499_980 * NS_PER_S  # a whole minute
NAN = float("nan")


@dataclass
class FakeDay:
    total_pnl: float = 0.0


@dataclass
class FakeAccount:
    equity: float = 50_000.0
    day: FakeDay = field(default_factory=FakeDay)


@dataclass
class FakeState:
    accounts: dict[str, FakeAccount] = field(
        default_factory=lambda: {"eval": FakeAccount(), "other": FakeAccount(equity=1_000.0)}
    )


@dataclass
class FakeKernel:
    state: FakeState = field(default_factory=FakeState)


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.kernel = FakeKernel()
        self.journal = MemoryJournal()
        self.sampler = Sampler(kernel=cast("Kernel", self.kernel), writer=InlineWriter(self.journal), clock=self.clock)

    def curve(self, account: str) -> list[float | None]:
        records = self.journal.iterate(kinds=[RecordKind.EQUITY])
        return [point.equity for _, point in curve_of(records, AccountId(account))]


@pytest.fixture
def world() -> World:
    return World()


async def test_only_accounts_that_changed_are_written(world: World) -> None:
    await world.sampler.sample()
    world.kernel.state.accounts["eval"].equity = 49_000.0
    await world.sampler.sample()
    await world.sampler.sample()
    assert world.curve("eval") == [50_000.0, 49_000.0]
    assert world.curve("other") == [1_000.0]
    assert world.journal.last_seq == 2


async def test_an_unknown_equity_is_a_gap_and_not_a_number(world: World) -> None:
    world.kernel.state.accounts["eval"] = FakeAccount(equity=NAN, day=FakeDay(NAN))
    await world.sampler.sample()
    await world.sampler.sample()
    points = [point for _, point in curve_of(world.journal.iterate(kinds=[RecordKind.EQUITY]), AccountId("eval"))]
    assert points == [EquityPoint(account=AccountId("eval"), equity=None, day_pnl=None)]


async def test_it_samples_at_whole_minutes(world: World) -> None:
    async with Supervisor(world.clock) as supervisor:
        supervisor.guard("equity", world.sampler.run)
        for _ in range(3):
            await asyncio.sleep(0)
            world.clock.advance_to(world.clock.now() + SAMPLE_EVERY_NS)
            await asyncio.sleep(0)
            world.kernel.state.accounts["eval"].equity -= 1
        supervisor.stop()
    instants = [record.at for record in world.journal.iterate()]
    assert instants
    assert all(at % SAMPLE_EVERY_NS == 0 for at in instants)
