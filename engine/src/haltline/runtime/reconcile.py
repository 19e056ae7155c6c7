"""Believe the broker: what it shows now replaces what we remember."""

from decimal import Decimal

import msgspec

from haltline.api import AccountSnapshot
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event, OrderUpdate, PositionReport
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderStatus


def corrections(kernel: Kernel, snapshot: AccountSnapshot, now: int) -> list[Event]:
    """The events that bring our account to a pulled snapshot: positions and orders it does not show are over."""
    account_id = snapshot.account.account
    known = kernel.state.accounts.get(account_id)
    events: list[Event] = [snapshot.account, *snapshot.positions]
    events += [OrderUpdate(at=now, received_at=now, order=order) for order in snapshot.orders]
    if known is None:
        return events
    shown = {position.symbol for position in snapshot.positions}
    events += [_flat(account_id, Symbol(symbol), now) for symbol in known.book if symbol not in shown]
    working = {order.order_id for order in snapshot.orders}
    for order in known.order_book.values():
        if order.report.order_id not in working:
            gone = msgspec.structs.replace(
                order.report, status=OrderStatus.EXPIRED, reason="it no longer works at the broker"
            )
            events.append(OrderUpdate(at=now, received_at=now, order=gone))
    return events


def activity_of(kernel: Kernel, account: AccountId) -> object:
    """What changes whenever a fill or an order of the account is heard of: equal before and after means nothing was."""
    known = kernel.state.accounts.get(account)
    if known is None:
        return None
    newest = next(reversed(known.seen_fills), "")
    orders = [(key, order.report.status, order.report.filled) for key, order in known.order_book.items()]
    return len(known.seen_fills), newest, orders


def _flat(account: AccountId, symbol: Symbol, now: int) -> PositionReport:
    return PositionReport(
        at=now, received_at=now, account=account, symbol=symbol, quantity=Decimal(0), average_price=Decimal(0)
    )
