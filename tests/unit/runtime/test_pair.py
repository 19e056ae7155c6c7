"""Enforcement has connections and calls of its own: a reader that hangs or has used up its share delays no action."""

import asyncio
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from haltline.api import (
    AccountSnapshot,
    BrokerKind,
    BrokerRole,
    BrokerSetup,
    Capability,
    EventSink,
    RateLimit,
    Started,
)
from haltline.api.registry import Owned
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.budget import Budget
from haltline.enforce.progress import Progress, Stage
from haltline.enforce.rate import ActingBroker, ReadingBroker
from haltline.errors import Transient
from haltline.journal.receipt import Proof, Receipt
from haltline.model.event import AccountReport, OutcomeStatus, PositionReport, Quote
from haltline.model.id import AccountId, ActionId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderType, Side
from haltline.model.plan import PlannedAction
from haltline.runtime.compose import Parts
from haltline.runtime.discreet import DiscreetBroker, DiscreetReader
from haltline.runtime.embed import Haltline, load_parts
from haltline.runtime.pair import BrokerPairs
from haltline.runtime.witness import KernelWitness, pushing_accounts

START = 1_746_500_000 * NS_PER_S
EVAL, MNQ = AccountId("eval"), Symbol("MNQ")


@dataclass
class World:
    """A venue that both connections of a broker lead to, and what hangs."""

    made: dict[BrokerRole, "Line"] = field(default_factory=dict)
    venue: PaperBroker | None = None
    hangs: set[BrokerRole] = field(default_factory=set)

    def make(self, setup: BrokerSetup) -> "Line":
        self.venue = self.venue or PaperBroker(replace(setup, config={}))
        line = self.made[setup.role] = Line(self, setup)
        return line


class Line:
    """One connection: whatever is asked on it waits for the call before."""

    def __init__(self, world: World, setup: BrokerSetup) -> None:
        assert world.venue is not None
        self.setup = setup
        self.calls: list[str] = []
        self._world = world
        self._venue = world.venue
        self._busy = asyncio.Lock()

    async def run(self, sink: EventSink, started: Started) -> None:
        if self.setup.role is not BrokerRole.ACTUATOR:
            await self._venue.run(sink, started)
        started()
        await asyncio.Event().wait()

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        await self._turn("snapshot")
        return await self._venue.snapshot(account)

    async def submit(self, request: OrderRequest) -> OrderReport:
        await self._turn("submit")
        return await self._venue.submit(request)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        await self._turn("cancel")
        await self._venue.cancel(account, order_id)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        await self._turn("find_order")
        return await self._venue.find_order(account, client_id)

    async def _turn(self, verb: str) -> None:
        self.calls.append(verb)
        async with self._busy:
            if self.setup.role in self._world.hangs:
                await asyncio.Event().wait()


def parts_of(tmp_path: Path, world: World, **kind: object) -> Parts:
    text = Path(__file__).with_name("world.yaml").read_text().replace("out.jsonl", str(tmp_path / "out.jsonl"))
    (tmp_path / "haltline.yaml").write_text(text)
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
    parts = load_parts(tmp_path / "haltline.yaml", environ={})
    paper = parts.registry.brokers.get("paper")
    assert paper is not None
    line = replace(paper, name="line", make=world.make, **kind)  # type: ignore[arg-type]  # a test's short hand
    parts.registry.brokers._items["line"] = Owned(line, "test")
    entries = [replace(entry, kind="line") for entry in parts.setup.brokers]
    return replace(parts, setup=replace(parts.setup, brokers=tuple(entries)))


def flatten(key: str = "f") -> PlannedAction:
    return PlannedAction(id=ActionId(key), at=1, name="flatten", account=EVAL)


async def hold_three(engine: Haltline, world: World) -> None:
    now = engine.engine.clock.now()
    assert world.venue is not None
    quote = Quote(at=now, received_at=now, symbol=MNQ, bid=21_000.0, ask=21_000.25)
    engine.put(quote)
    world.venue.on_quote(quote)
    await world.venue.submit(OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(3)))
    await world.venue.submit(
        OrderRequest(
            account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(1), type=OrderType.LIMIT,
            limit_price=Decimal(20_000),
        )
    )  # fmt: skip
    await engine.until_idle()


async def flattened(engine: Haltline) -> Receipt:
    receipts: list[Receipt] = []
    engine.engine.watchers.append(lambda progress: receipts.append(progress.receipt) if progress.receipt else None)
    engine.engine._executor.accept([flatten()])
    await engine.until_idle()
    return receipts[0]


