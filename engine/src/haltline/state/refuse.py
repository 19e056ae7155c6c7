"""Which outside data cannot be used: every check here raises DataRefused before anything has changed."""

from decimal import Decimal
from typing import NoReturn

from haltline.errors import DataRefused
from haltline.model.event import AccountReport, CashFlow, Fill, PositionReport, Quote
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Intent, OrderReport
from haltline.state.entity import LARGEST

_LARGEST = Decimal(int(LARGEST))


def refuse_account(account: str, known: list[str]) -> NoReturn:
    """E601."""
    raise DataRefused("E601", f"account {account!r} is not set up; add it, or use one of: {', '.join(known)}")


def refuse_symbol(symbol: str) -> NoReturn:
    """E602."""
    raise DataRefused("E602", f"symbol {symbol!r} is not set up; add the instrument, or an alias to one")


def is_usable(quote: Quote) -> bool:
    """Whether a price is there and all are finite, above zero and not crossed: the quick test of the hot path."""
    bid, ask, last, mark = quote.bid, quote.ask, quote.last, quote.mark
    return (
        (bid is None or 0.0 < bid < LARGEST)
        and (ask is None or 0.0 < ask < LARGEST)
        and (last is None or 0.0 < last < LARGEST)
        and (mark is None or 0.0 < mark < LARGEST)
        and (bid is None or ask is None or bid <= ask)
        and not (bid is ask is last is mark is None)
    )


def refuse_quote(quote: Quote) -> None:
    """E603 not finite or too large, E604 zero or below, E605 bid above ask, E606 no price; returns for a usable one."""
    prices = {"bid": quote.bid, "ask": quote.ask, "last": quote.last, "mark": quote.mark}
    for name, value in prices.items():
        if value is not None:
            _positive(f"{quote.symbol}: {name}", value)
    if quote.volume_24h is not None:
        _finite(f"{quote.symbol}: volume_24h", quote.volume_24h)
        if quote.volume_24h < 0:
            raise DataRefused("E604", f"{quote.symbol}: volume_24h was {quote.volume_24h!r}; it cannot be negative")
    if quote.bid is not None and quote.ask is not None and quote.bid > quote.ask:
        raise DataRefused(
            "E605", f"{quote.symbol}: bid {quote.bid!r} was above ask {quote.ask!r}; the quote was ignored"
        )
    if quote.volume_24h is None and all(value is None for value in prices.values()):
        raise DataRefused("E606", f"{quote.symbol}: the quote holds no price; give bid, ask, last or mark")


def check_fill(fill: Fill) -> None:
    """E603, E604, E608 negative fee."""
    where = f"fill {fill.fill_id!r} of {fill.account}"
    _positive(f"{where}: quantity", fill.quantity)
    _positive(f"{where}: price", fill.price)
    _finite(f"{where}: fee", fill.fee)
    if fill.fee < 0:
        raise DataRefused(
            "E608", f"{where}: fee was {fill.fee}; a cost is positive, and a rebate belongs to a cash flow"
        )
    if fill.pnl is not None:
        _finite(f"{where}: pnl", fill.pnl)


def check_order(order: OrderReport) -> None:
    """E603, E604, E610 filled more than its size."""
    where = f"order {order.order_id!r} of {order.account}"
    _positive(f"{where}: quantity", order.quantity)
    _finite(f"{where}: filled", order.filled)
    if not 0 <= order.filled <= order.quantity:
        raise DataRefused(
            "E610", f"{where}: filled {order.filled} of {order.quantity}; it must lie between 0 and the quantity"
        )
    for name, value in (("limit_price", order.limit_price), ("stop_price", order.stop_price), ("trail", order.trail)):
        if value is not None:
            _positive(f"{where}: {name}", value)


def check_position(report: PositionReport) -> None:
    """E603, E604."""
    where = f"position {report.symbol} of {report.account}"
    _finite(f"{where}: quantity", report.quantity)
    if report.quantity:
        _positive(f"{where}: average_price", report.average_price)
    for name in ("liquidation_price", "margin", "leverage"):
        value = getattr(report, name)
        if value is not None:
            _finite(f"{where}: {name}", value)


def check_account(report: AccountReport) -> None:
    """E603."""
    for name in ("balance", "equity", "margin_used", "margin_available"):
        value = getattr(report, name)
        if value is not None:
            _finite(f"account {report.account}: {name}", value)


def check_flow(flow: CashFlow) -> None:
    """E603."""
    _finite(f"cash flow {flow.flow_id!r} of {flow.account}: amount", flow.amount)


def check_spec(spec: InstrumentSpec) -> None:
    """E603, E604 for what an instrument is worth."""
    for name in ("tick_size", "tick_value", "lot_size"):
        _positive(f"instrument {spec.symbol}: {name}", getattr(spec, name))
    _positive(f"instrument {spec.symbol}: weight", spec.weight)


def check_intent(intent: Intent) -> None:
    """E603, E604."""
    where = f"proposed order for {intent.symbol}"
    _positive(f"{where}: quantity", intent.quantity)
    for name, value in (("price", intent.price), ("stop_price", intent.stop_price)):
        if value is not None:
            _positive(f"{where}: {name}", value)
    if intent.confidence is not None:
        _finite(f"{where}: confidence", intent.confidence)


def _finite(where: str, value: float | Decimal) -> None:
    usable = (
        value.is_finite() and value.copy_abs() < _LARGEST if isinstance(value, Decimal) else -LARGEST < value < LARGEST
    )
    if not usable:
        raise DataRefused("E603", f"{where} was {value}; it must be a finite number below 1e18")


def _positive(where: str, value: float | Decimal) -> None:
    _finite(where, value)
    if value <= 0:
        raise DataRefused("E604", f"{where} was {value}; it must be above zero")
