"""One budget of calls per broker: reading never takes the last share, enforcement is told when to come back."""

import asyncio
from decimal import Decimal
from typing import cast

import pytest
from lane_world import EVAL, MNQ, FakeVenue, LaneWorld

from haltline.api import AccountSnapshot, Broker, BrokerCall, RateLimit
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce import rate
from haltline.enforce.rate import ActingBroker, RateBudget, ReadingBroker
from haltline.errors import Transient
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest, Side

ORDER = OrderRequest(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(1), reduce_only=True, client_id="c")


def budget(clock: ManualClock, calls: RateLimit | None, orders: RateLimit | None = None) -> RateBudget:
    return RateBudget(name="venue", clock=clock, calls=calls, orders=orders)


def per_minute(calls: int) -> RateLimit:
    return RateLimit(calls=calls, per_s=60.0)


async def ended(task: asyncio.Task[object]) -> bool:
    for _ in range(20):
        await asyncio.sleep(0)
    return task.done()


async def test_reading_takes_its_share_and_then_waits_until_a_call_is_old_enough() -> None:
    clock = ManualClock(NS_PER_S)
    reader = ReadingBroker(FakeVenue(), budget(clock, per_minute(4)))
    await reader.snapshot(EVAL)
    await reader.snapshot(EVAL)
    third: asyncio.Task[object] = asyncio.ensure_future(reader.snapshot(EVAL))
    assert not await ended(third)
    clock.advance_to(61 * NS_PER_S)
    assert await ended(third)


async def test_a_pull_that_gets_no_answer_in_time_is_transient_and_without_a_limit_none_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Mute(FakeVenue):
        async def snapshot(self, account: AccountId) -> AccountSnapshot:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(rate, "READ_S", 0.01)
    with pytest.raises(Transient, match=r"no answer within 0\.01 s"):
        await ReadingBroker(Mute(), None).snapshot(EVAL)
    assert (await ReadingBroker(FakeVenue(), None).snapshot(EVAL)).account.account == EVAL


async def test_what_reading_leaves_enforcement_may_use_to_the_last_call() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(4))
    venue = FakeVenue(held={MNQ: Decimal(3)})
    reader, actor = ReadingBroker(venue, shared), ActingBroker(venue, shared)
    await reader.snapshot(EVAL)
    await reader.snapshot(EVAL)
    waiting: asyncio.Task[object] = asyncio.ensure_future(reader.snapshot(EVAL))
    await actor.snapshot(EVAL)
    await actor.submit(ORDER)
    with pytest.raises(Transient, match=r"broker venue takes no more calls for 60\.00 s") as told:
        await actor.find_order(EVAL, "c")
    assert told.value.retry_after_s == 60.0
    assert not await ended(waiting)
    waiting.cancel()


async def test_orders_have_a_limit_of_their_own_and_reading_does_not_count_there() -> None:
    clock = ManualClock(NS_PER_S)
    venue = FakeVenue(held={MNQ: Decimal(3)})
    actor = ActingBroker(venue, budget(clock, None, per_minute(2)))
    for _ in range(9):
        await actor.snapshot(EVAL)
    await actor.submit(ORDER)
    await actor.cancel(EVAL, OrderId("v0"))
    with pytest.raises(Transient):
        await actor.cancel(EVAL, OrderId("v0"))
    assert await actor.find_order(EVAL, "c") is not None


async def test_a_call_that_was_not_sent_is_not_counted() -> None:
    clock = ManualClock(NS_PER_S)
    actor = ActingBroker(FakeVenue(held={MNQ: Decimal(3)}), budget(clock, per_minute(3), per_minute(1)))
    await actor.submit(ORDER)
    for _ in range(5):
        with pytest.raises(Transient):
            await actor.cancel(EVAL, OrderId("v0"))
    await actor.snapshot(EVAL)
    await actor.snapshot(EVAL)
    with pytest.raises(Transient):
        await actor.snapshot(EVAL)


async def test_of_two_calls_reading_takes_one_and_leaves_the_other() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(2))
    await shared.share()
    second: asyncio.Task[object] = asyncio.ensure_future(shared.share())
    assert not await ended(second)
    shared.claim(is_order=False)
    second.cancel()


