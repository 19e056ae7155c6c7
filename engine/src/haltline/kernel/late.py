"""Orders that fill although they were cancelled, after a flatten or close was proven: what they open is closed again.

Contract. A venue that confirms a cancel may have matched the order a moment before, and say so after the account was
proven flat, or a symbol closed. For `LATE_NS` after that proof a fill of an order that we have cancelled (the flatten
or close, or whatever went before it) is nobody's wish: as part of the same intent the position is brought back to what
all other fills since then make of it. A close is such a proof for its symbol alone. A later fill of the same order
counts anew. Nothing is ever opened for it: a late fill that made somebody's position smaller is left, and one that
somebody has closed before we could is dealt with. A standing lock does the same for whatever appears under it, and is
left to do so. In shadow nothing is sent.

A fill whose push is lost, or names no order, is known by two words of the broker: an order that has filled more than we
knew, and then a position that nobody's fill explains (`kernel.aftermath`). Without the first that is `doubtful`: it may
be somebody's new trade, and is left.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from haltline.clock import NS_PER_S
from haltline.kernel.aftermath import Aftermath, Ended
from haltline.kernel.emission import Emission
from haltline.model.event import ActionOutcome, Fill, OrderUpdate, OutcomeStatus, PositionReport
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.order import OrderReport
from haltline.model.plan import PlannedAction
from haltline.rules.arbiter import CLOSE, FLATTEN
from haltline.rules.flight import origin_of

if TYPE_CHECKING:  # the core calls these
    from haltline.kernel.core import Core

LATE_NS = 600 * NS_PER_S
REMEMBERED = 500
"""How many orders that ended are remembered at a time: a flatten that is stuck for hours must not keep every one."""
_PREFIX = "late@"
_ZERO = Decimal(0)


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What is held since a proof and no fill explains (signed), and the cancelled orders that may have made it."""

    account: AccountId
    symbol: Symbol
    quantity: Decimal
    orders: tuple[OrderReport, ...]


def note_outcome(core: "Core", action: PlannedAction, event: ActionOutcome, now: int, out: Emission) -> None:
    """An action tells which orders it has cancelled, or that its account is flat; what was undone is done with."""
    if action.account is None:
        return
    is_done = event.status is OutcomeStatus.DONE
    after = core.late.pop(action.account, None) or Aftermath()
    after.orders = {order: until for order, until in after.orders.items() if until > now}
    after.orders |= dict.fromkeys(event.cancelled, now + LATE_NS)
    _remember_orders(core, after, action.account, event)
    if not after.orders and not after.ended:
        return
    core.late[action.account] = after
    account = core.state.accounts[action.account]
    if action.name == FLATTEN and is_done:
        after.begin_anew(action, event.at, account)
        for symbol in account.ledgers:
            _undo(core, after, action.account, Symbol(symbol), out)
    elif is_done and action.symbol in account.ledgers and (is_undoing(action) or action.name == CLOSE):
        if is_undoing(action):
            after.settle(account, action.symbol, event.at)
        else:
            after.begin_closed(action, action.symbol, event.at, account)
        _undo(core, after, action.account, action.symbol, out)


def note_given_up(core: "Core", action: PlannedAction, now: int) -> None:
    """An undoing is not tried again. Where nothing was left for it, somebody else has done it: that is dealt with."""
    name = action.account or AccountId("")
    after, account = core.late.get(name), core.state.accounts.get(name)
    if after is None or account is None or not is_undoing(action) or action.symbol not in account.ledgers:
        return
    if not is_needed(core, action):
        after.settle(account, action.symbol, now)


def take_fill(core: "Core", event: Fill, now: int, out: Emission) -> None:
    """Undo what a late fill has opened."""
    after = _watched(core, event.account, now)
    if after is None or (event.order_id is not None and after.orders.get(event.order_id, 0) <= now):
        return
    for symbol, ledger in core.state.accounts[event.account].ledgers.items():
        if ledger.find(event.fill_id) is not None and _is_watched(after, Symbol(symbol), now):
            _undo(core, after, event.account, Symbol(symbol), out)


def take_position(core: "Core", event: PositionReport, now: int, out: Emission) -> None:
    """Undo what a position shows that a late fill has opened; a push of it may have been lost."""
    after, symbol = _watched(core, event.account, now), Symbol(core.state.resolve(event.symbol).symbol)
    if after is None:
        return
    ledger = core.state.accounts[event.account].ledgers[symbol]
    if ledger.reported_at != min(event.at, now) or not _is_watched(after, symbol, now):
        return  # it was older than what is known, or is of no interest
    after.note_report(core.state.accounts[event.account], symbol, now)
    _undo(core, after, event.account, symbol, out)


def take_order(core: "Core", event: OrderUpdate, now: int, _: Emission) -> None:
    """Remember how an order ended that we may have cancelled, and take the broker's later words on it."""
    report = event.order
    after = core.late.get(report.account)
    known = after.ended.get(report.order_id) if after is not None else None
    if known is not None and known.report is not None:
        if report.filled > known.said:
            known.said, known.said_at = report.filled, now
    elif not report.status.is_working and report.remaining > _ZERO and _is_acted_on(core, report.account):
        after = core.late.setdefault(report.account, Aftermath())
        after.ended[report.order_id] = _ended(report, Symbol(core.state.resolve(report.symbol).symbol), now)
        if len(after.ended) > REMEMBERED:
            del after.ended[next(iter(after.ended))]


