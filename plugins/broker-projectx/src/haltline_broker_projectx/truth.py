"""What has been told of one account so far, so that every change is told once, whoever notices it first."""

from collections.abc import Sequence

from haltline.model.event import Event
from haltline.model.id import AccountId, Symbol
from haltline_broker_projectx.wire import (
    REMOVED,
    WireAccount,
    WireOrder,
    WirePosition,
    WireTrade,
    account_report,
    fill_of,
    flat_report,
    order_report,
    order_update,
    position_report,
    stamp_of,
)

_REMEMBERED = 5_000

type _OrderMark = tuple[int, int, int, float | None, float | None]


class Told:
    """One account. Every method returns the events that tell what is new, an empty list where nothing is.

    Symbols are those of contracts known by now. A word on an order that is older than the last one is passed over.
    """

    def __init__(self, account: AccountId) -> None:
        self.account = account
        self.pushes = 0
        """How many pushes were heard."""
        self._account: tuple[float | None, bool | None] | None = None
        self._held: dict[str, tuple[Symbol, int, float]] = {}
        self._orders: dict[int, tuple[_OrderMark, int]] = {}
        self._working: set[int] = set()
        self._trades: dict[int, bool] = {}

    def take_account(self, told: WireAccount, now: int) -> list[Event]:
        """Balance and whether it may trade."""
        mark = told.balance, told.can_trade
        if mark == self._account:
            return []
        self._account = mark
        return [account_report(told, self.account, now)]

    def take_position(self, told: WirePosition, symbol: Symbol, now: int, *, action: int = 1) -> list[Event]:
        """One position; size 0, or a removal, is flat."""
        is_gone = action == REMOVED or told.held == 0
        held = 0 if is_gone else told.held
        known = self._held.get(told.contract_id)
        if (known is None and not held) or known == (symbol, held, told.average_price):
            return []
        report = position_report(told, self.account, symbol, now, is_gone=is_gone)
        if held:
            self._held[told.contract_id] = symbol, held, told.average_price
        else:
            self._held.pop(told.contract_id, None)
        return [report]

    def take_positions(self, told: Sequence[tuple[WirePosition, Symbol]], now: int) -> list[Event]:
        """All positions there are: what is not among them is flat."""
        events = [event for each, symbol in told for event in self.take_position(each, symbol, now)]
        there = {each.contract_id for each, _ in told}
        for gone in [contract for contract in self._held if contract not in there]:
            symbol, _, _ = self._held.pop(gone)
            events.append(flat_report(self.account, symbol, now))
        return events

    def take_order(self, told: WireOrder, symbol: Symbol, now: int) -> list[Event]:
        """One order."""
        mark = told.status, told.fill_volume or 0, told.size, told.limit_price, told.stop_price
        at = stamp_of(told.update_timestamp, 0)
        known, known_at = self._orders.get(told.id, (None, 0))
        if known == mark or (known is not None and at < known_at):
            return []
        if known is not None and told.id not in self._working:
            return []
        report = order_report(told, self.account, symbol, now)
        _remember(self._orders, told.id, (mark, at))
        (self._working.add if report.status.is_working else self._working.discard)(told.id)
        return [order_update(report, now)]

    def missing_orders(self, told: Sequence[WireOrder]) -> set[int]:
        """Orders told as working that are not among the working ones: somebody must look what became of them."""
        return self._working - {each.id for each in told}

    def take_trade(self, told: WireTrade, symbol: Symbol, now: int) -> list[Event]:
        """One execution; one that is taken back is told as it was first, so that taking it back has an object."""
        known = self._trades.get(told.id)
        if known == told.voided:
            return []
        _remember(self._trades, told.id, told.voided)
        events: list[Event] = []
        if known is None:
            events.append(fill_of(told, self.account, symbol, now, voided=False))
        if told.voided:
            events.append(fill_of(told, self.account, symbol, now, voided=True))
        return events


def _remember[K, V](seen: dict[K, V], key: K, value: V) -> None:
    seen.pop(key, None)
    seen[key] = value
    if len(seen) > _REMEMBERED:
        del seen[next(iter(seen))]
