"""The orders that reduce and protect: never the wrong side, never too much, never beside the grid of the venue."""

from decimal import Decimal

import msgspec
import pytest

from haltline.api import AccountSnapshot
from haltline.enforce.order import (
    has_tight_stop,
    is_as_tight,
    is_looser,
    is_passed,
    protecting_stop,
    protects,
    quantity_of,
    reducing_order,
    whole_lots,
)
from haltline.model.event import AccountReport, PositionReport
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side

D = Decimal
EVAL, ETH, BTC = AccountId("eval"), Symbol("ETH"), Symbol("BTC")
SPEC = InstrumentSpec(symbol=ETH, tick_size=D("0.25"), lot_size=D("0.1"))
STOP = OrderReport(
    account=EVAL, order_id=OrderId("s"), symbol=ETH, side=Side.SELL, quantity=D(2), type=OrderType.STOP,
    status=OrderStatus.WORKING, stop_price=D(100), client_id="ours",
)  # fmt: skip


def stop(**fields: object) -> OrderReport:
    """A working stop for 2 ETH held long, at 100, with other fields."""
    return msgspec.structs.replace(STOP, **fields)


def reduced(held: str, to: str, spec: InstrumentSpec | None = SPEC) -> OrderRequest:
    return reducing_order(EVAL, ETH, held=D(held), to=D(to), spec=spec, client="c")


def protected(held: str, price: str, spec: InstrumentSpec | None = SPEC) -> OrderRequest:
    return protecting_stop(EVAL, ETH, held=D(held), stop=D(price), spec=spec, client="c")


def snapshot(*orders: OrderReport, held: dict[Symbol, str] | None = None) -> AccountSnapshot:
    positions = [
        PositionReport(at=0, received_at=0, account=EVAL, symbol=symbol, quantity=D(size), average_price=D(100))
        for symbol, size in (held or {}).items()
    ]
    account = AccountReport(at=0, received_at=0, account=EVAL)
    return AccountSnapshot(account=account, positions=tuple(positions), orders=orders)


def test_the_size_of_a_position_is_that_of_its_symbol_alone() -> None:
    assert quantity_of(snapshot(held={ETH: "-0.3", BTC: "2"}), ETH) == D("-0.3")
    assert quantity_of(snapshot(held={BTC: "2"}), ETH) == 0


@pytest.mark.parametrize(
    ("held", "whole"), [("0.37", "0.3"), ("-0.37", "-0.3"), ("0.3", "0.3"), ("0.1", "0.1"), ("0.04", "0.04")]
)
def test_whole_lots_are_what_the_venue_trades_and_less_than_one_stays_as_it_is(held: str, whole: str) -> None:
    assert whole_lots(D(held), SPEC) == D(whole)


@pytest.mark.parametrize("spec", [None, InstrumentSpec(symbol=ETH, lot_size=D(0))])
def test_without_a_lot_size_a_position_is_taken_as_it_is(spec: InstrumentSpec | None) -> None:
    assert whole_lots(D("0.37"), spec) == D("0.37")
    assert reduced("0.37", "0", spec).quantity == D("0.37")


@pytest.mark.parametrize(
    ("held", "to", "cut"),
    [
        ("0.5", "0", "0.5"),
        ("0.5", "0.2", "0.3"),
        ("0.5", "0.25", "0.3"),  # the next whole lot below the size to reach
        ("0.57", "0", "0.5"),  # whole lots first
        ("0.04", "0", "0.04"),  # what is less than one is tried as it is
        ("0.1", "0", "0.1"),
    ],
)
def test_a_reducing_order_takes_off_whole_lots_and_never_more_than_is_held(held: str, to: str, cut: str) -> None:
    assert reduced(held, to).quantity == D(cut)
    assert reduced(f"-{held}", to).quantity == D(cut)


@pytest.mark.parametrize(("held", "side"), [("0.5", Side.SELL), ("-0.5", Side.BUY)])
def test_a_reducing_order_is_a_reduce_only_market_order_against_the_position(held: str, side: Side) -> None:
    assert reduced(held, "0") == OrderRequest(
        account=EVAL, symbol=ETH, side=side, quantity=D("0.5"), type=OrderType.MARKET, reduce_only=True, client_id="c"
    )


