"""What the platform keeps: contracts, accounts, orders, positions, trades. `to_json` is what goes over the wire."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

type Json = dict[str, Any]


class OrderKind(IntEnum):
    """`type` of an order."""

    LIMIT = 1
    MARKET = 2
    STOP_LIMIT = 3
    STOP = 4
    TRAILING = 5
    JOIN_BID = 6
    JOIN_ASK = 7


class OrderState(IntEnum):
    """`status` of an order."""

    NONE = 0
    OPEN = 1
    FILLED = 2
    CANCELLED = 3
    EXPIRED = 4
    REJECTED = 5
    PENDING = 6


WORKING = frozenset({OrderState.OPEN, OrderState.PENDING})
BUY, SELL = 0, 1
LONG, SHORT = 1, 2


@dataclass(slots=True, kw_only=True)
class Contract:
    """One future. `last`, `bid` and `ask` are its market; None until a price was set."""

    id: str
    name: str
    description: str
    tick_size: float
    tick_value: float
    is_active: bool = True
    last: float | None = None
    bid: float | None = None
    ask: float | None = None

    @property
    def symbol_id(self) -> str:
        """``F.US.MNQ`` of ``CON.F.US.MNQ.Z25``."""
        return ".".join(self.id.split(".")[1:-1])

    def to_json(self) -> Json:
        """As in `/Contract/*`."""
        return {
            "id": self.id, "name": self.name, "description": self.description, "tickSize": self.tick_size,
            "tickValue": self.tick_value, "activeContract": self.is_active, "symbolId": self.symbol_id,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Order:
    """One order, working or not."""

    id: int
    account_id: int
    contract: Contract
    kind: OrderKind
    side: int
    size: int
    created: str
    updated: str
    state: OrderState = OrderState.OPEN
    limit_price: float | None = None
    stop_price: float | None = None
    trail: float | None = None
    filled: int = 0
    filled_price: float | None = None
    tag: str | None = None
    is_triggered: bool = False

    def to_json(self) -> Json:
        """As in `/Order/*` and `GatewayUserOrder`."""
        return {
            "id": self.id, "accountId": self.account_id, "contractId": self.contract.id,
            "symbolId": self.contract.symbol_id, "creationTimestamp": self.created, "updateTimestamp": self.updated,
            "status": int(self.state), "type": int(self.kind), "side": self.side, "size": self.size,
            "limitPrice": self.limit_price, "stopPrice": self.stop_price, "fillVolume": self.filled,
            "filledPrice": self.filled_price, "customTag": self.tag,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Position:
    """A position: `held` is signed here; on the wire the size is positive and the direction stands in `type`."""

    id: int
    account_id: int
    contract: Contract
    created: str
    held: int
    average: float

    def to_json(self) -> Json:
        """As in `/Position/searchOpen` and `GatewayUserPosition`."""
        return {
            "id": self.id, "accountId": self.account_id, "contractId": self.contract.id,
            "contractDisplayName": self.contract.name, "creationTimestamp": self.created,
            "type": LONG if self.held >= 0 else SHORT, "size": abs(self.held), "averagePrice": self.average,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Trade:
    """One execution; `pnl` is None for a half-turn that opens."""

    id: int
    account_id: int
    contract: Contract
    created: str
    price: float
    pnl: float | None
    fees: float
    side: int
    size: int
    order_id: int
    voided: bool = False

    def to_json(self) -> Json:
        """As in `/Trade/search` and `GatewayUserTrade`."""
        return {
            "id": self.id, "accountId": self.account_id, "contractId": self.contract.id,
            "creationTimestamp": self.created, "price": self.price, "profitAndLoss": self.pnl, "fees": self.fees,
            "side": self.side, "size": self.size, "voided": self.voided, "orderId": self.order_id,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Account:
    """One account with its positions by contract id."""

    id: int
    name: str
    balance: float
    can_trade: bool = True
    is_visible: bool = True
    simulated: bool = True
    positions: dict[str, Position] = field(default_factory=dict)

    def to_json(self) -> Json:
        """As in `/Account/search` and `GatewayUserAccount`."""
        return {
            "id": self.id, "name": self.name, "balance": round(self.balance, 2), "canTrade": self.can_trade,
            "isVisible": self.is_visible, "simulated": self.simulated,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a client: the endpoint (``Order/place``), what it said, when (seconds), and its token."""

    call: str
    body: Json
    at: float
    token: str = field(default="", repr=False)


def default_contracts() -> list[Contract]:
    """The eight index futures and micros that prop firms trade most, with their true economics."""
    rows = (
        ("MNQ", "Micro E-mini Nasdaq-100", 0.25, 0.5, 21_000.0), ("NQ", "E-mini Nasdaq-100", 0.25, 5.0, 21_000.0),
        ("MES", "Micro E-mini S&P 500", 0.25, 1.25, 6_000.0), ("ES", "E-mini S&P 500", 0.25, 12.5, 6_000.0),
        ("MYM", "Micro E-mini Dow", 1.0, 0.5, 44_000.0), ("YM", "E-mini Dow", 1.0, 5.0, 44_000.0),
        ("M2K", "Micro E-mini Russell 2000", 0.1, 0.5, 2_300.0), ("RTY", "E-mini Russell 2000", 0.1, 5.0, 2_300.0),
    )  # fmt: skip
    return [
        Contract(
            id=f"CON.F.US.{root}.Z25", name=f"{root}Z5", description=f"{text}: December 2025", tick_size=tick,
            tick_value=value, last=price, bid=price, ask=price + tick,
        )
        for root, text, tick, value, price in rows
    ]  # fmt: skip
