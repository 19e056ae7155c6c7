"""Orders, fills and positions, as the core keeps them; venues only translate."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from haltline_sim_crypto.number import ZERO


class Leg(StrEnum):
    """Which position an order belongs to: the only one, or one side of a hedged account."""

    NET = "net"
    LONG = "long"
    SHORT = "short"


class Status(StrEnum):
    """Where an order stands. `waiting`: conditional and not triggered yet."""

    WAITING = "waiting"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Tif(StrEnum):
    """How long an order is good for; `post` never takes."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST = "post"


class Cause(StrEnum):
    """Why an order is over, or a balance changed."""

    NONE = ""
    USER = "user"
    REDUCE_ONLY = "reduce_only"
    IOC = "ioc"
    POST_ONLY = "post_only"
    NO_LIQUIDITY = "no_liquidity"
    DEAD_MAN = "dead_man"
    LIQUIDATION = "liquidation"
    TRIGGERED = "triggered"
    ORDER = "order"
    FUNDING = "funding"
    DEPOSIT = "deposit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A condition on the price. `rises`: true from below, else from above. `by_mark`: the mark price, else the last."""

    price: Decimal
    rises: bool
    by_mark: bool = False

    def is_met(self, *, last: Decimal, mark: Decimal) -> bool:
        """Whether the price is there."""
        seen = mark if self.by_mark else last
        return seen >= self.price if self.rises else seen <= self.price


@dataclass(slots=True, kw_only=True)
class Ask:
    """What somebody asks for. `side` is +1 to buy and -1 to sell; no price: at market."""

    symbol: str
    side: int
    quantity: Decimal
    price: Decimal | None = None
    trigger: Trigger | None = None
    tif: Tif = Tif.GTC
    reduces: bool = False
    closes_all: bool = False
    leg: Leg = Leg.NET
    client_id: str = ""
    label: str = ""
    """The venue's own name for the kind of order."""

    @property
    def takes_profit(self) -> bool:
        """Whether the condition is met by a price that is better for whoever asks."""
        return self.trigger is not None and self.trigger.rises is not (self.side > 0)


@dataclass(slots=True, kw_only=True)
class Order:
    """One order and what has become of it."""

    number: int
    uid: str
    ask: Ask
    created_ms: int
    updated_ms: int
    quantity: Decimal
    status: Status = Status.OPEN
    cause: Cause = Cause.NONE
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO
    is_triggered: bool = False
    spawned: int = 0
    """The number of the order that a conditional one became, on a venue that makes a new one of it."""
    parent: int = 0

    @property
    def left(self) -> Decimal:
        """What is still to be filled."""
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        """Average price of what is filled; 0 if nothing is."""
        return self.value / self.filled if self.filled else ZERO

    @property
    def is_live(self) -> bool:
        """Whether it can still be filled or triggered."""
        return self.status in (Status.OPEN, Status.WAITING)

    @property
    def is_immediate(self) -> bool:
        """Whether it never rests in the book."""
        return self.ask.price is None or self.ask.tif in (Tif.IOC, Tif.FOK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One trade of an account."""

    number: int
    uid: str
    order: Order
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_rate: Decimal
    profit: Decimal
    """Realised by this fill, before the fee."""
    closed: Decimal
    """How much of the quantity reduced a position."""
    before: Decimal
    """The position before, signed."""
    is_maker: bool
    at_ms: int
    mark: Decimal
    cause: Cause = Cause.ORDER


@dataclass(slots=True, kw_only=True)
class Position:
    """One position; negative is short."""

    symbol: str
    leg: Leg
    quantity: Decimal = ZERO
    entry: Decimal = ZERO
    realised: Decimal = ZERO
    """Realised since it was opened, fees and funding included."""
    realised_ever: Decimal = ZERO
    funding: Decimal = ZERO
    opened_ms: int = 0
    updated_ms: int = 0
    seq: int = field(default=0)

    def profit(self, price: Decimal) -> Decimal:
        """What closing at this price would bring, without fees."""
        return (price - self.entry) * self.quantity
