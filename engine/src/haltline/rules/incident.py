"""The life of one rule on one entity.

    ok ─► pending (`for`) ─► breached ─► resolved           warning and unknown stand beside it
          └──────────────────► ok

Glossary. *fire*: enter `breached` and ask for the actions, once. *clear*: the condition (or the rule's own `clear`)
says it is over; what then ends the incident is its `latch`. *hold*: a time that must pass first (`for`, `clear_for`,
`cooldown`), kept in `timer` so that it survives a restart. *follow*: ask again for an action whose parameters changed.

Invariants. An incident fires its actions once per rung; a condition that merely stays true does nothing, except that an
action declared to follow its parameters (a trailing stop) is asked for again when these change. UNKNOWN never
ends an incident and never stops a running hold. Everything is a function of the judgement and of `now`.
"""

from collections.abc import Callable
from typing import Any, Protocol

from haltline.clock import NS_PER_S, format_duration, to_iso
from haltline.model.id import IncidentId
from haltline.model.rule import Latch, OnUnknown, Severity
from haltline.model.verdict import Phase, Transition, Verdict
from haltline.rules.rule import AFTERWARDS, ALERT, Judgement, LinkedAction, Rule, account_of

type MemoryKey = tuple[str, str]


class Memory:
    """What must outlive an incident: how often the rule fired on the entity in this session, and when last."""

    __slots__ = ("fired_at", "fires", "serial")

    def __init__(self, serial: int = 0, fires: int = 0, fired_at: int | None = None) -> None:
        self.serial = serial
        self.fires = fires
        self.fired_at = fired_at


class Incident:
    """One live incident. `timer` is the next instant at which it must be looked at again, whatever happens."""

    __slots__ = (
        "acknowledged",
        "begun_in",
        "blocks",
        "clear_at",
        "cleared",
        "entity",
        "fire_at",
        "fired_at",
        "followed",
        "follows",
        "held",
        "id",
        "judgement",
        "phase",
        "place",
        "rule",
        "rung",
        "seen",
        "since",
        "waits",
        "warned",
        "worst",
    )  # fmt: skip

    def __init__(self, rule: Rule, entity: Any, incident_id: IncidentId, now: int) -> None:
        self.rule = rule
        self.entity = entity
        self.id = incident_id
        self.place = 0
        self.phase = Phase.OK
        self.since = now
        self.fire_at: int | None = None
        self.clear_at: int | None = None
        self.fired_at: int | None = None
        self.rung = -1
        self.worst: float | None = None
        self.acknowledged = False
        self.cleared = False
        self.blocks = False
        self.warned = False
        self.judgement = Judgement(Verdict.OK)
        self.followed: list[dict[str, float | str | bool | None]] = []
        self.follows = 0
        self.begun_in: tuple[Outbox, int] | None = None
        self.seen = Verdict.OK
        self.held: dict[int, int] = {}
        self.waits = ""

    @property
    def is_blocking(self) -> bool:
        """Whether entries are blocked: because it was asked for, or because something stronger is waiting."""
        return self.blocks or bool(self.waits)

    def note(self, verdict: Verdict, rung: int, now: int) -> None:
        """Take down since when each level has held without a break; what is UNKNOWN breaks nothing by itself."""
        self.seen = verdict
        if verdict is Verdict.UNKNOWN:
            if self.rule.on_unknown not in (OnUnknown.HOLD, OnUnknown.ACT):
                self.held.clear()
            return
        top = rung if verdict is Verdict.BREACH else ALERT if verdict is Verdict.WARNING else AFTERWARDS
        self.held = {level: self.held.get(level, now) for level in range(ALERT, top + 1)}

    @property
    def timer(self) -> int | None:
        """When a hold ends. Cheap, because every live incident is asked after every event."""
        if self.fire_at is None or self.clear_at is None:
            return self.clear_at if self.fire_at is None else self.fire_at
        return min(self.fire_at, self.clear_at)


class Outbox(Protocol):
    """Where the life cycle puts what it decided."""

    def tell(self, incident: Incident, transition: Transition) -> None:
        """Record a change."""

    def ask(self, incident: Incident, action: LinkedAction, *, cause: str, only: str | None = None) -> None:
        """Ask for an action (for one account `only`); `cause` makes its id unique within the incident."""

    def freed(self, incident: Incident) -> None:
        """An incident ended: what it held (blocks, locks released by clearing) is let go."""


