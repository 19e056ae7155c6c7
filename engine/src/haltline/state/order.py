"""A working order as the broker last described it."""

from typing import TYPE_CHECKING, ClassVar

from haltline.clock import NS_PER_S
from haltline.model.order import OrderReport, Side
from haltline.model.origin import origin_of
from haltline.model.rule import Scope
from haltline.state.entity import NAN, NANO
from haltline.state.instrument import Instrument
from haltline.state.traded import Traded

if TYPE_CHECKING:
    from haltline.state.account import Account


class Order(Traded):
    """One order. It leaves the state when it no longer works."""

    __slots__ = (
        "filled", "is_stop", "limit_price", "opened_ns", "quantity", "remaining", "report",
        "stop_price", "trail", "updated_at",
    )  # fmt: skip
    scope: ClassVar[Scope] = Scope.ORDER

    def __init__(self, report: OrderReport, *, account: "Account", instrument: Instrument, at: int) -> None:
        super().__init__(report.order_id, account=account, instrument=instrument)
        self.opened_ns = report.placed_at or at
        self.adopt(report, at)

    @property
    def floats(self) -> bool:
        """Whether what it is worth follows the market: it works, and names no price of its own."""
        return self.working and self.limit_price != self.limit_price and self.stop_price != self.stop_price

    def adopt(self, report: OrderReport, at: int) -> None:
        """Take over the broker's newest word."""
        self.report = report
        self.updated_at = at
        self.quantity = float(report.quantity)
        self.filled = float(report.filled)
        self.remaining = float(report.remaining)
        self.limit_price = NAN if report.limit_price is None else float(report.limit_price)
        self.stop_price = NAN if report.stop_price is None else float(report.stop_price)
        self.trail = NAN if report.trail is None else float(report.trail)
        self.is_stop = report.type.is_stop

    @property
    def order_id(self) -> str:
        """The broker's id."""
        return self.report.order_id

    @property
    def origin(self) -> str:
        """Who sent it."""
        return origin_of(self.report.client_id).value

    @property
    def side(self) -> str:
        """``buy`` or ``sell``."""
        return self.report.side.value

    @property
    def type(self) -> str:
        """``market``, ``limit``, ``stop``, ``stop_limit`` or ``trailing_stop``."""
        return self.report.type.value

    @property
    def status(self) -> str:
        """Where the order is in its life."""
        return self.report.status.value

    @property
    def reduce_only(self) -> bool:
        """Whether the venue lets it only reduce."""
        return self.report.reduce_only

    @property
    def client_id(self) -> str:
        """The id given by whoever sent it."""
        return self.report.client_id

    @property
    def reason(self) -> str:
        """The broker's words, for a rejection say."""
        return self.report.reason

    @property
    def working(self) -> bool:
        """Whether it can still fill."""
        return self.report.status.is_working

    @property
    def age(self) -> float:
        """Seconds since it was placed."""
        return (self.instrument.clock.now_ns - self.opened_ns) / NS_PER_S

    @property
    def placed_at(self) -> float:
        """Seconds since the epoch at which it was placed."""
        return self.opened_ns / NS_PER_S

    @property
    def notional(self) -> float:
        """What can still fill, in money, at its limit, stop or the mark, whichever is known first."""
        for price in (self.limit_price, self.stop_price, self.instrument.prices[0]):
            if price == price:
                return round(price * self.remaining * self.instrument.multiplier * NANO) / NANO
        return NAN

    @property
    def increases(self) -> bool:
        """Whether a fill could enlarge exposure: not reduce-only, and larger than a position on the other side."""
        if self.report.reduce_only:
            return False
        position = self.account.book.get(self.instrument.symbol)
        held = 0.0 if position is None else position.quantity
        signed = self.remaining if self.report.side is Side.BUY else -self.remaining
        return abs(held + signed) > abs(held) or held * (held + signed) < 0.0

    def as_of(self, attribute: str) -> int | None:
        """When the broker last spoke of it."""
        return self.instrument.as_of("mark") if attribute == "notional" else self.updated_at

    def unknown_reason(self, attribute: str) -> str:
        """Which price is not part of this order, or why no mark is known."""
        if attribute == "notional":
            return self.instrument.price_reason()
        return f"a {self.type} order has no {attribute}" if attribute in ("limit_price", "stop_price", "trail") else ""
