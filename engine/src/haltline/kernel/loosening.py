"""Loosenings wait: what would guard less takes effect at the next session, or once a second operator agrees.

Contract. Nothing here ever delays a tightening. A request that must wait is kept with its due instant, survives
restarts, and is carried out at that instant exactly; an approval counts only from somebody else than who asked, with a
written reason. What waits can be cancelled by anybody at once: that is a tightening. Whoever asks twice waits once.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from haltline.clock import to_iso
from haltline.kernel.emission import Emission
from haltline.kernel.governor import describe, next_session_ns
from haltline.kernel.override import objection_to
from haltline.model.event import (
    Approve,
    ArmRequest,
    CancelLoosening,
    Event,
    LooseningRequest,
    OverrideGrant,
    Release,
)
from haltline.model.id import AccountId, RuleId
from haltline.model.loosening import Arming, LooseningPolicy, LooseningSort, Pending
from haltline.model.plan import Lock
from haltline.rules.rule import account_of

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core

_SCREENED = frozenset({LooseningRequest, Approve, CancelLoosening, OverrideGrant, Release, ArmRequest})
_KEEPS_RELEASED = (LooseningSort.RULE, LooseningSort.DEFINITION, LooseningSort.SETUP)


class LooseningBook:
    """The policy in force, what waits, and what every account was armed with. All of it survives restarts."""

    def __init__(self) -> None:
        self.policy = LooseningPolicy.AT_ONCE
        self.armings: dict[AccountId, Arming] = {}
        self._pending: dict[str, Pending] = {}

    def __iter__(self) -> Iterator[Pending]:
        return iter(self._pending.values())

    def __bool__(self) -> bool:
        return bool(self._pending)

    def get(self, request_id: str) -> Pending | None:
        """What waits under that id."""
        return self._pending.get(request_id)

    def put(self, pending: Pending) -> None:
        """Keep it, in the place of an earlier one of the same id."""
        self._pending[pending.id] = pending

    def drop(self, request_id: str) -> Pending | None:
        """Forget it; None where nothing waits under that id."""
        return self._pending.pop(request_id, None)

    def due(self, now: int) -> list[Pending]:
        """What has waited long enough, oldest first."""
        return [each for each in self._waiting() if each.due is not None and each.due <= now]

    def next_due(self) -> int | None:
        """The first instant at which something has waited long enough."""
        return min((each.due for each in self._waiting() if each.due is not None), default=None)

    def released(self) -> frozenset[str]:
        """Ids of what was let go and is to be applied by whoever keeps rules and set-up."""
        return frozenset(each.id for each in self._pending.values() if each.released_at is not None)

    def replace(self, pending: Iterable[Pending]) -> None:
        """Take exactly these (after a restart)."""
        self._pending = {each.id: each for each in pending}

    def _waiting(self) -> list[Pending]:
        return [each for each in self._pending.values() if each.released_at is None]


def screen_command(core: "Core", event: Event, now: int, out: Emission) -> Event | None:
    """What is to be carried out now: the event itself, one that was waiting and has been approved, or nothing."""
    if type(event) not in _SCREENED:
        return event
    match event:
        case LooseningRequest():
            _ask(core, event, now, out)
        case Approve():
            return _approve(core, event, now, out)
        case CancelLoosening():
            _cancel(core, event, out)
        case OverrideGrant() | Release() | ArmRequest():
            pending = _loosening_of(core, event, now)
            if pending is None:
                return event
            _hold_back(core, pending, out)
    return None


def due_commands(core: "Core", due: int, out: Emission) -> list[Event]:
    """What operators asked for and is to be carried out at this instant."""
    events = [_let_go(core, pending, due, "", out) for pending in core.loosenings.due(due)]
    return [event for event in events if event is not None]


def describe_pending(pending: Pending) -> str:
    """What waits, in words: what, who asked, and when it takes effect."""
    who = f", asked for by {pending.operator}" if pending.operator else ""
    return f"{pending.text}{who} ({when_of(pending)})"


def when_of(pending: Pending) -> str:
    """When it takes effect, in words."""
    if pending.released_at is not None:
        return f"let go at {to_iso(pending.released_at)}"
    ways = [f"at {to_iso(pending.due)}"] if pending.due is not None else []
    if pending.policy.ends_by_approval:
        ways.append("once a second operator agrees" if pending.operator else "once two operators agree")
    return ", or ".join(ways)


def due_of(core: "Core", account: AccountId | None, policy: LooseningPolicy, now: int) -> int | None:
    """When waiting is enough: the next session of the account, or the latest one of all accounts; None for never."""
    if not policy.ends_by_time:
        return None
    accounts = core.state.accounts
    chosen = [accounts[account]] if account in accounts else list(accounts.values())
    return max((next_session_ns(each) for each in chosen), default=now)


def policy_of_rule(core: "Core", rule: RuleId | None) -> LooseningPolicy:
    """The policy for what loosens a rule: its own where that is stricter than that of the set-up."""
    found = next((each.spec.loosening for each in core.index.rules if each.id == rule), None)
    return core.loosenings.policy if found is None else core.loosenings.policy.joined(found)


# -- asking ------------------------------------------------------------------------------------------------------------


def _ask(core: "Core", event: LooseningRequest, now: int, out: Emission) -> None:
    book = core.loosenings
    try:
        sort, asked = LooseningSort(event.sort), LooseningPolicy(event.policy)
    except ValueError as error:
        out.notices.append(f"loosening {event.request_id!r} was refused: {error}")
        return
    if sort is LooseningSort.REQUEST:
        out.notices.append(f"loosening {event.request_id!r} was refused: operators ask by what they want to do")
        return
    if sort is LooseningSort.POLICY:
        for other in [each for each in book if each.sort is LooseningSort.POLICY and each.id != event.request_id]:
            book.drop(other.id)
        if asked.is_as_strict_as(book.policy):
            book.drop(event.request_id)
            _set_policy(core, asked, event.operator, out)
            return
    if book.get(event.request_id) is not None:
        return
    policy = book.policy if sort is LooseningSort.POLICY else book.policy.joined(asked)
    pending = Pending(
        id=event.request_id, sort=sort, subject=event.subject, text=event.text, asked_at=now, operator=event.operator,
        reason=event.reason, account=event.account, policy=policy, due=due_of(core, event.account, policy, now),
        target=asked.value if sort is LooseningSort.POLICY else "",
    )  # fmt: skip
    if policy is LooseningPolicy.AT_ONCE:
        pending = msgspec.structs.replace(pending, released_at=now)
    book.put(pending)
    out.notices.append(f"waits: {describe_pending(pending)}; {pending.id}")


def _set_policy(core: "Core", policy: LooseningPolicy, operator: str, out: Emission) -> None:
    if policy is not core.loosenings.policy:
        core.loosenings.policy = policy
        by = f" by {operator}" if operator else ""
        out.notices.append(f"what loosens takes effect by the policy {policy.value!r} from now on{by}")


def _hold_back(core: "Core", pending: Pending, out: Emission) -> None:
    objection = _objection(core, pending)
    if objection:
        out.notices.append(f"{pending.text} was refused: {objection}")
        return
    core.loosenings.put(pending)
    out.notices.append(f"waits: {describe_pending(pending)}; {pending.id}")


def _objection(core: "Core", pending: Pending) -> str:
    if not pending.operator.strip():
        return "an operator must be named for what loosens"
    if not pending.reason.strip():
        return "what loosens needs a written reason"
    if core.loosenings.get(pending.id) is not None:
        return f"it waits already as {pending.id!r}"
    grant, due = pending.event, pending.due
    if due is None or pending.policy.ends_by_approval:
        return ""
    if isinstance(grant, OverrideGrant) and grant.until <= due:
        return f"it would end before it may begin, at {to_iso(due)}"
    return ""


def _loosening_of(core: "Core", event: OverrideGrant | Release | ArmRequest, now: int) -> Pending | None:
    """The request as something that waits; None where it may be carried out at once, or says why it cannot be."""
    if isinstance(event, OverrideGrant):
        if objection_to(core, event, now):
            return None
        policy = policy_of_rule(core, event.rule)
        owner = core.state.accounts.get(event.entity.partition("/")[0])
        account = None if owner is None else AccountId(owner.id)
        name, subject = f"grant:{event.grant_id}", str(event.rule)
        extra = "an exemption" if event.extra is None else f"{event.extra:g} more"
        text = f"override: {extra} for {event.rule} on {event.entity} until {to_iso(event.until)}"
    elif isinstance(event, Release):
        return _release(core, event, now)
    else:
        armed = core.state.accounts.get(event.account)
        if event.live or armed is None or not armed.live:
            return None
        policy, account = core.loosenings.policy, event.account
        name, subject, text = f"disarm:{account}", str(account), f"disarm account {account}"
    return _candidate(core, event, now, policy=policy, account=account, name=name, subject=subject, text=text)


def _release(core: "Core", event: Release, now: int) -> Pending | None:
    lock = core.governor.locks.get(event.lock_id) if event.lock_id is not None else None
    incident = core.live.get(event.incident) if event.incident is not None else None
    if lock is None and incident is None:
        return None
    policy, account, parts = core.loosenings.policy, None, []
    if lock is not None:
        policy, account = policy.joined(policy_of_rule(core, lock.rule)), lock.account
        parts.append(f"lift the lock {lock.id}, {describe(lock)}")
    if incident is not None:
        policy = policy.joined(policy_of_rule(core, RuleId(incident.rule.id)))
        owner = account_of(incident.entity)
        account = account or (None if owner is None else AccountId(owner.id))
        parts.append(f"end the incident {incident.id}")
    subject = str(event.lock_id or event.incident)
    text, target = " and ".join(parts), "" if lock is None else _state_of(lock)
    return _candidate(
        core, event, now, policy=policy, account=account, name=f"release:{subject}", subject=subject, text=text,
        target=target,
    )  # fmt: skip


def _candidate(
    core: "Core", event: OverrideGrant | Release | ArmRequest, now: int, *, policy: LooseningPolicy,
    account: AccountId | None, name: str, subject: str, text: str, target: str = "",
) -> Pending | None:  # fmt: skip
    if policy is LooseningPolicy.AT_ONCE:
        return None
    return Pending(
        id=name, sort=LooseningSort.REQUEST, subject=subject, text=text, asked_at=now, operator=event.operator,
        reason=event.reason, account=account, policy=policy, due=due_of(core, account, policy, now), target=target,
        event=event,
    )  # fmt: skip


# -- letting go --------------------------------------------------------------------------------------------------------


def _approve(core: "Core", event: Approve, now: int, out: Emission) -> Event | None:
    pending = core.loosenings.get(event.request_id)
    refusal = _refusal(pending, event)
    if refusal:
        out.notices.append(f"the approval of {event.request_id!r} by {event.operator!r} was refused: {refusal}")
        return None
    assert pending is not None  # which would have been the first reason to refuse
    if not pending.operator:
        core.loosenings.put(msgspec.structs.replace(pending, operator=event.operator, reason=event.reason))
        out.notices.append(f"{event.operator} asks for {pending.text} ({event.reason}); somebody else must agree")
        return None
    out.notices.append(f"{event.operator} agrees to {pending.text} ({event.reason})")
    return _let_go(core, pending, now, event.operator, out)


def _refusal(pending: Pending | None, event: Approve) -> str:
    if pending is None:
        return "nothing waits under that name"
    if pending.released_at is not None:
        return "it was let go already"
    if not pending.policy.ends_by_approval:
        return "nobody can hasten it; it waits for the next session"
    if not event.operator.strip():
        return "an operator must be named"
    if not event.reason.strip():
        return "it needs a written reason"
    if _same_person(event.operator, pending.operator):
        return "somebody else than who asked must agree"
    return ""


def _same_person(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _cancel(core: "Core", event: CancelLoosening, out: Emission) -> None:
    pending = core.loosenings.drop(event.request_id)
    if pending is None:
        out.notices.append(f"nothing waits under the name {event.request_id!r}")
    elif event.operator:
        because = f": {event.reason}" if event.reason else ""
        out.notices.append(f"{event.operator} cancelled {pending.text}{because}")


def _let_go(core: "Core", pending: Pending, now: int, approved_by: str, out: Emission) -> Event | None:
    """End the wait; returns what the kernel is to carry out."""
    book = core.loosenings
    out.notices.append(f"takes effect: {pending.text}")
    if pending.sort in _KEEPS_RELEASED:
        book.put(msgspec.structs.replace(pending, released_at=now, released_by=approved_by))
        return None
    book.drop(pending.id)
    if pending.sort is LooseningSort.POLICY:
        _set_policy(core, LooseningPolicy(pending.target), pending.operator, out)
    elif isinstance(pending.event, Release) and pending.target:
        lock = core.governor.locks.get(pending.event.lock_id or "")
        if lock is None or _state_of(lock) != pending.target:
            out.notices.append(f"{pending.text} was not done: the lock is not the one it was asked for")
            return None
    return pending.event


def _state_of(lock: Lock) -> str:
    return f"{lock.since}:{lock.until}:{lock.release}"
