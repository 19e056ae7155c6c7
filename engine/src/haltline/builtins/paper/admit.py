"""Why an order is refused at the door: everything that can be said without looking at money or quotes."""

from decimal import Decimal

from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, OrderType

ZERO = Decimal(0)
_NEEDS_LIMIT = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_NEEDS_STOP = (OrderType.STOP, OrderType.STOP_LIMIT)


def misfit(request: OrderRequest, spec: InstrumentSpec) -> str:
    """Why the order does not fit the instrument; empty if it does."""
    quantity = request.quantity
    if not quantity.is_finite() or quantity <= 0:
        return f"quantity {quantity} must be more than 0"
    if quantity % spec.lot_size:
        return f"quantity {quantity} is not a multiple of the lot size {spec.lot_size}"
    return _missing_price(request) or _bad_price(request, spec)


def _missing_price(request: OrderRequest) -> str:
    if request.type in _NEEDS_LIMIT and request.limit_price is None:
        return f"a {request.type} order needs a limit price"
    if request.type in _NEEDS_STOP and request.stop_price is None:
        return f"a {request.type} order needs a stop price"
    if request.type is OrderType.TRAILING_STOP and request.trail is None:
        return "a trailing stop needs a trail"
    return ""


def _bad_price(request: OrderRequest, spec: InstrumentSpec) -> str:
    prices = (("limit price", request.limit_price), ("stop price", request.stop_price), ("trail", request.trail))
    for name, price in prices:
        if price is None:
            continue
        if not price.is_finite() or price <= ZERO:
            return f"{name} {price} must be more than 0"
        if price % spec.tick_size:
            return f"{name} {price} is not a multiple of the tick size {spec.tick_size}"
    return ""