def test_what_does_not_fit_comes_back_when_enough_of_the_oldest_is_old_enough() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(10))
    for at, cost in ((1, 2), (11, 3), (21, 4)):
        clock.advance_to(at * NS_PER_S)
        shared.claim(cost, is_order=False)
    for cost, wait_s in ((2, 40.0), (3, 40.0), (4, 50.0), (6, 50.0), (7, 60.0), (10, 60.0)):
        with pytest.raises(Transient) as told:
            shared.claim(cost, is_order=False)
        assert (cost, told.value.retry_after_s) == (cost, wait_s)
    shared.claim(1, is_order=False)


def test_calls_are_scarce_once_more_than_half_are_used_and_no_longer_when_they_are_old() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(10))
    shared.claim(5, is_order=False)
    assert not shared.is_scarce
    shared.claim(1, is_order=False)
    assert shared.is_scarce
    clock.advance_to(61 * NS_PER_S - 1)
    assert shared.is_scarce
    clock.advance_to(61 * NS_PER_S)
    assert not shared.is_scarce


async def test_a_budget_keeps_no_more_than_its_time_in_mind() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, RateLimit(calls=4, per_s=1.0))
    for second in range(2, 100):
        await shared.share()
        clock.advance_to(second * NS_PER_S)
    assert shared._all is not None
    assert [len(count._taken) for count in (shared._all._all, shared._all._read, shared._all._spell)] == [1, 1, 1]


async def test_what_fits_reaches_the_broker_as_it_was_asked_for() -> None:
    venue = FakeVenue(held={MNQ: Decimal(3)})
    entry = venue.rest(MNQ, Side.BUY)
    actor = ActingBroker(venue, budget(ManualClock(NS_PER_S), per_minute(9), per_minute(9)))
    report = await actor.submit(ORDER)
    assert (report.client_id, report.filled) == ("c", 1)
    assert await actor.find_order(EVAL, "c") == report
    await actor.cancel(EVAL, entry)
    assert (await actor.snapshot(EVAL)).orders == ()
    assert venue.calls == ["submit", "find_order", "cancel", "snapshot"]


async def test_a_broker_that_says_why_it_gave_no_answer_in_time_is_quoted() -> None:
    venue = FakeVenue(script={("snapshot", "before"): [TimeoutError("the gateway took too long"), TimeoutError()]})
    reader = ReadingBroker(venue, None)
    for said in ("the gateway took too long", "no answer within 10 s"):
        with pytest.raises(Transient) as told:
            await reader.snapshot(EVAL)
        assert str(told.value) == said


async def test_no_limit_means_nothing_to_wait_for() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, None)
    for _ in range(100):
        await shared.share()
        shared.claim(is_order=True)


async def test_a_single_call_is_taken_by_turns() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(1))
    await shared.share()
    with pytest.raises(Transient):
        shared.claim(is_order=False)
    clock.advance_to(61 * NS_PER_S)
    shared.claim(is_order=False)


async def test_an_actuator_runs_as_the_broker_it_stands_for() -> None:
    started: list[int] = []
    actor: Broker = ActingBroker(FakeVenue(), budget(ManualClock(), per_minute(1)))
    running: asyncio.Task[object] = asyncio.ensure_future(actor.run(lambda event: None, lambda: started.append(1)))
    assert not await ended(running)
    assert started == [1]
    running.cancel()


async def test_reads_that_use_up_their_share_delay_no_flatten() -> None:
    """S0-34: the reader has taken what it may; the flatten's calls still go out at once."""
    world = LaneWorld()
    shared = budget(world.clock, per_minute(40), per_minute(20))
    reader = ReadingBroker(world.venue, shared)
    world.executor._brokers = {EVAL: ActingBroker(world.venue, shared)}
    for _ in range(20):
        await reader.snapshot(EVAL)
    starved: asyncio.Task[object] = asyncio.ensure_future(reader.snapshot(EVAL))
    sent: list[int] = []
    world.venue.on_call = lambda verb: sent.append(world.clock.now()) if verb == "submit" else None
    async with world.lane():
        world.executor.accept([world.plan("flatten", "a")])
        await world.settle()
    assert sent == [NS_PER_S, NS_PER_S]
    assert world.receipt("a").status is OutcomeStatus.DONE
    assert world.receipt("a").ended_at < 61 * NS_PER_S
    starved.cancel()


async def test_enforcement_that_has_used_up_everything_comes_back_when_the_budget_says() -> None:
    world = LaneWorld()
    shared = budget(world.clock, None, RateLimit(calls=1, per_s=5.0))
    world.executor._brokers = {EVAL: ActingBroker(world.venue, shared)}
    sent: list[int] = []
    world.venue.on_call = lambda verb: sent.append(world.clock.now()) if verb == "submit" else None
    async with world.lane():
        world.executor.accept([world.plan("flatten", "a")])
        await world.settle()
    assert sent == [NS_PER_S, 6 * NS_PER_S]
    assert world.receipt("a").status is OutcomeStatus.DONE


