"""The venue over real TCP: the client classifies every failure rightly, the stream is whole, the book survives."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.api import BrokerSetup
from haltline.builtins.paper.setting import PaperSetting
from haltline.clock import NS_PER_S, SystemClock
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.account import AccountSpec
from haltline.model.event import Event, Fill, OrderUpdate, Quote, Tick
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, OrderStatus, OrderType, Side
from haltline_sim_paper.broker import PAPER_REMOTE, RemotePaperBroker
from haltline_sim_paper.control import Control
from haltline_sim_paper.fault import Fault, FaultKind, HumanTrade
from haltline_sim_paper.host import Host
from haltline_sim_paper.order import Sequence
from haltline_sim_paper.server import Venue
from haltline_sim_paper.wire import Book, Login, Push

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
ACCOUNT = AccountSpec(id=EVAL, balance=Decimal(50_000))
SPEC = InstrumentSpec(symbol=MNQ, tick_size=Decimal("0.25"), tick_value=Decimal("0.50"))
CLOCK = SystemClock()
BUY = OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(4), client_id="c1")
README = Path(__file__).parents[1] / "README.md"


@dataclass
class World:
    """A venue, its host, a client, and what the client was pushed."""

    host: Host
    venue: Venue
    broker: RemotePaperBroker
    heard: list[Event] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)

    def arm(self, kind: FaultKind, **more: object) -> None:
        self.venue.faults.arm(Fault(kind=kind, **more))  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.broker.run(self.heard.append, self.started.set))
        await self.started.wait()
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Transient):
                await task

    async def heard_of(self, kind: type[Event], count: int) -> list[Event]:  # type: ignore[type-arg]
        deadline = CLOCK.now() + 5 * NS_PER_S
        while len(found := [event for event in self.heard if isinstance(event, kind)]) < count:
            assert CLOCK.now() < deadline, f"{len(found)} of {count} came"
            await CLOCK.sleep_until(CLOCK.now() + NS_PER_S // 100)
        return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def a_world(folder: Path, *, setting: PaperSetting | None = None, key: str = "paper") -> AsyncIterator[World]:
    ready: asyncio.Queue[int] = asyncio.Queue()
    host = Host(folder / "book.sqlite", CLOCK, setting)
    venue = Venue(host, CLOCK, beat_s=0.1)
    serving = asyncio.create_task(venue.run(ready.put_nowait))
    port = await ready.get()
    config = {"port": port, "timeout_s": 0.3, "silence_s": 0.5, "key": key}
    setup = BrokerSetup(name="v", config=config, accounts=[ACCOUNT], instruments=[SPEC], clock=CLOCK)
    broker = RemotePaperBroker(setup)
    try:
        if key == "paper":
            await broker.snapshot(EVAL)
            host.quote(Quote(at=1, received_at=1, symbol=MNQ, bid=21_000.0, ask=21_000.25, last=21_000.0))
        yield World(host, venue, broker)
    finally:
        broker._requests.close()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def held(world: World) -> Decimal:
    return sum((p.quantity for p in (await world.broker.snapshot(EVAL)).positions), Decimal(0))


async def test_an_order_fills_and_the_snapshot_shows_it(world: World) -> None:
    report = await world.broker.submit(BUY)
    assert (report.status, report.filled) == (OrderStatus.FILLED, Decimal(4))
    assert await held(world) == 4


async def test_the_same_client_id_twice_is_one_order(world: World) -> None:
    first, second = await world.broker.submit(BUY), await world.broker.submit(BUY)
    assert first.order_id == second.order_id
    assert await held(world) == 4


async def test_an_unknown_account_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="not kept"):
        await world.broker.snapshot(AccountId("other"))


async def test_a_lost_acknowledgement_is_an_unknown_outcome_and_the_order_is_found(world: World) -> None:
    world.arm(FaultKind.LOST_ACK)
    with pytest.raises(OutcomeUnknown, match="did not answer"):
        await world.broker.submit(BUY)
    found = await world.broker.find_order(EVAL, "c1")
    assert found is not None
    assert found.filled == 4


async def test_a_submit_that_hangs_before_its_effect_is_unknown_too_and_nothing_is_found(world: World) -> None:
    world.arm(FaultKind.HANG)
    with pytest.raises(OutcomeUnknown):
        await world.broker.submit(BUY)
    assert await world.broker.find_order(EVAL, "c1") is None


@pytest.mark.parametrize(("stage", "filled"), [("before", 0), ("after", 4)])
async def test_a_cut_connection_is_an_unknown_outcome_and_the_next_call_connects_again(
    world: World, stage: str, filled: int
) -> None:
    world.arm(FaultKind.DROP, stage=stage)
    with pytest.raises(OutcomeUnknown, match="lost before it answered"):
        await world.broker.submit(BUY)
    assert await held(world) == filled


async def test_a_read_that_gets_no_answer_is_transient(world: World) -> None:
    world.arm(FaultKind.HANG, verb="snapshot")
    with pytest.raises(Transient, match="did not answer"):
        await world.broker.snapshot(EVAL)


async def test_a_venue_that_is_away_is_transient(world: World) -> None:
    world.arm(FaultKind.RESTART, verb="snapshot", after_s=0.2)
    with pytest.raises(Transient):
        await world.broker.snapshot(EVAL)
    with pytest.raises(Transient, match="cannot be reached"):
        await world.broker.submit(BUY)


async def test_a_rejected_order_is_refused_with_the_reason(world: World) -> None:
    world.arm(FaultKind.REJECT, reason="price band")
    with pytest.raises(Refused, match="price band"):
        await world.broker.submit(BUY)


async def test_a_venue_that_throttles_is_left_alone_for_as_long_as_it_said(world: World) -> None:
    world.arm(FaultKind.THROTTLE, after_s=0.2)
    with pytest.raises(Transient, match="too many requests"):
        await world.broker.submit(BUY)
    with pytest.raises(Transient, match="wants no request"):
        await world.broker.submit(BUY)
    assert world.venue._calls["submit"] == 1
    await CLOCK.sleep_until(CLOCK.now() + NS_PER_S // 4)
    assert (await world.broker.submit(BUY)).filled == 4


async def test_an_expired_token_is_renewed_and_the_call_takes_effect_once(world: World) -> None:
    world.arm(FaultKind.EXPIRE)
    assert (await world.broker.submit(BUY)).filled == 4
    assert await held(world) == 4
    assert world.venue._calls["login"] == 2


async def test_a_wrong_key_is_refused(tmp_path: Path) -> None:
    async with a_world(tmp_path, key="wrong") as world:
        with pytest.raises(Refused, match="key"):
            await world.broker.snapshot(EVAL)


async def test_a_part_that_filled_before_the_rest_was_rejected_is_reported_and_not_refused(world: World) -> None:
    world.arm(FaultKind.PARTIAL_REJECT)
    report = await world.broker.submit(BUY)
    assert (report.status, report.filled) == (OrderStatus.REJECTED, Decimal(2))


async def test_a_closed_market_refuses_orders_until_it_is_mended(world: World) -> None:
    with await asyncio.to_thread(Control, world.venue.port) as control:
        await asyncio.to_thread(control.arm, Fault(kind=FaultKind.CLOSED, count=None))
        with pytest.raises(Refused, match="closed"):
            await world.broker.submit(BUY)
        await asyncio.to_thread(control.mend)
    assert (await world.broker.submit(msgspec.structs.replace(BUY, client_id="c2"))).filled == 4


async def test_somebody_trades_by_hand_in_between(world: World) -> None:
    trade = HumanTrade(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(5))
    world.arm(FaultKind.HUMAN, trade=trade)
    await world.broker.submit(BUY)
    assert await held(world) == -1


async def test_an_order_fills_although_its_cancel_was_confirmed(world: World) -> None:
    resting = msgspec.structs.replace(BUY, type=OrderType.LIMIT, limit_price=Decimal(20_000))
    report = await world.broker.submit(resting)
    world.arm(FaultKind.LATE_FILL)
    async with world.listening():
        await world.broker.cancel(EVAL, report.order_id)
        await world.heard_of(Fill, 1)
    assert await held(world) == 4


async def test_cancelling_what_does_not_work_is_no_error(world: World) -> None:
    await world.broker.cancel(EVAL, OrderId("eval-99"))


async def test_an_order_with_latency_reaches_the_market_by_itself(tmp_path: Path) -> None:
    async with a_world(tmp_path, setting=PaperSetting(latency_ms=50)) as world, world.listening():
        assert (await world.broker.submit(BUY)).status is OrderStatus.PENDING
        await world.heard_of(Fill, 1)


async def test_pushes_in_the_wrong_order_are_handed_on_in_the_right_one(world: World) -> None:
    async with world.listening():
        world.arm(FaultKind.REORDER, count=2)
        await world.broker.submit(BUY)
        updates = await world.heard_of(OrderUpdate, 2)
    assert [u.order.status for u in updates] == [OrderStatus.WORKING, OrderStatus.FILLED]  # type: ignore[union-attr]


async def test_pushes_that_were_lost_are_asked_for(world: World) -> None:
    async with world.listening():
        world.arm(FaultKind.MUTE, count=4)
        await world.broker.submit(BUY)
        await world.heard_of(Fill, 1)


async def test_pushes_that_were_lost_without_a_gap_never_come_and_a_pull_shows_what_they_told(world: World) -> None:
    async with world.listening():
        world.arm(FaultKind.LOSE, count=None)
        await world.broker.submit(BUY)
        world.venue.faults.clear()
        await world.broker.submit(msgspec.structs.replace(BUY, client_id="c9"))
        fills = await world.heard_of(Fill, 1)
        held = (await world.broker.snapshot(EVAL)).positions
    assert (len(fills), [each.quantity for each in held]) == (1, [2 * BUY.quantity])


async def test_an_execution_that_is_pushed_twice_keeps_its_id(world: World) -> None:
    async with world.listening():
        world.arm(FaultKind.DUPLICATE_FILL)
        await world.broker.submit(BUY)
        fills = await world.heard_of(Fill, 2)
    assert len({fill.fill_id for fill in fills}) == 1  # type: ignore[union-attr]


async def test_a_stream_that_falls_silent_ends_with_transient(world: World) -> None:
    async with world.listening() as task:
        world.arm(FaultKind.SILENCE, count=None)
        with pytest.raises(Transient, match="silent"):
            await task


async def test_a_stream_whose_connection_is_cut_ends_with_transient(world: World) -> None:
    async with world.listening() as task:
        world.venue._hang_up()
        with pytest.raises(Transient, match="closed the connection"):
            await task


async def test_a_restart_keeps_the_port_and_the_book(world: World) -> None:
    await world.broker.submit(BUY)
    world.arm(FaultKind.RESTART, verb="find")
    with pytest.raises(Transient):
        await world.broker.find_order(EVAL, "c1")
    while not world.venue._server.is_serving():  # type: ignore[union-attr]
        await CLOCK.sleep_until(CLOCK.now() + NS_PER_S // 100)
    assert await held(world) == 4
    assert (await world.broker.submit(msgspec.structs.replace(BUY, client_id="c2"))).filled == 4


async def test_a_line_that_is_no_frame_ends_that_connection_and_no_other(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.venue.port)
    writer.write(b'{"id": 1, "call": {"do": "steal"}}\n')
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    assert await held(world) == 0


def test_the_command_prints_its_port_and_survives_a_kill_with_its_book(tmp_path: Path) -> None:
    login = Login(key="paper", accounts=(ACCOUNT,), instruments=(SPEC,))
    with started(tmp_path) as port, Control(port, login) as control:
        control.price(MNQ, 21_000, 21_000.25)
        control.submit(BUY)
    with started(tmp_path) as port, Control(port, login) as control:
        assert [fill.quantity for fill in control.book().fills] == [Decimal(4)]
        assert control.submit(msgspec.structs.replace(BUY, client_id="c2")).filled == 4
        assert control.book().calls["submit"] == 1


async def test_a_fault_waits_for_the_engine_while_somebody_trades_by_hand(world: World) -> None:
    for kind in (FaultKind.THROTTLE, FaultKind.PARTIAL_REJECT):
        world.arm(kind)
    with await asyncio.to_thread(Control, world.venue.port, Login(key="paper", accounts=(ACCOUNT,), by_hand=True)) as c:
        by_hand = await asyncio.to_thread(c.submit, msgspec.structs.replace(BUY, client_id="hand"))
    assert by_hand.filled == 4
    with pytest.raises(Transient, match="too many requests"):
        await world.broker.submit(BUY)


async def test_a_cut_takes_every_connection_but_those_by_hand(world: World) -> None:
    login = Login(key="paper", accounts=(ACCOUNT,), by_hand=True)
    with await asyncio.to_thread(Control, world.venue.port, login) as c:
        async with world.listening() as task:
            await asyncio.to_thread(c.cut)
            with pytest.raises(Transient):
                await task
        assert (await asyncio.to_thread(c.book)).orders == ()


async def test_a_venue_that_is_told_to_go_away_twice_comes_back_once_with_its_book(world: World) -> None:
    await world.broker.submit(BUY)
    with await asyncio.to_thread(Control, world.venue.port) as first, \
            await asyncio.to_thread(Control, world.venue.port) as second:  # fmt: skip
        for control in (first, second):
            with contextlib.suppress(Transient):
                await asyncio.to_thread(control.cut, 0.2)
    while not await _is_back(world):
        await CLOCK.sleep_until(CLOCK.now() + NS_PER_S // 50)
    assert await held(world) == 4


async def _is_back(world: World) -> bool:
    try:
        return await held(world) == 4
    except Transient:
        return False


def a_bad_day(port: int) -> Book:
    """Somebody buys by hand; the answer to the next order will be lost."""
    with Control(port) as venue:
        venue.price(MNQ, 21_000, 21_000.25)
        venue.trade(EVAL, MNQ, Side.BUY, Decimal(3))
        venue.arm(Fault(kind=FaultKind.LOST_ACK))
        return venue.book()


def test_a_day_is_made_bad_by_hand(tmp_path: Path) -> None:
    with started(tmp_path) as port, Control(port, Login(key="paper", accounts=(ACCOUNT,), instruments=(SPEC,))):
        book = a_bad_day(port)
    assert [(fill.side, fill.quantity) for fill in book.fills] == [(Side.BUY, Decimal(3))]


def test_the_command_refuses_settings_that_are_none(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "haltline_sim_paper", "--book", str(tmp_path / "b"), "--config", '{"depth": 1}'],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--config" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_control_without_a_venue_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Transient, match="cannot be reached"):
        Control(port)


@contextlib.contextmanager
def started(folder: Path):  # type: ignore[no-untyped-def]
    with subprocess.Popen(
        [sys.executable, "-m", "haltline_sim_paper", "--book", str(folder / "book.sqlite")],
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)


@settings(deadline=None, max_examples=100)
@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8), max_size=5))
def test_any_order_of_pushes_with_any_repeats_is_handed_on_in_order_and_once(
    order: list[int], repeats: list[int]
) -> None:
    sequence = Sequence(0)
    handed = [
        event.at
        for number in [*order, *repeats]
        for event in sequence.take([Push(seq=number, event=Tick(at=number, received_at=0))])
    ]
    assert handed == list(range(1, 9))
    assert not sequence.has_gap


def test_a_heartbeat_tells_of_a_lost_tail() -> None:
    sequence = Sequence(3)
    assert sequence.take([Push(seq=5)]) == []
    assert sequence.has_gap


def test_the_readme_names_every_fault_and_every_setting() -> None:
    text = README.read_text("utf-8")
    assert [kind for kind in FaultKind if f"| `{kind}` |" not in text] == []
    assert [
        key for key in json.loads(json.dumps(PAPER_REMOTE.schema))["properties"] if f"| `{key}` |" not in text
    ] == []
