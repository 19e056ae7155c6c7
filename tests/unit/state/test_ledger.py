"""The ledger against a plain reference in fractions: netting, flips, voids, duplicates."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.state.ledger import FLAT, Execution, Ledger, Lot, apply_fill

QUANTITIES = st.integers(-9, 9).filter(bool).map(Decimal)
PRICES = st.integers(1, 40_000).map(lambda ticks: Decimal(ticks) / 4)
FILLS = st.lists(st.tuples(QUANTITIES, PRICES, st.integers(0, 3)), max_size=25)
MULTIPLIER = Decimal("2")


@dataclass
class Reference:
    """Average cost, spelled out one unit at a time."""

    size: Fraction = Fraction(0)
    average: Fraction = Fraction(0)
    pnls: list[Fraction] = field(default_factory=list)

    def fill(self, quantity: Decimal, price: Decimal) -> None:
        pnl = Fraction(0)
        step = Fraction(1) if quantity > 0 else Fraction(-1)
        for _ in range(abs(int(quantity))):
            if self.size * step >= 0:
                self.average = (self.average * abs(self.size) + Fraction(price)) / (abs(self.size) + 1)
            else:
                pnl += (self.average - Fraction(price)) * step
            self.size += step
            if not self.size:
                self.average = Fraction(0)
        self.pnls.append(pnl * Fraction(MULTIPLIER))


def close(ours: Decimal, reference: Fraction) -> bool:
    return abs(Fraction(ours) - reference) < Fraction(1, 10**14)


def execute(number: int, quantity: Decimal, price: Decimal, fee: int = 0, order: str | None = None) -> Execution:
    return Execution(
        fill_id=str(number),
        order_id=order,
        quantity=quantity,
        price=price,
        fee=Decimal(fee),
        broker_pnl=None,
        applied_at=number,
    )


def book(fills: list[tuple[Decimal, Decimal, int]]) -> tuple[Ledger, list[Execution]]:
    ledger = Ledger(MULTIPLIER)
    executions = [execute(number, *row) for number, row in enumerate(fills)]
    for item in executions:
        ledger.add(item)
    return ledger, executions


@given(FILLS)
@settings(deadline=None, max_examples=100)
def test_size_average_and_each_profit_agree_with_the_reference(fills):
    ledger, executions = book(fills)
    reference = Reference()
    for quantity, price, _ in fills:
        reference.fill(quantity, price)
    assert Fraction(ledger.lot.size) == reference.size
    assert close(ledger.lot.average, reference.average)
    assert all(close(item.pnl, pnl) for item, pnl in zip(executions, reference.pnls, strict=True))


@given(FILLS.filter(bool), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_a_void_leaves_everything_as_if_the_fill_had_never_been(fills, random):
    ledger, executions = book(fills)
    gone = random.randrange(len(fills))
    pnl_before = sum(item.pnl for item in executions)
    counts_before = (sum(item.entry for item in executions), sum(item.completes for item in executions))
    shifts = ledger.take_back(executions[gone])
    clean, others = book(fills[:gone] + fills[gone + 1 :])
    assert ledger.lot == clean.lot
    assert pnl_before + sum(shift.pnl for shift in shifts) == sum(item.pnl for item in others)
    assert sum(shift.fee for shift in shifts) == -executions[gone].fee
    assert counts_before[0] + sum(shift.entries for shift in shifts) == sum(item.entry for item in others)
    assert counts_before[1] + sum(shift.round_trips for shift in shifts) == sum(item.completes for item in others)


@given(FILLS)
@settings(deadline=None, max_examples=100)
def test_all_closes_together_earn_exactly_what_was_paid_and_received(fills):
    ledger, executions = book(fills)
    if ledger.lot.size:
        executions.append(execute(99, -ledger.lot.size, Decimal("7.5")))
        ledger.add(executions[-1])
    cash = -sum(item.quantity * item.price for item in executions)
    assert sum((item.pnl for item in executions), Decimal(0)) == cash * MULTIPLIER
    assert ledger.lot.size == 0


def test_a_third_of_an_uneven_cost_is_rounded_once_and_not_lost():
    lot = apply_fill(apply_fill(FLAT, Decimal(1), Decimal("10.01")).lot, Decimal(2), Decimal("10.00")).lot
    first = apply_fill(lot, Decimal(-1), Decimal(0))
    last = apply_fill(first.lot, Decimal(-2), Decimal(0))
    assert first.gain + last.gain == Decimal("-30.01")
    assert last.lot == FLAT


def test_a_flip_closes_and_opens():
    outcome = apply_fill(Lot(Decimal(2), Decimal(200)), Decimal(-5), Decimal(90))
    assert (outcome.lot, outcome.gain) == (Lot(Decimal(-3), Decimal(-270)), Decimal(-20))
    assert (outcome.opens, outcome.closes, outcome.completes) == (True, True, True)


def test_an_order_counts_one_entry_however_many_fills_it_takes():
    ledger = Ledger(MULTIPLIER)
    entries = [ledger.add(execute(n, Decimal(1), Decimal(5), order="o1")).entries for n in range(3)]
    assert entries == [1, 0, 0]
    assert ledger.add(execute(9, Decimal(1), Decimal(5), order="o2")).entries == 1
    assert ledger.add(execute(10, Decimal(-1), Decimal(5), order="o3")).entries == 0


def test_fills_beyond_the_kept_number_are_folded_into_the_base():
    ledger = Ledger(MULTIPLIER)
    for number in range(Ledger.KEPT + 10):
        ledger.add(execute(number, Decimal(1), Decimal(5)))
    assert len(ledger.executions) <= Ledger.KEPT
    assert ledger.lot.size == Ledger.KEPT + 10
    newest = ledger.executions[-1]
    ledger.take_back(newest)
    assert ledger.lot.size == Ledger.KEPT + 9


@given(st.lists(st.sampled_from(["fill", "fill", "fill", "void", "report", "save"]), max_size=60), st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_is_saved_of_the_executions_is_always_what_they_are(steps: list[str], small: bool) -> None:
    ledger = (_SmallLedger if small else Ledger)(Decimal(1))
    for number, step in enumerate(steps):
        match step:
            case "fill":
                ledger.add(_execution(number))
            case "void" if ledger.executions:
                ledger.take_back(ledger.executions[number % len(ledger.executions)])
            case "report":
                ledger.rebase(Lot(Decimal(number), Decimal(100 * number)), number)
            case _:
                ledger.packed()
    assert msgspec.msgpack.decode(ledger.packed(), type=list[Execution]) == ledger.executions


class _SmallLedger(Ledger):
    """It folds early."""

    __slots__ = ()
    KEPT = 8


def _execution(number: int) -> Execution:
    return Execution(
        fill_id=f"f{number}", order_id=f"o{number // 3}", quantity=Decimal(number % 5 - 2 or 1), price=Decimal(100),
        fee=Decimal(0), broker_pnl=None, applied_at=number,
    )  # fmt: skip