async def test_a_burst_of_readings_leaves_no_broker_unread_until_the_limit_is_over() -> None:
    """Found by the soak of the venues: nine calls a reading, many pushes, and a minute without one reading after it."""
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(240))
    for _ in range(20):
        await shared.share()
    waiting: asyncio.Task[object] = asyncio.ensure_future(shared.share())
    assert not await ended(waiting)
    clock.advance_to(11 * NS_PER_S)
    assert await ended(waiting)


class MeteredVenue(FakeVenue):
    """A snapshot is worth 40, and what it sends is worth nothing to the venue."""

    def cost(self, call: BrokerCall) -> int:
        return {BrokerCall.SNAPSHOT: 40, BrokerCall.FIND_ORDER: 2}.get(call, 0)


async def test_a_call_counts_for_what_the_broker_says_it_is_worth() -> None:
    """Found by the soak of the venues: a snapshot is worth 90 at Binance, and claimed 1 until the venue refused all."""
    clock = ManualClock(NS_PER_S)
    venue = MeteredVenue(held={MNQ: Decimal(3)})
    actor = ActingBroker(venue, budget(clock, per_minute(100)))
    await actor.snapshot(EVAL)
    await actor.snapshot(EVAL)
    clock.advance_to(21 * NS_PER_S)
    with pytest.raises(Transient) as told:
        await actor.snapshot(EVAL)
    assert told.value.retry_after_s == 40.0
    for _ in range(10):
        await actor.find_order(EVAL, "c")
    with pytest.raises(Transient):
        await actor.submit(ORDER)


async def test_an_order_counts_once_of_the_limit_of_orders_and_at_least_once_of_the_other() -> None:
    clock = ManualClock(NS_PER_S)
    venue = MeteredVenue(held={MNQ: Decimal(3)})
    actor = ActingBroker(venue, budget(clock, per_minute(5), per_minute(2)))
    await actor.submit(ORDER)
    await actor.cancel(EVAL, OrderId("v0"))
    with pytest.raises(Transient):
        await actor.cancel(EVAL, OrderId("v0"))
    await actor.find_order(EVAL, "c")
    with pytest.raises(Transient):
        await actor.find_order(EVAL, "c")


async def test_reading_waits_until_all_that_a_call_is_worth_fits_its_share() -> None:
    clock = ManualClock(NS_PER_S)
    shared = RateBudget(name="venue", clock=clock, calls=RateLimit(calls=200, per_s=5.0), orders=None)
    reader = ReadingBroker(MeteredVenue(), shared)
    await reader.snapshot(EVAL)
    clock.advance_to(3 * NS_PER_S)
    await reader.snapshot(EVAL)
    third: asyncio.Task[object] = asyncio.ensure_future(reader.snapshot(EVAL))
    assert not await ended(third)
    clock.advance_to(6 * NS_PER_S)
    assert await ended(third)


async def test_a_light_reading_does_not_pass_a_heavy_one_that_waits() -> None:
    clock = ManualClock(NS_PER_S)
    shared = RateBudget(name="venue", clock=clock, calls=RateLimit(calls=200, per_s=5.0), orders=None)
    await shared.share(80)
    heavy: asyncio.Task[object] = asyncio.ensure_future(shared.share(90))
    assert not await ended(heavy)
    light: asyncio.Task[object] = asyncio.ensure_future(shared.share(1))
    assert not await ended(light)
    clock.advance_to(6 * NS_PER_S)
    assert await ended(heavy)
    assert await ended(light)


async def test_a_reading_that_is_given_up_while_it_waits_counts_nothing_and_lets_the_next_one_go() -> None:
    clock = ManualClock(NS_PER_S)
    shared = RateBudget(name="venue", clock=clock, calls=RateLimit(calls=200, per_s=5.0), orders=None)
    await shared.share(80)
    heavy: asyncio.Task[object] = asyncio.ensure_future(shared.share(90))
    assert not await ended(heavy)
    heavy.cancel()
    light: asyncio.Task[object] = asyncio.ensure_future(shared.share(20))
    assert await ended(light)


