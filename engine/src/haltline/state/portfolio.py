"""All accounts together."""

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from haltline.model.rule import Scope
from haltline.state.entity import NAN, NANO, ZERO, Entity

if TYPE_CHECKING:
    from haltline.state.account import Account

NO_EQUITY = 1e9
"""The leverage of positions held without any equity: beyond every limit."""


def leverage(gross: float, equity: float) -> float:
    """Gross notional per unit of equity; `NO_EQUITY` where equity is gone but positions are not."""
    if equity > 0.0:
        return gross / equity
    if equity <= 0.0:
        return NO_EQUITY if gross > 0.0 else gross
    return NAN


class Portfolio(Entity):
    """Sums over accounts. Where accounts differ in currency, sums of money are UNKNOWN."""

    __slots__ = (
        "accounts", "balance_sum", "gross_nano", "mixed", "moved_at", "net_nano", "unknown_marks", "unrealized_nano",
    )  # fmt: skip
    scope: ClassVar[Scope] = Scope.PORTFOLIO

    def __init__(self) -> None:
        super().__init__("portfolio")
        self.accounts: list[Account] = []
        self.mixed = False
        self.moved_at = 0
        self.reset()

    def reset(self) -> None:
        """Sums of nothing; the accounts stay."""
        self.balance_sum: Decimal = ZERO
        self.unrealized_nano = 0
        self.gross_nano = 0
        self.net_nano = 0
        self.unknown_marks = 0

    def add(self, account: "Account") -> None:
        """Take an account in."""
        self.accounts.append(account)
        self.mixed = len({item.currency for item in self.accounts}) > 1

    @property
    def balance(self) -> float:
        """Sum of balances."""
        known = not self.mixed and all(item.funded for item in self.accounts)
        return float(self.balance_sum) if known else NAN

    @property
    def unrealized_pnl(self) -> float:
        """Sum of unrealized profit."""
        return NAN if self.mixed or self.unknown_marks else self.unrealized_nano / NANO

    @property
    def equity(self) -> float:
        """Sum of equities."""
        return self.balance + self.unrealized_pnl

    @property
    def gross_notional(self) -> float:
        """Sum of the sizes of all positions in money."""
        return NAN if self.mixed or self.unknown_marks else self.gross_nano / NANO

    @property
    def net_notional(self) -> float:
        """Longs less shorts in money."""
        return NAN if self.mixed or self.unknown_marks else self.net_nano / NANO

    @property
    def leverage(self) -> float:
        """Gross notional per unit of equity."""
        return leverage(self.gross_notional, self.equity)

    @property
    def realized_pnl(self) -> float:
        """Sum of realized profit before fees."""
        return NAN if self.mixed else float(sum((item.pnl_sum for item in self.accounts), ZERO))

    @property
    def fees(self) -> float:
        """Sum of fees."""
        return NAN if self.mixed else float(sum((item.fee_sum for item in self.accounts), ZERO))

    @property
    def day_pnl(self) -> float:
        """Sum of the accounts' total profit of their trading days."""
        return NAN if self.mixed else sum(item.day.total_pnl for item in self.accounts)

    @property
    def day_loss(self) -> float:
        """`day_pnl` as a positive loss; 0 in profit."""
        loss = -self.day_pnl
        return 0.0 if loss <= 0.0 else loss

    @property
    def open_positions(self) -> int:
        """Number of open positions."""
        return sum(len(item.book) for item in self.accounts)

    @property
    def working_orders(self) -> int:
        """Number of working orders."""
        return sum(len(item.order_book) for item in self.accounts)

    @property
    def account_count(self) -> int:
        """Number of accounts."""
        return len(self.accounts)

    def unknown_reason(self, attribute: str) -> str:
        """Mixed currencies, or the first account whose positions have no mark."""
        if self.mixed:
            currencies = ", ".join(sorted({item.currency for item in self.accounts}))
            return f"accounts differ in currency ({currencies})"
        return next((reason for item in self.accounts if (reason := item.unknown_reason("equity"))), "")

    def as_of(self, attribute: str) -> int | None:
        """The oldest quote that any account's value rests on."""
        instants = [at for item in self.accounts if (at := item.as_of(attribute)) is not None]
        return min(instants, default=None)
