"""Caps on what one enforcement may touch: beyond them nothing is sent but the cancelling of entries."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lane_world import EVAL, MES, MNQ, PRICE, FakeVenue, LaneWorld

from haltline.enforce.cap import Reach
from haltline.journal.receipt import Receipt
from haltline.journal.record import RecordKind, entry_of
from haltline.model.event import OutcomeStatus
from haltline.model.id import OrderId, Symbol
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.model.plan import Caps, Over, loosest

DONE, NEEDS = OutcomeStatus.DONE, OutcomeStatus.NEEDS_CONSENT


def order(key: str, side: Side, quantity: int, *, symbol: Symbol = MNQ, stop: bool = False) -> OrderReport:
    return OrderReport(
        account=EVAL, order_id=OrderId(key), symbol=symbol, side=side, quantity=Decimal(quantity),
        type=OrderType.STOP if stop else OrderType.LIMIT, status=OrderStatus.WORKING,
        limit_price=None if stop else PRICE, stop_price=PRICE - 100 if stop else None,
    )  # fmt: skip


async def run(
    world: LaneWorld, name: str = "flatten", *, caps: Caps | None = None, consent: str = "", **params: float
) -> Receipt:
    planned = msgspec.structs.replace(world.plan(name, "a", **params), caps=caps, consent=consent)
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    return world.receipt("a")


@pytest.mark.parametrize(
    ("caps", "word"),
    [
        (Caps(max_positions=1), "2 positions (max_positions: 1)"),
        (Caps(max_notional=150_000), "positions worth 335,984.00 (max_notional: 150000)"),
        (Caps(max_orders=1), "2 orders (max_orders: 1)"),
        (Caps(max_positions=0, max_orders=0), "2 positions (max_positions: 0) and 2 orders"),
    ],
)
async def test_a_flatten_beyond_a_cap_sends_nothing_and_says_why(caps: Caps, word: str) -> None:
    world = LaneWorld()
    receipt = await run(world, caps=caps)
    assert (receipt.status, "submit" in world.venue.calls) == (NEEDS, False)
    assert word in receipt.reason and "[E804]" in receipt.reason and "consent to" in receipt.reason
    assert world.venue.held == {MNQ: Decimal(3), MES: Decimal(-2)}


@pytest.mark.parametrize(
    "caps",
    [None, Caps(), Caps(max_positions=2, max_notional=335_984, max_orders=2), Caps(max_positions=0, over=Over.PROCEED)],
)
async def test_up_to_the_cap_it_is_done(caps: Caps | None) -> None:
    receipt = await run(LaneWorld(), caps=caps)
    assert receipt.status is DONE


async def test_consent_lets_it_go_beyond() -> None:
    assert (await run(LaneWorld(), caps=Caps(max_positions=0), consent="ann: yes")).status is DONE


@pytest.mark.parametrize(
    ("caps", "consent", "why"),
    [
        (Caps(max_positions=1, over=Over.PROCEED), "", "'over: proceed'"),
        (Caps(max_positions=1), "ann: yes", "consented to by ann: yes"),
    ],
)
async def test_what_goes_beyond_its_caps_by_leave_says_so_on_its_receipt(caps: Caps, consent: str, why: str) -> None:
    world = LaneWorld()
    receipt = await run(world, caps=caps, consent=consent)
    assert (receipt.status, set(world.venue.held.values())) == (DONE, {Decimal(0)})
    assert receipt.beyond == f"beyond its caps it touched 2 positions (max_positions: 1); {why}"
    assert str(receipt).endswith(receipt.beyond)


@pytest.mark.parametrize(
    ("name", "params", "what"),
    [
        ("close_position", {}, "positions worth 125,994.00"),
        ("reduce_to", {"quantity": 1}, "positions worth 83,996.00"),
        ("reduce_by", {"quantity": 1}, "positions worth 41,998.00"),
    ],
)
async def test_what_never_looks_before_it_closes_says_so_too(name: str, params: dict[str, float], what: str) -> None:
    caps = Caps(max_notional=40_000, max_orders=0, over=Over.PROCEED)
    receipt = await run(LaneWorld(), name, caps=caps, **params)
    assert receipt.status is DONE
    assert receipt.beyond.startswith(f"beyond its caps it touched {what} (max_notional: 40000) and 1 orders")


async def test_what_a_restart_has_cut_in_two_says_what_both_lives_have_touched() -> None:
    world = LaneWorld()
    planned = msgspec.structs.replace(world.plan("flatten", "a"), caps=Caps(max_positions=1, over=Over.PROCEED))
    world.journal.append([entry_of(RecordKind.PLAN, 2, planned)])
    world.venue.script["submit", "before"] = [None, "hang"]
    async with world.lane():
        world.executor.accept([planned])
        await world.until_called("submit", 2)
    again = world.again()
    async with again.lane():
        await again.settle()
    assert again.receipt("a").beyond.startswith("beyond its caps it touched 2 positions")


async def test_exits_that_are_cancelled_by_leave_are_counted_and_entries_are_not() -> None:
    world = LaneWorld()
    for each in (order("exit", Side.SELL, 1), order("entry", Side.BUY, 1)):
        world.venue.orders[each.order_id] = each
    receipt = await run(world, "cancel_orders", caps=Caps(max_orders=0, over=Over.PROCEED))
    assert receipt.beyond.startswith("beyond its caps it touched 1 orders (max_orders: 0)")


async def test_leave_to_go_beyond_costs_no_call_and_within_them_nothing_is_said() -> None:
    free, bound = LaneWorld(), LaneWorld()
    assert (await run(free, caps=Caps(max_positions=2, over=Over.PROCEED))).beyond == ""
    assert (await run(bound)).beyond == ""
    assert free.venue.calls == bound.venue.calls


async def test_entries_are_cancelled_whatever_the_cap_and_stops_stay() -> None:
    world = LaneWorld()
    entry, stop = order("entry", Side.BUY, 1), order("stop", Side.SELL, 3, stop=True)
    world.venue.orders = {entry.order_id: entry, stop.order_id: stop}
    receipt = await run(world, caps=Caps(max_orders=0))
    assert receipt.status is NEEDS
    assert set(world.venue.orders) == {"stop"}


async def test_cancelling_entries_never_counts() -> None:
    world = LaneWorld(venue=FakeVenue())
    entries = [order(f"e{number}", Side.BUY, 1) for number in range(5)]
    world.venue.orders = {entry.order_id: entry for entry in entries}
    assert (await run(world, caps=Caps(max_orders=0))).status is DONE


async def test_cancelling_exits_counts() -> None:
    world = LaneWorld()
    for key in ("one", "two"):
        world.venue.orders[OrderId(key)] = order(key, Side.SELL, 1, stop=True)
    receipt = await run(world, "cancel_orders", caps=Caps(max_orders=1), keep_protective=False)
    assert (receipt.status, len(world.venue.orders)) == (NEEDS, 2)


async def test_a_reduction_counts_what_it_takes_off() -> None:
    within = Caps(max_notional=float(2 * 2 * 20_999))
    assert (await run(LaneWorld(), "reduce_to", caps=within, quantity=1)).status is DONE
    assert (await run(LaneWorld(), "reduce_to", caps=within, quantity=0)).status is NEEDS


async def test_a_position_that_is_small_enough_touches_nothing() -> None:
    assert (await run(LaneWorld(), "reduce_to", caps=Caps(max_positions=0, max_orders=0), quantity=5)).status is DONE


async def test_a_stop_is_one_order() -> None:
    assert (await run(LaneWorld(), "place_stop", caps=Caps(max_orders=0), distance=50)).status is NEEDS
    assert (await run(LaneWorld(), "place_stop", caps=Caps(max_orders=0), price=20_900)).status is NEEDS
    assert (await run(LaneWorld(), "place_stop", caps=Caps(max_orders=1), price=20_900)).status is DONE
    assert (await run(LaneWorld(), "place_stop", caps=Caps(max_orders=1), distance=50)).status is DONE


async def test_what_appears_on_the_way_is_counted_again() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: Decimal(3)}))

    def somebody_trades(verb: str) -> None:
        if verb == "submit":
            world.venue.held[MES] = Decimal(5)

    world.venue.on_call = somebody_trades
    receipt = await run(world, caps=Caps(max_positions=1))
    assert (receipt.status, "stopped before that" in receipt.reason) == (NEEDS, True)
    assert world.venue.held[MES] == 5


async def test_what_has_no_known_worth_is_beyond_any_amount() -> None:
    world = LaneWorld(venue=FakeVenue(held={Symbol("ODD"): Decimal(1)}))
    receipt = await run(world, caps=Caps(max_notional=1e12))
    assert (receipt.status, "ODD, whose worth is not known" in receipt.reason) == (NEEDS, True)


async def test_a_refused_rehearsal_is_a_failed_action() -> None:
    receipt = await run(LaneWorld(), "reduce_to", caps=Caps(max_orders=9), quantity=-1)
    assert receipt.status is OutcomeStatus.FAILED


CAPS = st.builds(
    Caps,
    max_positions=st.none() | st.integers(0, 9),
    max_notional=st.none() | st.floats(0, 1e6),
    max_orders=st.none() | st.integers(0, 9),
    over=st.sampled_from(Over),
)


@given(
    one=CAPS,
    other=CAPS,
    sizes=st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(1, 50)),
    orders=st.integers(0, 9),
)
def test_what_either_request_may_do_both_together_may(
    one: Caps, other: Caps, sizes: dict[str, int], orders: int
) -> None:
    reach = Reach({Symbol(name): Decimal(size) for name, size in sizes.items()}, orders)
    both = loosest(one, other)
    assert both is not None
    if not reach.excess(one, lambda symbol: Decimal(100)):
        assert not reach.excess(both, lambda symbol: Decimal(100))


def test_without_a_cap_on_one_side_there_is_none() -> None:
    assert loosest(None, Caps(max_positions=1)) is None
    assert loosest(Caps(max_positions=1), None) is None
