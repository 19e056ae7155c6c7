"""The exchange behind the platform: prices that a script sets, orders that fill at them, netted positions."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from haltline_sim_projectx.failure import Refusal
from haltline_sim_projectx.record import (
    BUY,
    SELL,
    WORKING,
    Account,
    Contract,
    Json,
    Order,
    OrderKind,
    OrderState,
    Position,
    Trade,
    default_contracts,
)

UPDATED, REMOVED = 1, 2
_FEE = 0.37


class Pushes(Protocol):
    """Who is told of what happens."""

    def user_push(self, target: str, account: int, data: Json, action: int) -> None:
        """Something of an account."""

    def market_push(self, target: str, contract: str, data: Json) -> None:
        """Something of a contract."""


class Market:
    """Everything the platform knows. A market order fills at the bid or ask, a limit order there or better, a stop once
    the market has touched it. Every fill is whole.
    """

    def __init__(self, pushes: Pushes, *, now: Callable[[], float]) -> None:
        self.contracts = {contract.id: contract for contract in default_contracts()}
        self.accounts: dict[int, Account] = {}
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.is_open = True
        self._pushes = pushes
        self._now = now
        self._order_ids = itertools.count(1_000)
        self._position_ids = itertools.count(500)
        self._trade_ids = itertools.count(9_000)

    # -- looking things up ---------------------------------------------------------------------------------------------

    def stamp(self, at: float | None = None) -> str:
        """The platform's time, as it writes it."""
        return datetime.fromtimestamp(self._now() if at is None else at, UTC).isoformat()

    def account(self, account_id: object) -> Account:
        """An account by its number; raises Refusal."""
        found = self.accounts.get(account_id) if isinstance(account_id, int) else None
        if found is None:
            raise Refusal("AccountNotFound")
        return found

    def contract(self, name: object) -> Contract:
        """A contract by its id or name; raises Refusal."""
        for contract in self.contracts.values():
            if name in (contract.id, contract.name):
                return contract
        raise Refusal("ContractNotFound")

    def working(self, account_id: int) -> list[Order]:
        """The working orders of an account, oldest first."""
        return [order for order in self.orders.values() if order.account_id == account_id and order.state in WORKING]

    # -- the market ----------------------------------------------------------------------------------------------------

    def price(self, contract: Contract, last: float, *, bid: float | None = None, ask: float | None = None) -> None:
        """Move the market, tell it, and fill what it meets."""
        contract.last = last
        contract.bid = last if bid is None else bid
        contract.ask = last + contract.tick_size if ask is None else ask
        quote = {"lastPrice": last, "bestBid": contract.bid, "bestAsk": contract.ask, "volume": 1}
        self.quote(contract, **quote)
        for order in [each for each in self.orders.values() if each.contract is contract and each.state in WORKING]:
            self._meet(order)

    def quote(self, contract: Contract, **fields: float) -> None:
        """Push a quote of some fields only, as the platform does; the market stays where it is."""
        head = {"symbol": contract.symbol_id, "symbolName": f"/{contract.name[:-2]}"}
        tail = {"lastUpdated": self.stamp(), "timestamp": self.stamp()}
        self._pushes.market_push("GatewayQuote", contract.id, {**head, **fields, **tail})

    # -- orders --------------------------------------------------------------------------------------------------------

    def place(
        self, account: Account, contract: Contract, kind: OrderKind, side: int, size: int, *,
        limit: float | None = None, stop: float | None = None, trail: float | None = None, tag: str | None = None,
    ) -> Order:  # fmt: skip
        """Take an order, and fill it if the market allows; raises Refusal."""
        self._require(account, contract, kind, side, size, limit=limit, stop=stop, trail=trail, tag=tag)
        order = Order(
            id=next(self._order_ids), account_id=account.id, contract=contract, kind=kind, side=side, size=size,
            created=self.stamp(), updated=self.stamp(), limit_price=limit, stop_price=stop, trail=trail, tag=tag,
        )  # fmt: skip
        self.orders[order.id] = order
        self._tell_order(order)
        self._meet(order)
        return order

    def cancel(self, order: Order, state: OrderState = OrderState.CANCELLED) -> None:
        """End a working order; raises Refusal where it works no more."""
        if order.state not in WORKING:
            raise Refusal("Rejected", "the order is no longer open")
        order.state, order.updated = state, self.stamp()
        self._tell_order(order)

    def close(self, account: Account, contract: Contract, size: int | None = None) -> Order:
        """Close a position, or a part of it, at the market; raises Refusal."""
        position = account.positions.get(contract.id)
        if position is None:
            raise Refusal("PositionNotFound")
        if size is not None and not 0 < size <= abs(position.held):
            raise Refusal("InvalidCloseSize")
        if not self.is_open:
            raise Refusal("OrderRejected", "outside of trading hours")
        side = SELL if position.held > 0 else BUY
        return self.place(account, contract, OrderKind.MARKET, side, size or abs(position.held))

    def void(self, trade: Trade) -> None:
        """The exchange takes a trade back; the position is not touched, the balance is corrected."""
        trade.voided = True
        account = self.accounts[trade.account_id]
        account.balance -= (trade.pnl or 0.0) - trade.fees
        self._pushes.user_push("GatewayUserTrade", account.id, trade.to_json(), UPDATED)
        self.tell_account(account)

    def tell_account(self, account: Account) -> None:
        """Push an account as it is."""
        self._pushes.user_push("GatewayUserAccount", account.id, account.to_json(), UPDATED)

    def _require(
        self, account: Account, contract: Contract, kind: OrderKind, side: int, size: int, *, limit: float | None,
        stop: float | None, trail: float | None, tag: str | None,
    ) -> None:  # fmt: skip
        if not self.is_open:
            raise Refusal("OutsideTradingHours")
        if not contract.is_active:
            raise Refusal("ContractNotActive")
        if not account.can_trade and not _reduces(account, contract, side, size):
            raise Refusal("AccountViolation", "the account may not trade")
        if size <= 0 or side not in (BUY, SELL):
            raise Refusal("OrderRejected", "invalid size or side")
        needs = {OrderKind.LIMIT: (limit,), OrderKind.STOP: (stop,), OrderKind.STOP_LIMIT: (limit, stop)}
        needs[OrderKind.TRAILING] = (trail,)
        if any(price is None for price in needs.get(kind, ())):
            raise Refusal("OrderRejected", "a price is missing")
        if any(price is not None and not _on_tick(price, contract.tick_size) for price in (limit, stop)):
            raise Refusal("OrderRejected", "Invalid price. Price is not aligned to tick size.")
        if tag and any(order.tag == tag and order.account_id == account.id for order in self.orders.values()):
            raise Refusal("OrderRejected", "Custom tag must be unique per account.")

    def _meet(self, order: Order) -> None:
        """Fill an order if the market is there."""
        contract = order.contract
        if contract.bid is None or contract.ask is None or not self.is_open:
            return
        price = contract.ask if order.side == BUY else contract.bid
        sign = 1 if order.side == BUY else -1
        _trail(order, price, sign)
        if order.stop_price is not None and (price - order.stop_price) * sign >= 0:
            order.is_triggered = True
        is_stop = order.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT, OrderKind.TRAILING)
        if is_stop and not order.is_triggered:
            return
        if order.limit_price is not None and (price - order.limit_price) * sign > 0:
            return
        self._fill(order, price)

    def _fill(self, order: Order, price: float) -> None:
        """Order, then trade, then position, then account: the order in which the platform tells it."""
        account, contract = self.accounts[order.account_id], order.contract
        order.state, order.filled, order.filled_price, order.updated = (
            OrderState.FILLED, order.size, price, self.stamp(),
        )  # fmt: skip
        self._tell_order(order)
        position, pnl = self._net(account, contract, order.size * (1 if order.side == BUY else -1), price)
        fees = round(_FEE * order.size, 2)
        trade = Trade(
            id=next(self._trade_ids), account_id=account.id, contract=contract, created=self.stamp(), price=price,
            pnl=pnl, fees=fees, side=order.side, size=order.size, order_id=order.id,
        )  # fmt: skip
        self.trades.append(trade)
        self._pushes.user_push("GatewayUserTrade", account.id, trade.to_json(), UPDATED)
        action = UPDATED if position.held else REMOVED
        self._pushes.user_push("GatewayUserPosition", account.id, position.to_json(), action)
        account.balance += (pnl or 0.0) - fees
        self.tell_account(account)

    def _net(self, account: Account, contract: Contract, change: int, price: float) -> tuple[Position, float | None]:
        """The position after a fill, and the profit of what it closed (None where it closed nothing)."""
        old = account.positions.pop(contract.id, None)
        held = old.held if old is not None else 0
        closed = min(abs(change), abs(held)) if held * change < 0 else 0
        pnl = None
        if old is not None and closed:
            points = (price - old.average) * (1 if held > 0 else -1)
            pnl = round(points / contract.tick_size * contract.tick_value * closed, 2)
        now_held = held + change
        if old is not None and closed and held * now_held >= 0:
            position = old
            position.held = now_held
        elif old is not None and not closed:
            old.average = (old.average * abs(held) + price * abs(change)) / abs(now_held)
            position, old.held = old, now_held
        else:
            position = Position(
                id=next(self._position_ids), account_id=account.id, contract=contract, created=self.stamp(),
                held=now_held, average=price,
            )  # fmt: skip
        if now_held:
            account.positions[contract.id] = position
        return position, pnl

    def _tell_order(self, order: Order) -> None:
        self._pushes.user_push("GatewayUserOrder", order.account_id, order.to_json(), UPDATED)


def _reduces(account: Account, contract: Contract, side: int, size: int) -> bool:
    position = account.positions.get(contract.id)
    return position is not None and (position.held > 0) == (side == SELL) and size <= abs(position.held)


def _trail(order: Order, price: float, sign: int) -> None:
    """Pull the stop of a trailing order after the market; it never goes back."""
    if order.kind is not OrderKind.TRAILING or order.trail is None:
        return
    stop = price + sign * order.trail
    if order.stop_price is None or (stop - order.stop_price) * sign < 0:
        order.stop_price = stop


def _on_tick(price: float, tick: float) -> bool:
    ticks = price / tick
    return abs(ticks - round(ticks)) < 1e-6
