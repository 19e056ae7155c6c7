"""Entities come and go: what is new is judged, fills and orders that end are judged as they are in that instant.

Contract. A fill is judged once, when it is booked. An order is judged one last time when it ends (filled, cancelled,
rejected or expired), in its final state, also one that was never seen working: what it breaches then fires and is over
in the same step. What is over does no more harm: UNKNOWN begins nothing then, unless the rule acts on UNKNOWN.
"""

from typing import TYPE_CHECKING, Any

from haltline.kernel.emission import Emission
from haltline.model.rule import OnUnknown, Scope
from haltline.model.verdict import Verdict
from haltline.rules.index import BORN, EVERYTHING
from haltline.rules.rule import Judgement, Rule

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core


def take_arrivals(core: "Core", now: int, out: Emission) -> None:
    """New entities get their windows, fills and ended orders are judged; incidents of vanished ones end."""
    state = core.state
    created: list[Any] = list(state.created)
    removed: list[Any] = list(state.removed)
    state.created.clear()
    state.removed.clear()
    for entity in created:
        _begin(core, entity, now, out)
    for entity in removed:
        _end(core, entity, now, out)


def _begin(core: "Core", entity: Any, now: int, out: Emission) -> None:
    core.attach(entity, {})
    if entity.scope is Scope.FILL:
        for feed in core.index.events.get(Scope.ACCOUNT, ()):
            entity.account.windows[feed.index].add(now, feed.read(entity))
        _judge_fill(core, entity, out)
    else:
        core.state.touch(entity, BORN)


def _end(core: "Core", entity: Any, now: int, out: Emission) -> None:
    if entity.changed:
        core.state.touched.remove(entity)
    if entity.scope is Scope.ORDER:
        _judge_end(core, entity, out)
    for incident in list(entity.instances.values()):
        core.lifecycle.resolve(incident, now, out, f"{entity.scope} {entity.key} is gone")
    if entity.scope is Scope.ORDER:
        _forget(core, entity)
    if entity.scope is Scope.FILL:  # voided: windows count it no longer
        for feed in core.index.events.get(Scope.ACCOUNT, ()):
            entity.account.windows[feed.index].take_back(entity.execution.applied_at, feed.read(entity))


def _judge_fill(core: "Core", fill: Any, out: Emission) -> None:
    """A fill is an instant: what it breaches fires, and the incident is over in the same step."""
    screen = core.index.screen(Scope.FILL, EVERYTHING)
    if screen is None:
        return
    for number in screen(fill):
        core.judge(core.index.rules[number], fill, out)
    for incident in list(fill.instances.values()):
        core.lifecycle.resolve(incident, out.now, out, "a fill is an instant")
    _forget(core, fill)


def _judge_end(core: "Core", order: Any, out: Emission) -> None:
    """Judge an order in the state in which it ended."""
    screen = core.index.screen(Scope.ORDER, EVERYTHING)
    hits = screen(order) if screen is not None else ()
    for number in dict.fromkeys((*hits, *order.instances)):
        rule = core.index.rules[number]
        judgement = core.judgement(rule, order, out.now)
        if number in order.instances or _counts(rule, judgement):
            core.lifecycle.update(rule, order, judgement, out.now, out)


def _counts(rule: Rule, judgement: Judgement) -> bool:
    """Whether what is said of an order that is over begins an incident: nothing can hold or become clear any more."""
    if judgement.verdict is Verdict.UNKNOWN:
        return rule.on_unknown is OnUnknown.ACT
    return judgement.verdict is Verdict.BREACH and not rule.spec.for_ns


def _forget(core: "Core", entity: Any) -> None:
    """An order or fill that is over never comes back: nothing of it needs to be remembered."""
    for rule in core.index.of_scope(entity.scope):
        core.memories.pop((rule.id, entity.key), None)
