"""Cash and positions of one account, exact to the last digit."""

from decimal import Decimal

import msgspec

from haltline.model.id import AccountId, Symbol
from haltline.model.order import Side

ZERO = Decimal(0)
_CENT_OF_CENTS = Decimal("1e-12")


class Holding(msgspec.Struct, kw_only=True):
    """One netted position. `cost` is the signed sum of quantity x price of what is held: nothing is rounded twice."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    opened_at: int = 0

    @property
    def average_price(self) -> Decimal:
        """Mean entry price; 0 when flat."""
        return self.cost / self.quantity if self.quantity else ZERO


class Ledger(msgspec.Struct, kw_only=True):
    """One account: `balance` is cash (deposits + realized - fees); holdings by symbol, flat ones removed."""

    account: AccountId
    balance: Decimal
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    holdings: dict[Symbol, Holding] = msgspec.field(default_factory=dict)

    def quantity(self, symbol: Symbol) -> Decimal:
        """Signed position; 0 when flat."""
        holding = self.holdings.get(symbol)
        return holding.quantity if holding else ZERO

    def book(
        self,
        symbol: Symbol,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        *,
        multiplier: Decimal,
        fee: Decimal,
        now: int,
    ) -> Decimal | None:
        """Book an execution by average cost; returns realized money before fees, None where it only opened."""
        holding = self.holdings.setdefault(symbol, Holding(opened_at=now))
        signed = quantity * side.sign
        closing = min(quantity, abs(holding.quantity)) if signed * holding.quantity < 0 else ZERO
        pnl = self._close(holding, closing, price, multiplier) if closing else None
        opening = quantity - closing
        if opening:
            holding.opened_at = holding.opened_at if holding.quantity else now
            holding.quantity += opening * side.sign
            holding.cost += opening * side.sign * price
        if not holding.quantity:
            del self.holdings[symbol]
        self.balance += (pnl or ZERO) - fee
        self.fees += fee
        return pnl

    def _close(self, holding: Holding, closing: Decimal, price: Decimal, multiplier: Decimal) -> Decimal:
        sign = 1 if holding.quantity > 0 else -1
        is_whole = closing == abs(holding.quantity)
        share = holding.cost if is_whole else holding.cost * closing / abs(holding.quantity)
        share = share if is_whole else share.quantize(_CENT_OF_CENTS)
        pnl = (closing * sign * price - share) * multiplier
        holding.quantity -= closing * sign
        holding.cost -= share
        self.realized += pnl
        return pnl
