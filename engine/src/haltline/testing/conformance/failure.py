"""BRK-060 … 079: every failure is put in its class, and what is in doubt can be found out."""

from haltline.api import Capability
from haltline.errors import OutcomeUnknown, Refused, SessionClosed, Transient
from haltline.model.order import OrderRequest, OrderType, Side
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.case import case
from haltline.testing.conformance.world import VenueFault

_LONGEST_WAIT_S = 5.0


@case("BRK-060", VenueFault.REFUSE)
async def refusal(bench: Bench) -> None:
    """what the venue refuses is Refused, and says why"""
    await bench.world.arm(VenueFault.REFUSE)
    try:
        await bench.submit(bench.order())
    except Refused as refused:
        assert not isinstance(refused, SessionClosed), "the market is not closed"
        assert str(refused)
    else:
        raise AssertionError("the order was refused at the venue, and submit() returned")
    await bench.filled(bench.order())


@case("BRK-061", VenueFault.AWAY)
async def unreachable_for_reading(bench: Bench) -> None:
    """a pull from a venue that is away is Transient, and works again later"""
    await bench.world.arm(VenueFault.AWAY)
    await _transient(bench)
    await bench.world.mend()
    await bench.after_trouble(bench.snapshot)


@case("BRK-062", VenueFault.AWAY, Capability.CLIENT_ORDER_IDS)
async def unreachable_for_orders(bench: Bench) -> None:
    """an order for a venue that is away is Transient, or in doubt and then not found"""
    request = bench.order()
    await bench.world.arm(VenueFault.AWAY)
    await _unsaid(bench, request)
    await bench.world.mend()
    assert await bench.after_trouble(lambda: bench.find(request)) is None
    assert await bench.world.held(bench.world.account) == 0


@case("BRK-063", VenueFault.LOST_ACK, Capability.CLIENT_ORDER_IDS)
async def lost_acknowledgement(bench: Bench) -> None:
    """an order whose answer was lost is in doubt, and is then found"""
    request = bench.order(Side.BUY, 2)
    await bench.world.arm(VenueFault.LOST_ACK)
    try:
        await bench.submit(request)
    except OutcomeUnknown:
        found = await bench.after_trouble(lambda: bench.find(request))
        assert found is not None
        assert found.filled == request.quantity
    else:  # the client may have found out by itself
        assert await bench.world.orders() == 1
    assert await bench.after_trouble(bench.held) == 2 * bench.world.lot


@case("BRK-064", VenueFault.LOST_ACK, Capability.CLIENT_ORDER_IDS)
async def lost_acknowledgement_and_again(bench: Bench) -> None:
    """an order that is sent again after a lost answer is not placed twice"""
    request = bench.order(Side.BUY, 2)
    await bench.world.arm(VenueFault.LOST_ACK)
    try:
        await bench.submit(request)
    except OutcomeUnknown:
        try:
            await bench.after_trouble(lambda: bench.submit(request))
        except Refused:
            assert await bench.find(request) is not None, "a refusal of what is there already"
    assert await bench.world.held(bench.world.account) == 2 * bench.world.lot
    assert await bench.world.orders() == 1


@case("BRK-065", VenueFault.LOST_REQUEST, Capability.CLIENT_ORDER_IDS)
async def lost_request(bench: Bench) -> None:
    """an order that never reached the venue is not found, and is then placed once"""
    request = bench.order(Side.BUY, 2)
    await bench.world.arm(VenueFault.LOST_REQUEST)
    await _unsaid(bench, request)
    assert await bench.after_trouble(lambda: bench.find(request)) is None
    await bench.after_trouble(lambda: bench.submit(request))
    assert await bench.world.held(bench.world.account) == 2 * bench.world.lot


@case("BRK-066", VenueFault.LOST_CANCEL, Capability.LIMIT_ORDERS, Capability.CANCEL_ORDERS)
async def lost_cancel(bench: Bench) -> None:
    """a cancel whose answer was lost is in doubt, and the order is then gone"""
    request = bench.order(Side.BUY, type=OrderType.LIMIT)
    report = await bench.submit(request)
    await bench.world.arm(VenueFault.LOST_CANCEL)
    try:
        await bench.cancel(report)
    except OutcomeUnknown:
        await bench.after_trouble(lambda: bench.cancel(report))
    await bench.after_trouble(lambda: bench.gone(request))


@case("BRK-067", VenueFault.THROTTLE)
async def throttled(bench: Bench) -> None:
    """too many requests are Transient, with the time to come back, and nothing waits for it in silence"""
    await bench.world.arm(VenueFault.THROTTLE)
    try:
        await bench.submit(bench.order())
    except Transient as failure:
        assert 0 < failure.retry_after_s <= _LONGEST_WAIT_S, f"retry_after_s was {failure.retry_after_s}"
    else:
        raise AssertionError("the venue refused the request, and submit() returned")
    await bench.after_trouble(lambda: bench.submit(bench.order()))


@case("BRK-068", VenueFault.CLOSED)
async def closed(bench: Bench) -> None:
    """a market that is closed is SessionClosed, and opens again"""
    await bench.world.arm(VenueFault.CLOSED)
    try:
        await bench.submit(bench.order())
    except SessionClosed:
        pass
    else:
        raise AssertionError("the market was closed, and submit() returned")
    assert await bench.world.held(bench.world.account) == 0
    await bench.world.mend()
    await bench.after_trouble(lambda: bench.filled(bench.order()))


@case("BRK-069", VenueFault.EXPIRE)
async def expired(bench: Bench) -> None:
    """a session that has ended is made anew, and events come as before"""
    await bench.world.arm(VenueFault.EXPIRE)
    await bench.after_trouble(bench.snapshot)
    request = bench.order(Side.BUY, 2)
    await bench.after_trouble(lambda: bench.submit(request))
    assert await bench.world.held(bench.world.account) == 2 * bench.world.lot
    await bench.until_held(2 * bench.world.lot)


@case("BRK-070", VenueFault.HANG)
async def given_up(bench: Bench) -> None:
    """a read that is given up leaves the client usable"""
    await bench.world.arm(VenueFault.HANG)
    await _transient(bench, or_given_up=True)
    await bench.after_trouble(bench.snapshot)


@case("BRK-071", VenueFault.GARBAGE)
async def no_answer_at_all(bench: Bench) -> None:
    """an answer that is none is Transient, and never an empty account"""
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.world.arm(VenueFault.GARBAGE)
    try:
        shown = await bench.held()
    except Transient:
        shown = await bench.after_trouble(bench.held)
    assert shown == bench.world.lot


async def _transient(bench: Bench, *, or_given_up: bool = False) -> None:
    try:
        await bench.snapshot()
    except Transient:
        return
    except AssertionError:
        if or_given_up:
            return
        raise
    raise AssertionError("the venue did not answer, and snapshot() returned")


async def _unsaid(bench: Bench, request: OrderRequest) -> None:
    """Nothing of the order reached the venue: the client must not say that it did, nor that it was refused."""
    try:
        report = await bench.submit(request)
    except (Transient, OutcomeUnknown):
        return
    raise AssertionError(f"the order never reached the venue, and submit() returned {report}")
