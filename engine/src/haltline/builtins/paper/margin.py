"""Margin of the simulated exchange: what positions use, and what an order would need."""

from decimal import Decimal

from haltline.builtins.paper.price import Market
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Side

ZERO = Decimal(0)


def margin_per_unit(spec: InstrumentSpec, price: Decimal, leverage: Decimal | None) -> Decimal:
    """Initial margin of one unit: the instrument's own, its fraction of notional, notional / leverage, or nothing."""
    if spec.initial_margin is not None:
        return spec.initial_margin
    notional = price * spec.multiplier
    if spec.margin_fraction is not None:
        return notional * spec.margin_fraction
    return notional / leverage if leverage else ZERO


def exit_price(market: Market | None, quantity: Decimal) -> Decimal | None:
    """What a position could be closed at now; None without a quote."""
    if market is None:
        return None
    return market.price(Side.SELL if quantity > 0 else Side.BUY)


def exposure_added(position: Decimal, signed: Decimal) -> Decimal:
    """How much larger a position gets by a signed order; 0 where it gets smaller, even by turning around."""
    return max(ZERO, abs(position + signed) - abs(position))
