"""Quotes never delay enforcement: an engine that is always behind on prices still answers a breach at once."""

import asyncio
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from haltline import Haltline
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import SystemClock
from haltline.journal.record import RecordKind
from haltline.journal.store import Journal
from haltline.model.event import Event, Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderReport, OrderRequest, Side
from haltline.model.plan import Result
from haltline.runtime.embed import load_parts
from haltline.runtime.pace import SWITCH_S

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
OTHERS = [Symbol(f"S{number}") for number in range(300)]
RULES = """version: 1
rules:
  - id: open-loss
    each: account
    limit: {value: -account.unrealized_pnl, at: 500}
    then: [block_entries, flatten, {lock: {until: reset}}]
    severity: critical
"""
SETUP = """version: 1
mode: live
store: {path: data/journal.db}
accounts: {eval: {broker: paper, balance: 50000}}
instruments:
  MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}
rules: [rules.yaml]
"""
MOST_WAITING = 500 + len(OTHERS) + 1


@pytest.fixture(autouse=True)
def as_in_haltline_run() -> Iterator[None]:
    """The interpreter hands over as often as in `haltline run`: a writer's thread starves beside so busy a loop."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    others = "".join(f"  {symbol}: {{asset_class: equity}}\n" for symbol in OTHERS)
    (tmp_path / "haltline.yaml").write_text(SETUP.replace("rules: [", others + "rules: ["))
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def quote(symbol: Symbol, price: float, at: int) -> Quote:
    return Quote(at=at, received_at=at, symbol=symbol, bid=price, ask=price + 0.25, last=price)


class World:
    """An engine that holds two contracts, and its broker."""

    def __init__(self, engine: Haltline, clock: SystemClock) -> None:
        self.engine = engine
        self.broker = cast("PaperBroker", engine.engine._brokers["paper"])
        self._clock = clock

    async def buy(self) -> None:
        self.put(MNQ, 21_000)
        await self.engine.until_idle()
        await self.broker.submit(OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(2)))
        await self.engine.until_idle()
        self.put(MNQ, 20_900)
        await self.engine.until_idle()

    def put(self, symbol: Symbol, price: float) -> None:
        self.engine.put(quote(symbol, price, self._clock.now()))

    def flood(self, count: int) -> None:
        for number in range(count):
            self.put(OTHERS[number % len(OTHERS)], 100 + number % 7)

    @property
    def is_flat(self) -> bool:
        return not self.broker.venue.snapshot(EVAL, self._clock.now()).positions


@pytest.mark.parametrize("in_memory", (True, False))
async def test_an_account_is_flat_while_more_quotes_arrive_than_are_taken(folder: Path, in_memory: bool) -> None:
    clock = SystemClock()
    parts = load_parts(folder / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=clock, in_memory=in_memory) as engine, asyncio.timeout(30):
        world = World(engine, clock)
        await world.buy()
        world.flood(5_000)
        world.put(MNQ, 20_700)
        deepest = 0
        while not world.is_flat:
            world.flood(600)
            deepest = max(deepest, len(engine.engine.inbox))
            await asyncio.sleep(0)
        assert 500 < deepest <= MOST_WAITING
        assert engine.status().conflated > 0
        await engine.until_idle()
        assert engine.status().modes["eval"] == "HALTED"


async def test_the_plan_is_on_record_before_the_order_and_the_order_before_its_outcome(folder: Path) -> None:
    clock = SystemClock()
    parts = load_parts(folder / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=clock, in_memory=False) as engine, asyncio.timeout(30):
        world = World(engine, clock)
        await world.buy()
        world.put(MNQ, 20_700)
        world.flood(3_000)
        await engine.until_idle()
    with Journal.read(folder / "data/journal.db") as journal:
        assert journal.verify().ok
        records = list(journal.iterate(kinds=[RecordKind.PLAN, RecordKind.INTENT, RecordKind.OUTCOME]))
    flatten = next(place for place, record in enumerate(records) if b'"flatten"' in record.body)
    kinds = [record.kind for record in records[flatten:] if record.kind is not RecordKind.PLAN]
    assert kinds[:2] == [RecordKind.INTENT, RecordKind.OUTCOME]


async def test_a_first_order_does_not_wait_for_the_quotes_that_came_with_the_breach(folder: Path) -> None:
    clock = SystemClock()
    stepped = [0]
    at_submit: list[int] = []
    parts = load_parts(folder / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=clock, in_memory=True) as engine, asyncio.timeout(30):
        world = World(engine, clock)
        await world.buy()
        _count_steps(engine, stepped)
        _note_submits(world.broker, stepped, at_submit)
        world.put(MNQ, 20_700)
        world.flood(500)
        await engine.until_idle()
    assert at_submit
    assert at_submit[0] < 100
    assert stepped[0] > 500


def _count_steps(engine: Haltline, stepped: list[int]) -> None:
    kernel = engine.engine.kernel
    step = kernel.step

    def counted(event: Event, now: int) -> Result:
        stepped[0] += 1
        return step(event, now)

    setattr(kernel, "step", counted)  # noqa: B010 - a test's hook on a method


def _note_submits(broker: PaperBroker, stepped: list[int], at_submit: list[int]) -> None:
    submit = broker.submit

    async def noted(request: OrderRequest) -> OrderReport:
        at_submit.append(stepped[0])
        return await submit(request)

    setattr(broker, "submit", noted)  # noqa: B010 - a test's hook on a method
