"""The book that the benchmarks run on: positions over accounts, thirty rules a position, twenty an account."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.compose.vocabulary import build_vocabulary
from haltline.config.settings import BrokerEntry, RuleBook, Setup, StoreEntry
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import Fill, Quote
from haltline.model.id import AccountId, FillId, RuleId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Side
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, RuleSpec, Scope
from haltline.plugins.load import load_plugins
from haltline.rules.compile import compile_rules
from haltline.runtime.compose import Parts
from haltline.runtime.replay import EventList, Replay
from haltline.state.state import State, StateSettings

ACCOUNTS = 10
START_NS = 1_750_000_000_000_000_000

# What each rule measures and the limit that the book stays below, thirty for a position and twenty for an account.
POSITION_LIMITS: tuple[tuple[str, float], ...] = (
    ("abs(position.quantity)", 50.0),
    ("position.notional", 5e6),
    ("-position.unrealized_pnl", 90_000.0),
    ("position.unrealized_pnl", 90_000.0),
    ("-position.unrealized_fraction", 0.9),
    ("position.notional / 1000000", 40.0),
)
POSITION_WHENS = (
    "position.quantity > 40 and position.unrealized_pnl < -50000",
    "position.mark > position.average_price * 3",
    "position.side == 'short' and position.notional > 4000000",
    "abs(position.mark / position.average_price - 1) > 0.9",
)
ACCOUNT_LIMITS: tuple[tuple[str, float], ...] = (
    ("account.day.loss", 900_000.0),
    ("account.drawdown", 900_000.0),
    ("account.drawdown_fraction", 0.9),
    ("account.gross_notional", 9e9),
    ("abs(account.net_notional)", 9e9),
    ("account.gross_notional / account.equity", 400.0),
    ("account.day.drawdown", 900_000.0),
    ("-account.unrealized_pnl", 900_000.0),
)
ACCOUNT_WHENS = (
    "account.day.loss > 800000 and account.open_positions > 0",
    "account.equity < 1000",
)


def rule_specs(per_position: int = 30, per_account: int = 20) -> list[RuleSpec]:
    """Rules with different thresholds, so that no two are the same condition."""
    return [
        *_specs(Scope.POSITION, per_position, POSITION_LIMITS, POSITION_WHENS),
        *_specs(Scope.ACCOUNT, per_account, ACCOUNT_LIMITS, ACCOUNT_WHENS),
    ]


def _specs(scope: Scope, count: int, limits: tuple[tuple[str, float], ...], whens: tuple[str, ...]) -> list[RuleSpec]:
    specs = []
    then = (ActionSpec(name="block_entries"), ActionSpec(name="notify"))
    for i in range(count):
        rule_id = RuleId(f"{scope}-{i}")
        kind, turn = i % (len(limits) + len(whens)), i // (len(limits) + len(whens))
        if kind < len(limits):
            text, threshold = limits[kind]
            limit = LimitSpec(value=text, comparison=Comparison.AT, threshold=threshold * (1 + turn / 10), warn=0.8)
            specs.append(RuleSpec(id=rule_id, each=scope, limit=limit, then=then))
        else:
            when = f"({whens[kind - len(limits)]}) and {scope}.{EXTRA[scope]} > {turn}"
            specs.append(RuleSpec(id=rule_id, each=scope, when=when, then=then))
    return specs


EXTRA = {Scope.POSITION: "notional", Scope.ACCOUNT: "equity"}


@dataclass
class Book:
    """A kernel with open positions, and its symbols."""

    kernel: Kernel
    symbols: list[str] = field(default_factory=list)


def build_book(positions: int, specs: list[RuleSpec]) -> Book:
    """`positions` symbols, one position each, dealt over the accounts, all marked."""
    registry = Registry()
    plugin.haltline_register_actions(registry)
    plugin.haltline_register_functions(registry)
    symbols = [f"S{i:05d}" for i in range(positions)]
    accounts = tuple(AccountSpec(id=AccountId(f"a{i}"), balance=Decimal(1_000_000), live=True) for i in range(ACCOUNTS))
    instruments = tuple(InstrumentSpec(symbol=Symbol(symbol), calendar="24/7") for symbol in symbols)
    state = State(StateSettings(accounts=accounts, instruments=instruments, now=START_NS))
    kernel = Kernel(state, compile_rules(specs, build_vocabulary(registry), registry.actions.get))
    now = START_NS
    for event in _opening(symbols):
        now = event.received_at
        kernel.step(event, now)
    return Book(kernel, symbols)


def replay_of(positions: int, specs: list[RuleSpec], quotes: int) -> Replay:
    """The same book and rules as a recording for the product's own replay, paper broker and enforcement included."""
    accounts, instruments, symbols = members(positions)
    setup = Setup(
        path=Path("haltline.yaml"),
        directory=Path(),
        store=StoreEntry(path=Path("unused.db")),
        accounts=accounts,
        instruments=instruments,
        brokers=(BrokerEntry(name="paper", kind="paper"),),
        stale_after_ns=3600 * 1_000_000_000,
    )
    events = _opening(symbols)
    now = events[-1].received_at
    for i in range(quotes):
        now += 30_000
        events.append(quote(symbols[i % positions], 100.0 + (i % 11) * 0.01, now))
    parts = Parts(setup=setup, book=RuleBook(rules=tuple(specs)), registry=load_plugins([]).registry)
    return Replay(parts, EventList(events))


def members(positions: int) -> tuple[tuple[AccountSpec, ...], tuple[InstrumentSpec, ...], list[str]]:
    symbols = [f"S{i:05d}" for i in range(positions)]
    accounts = (AccountSpec(id=AccountId(f"a{i}"), balance=Decimal(1_000_000), live=True) for i in range(ACCOUNTS))
    instruments = (InstrumentSpec(symbol=Symbol(symbol), calendar="24/7") for symbol in symbols)
    return tuple(accounts), tuple(instruments), symbols


def _opening(symbols: list[str]) -> list[Quote | Fill]:
    """A quote and a fill for every symbol, the positions dealt over the accounts."""
    now = START_NS
    events: list[Quote | Fill] = []
    for i, symbol in enumerate(symbols):
        now += 1000
        events.append(quote(symbol, 100.0, now))
        events.append(
            Fill(
                at=now,
                received_at=now,
                account=AccountId(f"a{i % ACCOUNTS}"),
                symbol=Symbol(symbol),
                fill_id=FillId(f"f{i}"),
                side=Side.BUY if i % 3 else Side.SELL,
                quantity=Decimal(10),
                price=Decimal(100),
            )
        )
    return events


def quote(symbol: str, price: float, now: int) -> Quote:
    """One quote as a feed would make it."""
    return Quote(at=now, received_at=now, symbol=Symbol(symbol), bid=price - 0.01, ask=price + 0.01, last=price)