async def test_a_call_that_is_worth_more_than_all_there_is_goes_when_nothing_else_was_taken() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(10))
    shared.claim(500, is_order=False)
    with pytest.raises(Transient):
        shared.claim(1, is_order=False)
    clock.advance_to(61 * NS_PER_S)
    shared.claim(500, is_order=False)


async def test_enforcement_that_uses_what_is_reserved_delays_no_reading() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(100))
    shared.claim(50, is_order=False)
    await shared.share(20)
    assert await ended(asyncio.ensure_future(shared.share(0)))


async def test_what_is_reserved_is_there_for_enforcement_however_much_is_read() -> None:
    clock = ManualClock(NS_PER_S)
    shared = budget(clock, per_minute(100))
    for second in range(1, 60):
        clock.advance_to(second * NS_PER_S)
        reading: asyncio.Task[object] = asyncio.ensure_future(shared.share(10))
        await ended(reading)
        reading.cancel()
        await ended(reading)
    for _ in range(5):
        shared.claim(10, is_order=False)


class _Asked:
    def __init__(self, answer: object) -> None:
        self.answer = answer

    async def find_order(self, account: AccountId, client_id: str) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_an_order_is_asked_for_with_a_share_of_reading_and_a_late_answer_is_none() -> None:
    shared = budget(ManualClock(NS_PER_S), per_minute(4))
    found = ReadingBroker(cast("Broker", _Asked("found")), shared)
    assert await found.find_order(AccountId("eval"), "c") == "found"
    assert await found.find_order(AccountId("eval"), "c") == "found"
    third = asyncio.ensure_future(found.find_order(AccountId("eval"), "c"))
    assert not await ended(third)
    third.cancel()
    with pytest.raises(Transient, match="no answer within 10 s"):
        await ReadingBroker(cast("Broker", _Asked(TimeoutError())), None).find_order(AccountId("eval"), "c")


class _Teller(_Asked):
    async def look_up(self, order: object) -> object:
        return await self.find_order(EVAL, str(order))


async def test_an_order_is_looked_up_with_a_share_of_reading_where_the_broker_can_be_asked() -> None:
    wanted = cast("OrderReport", "order")
    shared = budget(ManualClock(NS_PER_S), per_minute(2))
    assert await ReadingBroker(cast("Broker", _Asked("found")), shared).look_up(wanted) is None
    able = ReadingBroker(cast("Broker", _Teller("found")), shared)
    assert await able.look_up(wanted) == "found"
    second = asyncio.ensure_future(able.look_up(wanted))
    assert not await ended(second)
    second.cancel()
    with pytest.raises(Transient, match="no answer within 10 s"):
        await ReadingBroker(cast("Broker", _Teller(TimeoutError())), None).look_up(wanted)


async def test_budgets_of_one_address_count_their_calls_together_and_their_orders_each_for_itself() -> None:
    clock = ManualClock(NS_PER_S)
    one = budget(clock, per_minute(6), RateLimit(calls=1, per_s=1.0))
    other = RateBudget(
        name="other", clock=clock, calls=per_minute(6), orders=RateLimit(calls=1, per_s=1.0), beside=one
    )  # fmt: skip
    await one.share(2)
    waiting: asyncio.Task[object] = asyncio.ensure_future(other.share(2))
    assert not await ended(waiting)
    one.claim(is_order=True)
    with pytest.raises(Transient, match="broker venue takes no more calls"):
        one.claim(is_order=True)
    other.claim(is_order=True)
    assert one.is_scarce and other.is_scarce
    other.claim(2, is_order=False)
    with pytest.raises(Transient, match="broker other takes no more calls"):
        other.claim(is_order=False)
    with pytest.raises(Transient):
        one.claim(is_order=False)
    clock.advance_to(61 * NS_PER_S)
    assert await ended(waiting)


async def test_of_two_that_count_together_a_light_reading_of_one_does_not_pass_a_heavy_one_of_the_other() -> None:
    clock = ManualClock(NS_PER_S)
    limit = RateLimit(calls=200, per_s=5.0)
    one = budget(clock, limit)
    other = RateBudget(name="other", clock=clock, calls=limit, orders=None, beside=one)
    await one.share(80)
    heavy: asyncio.Task[object] = asyncio.ensure_future(one.share(90))
    assert not await ended(heavy)
    light: asyncio.Task[object] = asyncio.ensure_future(other.share(1))
    assert not await ended(light)
    clock.advance_to(6 * NS_PER_S)
    assert await ended(heavy) and await ended(light)
