"""What an account tells its streams, in the venue's order; the venue makes messages of it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from haltline_sim_crypto.number import ZERO
from haltline_sim_crypto.order import Cause, Fill, Leg, Order

type Step = Literal["new", "trade", "over", "triggered"]
type Part = Literal["order", "execution", "position", "wallet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """An order was accepted, filled in part or whole, triggered, or is over without a fill."""

    order: Order
    step: Step
    fill: Fill | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A trade."""

    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChanged:
    """A position is different; gone if its quantity is 0."""

    symbol: str
    leg: Leg
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletChanged:
    """The cash of an account is different, by `amount`."""

    cause: Cause
    symbol: str = ""
    amount: Decimal = ZERO


type Event = OrderChanged | Executed | PositionChanged | WalletChanged
