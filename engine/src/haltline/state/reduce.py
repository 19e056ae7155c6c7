"""What each event from a broker does to the state. Each function first checks, then moves time, then changes."""

from typing import TYPE_CHECKING

from haltline.clock import NS_PER_S
from haltline.errors import DataRefused
from haltline.model import event as happened
from haltline.model.instrument import AssetClass
from haltline.model.order import OrderStatus
from haltline.state.account import Account
from haltline.state.entity import ACCOUNT, CALENDAR, FILL, MONEY, NAN, ORDER, QUOTE
from haltline.state.fill import FillEntity
from haltline.state.instrument import Instrument
from haltline.state.ledger import Execution, Ledger, Lot, Shift
from haltline.state.order import Order
from haltline.state.position import Position
from haltline.state.refuse import check_account, check_fill, check_flow, check_order, check_position

if TYPE_CHECKING:
    from haltline.state.state import State

_ON_TICK = frozenset({AssetClass.FUTURE, AssetClass.PERPETUAL, AssetClass.OPTION})
"""Classes whose fills lie on the tick; shares, coins and currencies are improved between ticks."""
OLD_NS = 2 * NS_PER_S
"""A fill that is heard of so late is one of those that were missed: the next one may take it back."""
SETTLE_NS = NS_PER_S
"""So long after an old fill an account is not yet what it is now."""
REMEMBERED = 20_000
"""How many ids of fills, flows and finished orders an account remembers to recognise repeats."""


def fill(state: "State", event: happened.Fill, now: int) -> None:
    """Book an execution, or take one back; one whose id is known already changes nothing."""
    account, instrument = state.account(event.account), state.resolve(event.symbol)
    check_fill(event)
    voided = account.seen_fills.get(event.fill_id)
    ledger = account.ledgers.get(instrument.symbol)
    execution = ledger.find(event.fill_id) if ledger is not None else None
    if event.voided and voided is not True and execution is None:
        raise DataRefused(
            "E609", f"fill {event.fill_id!r} of {account.key} is voided but was never seen, or too long ago; reconcile"
        )
    state.move(now)
    if event.voided and ledger is not None and execution is not None:
        _void(state, account, instrument, ledger, execution, event)
    elif not event.voided and voided is None:
        _book(state, account, instrument, event)


def _book(state: "State", account: Account, instrument: Instrument, event: happened.Fill) -> None:
    now = state.clock.now_ns
    at = min(event.at, now)
    if now - at > OLD_NS:
        account.behind_until = now + SETTLE_NS
        state.next_edge = min(state.next_edge, account.behind_until)
    ledger = account.ledgers.get(instrument.symbol)
    if ledger is None:
        ledger = account.ledgers[instrument.symbol] = Ledger(instrument.exact_multiplier)
    execution = Execution(
        fill_id=event.fill_id,
        order_id=event.order_id,
        quantity=event.quantity * event.side.sign,
        price=event.price,
        fee=event.fee,
        broker_pnl=event.pnl,
        applied_at=now,
        moves=at >= ledger.reported_at,
    )
    state.observe_trade(instrument, float(event.price), at)
    shift = ledger.add(execution)
    ledger.last_fill_at = max(ledger.last_fill_at, at)
    _remember(account.seen_fills, event.fill_id, False)
    _judge_price(account, instrument, execution)
    _judge_pnl(account, instrument, ledger, execution)
    if execution.closes:
        account.note_close(float(execution.pnl))
    entity = FillEntity(execution, account=account, instrument=instrument, at_ns=at)
    account.fills.append(entity)
    state.created.append(entity)
    state.touch(entity, FILL)
    _settle(state, account, instrument, [shift], moves_balance=at >= account.balance_at)


def _void(
    state: "State",
    account: Account,
    instrument: Instrument,
    ledger: Ledger,
    execution: Execution,
    event: happened.Fill,
) -> None:
    shifts = ledger.take_back(execution)
    account.seen_fills[execution.fill_id] = True
    for entity in [item for item in account.fills if item.execution is execution]:
        entity.voided = True
        account.fills.remove(entity)
        state.removed.append(entity)
        state.touch(entity, FILL)
    for entity in account.fills:
        if entity.instrument is instrument:
            entity.settle()
    account.find_streak()
    moves_balance = min(event.at, state.clock.now_ns) >= account.balance_at
    _settle(state, account, instrument, shifts, moves_balance=moves_balance)


