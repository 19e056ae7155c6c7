"""Engine and guardian take turns: who holds the lease sends, who does not looks first."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S, ManualClock
from haltline.config.guardian import BEAT_NS, LOOKS
from haltline.errors import Transient
from haltline.model.event import AccountReport, PositionReport
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.runtime.handover import LEASE_NS, LONGEST_NS, HandoverBroker, Lease, taking_turns
from haltline.runtime.heartbeat import AccountBeat, Heartbeat, heartbeat_path, write_heartbeat

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")


class Venue:
    """Holds `held` MNQ, and keeps what is asked of it."""

    def __init__(self) -> None:
        self.held = 2
        self.calls: list[str] = []

    async def run(self, sink, started) -> None:
        self.calls.append("run")

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        self.calls.append("snapshot")
        position = PositionReport(
            at=0, received_at=0, account=account, symbol=MNQ, quantity=Decimal(self.held), average_price=Decimal(1)
        )
        report = AccountReport(at=0, received_at=0, account=account)
        return AccountSnapshot(account=report, positions=(position,) if self.held else (), orders=())

    async def submit(self, request: OrderRequest) -> OrderReport:
        self.calls.append("submit")
        return OrderReport(
            account=EVAL, order_id=OrderId("1"), symbol=MNQ, side=request.side, quantity=request.quantity,
            type=request.type, status=OrderStatus.FILLED,
        )  # fmt: skip

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        self.calls.append("cancel")

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        self.calls.append("find")
        return None


class World:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "haltline.db"
        self.steady = ManualClock(100 * NS_PER_S)
        self.lease = Lease(self.path, steady=self.steady)
        self.venue = Venue()
        self.broker = HandoverBroker(self.venue, self.lease)

    def guardian(self, *, sending: bool, account: str = "eval", journal: str = "haltline.db") -> None:
        told = {account: AccountBeat(mode="", live=True, confirmed=True, sending=sending)}
        beat = Heartbeat(
            role="guardian", run="g", number=1, pid=2, wall=0, steady=0, state="guarding", journal=journal,
            accounts=told,
        )  # fmt: skip
        write_heartbeat(heartbeat_path(self.path, "guardian"), beat)

    def pass_ns(self, length_ns: int) -> None:
        self.steady.advance_to(self.steady.now() + length_ns)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def order(side: Side = Side.SELL, quantity: int = 2, *, reduce_only: bool = True) -> OrderRequest:
    return OrderRequest(
        account=EVAL, symbol=MNQ, side=side, quantity=Decimal(quantity), reduce_only=reduce_only, client_id="c",
        type=OrderType.MARKET,
    )  # fmt: skip


async def test_with_a_lease_an_order_is_sent_without_looking(world: World) -> None:
    world.guardian(sending=True)
    world.lease.renew(["eval"], world.steady.now())
    world.pass_ns(LEASE_NS)
    await world.broker.submit(order())
    assert world.venue.calls == ["submit"]


async def test_a_lease_ends_before_a_guardian_may_act_and_is_of_the_accounts_that_the_beat_names(world: World) -> None:
    world.lease.renew(["eval"], world.steady.now())
    world.pass_ns(LEASE_NS + 1)
    assert not world.lease.is_held(EVAL)
    world.lease.renew(["other"], world.steady.now())
    assert not world.lease.is_held(EVAL)
    assert LEASE_NS < LOOKS * BEAT_NS  # the shortest silence that a set-up may allow


async def test_without_a_lease_and_without_a_guardian_an_order_is_sent(world: World) -> None:
    await world.broker.submit(order())
    assert world.venue.calls == ["submit"]


@pytest.mark.parametrize("content", [b"", b'{"role": "gua', b"[]"])
async def test_a_torn_word_of_the_guardian_holds_nothing_up(world: World, content: bytes) -> None:
    heartbeat_path(world.path, "guardian").write_bytes(content)
    await world.broker.submit(order())
    assert world.venue.calls == ["submit"]


async def test_a_guardian_of_another_journal_holds_nothing_up(world: World) -> None:
    world.guardian(sending=True, journal="other.db")
    await world.broker.submit(order())
    assert world.venue.calls == ["submit"]


async def test_without_a_lease_a_request_of_the_guardian_ends_first(world: World) -> None:
    world.guardian(sending=True)
    with pytest.raises(Transient, match="the guardian sends an order for eval at this moment") as told:
        await world.broker.submit(order())
    assert told.value.retry_after_s == 0.2
    assert world.venue.calls == []
    world.guardian(sending=False)
    await world.broker.submit(order())
    assert world.venue.calls == ["snapshot", "submit"]


async def test_two_orders_at_once_both_look(world: World) -> None:
    world.guardian(sending=True)
    found = await asyncio.gather(
        *(world.broker.submit(order(quantity=quantity)) for quantity in (1, 2)), return_exceptions=True
    )
    assert [type(each) for each in found] == [Transient, Transient]
    assert world.venue.calls == []


async def test_a_request_of_the_guardian_on_another_account_holds_nothing_up(world: World) -> None:
    world.guardian(sending=True, account="other")
    await world.broker.submit(order())
    assert world.venue.calls == ["snapshot", "submit"]


async def test_a_guardian_that_hangs_in_a_request_holds_the_engine_up_for_so_long_and_no_longer(world: World) -> None:
    world.guardian(sending=True)
    for _ in range(2):
        with pytest.raises(Transient):
            await world.broker.submit(order())
        world.pass_ns(LONGEST_NS)
    world.pass_ns(1)
    await world.broker.submit(order())
    assert world.venue.calls == ["snapshot", "submit"]
    world.guardian(sending=False)
    await world.broker.submit(order())
    world.guardian(sending=True)
    with pytest.raises(Transient):
        await world.broker.submit(order())


@pytest.mark.parametrize(
    ("held", "side", "quantity"), [(0, Side.SELL, 2), (1, Side.SELL, 2), (-2, Side.SELL, 2), (2, Side.BUY, 1)]
)
async def test_what_the_guardian_has_closed_meanwhile_is_not_closed_again(
    world: World, held: int, side: Side, quantity: int
) -> None:
    world.guardian(sending=False)
    world.venue.held = held
    with pytest.raises(Transient, match="the guardian may have acted"):
        await world.broker.submit(order(side, quantity))
    assert world.venue.calls == ["snapshot"]


async def test_an_order_that_does_not_only_reduce_is_not_measured_by_the_position(world: World) -> None:
    world.guardian(sending=False)
    await world.broker.submit(order(Side.BUY, 9, reduce_only=False))
    assert world.venue.calls == ["submit"]


async def test_reading_and_cancelling_pass(world: World) -> None:
    world.guardian(sending=True)
    await world.broker.run(lambda event: None, lambda: None)
    await world.broker.snapshot(EVAL)
    await world.broker.find_order(EVAL, "x")
    await world.broker.cancel(EVAL, OrderId("1"))
    assert world.venue.calls == ["run", "snapshot", "find", "cancel"]


def test_where_there_is_no_file_there_are_no_turns_to_take(world: World) -> None:
    brokers = {EVAL: world.venue}
    assert taking_turns(brokers, None) is brokers
    assert isinstance(taking_turns(brokers, world.lease)[EVAL], HandoverBroker)
