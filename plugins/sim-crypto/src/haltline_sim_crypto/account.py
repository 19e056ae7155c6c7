"""One trading account: cash, positions, margin. All positions share the cash (cross margin)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from haltline_sim_crypto.event import Event
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import ZERO
from haltline_sim_crypto.order import Cause, Fill, Leg, Order, Position, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the cash book."""

    at_ms: int
    cause: Cause
    amount: Decimal
    symbol: str = ""
    number: int = 0
    quantity: Decimal = ZERO
    """The position that funding was paid for, signed."""
    price: Decimal = ZERO


@dataclass(slots=True, kw_only=True)
class Account:
    """What one customer has. `listeners` hear everything that happens, in the venue's order."""

    name: str
    key: str
    secret: str
    markets: Mapping[str, Market]
    wallet: Decimal
    is_hedged: bool = False
    is_read_only: bool = False
    may_withdraw: bool = False
    default_leverage: int = 10
    leverages: dict[str, int] = field(default_factory=dict)
    positions: dict[tuple[str, Leg], Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    book: list[Entry] = field(default_factory=list)
    listeners: list[Callable[[Account, Event], None]] = field(default_factory=list)
    dead_man: dict[str, float] = field(default_factory=dict)
    """When the orders of a symbol are cancelled, in seconds of the simulator's clock; an empty symbol: all of them."""

    def emit(self, event: Event) -> None:
        """Tell the listeners."""
        for listener in self.listeners:
            listener(self, event)

    # -- orders --------------------------------------------------------------------------------------------------------

    def live(self, symbol: str = "") -> list[Order]:
        """Orders that can still be filled or triggered, oldest first."""
        return [each for each in self.orders.values() if each.is_live and symbol in ("", each.ask.symbol)]

    def find(self, *, number: int = 0, uid: str = "", client_id: str = "") -> Order | None:
        """The newest order with this number, or unique id, or client id."""
        for each in reversed(self.orders.values()):
            if (number and each.number == number) or (uid and each.uid == uid):
                return each
            if client_id and each.ask.client_id == client_id:
                return each
        return None

    # -- positions -----------------------------------------------------------------------------------------------------

    def held(self) -> Iterator[Position]:
        """Positions that are not flat."""
        return (each for each in self.positions.values() if each.quantity)

    def position(self, symbol: str, leg: Leg) -> Position:
        """One position, flat if there is none."""
        return self.positions.get((symbol, leg)) or Position(symbol=symbol, leg=leg)

    def leverage(self, symbol: str) -> int:
        """What was chosen for a symbol."""
        return self.leverages.get(symbol, self.default_leverage)

    # -- money ---------------------------------------------------------------------------------------------------------

    @property
    def unrealised(self) -> Decimal:
        """What all positions would bring at the mark price."""
        return sum((each.profit(self.markets[each.symbol].mark) for each in self.held()), ZERO)

    @property
    def equity(self) -> Decimal:
        """Cash and unrealised profit."""
        return self.wallet + self.unrealised

    def value(self, position: Position) -> Decimal:
        """Worth of a position at the mark price, never negative."""
        return abs(position.quantity) * self.markets[position.symbol].mark

    def initial(self, position: Position) -> Decimal:
        """Margin that a position takes at its leverage."""
        return self.value(position) / self.leverage(position.symbol)

    def maintenance(self, position: Position) -> Decimal:
        """Margin below which a position is liquidated."""
        return self.value(position) * self.markets[position.symbol].instrument.maintenance

    @property
    def positions_initial(self) -> Decimal:
        """Margin of all positions."""
        return sum((self.initial(each) for each in self.held()), ZERO)

    @property
    def orders_initial(self) -> Decimal:
        """Margin that resting orders keep back; orders that only reduce take none."""
        found = ZERO
        for each in self.live():
            if each.status is Status.OPEN and not each.ask.reduces and each.ask.price is not None:
                found += each.left * each.ask.price / self.leverage(each.ask.symbol)
        return found

    @property
    def total_maintenance(self) -> Decimal:
        """Maintenance margin of all positions."""
        return sum((self.maintenance(each) for each in self.held()), ZERO)

    @property
    def available(self) -> Decimal:
        """What new orders can use."""
        return max(ZERO, self.equity - self.positions_initial - self.orders_initial)

    def liquidation_price(self, position: Position) -> Decimal | None:
        """The mark price at which this position alone would bring the account down; None: there is none above 0."""
        rate = self.markets[position.symbol].instrument.maintenance
        mark = self.markets[position.symbol].mark
        others = self.equity - position.profit(mark) - self.total_maintenance + self.maintenance(position)
        slope = abs(position.quantity) * rate - position.quantity
        if slope == 0:
            return None
        found = (others - position.quantity * position.entry) / slope
        return found if found > 0 else None
