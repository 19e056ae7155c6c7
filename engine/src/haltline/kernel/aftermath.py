"""What a flatten leaves to be watched: which orders were cancelled, what they have filled since, what nobody explains.

Glossary. An execution is *named* where it says which order it is of. The *gap* of an order is what its broker says that
it has filled beyond what we heard of: a push was lost, or named no order. *Unnamed* is what is held beyond what named
executions make. A gap explains what is unnamed once the broker has told of the position after the order: before, what
is held may be somebody else's. A gap that no position shows is of a fill that the flatten itself has undone.
"""

from decimal import Decimal
from typing import Any

import msgspec

from haltline.clock import NS_PER_S
from haltline.model.id import Symbol
from haltline.model.order import OrderReport
from haltline.model.plan import PlannedAction

SHOWN_NS = 5 * NS_PER_S
"""How long after its broker told of it a fill may not show in the position yet."""
_ZERO = Decimal(0)
_FOR_EVER = 1 << 63


class Ended(msgspec.Struct, kw_only=True):
    """What is known of an order that was cancelled; its last `report`, where it was heard of.

    Until `at` it had filled `known`, and that is dealt with; of this `unheard` may still be told. `said` is the most
    that its broker has told of, at `said_at`; `past` of that is history although it was never heard of. Where it is
    `vague` how much was dealt with, its broker's word explains nothing any more.
    """

    at: int = 0
    report: OrderReport | None = None
    known: Decimal = _ZERO
    unheard: Decimal = _ZERO
    said: Decimal = _ZERO
    said_at: int = 0
    past: Decimal = _ZERO
    vague: bool = False

    def late(self, heard: Decimal) -> Decimal:
        """How much of what was heard since is new."""
        return max(_ZERO, abs(heard) - self.unheard).copy_sign(heard)

    def gap(self, heard: Decimal) -> Decimal:
        """What its broker says that it has filled beyond what was heard."""
        if self.report is None or self.vague:
            return _ZERO
        missed = self.said - self.known - self.past - abs(self.late(heard))
        return max(_ZERO, missed) * self.report.side.sign

    def settle(self, at: int, heard: Decimal, missed: Decimal) -> None:
        """What it has filled until an instant is dealt with: what was heard, and so much of what was not."""
        new = abs(self.late(heard)) + missed
        self.unheard += new - abs(heard)
        self.known += new
        self.at, self.said, self.past = at, max(self.known, self.said), _ZERO


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """All of it signed: `total` is held, `late` is what cancelled orders have filled, `explained` how much of that is
    known from their broker's words alone; `unnamed` is what nobody explains."""

    total: Decimal
    late: Decimal
    explained: Decimal = _ZERO
    unnamed: Decimal = _ZERO


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is being undone: so much is to be `left` (signed) of what was held; `others` had other orders made."""

    left: Decimal
    sums: Sums
    others: Decimal


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A close of one symbol that is newer than the flatten: as of `at` nothing of it was held."""

    action: PlannedAction
    at: int


class _Told(msgspec.Struct, kw_only=True):
    """What executions tell of a symbol: those of cancelled orders by order, and all that name one, signed."""

    heard: dict[str, Decimal] = {}
    unmoved: dict[str, Decimal] = {}
    named: Decimal = _ZERO
    count: int = 0
    after: Decimal = _ZERO

    @property
    def others(self) -> Decimal:
        """What other orders have made."""
        return self.named - sum(self.heard.values(), _ZERO)


