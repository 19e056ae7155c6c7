"""BRK-020 … 039: what happens is pushed, whole and in time, and what was lost is made good."""

from decimal import Decimal

from haltline.api import Capability
from haltline.errors import DataRefused
from haltline.model.event import AccountReport, Event, Fill, InstrumentUpdate, OrderUpdate, PositionReport, Quote
from haltline.model.order import OrderStatus, Side
from haltline.state.refuse import (
    check_account,
    check_fill,
    check_order,
    check_position,
    check_spec,
    refuse_quote,
)
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.case import case
from haltline.testing.conformance.world import VenueFault


def is_refused(event: Event) -> bool:
    """Whether the engine puts an event aside as unusable, and says so (E603 … E610)."""
    try:
        match event:
            case Quote():
                refuse_quote(event)
            case Fill():
                check_fill(event)
            case OrderUpdate():
                check_order(event.order)
            case PositionReport():
                check_position(event)
            case AccountReport():
                check_account(event)
            case InstrumentUpdate():
                check_spec(event.spec)
    except DataRefused:
        return True
    return False


@case("BRK-020", is_served=False)
async def present_before_started(bench: Bench) -> None:
    """what is so is pushed before `started` is called"""
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.start()
    assert bench.accounts_told(), "the account was not told by then"
    await bench.until_held(bench.world.lot)


@case("BRK-021")
async def foreign_trade_is_pushed(bench: Bench) -> None:
    """what somebody else trades is pushed"""
    await bench.world.trade(bench.world.account, Side.BUY, 3 * bench.world.lot)
    await bench.until_held(3 * bench.world.lot)
    await bench.world.trade(bench.world.account, Side.SELL, 3 * bench.world.lot)
    await bench.until_held(Decimal(0))


@case("BRK-022", Capability.PUSH_FILLS)
async def fill_is_whole(bench: Bench) -> None:
    """an execution is pushed with its side, size and price, under an id of its own"""
    await bench.world.trade(bench.world.account, Side.SELL, 2 * bench.world.lot)
    await bench.until(lambda: bench.of(Fill), "the push of a fill")
    fills = {fill.fill_id: fill for fill in bench.of(Fill)}
    assert all(fill.fill_id and fill.account == bench.world.account for fill in fills.values())
    assert {fill.side for fill in fills.values()} == {Side.SELL}
    assert sum(fill.quantity for fill in fills.values()) == 2 * bench.world.lot
    assert all(abs(fill.price - bench.world.price) <= 20 * bench.world.tick for fill in fills.values())
    assert all(fill.fee >= 0 for fill in fills.values())


@case("BRK-023", Capability.PUSH_ORDERS)
async def order_is_pushed_to_its_end(bench: Bench) -> None:
    """our own order is pushed under its client id until it has ended"""
    request = bench.order(Side.BUY, 2)
    await bench.submit(request)
    await bench.until(
        lambda: any(order.status is OrderStatus.FILLED for order in bench.order_updates(request.client_id)),
        "the push of the filled order",
    )
    last = bench.order_updates(request.client_id)[-1]
    assert (last.side, last.quantity, last.filled) == (Side.BUY, request.quantity, request.quantity)


@case("BRK-024", Capability.PUSH_POSITIONS)
async def position_is_pushed(bench: Bench) -> None:
    """a position is pushed signed, and as 0 once it is closed"""
    world = bench.world
    await world.trade(world.account, Side.SELL, world.lot)

    def is_told(quantity: Decimal) -> bool:
        reports = [report for report in bench.of(PositionReport) if report.symbol == world.symbol]
        return bool(reports) and reports[-1].quantity == quantity

    await bench.until(lambda: is_told(-world.lot), "the report of a short position")
    await world.trade(world.account, Side.BUY, world.lot)
    await bench.until(lambda: is_told(Decimal(0)), "the report of a position of 0")


@case("BRK-025")
async def money_is_pushed(bench: Bench) -> None:
    """the account is told anew after an execution"""
    before = len(bench.accounts_told())
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.until(lambda: len(bench.accounts_told()) > before, "a report on the account")
    report: AccountReport = bench.accounts_told()[-1]
    assert report.balance is not None or report.equity is not None


@case("BRK-026", Capability.PUSH_QUOTES)
async def price_is_pushed(bench: Bench) -> None:
    """a price that moves is pushed, both sides the right way round"""
    target = bench.world.price + 8 * bench.world.tick
    await bench.world.move(target)

    def is_told() -> bool:
        return any(
            float(target) in (quote.bid, quote.last, quote.mark)
            for quote in bench.of(Quote)
            if quote.symbol == bench.world.symbol
        )

    await bench.until(is_told, f"a quote at {target}")
    for quote in bench.of(Quote):
        assert quote.bid is None or quote.ask is None or quote.bid <= quote.ask


@case("BRK-027")
async def pushes_are_clean(bench: Bench) -> None:
    """every push can be used, and is of an account that was set up"""
    world = bench.world
    await world.trade(world.account, Side.BUY, world.lot)
    await world.trade(world.account, Side.SELL, 2 * world.lot)
    await bench.until_held(-world.lot)
    assert [event for event in bench.heard if is_refused(event)] == []
    accounts = {world.account, world.other}
    for event in bench.heard:
        if isinstance(event, OrderUpdate):
            assert event.order.account in accounts
        else:
            assert getattr(event, "account", world.account) in accounts


@case("BRK-028", Capability.PUSH_FILLS, VenueFault.DUPLICATE)
async def twice_is_once(bench: Bench) -> None:
    """an execution that the venue pushes twice keeps its id"""
    await bench.world.arm(VenueFault.DUPLICATE)
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.until_held(2 * bench.world.lot)


@case("BRK-029", Capability.PUSH_ORDERS, VenueFault.REORDER)
async def last_word_is_last(bench: Bench) -> None:
    """pushes in the wrong order still end with what is so"""
    await bench.world.arm(VenueFault.REORDER)
    request = bench.order(Side.BUY, 2)
    await bench.filled(request)
    await bench.until_held(2 * bench.world.lot)
    await bench.until(
        lambda: [order.status for order in bench.order_updates(request.client_id)][-1:] == [OrderStatus.FILLED],
        "the order's last word",
    )


@case("BRK-030", VenueFault.MUTE)
async def lost_pushes_are_made_good(bench: Bench) -> None:
    """what no push told is told by a pull, in time"""
    await bench.world.arm(VenueFault.MUTE)
    await bench.world.trade(bench.world.account, Side.BUY, 2 * bench.world.lot)
    await bench.world.mend()
    await bench.until_held(2 * bench.world.lot)
