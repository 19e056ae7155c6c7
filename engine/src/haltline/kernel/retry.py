"""What happens after an action did not succeed: it is tried again, with what its rule says now.

Contract. How long until the next try is the business of `rules.flight`. Parameters that were UNKNOWN when the action
was planned are read again at each try; while they stay UNKNOWN the enforcer goes on refusing it. An action is given up
when its incident is over (or, for what undoes a lock, the lock is), but for a flatten or close of which half is done,
and when its account is disarmed: nothing else ends it.
"""

from typing import TYPE_CHECKING, Any

from haltline.clock import format_duration
from haltline.kernel.emission import Emission
from haltline.kernel.escalation import about, next_step, step_up, tell_end
from haltline.kernel.late import note_given_up, note_outcome
from haltline.kernel.request import after_outcome
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import AccountId
from haltline.model.plan import PlannedAction
from haltline.rules.arbiter import Params
from haltline.rules.flight import Flight

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core


def next_due(core: "Core") -> int | None:
    """The next instant at which something must be tried again, or is stuck for so long that it gets louder."""
    instants = [flight.retry_at for flight in core.arbiter.flights.values()] + [next_step(core)]
    return min((instant for instant in instants if instant is not None), default=None)


def retry_due(core: "Core", due: int, out: Emission) -> None:
    """Try again what is to be tried at this instant, and get louder about what has been stuck for long."""
    retry = core.arbiter.next_retry()
    if retry is not None and retry <= due:
        again = core.arbiter.due_retries(due, core.is_wanted, lambda action: renewed(core, action))
        out.planned.extend(again)
        for flight in core.arbiter.take_given_up():
            out.notices.append(f"{about(flight)} was given up after {tries(flight)}: nothing asks for it now")
            tell_end(flight, "was given up: what asked for it is over", due, out)
            note_given_up(core, flight.action, due)
        out.moved = True  # what was given up may leave something to be undone
    step_up(core, due, out)


def take_outcome(core: "Core", event: ActionOutcome, now: int, out: Emission) -> None:
    """Take the enforcer's word on an action: done with, or to be tried again."""
    flight = core.arbiter.flights.get(event.action_id)
    found = core.arbiter.take_outcome(
        event, now, situation=situation(core, flight.action) if flight is not None else ""
    )
    if found is None:
        return
    out.moved = True
    after_outcome(core, found.action, event)
    note_outcome(core, found.action, event, now, out)
    if event.status is OutcomeStatus.DONE:
        took = format_duration(max(now - found.asked_at, 0))
        tell_end(found, f"succeeded at attempt {found.attempt + 1}, {took} after it was asked for", now, out)
    elif found.retry_at is not None:
        _tell_failure(event, found, found.retry_at, now, out)
        step_up(core, now, out)


def _tell_failure(event: ActionOutcome, flight: Flight, retry_at: int, now: int, out: Emission) -> None:
    reason = event.detail or "no reason was given"
    wait = format_duration(retry_at - now)
    out.notices.append(f"{flight.action.name} on {event.account} {event.status}: {reason}; next try in {wait}")


def hasten(core: "Core", account: AccountId, now: int) -> None:
    """The account's positions may have changed: what failed in another situation is tried again soon."""
    for flight in core.arbiter.flights.values():
        if flight.action.account == account:
            flight.hasten(situation(core, flight.action), now)


def situation(core: "Core", action: PlannedAction) -> str:
    """What the action found: the positions it is about, and the order if it is about one."""
    account: Any = core.state.accounts.get(action.account or "")
    if account is None:
        return ""
    held = [
        f"{position.symbol} {position.quantity:+g}"
        for position in account.book.values()
        if action.symbol in (None, position.symbol)
    ]
    order = account.order_book.get(action.order_id) if action.order_id is not None else None
    return ", ".join([*sorted(held), *([f"order {order.remaining:g}"] if order is not None else [])])


def renewed(core: "Core", action: PlannedAction) -> Params:
    """The parameters for another try: those that were UNKNOWN as they are now, all others as they were planned."""
    for name in action.incidents:
        incident = core.live.get(name)
        for linked in incident.rule.every_action() if incident is not None else ():
            if incident is None or linked.action.name != action.name or not linked.left_unknown(action.params):
                continue
            params = linked.params(incident.entity)
            if linked.is_known(params):
                return params
    return action.params


def tries(flight: Flight) -> str:
    """How often it failed, in words."""
    return f"{flight.failures} failed {'try' if flight.failures == 1 else 'tries'}"
