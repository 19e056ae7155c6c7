"""What was told last, and what the engine is told of a connection."""

from decimal import Decimal

import msgspec
import pytest

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S, ManualClock
from haltline.model.event import AccountReport, CashFlow, ConnectionStatus, Fill, OrderUpdate, PositionReport, Quote
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline_broker_ccxt.book import Told, flat
from haltline_broker_ccxt.health import Health


def order(key: str, status: OrderStatus = OrderStatus.WORKING, **more: object) -> OrderReport:
    usual = {"type": OrderType.LIMIT, "quantity": Decimal(1), "side": Side.BUY, "symbol": "BTC"}
    return OrderReport(account="main", order_id=key, status=status, **{**usual, **more})


def position(symbol: str, quantity: int, at: int = 0) -> PositionReport:
    return PositionReport(
        at=at, received_at=at, account="main", symbol=symbol, quantity=Decimal(quantity), average_price=Decimal(1)
    )


def snapshot(*parts: PositionReport | OrderReport) -> AccountSnapshot:
    return AccountSnapshot(
        account=AccountReport(at=0, received_at=0, account="main"),
        positions=tuple(each for each in parts if isinstance(each, PositionReport)),
        orders=tuple(each for each in parts if isinstance(each, OrderReport)),
    )


def positions(events: object) -> dict[str, int]:
    return {each.symbol: int(each.quantity) for each in events if isinstance(each, PositionReport)}


def test_what_a_pull_does_not_show_any_more_is_told_flat_once() -> None:
    told = Told("main")
    assert positions(told.pull(snapshot(position("BTC", 2)), 1)) == {"BTC": 2}
    assert positions(told.pull(snapshot(), 2)) == {"BTC": 0}
    assert positions(told.pull(snapshot(), 3)) == {}


def test_a_change_that_no_stream_tells_in_time_is_noticed_once() -> None:
    told = Told("main")
    list(told.pull(snapshot(position("BTC", 2)), 0))
    assert told.overdue(NS_PER_S) == ""
    assert told.overdue(3 * NS_PER_S) == "BTC"
    assert told.overdue(9 * NS_PER_S) == ""
    told.push(position("BTC", 3))
    list(told.pull(snapshot(position("BTC", 3)), 10 * NS_PER_S))
    assert told.overdue(20 * NS_PER_S) == ""
    list(told.pull(snapshot(position("BTC", 4)), 20 * NS_PER_S))
    told.push(position("BTC", 4))
    assert told.overdue(30 * NS_PER_S) == ""


def test_what_is_only_worth_more_or_less_is_no_news() -> None:
    """Found by the soak of the venues: Hyperliquid tells the account with every price, and reading it each time used up
    what the venue takes."""

    def account(balance: str | None, equity: float) -> AccountReport:
        given = None if balance is None else Decimal(balance)
        return AccountReport(at=0, received_at=0, account="main", balance=given, equity=equity)

    told = Told("main")
    for event, is_news in (
        (Quote(at=0, received_at=0, symbol="BTC", last=1.0), False),
        (account(None, 1.0), False),
        (account("100", 100.0), True),
        (account("100.01", 90.0), False),
        (account("100.03", 90.0), True),
        (position("BTC", 2), True),
        (position("BTC", 2, at=5), False),
        (msgspec.structs.replace(position("BTC", 2), margin=7.0), False),
        (msgspec.structs.replace(position("BTC", 2), average_price=Decimal(2)), True),
        (position("BTC", 0), True),
        (OrderUpdate(at=0, received_at=0, order=order("1")), True),
    ):
        assert told.is_news(event) is is_news, event
        told.push(event)
        told.note(event)


def test_a_push_that_contradicts_what_was_read_is_news() -> None:
    told = Told("main")
    told.is_news(position("BTC", 2))
    told.push(position("BTC", 2))
    list(told.pull(snapshot(position("BTC", 3)), 1))
    assert told.is_news(position("BTC", 2))


def test_an_order_that_vanishes_is_looked_up_and_ends() -> None:
    told = Told("main")
    list(told.pull(snapshot(order("1"), order("2")), 1))
    told.push(OrderUpdate(at=5, received_at=5, order=order("3")))
    assert [each.order_id for each in told.gone(snapshot(order("2")), 4)] == ["1"]
    ended = told.ended(order("1"), None, 9)
    assert ended is not None
    assert ended.order.status is OrderStatus.EXPIRED
    assert told.ended(order("2"), order("2"), 9) is None
    filled = told.ended(order("2"), order("2", OrderStatus.FILLED), 9)
    assert filled is not None
    assert filled.order.status is OrderStatus.FILLED
    assert [each.order_id for each in told.gone(snapshot(), 9)] == ["3"]


def test_a_fill_is_told_once_however_it_comes() -> None:
    told = Told("main")
    fill = Fill(
        at=1, received_at=1, account="main", symbol="BTC", fill_id="f", side=Side.BUY, quantity=Decimal(1),
        price=Decimal(1),
    )  # fmt: skip
    assert told.push(fill)
    assert not told.push(fill)
    assert not told.is_new(fill)


def test_only_a_stop_that_reduces_protects() -> None:
    told = Told("main")
    told.push(OrderUpdate(at=1, received_at=1, order=order("1", type=OrderType.STOP)))
    assert not told.has_stops
    told.push(OrderUpdate(at=1, received_at=1, order=order("2", type=OrderType.STOP, reduce_only=True)))
    assert told.has_stops
    assert told.symbols() == {"BTC"}
    told.push(flat("main", "ETH", 1))
    assert told.symbols() == {"BTC"}


def test_a_balance_that_jumps_without_a_trade_or_a_flow_wants_a_reason() -> None:
    def report(balance: str | None) -> AccountReport:
        return AccountReport(at=1, received_at=1, account="main", balance=Decimal(balance) if balance else None)

    told = Told("main")
    assert not told.is_unexplained(report("100"))
    told.note(report("100"))
    assert not told.is_unexplained(report("100.5"))
    assert not told.is_unexplained(report(None))
    assert told.is_unexplained(report("150"))
    told.note(CashFlow(at=1, received_at=1, account="main", amount=Decimal(50), flow_id="f"))
    assert not told.is_unexplained(report("150"))


@pytest.fixture
def heard() -> list:
    return []


def test_a_connection_is_told_of_when_it_changes(heard: list) -> None:
    health = Health("main", ManualClock(), lambda update: heard.append((update.status, update.reason)))
    health.rest()
    health.rest()
    health.streams("cut")
    health.streams("cut again")
    health.streams()
    health.puzzled("what was that")
    health.rest()
    health.rest("no answer")
    health.rest("no answer")
    health.rest()
    assert [status for status, _ in heard] == [
        ConnectionStatus.CONNECTED, ConnectionStatus.DEGRADED, ConnectionStatus.CONNECTED, ConnectionStatus.DEGRADED,
        ConnectionStatus.CONNECTED, ConnectionStatus.DISCONNECTED, ConnectionStatus.CONNECTED,
    ]  # fmt: skip
    assert heard[1][1] == "only polled, the streams are down: cut"


def test_a_new_remark_is_told_with_the_connection(heard: list) -> None:
    health = Health("main", ManualClock(), lambda update: heard.append(update.reason))
    health.rest()
    health.remark = "our clock is 60.0 s behind"
    health.rest()
    assert heard == ["", "our clock is 60.0 s behind"]
