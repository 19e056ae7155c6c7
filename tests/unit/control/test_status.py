"""The status record and the recalled kernel."""

from decimal import Decimal
from pathlib import Path

import pytest

from haltline.compose.kernel import build_kernel
from haltline.config.settings import RuleBook, Setup, StoreEntry
from haltline.control.recall import recall_from, recall_kernel
from haltline.control.status import status_of
from haltline.errors import EngineError
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import event_entry
from haltline.model.account import AccountSpec
from haltline.model.event import Fill, Quote, Tick
from haltline.model.id import AccountId, FillId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Side
from haltline.model.plan import TradingMode
from haltline.plugins.load import load_plugins

NOW = 1_750_000_000_000_000_000


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(
        path=tmp_path / "haltline.yaml",
        directory=tmp_path,
        store=StoreEntry(path=tmp_path / "j.db"),
        accounts=(AccountSpec(id=AccountId("eval"), balance=Decimal(1000), live=True),),
        instruments=(InstrumentSpec(symbol=Symbol("ACME")),),
    )


EVENTS = (
    Fill(
        at=NOW, received_at=NOW, account=AccountId("eval"), symbol=Symbol("ACME"), fill_id=FillId("1"), side=Side.BUY,
        quantity=Decimal(10), price=Decimal(100), fee=Decimal(1),
    ),
    Quote(at=NOW + 1, received_at=NOW + 1, symbol=Symbol("ACME"), last=95.0),
)  # fmt: skip


def test_an_account_is_told_with_its_money_and_positions(setup):
    kernel = build_kernel(setup, RuleBook(), load_plugins().registry, now=NOW)
    for event in EVENTS:
        kernel.step(event, event.at)
    (account,) = status_of(kernel).accounts
    assert account.mode is TradingMode.ACTIVE
    assert (account.equity, account.unrealized_pnl, account.fees) == (949.0, -50.0, 1.0)
    (position,) = account.positions
    assert (position.symbol, position.quantity, position.mark) == ("ACME", 10.0, 95.0)


def test_what_is_not_known_is_none(setup):
    kernel = build_kernel(setup, RuleBook(), load_plugins().registry, now=NOW)
    for event in EVENTS:
        kernel.step(event, event.at)
    later = NOW + 600 * 10**9
    kernel.step(Tick(at=later, received_at=later), later)
    account = status_of(kernel).accounts[0]
    assert (account.equity, account.positions[0].mark) == (None, None)
    assert account.realized_pnl == 0.0


def test_a_journal_gives_the_kernel_back(setup):
    journal = MemoryJournal()
    journal.append([event_entry(event, event.at) for event in EVENTS])
    kernel = recall_from(journal, setup, RuleBook(), load_plugins().registry)
    assert status_of(kernel).accounts[0].equity == 949.0


def test_without_a_journal_there_is_nothing_to_recall(setup):
    with pytest.raises(EngineError, match="there is no journal"):
        recall_kernel(setup.store.path, load_plugins().registry, lambda: (setup, RuleBook()))
