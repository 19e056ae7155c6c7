"""The paper broker: durable before it speaks, the same book after a restart, and faults where tests want them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from haltline.api import Broker, BrokerSetup, QuoteTaker
from haltline.builtins.paper.broker import PaperBroker, make_paper_broker
from haltline.builtins.paper.store import BookStore
from haltline.clock import ManualClock
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport, Event, Fill, OrderUpdate, PositionReport, Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, OrderStatus, OrderType, Side

EVAL = AccountId("eval")
MNQ = Symbol("MNQ")


def setup_in(directory: Path | None, clock: ManualClock, **config: object) -> BrokerSetup:
    return BrokerSetup(
        name="sim",
        config=config,
        accounts=[AccountSpec(id=EVAL, balance=Decimal(50_000))],
        instruments=[InstrumentSpec(symbol=MNQ, tick_size=Decimal("0.25"), tick_value=Decimal("0.50"))],
        clock=clock,
        directory=directory,
    )


def request(quantity: int = 1, **fields: object) -> OrderRequest:
    return OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(quantity), **fields)  # type: ignore[arg-type]


def quote(last: float, at: int = 1) -> Quote:
    return Quote(at=at, received_at=at, symbol=MNQ, last=last)


@asynccontextmanager
async def running(broker: PaperBroker) -> AsyncIterator[list[Event]]:
    events: list[Event] = []
    started = asyncio.Event()
    task = asyncio.ensure_future(broker.run(events.append, started.set))
    await started.wait()
    try:
        yield events
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def settled(broker: PaperBroker, events: list[Event], sort: type[Event]) -> None:
    async with asyncio.timeout(10):
        while not any(isinstance(event, sort) for event in events):  # noqa: ASYNC110 - the sink is a plain list
            await asyncio.sleep(0.001)


def test_it_is_a_broker_that_takes_quotes() -> None:
    broker: Broker = make_paper_broker(setup_in(None, ManualClock()))
    assert isinstance(broker, QuoteTaker)


async def test_run_pushes_the_present_state_before_it_says_started(tmp_path: Path) -> None:
    async with running(PaperBroker(setup_in(tmp_path, ManualClock()))) as events:
        reports = [event for event in events if isinstance(event, AccountReport)]
    assert reports[0].balance == Decimal(50_000)


async def test_a_submitted_order_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    broker = PaperBroker(setup_in(tmp_path, ManualClock(5)))
    broker.on_quote(quote(100.0))
    await broker.submit(request())
    rows = {row[0] for row in BookStore(tmp_path / "paper-sim.sqlite").read()}
    assert rows == {"account", "order", "fill"}


async def test_a_new_process_continues_with_the_same_book(tmp_path: Path) -> None:
    first = PaperBroker(setup_in(tmp_path, ManualClock(5)))
    first.on_quote(quote(100.0))
    await first.submit(request(2))
    await first.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(90), client_id="entry"))
    second = PaperBroker(setup_in(tmp_path, ManualClock(6)))
    async with running(second) as events:
        assert [event.quantity for event in events if isinstance(event, PositionReport)] == [Decimal(2)]
        assert [event.order.client_id for event in events if isinstance(event, OrderUpdate)] == ["entry"]
        assert [event.fill_id for event in events if isinstance(event, Fill)] == ["eval-f1"]
        third = await second.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(80)))
    assert third.order_id == "eval-3"


async def test_a_fill_by_a_quote_is_on_disk_before_it_is_pushed(tmp_path: Path) -> None:
    broker = PaperBroker(setup_in(tmp_path, ManualClock(5)))
    async with running(broker) as events:
        await broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(90)))
        broker.on_quote(quote(89.0))
        assert not any(isinstance(event, Fill) for event in events)
        await settled(broker, events, Fill)
        kept = [row for row in BookStore(tmp_path / "paper-sim.sqlite").read() if row[0] == "fill"]
    assert len(kept) == 1


async def test_without_a_directory_fills_are_pushed_at_once() -> None:
    broker = PaperBroker(setup_in(None, ManualClock(5)))
    async with running(broker) as events:
        await broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(90)))
        broker.on_quote(quote(89.0))
        assert any(isinstance(event, Fill) for event in events)


async def test_latency_runs_on_the_setup_clock() -> None:
    clock = ManualClock(0)
    broker = PaperBroker(setup_in(None, clock, latency_ms=50))
    async with running(broker) as events:
        broker.on_quote(quote(100.0))
        await broker.submit(request())
        await asyncio.sleep(0.01)  # sleeps: so that a fill that does not wait for the clock would be seen
        clock.advance_to(50_000_000)
        await settled(broker, events, Fill)


async def test_a_rejected_order_is_refused_with_the_reason() -> None:
    broker = PaperBroker(setup_in(None, ManualClock()))
    with pytest.raises(Refused, match="needs a limit price"):
        await broker.submit(request(type=OrderType.LIMIT, client_id="x"))
    found = await broker.find_order(EVAL, "x")
    assert found is not None
    assert found.status is OrderStatus.REJECTED


async def test_cancel_and_snapshot_speak_of_the_venue() -> None:
    broker = PaperBroker(setup_in(None, ManualClock()))
    order = await broker.submit(request(type=OrderType.LIMIT, limit_price=Decimal(90)))
    assert [found.order_id for found in (await broker.snapshot(EVAL)).orders] == [order.order_id]
    await broker.cancel(EVAL, order.order_id)
    assert (await broker.snapshot(EVAL)).orders == ()


async def test_faults_before_a_verb_prevent_its_effect() -> None:
    def fail(verb: str, stage: str) -> None:
        if (verb, stage) == ("submit", "before"):
            raise Transient("line is down")

    broker = PaperBroker(setup_in(None, ManualClock()), faults=fail)
    with pytest.raises(Transient):
        await broker.submit(request(client_id="x"))
    assert await broker.find_order(EVAL, "x") is None


async def test_faults_after_a_verb_leave_its_effect() -> None:
    def fail(verb: str, stage: str) -> None:
        if (verb, stage) == ("submit", "after"):
            raise OutcomeUnknown("answer lost")

    broker = PaperBroker(setup_in(None, ManualClock()), faults=fail)
    with pytest.raises(OutcomeUnknown):
        await broker.submit(request(client_id="x"))
    assert await broker.find_order(EVAL, "x") is not None


async def test_a_book_that_cannot_be_written_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    broker = PaperBroker(setup_in(tmp_path, ManualClock()))
    await broker.snapshot(EVAL)
    with sqlite3.connect(tmp_path / "paper-sim.sqlite") as other:
        other.execute("DROP TABLE book")
    other.close()
    with pytest.raises(OutcomeUnknown, match="paper book"):
        await broker.submit(request())


def test_a_store_keeps_all_rows_of_a_write_or_none(tmp_path: Path) -> None:
    from haltline.builtins.paper.book import Row

    store = BookStore(tmp_path / "book.sqlite")
    store.write([Row("order", "a", {"x": 1})])
    with pytest.raises(TypeError):
        store.write([Row("order", "b", {"x": 2}), Row("order", "c", object())])
    store.write([Row("order", "a", None), Row("order", "d", 4)])
    assert store.read() == [["order", "d", 4]]
    store.close()
