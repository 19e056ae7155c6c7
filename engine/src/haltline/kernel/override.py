"""Operators make room: a grant moves one limit, or lifts one rule, for one entity or account, and ends by itself.

Contract. A grant counts at once: an incident that is fine under it ends, whatever its latch. Locks are not touched;
they have releases of their own. When a grant ends, in time or by revocation, its rule is judged again at that instant.
"""

import math
from typing import TYPE_CHECKING, Any

from haltline.kernel.emission import Emission
from haltline.model.event import OverrideGrant, OverrideRevoke
from haltline.model.plan import Override
from haltline.model.verdict import Phase, Verdict
from haltline.rules.override import covers, describe_override
from haltline.rules.rule import Rule

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core


def take_grant(core: "Core", event: OverrideGrant, now: int, out: Emission) -> None:
    """Let a grant stand, or say in a notice why it cannot."""
    objection = objection_to(core, event, now)
    if objection:
        out.notices.append(f"override {event.grant_id!r} was refused: {objection}")
        return
    grant = Override(
        id=event.grant_id,
        rule=event.rule,
        entity=event.entity,
        since=now,
        until=event.until,
        operator=event.operator,
        reason=event.reason,
        extra=event.extra,
    )
    if not core.overrides.add(grant):
        out.notices.append(f"override {event.grant_id!r} was refused: a grant of that name stands already")
        return
    out.notices.append(f"granted: {describe_override(grant)}")
    rule = _rule_of(core, grant)
    for incident in [live for live in core.live.values() if live.rule is rule and covers(grant, live.entity)]:
        judgement = core.judgement(rule, incident.entity, now)
        if incident.phase is Phase.BREACHED and judgement.verdict in (Verdict.OK, Verdict.WARNING):
            core.lifecycle.resolve(incident, now, out, judgement.reason)
    _judge_again(core, grant, out)


def take_revocation(core: "Core", event: OverrideRevoke, _: int, out: Emission) -> None:
    """Take a grant back."""
    grant = core.overrides.revoke(event.grant_id)
    if grant is None:
        out.notices.append(f"there is no override {event.grant_id!r} to revoke")
        return
    out.notices.append(f"revoked by {event.operator} ({event.reason}): {describe_override(grant)}")
    _judge_again(core, grant, out)


def expire_grants(core: "Core", due: int, out: Emission) -> None:
    """End every grant whose time has come."""
    for grant in core.overrides.expire(due):
        out.notices.append(f"ended: {describe_override(grant)}")
        _judge_again(core, grant, out)


def _rule_of(core: "Core", grant: Override) -> Rule:
    """The rule of a grant that stands: grants of rules that go or change end with them."""
    return next(rule for rule in core.index.rules if rule.id == grant.rule)


def _judge_again(core: "Core", grant: Override, out: Emission) -> None:
    rule = _rule_of(core, grant)
    for entity in list(core.state.entities(rule.each)):
        if covers(grant, entity):
            core.judge(rule, entity, out)


def objection_to(core: "Core", event: OverrideGrant, now: int) -> str:
    """Why a grant cannot stand, in words; empty where it can."""
    rule = next((rule for rule in core.index.rules if rule.id == event.rule), None)
    if rule is None:
        return f"there is no rule {event.rule!r}"
    if event.until <= now:
        return "it would have ended already"
    if event.extra is not None and not (math.isfinite(event.extra) and event.extra > 0):
        return f"the extra room must be a positive number, it was {event.extra}"
    if event.extra is not None and rule.comparison is None:
        return f"rule {rule.id!r} has no limit to move; grant an exemption instead"
    if event.entity not in core.state.accounts and not _is_known(core, rule, event.entity):
        return f"there is no account or {rule.each} {event.entity!r}"
    return ""


def _is_known(core: "Core", rule: Rule, key: str) -> bool:
    entity: Any = core.state.entity(rule.each, key)
    return entity is not None
