"""Positions from fills: average cost, netting, flips and voids, exact in Decimal.

A `Lot` is what is held: `size` is signed, `cost` is the signed price paid for it in price units (size times average).
A partial close takes its share of the cost rounded to 1e-18, so that what all closes take adds up to exactly what was
paid. A flip closes the whole lot and opens the rest at the fill's price.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext

import msgspec

from haltline.state.entity import MONEY, ZERO

_SHARE = Decimal("1e-18")
_SAME_AVERAGE = Decimal("1e-9")
_ENCODER = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class Lot:
    """What is held of one symbol."""

    size: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def average(self) -> Decimal:
        """Average price paid; zero when flat."""
        return MONEY.divide(self.cost, self.size) if self.size else ZERO


FLAT = Lot()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fill does to a lot; `gain` is in price units times quantity, to be multiplied by the multiplier."""

    lot: Lot
    gain: Decimal
    opens: bool
    closes: bool

    @property
    def completes(self) -> bool:
        """Whether a round trip ends: the lot is flat, or on the other side."""
        return self.closes and (self.opens or not self.lot.size)


def apply_fill(lot: Lot, quantity: Decimal, price: Decimal) -> Outcome:
    """The lot after a fill of a signed `quantity`, and what it earned."""
    with localcontext(MONEY):
        if not lot.size or (lot.size > 0) == (quantity > 0):
            return Outcome(Lot(lot.size + quantity, lot.cost + quantity * price), ZERO, opens=True, closes=False)
        if abs(quantity) < abs(lot.size):
            share = (lot.cost * -quantity / lot.size).quantize(_SHARE)
            return Outcome(
                Lot(lot.size + quantity, lot.cost - share), -quantity * price - share, opens=False, closes=True
            )
        gain = lot.size * price - lot.cost
        rest = lot.size + quantity
        return Outcome(Lot(rest, rest * price) if rest else FLAT, gain, opens=bool(rest), closes=True)


@dataclass(slots=True)
class Execution:
    """One fill as the ledger remembers it, so that it can be taken back."""

    fill_id: str
    order_id: str | None
    quantity: Decimal
    price: Decimal
    fee: Decimal
    broker_pnl: Decimal | None
    applied_at: int
    moves: bool = True
    pnl: Decimal = ZERO
    opens: bool = False
    closes: bool = False
    entry: bool = False
    completes: bool = False


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of the counts of an account that belongs to an instant."""

    applied_at: int
    pnl: Decimal = ZERO
    fee: Decimal = ZERO
    fills: int = 0
    entries: int = 0
    round_trips: int = 0


class Ledger:
    """The lot of one symbol in one account, and the executions since `base` that made it."""

    __slots__ = (
        "_packed", "_packed_count", "base", "executions", "last_fill_at", "lot", "multiplier", "own_pnl", "reported_at",
    )  # fmt: skip
    KEPT = 500

    def __init__(self, multiplier: Decimal) -> None:
        self.base = FLAT
        self.lot = FLAT
        self.multiplier = multiplier
        self.executions: list[Execution] = []
        self.last_fill_at = 0
        self.own_pnl = ZERO
        self.reported_at = 0
        self._packed = bytearray()
        self._packed_count = 0

    def packed(self) -> bytes:
        """The executions as a MessagePack array. Only those that are new since the last call are encoded."""
        for item in self.executions[self._packed_count :]:
            self._packed += _ENCODER.encode(item)
        self._packed_count = len(self.executions)
        return b"\xdd" + self._packed_count.to_bytes(4, "big") + self._packed

    def add(self, execution: Execution) -> Shift:
        """Apply one fill; fills in what it did and tells what it changes."""
        self.executions.append(execution)
        self._settle(execution, self._entry_orders(execution))
        if len(self.executions) > self.KEPT:
            self._fold(len(self.executions) - self.KEPT // 2)
        return Shift(
            applied_at=execution.applied_at,
            pnl=execution.pnl,
            fee=execution.fee,
            fills=1,
            entries=int(execution.entry),
            round_trips=int(execution.completes),
        )

    def find(self, fill_id: str) -> Execution | None:
        """The remembered execution of that id, or None."""
        return next((item for item in reversed(self.executions) if item.fill_id == fill_id), None)

    def take_back(self, execution: Execution) -> list[Shift]:
        """Undo one fill as if it had never been; fills after it are settled anew, and every difference is returned."""
        before = {item.fill_id: (item.pnl, item.entry, item.completes) for item in self.executions}
        self._unpack()
        self.executions.remove(execution)
        self._replay()
        shifts = [
            Shift(
                applied_at=execution.applied_at,
                pnl=-before[execution.fill_id][0],
                fee=-execution.fee,
                fills=-1,
                entries=-int(before[execution.fill_id][1]),
                round_trips=-int(before[execution.fill_id][2]),
            )
        ]
        for item in self.executions:
            pnl, entry, completes = before[item.fill_id]
            if (item.pnl, item.entry, item.completes) != (pnl, entry, completes):
                shifts.append(
                    Shift(
                        applied_at=item.applied_at,
                        pnl=MONEY.subtract(item.pnl, pnl),
                        entries=int(item.entry) - int(entry),
                        round_trips=int(item.completes) - int(completes),
                    )
                )
        return shifts

    def agree(self, reported: Lot, at: int) -> Lot:
        """Take over a reported lot unless it says the same but for rounding of the average; the lot that now holds."""
        same = self.lot.size == reported.size and (
            abs(self.lot.average - reported.average) <= abs(self.lot.average) * _SAME_AVERAGE
        )
        if same:
            self.reported_at = at
        else:
            self.rebase(reported, at)
        return self.lot

    def rebase(self, lot: Lot, at: int) -> None:
        """Take over what the broker reports: fills so far no longer move the lot when taken back."""
        self.base = self.lot = lot
        self.reported_at = at
        self._unpack()
        for item in self.executions:
            item.moves = False

    def _unpack(self) -> None:
        """What was encoded no longer holds."""
        self._packed.clear()
        self._packed_count = 0

    def _replay(self) -> None:
        self.lot = self.base
        orders: set[str] = set()
        for item in self.executions:
            if item.moves:
                self._settle(item, orders)
            if item.entry and item.order_id is not None:
                orders.add(item.order_id)

    def _entry_orders(self, newest: Execution) -> set[str]:
        if newest.order_id is None:
            return set()
        seen = any(item.entry and item.order_id == newest.order_id for item in self.executions if item is not newest)
        return {newest.order_id} if seen else set()

    def _settle(self, item: Execution, entry_orders: set[str]) -> None:
        if item.moves:
            outcome = apply_fill(self.lot, item.quantity, item.price)
            self.lot = outcome.lot
            own = MONEY.multiply(outcome.gain, self.multiplier)
            item.opens, item.closes, item.completes = outcome.opens, outcome.closes, outcome.completes
        else:
            own = ZERO
            item.closes = item.broker_pnl is not None
            item.opens, item.completes = not item.closes, False
        self.own_pnl = own
        item.pnl = own if item.broker_pnl is None else item.broker_pnl
        item.entry = item.opens and item.order_id not in entry_orders

    def _fold(self, count: int) -> None:
        self._unpack()
        for item in self.executions[:count]:
            if item.moves:
                self.base = apply_fill(self.base, item.quantity, item.price).lot
        del self.executions[:count]
