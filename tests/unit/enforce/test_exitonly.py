"""The guardian's connection: reading, cancelling and closing pass, everything else is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from haltline.api import AccountSnapshot
from haltline.enforce.exitonly import ExitOnlyBroker
from haltline.errors import Refused
from haltline.model.event import AccountReport, PositionReport
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")


class Venue:
    """Holds `held` MNQ, and keeps what is asked of it."""

    def __init__(self, held: int | str) -> None:
        self.held = Decimal(held)
        self.calls: list[str] = []

    async def run(self, sink, started) -> None:
        self.calls.append("run")
        started()

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        position = PositionReport(
            at=0, received_at=0, account=account, symbol=MNQ, quantity=self.held, average_price=Decimal(1)
        )
        report = AccountReport(at=0, received_at=0, account=account)
        return AccountSnapshot(account=report, positions=(position,) if self.held else (), orders=())

    async def submit(self, request: OrderRequest) -> OrderReport:
        self.calls.append("submit")
        return OrderReport(
            account=EVAL,
            order_id=OrderId("1"),
            symbol=MNQ,
            side=request.side,
            quantity=request.quantity,
            type=request.type,
            status=OrderStatus.FILLED,
        )

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        self.calls.append("cancel")

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        self.calls.append("find")
        return None


async def consent(account: AccountId) -> str:
    return ""


async def refusal(account: AccountId) -> str:
    return "the engine is alive again"


def order(side: Side = Side.SELL, quantity: str = "2", **more) -> OrderRequest:
    given = {"reduce_only": True, "client_id": "g1"} | more
    return OrderRequest(account=EVAL, symbol=MNQ, side=side, quantity=Decimal(quantity), **given)


@pytest.mark.parametrize(("held", "side"), [(2, Side.SELL), (-2, Side.BUY), (5, Side.SELL)])
async def test_a_closing_order_passes(held: int, side: Side) -> None:
    venue = Venue(held)
    await ExitOnlyBroker(venue, consent).submit(order(side))
    assert venue.calls == ["submit"]


@pytest.mark.parametrize(
    ("held", "request_"),
    [
        (2, order(reduce_only=False)),
        (2, order(type=OrderType.LIMIT, limit_price=Decimal(1))),
        (2, order(type=OrderType.STOP, stop_price=Decimal(1))),
        (2, order(type=OrderType.TRAILING_STOP, trail=Decimal(1))),
        (2, order(type=OrderType.STOP_LIMIT, stop_price=Decimal(1), limit_price=Decimal(1))),
        (2, order(client_id="")),
        (2, order(Side.BUY)),
        (-2, order(Side.SELL)),
        (0, order(Side.SELL)),
        (1, order(Side.SELL, "2")),
        (2, order(Side.SELL, "0")),
        (2, order(Side.SELL, "-2")),
    ],
    ids=lambda item: str(item) if isinstance(item, int) else f"{item.type}-{item.side}-{item.quantity}",
)
async def test_what_could_open_enlarge_or_flip_is_refused(held: int, request_: OrderRequest) -> None:
    venue = Venue(held)
    with pytest.raises(Refused, match=r"\[E821\]"):
        await ExitOnlyBroker(venue, consent).submit(request_)
    assert venue.calls == []


@pytest.mark.parametrize(("held", "side"), [("0.5", Side.SELL), ("-0.5", Side.BUY), (1, Side.SELL)])
async def test_one_contract_and_less_can_be_closed(held: int | str, side: Side) -> None:
    venue = Venue(held)
    await ExitOnlyBroker(venue, consent).submit(order(side, str(abs(venue.held))))
    assert venue.calls == ["submit"]


@pytest.mark.parametrize(("held", "side"), [("0.5", Side.BUY), ("-0.5", Side.SELL)])
async def test_a_fraction_is_not_added_to_either(held: str, side: Side) -> None:
    venue = Venue(held)
    with pytest.raises(Refused, match=r"\[E821\]"):
        await ExitOnlyBroker(venue, consent).submit(order(side, "0.5"))
    assert venue.calls == []


async def test_a_refusal_names_the_order_and_what_is_held() -> None:
    broker = ExitOnlyBroker(Venue(2), consent)
    with pytest.raises(Refused) as enlarging:
        await broker.submit(order(Side.BUY, "1"))
    assert str(enlarging.value) == "a reduce-only market order to buy 1 MNQ would not close a position of +2 [E821]"
    with pytest.raises(Refused) as opening:
        await broker.submit(order(reduce_only=False, type=OrderType.STOP))
    assert str(opening.value) == (
        "the guardian sends nothing but reduce-only market orders, not a stop order to sell 2 MNQ [E821]"
    )


async def test_a_quantity_that_is_no_number_is_refused() -> None:
    venue = Venue(2)
    for quantity in ("NaN", "sNaN", "Infinity", "-Infinity"):
        with pytest.raises(Refused):
            await ExitOnlyBroker(venue, consent).submit(order(quantity=quantity))
    assert venue.calls == []


async def test_reading_and_cancelling_pass() -> None:
    venue = Venue(2)
    broker = ExitOnlyBroker(venue, consent)
    await broker.run(lambda event: None, lambda: None)
    assert (await broker.snapshot(EVAL)).positions
    assert await broker.find_order(EVAL, "x") is None
    await broker.cancel(EVAL, OrderId("1"))
    assert venue.calls == ["run", "find", "cancel"]


async def test_with_an_objection_nothing_is_changed() -> None:
    venue = Venue(2)
    broker = ExitOnlyBroker(venue, refusal)
    for call in (broker.submit(order()), broker.cancel(EVAL, OrderId("1"))):
        with pytest.raises(Refused, match="the engine is alive again"):
            await call
    assert venue.calls == []


async def test_a_request_is_announced_before_consent_is_asked_for_and_until_it_has_ended() -> None:
    venue = Venue(2)

    @asynccontextmanager
    async def announce(account: AccountId) -> AsyncIterator[None]:
        venue.calls.append(f"begin {account}")
        try:
            yield
        finally:
            venue.calls.append("end")

    async def asked(account: AccountId) -> str:
        venue.calls.append("consent?")
        return "no" if venue.held == 3 else ""

    broker = ExitOnlyBroker(venue, asked, announce)
    await broker.submit(order())
    await broker.cancel(EVAL, OrderId("1"))
    assert venue.calls == [
        "begin eval", "consent?", "submit", "end", "begin eval", "consent?", "cancel", "end"
    ]  # fmt: skip
    venue.calls.clear()
    venue.held = 3
    with pytest.raises(Refused):
        await broker.submit(order())
    assert venue.calls == ["begin eval", "consent?", "end"]


def test_it_has_no_other_verb() -> None:
    verbs = {name for name in dir(ExitOnlyBroker) if not name.startswith("_")}
    assert verbs == {"run", "snapshot", "find_order", "cancel", "submit"}
