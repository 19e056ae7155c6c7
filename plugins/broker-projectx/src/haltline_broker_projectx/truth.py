"""What has been told of one account so far, so that every change is told once, whoever notices it first."""

from collections.abc import Sequence

import msgspec

from haltline.model.event import Event
from haltline.model.id import AccountId, Symbol
from haltline_broker_projectx.holding import Holdings
from haltline_broker_projectx.wire import (
    WireAccount,
    WireOrder,
    WirePosition,
    WireTrade,
    account_report,
    fill_of,
    order_report,
    order_update,
    stamp_of,
)

_REMEMBERED = 5_000
_CENT = 0.01

type _OrderMark = tuple[int, int, int, float | None, float | None]


class Told:
    """One account. Every method returns the events that tell what is new, an empty list where nothing is.

    Symbols are those of contracts known by now. A word on an order that is older than the last one is passed over.
    """

    def __init__(self, account: AccountId) -> None:
        self.account = account
        self.pushes = 0
        """How many pushes were heard."""
        self.moves = 0
        """How many of them were of what is held and what it is worth: one may be newer than what is being read."""
        self._account: tuple[float | None, bool | None] | None = None
        self._earned = 0.0
        self._has_odd_money = False
        self._holdings = Holdings(account)
        self._orders: dict[int, tuple[_OrderMark, int]] = {}
        self._working: set[int] = set()
        self._trades: dict[int, bool] = {}

    @property
    def is_in_doubt(self) -> bool:
        """Whether something was pushed that may be late, and was not told: it is to be read."""
        return self._has_odd_money or self._holdings.is_in_doubt

    def read_account(self, told: WireAccount, now: int) -> list[Event]:
        """Balance and whether it may trade, as just read."""
        self._has_odd_money, self._earned = False, 0.0
        mark = told.balance, told.can_trade
        if mark == self._account:
            return []
        self._account = mark
        return [account_report(told, self.account, now)]

    def push_account(self, told: WireAccount, now: int) -> list[Event]:
        """The same, pushed: a balance that no execution explains, and leave to trade again, have to be read first."""
        if self._account is None or (told.balance, told.can_trade) == self._account:
            return []
        balance, can_trade = self._account
        if told.balance is not None and balance is not None:
            is_explained = self._earned != 0.0 and abs(told.balance - balance - self._earned) < _CENT
            if is_explained:
                balance, self._earned = told.balance, 0.0
            self._has_odd_money |= not is_explained and told.balance != balance
        if told.can_trade is False:
            can_trade = False
        self._has_odd_money |= told.can_trade not in (None, can_trade)
        if (balance, can_trade) == self._account:
            return []
        self._account = balance, can_trade
        return [account_report(msgspec.structs.replace(told, balance=balance, can_trade=can_trade), self.account, now)]

    def push_position(self, told: WirePosition, symbol: Symbol, now: int, *, action: int = 1) -> list[Event]:
        """One position, pushed; size 0, or a removal, is flat."""
        return self._holdings.push(told, symbol, now, action=action)

    def read_positions(self, told: Sequence[tuple[WirePosition, Symbol]], now: int) -> list[Event]:
        """All positions there are, as just read: what is not among them is flat."""
        return self._holdings.read(told, now)

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

    def take_trade(self, told: WireTrade, symbol: Symbol, now: int, *, explains: bool = True) -> list[Event]:
        """One execution; one that is taken back is told as it was first, so that taking it back has an object.

        It explains a position and a balance pushed after it, unless both were read after it.
        """
        known = self._trades.get(told.id)
        if known == told.voided:
            return []
        _remember(self._trades, told.id, told.voided)
        events: list[Event] = []
        if known is None:
            events.append(fill_of(told, self.account, symbol, now, voided=False))
        if known is None and explains:
            events += self._holdings.execute(told, now)
            self._earned += (told.profit_and_loss or 0.0) - abs(told.fees or 0.0)
        if told.voided:
            events.append(fill_of(told, self.account, symbol, now, voided=True))
        return events


def _remember[K, V](seen: dict[K, V], key: K, value: V) -> None:
    seen.pop(key, None)
    seen[key] = value
    if len(seen) > _REMEMBERED:
        del seen[next(iter(seen))]
