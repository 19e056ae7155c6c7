"""What a person asks first: what do the accounts hold, how full are their limits, what is locked, what is wrong."""

import math

import msgspec

from haltline.kernel.kernel import Kernel
from haltline.kernel.view import EnforcementView, Gauge, IncidentView
from haltline.model.loosening import Arming, LooseningPolicy, Pending
from haltline.model.plan import Lock, TradingMode
from haltline.state.account import Account
from haltline.state.position import Position


class PositionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One open position. `quantity` is signed; what is not known is None."""

    symbol: str
    quantity: float
    average_price: float
    mark: float | None
    unrealized_pnl: float | None


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One account. Money in `currency`; what is not known is None. `live` is False while it is only watched."""

    id: str
    broker: str
    currency: str
    mode: TradingMode
    live: bool
    equity: float | None
    day_pnl: float | None
    realized_pnl: float
    unrealized_pnl: float | None
    fees: float
    working_orders: int
    positions: tuple[PositionStatus, ...]
    lock_reason: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one instant (`at`, UTC nanoseconds).

    `pending` is what would guard less and waits, under the policy `loosening`; `armings` is who armed what.
    """

    at: int
    accounts: tuple[AccountStatus, ...]
    gauges: tuple[Gauge, ...]
    incidents: tuple[IncidentView, ...]
    locks: tuple[Lock, ...]
    enforcements: tuple[EnforcementView, ...] = ()
    pending: tuple[Pending, ...] = ()
    armings: tuple[Arming, ...] = ()
    loosening: LooseningPolicy = LooseningPolicy.AT_ONCE


def status_of(kernel: Kernel) -> Status:
    """The present status; reads only."""
    return Status(
        at=kernel.now,
        accounts=tuple(_account(account) for account in kernel.state.accounts.values()),
        gauges=tuple(kernel.gauges()),
        incidents=tuple(kernel.incidents()),
        locks=tuple(kernel.governor.locks),
        enforcements=tuple(kernel.enforcements()),
        pending=tuple(kernel.loosenings),
        armings=tuple(kernel.loosenings.armings.values()),
        loosening=kernel.loosenings.policy,
    )


def _account(account: Account) -> AccountStatus:
    return AccountStatus(
        id=account.key,
        broker=account.spec.broker,
        currency=account.currency,
        mode=TradingMode(account.mode),
        live=account.live,
        equity=_known(account.equity),
        day_pnl=_known(account.day.total_pnl),
        realized_pnl=account.realized_pnl,
        unrealized_pnl=_known(account.unrealized_pnl),
        fees=account.fees,
        working_orders=len(account.order_book),
        positions=tuple(_position(position) for position in account.book.values()),
        lock_reason=account.lock_reason if account.locked else "",
    )


def _position(position: Position) -> PositionStatus:
    return PositionStatus(
        symbol=position.symbol,
        quantity=position.quantity,
        average_price=position.average_price,
        mark=_known(position.mark),
        unrealized_pnl=_known(position.unrealized_pnl),
    )


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
