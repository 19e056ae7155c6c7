"""What people see: live incidents, how full each limit is, and why a rule says what it says."""

from typing import Any

import msgspec

from haltline.errors import ConfigError, EngineError, Place, Problem
from haltline.expr.check import check
from haltline.expr.explain import Explanation, explain
from haltline.kernel.core import Core
from haltline.model.rule import Comparison, Scope, Severity
from haltline.model.verdict import Phase, Verdict
from haltline.rules.condition import headroom, utilization, widened
from haltline.rules.flight import Flight
from haltline.rules.incident import Incident, is_shadow
from haltline.rules.override import describe_override
from haltline.rules.rule import Rule


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """One live incident. Instants are UTC nanoseconds; `until` is when its present hold ends.

    `waits` says which of its actions wait for evidence or consent, and for which.
    """

    id: str
    rule: str
    entity: str
    phase: Phase
    severity: Severity
    title: str
    since: int
    fired_at: int | None = None
    until: int | None = None
    measured: float | None = None
    threshold: float | None = None
    worst: float | None = None
    reason: str = ""
    acknowledged: bool = False
    blocks_entries: bool = False
    shadow: bool = False
    waits: str = ""


class EnforcementView(msgspec.Struct, frozen=True, kw_only=True):
    """One action at a broker that is not over. Instants are UTC nanoseconds.

    `failures` counts tries that ended badly, `detail` is what the last one said; `retry_at` is when the next one is
    due (None while one is under way), `steps` how many steps of escalation were taken.
    """

    id: str
    action: str
    account: str
    symbol: str = ""
    rules: tuple[str, ...] = ()
    since: int
    attempt: int
    failures: int
    retry_at: int | None = None
    detail: str = ""
    steps: int = 0


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """How full one limit is for one entity. `utilization` is 1.0 at the limit, `headroom` in the unit of the value."""

    rule: str
    entity: str
    title: str
    verdict: Verdict
    measured: float | None
    threshold: float | None
    utilization: float | None
    headroom: float | None
    kind: str = ""
    override: str = ""


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rule says what it says about an entity: verdict, incident, and every sub-expression with its value."""

    rule: str
    entity: str
    title: str
    verdict: Verdict
    phase: Phase
    reason: str
    measured: float | None
    threshold: float | None
    where: Explanation | None
    condition: Explanation
    value: Explanation | None
    waits: str = ""


def incidents(kernel: Core) -> list[IncidentView]:
    """Live incidents, oldest first."""
    return [_view(incident) for incident in sorted(kernel.live.values(), key=lambda live: (live.since, live.id))]


def _view(incident: Incident) -> IncidentView:
    judgement, rule = incident.judgement, incident.rule
    return IncidentView(
        id=incident.id,
        rule=rule.id,
        entity=incident.entity.key,
        phase=incident.phase,
        severity=rule.severity,
        title=rule.spec.title or rule.id,
        since=incident.since,
        fired_at=incident.fired_at,
        until=incident.timer,
        measured=_known(judgement.measured),
        threshold=_known(judgement.threshold),
        worst=incident.worst,
        reason=judgement.reason,
        acknowledged=incident.acknowledged,
        blocks_entries=incident.is_blocking,
        waits=incident.waits,
        shadow=is_shadow(rule, incident.entity),
    )


def enforcements(kernel: Core) -> list[EnforcementView]:
    """What is under way at brokers or waits for another try, oldest first."""
    found = [_enforcement(flight) for flight in kernel.arbiter.flights.values() if not flight.echo]
    return sorted(found, key=lambda view: (view.since, view.id))


def _enforcement(flight: Flight) -> EnforcementView:
    action = flight.action
    return EnforcementView(
        id=action.id,
        action=action.name,
        account=action.account or "",
        symbol=action.symbol or "",
        rules=action.rules,
        since=flight.asked_at,
        attempt=flight.attempt + 1,
        failures=flight.failures,
        retry_at=flight.retry_at,
        detail=flight.detail,
        steps=sum(map(len, flight.told.values())),
    )


def gauges(kernel: Core) -> list[Gauge]:
    """One gauge per limit rule and entity that its `where` does not exclude, fullest first."""
    found = []
    for rule in kernel.index.rules:
        if rule.comparison is not None and rule.each not in (Scope.INTENT, Scope.FILL):
            found += [
                _gauge(kernel, rule, entity) for entity in kernel.state.entities(rule.each) if rule.concerns(entity)
            ]
    return sorted(found, key=lambda gauge: (-(gauge.utilization or 0.0), gauge.rule, gauge.entity))


def _gauge(kernel: Core, rule: Rule, entity: Any) -> Gauge:
    judgement = kernel.judgement(rule, entity, kernel.now)
    measured = rule.measured(entity)
    thresholds = rule.thresholds(entity)
    assert rule.comparison is not None and rule.checked.value is not None
    override = kernel.overrides.of(rule, entity)
    if override is not None and override.extra is not None:
        thresholds = widened(rule.comparison, thresholds, override.extra)
    counted = thresholds if rule.comparison is Comparison.RANGE else thresholds[-1:]
    return Gauge(
        rule=rule.id,
        entity=entity.key,
        title=rule.spec.title or rule.id,
        verdict=judgement.verdict,
        measured=_known(measured),
        threshold=_known(min(counted, key=lambda threshold: abs(measured - threshold))),
        utilization=utilization(rule.comparison, measured, counted),
        headroom=headroom(rule.comparison, measured, counted),
        override=describe_override(override) if override is not None else "",
        kind=rule.checked.value.kind.value,
    )


def reasoning(kernel: Core, rule_id: str, entity_key: str) -> Reasoning:
    """Why, or why not; raises EngineError naming the known rules or entities where there is none of that name."""
    rule = next((rule for rule in kernel.index.rules if rule.id == rule_id), None)
    if rule is None:
        known = ", ".join(rule.id for rule in kernel.index.rules) or "none"
        raise EngineError(f"there is no rule {rule_id!r}; the loaded rules are: {known} [E461]")
    entity = entity_of(kernel, rule.each, entity_key)
    judgement = kernel.judgement(rule, entity, kernel.now)
    incident: Incident | None = entity.instances.get(rule.index)
    bindings = _bindings(kernel)
    checked = rule.checked
    return Reasoning(
        rule=rule.id,
        entity=entity.key,
        title=rule.spec.title or rule.id,
        verdict=judgement.verdict,
        phase=incident.phase if incident else Phase.OK,
        reason=judgement.reason,
        measured=_known(judgement.measured),
        threshold=_known(judgement.threshold),
        where=explain(checked.where, entity, bindings) if checked.where else None,
        condition=explain(checked.conditions.breach, entity, bindings),
        value=explain(checked.value, entity, bindings) if checked.value else None,
        waits=incident.waits if incident else "",
    )


def evaluate(kernel: Core, text: str, scope: Scope, entity_key: str) -> Explanation:
    """Evaluate an expression somebody typed, read-only; raises ConfigError with every problem of the text."""
    problems: list[Problem] = []
    entity = entity_of(kernel, scope, entity_key)
    checked = check(
        text,
        scope=scope,
        vocabulary=kernel.compiled.vocabulary,
        wants=None,
        place=Place(file="<typed>"),
        problems=problems,
    )
    if checked is None or problems:
        raise ConfigError(problems)
    if checked.windows:
        raise EngineError("a window keeps its history only in a rule; ask for the value itself [E462]")
    return explain(checked, entity, _bindings(kernel))


def entity_of(kernel: Core, scope: Scope, key: str) -> Any:
    """The entity of that key; raises EngineError naming the ones there are."""
    entity = kernel.state.entity(scope, key)
    if entity is None:
        known = ", ".join(str(entity.key) for entity in list(kernel.state.entities(scope))[:20]) or "none"
        raise EngineError(f"there is no {scope} {key!r}; there are: {known} [E463]")
    return entity


def _bindings(kernel: Core) -> dict[str, object]:
    return {"clock": kernel.state.clock, "portfolio": kernel.state.portfolio}


def _known(number: float) -> float | None:
    return None if number != number else number
