"""What was open before a lock that began in the dark belongs to it, although it is heard of only now.

Contract. A lock remembers what was open when it began. While the broker cannot be reached, as at the start of an
engine, nobody knows what that is: a lock that begins then is *dark*. A fill that happened before it, and a position in
a symbol that nothing was known of and that was opened before it, are added to what it allows once they are told. A
position that does not say when it was opened was open when the broker looked: one pulled together with the balance that
the lock was decided on belongs to it, one that is first seen later counts as opened under the lock.
"""

from typing import TYPE_CHECKING, Any

from haltline.model.event import Event, Fill, PositionReport

if TYPE_CHECKING:  # the core calls this
    from haltline.kernel.core import Core


def note_earlier(core: "Core", event: Event, now: int) -> None:
    """Take into account what an event tells of the time before a dark lock; called once it is applied."""
    if not core.governor.allowances or not isinstance(event, Fill | PositionReport):
        return
    instrument = core.state.names.get(event.symbol)
    account: Any = core.state.accounts.get(event.account)
    if instrument is None or account is None:
        return
    symbol = instrument.symbol
    for lock in core.governor.locks:
        if lock.dark and lock.account == account.id and lock.symbol in (None, symbol):
            sizes = core.governor.allowances.setdefault(lock.id, {})
            earlier = _earlier(event, account, symbol, lock.since, now)
            if isinstance(event, Fill) or symbol not in sizes:
                sizes[symbol] = sizes.get(symbol, 0.0) + earlier


def _earlier(event: Fill | PositionReport, account: Any, symbol: str, since: int, now: int) -> float:
    """The signed size that was there before an instant, as far as this event tells anew; 0 for nothing."""
    ledger = account.ledgers.get(symbol)
    if ledger is None:
        return 0.0
    if isinstance(event, Fill):
        newest = [each.execution for each in account.fills][-1:]
        is_new = any(each.fill_id == event.fill_id and each.applied_at == now for each in newest)
        counts = is_new and event.at < since and not event.voided
        return float(event.quantity) * event.side.sign if counts else 0.0
    position = account.book.get(symbol)
    was_open = event.at <= since if event.opened_at is None else event.opened_at < since
    if position is None or ledger.last_fill_at or not was_open:
        return 0.0
    return float(position.quantity)
