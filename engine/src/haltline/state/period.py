"""A stretch of an account's life with its own profit, counters and peak: the trading day, the session, the week."""

from decimal import Decimal
from typing import TYPE_CHECKING

from haltline.state.entity import MONEY, NAN, ZERO
from haltline.state.ledger import Shift

if TYPE_CHECKING:
    from haltline.state.account import Account


class Period:
    """Profit and counters since `started_at`.

    Equities are kept less all deposits and withdrawals so far (`*_adjusted`), so that these move neither profit nor
    drawdown. Where equity is UNKNOWN at the start, the start is UNKNOWN until equity is first known.
    """

    __slots__ = (
        "account", "entries", "fee_sum", "fees", "fills", "label", "peak_adjusted", "pnl_sum", "realized_pnl",
        "round_trips", "start_adjusted", "started_at",
    )  # fmt: skip

    def __init__(self, account: "Account", label: str, started_at: int) -> None:
        self.account = account
        self.begin(label, started_at, NAN)

    def begin(self, label: str, started_at: int, adjusted: float) -> None:
        """Start anew: counters zero, equity so far is the start and the peak."""
        self.label = label
        self.started_at = started_at
        self.start_adjusted = adjusted
        self.peak_adjusted = adjusted
        self.pnl_sum = ZERO
        self.fee_sum = ZERO
        self.realized_pnl = 0.0
        self.fees = 0.0
        self.fills = 0
        self.entries = 0
        self.round_trips = 0

    def count(self, shift: Shift) -> None:
        """Add what a fill changed, unless it belongs to an earlier period."""
        if shift.applied_at < self.started_at:
            return
        self.set_money(MONEY.add(self.pnl_sum, shift.pnl), MONEY.add(self.fee_sum, shift.fee))
        self.fills += shift.fills
        self.entries += shift.entries
        self.round_trips += shift.round_trips

    def set_money(self, pnl_sum: Decimal, fee_sum: Decimal) -> None:
        """Store exact sums and their nearest floats."""
        self.pnl_sum = pnl_sum
        self.fee_sum = fee_sum
        self.realized_pnl = float(pnl_sum)
        self.fees = float(fee_sum)

    def raise_peak(self, adjusted: float) -> None:
        """Note a known equity."""
        if self.start_adjusted != self.start_adjusted:
            self.start_adjusted = adjusted
        if not adjusted <= self.peak_adjusted:
            self.peak_adjusted = adjusted

    @property
    def net_realized_pnl(self) -> float:
        """Realized profit after fees."""
        return float(MONEY.subtract(self.pnl_sum, self.fee_sum))

    @property
    def realized_loss(self) -> float:
        """Realized loss before fees as a positive number; 0 in profit."""
        return -self.realized_pnl if self.realized_pnl < 0.0 else 0.0

    @property
    def net_realized_loss(self) -> float:
        """Realized loss after fees as a positive number; 0 in profit."""
        net = self.net_realized_pnl
        return -net if net < 0.0 else 0.0

    @property
    def total_pnl(self) -> float:
        """Change of flow-adjusted equity since the start: realized, open positions and fees."""
        return self.account.adjusted - self.start_adjusted

    @property
    def loss(self) -> float:
        """`total_pnl` as a positive loss; 0 in profit, NaN where unknown."""
        loss = self.start_adjusted - self.account.adjusted
        return 0.0 if loss <= 0.0 else loss

    @property
    def start_equity(self) -> float:
        """Equity at the start, moved by later deposits and withdrawals."""
        return self.start_adjusted + self.account.flow_base

    @property
    def peak_equity(self) -> float:
        """Highest equity since the start, moved by later deposits and withdrawals."""
        return self.peak_adjusted + self.account.flow_base

    @property
    def drawdown(self) -> float:
        """Money below the period's peak."""
        return self.peak_adjusted - self.account.adjusted

    @property
    def drawdown_fraction(self) -> float:
        """Drawdown as a fraction of the period's peak."""
        peak = self.peak_adjusted + self.account.flow_base
        return (self.peak_adjusted - self.account.adjusted) / peak if peak > 0.0 else NAN