def _settle(
    state: "State", account: Account, instrument: Instrument, shifts: list[Shift], *, moves_balance: bool
) -> None:
    balance = account.balance_sum
    for shift in shifts:
        account.count(shift)
        balance = MONEY.subtract(MONEY.add(balance, shift.pnl), shift.fee)
    if moves_balance:
        account.set_balance(balance)
    if not account.spec.positions_from_broker:
        _hold(state, account, instrument, account.ledgers[instrument.symbol].lot, state.clock.now_ns)
    account.recount()
    account.revalue()
    state.touch(account, FILL)
    state.touch(state.portfolio, FILL)


def _judge_price(account: Account, instrument: Instrument, execution: Execution) -> None:
    """Mark the account's data suspect where a price lies between ticks (S0-33); the fill is a fact and counts."""
    if instrument.spec.asset_class not in _ON_TICK:
        return
    key = f"{instrument.symbol} tick"
    if MONEY.remainder(execution.price, instrument.spec.tick_size):
        tick = instrument.spec.tick_size
        account.suspects[key] = f"fill {execution.fill_id} at {execution.price} is not a multiple of tick size {tick}"
    else:
        account.suspects.pop(key, None)


def _judge_pnl(account: Account, instrument: Instrument, ledger: Ledger, execution: Execution) -> None:
    """Mark the account's data suspect where the broker's profit has the other sign than prices say (S0-33)."""
    if execution.broker_pnl is None or not execution.moves:
        return
    own = ledger.own_pnl
    key = f"{instrument.symbol} pnl"
    if own * execution.broker_pnl < 0 and abs(own - execution.broker_pnl) > abs(execution.fee) * 2:
        account.suspects[key] = f"broker says {execution.broker_pnl} for fill {execution.fill_id}, prices say {own}"
    elif execution.closes:
        account.suspects.pop(key, None)


def _hold(state: "State", account: Account, instrument: Instrument, lot: Lot, opened_ns: int) -> Position | None:
    position = account.book.get(instrument.symbol)
    if position is not None and (not lot.size or (lot.size > 0) != (position.quantity > 0.0)):
        position.leave()
        del account.book[instrument.symbol]
        instrument.positions.remove(position)
        state.removed.append(position)
        position = None
    if lot.size and position is None:
        position = Position(lot, account=account, instrument=instrument, opened_ns=opened_ns)
        account.book[instrument.symbol] = position
        instrument.positions.append(position)
        state.created.append(position)
        position.find_stops()
    elif position is not None and position.lot != lot:
        position.resize(lot)
    state.touch(instrument, FILL)
    if position is not None:
        state.touch(position, FILL)
    for order in account.order_book.values():
        if order.instrument is instrument:
            state.touch(order, FILL)
    return position


def order(state: "State", event: happened.OrderUpdate, now: int) -> None:
    """Take over the broker's word on an order; words older than the newest one, or after its end, change nothing."""
    report = event.order
    account, instrument = state.account(report.account), state.resolve(report.symbol)
    check_order(report)
    state.move(now)
    at = min(event.at, now)
    known = account.order_book.get(report.order_id)
    if report.order_id in account.seen_orders or (known is not None and at < known.updated_at):
        return
    if known is None:
        known = Order(report, account=account, instrument=instrument, at=at)
        account.order_book[report.order_id] = known
        state.created.append(known)
        for item in account.fills:
            if item.order_id == report.order_id:
                state.touch(item, ORDER)
    else:
        known.adopt(report, at)
    instrument.set_floating(known)
    if not known.working:
        del account.order_book[report.order_id]
        _remember(account.seen_orders, report.order_id, known.origin)
        state.removed.append(known)
        account.rejected_orders += report.status is OrderStatus.REJECTED
    state.touch(known, ORDER)
    position = account.book.get(instrument.symbol)
    if position is not None:
        position.find_stops()
        state.touch(position, ORDER)
    state.touch(account, ORDER)
    state.touch(state.portfolio, ORDER)


