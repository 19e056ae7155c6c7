"""Orders: what we ask a broker for, and what a broker says of one."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from haltline.model.id import AccountId, OrderId, Symbol


class Side(StrEnum):
    """Direction of an order or fill."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"

    @property
    def is_stop(self) -> bool:
        """Whether the order waits for a stop price to be touched."""
        return self in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)


class OrderStatus(StrEnum):
    """Where an order is in its life; the first three are working."""

    PENDING = "pending"
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_working(self) -> bool:
        """Whether the order can still fill."""
        return self in (OrderStatus.PENDING, OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order to be sent. `quantity` is positive; prices in the instrument's quote currency.

    `client_id` makes the request idempotent: a broker that sees it twice places one order.
    `trail` is the distance of a trailing stop, in price.
    """

    account: AccountId
    symbol: Symbol
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    reduce_only: bool = False
    client_id: str = ""


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker says of one order. `quantity` and `filled` are positive; `remaining` is their difference.

    `average_price` is what the filled part was done at, where the broker tells it.
    """

    account: AccountId
    order_id: OrderId
    symbol: Symbol
    side: Side
    quantity: Decimal
    type: OrderType
    status: OrderStatus
    filled: Decimal = Decimal(0)
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    reduce_only: bool = False
    client_id: str = ""
    placed_at: int = 0
    reason: str = ""
    average_price: Decimal | None = None

    @property
    def remaining(self) -> Decimal:
        """Quantity that can still fill."""
        return self.quantity - self.filled


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """What a reduction is to reach in one symbol: it held `held` (signed) when that was fixed, and is to hold `to`."""

    held: Decimal
    to: Decimal


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An order somebody proposes, to be checked before it is sent. `price` None means at market."""

    account: AccountId
    symbol: Symbol
    side: Side
    quantity: float
    price: float | None = None
    stop_price: float | None = None
    confidence: float | None = None
    source: str = ""
    strategy: str = ""
