"""A small world: an account with two positions, a clock, and the vocabulary that reads them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from haltline.api.field import Change, Collection, Field, Kind, Provenance
from haltline.api.function import Function, Parameter
from haltline.errors import Place, Problem
from haltline.expr.check import check
from haltline.expr.checked import Checked
from haltline.expr.compile import compile_truth, compile_value
from haltline.expr.explain import Explanation, evaluate, explain
from haltline.expr.value import Value
from haltline.expr.vocabulary import Vocabulary
from haltline.model.rule import Definition, Scope

NAN = math.nan


@dataclass(slots=True)
class Day:
    loss: float = 100.0
    start_equity: float = 1000.0


@dataclass(slots=True)
class Account:
    equity: float = 1000.0
    id: str | None = "eval"
    locked: bool | None = False
    open_positions: float = 2.0
    day: Day = field(default_factory=Day)
    positions: list["Position"] = field(default_factory=list)
    windows: list[Any] = field(default_factory=list)
    key: str = "eval"

    def as_of(self, attribute: str) -> int | None:
        return 40_000_000_000 if attribute == "equity" else None

    def provenance(self, attribute: str) -> Provenance:
        return Provenance(source=f"broker {attribute}", as_of_ns=self.as_of(attribute), reason=f"{attribute} is stale")


@dataclass(slots=True)
class Instrument:
    bid: float = 10.0
    tick_value: float = 0.5


@dataclass(slots=True)
class Position:
    account: Account
    quantity: float = 2.0
    notional: float = 50.0
    mark: float = 25.0
    side: str | None = "long"
    symbol: str | None = "MNQ"
    protected: bool | None = True
    age: float = 100.0
    opened_at: float = 1_746_538_200.0
    instrument: Instrument | None = field(default_factory=Instrument)
    key: str = "eval/MNQ"
    windows: list[Any] = field(default_factory=list)


def _fields() -> dict[str, Field]:
    quote, fill, order, time = Change.QUOTE, Change.FILL, Change.ORDER, Change.TIME
    rows: list[tuple[str, Kind, Change]] = [
        ("account.equity", Kind.MONEY, quote), ("account.id", Kind.TEXT, Change.NONE),
        ("account.locked", Kind.BOOL, Change.LOCK), ("account.open_positions", Kind.COUNT, fill),
        ("account.day.loss", Kind.MONEY, quote | fill), ("account.day.start_equity", Kind.MONEY, Change.NONE),
        ("account.opened", Kind.TIME, fill), ("position.quantity", Kind.QUANTITY, fill),
        ("position.notional", Kind.MONEY, quote | fill), ("position.mark", Kind.PRICE, quote),
        ("position.symbol", Kind.TEXT, Change.NONE), ("position.protected", Kind.BOOL, order),
        ("position.age", Kind.DURATION, time), ("position.opened_at", Kind.TIME, fill),
        ("instrument.bid", Kind.PRICE, quote), ("instrument.tick_value", Kind.MONEY, Change.NONE),
        ("fill.pnl", Kind.MONEY, fill), ("fill.fee", Kind.MONEY, fill), ("clock.now", Kind.TIME, time),
        ("clock.time", Kind.TIME_OF_DAY, time),
    ]  # fmt: skip
    fields = {name: Field(name=name, kind=kind, meaning=f"the {name}", changes=changes) for name, kind, changes in rows}
    fields["position.side"] = Field(
        name="position.side", kind=Kind.ENUM, meaning="which way", changes=fill, choices=("long", "short")
    )
    return fields


@pytest.fixture
def vocabulary() -> Vocabulary:
    collections = [
        Collection(name="account.positions", item="position", meaning="open positions", changes=Change.FILL),
        Collection(name="account.fills", item="fill", meaning="fills", changes=Change.FILL),
        Collection(name="portfolio.accounts", item="account", meaning="accounts", changes=Change.ACCOUNT, bound=20),
    ]
    every = {"clock": "clock", "portfolio": "portfolio"}
    definitions = {
        "account.risk_used": "account.day.loss / account.day.start_equity",
        "account.long": "sum(p.notional for p in account.positions if p.side == 'long')",
        "account.one": "account.two + 1",
        "account.two": "account.one + 1",
        "account.bad": "account.nothing",
    }
    return Vocabulary(
        fields=_fields(),
        collections={collection.name: collection for collection in collections},
        roots={
            Scope.PORTFOLIO: {"portfolio": "{0}", "clock": "clock"},
            Scope.ACCOUNT: {"account": "{0}", **every},
            Scope.POSITION: {
                "position": "{0}", "account": "{0}.account", "instrument": "{0}.instrument", **every,
            },
            Scope.FILL: {"fill": "{0}", "account": "{0}.account", **every},
        },
        functions={
            "atr": Function(
                name="atr", call=_atr, returns=Kind.PRICE, meaning="average true range", changes=Change.QUOTE,
                parameters=(
                    Parameter(name="symbol", kind=Kind.TEXT),
                    Parameter(name="periods", kind=Kind.COUNT, default=14.0),
                    Parameter(name="mode", kind=Kind.ENUM, default="wilder", choices=("wilder", "simple")),
                    Parameter(name="over", kind=Kind.DURATION, required=False),
                ),
            ),
            "regime": Function(
                name="regime", call=_regime, returns=Kind.TEXT, meaning="calm or wild",
                parameters=(Parameter(name="symbol", kind=Kind.TEXT),),
            ),
            "halted": Function(
                name="halted", call=_halted, returns=Kind.BOOL, meaning="whether it is halted",
                parameters=(Parameter(name="symbol", kind=Kind.TEXT), Parameter(name="strict", kind=Kind.BOOL)),
            ),
        },
        definitions={name: Definition(name=name, text=text) for name, text in definitions.items()},
    )  # fmt: skip


def _atr(symbol: str, periods: float, mode: str = "wilder", over: float = 0.0) -> float:
    if symbol == "FAIL":
        raise RuntimeError("no data")
    return {"NONE": NAN, "INF": math.inf}.get(symbol, periods + over + (1000.0 if mode == "simple" else 0.0))


def _regime(symbol: str) -> object:
    return {"MNQ": "calm", "ES": True, "NUL": None}[symbol]


def _halted(symbol: str, strict: bool) -> object:
    return {"MNQ": strict, "ES": 1.0}[symbol]


@pytest.fixture
def account() -> Account:
    account = Account()
    account.positions = [Position(account), Position(account, side="short", notional=-20.0, key="eval/ES")]
    return account


@pytest.fixture
def position(account: Account) -> Position:
    return account.positions[0]


@pytest.fixture
def bindings(account: Account) -> dict[str, object]:
    clock = SimpleNamespace(now_ns=100_000_000_000, now=100.0, time=55_800.0)
    return {"clock": clock, "portfolio": SimpleNamespace(accounts=[account])}


class World:
    """Checks, evaluates and explains texts over the small world."""

    def __init__(self, vocabulary: Vocabulary, account: Account, bindings: dict[str, object]) -> None:
        self.vocabulary = vocabulary
        self.account = account
        self.bindings = bindings

    def check(self, text: str, scope: str = "account", **options: Any) -> Checked:
        problems: list[Problem] = []
        wants = options.pop("wants", None)
        found = check(text, scope=Scope(scope), vocabulary=self.vocabulary, wants=wants, problems=problems, **options)
        assert found is not None, [str(problem) for problem in problems]
        assert not problems
        return found

    def problems(self, text: str, scope: str = "account", **options: Any) -> list[Problem]:
        problems: list[Problem] = []
        wants = options.pop("wants", None)
        found = check(text, scope=Scope(scope), vocabulary=self.vocabulary, wants=wants, problems=problems, **options)
        assert found is None, f"{text!r} was accepted"
        assert problems
        return problems

    def codes(self, text: str, scope: str = "account", **options: Any) -> list[str]:
        return [problem.code for problem in self.problems(text, scope, **options)]

    def entity(self, scope: str) -> object:
        entities: dict[str, object] = {
            "account": self.account, "position": self.account.positions[0] if self.account.positions else None,
            "portfolio": self.bindings["portfolio"],
        }  # fmt: skip
        return entities[scope]

    def value(self, text: str, scope: str = "account", **options: Any) -> Value:
        """The compiled value, after making sure that the explained one is the same."""
        checked = self.check(text, scope, **options)
        entity = self.entity(scope)
        value = compile_value(checked, self.bindings)(entity)
        assert repr(value) == repr(evaluate(checked, entity, self.bindings))
        if checked.kind is Kind.BOOL:
            assert compile_truth(checked, self.bindings).evaluate(entity) is value
        return value

    def explain(self, text: str, scope: str = "account") -> Explanation:
        return explain(self.check(text, scope), self.entity(scope), self.bindings)


@pytest.fixture
def world(vocabulary: Vocabulary, account: Account, bindings: dict[str, object]) -> World:
    return World(vocabulary, account, bindings)


@pytest.fixture
def here() -> Callable[[int, int], Place]:
    return lambda line, column: Place(file="rules.yaml", line=line, column=column)
