"""The paper venue: one behaviour an order type and a rule of the exchange."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from haltline.builtins.paper.price import CONTINUOUS
from haltline.builtins.paper.setting import PaperSetting
from haltline.builtins.paper.venue import PaperVenue
from haltline.errors import Refused
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport, CashFlow, Event, Fill, InstrumentUpdate, OrderUpdate, Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side

D = Decimal
EVAL = AccountId("eval")
MNQ = Symbol("MNQ")
SPEC = InstrumentSpec(symbol=MNQ, tick_size=D("0.25"), tick_value=D("0.50"))


class Floor:
    """A venue with one account and one instrument, its events, and a clock that ticks by one a call."""

    def __init__(
        self, *, spec: InstrumentSpec = SPEC, is_open: Callable[[Symbol, int], bool] | None = None, **setting: object
    ):
        self.events: list[Event] = []
        self.now = 0
        self.venue = PaperVenue(
            accounts=[AccountSpec(id=EVAL, balance=D(50_000))],
            instruments=[spec],
            sink=self.events.append,
            setting=PaperSetting(**setting),  # type: ignore[arg-type]
            is_open=is_open,
        )

    def quote(
        self, last: float | None = None, *, bid: float | None = None, ask: float | None = None, source: str = ""
    ) -> None:
        self.now += 1
        quote = Quote(at=self.now, received_at=self.now, symbol=MNQ, last=last, bid=bid, ask=ask, source=source)
        self.venue.on_quote(quote, self.now)

    def order(self, side: str, quantity: object, type_: str = "market", **fields: object) -> OrderReport:
        self.now += 1
        exact = {
            key: D(str(value)) if isinstance(value, int | float) and key != "reduce_only" else value
            for key, value in fields.items()
        }
        request = OrderRequest(
            account=EVAL,
            symbol=MNQ,
            side=Side(side),
            quantity=D(str(quantity)),
            type=OrderType(type_),
            **exact,  # type: ignore[arg-type]
        )
        return self.venue.submit(request, self.now)

    def fills(self) -> list[tuple[str, D, D]]:
        return [(e.side.value, e.quantity, e.price) for e in self.events if isinstance(e, Fill)]

    def position(self) -> D:
        return sum((p.quantity for p in self.venue.snapshot(EVAL, self.now).positions), D(0))

    def status(self, order: OrderReport) -> OrderStatus:
        return next(
            e.order.status
            for e in reversed(self.events)
            if isinstance(e, OrderUpdate) and e.order.order_id == order.order_id
        )


def test_a_market_buy_takes_the_ask_and_a_sell_the_bid() -> None:
    floor = Floor()
    floor.quote(bid=100.0, ask=100.5)
    floor.order("buy", 1)
    floor.order("sell", 1)
    assert floor.fills() == [("buy", D(1), D("100.5")), ("sell", D(1), D("100.0"))]


def test_two_micro_lots_over_ten_points_make_forty_dollars() -> None:
    floor = Floor()
    floor.quote(21_000.0)
    floor.order("buy", 2)
    floor.quote(21_010.0)
    floor.order("sell", 2)
    assert floor.venue.snapshot(EVAL, floor.now).account.balance == D(50_040)


def test_only_the_closing_part_of_a_fill_has_profit() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 2)
    floor.quote(110.0)
    floor.order("sell", 3)
    assert [e.pnl for e in floor.events if isinstance(e, Fill)] == [None, D(40)]
    assert floor.position() == D(-1)


def test_a_market_order_without_a_quote_waits_for_one() -> None:
    floor = Floor()
    waiting = floor.order("buy", 1)
    assert waiting.status is OrderStatus.WORKING
    floor.quote(100.0)
    assert floor.status(waiting) is OrderStatus.FILLED


def test_a_market_order_without_a_quote_is_rejected_where_so_set() -> None:
    assert "no quote" in Floor(unquoted="reject").order("buy", 1).reason


def test_a_resting_limit_fills_at_its_own_price() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 1, "limit", limit_price=99)
    floor.quote(98.0)
    assert floor.fills() == [("buy", D(1), D(99))]


def test_a_marketable_limit_fills_at_the_better_market_price() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 1, "limit", limit_price=101)
    assert floor.fills() == [("buy", D(1), D("100.0"))]


def test_a_limit_that_is_not_reached_does_not_fill() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 1, "limit", limit_price=99)
    floor.quote(99.25)
    assert floor.fills() == []


def test_a_stop_fills_at_the_worse_price_after_a_gap() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 1)
    floor.order("sell", 1, "stop", stop_price=95)
    floor.quote(90.0)
    assert floor.fills()[-1] == ("sell", D(1), D("90.0"))


def test_a_stop_inside_a_bar_fills_at_its_trigger() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 1)
    floor.order("sell", 1, "stop", stop_price=95)
    floor.quote(90.0, source=CONTINUOUS)
    assert floor.fills()[-1] == ("sell", D(1), D(95))


def test_a_stop_already_beyond_its_trigger_fills_at_the_market_even_inside_a_bar() -> None:
    floor = Floor()
    floor.quote(90.0, source=CONTINUOUS)
    floor.order("sell", 1, "stop", stop_price=95)
    assert floor.fills() == [("sell", D(1), D("90.0"))]


def test_a_stop_limit_does_not_fill_beyond_its_limit() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("sell", 1, "stop_limit", stop_price=95, limit_price=94)
    floor.quote(90.0)
    assert floor.fills() == []
    floor.quote(94.5)
    assert floor.fills() == [("sell", D(1), D(94))]


def test_a_trailing_stop_follows_up_and_never_down() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 1)
    floor.order("sell", 1, "trailing_stop", trail=5)
    for price in (110.0, 106.0, 105.0):
        floor.quote(price)
    assert floor.fills()[-1] == ("sell", D(1), D("105.0"))


def test_a_trailing_stop_reports_its_moving_price() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("sell", 1, "trailing_stop", trail=5)
    floor.quote(110.0)
    assert floor.venue.snapshot(EVAL, floor.now).orders[0].stop_price == D("105.0")


def test_stops_fill_before_limits_on_the_same_quote() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 1, "limit", limit_price=95)
    floor.order("sell", 1, "stop", stop_price=95)
    floor.quote(95.0)
    assert [side for side, *_ in floor.fills()] == ["sell", "buy"]


def test_reduce_only_without_a_position_is_rejected() -> None:
    floor = Floor()
    floor.quote(100.0)
    assert floor.order("sell", 1, reduce_only=True).status is OrderStatus.REJECTED


def test_reduce_only_never_turns_a_position_around() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 2)
    floor.order("sell", 5, reduce_only=True)
    assert floor.position() == 0


def test_reduce_only_orders_shrink_and_go_with_their_position() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 3)
    stop = floor.order("sell", 3, "stop", stop_price=90, reduce_only=True)
    floor.order("sell", 1)
    assert floor.venue.snapshot(EVAL, floor.now).orders[0].remaining == D(2)
    floor.order("sell", 2)
    assert floor.status(stop) is OrderStatus.CANCELLED


def test_an_order_larger_than_the_depth_fills_over_several_quotes() -> None:
    floor = Floor(max_fill=D(2))
    floor.quote(100.0)
    order = floor.order("buy", 5)
    assert order.status is OrderStatus.PARTIALLY_FILLED
    floor.quote(101.0)
    floor.quote(102.0)
    assert [quantity for _, quantity, _ in floor.fills()] == [D(2), D(2), D(1)]
    assert floor.status(order) is OrderStatus.FILLED


def test_a_fill_fraction_is_rounded_up_to_the_lot() -> None:
    floor = Floor(fill_fraction=D("0.5"))
    floor.quote(100.0)
    floor.order("buy", 3)
    assert floor.fills()[0][1] == D(2)


def test_takers_and_makers_pay_their_own_fees() -> None:
    floor = Floor(taker_fee=D("0.001"), maker_fee=D("0.0001"), fee_per_unit=D("0.5"))
    floor.quote(100.0)
    floor.order("buy", 1)
    floor.order("sell", 1, "limit", limit_price=110)
    floor.quote(110.0)
    assert [e.fee for e in floor.events if isinstance(e, Fill)] == [D("0.7"), D("0.522")]


def test_slippage_is_always_against_the_order() -> None:
    floor = Floor(slippage_ticks=D(2))
    floor.quote(100.0)
    floor.order("buy", 1)
    floor.order("sell", 1)
    assert [price for *_, price in floor.fills()] == [D("100.50"), D("99.50")]


def test_latency_delays_an_order_to_the_price_then_in_force() -> None:
    floor = Floor(latency_ms=1)
    floor.quote(100.0)
    order = floor.order("buy", 1)
    assert order.status is OrderStatus.PENDING
    wake = floor.venue.next_wake_ns()
    assert wake == floor.now + 1_000_000
    floor.now = wake - 1
    floor.quote(105.0)
    floor.venue.advance(wake)
    assert floor.fills() == [("buy", D(1), D("105.0"))]
    assert floor.venue.next_wake_ns() is None


def test_a_pending_order_can_be_cancelled_before_it_arrives() -> None:
    floor = Floor(latency_ms=1)
    floor.quote(100.0)
    order = floor.order("buy", 1)
    floor.venue.cancel(EVAL, order.order_id, floor.now)
    floor.venue.advance(floor.now + 2_000_000)
    assert floor.fills() == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"quantity": 0}, "more than 0"),
        ({"quantity": "1.5"}, "lot size"),
        ({"quantity": 1, "type_": "limit", "limit_price": 100.1}, "tick size"),
        ({"quantity": 1, "type_": "limit"}, "needs a limit price"),
        ({"quantity": 1, "type_": "stop"}, "needs a stop price"),
        ({"quantity": 1, "type_": "trailing_stop"}, "needs a trail"),
        ({"quantity": 1, "type_": "stop", "stop_price": -1}, "more than 0"),
        ({"quantity": 1, "type_": "stop", "stop_price": float("nan")}, "more than 0"),
    ],
)
def test_an_order_that_does_not_fit_is_rejected_with_its_reason(fields: dict[str, object], reason: str) -> None:
    report = Floor().order("buy", **fields)  # type: ignore[arg-type]
    assert report.status is OrderStatus.REJECTED
    assert reason in report.reason


def test_an_unknown_symbol_is_rejected() -> None:
    request = OrderRequest(account=EVAL, symbol=Symbol("ZZZ"), side=Side.BUY, quantity=D(1))
    assert "not traded" in Floor().venue.submit(request, 1).reason


def test_an_unknown_account_is_refused() -> None:
    request = OrderRequest(account=AccountId("who"), symbol=MNQ, side=Side.BUY, quantity=D(1))
    with pytest.raises(Refused, match="who"):
        Floor().venue.submit(request, 1)


def test_an_order_that_is_over_has_filled_what_is_executed_for_it_all_the_same() -> None:
    floor = Floor()
    floor.quote(bid=100.0, ask=100.25)
    order = floor.order("buy", 3, "limit", limit_price=90)
    floor.venue.cancel(EVAL, order.order_id, floor.now)
    floor.venue.execute(
        EVAL, order.symbol, Side.BUY, quantity=D(1), price=D(90), now=floor.now, order_id=order.order_id
    )
    found = next(event.order for event in reversed(floor.events) if isinstance(event, OrderUpdate))
    assert (found.order_id, found.status, found.filled) == (order.order_id, OrderStatus.CANCELLED, 1)


def test_orders_outside_trading_hours_are_rejected() -> None:
    assert "closed" in Floor(is_open=lambda symbol, now: False).order("buy", 1).reason


def test_an_order_beyond_the_margin_is_rejected() -> None:
    spec = InstrumentSpec(symbol=MNQ, tick_size=D("0.25"), tick_value=D("0.50"), initial_margin=D(20_000))
    floor = Floor(spec=spec)
    floor.quote(100.0)
    assert floor.order("buy", 2).status is OrderStatus.FILLED
    assert "margin" in floor.order("buy", 1).reason
    assert floor.order("sell", 2).status is OrderStatus.FILLED


def test_working_orders_reserve_margin() -> None:
    spec = InstrumentSpec(symbol=MNQ, tick_size=D("0.25"), tick_value=D("0.50"), initial_margin=D(20_000))
    floor = Floor(spec=spec)
    floor.quote(100.0)
    floor.order("buy", 2, "limit", limit_price=90)
    assert floor.order("buy", 1).status is OrderStatus.REJECTED


def test_leverage_gives_margin_where_the_instrument_states_none() -> None:
    floor = Floor(leverage=D(10))
    floor.quote(100.0)
    floor.order("buy", 1)
    assert floor.venue.margin_used(EVAL) == D(20)


def test_margin_is_not_asked_for_where_so_set() -> None:
    floor = Floor(leverage=D("0.0001"), check_margin=False)
    floor.quote(100.0)
    assert floor.order("buy", 1).status is OrderStatus.FILLED


def test_a_scripted_rejection_hits_exactly_the_next_order() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.venue.reject_next("risk desk says no")
    assert floor.order("buy", 1).reason == "risk desk says no"
    assert floor.order("buy", 1).status is OrderStatus.FILLED


def test_a_client_id_seen_twice_places_one_order() -> None:
    floor = Floor()
    floor.quote(100.0)
    first = floor.order("buy", 1, client_id="a")
    assert floor.order("buy", 1, client_id="a") == first
    assert len(floor.fills()) == 1


def test_cancelling_twice_or_something_unknown_is_harmless() -> None:
    floor = Floor()
    order = floor.order("buy", 1, "limit", limit_price=90)
    floor.venue.cancel(EVAL, order.order_id, 5)
    assert floor.venue.cancel(EVAL, order.order_id, 6).status is OrderStatus.CANCELLED  # type: ignore[union-attr]
    assert floor.venue.cancel(EVAL, order.order_id.__class__("nope"), 7) is None


def test_prices_that_are_not_finite_are_ignored() -> None:
    floor = Floor()
    for price in (float("nan"), float("inf"), 0.0, -1.0):
        floor.quote(price)
    assert floor.order("buy", 1).status is OrderStatus.WORKING


def test_an_execution_elsewhere_is_booked_at_its_price() -> None:
    floor = Floor()
    floor.venue.execute(EVAL, MNQ, Side.BUY, quantity=D(2), price=D(21_000), now=1)
    floor.quote(20_990.0)
    assert floor.venue.equity(EVAL) == D(49_960)


def test_an_execution_elsewhere_needs_a_known_symbol() -> None:
    with pytest.raises(Refused):
        Floor().venue.execute(EVAL, Symbol("ZZZ"), Side.BUY, quantity=D(1), price=D(1), now=1)


def test_a_deposit_counts_once() -> None:
    floor = Floor()
    for _ in range(2):
        floor.venue.deposit(EVAL, D(100), "wire-1", 1)
    assert floor.venue.snapshot(EVAL, 1).account.balance == D(50_100)
    assert [type(event) for event in floor.events] == [CashFlow]


def test_a_new_instrument_can_be_traded() -> None:
    floor = Floor()
    floor.venue.add_instrument(InstrumentSpec(symbol=Symbol("ES")), 1)
    assert isinstance(floor.events[-1], InstrumentUpdate)
    request = OrderRequest(account=EVAL, symbol=Symbol("ES"), side=Side.BUY, quantity=D(1))
    assert floor.venue.submit(request, 2).status is OrderStatus.WORKING


def test_events_of_one_fill_come_in_order() -> None:
    floor = Floor()
    floor.quote(100.0)
    floor.order("buy", 1)
    assert [type(event) for event in floor.events] == [OrderUpdate, Fill, OrderUpdate, AccountReport]


def test_ids_come_from_counters() -> None:
    floor = Floor()
    floor.quote(100.0)
    assert [floor.order("buy", 1).order_id, floor.order("buy", 1).order_id] == ["eval-1", "eval-2"]


def test_finished_orders_beyond_ten_thousand_are_forgotten() -> None:
    floor = Floor()
    for count in range(10_002):
        floor.order("buy", 0, client_id=f"c{count}")
    assert floor.venue.find_order(EVAL, "c0") is None
    assert floor.venue.find_order(EVAL, "c10001") is not None


def test_an_account_that_is_not_kept_has_no_snapshot() -> None:
    with pytest.raises(Refused):
        Floor().venue.snapshot(AccountId("who"), 1)


def test_an_order_is_looked_at_again_when_it_arrives() -> None:
    floor = Floor(latency_ms=1)
    floor.quote(100.0)
    floor.venue.execute(EVAL, MNQ, Side.BUY, quantity=D(1), price=D(100), now=floor.now)
    order = floor.order("sell", 1, reduce_only=True)
    floor.venue.execute(EVAL, MNQ, Side.SELL, quantity=D(1), price=D(100), now=floor.now)
    floor.venue.advance(floor.now + 1_000_000)
    assert floor.status(order) is OrderStatus.REJECTED
