"""The whole kernel as bytes, and back: the restored kernel decides exactly as the saved one would have.

What belongs to rules (incidents, windows) is kept under the rule's id and meaning: after an edit of the rule files,
what did not change in meaning goes on, and the rest starts anew and is named in the answer of `restore`.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

import msgspec

from haltline.errors import EngineError
from haltline.expr.node import Constant, Node, OneOf, children
from haltline.expr.window import WindowNeed
from haltline.kernel.aftermath import Aftermath
from haltline.kernel.consent import Refused
from haltline.kernel.core import Core
from haltline.kernel.evidence import Waiting
from haltline.model.id import AccountId, IncidentId, RuleId
from haltline.model.loosening import Arming, LooseningPolicy, Pending
from haltline.model.plan import Lock, Override
from haltline.model.rule import Scope
from haltline.model.verdict import Phase, Verdict
from haltline.rules.flight import Flight
from haltline.rules.incident import Incident, Memory
from haltline.rules.override import describe_override
from haltline.rules.rule import Judgement, Rule

VERSION = 1
_NAN = float("nan")


class SavedIncident(msgspec.Struct, kw_only=True):
    """One live incident."""

    rule: str
    scope: Scope
    entity: str
    id: str
    phase: Phase
    since: int
    fire_at: int | None
    clear_at: int | None
    fired_at: int | None
    rung: int
    worst: float | None
    acknowledged: bool
    blocks: bool
    warned: bool
    followed: list[dict[str, float | str | bool | None]]
    follows: int
    verdict: Verdict
    measured: float | None
    threshold: float | None
    judged_rung: int
    reason: str
    cleared: bool = False
    seen: Verdict = Verdict.OK
    held: dict[int, int] = {}


class Saved(msgspec.Struct, kw_only=True):
    """Everything a decision may depend on."""

    version: int
    now: int
    next_tick: int | None
    next_schedule: int | None
    state: dict[str, Any]
    rules: dict[str, str]
    incidents: list[SavedIncident]
    memories: list[tuple[str, str, int, int, int | None]]
    locks: list[Lock]
    allowances: dict[str, dict[str, float]]
    serial: int
    flights: list[Flight]
    days: dict[str, str]
    windows: list[tuple[str, str, Any]]
    overrides: list[Override] = []
    policy: LooseningPolicy | None = None
    loosenings: list[Pending] = []
    armings: list[Arming] = []
    waiting: list[Waiting] = []
    refused: list[Refused] = []
    consents: int = 0
    late: dict[AccountId, Aftermath] = {}


def save(kernel: Core) -> bytes:
    """The kernel between two steps."""
    governor = kernel.governor
    saved = Saved(
        version=VERSION,
        now=kernel.now,
        next_tick=kernel.next_tick,
        next_schedule=kernel.next_schedule,
        state=cast("dict[str, Any]", kernel.state.image()),
        rules={rule.id: _meaning(rule) for rule in kernel.index.rules},
        incidents=[_save_incident(incident) for incident in kernel.live.values()],
        memories=[(*key, memory.serial, memory.fires, memory.fired_at) for key, memory in kernel.memories.items()],
        locks=list(governor.locks),
        allowances=governor.allowances,
        serial=governor.serial,
        flights=list(kernel.arbiter.flights.values()),
        days=kernel.days,
        windows=[
            (entity.key, _need_name(need), window.snapshot())
            for scope, needs in kernel.index.needs.items()
            for entity in (kernel.state.entities(scope) if needs else ())
            for need, window in zip(needs, entity.windows, strict=True)
        ],
        overrides=list(kernel.overrides),
        policy=kernel.loosenings.policy,
        loosenings=list(kernel.loosenings),
        armings=list(kernel.loosenings.armings.values()),
        waiting=kernel.gate.waiting,
        refused=list(kernel.gate.consents.refused.values()),
        consents=kernel.gate.consents.serial,
        late=kernel.late,
    )
    return msgspec.msgpack.encode(saved)


def restore(kernel: Core, encoded: bytes) -> list[str]:
    """Bring a fresh kernel to a saved one's state; returns in words what could not be carried over.

    Raises EngineError for bytes that are no snapshot or come from a newer version.
    """
    try:
        saved = msgspec.msgpack.decode(encoded, type=Saved)
    except msgspec.MsgspecError as error:
        raise EngineError(f"the snapshot cannot be read: {error}; recover from an older one [E707]") from error
    if saved.version != VERSION:
        raise EngineError(f"the snapshot has version {saved.version}, this engine reads {VERSION} [E708]")
    kernel.state.restore(saved.state)
    kernel.now, kernel.next_tick, kernel.next_schedule = saved.now, saved.next_tick, saved.next_schedule
    kernel.days.clear()
    kernel.days.update(saved.days)
    kernel.memories.clear()
    for rule_id, entity, serial, fires, fired_at in saved.memories:
        kernel.memories[(rule_id, entity)] = Memory(serial, fires, fired_at)
    kernel.governor.locks.replace(saved.locks)
    kernel.governor.allowances = saved.allowances
    kernel.governor.serial = saved.serial
    kernel.arbiter.flights = {flight.action.id: flight for flight in saved.flights}
    _restore_windows(kernel, saved)
    notices = _restore_incidents(kernel, saved)
    kernel.overrides.replace(saved.overrides)
    _restore_loosenings(kernel, saved)
    kernel.gate.waiting = saved.waiting
    kernel.gate.consents.refused = {each.action.id: each for each in saved.refused}
    kernel.gate.consents.serial = saved.consents
    kernel.late = saved.late
    kernel.gate.mark()
    notices += _ended_grants(
        kernel, [rule.id for rule in kernel.index.rules if saved.rules.get(rule.id) == _meaning(rule)]
    )
    kernel.governor.release_orphans()
    kernel.governor.refresh()
    kernel.forget_changes()
    return notices


def _ended_grants(kernel: Core, unchanged: list[RuleId]) -> list[str]:
    """Grants are for a rule as it was meant when they were given."""
    ended = kernel.overrides.keep_rules(unchanged)
    return [f"ended, because its rule was changed or removed: {describe_override(grant)}" for grant in ended]


def _restore_loosenings(kernel: Core, saved: Saved) -> None:
    """Versions before 0.2 saved no policy: that of the set-up stays."""
    book = kernel.loosenings
    book.policy = saved.policy or book.policy
    book.replace(saved.loosenings)
    book.armings = {each.account: each for each in saved.armings}


def _restore_windows(kernel: Core, saved: Saved) -> None:
    histories = {(key, need): content for key, need, content in saved.windows}
    kernel.attach_windows()
    for scope, needs in kernel.index.needs.items():
        for entity in kernel.state.entities(scope) if needs else ():
            for need, window in zip(needs, entity.windows, strict=True):
                content = histories.get((entity.key, _need_name(need)))
                if content is not None:
                    window.restore(content)


def _restore_incidents(kernel: Core, saved: Saved) -> list[str]:
    rules: dict[str, Rule] = {rule.id: rule for rule in kernel.index.rules}
    notices = []
    kernel.live.clear()
    for each in saved.incidents:
        rule = rules.get(each.rule)
        entity = kernel.state.entity(each.scope, each.entity)
        if rule is None or entity is None or saved.rules.get(each.rule) != _meaning(rule):
            notices.append(f"incident {each.id} ({each.phase}) was not carried over: its rule was changed or removed")
            continue
        incident = _load_incident(each, rule, entity)
        entity.instances[rule.index] = incident
        kernel.live.add(incident)
    return notices


def _save_incident(incident: Incident) -> SavedIncident:
    judgement = incident.judgement
    return SavedIncident(
        rule=incident.rule.id,
        scope=incident.entity.scope,
        entity=incident.entity.key,
        id=incident.id,
        phase=incident.phase,
        since=incident.since,
        fire_at=incident.fire_at,
        clear_at=incident.clear_at,
        fired_at=incident.fired_at,
        rung=incident.rung,
        worst=incident.worst,
        acknowledged=incident.acknowledged,
        cleared=incident.cleared,
        blocks=incident.blocks,
        warned=incident.warned,
        followed=incident.followed,
        follows=incident.follows,
        verdict=judgement.verdict,
        measured=None if judgement.measured != judgement.measured else judgement.measured,
        threshold=None if judgement.threshold != judgement.threshold else judgement.threshold,
        judged_rung=judgement.rung,
        reason=judgement.reason,
        seen=incident.seen,
        held=incident.held,
    )


def _load_incident(saved: SavedIncident, rule: Rule, entity: Any) -> Incident:
    incident = Incident(rule, entity, IncidentId(saved.id), saved.since)
    incident.phase = saved.phase
    incident.fire_at = saved.fire_at
    incident.clear_at = saved.clear_at
    incident.fired_at = saved.fired_at
    incident.rung = saved.rung
    incident.worst = saved.worst
    incident.acknowledged = saved.acknowledged
    incident.cleared = saved.cleared
    incident.blocks = saved.blocks
    incident.warned = saved.warned
    incident.followed = saved.followed
    incident.follows = saved.follows
    incident.seen = saved.seen
    incident.held = saved.held
    measured = _NAN if saved.measured is None else saved.measured
    threshold = _NAN if saved.threshold is None else saved.threshold
    incident.judgement = Judgement(saved.verdict, measured, threshold, saved.judged_rung, saved.reason)
    return incident


def _meaning(rule: Rule) -> str:
    return hashlib.sha256(rule.fingerprint).hexdigest()


@lru_cache(maxsize=1024)
def _need_name(need: WindowNeed) -> str:
    """The need in words that are the same in every process: inputs of templates are told apart by their values."""
    values = ",".join(repr(value) for value in _constants(need.reader.tree))
    return f"{need.owner}|{need.kind}|{need.duration_ns}|{need.reader.text}|{values}"


def _constants(node: Node) -> Iterator[object]:
    if isinstance(node, Constant):
        yield node.value
    elif isinstance(node, OneOf):
        yield node.options
    for part in children(node):
        yield from _constants(part)
