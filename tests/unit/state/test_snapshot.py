"""Snapshots: exact, through msgpack, and the restored state goes on exactly as the original; sums never drift."""

import math
import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.errors import DataRefused
from haltline.model.account import MarkSource
from haltline.model.event import (
    AccountReport,
    CashFlow,
    ConnectionStatus,
    ConnectionUpdate,
    Event,
    Fill,
    OrderUpdate,
    PositionReport,
    Quote,
    Tick,
)
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.state.state import State

SYMBOLS = ("MNQ", "ES", "ACME", "CON.F.US.ENQ.Z25")
ACCOUNTS = ("eval", "second")


def some_event(rng: random.Random, now: int, number: int) -> Event:
    """Any event, mostly usable; ids repeat now and then, quotes are late now and then."""
    stamp = {"at": now - rng.choice((0, 0, 0, 10**9)), "received_at": now}
    account, symbol = rng.choice(ACCOUNTS), rng.choice(SYMBOLS)
    price = Decimal(rng.randint(400, 440)) / 4
    quantity = Decimal(rng.randint(1, 4))
    side = rng.choice(list(Side))
    match rng.randrange(12):
        case 0 | 1 | 2 | 3:
            rest = {name: float(price) for name in ("last", "mark") if rng.random() < 0.5}
            return Quote(symbol=symbol, bid=float(price), ask=float(price + rng.randint(-1, 2)), **stamp, **rest)
        case 4 | 5 | 6:
            pnl = rng.choice((None, None, Decimal(rng.randint(-900, 900)) / 100))
            fill_id = str(rng.randint(max(number - 9, 0), number))
            known = {"account": account, "symbol": symbol, "fill_id": fill_id, "side": side, "quantity": quantity}
            voided = rng.random() < 0.2
            return Fill(
                price=price, fee=Decimal("0.37"), pnl=pnl, order_id=str(number // 3), voided=voided, **known, **stamp
            )
        case 7:
            known = {"account": account, "symbol": symbol, "side": side, "order_id": str(rng.randint(0, 12))}
            order = OrderReport(
                quantity=quantity,
                type=rng.choice(list(OrderType)),
                status=rng.choice(list(OrderStatus)),
                stop_price=price,
                **known,
            )
            return OrderUpdate(order=order, **stamp)
        case 8:
            return PositionReport(
                account=account, symbol=symbol, quantity=quantity * side.sign, average_price=price, **stamp
            )
        case 9:
            return CashFlow(account=account, amount=quantity * side.sign * 100, flow_id=str(number), **stamp)
        case 10:
            balance = rng.choice((None, Decimal(rng.randint(4_000_000, 6_000_000)) / 100))
            return AccountReport(account=account, balance=balance, can_trade=rng.choice((None, True, False)), **stamp)
        case _:
            return rng.choice(
                (Tick(**stamp), ConnectionUpdate(account=account, status=rng.choice(list(ConnectionStatus)), **stamp))
            )


def drive(states: list[State], rng: random.Random, count: int, first: int) -> None:
    """Put the same events through all states, and hold what they touch equal."""
    now = states[0].clock.now_ns
    for number in range(first, first + count):
        now += rng.choice((0, 10**8, 3 * 10**9, 3 * 10**9, 20_000 * 10**9))
        event = some_event(rng, now, number)
        seen = []
        for state in states:
            refused = ""
            try:
                state.apply(event, now)
            except DataRefused as refusal:
                refused = refusal.code
            lists = (state.touched, state.created, state.removed)
            seen.append((refused, [[item.key for item in entities] for entities in lists], state.deadline))
            for entity in state.touched:
                entity.changed = 0
        assert all(row == seen[0] for row in seen)


def encoded(state: State) -> bytes:
    return msgspec.msgpack.encode(state.snapshot())


def readings(state: State) -> list[float]:
    names = (
        "equity",
        "balance",
        "unrealized_pnl",
        "gross_notional",
        "net_notional",
        "drawdown",
        "margin_used",
        "leverage",
    )
    found = [getattr(account, name) for account in state.accounts.values() for name in names]
    return found + [
        getattr(account.day, name)
        for account in state.accounts.values()
        for name in ("loss", "start_equity", "drawdown")
    ]


@given(st.integers(0, 10**9))
@settings(deadline=None, max_examples=40)
def test_a_restored_state_is_identical_and_goes_on_identically(seed):
    from tests.unit.state.conftest import FakeCalendar, build_world

    rng = random.Random(seed)
    spans = [(f"2025-05-{day:02d}T13:30:00Z", f"2025-05-{day:02d}T20:00:00Z") for day in range(5, 30)]
    options = {
        "stale_s": 10,
        "mark": rng.choice(list(MarkSource)),
        "calendars": {"X": FakeCalendar(*spans)},
        "calendar": "X",
        "zone": "America/Chicago",
        "roll": "17:00",
        "from_broker": rng.random() < 0.3,
    }
    original = build_world(**options).state
    drive([original], rng, 60, 0)
    data = encoded(original)
    restored = build_world(**options).state
    restored.restore(msgspec.msgpack.decode(data))
    assert encoded(restored) == data
    assert repr(readings(restored)) == repr(readings(original))
    drive([original, restored], rng, 60, 60)
    assert encoded(restored) == encoded(original)
    assert repr(readings(restored)) == repr(readings(original))


@given(st.integers(0, 10**9))
@settings(deadline=None, max_examples=40)
def test_incremental_sums_equal_sums_made_anew(seed):
    from tests.unit.state.conftest import build_world

    state = build_world(stale_s=10).state
    drive([state], random.Random(seed), 120, 0)
    portfolio = state.portfolio
    positions = [position for account in state.accounts.values() for position in account.book.values()]
    assert portfolio.unrealized_nano == sum(position.unrealized_nano for position in positions)
    assert portfolio.unknown_marks == sum(math.isnan(position.mark) for position in positions)
    assert portfolio.balance_sum == sum(account.balance_sum for account in state.accounts.values())
    for account in state.accounts.values():
        held = account.book.values()
        known = [position for position in held if not math.isnan(position.mark)]
        assert account.unrealized_nano == sum(round(position.unrealized_pnl * 10**9) for position in known)
        assert account.gross_nano == sum(round(position.notional * 10**9) for position in known)
        assert account.net_nano == sum(position.net_nano for position in known)
        assert account.unknown_marks == len(held) - len(known)
        assert (account.unknown_marks > 0) == math.isnan(account.unrealized_pnl)
    for instrument in state.instruments.values():
        assert set(instrument.positions) == {position for position in positions if position.instrument is instrument}


def test_a_snapshot_of_another_version_is_refused(world):
    data = world.state.snapshot()
    data["version"] = 99
    with pytest.raises(msgspec.ValidationError, match="version 99"):
        world.state.restore(data)


def test_restoring_forgets_what_came_after(world):
    world.fill(1, 21000)
    data = world.state.snapshot()
    world.fill(5, 21000)
    world.fill(5, 5000, "ES")
    world.state.restore(data)
    assert (world.position().quantity, world.account.open_positions, world.account.day.fills) == (1.0, 1, 1)
    assert world.state.instruments["ES"].positions == []


def test_an_account_set_up_after_the_snapshot_starts_fresh(world):
    data = world.state.snapshot()
    del data["accounts"]["second"]
    world.fill(1, 21000, account="second")
    world.state.restore(data)
    assert (world.state.accounts["second"].equity, world.state.portfolio.balance) == (50000.0, 100000.0)


def test_a_fill_seen_before_the_restart_is_still_recognised(world):
    event = world.fill(1, 21000)
    world.state.restore(world.state.snapshot())
    world.apply(event)
    assert world.position().quantity == 1.0


def test_what_the_kernel_owns_is_kept(world):
    world.account.locked, world.account.lock_reason, world.account.mode, world.account.live = (
        True,
        "why",
        "HALTED",
        True,
    )
    data = world.state.snapshot()
    world.account.locked = False
    world.state.restore(data)
    account = world.account
    assert (account.locked, account.lock_reason, account.mode, account.live) == (True, "why", "HALTED", True)