def position(state: "State", event: happened.PositionReport, now: int) -> None:
    """Take over the broker's word on a position, unless a fill or report seen already is younger."""
    account, instrument = state.account(event.account), state.resolve(event.symbol)
    check_position(event)
    state.move(now)
    at = min(event.at, now)
    ledger = account.ledgers.get(instrument.symbol)
    if ledger is None:
        ledger = account.ledgers[instrument.symbol] = Ledger(instrument.exact_multiplier)
    if at < max(ledger.last_fill_at, ledger.reported_at):
        return
    _reconcile(account, instrument, ledger, event)
    is_flat = not event.quantity  # then the price may be anything
    cost = event.quantity if is_flat else MONEY.multiply(event.quantity, event.average_price)
    lot = ledger.agree(Lot(event.quantity, cost), at)
    held = _hold(state, account, instrument, lot, event.opened_at or now)
    if held is not None:
        held.adopt(event)
    account.recount()
    account.revalue()
    state.touch(account, FILL)
    state.touch(state.portfolio, FILL)


def _reconcile(account: Account, instrument: Instrument, ledger: Ledger, event: happened.PositionReport) -> None:
    """Mark the account's data suspect where fills said otherwise, until a report agrees."""
    if account.spec.positions_from_broker or not ledger.last_fill_at:
        return
    if ledger.lot.size != event.quantity:
        account.suspects[instrument.symbol] = f"fills make {ledger.lot.size}, the broker holds {event.quantity}"
    else:
        account.suspects.pop(instrument.symbol, None)


def account(state: "State", event: happened.AccountReport, now: int) -> None:
    """Take over the broker's word on an account; its first balance replaces the configured one and is no profit."""
    found = state.account(event.account)
    check_account(event)
    state.move(now)
    at = min(event.at, now)
    if at < found.reported_at:
        return
    found.adopt(event, at)
    if event.balance is not None:
        if not found.balance_at:
            found.add_flow(MONEY.subtract(event.balance, found.balance_sum))
        found.balance_at = at
        found.set_balance(event.balance)
        found.fund()
    found.revalue()
    state.touch(found, ACCOUNT)
    state.touch(state.portfolio, ACCOUNT)


def flow(state: "State", event: happened.CashFlow, now: int) -> None:
    """Book a deposit, a withdrawal, or what was earned or paid for holding positions, once."""
    found = state.account(event.account)
    check_flow(event)
    state.move(now)
    if event.flow_id in found.seen_flows:
        return
    _remember(found.seen_flows, event.flow_id, None)
    if event.is_result:
        found.count(Shift(applied_at=now, fee=MONEY.minus(event.amount)))
    else:
        found.add_flow(event.amount)
    if min(event.at, now) >= found.balance_at:
        found.set_balance(MONEY.add(found.balance_sum, event.amount))
    if not event.is_result:
        found.fund()
    found.revalue()
    state.touch(found, ACCOUNT | FILL)
    state.touch(state.portfolio, ACCOUNT | FILL)


def instrument(state: "State", event: happened.InstrumentUpdate, now: int) -> None:
    """Take over economics; open positions are worth what the new ones say."""
    state.check_instrument(event.spec)
    state.move(now)
    known = event.spec.symbol in state.instruments
    found = state.add_instrument(event.spec)
    if not known:
        state.created.append(found)
    state.touch(found, QUOTE | ACCOUNT | CALENDAR)
    state.watch(found)
    _touch_orders(state, found)
    for found_account in state.accounts.values():
        ledger = found_account.ledgers.get(found.symbol)
        if ledger is not None:
            ledger.multiplier = found.exact_multiplier
    for held in found.positions:
        held.resize(held.lot)
        held.account.recount()
        held.account.revalue()
        state.touch(held, FILL | QUOTE)
        state.touch(held.account, FILL | QUOTE)
        state.touch(state.portfolio, FILL | QUOTE)


def _touch_orders(state: "State", instrument: Instrument) -> None:
    for account in state.accounts.values():
        for order in account.order_book.values():
            if order.instrument is instrument:
                for entity in (order, account, state.portfolio):
                    state.touch(entity, ORDER)


def connection(state: "State", event: happened.ConnectionUpdate, now: int) -> None:
    """Note whether the broker can be reached; degraded counts as not connected."""
    found = state.account(event.account)
    state.move(now)
    was_blind = found.connected is False
    found.connected = event.status is happened.ConnectionStatus.CONNECTED
    found.connection = event.status.value
    if found.connected:
        found.blind_at = NAN
    elif not was_blind:
        found.blind_at = min(event.at, now) / NS_PER_S
    found.connection_at = min(event.at, now)
    state.touch(found, ACCOUNT)
    state.touch(state.portfolio, ACCOUNT)


def _remember[T](seen: dict[str, T], key: str, value: T) -> None:
    seen[key] = value
    if len(seen) > REMEMBERED:
        del seen[next(iter(seen))]
