"""What enforcement puts on record: requests before they are sent, how each ended, and the receipt of an action."""

from decimal import Decimal

import msgspec

from haltline.clock import format_duration
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, ActionId, OrderId, RuleId, Symbol
from haltline.model.order import OrderRequest


class LegIntent(msgspec.Struct, frozen=True, kw_only=True, tag="leg"):
    """A request about to be sent: an order, or the cancelling of one. `leg` names its place within the action."""

    action: ActionId
    leg: str
    account: AccountId
    order: OrderRequest | None = None
    cancels: OrderId | None = None


class LegOutcome(msgspec.Struct, frozen=True, kw_only=True, tag="leg"):
    """How a request ended: ``accepted``, ``cancelled`` or ``refused``."""

    action: ActionId
    leg: str
    status: str
    detail: str = ""
    order_id: OrderId | None = None
    filled: Decimal = Decimal(0)


class Remaining(msgspec.Struct, frozen=True, kw_only=True):
    """What an account still holds: signed quantities by symbol, and how many orders work."""

    positions: dict[Symbol, Decimal] = {}
    working_orders: int = 0

    def __str__(self) -> str:
        held = ", ".join(f"{quantity:+f} {symbol}" for symbol, quantity in sorted(self.positions.items()))
        orders = f"{self.working_orders} working order{'' if self.working_orders == 1 else 's'}"
        return f"{held or 'no position'}, {orders if self.working_orders else 'no working order'}"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, tag="action"):
    """The proof of one action: what was sent, how long it took, and what the broker showed afterwards.

    `remaining` is pulled from the broker after the last request; None if it could not be. `proven_at` is the instant
    at which it was asked for: what happened later is not part of the proof.
    """

    action: ActionId
    name: str
    account: AccountId
    status: OutcomeStatus
    started_at: int
    ended_at: int
    symbol: Symbol | None = None
    legs: tuple[LegOutcome, ...] = ()
    remaining: Remaining | None = None
    reason: str = ""
    rules: tuple[RuleId, ...] = ()
    proven_at: int | None = None

    def __str__(self) -> str:
        took = format_duration(self.ended_at - self.started_at)
        count = f"{len(self.legs)} request{'' if len(self.legs) == 1 else 's'}"
        left = f"the broker shows {self.remaining}" if self.remaining else "the broker could not be asked what is left"
        return f"{self.reason + '; ' if self.reason else ''}{count} in {took}; {left}"
