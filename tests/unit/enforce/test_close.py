"""Closing a position is a flatten of one symbol: nothing of it is left that could open the position again."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue, LaneWorld, Pushes
from test_share import SlackVenue

from haltline.clock import NS_PER_S
from haltline.enforce.budget import Budget
from haltline.enforce.verify import remaining_of, shortfall
from haltline.errors import Refused
from haltline.journal.receipt import Proof, Receipt, Remaining
from haltline.journal.record import RecordKind, entry_of
from haltline.model.event import OutcomeStatus
from haltline.model.id import ActionId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.model.plan import Caps, PlannedAction

DONE, FAILED = OutcomeStatus.DONE, OutcomeStatus.FAILED
D = Decimal
LONG, SHORT = Symbol("BTCUSDT:LONG"), Symbol("BTCUSDT:SHORT")


class LooseVenue(FakeVenue):
    """One whose stops and limits do not only reduce: an exit without a position opens one."""

    def keep(self, name: str, symbol: Symbol, side: Side, size: int, kind: OrderType = OrderType.LIMIT) -> "LooseVenue":
        """An order that somebody has placed."""
        self.orders[OrderId(name)] = OrderReport(
            account=EVAL, order_id=OrderId(name), symbol=symbol, side=side, quantity=D(size), type=kind,
            status=OrderStatus.WORKING, stop_price=D(20_900) if kind is OrderType.STOP else None,
        )  # fmt: skip
        return self

    def trigger(self, name: str) -> None:
        """The market goes to where the order is, if it is still there."""
        order = self.orders.pop(OrderId(name), None)
        if order is not None:
            self.held[order.symbol] = self.held.get(order.symbol, D(0)) + order.quantity * order.side.sign


def bracketed(**more: object) -> LaneWorld:
    """3 MNQ with an entry, a target and a stop beside it; 2 MES short with a stop and an entry."""
    venue = LooseVenue(held={MNQ: D(3), MES: D(-2)})
    venue.keep("entry", MNQ, Side.BUY, 2).keep("target", MNQ, Side.SELL, 3)
    venue.keep("stop", MNQ, Side.SELL, 3, OrderType.STOP)
    venue.keep("other stop", MES, Side.BUY, 2, OrderType.STOP).keep("other entry", MES, Side.SELL, 1)
    return LaneWorld(venue=venue, **more)  # type: ignore[arg-type]  # a test's short hand


async def close(
    world: LaneWorld, symbol: Symbol = MNQ, caps: Caps | None = None, on_step: Callable[[], None] = lambda: None
) -> Receipt:
    planned = world.plan("close_position", "c", symbol)
    if caps is not None:
        planned = msgspec.structs.replace(planned, caps=caps)
    async with world.lane():
        world.executor.accept([planned])
        await world.settle(on_step)
    return world.receipt("c")


async def test_it_leaves_no_order_of_its_symbol_and_touches_no_other() -> None:
    world = bracketed()
    receipt = await close(world)
    assert [leg.leg for leg in receipt.legs] == ["cancel entry", "cancel target", "reduce MNQ 0", "cancel stop"]
    assert (receipt.status, set(world.venue.orders)) == (DONE, {"other stop", "other entry"})
    assert world.venue.held == {MNQ: 0, MES: -2}
    assert receipt.remaining is not None
    assert (receipt.remaining.working_orders, receipt.remaining.orders) == (2, {MES: 2})
    assert "2 working orders (2 MES)" in str(receipt)


async def test_neither_an_entry_nor_an_exit_of_the_symbol_opens_anything_afterwards() -> None:
    world = bracketed()
    await close(world)
    venue = world.venue
    assert isinstance(venue, LooseVenue)
    for name in ("entry", "target", "stop"):
        venue.trigger(name)
    assert venue.held[MNQ] == 0


async def test_where_closing_fails_the_protection_stays_and_nothing_else_does() -> None:
    world = bracketed()
    world.venue.script["submit", "before"] = [Refused("price band")] * 9
    receipt = await close(world)
    assert (receipt.status, world.venue.held[MNQ]) == (FAILED, 3)
    assert set(world.venue.orders) == {"stop", "other stop", "other entry"}


async def test_an_order_that_nobody_can_cancel_delays_the_close_by_its_share_alone() -> None:
    venue = SlackVenue(held={MNQ: D(3)})
    venue.keep(MNQ)
    world = LaneWorld(venue=venue, clock=venue.clock, budget=Budget(grace_s=0.0, call_s=5.0))
    receipt = await close(world)
    assert (venue.sent, venue.held[MNQ]) == ({MNQ: 2.0}, 0)
    assert (receipt.status, receipt.remaining and receipt.remaining.orders) == (FAILED, {MNQ: 1})
    assert world.outcomes[0].begun  # so that it is tried again although its incident is over


async def test_orders_of_another_symbol_make_nothing_half_done() -> None:
    world = bracketed()
    world.venue.script["cancel", "before"] = [Refused("no"), Refused("no"), None, None]
    await close(world)
    assert (world.outcomes[0].status, world.outcomes[0].begun) == (FAILED, False)


async def test_what_fills_while_it_is_being_cancelled_is_closed_as_well() -> None:
    world = bracketed()
    venue = world.venue
    assert isinstance(venue, LooseVenue)
    venue.on_call = lambda verb: venue.trigger("entry") if verb == "cancel" else None
    receipt = await close(world)
    assert (receipt.status, venue.held[MNQ], venue.closes) == (DONE, 0, [-5])


async def test_an_order_placed_while_it_is_watched_is_cancelled_too() -> None:
    world = bracketed()
    world.pushes = Pushes(world.venue)
    world.__post_init__()
    venue, placed = world.venue, list[int]()
    assert isinstance(venue, LooseVenue)

    def place() -> None:
        if world.executor._lanes[EVAL].watched and not placed:
            placed.append(world.clock.now())
            venue.keep("again", MNQ, Side.BUY, 1)
            world.executor.look_again()

    receipt = await close(world, on_step=place)
    assert (receipt.status, receipt.proof, placed != []) == (DONE, Proof.PUSH_AND_PULL, True)
    assert "again" not in venue.orders


@pytest.mark.parametrize(("shown", "corrections"), [({MNQ: 1}, 1), ({MES: 2}, 0)])
async def test_pushes_that_show_an_order_of_the_symbol_are_waited_for(
    shown: dict[Symbol, int], corrections: int
) -> None:
    world = bracketed()
    left = Remaining(positions={MES: D(-2)}, working_orders=sum(shown.values()), orders=shown)
    pushes = world.pushes = Pushes(world.venue, follows=False, shown=left)
    world.__post_init__()
    receipt = await close(world)
    assert pushes.corrections == corrections
    assert (receipt.status is DONE) is not bool(corrections)


@pytest.mark.parametrize(
    ("remaining", "owed"),
    [
        (Remaining(positions={MNQ: D(2)}), "the position is still +2 MNQ"),
        (Remaining(working_orders=1, orders={MNQ: 1}), "1 working order of MNQ left"),
        (
            Remaining(positions={MNQ: D(2)}, working_orders=2, orders={MNQ: 2}),
            "the position is still +2 MNQ and 2 working orders of MNQ left",
        ),
        (Remaining(positions={MES: D(2)}, working_orders=2, orders={MES: 2}), ""),
    ],
)
def test_it_owes_the_position_and_the_orders_of_its_symbol_alone(remaining: Remaining, owed: str) -> None:
    planned = PlannedAction(id=ActionId("a"), at=1, name="close_position", account=EVAL, symbol=MNQ)
    assert shortfall(planned, remaining) == owed


def test_a_reduction_to_nothing_owes_nothing_where_nothing_is_held() -> None:
    planned = PlannedAction(
        id=ActionId("a"), at=1, name="reduce_to", account=EVAL, symbol=MNQ, params={"quantity": 0}
    )  # fmt: skip
    assert shortfall(planned, Remaining(positions={MES: D(2)}, working_orders=1, orders={MNQ: 1})) == ""


async def test_orders_that_have_ended_are_not_left() -> None:
    venue = LooseVenue().keep("working", MNQ, Side.BUY, 1).keep("over", MNQ, Side.BUY, 1)
    venue.orders[OrderId("over")] = msgspec.structs.replace(venue.orders[OrderId("over")], status=OrderStatus.CANCELLED)
    left = remaining_of(await venue.snapshot(EVAL))
    assert (left.working_orders, left.orders) == (1, {MNQ: 1})


def test_what_works_is_told_by_symbol_where_that_is_known() -> None:
    assert str(Remaining(working_orders=3, orders={MNQ: 2, MES: 1})) == "no position, 3 working orders (1 MES, 2 MNQ)"
    assert str(Remaining(working_orders=1)) == "no position, 1 working order"  # of an older version


async def test_one_side_of_a_hedge_is_closed_with_its_own_orders() -> None:
    venue = LooseVenue(held={LONG: D(1), SHORT: D(-1)})
    venue.keep("long", LONG, Side.SELL, 1, OrderType.STOP).keep("short", SHORT, Side.BUY, 1, OrderType.STOP)
    receipt = await close(LaneWorld(venue=venue), LONG)
    assert (receipt.status, set(venue.orders), venue.held) == (DONE, {"short"}, {LONG: 0, SHORT: -1})


async def test_beyond_its_caps_it_cancels_entries_and_leaves_exits_and_position() -> None:
    world = bracketed()
    receipt = await close(world, caps=Caps(max_orders=2))
    assert receipt.status is OutcomeStatus.NEEDS_CONSENT
    assert "3 orders (max_orders: 2)" in receipt.reason  # a target, a stop, and the order that closes
    assert set(world.venue.orders) == {"target", "stop", "other stop", "other entry"}
    assert world.venue.held[MNQ] == 3


@pytest.mark.parametrize("verb", ["cancel", "submit"])
@pytest.mark.parametrize("stage", ["before", "after"])
@pytest.mark.parametrize("count", [1, 2, 3])
async def test_cut_off_at_any_request_the_next_life_ends_the_same(verb: str, stage: str, count: int) -> None:
    world = bracketed()
    world.venue.script[verb, stage] = [*[None] * (count - 1), "hang"]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "c")])
        for _ in range(60):
            if world.venue.calls.count(verb) >= count:
                break
            await world.step()
    again = world.again()
    async with again.lane():
        await again.settle()
    assert (set(world.venue.orders), world.venue.held) == ({"other stop", "other entry"}, {MNQ: 0, MES: -2})
    assert world.venue.closes == [-3]
    assert [receipt.status for receipt in (*world.receipts, *again.receipts)] == [DONE]


async def test_a_flatten_takes_over_in_the_middle_of_it() -> None:
    world = bracketed()
    world.venue.script["cancel", "before"] = [None, "hang"]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "c")])
        await world.until_called("cancel", 2)
        world.executor.accept([world.plan("flatten", "f")])
        await world.settle()
    assert (world.receipt("c").status, world.receipt("f").status) == (OutcomeStatus.SUPERSEDED, DONE)
    assert (world.venue.orders, set(world.venue.held.values())) == ({}, {D(0)})


async def test_what_cancels_orders_of_the_symbol_makes_room_and_is_carried_out_afterwards() -> None:
    world = bracketed()
    world.venue.script["cancel", "before"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("cancel_orders", "o")])
        await world.until_called("cancel")
        world.executor.accept([world.plan("close_position", "c")])
        await world.settle()
    assert [(receipt.action, receipt.status) for receipt in world.receipts] == [("o", DONE), ("c", DONE)]
    submits = [leg.sent_at for leg in world.receipt("c").legs if leg.leg.startswith("reduce")]
    assert submits[0] < world.clock.now() - NS_PER_S // 2
    assert set(world.venue.orders) == {"other stop", "other entry"}


@pytest.mark.parametrize("name", ["flatten", "close_position", "reduce_to", "place_stop"])
async def test_what_a_rule_on_orders_asks_for_is_done_though_its_order_has_ended(name: str) -> None:
    world = bracketed()
    world.pushes = Pushes(world.venue)
    world.__post_init__()
    wanted: dict[str, dict[str, float | str | bool | None]] = {
        "reduce_to": {"quantity": 1},
        "place_stop": {"distance": 50},
    }
    planned = PlannedAction(
        id=world.plan(name, "a").id,
        at=1,
        name=name,
        account=EVAL,
        symbol=MNQ,
        order_id=OrderId("gone"),
        params=wanted.get(name, {}),
    )
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    assert "had ended by itself" not in world.receipt("a").reason
    assert world.venue.calls.count("snapshot") > 0


async def test_the_flatten_of_a_rule_on_positions_is_half_done_while_another_symbol_is_open() -> None:
    world = bracketed()
    world.venue.script["submit", "before"] = [None, *[Refused("no")] * 9]
    planned = msgspec.structs.replace(world.plan("flatten", "f"), symbol=MNQ)
    world.journal.append([entry_of(RecordKind.PLAN, 2, planned)])
    async with world.lane():
        world.executor.accept([planned])
        await world.settle()
    assert (world.outcomes[0].status, world.outcomes[0].begun) == (FAILED, True)
    assert (world.venue.held[MNQ], world.venue.held[MES]) == (0, -2)
