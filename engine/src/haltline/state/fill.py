"""One execution as rules see it."""

from typing import TYPE_CHECKING, ClassVar

from haltline.clock import NS_PER_S
from haltline.model.order import Side
from haltline.model.rule import Scope
from haltline.state.entity import NANO
from haltline.state.instrument import Instrument
from haltline.state.ledger import Execution
from haltline.state.traded import Traded

if TYPE_CHECKING:
    from haltline.state.account import Account


class FillEntity(Traded):
    """One fill. `voided` turns True when the broker takes it back; the entity is then removed."""

    __slots__ = (
        "at_ns",
        "closes",
        "execution",
        "fee",
        "opens",
        "pnl",
        "price",
        "quantity",
        "voided",
    )
    scope: ClassVar[Scope] = Scope.FILL

    def __init__(self, execution: Execution, *, account: "Account", instrument: Instrument, at_ns: int) -> None:
        super().__init__(execution.fill_id, account=account, instrument=instrument)
        self.execution = execution
        self.at_ns = at_ns
        self.quantity = float(abs(execution.quantity))
        self.price = float(execution.price)
        self.fee = float(execution.fee)
        self.voided = False
        self.settle()

    def settle(self) -> None:
        """Read again what the ledger made of it (a void of an earlier fill may have changed that)."""
        self.pnl = float(self.execution.pnl)
        self.opens = self.execution.opens
        self.closes = self.execution.closes

    @property
    def fill_id(self) -> str:
        """The broker's id."""
        return self.execution.fill_id

    @property
    def order_id(self) -> str:
        """The id of the order it belongs to, empty where the broker does not say."""
        return self.execution.order_id or ""

    @property
    def origin(self) -> str | None:
        """Who sent its order; None where the broker names no order, or one that was never heard of."""
        working = self.account.order_book.get(self.order_id)
        return self.account.seen_orders.get(self.order_id) if working is None else working.origin

    @property
    def side(self) -> str:
        """``buy`` or ``sell``."""
        return (Side.BUY if self.execution.quantity > 0 else Side.SELL).value

    @property
    def net_pnl(self) -> float:
        """`pnl` less the fee."""
        return self.pnl - self.fee

    @property
    def notional(self) -> float:
        """Size in money at the fill's price."""
        return round(self.price * self.quantity * self.instrument.multiplier * NANO) / NANO

    @property
    def at(self) -> float:
        """Seconds since the epoch at which it happened."""
        return self.at_ns / NS_PER_S

    @property
    def age(self) -> float:
        """Seconds since it happened."""
        return (self.instrument.clock.now_ns - self.at_ns) / NS_PER_S

    def as_of(self, attribute: str) -> int | None:
        """When it happened."""
        return self.at_ns