class Aftermath(msgspec.Struct, kw_only=True):
    """What cancels and flattens of an account leave to be watched.

    `orders` are those that were cancelled, each with the instant until which a fill of it is late; `ended` is what is
    known of them, and of others that may be among them. `flat_at` is the instant as of which `flatten`, the newest one,
    was proven; 0 before. `closed` are symbols that were closed since, each with an instant of its own.
    `behind` is what our books held then although nothing was; `asked` what is being undone;
    `settled` what others hold beyond what names say, late fills being undone; `told_at` when the broker last told of a
    position; `unsure` since when our books cannot be right, so that it has to.
    """

    orders: dict[str, int] = {}
    flatten: PlannedAction | None = None
    flat_at: int = 0
    serial: int = 0
    ended: dict[str, Ended] = {}
    behind: dict[Symbol, Decimal] = {}
    asked: dict[Symbol, Asked] = {}
    settled: dict[Symbol, Decimal] = {}
    told_at: dict[Symbol, int] = {}
    unsure: dict[Symbol, int] = {}
    closed: dict[Symbol, Closed] = {}

    def begin_anew(self, flatten: PlannedAction, at: int, account: Any) -> None:
        """The account was flat as of `at`: what was filled until then is dealt with."""
        for symbol in account.ledgers:
            self._begin_symbol(account, Symbol(symbol), at)
        self.flatten, self.flat_at, self.closed = flatten, at, {}

    def begin_closed(self, close: PlannedAction, symbol: Symbol, at: int, account: Any) -> None:
        """Nothing of the symbol was held as of `at`: what was filled of it until then is dealt with."""
        self._begin_symbol(account, symbol, at)
        self.closed[symbol] = Closed(action=close, at=at)

    def proof_of(self, symbol: Symbol) -> tuple[PlannedAction | None, int]:
        """What has closed a symbol last (None for nothing), and as of when."""
        own = self.closed.get(symbol)
        return (self.flatten, self.flat_at) if own is None else (own.action, own.at)

    @property
    def newest(self) -> int:
        """As of when the newest flatten or close was proven; 0 before any."""
        return max([self.flat_at, *(each.at for each in self.closed.values())])

    def _begin_symbol(self, account: Any, symbol: Symbol, at: int) -> None:
        self._settle_orders(account, symbol, at)
        for ended in self._of(symbol).values():
            ended.vague = False
        for known in (self.behind, self.asked, self.settled, self.told_at, self.unsure):
            known.pop(symbol, None)
        ledger = account.ledgers[symbol]
        since = sum((each.quantity for each in ledger.executions if each.applied_at > at), _ZERO)
        self.behind[symbol] = ledger.lot.size - since

    def settle(self, account: Any, symbol: Symbol, at: int) -> None:
        """What has filled late until an instant was undone, or needs nothing: what is held is what others made."""
        sums, told = self.sums(account, symbol, until=at), self._told(account, symbol, at)
        asked = self.asked.pop(symbol, None) or self.asking(account, symbol, sums.total)
        self.settled[symbol] = asked.left - asked.sums.unnamed - told.named
        is_exact = (sums.total, told.others) == (asked.left, asked.others + asked.left - asked.sums.total)
        gap = sum((each.gap(told.heard.get(name, _ZERO)) for name, each in self._of(symbol).items()), _ZERO)
        keep = _within(gap - asked.sums.explained, asked.sums.unnamed) if is_exact else _ZERO
        self._settle_orders(account, symbol, at, keep=keep, is_exact=is_exact)
        if not is_exact:
            self.unsure[symbol] = at

    def asking(self, account: Any, symbol: Symbol, left: Decimal) -> "Asked":
        """What is held now, so much of which (signed) is to be left."""
        sums = self.sums(account, symbol)
        return Asked(left=left, sums=sums, others=self._told(account, symbol, _FOR_EVER).others)

    def note_report(self, account: Any, symbol: Symbol, now: int) -> None:
        """The broker has told of a position: our books are what it says, and what it does not show is history."""
        self.told_at[symbol] = now
        self.behind.pop(symbol, None)
        self.unsure.pop(symbol, None)
        if self.sums(account, symbol).explained:
            return
        told = self._told(account, symbol, _FOR_EVER)
        for order_id, ended in self._of(symbol).items():
            if now > ended.said_at + SHOWN_NS:
                ended.past += abs(ended.gap(told.heard.get(order_id, _ZERO)))

    def sums(self, account: Any, symbol: Symbol, *, until: int = _FOR_EVER) -> Sums:
        """What is held of a symbol, and whose it is; of executions only those until an instant."""
        ledger, told = account.ledgers[symbol], self._told(account, symbol, until)
        held = ledger.lot.size - told.after - self.behind.get(symbol, _ZERO)
        others = told.named + self.settled.get(symbol, _ZERO)
        late = unmoved = _ZERO
        for order_id, heard in told.heard.items():
            new = self._known_of(order_id).late(heard)
            others -= heard - new  # dealt with before it was told
            late += new
            unmoved += _within(told.unmoved.get(order_id, _ZERO), new)
        total = held + _within(unmoved, others - held)  # told after a report that did not show them yet
        if told.count >= ledger.KEPT // 2:
            return Sums(total=total, late=late)  # so many that the ledger may have forgotten some
        explained = _within(self._gap(symbol, told.heard), total - others)
        return Sums(total=total, late=late + explained, explained=explained, unnamed=total - others - explained)

    def open_orders(self) -> list[OrderReport]:
        """Cancelled orders that may have filled more than is dealt with."""
        reports = [(each.report, each.known) for name, each in self.ended.items() if name in self.orders]
        return [report for report, known in reports if report is not None and report.quantity > known]

    def untold(self) -> list[Symbol]:
        """Symbols of which the broker must tell what is held: our books may be wrong, or it has told of an order."""
        watched = [each for order_id, each in self.ended.items() if order_id in self.orders]
        behind = [
            each.report.symbol
            for each in watched
            if each.report is not None
            and each.said > each.known
            and each.said_at + SHOWN_NS >= self.told_at.get(each.report.symbol, 0)
        ]
        return list(dict.fromkeys((*self.unsure, *behind)))

    def suspects(self, symbol: Symbol, sums: Sums) -> list[OrderReport]:
        """Cancelled orders that may have filled what is held and nobody explains, as far as is known."""
        unnamed = sums.unnamed if sums.unnamed * sums.total > _ZERO else _ZERO
        found = [(ended.report, ended.known) for ended in self._of(symbol).values()]
        return [
            report
            for report, known in found
            if report is not None and report.side.sign * unnamed > _ZERO and report.quantity > known
        ]

    def _known_of(self, order_id: str) -> Ended:
        return self.ended.get(order_id) or Ended()

    def _of(self, symbol: Symbol) -> dict[str, Ended]:
        watched = {order_id: ended for order_id, ended in self.ended.items() if order_id in self.orders}
        return {name: each for name, each in watched.items() if each.report and each.report.symbol == symbol}

    def _told(self, account: Any, symbol: Symbol, until: int) -> _Told:
        told, told_at, (_, flat_at) = _Told(), self.told_at.get(symbol, 0), self.proof_of(symbol)
        for each in account.ledgers[symbol].executions:
            if each.applied_at > until:
                told.after += each.quantity if each.moves else _ZERO
            elif each.applied_at > flat_at:
                told.count += 1
                if each.order_id is not None:
                    self._take(told, each, told_at)
        return told

    def _take(self, told: _Told, execution: Any, told_at: int) -> None:
        order_id = execution.order_id
        told.named += execution.quantity
        if order_id in self.orders and execution.applied_at > self._known_of(order_id).at:
            told.heard[order_id] = told.heard.get(order_id, _ZERO) + execution.quantity
            if not execution.moves and execution.applied_at >= told_at:
                told.unmoved[order_id] = told.unmoved.get(order_id, _ZERO) + execution.quantity

    def _gap(self, symbol: Symbol, heard: dict[str, Decimal]) -> Decimal:
        told_at = self.told_at.get(symbol, 0)
        shown = {order_id: ended for order_id, ended in self._of(symbol).items() if ended.said_at <= told_at}
        return sum((ended.gap(heard.get(order_id, _ZERO)) for order_id, ended in shown.items()), _ZERO)

    def _settle_orders(
        self, account: Any, symbol: Symbol, at: int, *, keep: Decimal = _ZERO, is_exact: bool = True
    ) -> None:
        """Deal with what orders have filled until an instant, but for what is kept of what nobody heard of."""
        told = self._told(account, symbol, at)
        for order_id in dict.fromkeys((*told.heard, *self._of(symbol))):
            ended, heard = self.ended.setdefault(order_id, Ended()), told.heard.get(order_id, _ZERO)
            missed = ended.gap(heard) if ended.said_at <= at else _ZERO
            held = _within(missed, keep)
            keep -= held
            ended.settle(at, heard, abs(missed - held))
            ended.vague |= not is_exact


def _within(gap: Decimal, room: Decimal) -> Decimal:
    """As much of the gap as there is room for, on the same side."""
    return min(gap, room, key=abs) if gap * room > _ZERO else _ZERO