async def test_a_reader_that_hangs_delays_no_flatten(tmp_path: Path) -> None:
    """S0-34: the connection that reads is stuck in a call; the flatten goes out on the other one at once."""
    world = World()
    parts = parts_of(tmp_path, world, paired=True)
    async with Haltline.from_parts(parts, clock=ManualClock(START)) as engine:
        await hold_three(engine, world)
        reader, actuator = world.made[BrokerRole.READER], world.made[BrokerRole.ACTUATOR]
        world.hangs.add(BrokerRole.READER)
        stuck = asyncio.ensure_future(reader.snapshot(EVAL))
        await asyncio.sleep(0)
        receipt = await flattened(engine)
        assert (receipt.status, receipt.proof) == (OutcomeStatus.DONE, Proof.PUSH_AND_PULL)
        assert {"submit", "cancel"} <= set(actuator.calls)
        assert not {"submit", "cancel"} & set(reader.calls)
        services = {service.name: service.status for service in engine.status().services}
        assert services["actuator paper"] == "up"
        stuck.cancel()


async def test_a_kind_that_is_not_paired_is_made_once_and_does_everything(tmp_path: Path) -> None:
    world = World()
    async with Haltline.from_parts(parts_of(tmp_path, world), clock=ManualClock(START)) as engine:
        await hold_three(engine, world)
        assert (await flattened(engine)).status is OutcomeStatus.DONE
        assert list(world.made) == [BrokerRole.BOTH]


async def test_readings_that_used_up_their_share_delay_no_flatten(tmp_path: Path) -> None:
    world = World()
    parts = parts_of(tmp_path, world, limit=RateLimit(calls=60, per_s=60), order_limit=RateLimit(calls=20, per_s=60))
    clock = ManualClock(START)
    async with Haltline.from_parts(parts, clock=clock) as engine:
        await hold_three(engine, world)
        share = world.made[BrokerRole.BOTH].setup.share
        starved = asyncio.ensure_future(share())
        await asyncio.sleep(0)
        while starved.done():  # until one must wait
            starved = asyncio.ensure_future(share())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert (await flattened(engine)).status is OutcomeStatus.DONE
        assert clock.now() == START
        starved.cancel()


async def test_readings_that_used_up_their_share_delay_no_confirmation_of_an_account(tmp_path: Path) -> None:
    pairs = BrokerPairs(parts_of(tmp_path, World(), limit=RateLimit(calls=4, per_s=60)), ManualClock(START), None)
    reading, confirming = pairs.puller("paper"), pairs.confirmer("paper")
    for _ in range(2):
        await reading.snapshot(EVAL)
    async with asyncio.timeout(30):
        await confirming.snapshot(EVAL)  # the clock stands still: reading would wait for ever
        await confirming.snapshot(EVAL)
        with pytest.raises(Transient):
            await confirming.snapshot(EVAL)


def test_a_limit_is_kept_by_all_who_call_and_only_where_it_is_declared(tmp_path: Path) -> None:
    limited = BrokerPairs(parts_of(tmp_path, World(), limit=RateLimit(calls=4, per_s=1)), ManualClock(), None)
    assert isinstance(inner(limited.puller("paper")), ReadingBroker)
    assert isinstance(inner(limited.hands()[EVAL]), ActingBroker)
    free = BrokerPairs(parts_of(tmp_path, World()), ManualClock(), None)
    reader = inner(free.puller("paper"))
    assert isinstance(reader, ReadingBroker)
    assert (reader._broker, reader._budget) == (free.readers["paper"], None)
    assert inner(free.hands()[EVAL]) is free.readers["paper"]


@pytest.mark.parametrize(("hosts", "per_address", "left"), [
    (("", ""), True, 2), (("", ""), False, 4), (("a:1", "b:1"), True, 4), (("a:1", "a:1"), True, 2),
])  # fmt: skip
async def test_accounts_whose_venue_counts_by_address_share_its_limit(
    tmp_path: Path, hosts: tuple[str, str], per_address: bool, left: int
) -> None:
    """Two sets of keys are two callers to us, and one to a venue that refuses everybody once an address is too busy."""
    parts = parts_of(tmp_path, World(), limit=RateLimit(calls=4, per_s=60, per_address=per_address))
    (entry,) = parts.setup.brokers
    (account,) = parts.setup.accounts
    entries = tuple(
        replace(entry, name=name, config={"host": host} if host else {})
        for name, host in zip(("one", "other"), hosts, strict=True)
    )
    accounts = tuple(
        structs.replace(account, id=AccountId(name), broker=name) for name in ("one", "other")
    )  # fmt: skip
    pairs = BrokerPairs(
        replace(parts, setup=replace(parts.setup, brokers=entries, accounts=accounts)), ManualClock(START), None
    )
    acting = {name: inner(each) for name, each in pairs.hands().items()}
    budgets = [each._budget for each in acting.values() if isinstance(each, ActingBroker)]
    budgets[0].claim(2, is_order=False)
    budgets[1].claim(left, is_order=False)
    with pytest.raises(Transient, match="other takes no more calls"):
        budgets[1].claim(is_order=False)


