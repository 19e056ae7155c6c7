"""What a quote lets one trade at, as exact decimals."""

import math
from decimal import Decimal

from haltline.model.event import Quote
from haltline.model.order import Side

CONTINUOUS = "path"
"""`source` of a quote that was reached by trading through every price since the one before (inside a bar)."""


class Market:
    """The newest prices of one symbol.

    A quote with a bid or an ask replaces that side. One with neither replaces both by its last (else mark) price: what
    is executable then is the trade itself. Prices that are not finite and above 0 are ignored. Conversion to decimals
    waits until somebody asks, because most quotes touch no order, and is then done once.
    """

    __slots__ = ("_exact", "ask", "bid", "is_continuous")

    def __init__(self, bid: float | None = None, ask: float | None = None, *, is_continuous: bool = False) -> None:
        self.bid = bid
        self.ask = ask
        self.is_continuous = is_continuous
        self._exact: dict[Side, Decimal] = {}

    def apply(self, quote: Quote) -> None:
        """Take the prices of a quote."""
        bid, ask = _usable(quote.bid), _usable(quote.ask)
        if bid is None and ask is None:
            traded = _usable(quote.last) or _usable(quote.mark)
            if traded is None:
                return
            bid = ask = traded
        self.bid = bid if bid is not None else self.bid
        self.ask = ask if ask is not None else self.ask
        self.is_continuous = quote.source == CONTINUOUS
        if self._exact:
            self._exact = {}

    def price(self, side: Side) -> Decimal | None:
        """What an order of that side trades at now: a buy at the ask, a sell at the bid."""
        known = self._exact.get(side)
        if known is not None:
            return known
        price = self.ask if side is Side.BUY else self.bid
        if price is None:
            return None
        exact = self._exact[side] = Decimal(repr(price))
        return exact


def _usable(price: float | None) -> float | None:
    return price if price is not None and 0 < price < math.inf else None
