"""Pull against push: what differs is believed once two pulls show it, corrected, and told when it comes back."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S, ManualClock
from haltline.errors import InvariantBroken, PluginFailed, Refused, Transient
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import RecordKind
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import (
    AccountReport,
    ConnectionStatus,
    ConnectionUpdate,
    Event,
    Fill,
    OrderUpdate,
    PositionReport,
)
from haltline.model.id import AccountId, FillId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.runtime.comparison import LOOK_AGAIN_NS, Comparison, differences
from haltline.runtime.guarded import PullBook
from haltline.runtime.health import HealthBook
from haltline.runtime.writer import InlineWriter
from haltline.state.state import State, StateSettings

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
START = 1_746_540_000 * NS_PER_S


class FakeKernel:
    """A kernel that only keeps state."""

    def __init__(self) -> None:
        specs = (InstrumentSpec(symbol=MNQ, aliases=("CON.F.US.MNQ.Z25",)),)
        self.state = State(StateSettings(accounts=(AccountSpec(id=EVAL),), instruments=specs, now=START))


class FakeBroker:
    """What it shows is `quantity` and `orders`; `before` happens during a pull."""

    def __init__(self) -> None:
        self.quantity: str = "0"
        self.symbol: Symbol = MNQ
        self.orders: tuple[OrderReport, ...] = ()
        self.pulls = 0
        self.fails = False
        self.before: Callable[[], None] = lambda: None

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        self.pulls += 1
        if self.fails:
            raise Transient("away")
        self.before()
        held = PositionReport(
            at=START * 2, received_at=START, account=account, symbol=self.symbol, quantity=Decimal(self.quantity),
            average_price=Decimal(100),
        )  # fmt: skip
        report = AccountReport(at=START, received_at=START, account=account, balance=Decimal(1))
        return AccountSnapshot(account=report, positions=(held,) if Decimal(self.quantity) else (), orders=self.orders)


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.kernel = FakeKernel()
        self.broker = FakeBroker()
        self.confirmed = {EVAL}
        self.health = HealthBook()
        self.journal = MemoryJournal()
        self.told: list[str] = []
        self.stuck = False
        self.pulls = PullBook(self.clock)
        self.comparison = Comparison(
            kernel=self.kernel, accounts={EVAL: self.broker}, clock=self.clock, confirmed=self.confirmed,  # type: ignore[arg-type]
            health=self.health, writer=InlineWriter(self.journal), put=self.put, settle=self.settle, tell=self.tell,
            pulls=self.pulls,
        )  # fmt: skip

    def put(self, event: Event) -> None:
        if not self.stuck:
            self.kernel.state.apply(event, self.clock.now())

    async def settle(self) -> None:
        return None

    async def tell(self, title: str, text: str) -> None:
        self.told.append(f"{title}: {text}")

    def fill(self, quantity: int, number: int = 1) -> None:
        self.put_always(
            Fill(
                at=START, received_at=START, account=EVAL, symbol=MNQ, fill_id=FillId(f"f{number}"),
                side=Side.BUY if quantity > 0 else Side.SELL, quantity=Decimal(abs(quantity)), price=Decimal(100),
            )
        )  # fmt: skip

    def put_always(self, event: Event) -> None:
        self.kernel.state.apply(event, self.clock.now())

    async def round(self) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.comparison.compare(EVAL))
            while not task.done():
                await asyncio.sleep(0)
                if (wake := self.clock.next_wake_ns()) is not None:
                    self.clock.advance_to(wake)

    @property
    def noted(self) -> list[str]:
        return [str(record.body) for record in self.journal.iterate(kinds=[RecordKind.NOTICE])]


@pytest.fixture
def world() -> World:
    return World()


def order(identity: str, filled: int = 0) -> OrderReport:
    return OrderReport(
        account=EVAL, order_id=OrderId(identity), symbol=MNQ, side=Side.BUY, quantity=Decimal(3),
        filled=Decimal(filled), type=OrderType.LIMIT, status=OrderStatus.WORKING, limit_price=Decimal(90),
    )  # fmt: skip


async def test_where_both_agree_there_is_one_pull_and_nothing_is_said(world: World) -> None:
    world.fill(2)
    world.broker.quantity = "2.0"
    await world.round()
    assert (world.broker.pulls, world.comparison.found, world.noted, world.told) == (1, (), [], [])


async def test_a_position_that_no_push_told_is_listed_noted_and_taken_over(world: World) -> None:
    world.broker.quantity = "3"
    await world.round()
    (found,) = world.comparison.found
    assert str(found) == "position MNQ: we have none, the broker shows 3"
    assert found.since == START + LOOK_AGAIN_NS
    assert len(world.noted) == 1
    assert world.kernel.state.accounts["eval"].book["MNQ"].quantity == 3.0
    assert world.told == []
    assert [each.status for each in world.health.services()] == ["degraded"]
    await world.round()
    assert world.comparison.found == ()
    assert [each.status for each in world.health.services()] == ["up"]
    assert len(world.noted) == 2


async def test_a_push_that_was_only_late_is_no_difference(world: World) -> None:
    world.broker.quantity = "1"
    asked = iter(range(9))
    world.broker.before = lambda: world.fill(1) if next(asked) == 1 else None
    await world.round()
    assert world.comparison.found == ()
    assert world.noted == []


async def test_a_round_during_which_something_is_filled_says_nothing(world: World) -> None:
    world.broker.quantity = "5"
    world.broker.before = lambda: world.fill(1)
    await world.round()
    assert (world.broker.pulls, world.comparison.found) == (1, ())


async def test_a_broker_that_does_not_answer_is_not_a_difference(world: World) -> None:
    world.broker.fails = True
    await world.round()
    assert world.comparison.found == ()


async def test_a_broker_that_does_not_answer_twice_in_a_row_is_a_flaw_until_it_answers(world: World) -> None:
    world.broker.fails = True
    await world.round()
    assert (world.pulls.is_missing(EVAL), world.pulls.flaw(EVAL)) == (True, "")
    await world.round()
    assert world.pulls.flaw(EVAL) == "away"
    world.broker.fails = False
    await world.round()
    assert (world.pulls.is_missing(EVAL), world.pulls.flaw(EVAL), world.pulls.age_ns(EVAL)) == (False, "", 0)


@pytest.mark.parametrize("failure", [KeyError("equity"), Refused("the key was revoked"), PluginFailed("broken")])
async def test_whatever_a_broker_raises_when_it_is_asked_is_no_answer_and_ends_nothing(
    world: World, failure: Exception
) -> None:
    def fail() -> None:
        raise failure

    world.broker.before = fail
    await world.round()
    await world.round()
    assert world.pulls.flaw(EVAL) == str(failure)


async def test_a_broken_invariant_is_no_answer_of_a_broker(world: World) -> None:
    def fail() -> None:
        raise InvariantBroken("two fills with one name")

    world.broker.before = fail
    with pytest.raises(InvariantBroken):
        await world.comparison.compare(EVAL)


async def test_a_pull_for_which_there_was_no_share_of_reading_says_nothing_of_the_broker(world: World) -> None:
    def starve() -> None:
        raise TimeoutError

    world.broker.before = starve
    await world.round()
    assert not world.pulls.is_missing(EVAL)


async def test_a_broker_that_does_not_answer_is_asked_again_soon_and_the_others_in_their_time(world: World) -> None:
    world.broker.fails = True
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.comparison.run())
        for seconds, pulls in ((30, 1), (5, 2), (5, 3)):
            await asyncio.sleep(0)
            world.clock.advance_to(world.clock.now() + seconds * NS_PER_S)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert world.broker.pulls == pulls
        world.broker.fails = False
        for seconds, pulls in ((5, 4), (10, 4), (5, 5)):
            await asyncio.sleep(0)
            world.clock.advance_to(world.clock.now() + seconds * NS_PER_S)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert world.broker.pulls == pulls
        task.cancel()


async def test_a_difference_that_comes_back_is_told_once_and_entries_wait_until_both_agree(world: World) -> None:
    world.broker.quantity, world.stuck = "3", True
    for _ in range(3):
        await world.round()
    assert len(world.told) == 1
    assert "[E862]" in world.told[0]
    assert world.confirmed == set()
    (found,) = world.comparison.found
    assert found.since == START + LOOK_AGAIN_NS
    world.broker.quantity = "0"
    await world.round()
    assert world.confirmed == {EVAL}
    assert "agrees with its broker again" in world.told[1]


async def test_an_account_whose_broker_is_away_is_not_confirmed_by_agreeing(world: World) -> None:
    world.broker.quantity, world.stuck = "3", True
    await world.round()
    await world.round()
    world.put_always(ConnectionUpdate(at=START, received_at=START, account=EVAL, status=ConnectionStatus.DISCONNECTED))
    world.broker.quantity = "0"
    await world.round()
    assert world.confirmed == set()


async def test_an_account_whose_data_contradicted_itself_is_cleared_by_a_round_that_agrees(world: World) -> None:
    world.fill(2)
    world.broker.quantity = "3"
    await world.round()
    account = world.kernel.state.accounts["eval"]
    assert account.suspect_reason == "fills make 2, the broker holds 3"
    world.clock.advance_to(world.clock.now() + NS_PER_S)
    await world.round()
    assert account.suspect_reason == ""


async def test_an_order_that_no_longer_works_there_and_one_that_is_new_are_both_listed(world: World) -> None:
    world.put_always(OrderUpdate(at=START, received_at=START, order=order("gone")))
    world.put_always(OrderUpdate(at=START, received_at=START, order=order("filled")))
    world.broker.orders = (order("new"), order("filled", 2))
    snapshot = await world.broker.snapshot(EVAL)
    kernel: Kernel = world.kernel  # type: ignore[assignment]
    assert [str(each) for each in differences(kernel, snapshot)] == [
        "order filled: we have 3 left, the broker shows 1 left",
        "order gone: we have 3 left, the broker shows none",
        "order new: we have none, the broker shows 3 left",
    ]


async def test_a_position_under_an_alias_of_the_broker_is_the_same_position(world: World) -> None:
    world.fill(2)
    world.broker.quantity, world.broker.symbol = "2", Symbol("CON.F.US.MNQ.Z25")
    await world.round()
    assert world.comparison.found == ()


async def test_a_snapshot_of_an_account_that_is_not_set_up_shows_nothing(world: World) -> None:
    snapshot = await world.broker.snapshot(AccountId("stranger"))
    assert differences(world.kernel, snapshot) == ()  # type: ignore[arg-type]


async def test_rounds_come_on_the_clock_and_leave_out_who_is_not_confirmed(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.comparison.run())
        for _ in range(3):
            await asyncio.sleep(0)
            world.clock.advance_to(world.clock.now() + 30 * NS_PER_S)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert world.broker.pulls == 3
        world.confirmed.clear()
        world.clock.advance_to(world.clock.now() + 30 * NS_PER_S)
        await asyncio.sleep(0)
        assert world.broker.pulls == 3
        task.cancel()
