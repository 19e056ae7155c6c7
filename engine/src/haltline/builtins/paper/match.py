"""When an order fills against the present quote, and at which price. Pure.

A market order trades at the executable side plus slippage. A stop triggers when the side it would trade at touches its
price and then trades as a market order, so that it never fills better than its trigger; only inside a bar's path, where
every price in between was traded, does it fill at the trigger itself. A limit that was marketable on arrival trades at
the executable price, one that rested at its own price.
"""

from decimal import Decimal

from haltline.builtins.paper.order import PaperOrder
from haltline.builtins.paper.price import Market
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderType, Side


def follow(order: PaperOrder, market: Market) -> bool:
    """Ratchet a trailing stop after a favourable price; tells whether it moved."""
    trail, price = order.report.trail, market.price(order.side)
    if order.report.type is not OrderType.TRAILING_STOP or trail is None or price is None or order.triggered:
        return False
    candidate = price - trail if order.side is Side.SELL else price + trail
    current = order.stop_price
    if current is not None and (candidate - current) * order.side.sign >= 0:
        return False
    order.stop_price = candidate
    return True


def is_touched(order: PaperOrder, market: Market) -> bool:
    """Whether the stop price of an order is reached."""
    price = market.price(order.side)
    if price is None or order.stop_price is None:
        return False
    return (price - order.stop_price) * order.side.sign >= 0


def fill_price(order: PaperOrder, market: Market, spec: InstrumentSpec, slippage_ticks: Decimal) -> Decimal | None:
    """The price the order fills at now, or None while it does not."""
    price = market.price(order.side)
    if price is None or order.waits_for_stop:
        return None
    if order.has_limit:
        return _limit_price(order, price)
    if order.is_at_trigger and order.stop_price is not None:
        price = order.stop_price
    return _slipped(price, order.side, spec, slippage_ticks)


def _limit_price(order: PaperOrder, price: Decimal) -> Decimal | None:
    limit = order.limit_price
    if limit is None or (price - limit) * order.side.sign > 0:
        return None
    return limit if order.is_maker else price


def _slipped(price: Decimal, side: Side, spec: InstrumentSpec, slippage_ticks: Decimal) -> Decimal:
    return max(spec.tick_size, price + side.sign * slippage_ticks * spec.tick_size)
