"""Orders that fill although they were cancelled, after a flatten was proven: what they open is closed again.

Contract. A venue that confirms a cancel may have matched the order a moment before, and say so after the account was
proven flat. For `LATE_NS` after that proof a fill of an order that we have cancelled (the flatten, or whatever went
before it) is nobody's wish: as part of the same intent the position is brought back to what all other fills since then
make of it. A later fill of the same order counts anew. Nothing is ever opened for it: a late fill that made somebody's
position smaller is left. A standing lock does the same for whatever appears under it, and is left to do so. In shadow
nothing is sent.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from haltline.clock import NS_PER_S
from haltline.kernel.emission import Emission
from haltline.model.event import ActionOutcome, Fill, OutcomeStatus
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.plan import PlannedAction
from haltline.rules.arbiter import CLOSE, FLATTEN
from haltline.rules.flight import origin_of

if TYPE_CHECKING:  # the core calls these
    from haltline.kernel.core import Core

LATE_NS = 600 * NS_PER_S
_PREFIX = "late@"
_ZERO = Decimal(0)
_FOR_EVER = 1 << 63


class Aftermath(msgspec.Struct, kw_only=True):
    """What cancels and flattens of an account leave to be watched.

    `orders` are those that were cancelled, each with the instant until which a fill of it is late. `flat_at` is the
    instant as of which `flatten`, the newest one, was proven; 0 before. `counts` tells of a symbol since when fills are
    counted, and what it held then, once something was undone.
    """

    orders: dict[str, int] = {}
    flatten: PlannedAction | None = None
    flat_at: int = 0
    counts: dict[Symbol, tuple[int, Decimal]] = {}
    serial: int = 0


def note_outcome(core: "Core", action: PlannedAction, event: ActionOutcome, now: int, out: Emission) -> None:
    """An action tells which orders it has cancelled, or that its account is flat; what was undone is done with."""
    if action.account is None:
        return
    is_done = event.status is OutcomeStatus.DONE
    if is_undoing(action) and is_done:
        _count_anew(core, action, event.at)
    after = core.late.pop(action.account, None) or Aftermath()
    after.orders = {order: until for order, until in after.orders.items() if until > now}
    after.orders |= dict.fromkeys(event.cancelled, now + LATE_NS)
    if not after.orders:
        return
    core.late[action.account] = after
    if action.name == FLATTEN and is_done:
        after.flatten, after.flat_at, after.counts = action, event.at, {}
        for symbol in core.state.accounts[action.account].ledgers:
            _undo(core, after, action.account, Symbol(symbol), out)


def take_fill(core: "Core", event: Fill, now: int, out: Emission) -> None:
    """Undo what a late fill has opened."""
    after = core.late.get(event.account)
    if after is None or now >= after.flat_at + LATE_NS:
        return
    if event.order_id is None or after.orders.get(event.order_id, 0) <= now:
        return
    for symbol, ledger in core.state.accounts[event.account].ledgers.items():
        if ledger.find(event.fill_id) is not None:
            _undo(core, after, event.account, Symbol(symbol), out)


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


def _undo(core: "Core", after: Aftermath, account_id: AccountId, symbol: Symbol, out: Emission) -> None:
    account = core.state.accounts[account_id]
    late, others = _sums(after, account, symbol)
    if after.flatten is None or not late or not account.live or _is_locked(core, account_id, symbol):
        return
    if (late + others) * late <= _ZERO:
        out.notices.append(f"{account_id} {symbol}: a cancelled order filled late, and made nothing larger")
        return
    allowed = max(_ZERO, others * (1 if late > _ZERO else -1))
    name = "reduce_to" if allowed else CLOSE
    after.serial += 1
    reason = f"a cancelled order filled after {origin_of(after.flatten.id)} was done"
    out.notices.append(f"{account_id} {symbol}: {reason}; what it opened is closed")
    request = PlannedAction(
        id=ActionId(f"{_PREFIX}{account_id}:{name}:{symbol}:{after.serial}"),
        at=out.now,
        name=name,
        account=account_id,
        symbol=symbol,
        params={"quantity": float(allowed)} if allowed else {},
        reason=reason,
        rules=after.flatten.rules,
    )
    out.requests.append(request)
    out.moved = True


def _sums(after: Aftermath, account: Any, symbol: Symbol, until: int = _FOR_EVER) -> tuple[Decimal, Decimal]:
    """What late fills and all others have made since the account was flat, or since something was undone."""
    since, base = after.counts.get(symbol, (after.flat_at, _ZERO))
    recent = [each for each in account.ledgers[symbol].executions if since < each.applied_at <= until]
    late = sum((each.quantity for each in recent if each.order_id in after.orders), _ZERO)
    return late, base + sum((each.quantity for each in recent), _ZERO) - late


def _count_anew(core: "Core", action: PlannedAction, at: int) -> None:
    """A late fill was undone: what is held now is what others made."""
    after = core.late.get(action.account) if action.account is not None else None
    if after is None or action.symbol is None or action.account is None:
        return
    held = sum(_sums(after, core.state.accounts[action.account], action.symbol, until=at), _ZERO)
    after.counts[action.symbol] = (at, held)


def _is_locked(core: "Core", account: AccountId, symbol: Symbol) -> bool:
    """Whether a lock undoes whatever appears."""
    return any(
        lock.account == account and lock.symbol in (None, symbol) and not lock.entries_only
        for lock in core.governor.locks
    )
