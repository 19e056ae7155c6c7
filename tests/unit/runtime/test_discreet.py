"""Whatever a broker says, and however, no secret is in it; and it stays what it is."""

from decimal import Decimal
from typing import Any

import pytest

from haltline.api import AccountSnapshot
from haltline.errors import OutcomeUnknown, PluginFailed, Refused, SessionClosed, Transient
from haltline.model.event import AccountReport, ConnectionStatus, ConnectionUpdate, Event, OrderUpdate, Quote
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.runtime.discreet import DiscreetBroker, DiscreetInquirer, DiscreetReader, discreet_sink

EVAL, KEY = AccountId("eval"), "key-of-ours-123"
REQUEST = OrderRequest(account=EVAL, symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(1), client_id="c")


def hide(text: str) -> str:
    return text.replace(KEY, "***")


def order(reason: str) -> OrderReport:
    return OrderReport(
        account=EVAL, order_id=OrderId("1"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(1),
        type=OrderType.MARKET, status=OrderStatus.REJECTED, reason=reason,
    )  # fmt: skip


class Chatty:
    """Repeats the key in everything."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        self.reason = f"bad {KEY}"

    def _answer(self, found: Any) -> Any:
        if self.failure is not None:
            raise self.failure
        return found

    async def run(self, sink: Any, started: Any) -> None:
        sink(
            ConnectionUpdate(
                at=1, received_at=1, account=EVAL, status=ConnectionStatus.DISCONNECTED, reason=self.reason
            )
        )
        sink(OrderUpdate(at=1, received_at=1, order=order(self.reason)))
        started()
        self._answer(None)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        account_report = AccountReport(at=1, received_at=1, account=account, balance=Decimal(1))
        found = AccountSnapshot(account=account_report, positions=(), orders=(order(""), order(self.reason)))
        return self._answer(found)  # type: ignore[no-any-return] # as given

    async def submit(self, request: OrderRequest) -> OrderReport:
        return self._answer(order(self.reason))  # type: ignore[no-any-return] # as given

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        self._answer(None)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        return self._answer(order(self.reason))  # type: ignore[no-any-return] # as given


async def test_no_report_says_it() -> None:
    broker, heard = DiscreetBroker(Chatty(), hide), list[Event]()
    await broker.run(heard.append, lambda: None)
    said = [heard, await broker.snapshot(EVAL), await broker.submit(REQUEST), await broker.find_order(EVAL, "c")]
    await broker.cancel(EVAL, OrderId("1"))
    assert KEY not in str(said)
    assert str(said).count("bad ***") == 5


@pytest.mark.parametrize("kind", [Transient, Refused, SessionClosed, OutcomeUnknown, KeyError, ZeroDivisionError])
async def test_no_failure_says_it_and_each_stays_what_it_is(kind: type[Exception]) -> None:
    broker = DiscreetBroker(Chatty(kind(f"signature of {KEY} is wrong")), hide)
    for call in (
        broker.snapshot(EVAL), broker.submit(REQUEST), broker.cancel(EVAL, OrderId("1")),
        broker.find_order(EVAL, "c"), broker.run(lambda event: None, lambda: None),
    ):  # fmt: skip
        with pytest.raises(kind) as failure:
            await call
        assert "signature of *** is wrong" in str(failure.value) and KEY not in repr(failure.value)


class Inquired(Chatty):
    async def look_up(self, order: OrderReport) -> OrderReport | None:
        return self._answer(order)  # type: ignore[no-any-return] # as given


async def test_what_is_said_of_an_order_that_was_asked_for_says_it_neither() -> None:
    said = DiscreetInquirer(Inquired(), hide)
    found = [await said.find_order(EVAL, "c"), await said.look_up(order(f"bad {KEY}"))]
    assert [each and each.reason for each in found] == ["bad ***", "bad ***"]
    failing = DiscreetInquirer(Inquired(Refused(KEY)), hide)
    for call in (failing.find_order(EVAL, "c"), failing.look_up(order("x"))):
        with pytest.raises(Refused, match=r"^\*\*\*$"):
            await call


async def test_a_pause_that_was_asked_for_is_still_known() -> None:
    with pytest.raises(Transient) as failure:
        await DiscreetReader(Chatty(Transient(KEY, retry_after_s=7)), hide).snapshot(EVAL)
    assert (str(failure.value), failure.value.retry_after_s) == ("***", 7)


async def test_a_failure_that_makes_its_words_of_something_else_says_it_neither() -> None:
    with pytest.raises(PluginFailed, match=r"^ConnectionRefusedError: .* \*\*\*$"):
        await DiscreetBroker(Chatty(ConnectionRefusedError(111, f"no answer to {KEY}")), hide).submit(REQUEST)


def test_what_has_no_text_passes_as_it_is() -> None:
    heard: list[Event] = []
    quote = Quote(at=1, received_at=1, symbol=Symbol(KEY), last=1.0)
    quiet = ConnectionUpdate(at=1, received_at=1, account=EVAL, status=ConnectionStatus.CONNECTED)
    sink = discreet_sink(heard.append, hide)
    sink(quote)
    sink(quiet)
    assert heard[0] is quote and heard[1] is quiet