@pytest.mark.parametrize(
    ("held", "side", "price"),
    [("0.5", Side.SELL, "99.75"), ("1", Side.SELL, "99.75"), ("-0.5", Side.BUY, "99.50")],
)
def test_a_protecting_stop_stands_at_the_tick_on_the_markets_side(held: str, side: Side, price: str) -> None:
    assert protected(held, "99.6") == OrderRequest(
        account=EVAL, symbol=ETH, side=side, quantity=abs(D(held)), type=OrderType.STOP, stop_price=D(price),
        reduce_only=True, client_id="c",
    )  # fmt: skip


@pytest.mark.parametrize("spec", [None, InstrumentSpec(symbol=ETH, tick_size=D(0))])
def test_without_a_tick_a_stop_stands_where_it_was_asked_for(spec: InstrumentSpec | None) -> None:
    assert protected("0.5", "99.6", spec).stop_price == D("99.6")


@pytest.mark.parametrize(
    ("held", "price", "is_tight"),
    [
        ("2", "99", True),
        ("2", "100", True),
        ("2", "101", False),
        ("0.5", "101", False),
        ("-2", "99", False),
        ("-2", "100", True),
        ("-2", "101", True),
        ("0.5", "99", True),
    ],
)
def test_a_stop_is_as_tight_at_the_price_or_closer_to_the_market(held: str, price: str, is_tight: bool) -> None:
    assert is_as_tight(STOP, D(price), D(held)) is is_tight


def test_a_stop_of_unknown_price_is_never_as_tight_and_never_called_looser() -> None:
    trailing = stop(type=OrderType.TRAILING_STOP, stop_price=None)
    assert not is_as_tight(trailing, D(1), D(2))
    assert not is_looser(trailing, ETH, D(1), D(2), ())


def test_a_working_stop_for_the_whole_position_protects_it() -> None:
    assert protects(STOP, ETH, D(2))
    assert protects(stop(side=Side.BUY), ETH, D(-2))
    assert protects(stop(status=OrderStatus.PARTIALLY_FILLED, quantity=D(3), filled=D(1)), ETH, D(2))


@pytest.mark.parametrize(
    "order",
    [
        stop(symbol=BTC),
        stop(status=OrderStatus.CANCELLED),
        stop(type=OrderType.LIMIT),
        stop(side=Side.BUY),
        stop(quantity=D(1)),
        stop(filled=D(1)),
    ],
    ids=["another symbol", "ended", "no stop", "the wrong side", "too small", "partly used up"],
)
def test_what_is_no_working_stop_for_all_of_it_protects_nothing(order: OrderReport) -> None:
    assert not protects(order, ETH, D(2))
    assert not has_tight_stop(snapshot(order), ETH, D(99), D(2))


def test_a_stop_on_the_side_of_a_position_smaller_than_one_protects_nothing() -> None:
    assert not protects(stop(side=Side.BUY), ETH, D("0.5"))


def test_a_tight_stop_is_found_among_others() -> None:
    orders = (stop(symbol=BTC), stop(stop_price=D(98)), STOP)
    assert has_tight_stop(snapshot(*orders), ETH, D(99), D(2))
    assert not has_tight_stop(snapshot(*orders[:2]), ETH, D(99), D(2))


def test_only_a_looser_stop_for_all_of_it_or_a_working_one_of_ours_is_needless() -> None:
    assert is_looser(stop(client_id="theirs"), ETH, D(101), D(2), ())
    assert not is_looser(STOP, ETH, D(99), D(2), ("ours",))
    assert is_looser(stop(quantity=D(1)), ETH, D(99), D(2), ("ours",))


@pytest.mark.parametrize("order", [stop(quantity=D(1), client_id="theirs"), stop(status=OrderStatus.FILLED)])
def test_a_smaller_stop_of_somebody_else_and_one_that_has_ended_are_left_alone(order: OrderReport) -> None:
    assert not is_looser(order, ETH, D(99), D(2), ("ours",))


@pytest.mark.parametrize(
    ("held", "mark", "has_passed"),
    [
        ("0.5", 100.25, False),
        ("0.5", 100.0, True),
        ("0.5", 99.0, True),
        ("1", 101.0, False),
        ("-0.5", 99.75, False),
        ("-0.5", 100.0, True),
        ("-0.5", 101.0, True),
    ],
)
def test_a_price_is_passed_where_a_stop_at_it_would_trigger_at_once(held: str, mark: float, has_passed: bool) -> None:
    assert is_passed(D(100), D(held), mark) is has_passed


@pytest.mark.parametrize("held", ["2", "-2"])
def test_without_a_mark_nothing_is_known_to_be_passed(held: str) -> None:
    assert not is_passed(D(100), D(held), None)
