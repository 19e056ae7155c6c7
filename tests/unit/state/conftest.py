"""A small world: a state with two accounts and a few instruments, and short words for events."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from haltline.clock import NS_PER_S, from_iso
from haltline.errors import DataRefused
from haltline.model.account import AccountSpec, MarkSource
from haltline.model.event import (
    AccountReport,
    CashFlow,
    ConnectionStatus,
    ConnectionUpdate,
    Event,
    Fill,
    OrderUpdate,
    PositionReport,
    Quote,
    Tick,
)
from haltline.model.instrument import AssetClass, InstrumentSpec
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.state.account import Account
from haltline.state.hours import always_open
from haltline.state.position import Position
from haltline.state.state import State, StateSettings

START = from_iso("2025-05-06T14:30:00Z")
_ROWS = (
    ("NQ", "0.25", "5", 10.0, ("ENQ",)),
    ("MNQ", "0.25", "0.50", 1.0, ()),
    ("ES", "0.25", "12.50", 10.0, ()),
    ("MES", "0.25", "1.25", 1.0, ()),
    ("YM", "1", "5", 10.0, ()),
    ("MYM", "1", "0.50", 1.0, ()),
    ("RTY", "0.10", "5", 10.0, ()),
    ("M2K", "0.10", "0.50", 1.0, ()),
)
INSTRUMENTS = (
    *(
        InstrumentSpec(
            symbol=symbol,
            tick_size=Decimal(tick),
            tick_value=Decimal(value),
            asset_class=AssetClass.FUTURE,
            weight=weight,
            aliases=aliases,
        )
        for symbol, tick, value, weight, aliases in _ROWS
    ),
    InstrumentSpec(symbol="ACME"),
)


class FakeCalendar:
    """Open during the given spans; `early` are closes that come early."""

    def __init__(self, *spans: tuple[str, str], early: tuple[str, ...] = ()) -> None:
        self.spans = [(from_iso(opens), from_iso(closes)) for opens, closes in spans]
        self.early = {from_iso(close) for close in early}

    def is_open(self, instant_ns: int) -> bool:
        return any(opens <= instant_ns < closes for opens, closes in self.spans)

    def next_open(self, instant_ns: int) -> int | None:
        return next((opens for opens, _ in self.spans if opens > instant_ns), None)

    def next_close(self, instant_ns: int) -> int | None:
        return next((closes for _, closes in self.spans if closes > instant_ns), None)

    def is_early_close(self, instant_ns: int) -> bool:
        return self.next_close(instant_ns) in self.early


class World:
    """A state and the words to drive it; every event is applied as the kernel would."""

    def __init__(self, settings: StateSettings) -> None:
        self.state = State(settings)
        self.number = 0

    @property
    def now(self) -> int:
        return self.state.clock.now_ns

    @property
    def account(self) -> Account:
        return self.state.accounts["eval"]

    def position(self, symbol: str = "MNQ", account: str = "eval") -> Position:
        return self.state.accounts[account].book[symbol]

    def apply(self, event: Event, now: int | None = None) -> list[str]:
        """Apply; the keys of what was touched, as ``scope key``."""
        self.state.apply(event, self.now if now is None else now)
        return self.settle()

    def settle(self) -> list[str]:
        touched = [f"{entity.scope.value} {entity.key}" for entity in self.state.touched]
        for entity in self.state.touched:
            entity.changed = 0
        return touched

    def refused(self, event: Event) -> str:
        """Apply an event that must be refused and must change nothing; the code."""
        before = repr(self.state.snapshot())
        with pytest.raises(DataRefused) as refusal:
            self.apply(event)
        assert repr(self.state.snapshot()) == before
        return refusal.value.code

    def wait(self, seconds: float) -> list[str]:
        return self.at_ns(self.now + round(seconds * NS_PER_S))

    def at(self, text: str) -> list[str]:
        return self.at_ns(from_iso(text))

    def at_ns(self, now: int) -> list[str]:
        return self.apply(Tick(at=now, received_at=now), now)

    def quote(
        self, symbol: str = "MNQ", last: float | None = None, *, at: int | None = None, **rest: object
    ) -> list[str]:
        moment = self.now if at is None else at
        return self.apply(Quote(at=moment, received_at=moment, symbol=symbol, last=last, **rest))

    def make_fill(self, quantity: str | int, price: str | float, symbol: str = "MNQ", **rest: object) -> Fill:
        """A fill of a signed quantity, numbered by itself unless `fill_id` is given."""
        self.number += 1
        signed = Decimal(str(quantity))
        known = {"account": "eval", "fill_id": f"f{self.number}", "at": self.now, "received_at": self.now, **rest}
        for name in ("fee", "pnl"):
            if isinstance(known.get(name), str):
                known[name] = Decimal(str(known[name]))
        side = Side.BUY if signed > 0 else Side.SELL
        return Fill(symbol=symbol, side=side, quantity=abs(signed), price=Decimal(str(price)), **known)

    def fill(self, quantity: str | int, price: str | float, symbol: str = "MNQ", **rest: object) -> Fill:
        event = self.make_fill(quantity, price, symbol, **rest)
        self.apply(event)
        return event

    def order(self, order_id: str, quantity: int, kind: OrderType = OrderType.STOP, **rest: object) -> list[str]:
        known = {"status": OrderStatus.WORKING, "symbol": "MNQ", "account": "eval", **rest}
        report = OrderReport(
            order_id=order_id,
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=Decimal(abs(quantity)),
            type=kind,
            **{name: Decimal(str(value)) if type(value) in (int, float) else value for name, value in known.items()},
        )
        return self.apply(OrderUpdate(at=self.now, received_at=self.now, order=report))

    def report(self, quantity: str | int, price: str | float, symbol: str = "MNQ", **rest: object) -> list[str]:
        known = {"account": "eval", "at": self.now, "received_at": self.now, **rest}
        amount, average = Decimal(str(quantity)), Decimal(str(price))
        return self.apply(PositionReport(symbol=symbol, quantity=amount, average_price=average, **known))

    def cash(self, amount: str | int, flow_id: str = "", *, is_result: bool = False) -> list[str]:
        self.number += 1
        flow_id = flow_id or f"c{self.number}"
        event = CashFlow(
            at=self.now, received_at=self.now, account="eval", amount=Decimal(str(amount)), flow_id=flow_id,
            is_result=is_result,
        )  # fmt: skip
        return self.apply(event)

    def broker(self, **rest: object) -> list[str]:
        known = {"account": "eval", "at": self.now, "received_at": self.now, **rest}
        return self.apply(AccountReport(**known))

    def connection(self, status: ConnectionStatus) -> list[str]:
        return self.apply(ConnectionUpdate(at=self.now, received_at=self.now, account="eval", status=status))


type MakeWorld = Callable[..., World]


def build_world(
    *,
    balance: str = "50000",
    now: str | int = START,
    stale_s: float | None = None,
    mark: MarkSource = MarkSource.MARK,
    calendars: dict[str, FakeCalendar] | None = None,
    calendar: str = "24/7",
    zone: str = "UTC",
    roll: str = "00:00",
    from_broker: bool = False,
    instruments: tuple[InstrumentSpec, ...] = INSTRUMENTS,
) -> World:
    """A world with the accounts ``eval`` and ``second``."""

    def find(name: str) -> object:
        return calendars[name] if calendars and name in calendars else always_open(name)

    accounts = tuple(
        AccountSpec(
            id=name,
            balance=Decimal(balance),
            mark=mark,
            calendar=calendar,
            zone=zone,
            roll=roll,
            positions_from_broker=from_broker,
            labels={"desk": "a"} if name == "eval" else {},
        )
        for name in ("eval", "second")
    )
    settings = StateSettings(
        accounts=accounts,
        instruments=instruments,
        calendars=find,
        stale_after_ns=None if stale_s is None else round(stale_s * NS_PER_S),
        now=now if isinstance(now, int) else from_iso(now),
    )
    return World(settings)


@pytest.fixture
def make_world() -> MakeWorld:
    return build_world


@pytest.fixture
def world() -> World:
    return build_world()


@pytest.fixture
def make_calendar() -> type[FakeCalendar]:
    return FakeCalendar
