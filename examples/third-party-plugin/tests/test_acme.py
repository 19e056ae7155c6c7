"""What the plugin does, without a broker and without the engine running."""

import asyncio
import math
from decimal import Decimal
from pathlib import Path

import pytest
from acme_haltline.derisk import derisk
from acme_haltline.outbox import make_outbox
from acme_haltline.rate import fx_rate
from acme_haltline.tally import Tally

from haltline.api import AccountSnapshot, Message, NotifierSetup
from haltline.errors import Refused
from haltline.model.event import AccountReport, PositionReport
from haltline.model.id import AccountId, ActionId, IncidentId, OrderId, RuleId, Symbol
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.model.plan import PlannedAction, Result
from haltline.model.rule import Severity
from haltline.model.verdict import Phase, Transition

EVAL, ES = AccountId("eval"), Symbol("ES")


class FakeDesk:
    """One position of four lots and one entry order; remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        position = PositionReport(
            at=0, received_at=0, account=account, symbol=ES, quantity=Decimal(4), average_price=Decimal(100)
        )
        entry = OrderReport(
            account=account,
            order_id=OrderId("entry"),
            symbol=ES,
            side=Side.BUY,
            quantity=Decimal(1),
            type=OrderType.LIMIT,
            status=OrderStatus.WORKING,
        )
        report = AccountReport(at=0, received_at=0, account=account)
        return AccountSnapshot(account=report, positions=(position,), orders=(entry,))

    def instrument(self, symbol: Symbol) -> None:
        return None

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        self.told.append(f"cancel {order.order_id}")

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal) -> None:
        self.told.append(f"reduce {symbol} to {to}")

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        self.told.append("stop")

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        self.told.append("stop moved")


def planned(symbol: Symbol | None = ES) -> PlannedAction:
    return PlannedAction(id=ActionId("a"), at=0, name="derisk", account=EVAL, symbol=symbol, params={"part": 0.25})


def test_derisk_cancels_entries_before_it_reduces() -> None:
    desk = FakeDesk()
    asyncio.run(derisk(planned(), desk))
    assert desk.told == ["cancel entry", "reduce ES to 1.00"]


def test_derisk_without_a_symbol_is_refused() -> None:
    with pytest.raises(Refused):
        asyncio.run(derisk(planned(None), FakeDesk()))


def test_a_rate_is_unknown_for_a_currency_without_one() -> None:
    assert fx_rate("EUR", "USD") == pytest.approx(1.1)
    assert math.isnan(fx_rate("EUR", "XXX"))


def test_a_message_becomes_one_file(tmp_path: Path) -> None:
    message = Message(id="m/1", at=0, severity=Severity.INFO, title="hello", text="world")
    channel = make_outbox(NotifierSetup(name="desk", config={"folder": str(tmp_path / "out")}))
    asyncio.run(channel.send(message))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m_1.txt"]


def test_the_tally_counts_breaches_and_nothing_else():
    tally = Tally()
    changes = [
        Transition(
            at=1, rule=RuleId("loss"), entity="eval", incident=IncidentId("i"), phase=phase, previous=Phase.OK,
            severity=Severity.CRITICAL,
        )
        for phase in (Phase.BREACHED, Phase.RESOLVED, Phase.BREACHED)
    ]  # fmt: skip
    tally.take(Result(transitions=tuple(changes)))
    assert tally.breaches == {"loss": 2}
