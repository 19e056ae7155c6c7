"""The suite has teeth: a broker with one fault fails the case that is about it, and says why."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from haltline.api import AccountSnapshot, Broker, EventSink, Started
from haltline.builtins.paper.broker import PAPER, PaperBroker
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.event import Event, Fill, OrderUpdate
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest, OrderStatus
from haltline.testing.broker import BrokerCase, VenueFault, all_broker_cases, broker_cases, check_broker
from haltline.testing.conformance.record import ConformanceRecord, check_record, read_record, record_cases, write_record

HELD = {case.id: case for case in all_broker_cases()}


class Through:
    """A broker that hands everything on to a good one; the bad ones below change one thing each."""

    def __init__(self, good: PaperBroker) -> None:
        self.good = good
        self.venue = good.venue
        self.on_quote = good.on_quote

    async def run(self, sink: EventSink, started: Started) -> None:
        await self.good.run(lambda event: self.push(event, sink), started)

    def push(self, event: Event, sink: EventSink) -> None:
        sink(event)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        return await self.good.snapshot(account)

    async def submit(self, request: OrderRequest) -> OrderReport:
        return await self.good.submit(request)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        await self.good.cancel(account, order_id)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        return await self.good.find_order(account, client_id)


class Unsigned(Through):
    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        found = await super().snapshot(account)
        plain = tuple(msgspec.structs.replace(each, quantity=abs(each.quantity)) for each in found.positions)
        return msgspec.structs.replace(found, positions=plain)


class Floating(Through):
    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        found = await super().snapshot(account)
        noisy = tuple(
            msgspec.structs.replace(each, average_price=Decimal(float(each.average_price) / 3 * 3.0000001))
            for each in found.positions
        )
        return msgspec.structs.replace(found, positions=noisy)


class Forgetful(Through):
    async def submit(self, request: OrderRequest) -> OrderReport:
        self.number = getattr(self, "number", 0) + 1
        return await super().submit(msgspec.structs.replace(request, client_id=f"own-{self.number}"))


class Sure(Through):
    """Calls a doubt a refusal."""

    async def submit(self, request: OrderRequest) -> OrderReport:
        try:
            return await super().submit(request)
        except OutcomeUnknown as doubt:
            raise Transient(str(doubt)) from doubt


class Flipping(Through):
    async def submit(self, request: OrderRequest) -> OrderReport:
        return await super().submit(msgspec.structs.replace(request, reduce_only=False))


class Strict(Through):
    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        working = [each.order_id for each in (await self.good.snapshot(account)).orders]
        if order_id not in working:
            raise Refused("there is no such order")
        await super().cancel(account, order_id)


class Quiet(Through):
    def push(self, event: Event, sink: EventSink) -> None:
        if not isinstance(event, Fill):
            sink(event)


class Halfway(Through):
    def push(self, event: Event, sink: EventSink) -> None:
        if not (isinstance(event, OrderUpdate) and event.order.status is OrderStatus.FILLED):
            sink(event)


class Raising(Through):
    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        raise KeyError(client_id)


class Sleeping(Through):
    """Waits out a limit by itself."""

    async def submit(self, request: OrderRequest) -> OrderReport:
        try:
            return await super().submit(request)
        except Transient as failure:
            await asyncio.sleep(failure.retry_after_s)  # sleeps: that is what this broker does wrong
            return await super().submit(request)


class Leaking(Through):
    left: ClassVar[list[asyncio.Task[None]]] = []

    async def run(self, sink: EventSink, started: Started) -> None:
        self.left.append(asyncio.create_task(asyncio.Event().wait()))  # type: ignore[arg-type]
        await super().run(sink, started)


class Talkative(Through):
    def __repr__(self) -> str:
        return "Talkative(key='s3cret')"


def bad_world(wrap: Callable[[PaperBroker], Broker], folder: Path):  # type: ignore[no-untyped-def]
    """The paper world of the other file, with a bad client."""
    import importlib.util

    file = Path(__file__).with_name("test_conformance_paper.py")
    spec = importlib.util.spec_from_file_location("paper_world", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class World(module.PaperWorld):  # type: ignore[name-defined,misc]
        patience_s = 0.4
        secrets = ("s3cret",)

        def make(self, config=None):  # type: ignore[no-untyped-def]
            return wrap(super().make(config))

    return World(folder)


@pytest.mark.parametrize(
    ("bad", "failing"),
    [
        (Unsigned, "BRK-003"), (Floating, "BRK-002"), (Forgetful, "BRK-041"), (Forgetful, "BRK-044"),
        (Forgetful, "BRK-064"), (Sure, "BRK-063"), (Flipping, "BRK-055"), (Flipping, "BRK-056"), (Flipping, "BRK-059"),
        (Strict, "BRK-046"), (Quiet, "BRK-021"), (Quiet, "BRK-022"), (Halfway, "BRK-023"), (Raising, "BRK-042"),
        (Sleeping, "BRK-067"), (Leaking, "BRK-100"), (Talkative, "BRK-103"),
    ],
)  # fmt: skip
async def test_a_bad_broker_fails_the_case_that_is_about_it(bad: type[Through], failing: str, tmp_path: Path) -> None:
    try:
        with pytest.raises(AssertionError) as caught:
            await check_broker(HELD[failing], bad_world(bad, tmp_path))
        assert str(caught.value)
    finally:
        for task in Leaking.left:
            task.cancel()
        Leaking.left.clear()


@pytest.mark.parametrize("case", [HELD["BRK-003"], HELD["BRK-064"], HELD["BRK-100"]], ids=str)
async def test_a_good_broker_behind_the_same_wrapper_passes(case: BrokerCase, tmp_path: Path) -> None:
    world = bad_world(Through, tmp_path)
    world.patience_s = 3.0
    await check_broker(case, world)


def test_case_ids_are_unique_and_every_case_says_what_it_promises() -> None:
    cases = all_broker_cases()
    assert len({case.id for case in cases}) == len(cases) > 60
    assert all(case.title and not case.title.endswith(".") for case in cases)


def test_a_case_counts_only_where_flag_fault_and_second_account_are_there(tmp_path: Path) -> None:
    world = bad_world(Through, tmp_path)
    counted = {case.id for case in broker_cases(world)}
    assert "BRK-041" in counted
    assert HELD["BRK-012"].missing(world) == ("hedge_mode",)
    assert HELD["BRK-081"].missing(world) == ("fault drop",)
    world.other = None
    assert HELD["BRK-009"].missing(world) == ("a second account",)
    assert VenueFault.DROP not in world.faults


async def test_a_record_tells_a_failure_and_is_not_accepted_with_one(tmp_path: Path) -> None:
    class Opened:
        async def __aenter__(self):  # type: ignore[no-untyped-def]
            return bad_world(Unsigned, tmp_path)

        async def __aexit__(self, *exc: object) -> None:
            return None

    cases = [HELD["BRK-003"], HELD["BRK-012"]]
    lines: list[str] = []
    record: ConformanceRecord = await record_cases(cases, lambda folder: Opened(), name="bad", told=lines.append)  # type: ignore[arg-type,return-value]
    assert record.cases["BRK-012"] == "not promised: hedge_mode"
    assert record.failed == ("BRK-003",)
    assert len(lines) == 2
    write_record(record, tmp_path / "deep" / "bad.json")
    assert read_record(tmp_path / "deep" / "bad.json") == record
    world = bad_world(Through, tmp_path)
    with pytest.raises(AssertionError, match="failures are on record"):
        check_record(tmp_path / "deep" / "bad.json", world, cases)
    fewer = msgspec.structs.replace(record, cases={"BRK-003": "passed"})
    write_record(fewer, tmp_path / "bad.json")
    with pytest.raises(AssertionError, match="the cases have changed"):
        check_record(tmp_path / "bad.json", world, cases)
    assert PAPER.capabilities == world.kind.capabilities