def inner(discreet: object) -> object:
    assert isinstance(discreet, DiscreetReader | DiscreetBroker)
    return discreet._puller if isinstance(discreet, DiscreetReader) else discreet._broker


def witness(engine: Haltline, *, settled: bool = True) -> tuple[KernelWitness, list[object]]:
    heard: list[object] = []
    kernel = engine.engine.kernel
    confirmed = engine.engine.reconciled
    return KernelWitness(
        kernel, clock=engine.engine.clock, pushed={EVAL}, confirmed=confirmed, is_settled=lambda: settled,
        put=heard.append,
    ), heard  # fmt: skip


async def test_the_witness_shows_what_pushes_have_told(tmp_path: Path) -> None:
    world = World()
    async with Haltline.from_parts(parts_of(tmp_path, world), clock=ManualClock(START)) as engine:
        await hold_three(engine, world)
        seen = witness(engine)[0].seen(EVAL)
        assert seen is not None
        assert (seen.positions, seen.working_orders, seen.orders) == ({MNQ: 3}, 1, {MNQ: 1})
        assert witness(engine)[0].seen(AccountId("stranger")) is None
        engine.engine.reconciled.discard(EVAL)
        assert witness(engine)[0].seen(EVAL) is None


async def test_a_pull_corrects_only_books_that_nothing_newer_has_reached(tmp_path: Path) -> None:
    world = World()
    async with Haltline.from_parts(parts_of(tmp_path, world), clock=ManualClock(START)) as engine:
        await hold_three(engine, world)
        flat = AccountSnapshot(
            account=AccountReport(at=START, received_at=START, account=EVAL, balance=Decimal(1)),
            positions=(),
            orders=(),
        )
        books, heard = witness(engine)
        assert not witness(engine, settled=False)[0].correct(flat, since=books.activity(EVAL))
        assert not books.correct(flat, since="something older")
        assert heard == []
        assert books.correct(flat, since=books.activity(EVAL))
        assert any(isinstance(event, PositionReport) and event.quantity == 0 for event in heard)


@pytest.mark.parametrize(
    ("capabilities", "pushes"),
    [({Capability.PUSH_ORDERS}, True), ({Capability.PUSH_POSITIONS}, True), ({Capability.PULL_ORDERS}, False)],
)
def test_who_pushes_is_what_the_kind_declares(tmp_path: Path, capabilities: set[Capability], pushes: bool) -> None:
    parts = parts_of(tmp_path, World(), capabilities=frozenset(capabilities))
    assert (EVAL in pushing_accounts(parts.setup, parts.registry)) is pushes


async def test_pushes_that_are_lost_are_corrected_from_a_pull_and_the_flatten_says_so(tmp_path: Path) -> None:
    world = World()
    clock = ManualClock(START)
    parts = parts_of(tmp_path, world)
    async with Haltline.from_parts(parts, clock=clock, budget=Budget(hold_ns=0, push_ns=NS_PER_S)) as engine:
        await hold_three(engine, world)
        assert world.venue is not None
        world.venue._sink = lambda event: None  # nothing that happens is pushed any more
        receipts: list[Receipt] = []
        engine.engine.watchers.append(lambda progress: receipts.append(progress.receipt) if progress.receipt else None)
        engine.engine._executor.accept([flatten()])
        for _ in range(4_000):
            await asyncio.sleep(0)
            wake = clock.next_wake_ns()
            if receipts:
                break
            if wake is not None and wake < START + 5 * NS_PER_S:
                clock.advance_to(wake)
        (receipt,) = receipts
        assert (receipt.status, receipt.proof) == (OutcomeStatus.DONE, Proof.PULL_TWICE)
        assert "were corrected" in receipt.proof_note
        assert not engine.engine.kernel.state.accounts["eval"].book


def test_a_kind_says_what_it_takes() -> None:
    assert BrokerKind.__dataclass_fields__["limit"].default is None
    assert RateLimit(calls=10, per_s=1.0).calls == 10


async def test_an_action_can_be_watched_while_it_happens_and_until_that_is_ended(tmp_path: Path) -> None:
    world = World()
    async with Haltline.from_parts(parts_of(tmp_path, world), clock=ManualClock(START)) as engine:
        await hold_three(engine, world)
        seen: list[Progress] = []
        end = engine.watch_actions(seen.append)
        await flattened(engine)
        assert seen[0].stage is Stage.RUNNING
        assert seen[-1].stage is Stage.OVER
        assert engine.progress() == ()
        count = len(seen)
        end()
        end()
        engine.engine._executor.accept([flatten("again")])
        await engine.until_idle()
        assert len(seen) == count
