"""Is it really so? What a pulled snapshot must show before an action counts as done."""

import math
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from haltline.api import AccountSnapshot
from haltline.journal.receipt import Receipt, Remaining
from haltline.model.id import Symbol
from haltline.model.plan import PlannedAction
from haltline.rules.arbiter import CLOSE, FLATTEN


def remaining_of(snapshot: AccountSnapshot, value_of: Callable[[Symbol], Decimal | None] | None = None) -> Remaining:
    """Open positions and working orders; `value_of` tells the money that one unit of a symbol stands for."""
    held = {position.symbol: position.quantity for position in snapshot.positions if position.quantity}
    working = Counter(order.symbol for order in snapshot.orders if order.status.is_working)
    values = {symbol: value_of(symbol) for symbol in held} if value_of is not None else {}
    return Remaining(
        positions=held,
        working_orders=working.total(),
        orders=dict(working),
        notional={symbol: abs(held[symbol]) * value for symbol, value in values.items() if value is not None},
    )


def is_flat(remaining: Remaining) -> bool:
    """No position and no working order."""
    return not remaining.positions and not remaining.working_orders


def is_half_done(receipt: Receipt) -> bool:
    """Whether an action has filled some order and is not seen to have nothing left to close."""
    if not any(leg.filled for leg in receipt.legs):
        return False
    left = receipt.remaining
    if left is None:
        return True
    if receipt.symbol is None or receipt.name == FLATTEN:  # the flatten of a rule on positions names one
        return not is_flat(left)
    return bool(_left_of(receipt.symbol, left))


def shortfall(planned: PlannedAction, remaining: Remaining) -> str:
    """What a flatten, close or reduction still owes, in words; empty if nothing.

    Other actions confirm each request themselves.
    """
    if planned.name == FLATTEN and not is_flat(remaining):
        return f"the account is not flat: {remaining}"
    if planned.symbol is None:
        return ""
    if planned.name == CLOSE:
        return _left_of(planned.symbol, remaining)
    if planned.name == "reduce_to":
        return _excess(remaining.positions.get(planned.symbol, Decimal(0)), planned)
    return ""


def _left_of(symbol: Symbol, remaining: Remaining) -> str:
    """What a close of the symbol still owes, in words; empty if nothing."""
    held, orders = remaining.positions.get(symbol), remaining.orders.get(symbol, 0)
    found = [f"the position is still {held:+f} {symbol}"] if held else []
    if orders:
        found.append(f"{orders} working order{'' if orders == 1 else 's'} of {symbol} left")
    return " and ".join(found)


def _excess(held: Decimal, planned: PlannedAction) -> str:
    """How far a position is above the size to reach; nothing where that is no number, which the action has refused."""
    limit = planned.params.get("quantity")
    if not isinstance(limit, int | float) or not math.isfinite(limit):
        return ""
    is_above = not held.is_finite() or abs(held) > Decimal(str(limit))
    return f"the position is still {held:+f} {planned.symbol}, not {limit}" if is_above else ""
