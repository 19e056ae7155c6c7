"""Operator commands and outcomes of actions: they are events like everything else, and move incidents and locks."""

from typing import TYPE_CHECKING

import msgspec

from haltline.api.field import Change
from haltline.clock import to_iso
from haltline.kernel.emission import Emission
from haltline.kernel.governor import describe
from haltline.kernel.override import take_grant, take_revocation
from haltline.model.event import (
    Acknowledge,
    ActionOutcome,
    ArmRequest,
    Event,
    LockRequest,
    OutcomeStatus,
    OverrideGrant,
    OverrideRevoke,
    Release,
    Silence,
    Unsilence,
)
from haltline.model.matcher import parse_matchers
from haltline.model.verdict import Phase
from haltline.rules.rule import account_of

_FARTHEST_NS = 1 << 62
"""An operator's lock until the year 2116 or later is one without end."""

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core


def take_command(core: "Core", event: Event, now: int, out: Emission) -> None:
    """Carry out what an operator or the enforcer said; what names nothing that exists becomes a notice."""
    if isinstance(event, ActionOutcome):
        _take_outcome(core, event, now, out)
    elif isinstance(event, Acknowledge):
        incident = core.live.get(event.incident)
        if incident is None:
            out.notices.append(f"there is no live incident {event.incident!r} to acknowledge")
        else:
            out.attention.append(event)
            core.lifecycle.acknowledge(incident, now, out)
    elif isinstance(event, Release):
        _take_release(core, event, now, out)
    elif isinstance(event, LockRequest):
        _take_lock(core, event, out)
    elif isinstance(event, ArmRequest):
        _take_arm(core, event, out)
    elif isinstance(event, OverrideGrant):
        take_grant(core, event, now, out)
    elif isinstance(event, OverrideRevoke):
        take_revocation(core, event, out)
    elif isinstance(event, Silence | Unsilence):
        _take_silence(event, now, out)


def _take_silence(event: Silence | Unsilence, now: int, out: Emission) -> None:
    """Messages are not the kernel's: it only says whether the request makes sense, and passes it on."""
    if isinstance(event, Unsilence):
        out.notices.append(
            f"silence {event.silence_id!r} ended by {event.operator}: {event.reason or 'no reason given'}"
        )
        out.attention.append(event)
        return
    try:
        matchers = parse_matchers(event.matchers)
    except ValueError as error:
        out.notices.append(f"silence {event.silence_id!r} was refused: {error}")
        return
    if event.until <= now:
        out.notices.append(f"silence {event.silence_id!r} was refused: it would be over already")
        return
    about = ", ".join(map(str, matchers))
    out.notices.append(f"{event.operator} silenced {about} until {to_iso(event.until)}: {event.reason}")
    out.attention.append(event)


def _take_outcome(core: "Core", event: ActionOutcome, now: int, out: Emission) -> None:
    action = core.arbiter.take_outcome(event, now)
    if action is None:
        return
    out.moved = True
    if event.status is not OutcomeStatus.DONE:
        out.notices.append(f"{action.name} on {event.account} {event.status}: {event.detail or 'no reason was given'}")


def _take_release(core: "Core", event: Release, now: int, out: Emission) -> None:
    out.moved = True
    if event.lock_id is not None:
        lock = core.governor.release(event.lock_id)
        word = f"lifted by {event.operator}: {event.reason}" if lock else "does not stand"
        out.notices.append(f"lock {event.lock_id!r} {word}")
    if event.incident is not None:
        incident = core.live.get(event.incident)
        if incident is None:
            out.notices.append(f"there is no live incident {event.incident!r} to release")
        else:
            core.lifecycle.resolve(incident, now, out, f"released by {event.operator}: {event.reason}")
            core.judge(incident.rule, incident.entity, out)


def _take_lock(core: "Core", event: LockRequest, out: Emission) -> None:
    if event.account not in core.state.accounts:
        out.notices.append(f"there is no account {event.account!r} to lock")
        return
    if event.until is not None and event.until > _FARTHEST_NS:
        event = msgspec.structs.replace(event, until=None)
    lock = core.governor.lock_for_operator(event)
    out.moved = True
    out.notices.append(f"{event.operator} locked {event.account}: {describe(lock)}")


def _take_arm(core: "Core", event: ArmRequest, out: Emission) -> None:
    account = core.state.accounts.get(event.account)
    if account is None:
        out.notices.append(f"there is no account {event.account!r} to arm")
        return
    out.notices.append(f"{event.operator} {'armed' if event.live else 'disarmed'} {event.account}")
    if account.live == event.live:
        return
    account.live = event.live
    out.moved = True
    for entity in (account, core.state.portfolio):
        core.state.touch(entity, int(Change.LOCK))
    for incident in list(core.live.values()) if event.live else ():
        if incident.phase is not Phase.BREACHED or incident.rule.shadow:
            continue
        if account_of(incident.entity) is account:
            core.lifecycle.fire_live(incident, out.now, out)
        elif account_of(incident.entity) is None:
            core.lifecycle.ask_again(incident, event.account, out.now, out)
