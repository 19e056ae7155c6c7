"""An account: balance, equity, peaks, periods, counters, and everything it holds."""

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from haltline.clock import NS_PER_S
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport
from haltline.model.plan import TradingMode
from haltline.model.rule import Scope
from haltline.state.backing import is_backed
from haltline.state.day import RollClock
from haltline.state.entity import MONEY, NAN, NANO, ZERO, Entity, number, ratio
from haltline.state.fill import FillEntity
from haltline.state.hours import SessionView
from haltline.state.ledger import Ledger, Shift
from haltline.state.order import Order
from haltline.state.period import Period
from haltline.state.portfolio import Portfolio, leverage

if TYPE_CHECKING:
    from haltline.state.position import Position

VALUED = frozenset({
    "equity", "unrealized_pnl", "total_pnl", "gross_notional", "net_notional", "long_notional", "short_notional",
    "leverage", "drawdown", "drawdown_fraction", "margin_used", "margin_available", "margin_utilization",
    "max_symbol_share", "hhi", "end_of_day_drawdown",
    *(f"{period}.{name}" for period in ("day", "session", "week")
      for name in ("total_pnl", "loss", "drawdown", "drawdown_fraction")),
})  # fmt: skip
"""Attributes that rest on the marks of all open positions."""
_CONNECTION = frozenset({"blind_for", "connected", "connection"})
_SAID_BY_BROKER = _CONNECTION | {"can_trade", "reported_equity"}
_FUNDED = frozenset({
    "balance", "equity", "peak_equity", "drawdown_fraction", "leverage", "margin_available", "margin_utilization",
    "end_of_day_peak_equity",
    *(f"{period}.{name}" for period in ("day", "session", "week")
      for name in ("start_equity", "peak_equity", "drawdown_fraction")),
})  # fmt: skip
FILLS_KEPT = 200
_SMALL = 0.001
"""A rise by less than this part of gross notional is no jump of any price."""


