"""What time alone does: quotes go stale, missed fills are all told, days and weeks roll, sessions open and close."""

import heapq
from typing import TYPE_CHECKING

from haltline.state.account import Account
from haltline.state.entity import CALENDAR, FILL
from haltline.state.hours import SessionView
from haltline.state.instrument import Instrument
from haltline.state.price import FAR

if TYPE_CHECKING:
    from haltline.state.state import State


def run_due(state: "State", now: int) -> None:
    """Do everything that is due at `now`: quotes first, so that a day rolls on what was known."""
    _expire_quotes(state, now)
    if now < state.next_edge:
        return
    for account in state.accounts.values():
        if 0 < account.behind_until <= now:
            _catch_up(state, account)
    for view in state.views.values():
        if view.due is not None and view.due <= now:
            _turn_session(state, view, now)
    for roll in state.rolls.values():
        if roll.next_ns <= now:
            roll.refresh(now)
            for account in state.accounts.values():
                if account.roll is roll:
                    _roll_day(state, account)
    find_next_edge(state)
    _expire_quotes(state, now)


def find_next_edge(state: "State") -> None:
    """Find the next session edge or roll."""
    edges = [view.due for view in state.views.values() if view.due is not None]
    edges.extend(roll.next_ns for roll in state.rolls.values())
    edges.extend(account.behind_until for account in state.accounts.values() if account.behind_until)
    state.next_edge = min(edges, default=FAR)


def _expire_quotes(state: "State", now: int) -> None:
    pending = state.pending
    while pending and pending[0][0] <= now:
        instrument = state.instruments[pending[0][1]]
        if instrument.stale_due > now:
            heapq.heapreplace(pending, (instrument.stale_due, instrument.symbol))
            continue
        heapq.heappop(pending)
        instrument.pending = False
        closes_ns = instrument.hours.next_close_ns
        if instrument.hours.open and (closes_ns is None or instrument.stale_due < closes_ns):
            go_stale(state, instrument)


def go_stale(state: "State", instrument: Instrument) -> None:
    """Make an instrument's prices UNKNOWN, and with them everything that rests on them."""
    if not instrument.stale:
        instrument.forget_prices()
        state.reprice(instrument)


def _catch_up(state: "State", account: Account) -> None:
    """No old fill came for a while: what the account is now, it is."""
    account.behind_until = 0
    account.revalue()
    state.touch(account, FILL)
    state.touch(state.portfolio, FILL)


def _turn_session(state: "State", view: SessionView, now: int) -> None:
    opened = view.refresh(now)
    for instrument in state.instruments.values():
        if instrument.hours is view:
            state.touch(instrument, CALENDAR)
            if opened:
                _watch_again(state, instrument, view.opened_ns)
    for account in state.accounts.values():
        if account.hours is view:
            state.touch(account, CALENDAR)
            state.touch(state.portfolio, CALENDAR)
            if opened and account.session is not account.day:
                _begin_session(account, view)


def _watch_again(state: "State", instrument: Instrument, opened_ns: int) -> None:
    """After a closure a quote may be missing for as long as at any other time, counted from the opening."""
    if instrument.quoted_at and not instrument.stale and instrument.stale_after_ns < FAR:
        instrument.stale_due = max(instrument.quoted_at, opened_ns) + instrument.stale_after_ns
        if not instrument.pending:
            instrument.pending = True
            heapq.heappush(state.pending, (instrument.stale_due, instrument.symbol))


def _begin_session(account: Account, view: SessionView) -> None:
    account.session.begin(str(view.opened_ns), view.opened_ns, account.adjusted)
    account.find_lowest_peak()


def _roll_day(state: "State", account: Account) -> None:
    account.end_day(account.adjusted)
    account.day.begin(account.roll.label, account.roll.started_ns, account.adjusted)
    if account.week.label != account.roll.week:
        account.week.begin(account.roll.week, account.roll.started_ns, account.adjusted)
    account.find_lowest_peak()
    state.touch(account, CALENDAR)
    state.touch(state.portfolio, CALENDAR)
