"""Whatever a broker plugin raises, the rest of an action is done, and nothing is sent twice."""

import asyncio
from decimal import Decimal

import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue, LaneWorld

from haltline.enforce.wall import WalledBroker
from haltline.errors import InvariantBroken, OutcomeUnknown, Refused, Transient
from haltline.model.event import OutcomeStatus
from haltline.model.id import OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, Side

ORDER = OrderRequest(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(1), reduce_only=True, client_id="c")


class BuggyVenue(FakeVenue):
    """Its plugin breaks down at one market."""

    broken: Symbol = MNQ

    async def submit(self, request: OrderRequest) -> OrderReport:
        if request.symbol == self.broken:
            raise KeyError("contractSize")
        return await super().submit(request)


async def test_a_plugin_that_breaks_down_at_one_market_keeps_no_other_position_open() -> None:
    world = LaneWorld(venue=BuggyVenue(held={MNQ: Decimal(3), MES: Decimal(-2)}))
    async with world.lane():
        world.executor.accept([world.plan("flatten", "f")])
        await world.settle()
    assert world.venue.held == {MNQ: Decimal(3), MES: Decimal(0)}
    assert world.receipt("f").status is OutcomeStatus.UNKNOWN
    assert "the broker plugin raised KeyError: 'contractSize'" in world.receipt("f").reason


@pytest.mark.parametrize("failure", [ConnectionResetError("reset by peer"), ValueError("no JSON"), OSError("broken")])
async def test_an_order_after_which_a_plugin_breaks_down_is_looked_up_and_not_sent_again(failure: Exception) -> None:
    world = LaneWorld()
    world.venue.script["submit", "after"] = [failure]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "c", MNQ)])
        await world.settle()
    assert world.receipt("c").status is OutcomeStatus.DONE
    assert world.venue.closes == [Decimal(-3)]
    assert world.venue.calls.count("submit") == 1


@pytest.mark.parametrize(
    "failure", [Transient("t"), Refused("r"), OutcomeUnknown("u"), TimeoutError(), InvariantBroken("i")]
)
async def test_what_a_broker_may_raise_passes(failure: Exception) -> None:
    venue = FakeVenue(held={MNQ: Decimal(3)})
    broker = WalledBroker(venue)
    calls = {
        "snapshot": lambda: broker.snapshot(EVAL), "submit": lambda: broker.submit(ORDER),
        "cancel": lambda: broker.cancel(EVAL, OrderId("1")), "find_order": lambda: broker.find_order(EVAL, "c"),
    }  # fmt: skip
    for verb, call in calls.items():
        venue.script[verb, "before"] = [failure]
        with pytest.raises(type(failure)) as raised:
            await call()
        assert raised.value is failure


@pytest.mark.parametrize(
    ("verb", "kind"),
    [("snapshot", Transient), ("find_order", Transient), ("submit", OutcomeUnknown), ("cancel", OutcomeUnknown)],
)
async def test_what_it_may_not_raise_is_no_answer_or_an_unknown_outcome(verb: str, kind: type[Exception]) -> None:
    venue = FakeVenue(held={MNQ: Decimal(3)})
    venue.script[verb, "before"] = [ZeroDivisionError("a bug")]
    broker = WalledBroker(venue)
    call = {
        "snapshot": lambda: broker.snapshot(EVAL), "submit": lambda: broker.submit(ORDER),
        "cancel": lambda: broker.cancel(EVAL, OrderId("1")), "find_order": lambda: broker.find_order(EVAL, "c"),
    }[verb]  # fmt: skip
    with pytest.raises(kind, match="the broker plugin raised ZeroDivisionError: a bug"):
        await call()


async def test_it_runs_the_broker_it_is_given() -> None:
    started = asyncio.Event()
    task = asyncio.ensure_future(WalledBroker(FakeVenue()).run(lambda event: None, started.set))
    async with asyncio.timeout(30):
        await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
