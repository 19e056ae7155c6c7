"""Somebody who trades at the platform's own screen, past every rule."""

from haltline_sim_projectx.market import Market
from haltline_sim_projectx.record import BUY, SELL, Account, Order, OrderKind


class Trader:
    """The hand of one account: orders without a tag, closes, cancels. Raises Refusal where the platform says no."""

    def __init__(self, market: Market, account: Account) -> None:
        self._market = market
        self.account = account

    def buys(self, contract: str, size: int, *, limit: float | None = None, stop: float | None = None) -> Order:
        """Buy at the market, or with a limit or stop order."""
        return self._places(contract, BUY, size, limit, stop)

    def sells(self, contract: str, size: int, *, limit: float | None = None, stop: float | None = None) -> Order:
        """Sell at the market, or with a limit or stop order."""
        return self._places(contract, SELL, size, limit, stop)

    def closes(self, contract: str, size: int | None = None) -> Order:
        """Close a position, or a part of it."""
        return self._market.close(self.account, self._market.contract(contract), size)

    def cancels(self, order: Order) -> None:
        """Cancel an order."""
        self._market.cancel(order)

    def holds(self, contract: str) -> int:
        """The signed size of the position."""
        position = self.account.positions.get(self._market.contract(contract).id)
        return 0 if position is None else position.held

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held and no order works."""
        return not self.account.positions and not self._market.working(self.account.id)

    def _places(self, contract: str, side: int, size: int, limit: float | None, stop: float | None) -> Order:
        kind = OrderKind.MARKET if limit is None and stop is None else OrderKind.LIMIT
        if stop is not None:
            kind = OrderKind.STOP if limit is None else OrderKind.STOP_LIMIT
        found = self._market.contract(contract)
        return self._market.place(self.account, found, kind, side, size, limit=limit, stop=stop)