class Account(Entity):
    """One account.

    `balance` is cash as if open positions were not there; `equity` adds their unrealized profit and is UNKNOWN while
    any position has no mark. Without a configured balance, a deposit or a broker's word both are UNKNOWN (and never 0);
    profits are not. `*_adjusted` equities are less all deposits and withdrawals (`flows`) so far.
    """

    __slots__ = (
        "adjusted", "balance", "balance_at", "balance_sum", "behind_until", "blind_at", "book", "can_trade", "cash",
        "connected",
        "connection", "connection_at",
        "currency", "day", "doubtful",
        "end_of_day_peak_adjusted", "equity", "fee_sum", "fees", "fills", "flow_base", "flow_sum", "flows", "funded",
        "gross_nano",
        "gross_quantity", "hours", "last_closing_pnl", "ledgers", "live", "lock_reason", "locked", "loss_streak",
        "lowest_peak", "mode", "net_nano", "net_quantity", "order_book", "peak_adjusted", "pnl_sum", "portfolio",
        "realized_pnl", "rejected_orders", "reported_at", "reported_equity", "reported_margin_available",
        "reported_margin_used", "roll",
        "seen_fills", "seen_flows", "seen_orders", "session", "spec", "suspects", "unknown_marks", "unrealized_nano",
        "unrealized_pnl", "week",
    )  # fmt: skip
    scope: ClassVar[Scope] = Scope.ACCOUNT

    def __init__(self, spec: AccountSpec, *, portfolio: Portfolio, hours: SessionView, roll: RollClock) -> None:
        super().__init__(spec.id)
        self.spec = spec
        self.currency = spec.currency
        self.portfolio = portfolio
        self.hours = hours
        self.roll = roll
        self.live = spec.live
        self.locked = False
        self.lock_reason = ""
        self.mode: str = TradingMode.ACTIVE.value
        self.connected: bool | None = None
        self.connection: str | None = None
        self.blind_at = NAN
        self.can_trade: bool | None = None
        portfolio.add(self)
        self.reset()

    def reset(self) -> None:
        """Hold nothing and know nothing but the set-up; the portfolio's sums must have been reset before."""
        self.book: dict[str, Position] = {}
        self.order_book: dict[str, Order] = {}
        self.fills: deque[FillEntity] = deque(maxlen=FILLS_KEPT)
        self.ledgers: dict[str, Ledger] = {}
        self.seen_fills: dict[str, bool] = {}
        self.seen_flows: dict[str, None] = {}
        self.seen_orders: dict[str, str | None] = {}
        self.suspects: dict[str, str] = {}
        self._clear_numbers()
        self.day = Period(self, self.roll.label, self.roll.started_ns)
        self.week = Period(self, self.roll.week, self.roll.started_ns)
        never_closes = self.hours.never_closes
        self.session = self.day if never_closes else Period(self, str(self.hours.opened_ns), self.hours.opened_ns)
        self.set_balance(self.spec.balance)
        if self.spec.balance:
            self.fund()
        self.revalue()

    def _clear_numbers(self) -> None:
        self.balance_sum = self.flow_sum = self.pnl_sum = self.fee_sum = ZERO
        self.cash = self.flows = self.realized_pnl = self.fees = 0.0
        self.balance = self.flow_base = NAN
        self.funded = False
        self.balance_at = 0
        self.connection_at = 0
        self.reported_at = 0
        self.reported_equity = self.reported_margin_used = self.reported_margin_available = NAN
        self.unrealized_nano = self.gross_nano = self.net_nano = 0
        self.unknown_marks = 0
        self.doubtful = False
        self.behind_until = 0
        self.unrealized_pnl = self.equity = self.adjusted = NAN
        self.peak_adjusted = self.end_of_day_peak_adjusted = self.lowest_peak = NAN
        self.net_quantity = self.gross_quantity = 0.0
        self.loss_streak = 0
        self.last_closing_pnl = NAN
        self.rejected_orders = 0

    @property
    def id(self) -> str:
        """The account's id."""
        return self.key

    @property
    def broker(self) -> str:
        """The name of its broker."""
        return self.spec.broker

    @property
    def labels(self) -> str:
        """Its labels of the set-up in one text: ``desk=futures; phase=funded``."""
        return "; ".join(f"{name}={value}" for name, value in self.spec.labels.items())

    @property
    def data_suspect(self) -> bool:
        """Whether the broker's words contradict each other or the fills."""
        return bool(self.suspects)

    @property
    def suspect_reason(self) -> str:
        """What contradicts what."""
        return "; ".join(self.suspects.values())

    @property
    def reported_time(self) -> float:
        """Seconds since the epoch of the broker's last report on it; NaN before the first."""
        return self.reported_at / NS_PER_S if self.reported_at else NAN

    def set_balance(self, balance: Decimal) -> None:
        """Store an exact balance and its nearest float."""
        self.portfolio.balance_sum = MONEY.add(self.portfolio.balance_sum, MONEY.subtract(balance, self.balance_sum))
        self.balance_sum = balance
        self.cash = float(balance)
        self.balance = self.cash if self.funded else NAN

    def add_flow(self, amount: Decimal) -> None:
        """Note a deposit or withdrawal without touching the balance."""
        self.flow_sum = MONEY.add(self.flow_sum, amount)
        self.flows = float(self.flow_sum)
        self.flow_base = self.flows if self.funded else NAN

    def fund(self) -> None:
        """From now on the balance is known."""
        self.funded = True
        self.balance = self.cash
        self.flow_base = self.flows

    def count(self, shift: Shift) -> None:
        """Add what a fill changed to the account and to each period it belongs to."""
        self.pnl_sum = MONEY.add(self.pnl_sum, shift.pnl)
        self.fee_sum = MONEY.add(self.fee_sum, shift.fee)
        self.realized_pnl = float(self.pnl_sum)
        self.fees = float(self.fee_sum)
        for period in self.periods():
            period.count(shift)

    def periods(self) -> tuple[Period, ...]:
        """Day, week and session, each once."""
        return (self.day, self.week) if self.session is self.day else (self.day, self.week, self.session)

    def adopt(self, report: AccountReport, at: int) -> None:
        """Take over what only a broker knows."""
        self.reported_at = at
        self.reported_equity = number(report.equity)
        self.reported_margin_used = number(report.margin_used)
        self.reported_margin_available = number(report.margin_available)
        if report.can_trade is not None:
            self.can_trade = report.can_trade

    def revalue(self) -> None:
        """Derive equity from the sums, and raise peaks."""
        if self.unknown_marks:
            self.unrealized_pnl = self.equity = self.adjusted = NAN
            return
        self.unrealized_pnl = profit = self.unrealized_nano / NANO
        self.equity = self.balance + profit
        before = self.adjusted
        self.adjusted = adjusted = self.cash + profit - self.flows
        if not adjusted <= self.lowest_peak:
            self._raise_peaks(adjusted, before)

    @contextmanager
    def as_reported(self) -> Iterator[None]:
        """Within it the account is worth what its broker says, whatever our marks are; nothing else moves."""
        kept = self.equity, self.adjusted, self.unrealized_pnl
        profit = self.reported_equity - self.cash
        self.equity, self.adjusted, self.unrealized_pnl = self.reported_equity, self.cash + profit - self.flows, profit
        try:
            yield
        finally:
            self.equity, self.adjusted, self.unrealized_pnl = kept

    def _raise_peaks(self, adjusted: float, before: float) -> None:
        """A peak is for ever: a price that jumped raises none until it is backed, nor what old fills go through."""
        if self.behind_until:
            self.doubtful = True
            return
        if self.doubtful or adjusted - before > self.gross_nano / NANO * _SMALL:
            self.doubtful = not all(is_backed(item.instrument, item.price_index) for item in self.book.values())
            if self.doubtful:
                return
        if not adjusted <= self.peak_adjusted:
            self.peak_adjusted = adjusted
        if self.day.start_adjusted != self.day.start_adjusted:
            self.end_day(adjusted)
        for period in self.periods():
            period.raise_peak(adjusted)
        self.find_lowest_peak()

    def end_day(self, adjusted: float) -> None:
        """Note the equity a trading day ended with, once it is known."""
        if adjusted == adjusted and not adjusted <= self.end_of_day_peak_adjusted:
            self.end_of_day_peak_adjusted = adjusted

    def find_lowest_peak(self) -> None:
        """Below this equity no peak can rise; NaN while one is UNKNOWN."""
        peaks = [self.peak_adjusted, *(period.peak_adjusted for period in self.periods())]
        self.lowest_peak = NAN if any(map(math.isnan, peaks)) else min(peaks)

    def note_close(self, pnl: float) -> None:
        """Count a closing fill: a loss lengthens the streak, anything else ends it."""
        self.last_closing_pnl = pnl
        self.loss_streak = self.loss_streak + 1 if pnl < 0.0 else 0

    def find_streak(self) -> None:
        """Count the streak anew from the fills kept (a fill was taken back)."""
        self.last_closing_pnl = NAN
        self.loss_streak = 0
        for item in self.fills:
            if item.closes:
                self.note_close(item.pnl)

    def recount(self) -> None:
        """Sum quantities by instrument weight; exact, so the order of positions does not matter."""
        weighted = [item.quantity * item.instrument.weight for item in self.book.values()]
        self.net_quantity = math.fsum(weighted)
        self.gross_quantity = math.fsum(map(abs, weighted))

    @property
    def total_pnl(self) -> float:
        """Realized and unrealized profit since the engine knows the account, before fees."""
        return self.realized_pnl + self.unrealized_pnl

    @property
    def gross_notional(self) -> float:
        """Sum of the sizes of positions in money."""
        return NAN if self.unknown_marks else self.gross_nano / NANO

    @property
    def net_notional(self) -> float:
        """Longs less shorts in money."""
        return NAN if self.unknown_marks else self.net_nano / NANO

    @property
    def long_notional(self) -> float:
        """Sum of long positions in money."""
        return NAN if self.unknown_marks else (self.gross_nano + self.net_nano) / (2 * NANO)

    @property
    def short_notional(self) -> float:
        """Sum of short positions in money, as a positive number."""
        return NAN if self.unknown_marks else (self.gross_nano - self.net_nano) / (2 * NANO)

    @property
    def leverage(self) -> float:
        """Gross notional per unit of equity; 1e9 where equity is gone but positions are not."""
        return leverage(self.gross_notional, self.equity)

    @property
    def margin_used(self) -> float:
        """The broker's figure, else the sum over positions."""
        if self.reported_margin_used == self.reported_margin_used:
            return self.reported_margin_used
        return math.fsum(item.margin for item in self.book.values())

    @property
    def margin_available(self) -> float:
        """The broker's figure, else equity less margin used."""
        reported = self.reported_margin_available
        return reported if reported == reported else self.equity - self.margin_used

    @property
    def margin_utilization(self) -> float:
        """Margin used as a fraction of equity."""
        return ratio(self.margin_used, self.equity)

    @property
    def open_positions(self) -> int:
        """Number of open positions."""
        return len(self.book)

    @property
    def working_orders(self) -> int:
        """Number of working orders."""
        return len(self.order_book)

    @property
    def max_symbol_share(self) -> float:
        """The largest position's share of gross notional; 0 without positions."""
        return max((abs(share) for share in self._shares()), default=0.0) if not self.unknown_marks else NAN

    @property
    def hhi(self) -> float:
        """Sum of the squared shares of positions in gross notional: 1 is everything in one; 0 without positions."""
        return math.fsum(share * share for share in self._shares()) if not self.unknown_marks else NAN

    def _shares(self) -> list[float]:
        gross = self.gross_nano
        return [item.net_nano / gross for item in self.book.values()] if gross else []

    @property
    def peak_equity(self) -> float:
        """Highest equity ever seen, moved by later deposits and withdrawals."""
        return self.peak_adjusted + self.flow_base

    @property
    def drawdown(self) -> float:
        """Money below the peak."""
        return self.peak_adjusted - self.adjusted

    @property
    def drawdown_fraction(self) -> float:
        """Drawdown as a fraction of the peak."""
        return ratio(self.peak_adjusted - self.adjusted, self.peak_adjusted + self.flow_base)

    @property
    def end_of_day_peak_equity(self) -> float:
        """Highest equity with which a trading day began or ended, moved by later deposits and withdrawals."""
        return self.end_of_day_peak_adjusted + self.flow_base

    @property
    def end_of_day_drawdown(self) -> float:
        """Money below `end_of_day_peak_equity`; 0 above it."""
        drawdown = self.end_of_day_peak_adjusted - self.adjusted
        return 0.0 if drawdown <= 0.0 else drawdown

    def as_of(self, attribute: str) -> int | None:
        """The oldest mark that the value rests on, or the broker's last report."""
        if attribute in _CONNECTION:
            return self.connection_at or None
        if attribute in _SAID_BY_BROKER:
            return self.reported_at or None
        if attribute in VALUED:
            return min((item.instrument.quoted_at for item in self.book.values()), default=None) or None
        return None

    def unknown_reason(self, attribute: str) -> str:
        """Which position has no mark, or that the broker has not said."""
        if attribute in _SAID_BY_BROKER:
            return f"the broker of {self.key} has not said"
        if not self.funded and attribute in _FUNDED:
            return f"no balance of {self.key} is known: configure one, or wait for the broker's"
        if attribute == "last_closing_pnl":
            return "nothing was closed yet"
        if attribute not in VALUED and not attribute.endswith("_equity"):
            return ""
        reasons = [reason for item in self.book.values() if (reason := item.mark_reason())]
        if not reasons:
            return ""
        others = f" (and {len(reasons) - 1} more positions)" if len(reasons) > 1 else ""
        return reasons[0] + others
