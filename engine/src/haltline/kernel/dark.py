"""What was open before a lock that began in the dark belongs to it, although it is heard of only now.

Contract. A lock remembers what was open when it began. While the broker cannot be reached, as at the start of an
engine, nobody knows what that is: a lock that begins then is *dark*. A fill that happened before it, and a position in
a symbol that nothing was known of and that was opened before it, are added to what it allows once they are told. A
position that does not say when it was opened was open when the broker looked: one pulled together with the balance that
the lock was decided on belongs to it, one that is first seen later counts as opened under the lock.
"""

from typing import TYPE_CHECKING

from haltline.model.event import Event, Fill, PositionReport
from haltline.model.rule import Scope
from haltline.state.account import Account

if TYPE_CHECKING:  # the core calls this
    from haltline.kernel.core import Core


def note_earlier(core: "Core", event: Event) -> None:
    """Take into account what an event tells of the time before a dark lock; called once it is applied."""
    if not isinstance(event, Fill | PositionReport):
        return
    account, symbol = core.state.account(event.account), core.state.resolve(event.symbol).symbol
    for lock in core.governor.locks:
        if lock.dark and lock.account == account.id and lock.symbol in (None, symbol):
            sizes = core.governor.allowances.setdefault(lock.id, {})
            if isinstance(event, Fill):
                sizes[symbol] = sizes.get(symbol, 0.0) + _filled(core, event, lock.since)
            elif symbol not in sizes:
                sizes[symbol] = _held(account, symbol, event, lock.since)


def _filled(core: "Core", event: Fill, since: int) -> float:
    """The signed size of a fill that happened before an instant; 0 for one that is told again or taken back."""
    is_new = any(each.scope is Scope.FILL for each in core.state.created)
    return float(event.quantity) * event.side.sign if is_new and event.at < since else 0.0


def _held(account: Account, symbol: str, event: PositionReport, since: int) -> float:
    """The signed size of a position that was open before an instant; 0 where fills or a younger report tell of it."""
    position, ledger = account.book.get(symbol), account.ledgers[symbol]
    was_open = event.at <= since if event.opened_at is None else event.opened_at < since
    if position is None or ledger.last_fill_at or event.at < ledger.reported_at or not was_open:
        return 0.0
    return position.quantity