class Lifecycle:
    """Moves incidents. `memories` is kept by the kernel and survives restarts; `moved` hears of every incident whose
    holds or blocks may have changed.
    """

    def __init__(
        self,
        memories: dict[MemoryKey, Memory],
        is_suppressed: Callable[[Rule, Any], bool],
        judge: Callable[[Rule, Any, int], Judgement],
        moved: Callable[[Incident], None] = lambda incident: None,
    ) -> None:
        self.memories = memories
        self._is_suppressed = is_suppressed
        self._judge = judge
        self._moved = moved

    def update(self, rule: Rule, entity: Any, judgement: Judgement, now: int, out: Outbox) -> None:
        """Take one judgement into account."""
        self._update(rule, entity, judgement, now, out)
        incident: Incident | None = entity.instances.get(rule.index)
        if incident is not None:
            self._moved(incident)

    def _update(self, rule: Rule, entity: Any, judgement: Judgement, now: int, out: Outbox) -> None:
        incident: Incident | None = entity.instances.get(rule.index)
        verdict = judgement.verdict
        if incident is not None:
            incident.note(verdict, judgement.rung, now)
        if verdict is Verdict.UNKNOWN:
            if rule.on_unknown is not OnUnknown.ACT:
                self._unknown(rule, entity, incident, judgement, now, out)
                return
            judgement.verdict = verdict = Verdict.BREACH
            judgement.is_assumed = True
            judgement.reason = judgement.reason or "the condition is unknown, and on_unknown is act"
        if incident is None:
            if verdict is Verdict.OK:
                return
            incident = self._open(rule, entity, now)
            incident.note(Verdict.UNKNOWN if judgement.is_assumed else verdict, judgement.rung, now)
        incident.judgement = judgement
        self._worsen(incident, judgement)
        if incident.phase is Phase.BREACHED:
            self._while_breached(incident, judgement, now, out)
        elif verdict is Verdict.BREACH:
            self._begin_breach(incident, now, out)
        elif verdict is Verdict.WARNING:
            self._warn(incident, now, out)
        else:
            self._fade(incident, now, out)

    def acknowledge(self, incident: Incident, now: int, out: Outbox) -> None:
        """An operator has seen it; an incident latched until then ends at once if its condition is clear."""
        incident.acknowledged = True
        self.update(incident.rule, incident.entity, self._judge(incident.rule, incident.entity, now), now, out)

    def roll_session(self, incident: Incident, now: int, out: Outbox) -> None:
        """A new session ends incidents latched to the old one; they fire anew if the condition still holds."""
        if incident.phase is Phase.BREACHED and incident.rule.latch is Latch.SESSION:
            self.resolve(incident, now, out, "a new session began")

    def fire_live(self, incident: Incident, now: int, out: Outbox) -> None:
        """Fire again what fired in shadow, because its account was armed; holds, cooldown and count were rehearsals."""
        memory = self.memories[(incident.rule.id, incident.entity.key)]
        memory.fires, memory.fired_at = 0, None
        self.resolve(incident, now, out, "the account was armed")
        judgement = self._judge(incident.rule, incident.entity, now)
        if judgement.verdict in (Verdict.BREACH, Verdict.UNKNOWN):
            again = self._open(incident.rule, incident.entity, now)
            again.phase, again.fire_at, again.judgement = Phase.PENDING, now, incident.judgement
        self.update(incident.rule, incident.entity, judgement, now, out)

    def ask_again(self, incident: Incident, account: str, now: int, out: Outbox) -> None:
        """Ask for what a rule above accounts did in shadow for this one, because it was armed."""
        for action in incident.rule.actions_of(range(incident.rung + 1)):
            out.ask(incident, action, cause=f"armed{now}", only=account)

    def remark(self, incident: Incident, now: int, out: Outbox, reason: str, severity: Severity) -> None:
        """Tell something about an incident that stays as it is, as loudly as it deserves."""
        self._tell(incident, incident.phase, now, out, reason, severity)

    def resolve(self, incident: Incident, now: int, out: Outbox, reason: str) -> None:
        """End an incident: tell, run `on_clear`, let go of what it held."""
        fired = incident.phase is Phase.BREACHED
        self._move(incident, Phase.RESOLVED, now, out, reason)
        del incident.entity.instances[incident.rule.index]
        if fired:
            for action in incident.rule.on_clear:
                out.ask(incident, action, cause="clear")
        out.freed(incident)

    def _open(self, rule: Rule, entity: Any, now: int) -> Incident:
        memory = self.memories.setdefault((rule.id, entity.key), Memory())
        memory.serial += 1
        incident = Incident(rule, entity, IncidentId(f"{rule.id}/{entity.key}/{memory.serial}"), now)
        entity.instances[rule.index] = incident
        return incident

    def _unknown(
        self, rule: Rule, entity: Any, incident: Incident | None, judgement: Judgement, now: int, out: Outbox
    ) -> None:
        """UNKNOWN keeps what is breached or holding; otherwise it warns or blocks as the rule says.

        What is not known does not clear: a hold before resolving starts anew. With `on_unknown: hold` the last verdict
        goes on, so a breach that was holding fires when its time has come.
        """
        if incident is not None:
            incident.clear_at = None
            incident.cleared = False
            if incident.phase in (Phase.BREACHED, Phase.UNKNOWN):
                return
            if incident.phase is Phase.PENDING and not _due(incident.fire_at, now):
                self._deny_meanwhile(incident, judgement, now, out)
                return
        if rule.on_unknown is OnUnknown.HOLD:
            if incident is not None and incident.phase is Phase.PENDING:
                incident.judgement.reason = "not known at the end of its hold; the last verdict goes on"
                self._fire(incident, now, out)
            return
        incident = incident or self._open(rule, entity, now)
        incident.judgement = judgement
        incident.fire_at = None
        incident.blocks = rule.on_unknown is OnUnknown.BLOCK
        incident.begun_in = (out, now)
        blocked = "; new risk is blocked" if incident.blocks else ""
        self._move(incident, Phase.UNKNOWN, now, out, f"{judgement.reason or 'the condition is unknown'}{blocked}")
        for action in rule.warn_then:
            out.ask(incident, action, cause=f"unknown{now}")  # between warnings it may become so more than once

    def _deny_meanwhile(self, incident: Incident, judgement: Judgement, now: int, out: Outbox) -> None:
        """The hold goes on; what blocks where it is not known does so from the first instant."""
        if incident.rule.on_unknown is OnUnknown.BLOCK and not incident.blocks:
            incident.blocks = True
            why = judgement.reason or "the condition is unknown"
            self._tell(incident, Phase.PENDING, now, out, f"{why}; the hold goes on, and new risk is blocked meanwhile")

    def _begin_breach(self, incident: Incident, now: int, out: Outbox) -> None:
        rule, was_blocking = incident.rule, incident.blocks
        incident.blocks = False
        incident.clear_at = None
        if incident.fire_at is None:
            incident.fire_at = max(now + rule.spec.for_ns, self._cooled_at(incident))
        if incident.fire_at <= now:
            self._fire(incident, now, out)
        elif incident.phase is not Phase.PENDING:
            hold = format_duration(incident.fire_at - now)
            self._move(
                incident, Phase.PENDING, now, out, f"must hold for {hold} more, until {to_iso(incident.fire_at)}"
            )
        elif was_blocking:
            self._tell(incident, Phase.PENDING, now, out, "known again, so entries no longer wait for that")

    def _cooled_at(self, incident: Incident) -> int:
        fired_at = self.memories[(incident.rule.id, incident.entity.key)].fired_at
        return fired_at + incident.rule.spec.cooldown_ns if fired_at is not None else 0

    def _fire(self, incident: Incident, now: int, out: Outbox) -> None:
        rule, memory = incident.rule, self.memories[(incident.rule.id, incident.entity.key)]
        incident.fire_at = None
        incident.fired_at = now
        maximum = rule.spec.max_fires
        spent = maximum is not None and memory.fires >= maximum
        memory.fires += 1
        memory.fired_at = now
        incident.begun_in = (out, now)
        incident.rung = incident.judgement.rung
        # Where the last verdict goes on though it is not known, it counts from here if it never counted.
        incident.held = {level: incident.held.get(level, now) for level in range(ALERT, incident.rung + 1)}
        note = f"fired {maximum} times in this session already, no actions are run" if spent else ""
        self._move(incident, Phase.BREACHED, now, out, incident.judgement.reason or note)
        if not spent:
            self._act(incident, range(incident.rung + 1), out)

    def _act(self, incident: Incident, rungs: range, out: Outbox) -> None:
        for action in incident.rule.actions_of(rungs):
            if action.action.name == "block_entries":
                incident.blocks = True
            out.ask(incident, action, cause=f"rung{rungs.stop - 1}" if incident.rule.rung_actions else "fire")
        incident.followed = [action.params(incident.entity) for action in _following(incident)]

    def _follow(self, incident: Incident, out: Outbox) -> None:
        """Ask again for actions that follow their parameters, where these are known and came out differently."""
        for number, action in enumerate(_following(incident) if incident.followed else ()):
            params = action.params(incident.entity)
            if params != incident.followed[number] and action.is_known(params):
                incident.followed[number] = params
                incident.follows += 1
                out.ask(incident, action, cause=f"follow{incident.follows}")

    def _while_breached(self, incident: Incident, judgement: Judgement, now: int, out: Outbox) -> None:
        rule = incident.rule
        if judgement.verdict is Verdict.BREACH and judgement.rung > incident.rung:
            rungs = range(incident.rung + 1, judgement.rung + 1)
            incident.rung = judgement.rung
            self._tell(incident, Phase.BREACHED, now, out, "a higher rung was reached")
            self._act(incident, rungs, out)
        if not self._is_clear(incident, judgement):
            incident.clear_at = None
            incident.cleared = False
            self._follow(incident, out)
            return
        if not incident.cleared and self._must_hold(incident, now, out):
            return
        incident.cleared = True
        if rule.latch is Latch.CLEAR or (rule.latch is Latch.ACK and incident.acknowledged):
            self.resolve(incident, now, out, "the condition is clear")
            if judgement.verdict is Verdict.WARNING:
                # Still near the limit: shown as a warning, but nobody is told what they know already.
                near = self._open(rule, incident.entity, now)
                near.warned = True
                self._move(near, Phase.WARNING, now, out, "resolved, still near the limit")

    @staticmethod
    def _must_hold(incident: Incident, now: int, out: Outbox) -> bool:
        """Whether it is too early to end: `clear_for` still runs, or what the incident itself did made it clear.

        A rule that blocks entries while the account is not blocked would begin and end for ever within one instant.
        What begins lasts at least a second where it would end in the very step in which it began.
        """
        if incident.clear_at is None:
            hold = incident.rule.spec.clear_for_ns if incident.phase is not Phase.UNKNOWN else 0
            if incident.begun_in == (out, now):
                hold = max(hold, NS_PER_S)
            incident.clear_at = now + hold
        if incident.clear_at > now:
            return True
        incident.clear_at = None
        return False

    @staticmethod
    def _is_clear(incident: Incident, judgement: Judgement) -> bool:
        if judgement.verdict is Verdict.BREACH:
            return False
        clear = incident.rule.clear
        return clear is None or clear.is_true(incident.entity)

    def _warn(self, incident: Incident, now: int, out: Outbox) -> None:
        incident.clear_at = None
        if incident.phase is Phase.WARNING:
            return
        incident.fire_at = None
        incident.blocks = False
        self._move(incident, Phase.WARNING, now, out, "")
        if not incident.warned:
            incident.warned = True
            for action in incident.rule.warn_then:
                out.ask(incident, action, cause="warn")

    def _fade(self, incident: Incident, now: int, out: Outbox) -> None:
        """OK again before it fired: a hold is broken off, a warning (after `clear_for`) or an unknown ends."""
        if incident.phase is not Phase.PENDING and self._must_hold(incident, now, out):
            return
        broken_off = incident.phase is Phase.PENDING
        reason = "the condition did not hold" if broken_off else incident.judgement.reason
        self._move(incident, Phase.OK if broken_off else Phase.RESOLVED, now, out, reason)
        del incident.entity.instances[incident.rule.index]
        out.freed(incident)

    @staticmethod
    def _worsen(incident: Incident, judgement: Judgement) -> None:
        measured = judgement.measured
        if measured == measured and (incident.worst is None or abs(measured) > abs(incident.worst)):
            incident.worst = measured

    def _move(self, incident: Incident, phase: Phase, now: int, out: Outbox, reason: str) -> None:
        previous, incident.phase = incident.phase, phase
        self._tell(incident, previous, now, out, reason)

    def _tell(
        self, incident: Incident, previous: Phase, now: int, out: Outbox, reason: str, severity: Severity | None = None
    ) -> None:
        rule, entity, judgement = incident.rule, incident.entity, incident.judgement
        account = account_of(entity)
        measured, threshold = judgement.measured, judgement.threshold
        out.tell(
            incident,
            Transition(
                at=now,
                rule=rule.id,
                entity=entity.key,
                incident=incident.id,
                phase=incident.phase,
                previous=previous,
                severity=severity or rule.severity,
                account=account.id if account is not None else None,
                symbol=getattr(entity, "symbol", None),
                measured=None if measured != measured else measured,
                threshold=None if threshold != threshold else threshold,
                utilization=rule.utilization(entity, measured, judgement.thresholds),
                step=incident.rung if rule.rung_actions and incident.rung >= 0 else None,
                reason=reason,
                shadow=is_shadow(rule, entity),
                suppressed=self._is_suppressed(rule, entity),
                since=incident.since,
                worst=incident.worst,
            ),
        )


def _following(incident: Incident) -> list[LinkedAction]:
    """The actions of what has fired that follow their parameters."""
    return [action for action in incident.rule.actions_of(range(incident.rung + 1)) if action.action.follows]


def is_shadow(rule: Rule, entity: Any) -> bool:
    """Whether actions are only recorded: the rule is in shadow, or its account (above accounts: every one) is."""
    account = account_of(entity)
    if account is not None:
        return rule.shadow or not account.live
    portfolio = getattr(entity, "portfolio", entity)
    return rule.shadow or not any(each.live for each in portfolio.accounts)


def _due(instant: int | None, now: int) -> bool:
    return instant is not None and instant <= now
