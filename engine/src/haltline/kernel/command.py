"""Operator commands and outcomes of actions: they are events like everything else, and move incidents and locks."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from haltline.api.field import Change
from haltline.clock import to_iso
from haltline.kernel.consent import take_consent, take_word
from haltline.kernel.emission import Emission
from haltline.kernel.governor import describe
from haltline.kernel.late import take_fill, take_order, take_position
from haltline.kernel.loosening import due_commands, screen_command
from haltline.kernel.override import take_grant, take_revocation
from haltline.kernel.request import take_action_request, take_unacknowledge
from haltline.kernel.retry import hasten
from haltline.model.event import (
    Acknowledge,
    ActionOutcome,
    ActionRequest,
    ArmRequest,
    Consent,
    Event,
    Fill,
    LockRequest,
    OrderUpdate,
    OverrideGrant,
    OverrideRevoke,
    PositionReport,
    Release,
    Silence,
    Unacknowledge,
    Unsilence,
)
from haltline.model.loosening import Arming
from haltline.model.matcher import parse_matchers
from haltline.model.verdict import Phase
from haltline.rules.rule import account_of

_FARTHEST_NS = 1 << 62
"""An operator's lock until the year 2116 or later is one without end."""

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core


def take_command(core: "Core", event: Event, now: int, out: Emission) -> None:
    """Carry out what an operator or the enforcer said, unless it must wait because it loosens."""
    wanted = screen_command(core, event, now, out)
    if wanted is not None:
        _carry_out(core, wanted, now, out)


def take_due(core: "Core", due: int, out: Emission) -> None:
    """Carry out what has waited until this instant."""
    for event in due_commands(core, due, out):
        _carry_out(core, event, due, out)


def _carry_out(core: "Core", event: Event, now: int, out: Emission) -> None:
    """What names nothing that exists becomes a notice."""
    take = _TAKERS.get(type(event))
    if take is not None:
        take(core, event, now, out)


def _take_acknowledge(core: "Core", event: Acknowledge, now: int, out: Emission) -> None:
    incident = core.live.get(event.incident)
    if incident is None:
        out.notices.append(f"there is no live incident {event.incident!r} to acknowledge")
        return
    out.attention.append(event)
    core.lifecycle.acknowledge(incident, now, out)


def _take_silence(_: "Core", event: Silence | Unsilence, now: int, out: Emission) -> None:
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


def _take_lock(core: "Core", event: LockRequest, _: int, out: Emission) -> None:
    if event.account not in core.state.accounts:
        out.notices.append(f"there is no account {event.account!r} to lock")
        return
    if event.until is not None and event.until > _FARTHEST_NS:
        event = msgspec.structs.replace(event, until=None)
    lock = core.governor.pause(event) if event.entries_only else core.governor.lock_for_operator(event)
    out.moved = True
    word = "paused" if event.entries_only else "locked"
    out.notices.append(f"{event.operator} {word} {event.account}: {describe(lock)}")


def _take_arm(core: "Core", event: ArmRequest, _: int, out: Emission) -> None:
    account = core.state.accounts.get(event.account)
    if account is None:
        out.notices.append(f"there is no account {event.account!r} to arm")
        return
    gaps = ", ".join(gap.partition(": ")[0] for gap in event.gaps)
    said = f"{event.operator} {'armed' if event.live else 'disarmed'} {event.account}"
    out.notices.append(f"{said}; not covered: {gaps}" if gaps else said)
    if event.live:
        core.loosenings.armings[event.account] = Arming(
            account=event.account, at=out.now, operator=event.operator, reason=event.reason, gaps=event.gaps
        )
        core.loosenings.drop(f"disarm:{event.account}")
    else:
        core.loosenings.armings.pop(event.account, None)
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


def _take_activity(core: "Core", event: Fill | PositionReport, now: int, out: Emission) -> None:
    hasten(core, event.account, now)
    if isinstance(event, Fill):
        take_fill(core, event, now, out)
    else:
        take_position(core, event, now, out)


_TAKERS: dict[type, Callable[..., None]] = {
    ActionOutcome: take_word,
    Consent: take_consent,
    Fill: _take_activity,
    OrderUpdate: take_order,
    PositionReport: _take_activity,
    Acknowledge: _take_acknowledge,
    Unacknowledge: take_unacknowledge,
    ActionRequest: take_action_request,
    Release: _take_release,
    LockRequest: _take_lock,
    ArmRequest: _take_arm,
    OverrideGrant: take_grant,
    OverrideRevoke: take_revocation,
    Silence: _take_silence,
    Unsilence: _take_silence,
}
"""Who takes what, each called with core, event, instant and emission."""
