"""A proposed order as rules see it before it is sent."""

from typing import TYPE_CHECKING, ClassVar

from haltline.model.order import Intent, Side
from haltline.model.rule import Scope
from haltline.state.entity import NAN, NANO, number
from haltline.state.instrument import Instrument
from haltline.state.price import ASK, BID
from haltline.state.traded import Traded

if TYPE_CHECKING:
    from haltline.state.account import Account


class IntentEntity(Traded):
    """One proposed order together with what it would do to the position. Never stored."""

    __slots__ = ("confidence", "intent", "position_quantity", "quantity", "stop_price")
    scope: ClassVar[Scope] = Scope.INTENT

    def __init__(self, intent: Intent, *, account: "Account", instrument: Instrument) -> None:
        super().__init__(instrument.symbol, account=account, instrument=instrument)
        self.intent = intent
        position = account.book.get(instrument.symbol)
        self.position_quantity = 0.0 if position is None else position.quantity
        self.quantity = intent.quantity
        self.stop_price = number(intent.stop_price)
        self.confidence = number(intent.confidence)

    @property
    def side(self) -> str:
        """``buy`` or ``sell``."""
        return self.intent.side.value

    @property
    def strategy(self) -> str:
        """The strategy that proposes it."""
        return self.intent.strategy

    @property
    def origin(self) -> str:
        """Who proposes it."""
        return self.intent.source

    @property
    def price(self) -> float:
        """Its price; at market the side of the book it would take, else the mark."""
        if self.intent.price is not None:
            return self.intent.price
        prices = self.instrument.prices
        taken = prices[ASK if self.intent.side is Side.BUY else BID]
        return taken if taken == taken else prices[0]

    @property
    def notional(self) -> float:
        """Its size in money at `price`."""
        value = self.price * self.quantity * self.instrument.multiplier
        return round(value * NANO) / NANO if value == value else NAN

    @property
    def risk(self) -> float:
        """Money lost if it fills at `price` and leaves at `stop_price`; negative for a stop on the wrong side."""
        sign = 1.0 if self.intent.side is Side.BUY else -1.0
        return (self.price - self.stop_price) * sign * self.quantity * self.instrument.multiplier

    @property
    def resulting_quantity(self) -> float:
        """Signed position after the whole order has filled."""
        return self.position_quantity + (self.quantity if self.intent.side is Side.BUY else -self.quantity)

    @property
    def increases(self) -> bool:
        """Whether exposure grows or changes side."""
        held, after = self.position_quantity, self.resulting_quantity
        return abs(after) > abs(held) or held * after < 0.0

    def as_of(self, attribute: str) -> int | None:
        """The quote's instant where the order is at market."""
        return self.instrument.as_of("mark") if attribute in ("price", "notional", "risk") else None

    def unknown_reason(self, attribute: str) -> str:
        """What the proposer left out, or why no price is known."""
        if attribute in ("stop_price", "confidence") or (attribute == "risk" and self.intent.stop_price is None):
            return f"the order was proposed without {'stop_price' if attribute == 'risk' else attribute}"
        return self.instrument.price_reason() if attribute in ("price", "notional", "risk") else ""
