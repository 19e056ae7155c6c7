"""Stops that move never leave a position less protected; reductions reach what their first try has fixed."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue, LaneWorld

from haltline.enforce.order import protects
from haltline.errors import OutcomeUnknown, Refused, SessionClosed, Transient
from haltline.journal.receipt import Receipt
from haltline.model.event import OutcomeStatus
from haltline.model.id import OrderId, Symbol
from haltline.model.order import Aim, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.model.plan import PlannedAction

CLOSER = 20_900.0
MARK = 20_999.0  # what the world's executor knows


class WatchedVenue(FakeVenue):
    """Notes how much of the position a stop covers whenever it is called; `strange` may change what `submit` does."""

    strange: Callable[[OrderRequest], OrderReport | None] | None = None

    def __init__(self, held: dict[Symbol, Decimal]) -> None:
        super().__init__(held=held)
        self.covered: list[bool] = []
        self.on_call = lambda verb: self.covered.append(self.is_covered)

    @property
    def is_covered(self) -> bool:
        held = self.held[MNQ]
        return any(protects(order, MNQ, held) for order in self.orders.values())

    def stop(self, price: str, quantity: int = 3) -> OrderId:
        order_id = OrderId(f"old{price}")
        self.orders[order_id] = OrderReport(
            account=EVAL, order_id=order_id, symbol=MNQ, side=Side.SELL, quantity=Decimal(quantity),
            type=OrderType.STOP, status=OrderStatus.WORKING, stop_price=Decimal(price),
        )  # fmt: skip
        return order_id

    @property
    def stops(self) -> list[tuple[float, int]]:
        found = [order for order in self.orders.values() if order.stop_price is not None]
        return sorted((float(order.stop_price or 0), int(order.quantity)) for order in found)

    async def submit(self, request: OrderRequest) -> OrderReport:
        if self.strange is not None and (said := self.strange(request)) is not None:
            return said
        return await super().submit(request)


def world(**held: int) -> LaneWorld:
    sizes = {MNQ: Decimal(held.get("mnq", 3)), MES: Decimal(held.get("mes", 0))}
    return LaneWorld(venue=WatchedVenue(held=sizes))


async def do(made: LaneWorld, planned: PlannedAction) -> Receipt:
    async with made.lane():
        made.executor.accept([planned])
        await made.settle()
    return made.receipt(planned.id)


def move(made: LaneWorld, price: float = CLOSER, key: str = "a") -> PlannedAction:
    return made.plan("place_stop", key, price=price)


class TestMoving:
    async def test_the_new_stop_stands_before_the_old_one_goes(self) -> None:
        made = world()
        made.venue.stop("20500")
        assert (await do(made, move(made))).status is OutcomeStatus.DONE
        assert made.venue.stops == [(20_900, 3)]
        assert all(made.venue.covered)

    async def test_a_refused_move_leaves_the_old_stop_where_it_is(self) -> None:
        made = world()
        made.venue.stop("20500")
        made.venue.script["submit", "before"] = [Refused("too many orders")]
        receipt = await do(made, move(made))
        assert (receipt.status, "too many orders" in receipt.reason) == (OutcomeStatus.FAILED, True)
        assert made.venue.stops == [(20_500, 3)]
        assert all(made.venue.covered)

    async def test_a_position_that_grew_meanwhile_gets_a_stop_of_its_size(self) -> None:
        made = world()
        made.venue.stop(20_500, 3)

        def grows(request: OrderRequest) -> None:
            made.venue.strange = None
            made.venue.held[MNQ] = Decimal(5)
            raise Refused("the size is not that of the position")

        made.venue.strange = grows
        assert (await do(made, move(made))).status is OutcomeStatus.DONE
        assert (20_900, 5) in made.venue.stops

    async def test_a_stop_that_was_outgrown_after_it_was_placed_is_replaced(self) -> None:
        made = world()

        def grows(verb: str) -> None:
            if verb == "snapshot" and made.venue.stops and made.venue.held[MNQ] == 3:
                made.venue.held[MNQ] = Decimal(4)

        made.venue.on_call = grows
        assert (await do(made, move(made))).status is OutcomeStatus.DONE
        assert made.venue.stops == [(20_900, 4)]

    async def test_a_position_that_is_gone_after_the_refusal_needs_no_stop(self) -> None:
        made = world()

        def leaves(request: OrderRequest) -> None:
            made.venue.held[MNQ] = Decimal(0)
            raise Refused("no position")

        made.venue.strange = leaves
        assert (await do(made, move(made))).status is OutcomeStatus.DONE
        assert made.venue.stops == []

    @pytest.mark.parametrize(("held", "price"), [(3, 21_100.0), (3, MARK), (-3, 20_800.0)])
    async def test_a_price_that_the_market_has_passed_closes_the_position(self, held: int, price: float) -> None:
        made = world(mnq=held)
        made.venue.script["submit", "before"] = [Refused("the stop would trigger at once")]
        assert (await do(made, move(made, price))).status is OutcomeStatus.DONE
        assert made.venue.held[MNQ] == 0

    async def test_a_refusal_of_a_price_that_the_market_has_not_passed_closes_nothing(self) -> None:
        made = world()
        made.venue.script["submit", "before"] = [Refused("no")]
        assert (await do(made, move(made))).status is OutcomeStatus.FAILED
        assert made.venue.held[MNQ] == 3

    async def test_a_closed_market_closes_nothing(self) -> None:
        made = world()
        made.venue.script["submit", "before"] = [SessionClosed("closed")]
        assert (await do(made, move(made, 21_100.0))).status is OutcomeStatus.FAILED
        assert made.venue.held[MNQ] == 3

    async def test_without_a_mark_nothing_is_closed(self) -> None:
        made = world()
        made.executor._mark_of = lambda symbol: None
        made.venue.script["submit", "before"] = [Refused("no")]
        assert (await do(made, move(made, 21_100.0))).status is OutcomeStatus.FAILED
        assert made.venue.held[MNQ] == 3

    async def test_an_accepted_stop_that_does_not_stay_is_placed_anew_and_then_given_up(self) -> None:
        made = world()
        made.venue.stop("20500")

        def vanishes(request: OrderRequest) -> OrderReport:
            report = OrderReport(
                account=EVAL, order_id=OrderId(request.client_id), symbol=MNQ, side=request.side,
                quantity=request.quantity, type=request.type, status=OrderStatus.CANCELLED,
                client_id=request.client_id, stop_price=request.stop_price,
            )  # fmt: skip
            made.venue.by_client[request.client_id] = report
            return report

        made.venue.strange = vanishes
        receipt = await do(made, move(made))
        assert receipt.status is OutcomeStatus.FAILED
        assert "no stop stays in place" in receipt.reason
        assert made.venue.stops == [(20_500, 3)]
        assert all(made.venue.covered)

    async def test_a_stop_that_the_snapshot_does_not_show_yet_is_waited_for_and_not_doubled(self) -> None:
        made = world()
        hidden: list[OrderReport] = []

        def hides(request: OrderRequest) -> OrderReport:
            if request.client_id in made.venue.by_client:
                return made.venue.by_client[request.client_id]
            report = made.venue._take(request)
            hidden.append(made.venue.orders.pop(report.order_id))
            return report

        def shows(verb: str) -> None:
            if made.venue.calls.count("snapshot") > 5 and hidden:
                order = hidden.pop()
                made.venue.orders[order.order_id] = order

        made.venue.strange, made.venue.on_call = hides, shows
        assert (await do(made, move(made))).status is OutcomeStatus.DONE
        assert made.venue.stops == [(20_900, 3)]
        assert len(made.venue.by_client) == 1

    async def test_an_old_stop_stays_where_the_new_one_goes_while_cleaning_up(self) -> None:
        made = world()
        made.venue.stop("20500")
        made.venue.stop("20400")

        def takes_away(verb: str) -> None:
            if verb == "cancel":
                for key in [key for key, order in made.venue.orders.items() if order.client_id]:
                    del made.venue.orders[key]

        made.venue.on_call = takes_away
        await do(made, move(made))
        assert len(made.venue.stops) == 1  # the second old one is not touched once no tight one works

    async def test_a_tighter_stop_is_left_alone(self) -> None:
        made = world()
        made.venue.stop("20950")
        assert (await do(made, move(made))).status is OutcomeStatus.DONE
        assert made.venue.stops == [(20_950, 3)]
        assert made.venue.calls.count("submit") == 0

    async def test_without_a_position_nothing_is_sent(self) -> None:
        made = world(mnq=0)
        assert (await do(made, move(made))).status is OutcomeStatus.DONE
        assert made.venue.calls.count("submit") == 0


class TestAims:
    def halve(self, made: LaneWorld, key: str = "a", **more: object) -> PlannedAction:
        planned = made.plan("reduce_by", key, symbol=None, fraction=0.5)
        return msgspec.structs.replace(planned, **more)

    async def test_a_repeat_reaches_what_the_first_try_has_fixed(self) -> None:
        made = world(mnq=4, mes=-4)
        made.venue.script["submit", "before"] = [None, Refused("no")]
        first = await do(made, self.halve(made))
        assert first.status is OutcomeStatus.FAILED
        assert made.outcomes[0].aims == first.aims == {
            MNQ: Aim(held=Decimal(4), to=Decimal(2)), MES: Aim(held=Decimal(-4), to=Decimal(2)),
        }  # fmt: skip
        assert (await do(made, self.halve(made, "a~1", aims=first.aims))).status is OutcomeStatus.DONE
        assert made.venue.held == {MNQ: 2, MES: -2}

    @pytest.mark.parametrize(
        "fault", [Transient("reset"), OutcomeUnknown("lost")], ids=["before the effect", "after the effect"]
    )
    async def test_a_crash_between_the_first_order_and_the_second_takes_off_no_more(self, fault: Exception) -> None:
        stage = "before" if isinstance(fault, Transient) else "after"
        made = world(mnq=4, mes=-4)
        made.venue.script["submit", stage] = [None, "hang"]
        async with made.lane():
            made.executor.accept([self.halve(made)])
            await made.until_called("submit", 2)
        made = made.again()
        async with made.lane():
            await made.settle()
        assert made.receipt("a").status is OutcomeStatus.DONE
        assert made.venue.held == {MNQ: 2, MES: -2}

    async def test_a_position_that_turned_while_it_was_reduced_is_left_alone(self) -> None:
        made = world(mnq=4)
        made.venue.rests = True

        def turns(verb: str) -> None:
            if made.venue.calls.count("submit") == 1 and made.venue.orders:
                made.venue.orders.clear()
                made.venue.held[MNQ] = Decimal(-7)

        made.venue.on_call = turns
        assert (await do(made, self.halve(made))).status is OutcomeStatus.DONE
        assert made.venue.held[MNQ] == -7

    async def test_nothing_held_fixes_nothing(self) -> None:
        made = world(mnq=0)
        assert (await do(made, self.halve(made))).aims == {}
