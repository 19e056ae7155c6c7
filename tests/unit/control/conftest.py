"""Small journals written as an engine would write them, for what is read from a journal."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from haltline.clock import NS_PER_S
from haltline.config.book import digest_of
from haltline.config.settings import RuleBook, Setup, StoreEntry
from haltline.control.basis import Basis, Beginning, basis_of, config_entry, kernel_of
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import RecordKind, entry_of, event_entry, notice_entry
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport, Event, Fill, Quote, Tick
from haltline.model.id import AccountId, FillId, RuleId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Side
from haltline.model.plan import Result
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, RuleSpec, Scope
from haltline.plugins.load import load_plugins

START_S = 1_746_540_000  # 2025-05-06 14:00 UTC
EVAL = AccountId("eval")
REGISTRY = load_plugins().registry
YAML = """\
version: 1
rules:
  - id: loss
    each: account
    limit: {value: account.day.loss, at: 1000, warn: 50%}
    then: [block_entries, notify]
"""


def loss_rule(at: float = 1000.0, **more: object) -> RuleSpec:
    limit = LimitSpec(value="account.day.loss", comparison=Comparison.AT, threshold=at, warn=0.5)
    then = (ActionSpec(name="block_entries"), ActionSpec(name="notify"))
    return RuleSpec(id=RuleId("loss"), each=Scope.ACCOUNT, limit=limit, then=then, **more)  # type: ignore[arg-type]


def setup_of(**more: object) -> Setup:
    here = Path("/nowhere")
    account = AccountSpec(id=EVAL, balance=Decimal(50_000), live=True)
    mnq = InstrumentSpec(symbol=Symbol("MNQ"), tick_size=Decimal("0.25"), tick_value=Decimal("0.5"))
    made = Setup(path=here / "haltline.yaml", directory=here, store=StoreEntry(path=here), live=True,
                 accounts=(account,), instruments=(mnq,), stale_after_ns=20 * NS_PER_S)  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def book_of(*rules: RuleSpec, text: str = YAML) -> RuleBook:
    return RuleBook(rules=rules, files=("/anywhere/rules.yaml",), sources={"/anywhere/rules.yaml": text},
                    digest=digest_of(rules, ()))  # fmt: skip


class Engine:
    """A kernel that records what it is given and what it decides. Time is in seconds after START_S."""

    def __init__(self, *rules: RuleSpec, setup: Setup | None = None, text: str = YAML) -> None:
        self.journal = MemoryJournal()
        self.setup = setup or setup_of()
        self.text = text
        self.seconds = 0.0
        self.serial = 0
        self.basis: Basis = basis_of(self.setup, book_of(*rules, text=text))
        self.kernel: Kernel = kernel_of(self.basis, REGISTRY, self.now)
        self.begin(Beginning.FRESH)

    @property
    def now(self) -> int:
        return START_S * NS_PER_S + round(self.seconds * NS_PER_S)

    def begin(self, start: Beginning) -> None:
        self.journal.append([config_entry(self.now, self.basis, start, built=self.kernel.now)])
        self.record(self.kernel.evaluate_all(self.now))

    def record(self, result: Result) -> None:
        self.journal.append(
            [entry_of(RecordKind.TRANSITION, each.at, each) for each in result.transitions]
            + [entry_of(RecordKind.PLAN, each.at, each) for each in result.plan]
            + [notice_entry(self.now, "kernel", text) for text in result.notices]
        )

    def take(self, *events: Event) -> None:
        """One turn: all events go on record first."""
        self.journal.append([event_entry(event, self.now) for event in events])
        for event in events:
            self.record(self.kernel.step(event, self.now))

    def tick(self, *, on_record: bool = True) -> None:
        """Time alone; a replay stops at each deadline of the kernel, and does not put it on record."""
        if on_record:
            self.take(Tick(at=self.now, received_at=self.now))
            return
        while (due := self.kernel.deadline) is not None and due <= self.now:
            self.record(self.kernel.step(Tick(at=due, received_at=due), due))

    def restart(self, *rules: RuleSpec) -> None:
        state = self.kernel.snapshot()
        if rules:
            self.basis = basis_of(self.setup, book_of(*rules, text=self.text))
        self.kernel = kernel_of(self.basis, REGISTRY, self.now)
        self.kernel.restore(state)
        self.begin(Beginning.RESUME)

    def reload(self, *rules: RuleSpec) -> None:
        self.basis = basis_of(self.setup, book_of(*rules, text=self.text))
        result = self.kernel.replace_rules(kernel_of(self.basis, REGISTRY, 0).compiled, self.now)
        self.journal.append([config_entry(self.now, self.basis, Beginning.RELOAD)])
        self.record(result)

    def save(self) -> None:
        self.journal.write_snapshot(self.journal.last_seq, self.now, self.kernel.snapshot())

    def quote(self, price: float) -> Quote:
        return Quote(at=self.now, received_at=self.now, symbol=Symbol("MNQ"), last=price)

    def fill(self, quantity: int, price: float) -> Fill:
        self.serial += 1
        return Fill(
            at=self.now, received_at=self.now, account=EVAL, symbol=Symbol("MNQ"), fill_id=FillId(f"f{self.serial}"),
            side=Side.BUY if quantity > 0 else Side.SELL, quantity=Decimal(abs(quantity)), price=Decimal(str(price)),
        )  # fmt: skip

    def can_trade(self, allowed: bool) -> AccountReport:
        return AccountReport(at=self.now, received_at=self.now, account=EVAL, can_trade=allowed)

    def fall(self) -> "Engine":
        """Ten quiet minutes, a warning, a loss of 1,200, and a recovery."""
        self.take(self.quote(21_000.0), self.fill(10, 21_000.0))
        for price in (*[20_990.0] * 60, 20_960.0, 20_940.0, 20_990.0):
            self.seconds += 10
            self.take(self.quote(price))
        return self


@pytest.fixture(scope="session")
def engine() -> type[Engine]:
    """An engine that writes a journal."""
    return Engine


@pytest.fixture(scope="session")
def loss() -> object:
    """Makes the rule that stops at a day's loss."""
    return loss_rule


@pytest.fixture(scope="session")
def registry_of() -> object:
    """Plugins for a basis."""
    return lambda basis: REGISTRY


@pytest.fixture(scope="session")
def make_setup() -> object:
    """Makes a set-up of one account."""
    return setup_of
