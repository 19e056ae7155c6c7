"""A simulator, clients of it, and what they say."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from haltline.api import BrokerRole, BrokerSetup
from haltline.clock import NS_PER_S, Clock, SystemClock
from haltline.errors import EngineError
from haltline.model.account import AccountSpec
from haltline.model.event import Event
from haltline.model.id import AccountId
from haltline_broker_projectx.broker import ProjectXBroker
from haltline_broker_projectx.kind import PROJECTX
from haltline_sim_projectx import hub
from haltline_sim_projectx.server import KEY, USER, ProjectXSim

EVAL, SECOND = AccountId("eval"), AccountId("second")
QUICK = {"timeout_s": 5.0, "silence_s": 1.0, "poll_s": 0.5, "blind_s": 1.0}


@dataclass
class Desk:
    """A simulator with a trader, a reading and an acting client of it, and what was heard."""

    sim: ProjectXSim
    folder: Path
    clock: Clock = field(default_factory=SystemClock)
    heard: list[Event] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.trader = self.sim.trader("PRACTICE77")
        self.actor = self.make(BrokerRole.ACTUATOR)

    def make(self, role: BrokerRole, config: Mapping[str, object] | None = None, **more: object) -> ProjectXBroker:
        """A client."""
        usual = {
            "user": USER, "key": KEY, "api_url": f"{self.sim.url}/api", "hub_url": f"{self.sim.url}/hubs",
            "accounts": {"eval": "PRACTICE77", "second": "EVAL-2"}, "contracts": ["MNQ"], **QUICK,
        }  # fmt: skip
        given = {"accounts": [AccountSpec(id=EVAL)], "instruments": [], "clock": self.clock, "directory": self.folder}
        setup = BrokerSetup(name="px", config={**usual, **(config or {})}, role=role, **{**given, **more})  # type: ignore[arg-type]
        made = PROJECTX.make(setup)
        assert isinstance(made, ProjectXBroker)
        return made

    @contextlib.asynccontextmanager
    async def listening(
        self, config: Mapping[str, object] | None = None, **more: object
    ) -> AsyncIterator[ProjectXBroker]:
        """A reader at work."""
        reader = self.make(BrokerRole.READER, config, **more)
        task = asyncio.create_task(reader.run(self.heard.append, self.started.set))
        await self.until(lambda: self.started.is_set() or task.done())
        if task.done():
            await task
        try:
            yield reader
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, EngineError):
                await task

    def of[E](self, kind: type[E]) -> list[E]:
        """What was heard of one kind."""
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, look: Callable[[], object], *, timeout_s: float = 60.0) -> None:
        """Wait until something is so."""
        clock = SystemClock()
        deadline = clock.now() + round(timeout_s * NS_PER_S)
        while not look():
            assert clock.now() < deadline, f"it did not become so; heard last: {self.heard[-3:]}"
            await clock.sleep_until(clock.now() + NS_PER_S // 200)

    def break_something(self, chance: random.Random) -> str:
        """One random fault; its name."""
        sim = self.sim
        hubs = [sim.user_hub, sim.market_hub]
        faults = {
            "500": lambda: sim.arm("status", "*", status=500, count=chance.randint(1, 4)),
            "429": lambda: sim.arm("status", "*", status=429, retry_after_s=0.3),
            "hang": lambda: sim.arm("hang", "Position/*"),
            "delay": lambda: sim.arm("delay", "*", after_s=0.4, count=3),
            "drop": lambda: sim.arm("drop", "*", count=2),
            "garbage": lambda: sim.arm("garbage", "Order/*"),
            "truncate": lambda: sim.arm("truncate", "Trade/*"),
            "close": chance.choice(hubs).close,
            "abort": chance.choice(hubs).abort,
            "error": lambda: chance.choice(hubs).send_raw(hub.CLOSE_WITH_ERROR),
            "malformed": lambda: chance.choice(hubs).send_raw(hub.MALFORMED),
            "unknown key": lambda: sim.user_hub.send_raw(hub.UNKNOWN_KEY),
            "logout": sim.log_out,
            "expire": sim.expire_tokens,
            "duplicate": lambda: sim.arm("duplicate", count=5),
            "reorder": lambda: sim.arm("reorder", count=2),
            "lost pushes": lambda: setattr(sim.user_hub, "loses_pushes", True),
            "mute": lambda: setattr(sim.user_hub, "is_muted", True),
            "outage": lambda: sim.plan_outage(chance.uniform(0.1, 1.5)),
        }
        name = chance.choice(list(faults))
        faults[name]()
        return name

    def mend(self) -> None:
        """End every fault; an outage ends by itself."""
        self.sim.faults.clear()
        self.sim.user_hub.is_muted = self.sim.user_hub.loses_pushes = False


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A platform with a market, and nobody listening yet."""
    async with ProjectXSim(calls=None, beat_s=0.3) as sim:
        made = Desk(sim, tmp_path)
        yield made
        await made.actor._session.close()