def is_undoing(action: PlannedAction) -> bool:
    """Whether an action undoes a late fill."""
    return action.id.startswith(_PREFIX)


def is_needed(core: "Core", action: PlannedAction) -> bool:
    """Whether there is still something to be taken off."""
    account: Any = core.state.accounts[action.account or ""]
    position = account.book.get(action.symbol)
    allowed = action.params.get("quantity") or 0.0
    assert isinstance(allowed, float | int)
    return position is not None and abs(position.quantity) > allowed


def is_watched(core: "Core", account: AccountId, now: int) -> bool:
    """Whether an order that we have cancelled may still fill late."""
    return _watched(core, account, now) is not None


def open_orders(core: "Core", account: AccountId, now: int) -> list[OrderReport]:
    """Orders that we have cancelled and that may still fill late, or have."""
    after = _watched(core, account, now)
    return [each for each in after.open_orders() if _is_watched(after, each.symbol, now)] if after is not None else []


def untold(core: "Core", account: AccountId, now: int) -> list[Symbol]:
    """Symbols of which the broker must tell what is held, before a late fill is undone."""
    after = _watched(core, account, now)
    return [each for each in after.untold() if _is_watched(after, each, now)] if after is not None else []


def doubtful(core: "Core", account_id: AccountId, now: int) -> list[Doubt]:
    """What is held since a flatten or close, may be of an order that we have cancelled, and may be a new trade."""
    after, account = _watched(core, account_id, now), core.state.accounts.get(account_id)
    if after is None or account is None or not account.live:
        return []
    found = []
    for symbol in [each for each in map(Symbol, account.ledgers) if _is_watched(after, each, now)]:
        sums = after.sums(account, symbol)
        orders = after.suspects(symbol, sums)
        if orders and not _is_locked(core, account_id, symbol):
            found.append(Doubt(account=account_id, symbol=symbol, quantity=sums.unnamed, orders=tuple(orders)))
    return found


def _watched(core: "Core", account: AccountId, now: int) -> Aftermath | None:
    """What flattens and closes of the account have left, while a fill is late."""
    after = core.late.get(account)
    return after if after is not None and now < after.newest + LATE_NS else None


def _is_watched(after: Aftermath, symbol: Symbol, now: int) -> bool:
    """Whether a fill of the symbol is late."""
    _, at = after.proof_of(symbol)
    return now < at + LATE_NS


def _is_acted_on(core: "Core", account: AccountId) -> bool:
    return any(flight.action.account == account and not flight.echo for flight in core.arbiter.flights.values())


def _remember_orders(core: "Core", after: Aftermath, account_id: AccountId, event: ActionOutcome) -> None:
    """Keep what is known of the cancelled orders, and of those that another action may be cancelling."""
    book = core.state.accounts[account_id].order_book
    for order_id in event.cancelled:
        working = book.get(order_id)
        if working is not None and order_id not in after.ended:
            after.ended[order_id] = _ended(working.report, Symbol(working.symbol), event.at)
    if not _is_acted_on(core, account_id):
        after.ended = {order_id: ended for order_id, ended in after.ended.items() if order_id in after.orders}


def _ended(report: OrderReport, symbol: Symbol, at: int) -> Ended:
    own = msgspec.structs.replace(report, symbol=symbol)
    return Ended(report=own, at=at, known=report.filled, said=report.filled)


def _undo(core: "Core", after: Aftermath, account_id: AccountId, symbol: Symbol, out: Emission) -> None:
    account = core.state.accounts[account_id]
    proof, _ = after.proof_of(symbol)
    if proof is None or not account.live or _is_locked(core, account_id, symbol):
        return
    if symbol in after.unsure or _is_under_way(core, account_id, symbol):
        return  # looked at once the broker has told of the position, and when that has ended
    sums = after.sums(account, symbol)
    late, others = sums.late, sums.total - sums.late
    if not late:
        return
    if sums.total * late <= _ZERO:
        after.settle(account, symbol, out.now)
        out.notices.append(f"{account_id} {symbol}: a cancelled order filled late, and made nothing larger")
        return
    allowed = max(_ZERO, others * (1 if late > _ZERO else -1))
    name = "reduce_to" if allowed else CLOSE
    after.serial += 1
    after.asked[symbol] = after.asking(account, symbol, allowed.copy_sign(late))
    reason = f"a cancelled order filled after {origin_of(proof.id)} was done"
    out.notices.append(f"{account_id} {symbol}: {reason}; what it opened is closed")
    request = PlannedAction(
        id=ActionId(f"{_PREFIX}{account_id}:{name}:{symbol}:{after.serial}"),
        at=out.now,
        name=name,
        account=account_id,
        symbol=symbol,
        params={"quantity": float(allowed)} if allowed else {},
        reason=reason,
        rules=proof.rules,
    )
    out.requests.append(request)
    out.moved = True


def _is_under_way(core: "Core", account: AccountId, symbol: Symbol) -> bool:
    flights = (flight.action for flight in core.arbiter.flights.values())
    return any(is_undoing(action) and (action.account, action.symbol) == (account, symbol) for action in flights)


def _is_locked(core: "Core", account: AccountId, symbol: Symbol) -> bool:
    """Whether a lock undoes whatever appears."""
    return any(
        lock.account == account and lock.symbol in (None, symbol) and not lock.entries_only
        for lock in core.governor.locks
    )
