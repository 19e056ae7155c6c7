"""An open position: what is held, what it is worth at the account's mark, and whether a stop protects it."""

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from haltline.clock import NS_PER_S
from haltline.model.event import PositionReport
from haltline.model.order import Side
from haltline.model.rule import Scope
from haltline.state.backing import is_backed
from haltline.state.entity import NAN, NANO, ZERO, number
from haltline.state.instrument import Instrument, price_index
from haltline.state.ledger import Lot
from haltline.state.order import Order
from haltline.state.traded import Traded

if TYPE_CHECKING:
    from haltline.state.account import Account

MARKED = frozenset({
    "mark", "notional", "net_notional", "unrealized_pnl", "unrealized_ticks", "unrealized_fraction", "r_multiple",
    "liquidation_buffer", "best_price", "worst_price", "stop_distance",
})  # fmt: skip
"""Attributes that rest on the mark."""
_REPORTED = frozenset({"liquidation_price", "leverage", "margin"})


class Position(Traded):
    """One open position; flat ones do not exist, and a flip makes a new one.

    `quantity` is signed. Its values are added to the account's and portfolio's sums as integers of 1e-9 of money, so
    that sums do not depend on the order of events. Where no price is known the position counts in `unknown_marks`.
    """

    __slots__ = (
        "average_price", "exposure_factor", "high", "initial_stop", "leverage",
        "liquidation_price", "lot", "low", "margin_fraction", "margin_nano", "margin_per_unit", "mark", "net_nano",
        "notional", "opened_ns", "price_index", "quantity", "reference", "reported_margin", "signed_factor", "stops",
        "strategy", "unrealized_nano", "unrealized_pnl", "valued",
    )  # fmt: skip
    scope: ClassVar[Scope] = Scope.POSITION

    def __init__(self, lot: Lot, *, account: "Account", instrument: Instrument, opened_ns: int) -> None:
        super().__init__(instrument.symbol, account=account, instrument=instrument)
        self.opened_ns = opened_ns
        self.strategy = ""
        self.initial_stop = NAN
        self.liquidation_price = self.leverage = self.reported_margin = NAN
        self.stops: list[Order] = []
        self.mark = self.notional = self.unrealized_pnl = NAN
        self.unrealized_nano = self.net_nano = self.margin_nano = 0
        self.valued = False
        account.unknown_marks += 1
        account.portfolio.unknown_marks += 1
        self.high = self.low = self.reference = float(lot.average)
        self.resize(lot)

    def resize(self, lot: Lot) -> None:
        """Hold another lot of the same side and value it."""
        self.lot = lot
        self.average_price = float(lot.average)
        self.quantity = float(lot.size)
        spec = self.instrument.spec
        self.signed_factor = self.quantity * self.instrument.multiplier
        self.exposure_factor = abs(self.signed_factor)
        self.price_index = price_index(self.account.spec.mark, Side.BUY if lot.size > 0 else Side.SELL)
        self.margin_per_unit = number(None if spec.initial_margin is None else float(spec.initial_margin))
        self.margin_fraction = number(None if spec.margin_fraction is None else float(spec.margin_fraction))
        self.revalue()

    def adopt(self, report: PositionReport) -> None:
        """Take over what only a broker knows."""
        self.liquidation_price = number(report.liquidation_price)
        self.leverage = number(report.leverage)
        self.reported_margin = number(report.margin)
        self.strategy = report.strategy or self.strategy
        self.opened_ns = report.opened_at or self.opened_ns

    def revalue(self) -> None:
        """Value the position at the instrument's newest prices and move the sums it is part of."""
        price = self.instrument.prices[self.price_index]
        if price != price:
            self.devalue()
            return
        self.mark = self.reference = price
        if (price > self.high or price < self.low) and is_backed(self.instrument, self.price_index):
            self.high = max(self.high, price)
            self.low = min(self.low, price)
        self.notional = price * self.exposure_factor
        self.unrealized_pnl = profit = (price - self.average_price) * self.signed_factor
        account = self.account
        portfolio = account.portfolio
        if not self.valued:
            self.valued = True
            account.unknown_marks -= 1
            portfolio.unknown_marks -= 1
        nano = round(profit * NANO)
        change = nano - self.unrealized_nano
        if change:
            self.unrealized_nano = nano
            account.unrealized_nano += change
            portfolio.unrealized_nano += change
        factor = self.signed_factor
        nano = round(price * factor * NANO)
        change = nano - self.net_nano
        if change:
            self.net_nano = nano
            account.net_nano += change
            portfolio.net_nano += change
            if factor < 0.0:
                change = -change
            account.gross_nano += change
            portfolio.gross_nano += change

    def devalue(self) -> None:
        """Take the position's value out of the sums: no price is known."""
        self.mark = self.notional = self.unrealized_pnl = NAN
        if not self.valued:
            return
        self.valued = False
        self._leave_sums()
        self.account.unknown_marks += 1
        self.account.portfolio.unknown_marks += 1

    def leave(self) -> None:
        """The position is flat: take it out of every sum."""
        self.devalue()
        self.account.unknown_marks -= 1
        self.account.portfolio.unknown_marks -= 1

    def _leave_sums(self) -> None:
        for owner in (self.account, self.account.portfolio):
            owner.unrealized_nano -= self.unrealized_nano
            owner.net_nano -= self.net_nano
            owner.gross_nano -= abs(self.net_nano)
        self.unrealized_nano = self.net_nano = 0

    @property
    def side(self) -> str:
        """``long`` or ``short``."""
        return "long" if self.quantity > 0.0 else "short"

    @property
    def sign(self) -> float:
        """+1 for a long, -1 for a short."""
        return 1.0 if self.quantity > 0.0 else -1.0

    @property
    def size(self) -> Decimal:
        """Signed quantity, exact."""
        return self.lot.size

    @property
    def net_notional(self) -> float:
        """`notional` with the position's sign."""
        return self.notional * self.sign

    @property
    def unrealized_ticks(self) -> float:
        """Ticks in favour (positive) or against."""
        return (self.mark - self.average_price) * self.sign / self.instrument.tick_size

    @property
    def unrealized_fraction(self) -> float:
        """Unrealized profit as a fraction of what was paid."""
        cost = self.average_price * self.exposure_factor
        return self.unrealized_pnl / cost if cost > 0.0 else NAN

    @property
    def best_price(self) -> float:
        """The most favourable mark since it was opened."""
        return self.high if self.quantity > 0.0 else self.low

    @property
    def worst_price(self) -> float:
        """The least favourable mark since it was opened."""
        return self.low if self.quantity > 0.0 else self.high

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return (self.instrument.clock.now_ns - self.opened_ns) / NS_PER_S

    @property
    def opened_at(self) -> float:
        """Seconds since the epoch at which it was opened."""
        return self.opened_ns / NS_PER_S

    @property
    def margin(self) -> float:
        """The broker's figure, else the instrument's margin per unit, else its fraction of the notional."""
        if self.reported_margin == self.reported_margin:
            return self.reported_margin
        if self.margin_per_unit == self.margin_per_unit:
            return self.margin_per_unit * abs(self.quantity)
        return self.notional * self.margin_fraction

    @property
    def liquidation_buffer(self) -> float:
        """Distance from the mark to the liquidation price as a fraction of the mark; 0 or less is beyond it."""
        return (self.mark - self.liquidation_price) * self.sign / self.mark if self.mark > 0.0 else NAN

    def find_stops(self) -> None:
        """List the working stops that would close the position, and note the first protection it had."""
        closing = Side.SELL if self.quantity > 0.0 else Side.BUY
        self.stops = [
            item
            for item in self.account.order_book.values()
            if item.instrument is self.instrument and item.is_stop and item.report.side is closing
        ]
        if self.initial_stop != self.initial_stop:
            self.initial_stop = self.stop_price

    def protecting(self) -> list[float]:
        """Stop prices of working stops on the losing side of the newest mark (or of the entry before the first)."""
        return [price for order in self.stops if (price := self.stop_of(order)) == price]

    def stop_of(self, order: Order) -> float:
        """The price at which a stop protects this position; NaN where it does not."""
        price = order.stop_price
        if price != price:
            return self.reference - order.trail * self.sign
        return price if (self.reference - price) * self.sign > 0.0 else NAN

    @property
    def protected(self) -> bool:
        """Whether working stops on the losing side cover the whole size."""
        if not self.stops:
            return False
        covered = sum(
            (order.report.remaining for order in self.stops if self.stop_of(order) == self.stop_of(order)), ZERO
        )
        return covered >= abs(self.lot.size)

    @property
    def stop_price(self) -> float:
        """The farthest of the protecting stops; NaN without any."""
        prices = self.protecting()
        if not prices:
            return NAN
        return min(prices) if self.quantity > 0.0 else max(prices)

    @property
    def stop_distance(self) -> float:
        """Distance in price from the newest mark to `stop_price`."""
        return (self.reference - self.stop_price) * self.sign

    @property
    def r_multiple(self) -> float:
        """Profit per unit in multiples of the risk between the entry and the first stop."""
        risk = (self.average_price - self.initial_stop) * self.sign
        return (self.mark - self.average_price) * self.sign / risk if risk > 0.0 else NAN

    def as_of(self, attribute: str) -> int | None:
        """The mark's instant for values that rest on it."""
        return self.instrument.as_of("mark") if attribute in MARKED else None

    def source(self, attribute: str) -> str:
        """The account's mark for values that rest on it."""
        basis = f" at {self.account.spec.mark.value} of {self.instrument.symbol}" if attribute in MARKED else ""
        return f"position {self.key}, {attribute}{basis}"

    def unknown_reason(self, attribute: str) -> str:
        """Why there is no mark, no stop, or no word of the broker."""
        if attribute in MARKED and self.mark != self.mark:
            return self.mark_reason()
        if attribute in ("stop_price", "stop_distance") and not self.protecting():
            return "no stop protects the position"
        if attribute == "r_multiple" and self.initial_stop != self.initial_stop:
            return "the position never had a stop"
        if attribute in _REPORTED or attribute == "liquidation_buffer":
            return "the broker does not report it"
        return ""

    def mark_reason(self) -> str:
        """Why the position cannot be valued; empty where it can."""
        if self.mark == self.mark:
            return ""
        wanted = ("mark", "last", "mid", "bid", "ask")[self.price_index]
        return self.instrument.price_reason(wanted) or f"{self.symbol}: the feed gives no {wanted}"
