"""One step: an event and an instant in, transitions and a plan out.

The order within a step is part of the contract, because it makes decisions independent of how late we were woken:
every deadline that lies at or before `now` is processed first, each at its own instant; then the event is applied; then
everything that changed is screened, judged and moved; then requests become a plan; then locks and modes follow, and
what they changed is judged again (a bounded number of rounds).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from haltline.api.action import HandledBy
from haltline.clock import NS_PER_S, to_iso
from haltline.errors import DataRefused, InvariantBroken
from haltline.expr.window import WindowNeed
from haltline.kernel.aftermath import Aftermath
from haltline.kernel.arrival import take_arrivals
from haltline.kernel.command import take_command, take_due
from haltline.kernel.dark import note_earlier
from haltline.kernel.emission import Emission
from haltline.kernel.evidence import EvidenceGate
from haltline.kernel.governor import Governor, describe
from haltline.kernel.late import is_needed as is_still_late
from haltline.kernel.late import is_undoing
from haltline.kernel.loosening import LooseningBook
from haltline.kernel.override import expire_grants
from haltline.kernel.request import is_needed, is_of_operator
from haltline.kernel.retry import next_due, retry_due
from haltline.kernel.wiring import new_window, orders_of
from haltline.model.event import Event, InstrumentUpdate, Quote
from haltline.model.id import AccountId
from haltline.model.plan import PlannedAction, Result
from haltline.model.rule import Scope
from haltline.model.verdict import Phase
from haltline.rules.arbiter import Arbiter
from haltline.rules.compile import CompiledRules
from haltline.rules.flight import Flight
from haltline.rules.incident import Incident, Lifecycle, Memory, MemoryKey
from haltline.rules.index import ACCOUNT_SHIFT, EVERYTHING, INSTRUMENT_SHIFT, PORTFOLIO_SHIFT, RuleIndex
from haltline.rules.livebook import LiveBook
from haltline.rules.override import OverrideBook
from haltline.rules.rule import Judgement, Rule, account_of
from haltline.state.state import State

QUIET = Result()
TICK_NS = NS_PER_S
_MAX_ROUNDS = 8
_GOVERNED = 2 | 4 | 8 | 32  # fills, orders, account reports, locks: what may call for undoing


class Core:
    """State, rules and incidents, moved by `step` and by nothing else.

    `deadline` is the next instant at which `step` must be called even if nothing happens (with a Tick).
    """

    def __init__(self, state: State, compiled: CompiledRules) -> None:
        self.state = state
        self.live = LiveBook()
        self.memories: dict[MemoryKey, Memory] = {}
        self.arbiter = Arbiter()
        self.governor = Governor(state, self.arbiter, self.live)
        self.overrides = OverrideBook()
        self.loosenings = LooseningBook()
        self.late: dict[AccountId, Aftermath] = {}
        self.gate = EvidenceGate(self)
        self.lifecycle = Lifecycle(self.memories, self._is_suppressed, self.judgement, self.live.note)
        self.deadline: int | None = None
        self.now = state.clock.now_ns
        self.next_tick: int | None = None
        self.next_schedule: int | None = None
        self._unsettled = False
        self.days: dict[str, str] = {account.id: account.day.label for account in state.accounts.values()}
        self.compiled = compiled
        self.handlers: dict[str, HandledBy] = {"notify": HandledBy.NOTIFY}
        self._ranks: dict[str, int] = {"notify": 90}
        self.index = self.link(compiled)
        self.attach_windows()
        self.schedule_next()

    # -- the step --------------------------------------------------------------------------------------------------

    def step(self, event: Event, now: int) -> Result:
        """Process everything due up to `now`, then the event. An instant before the last one counts as the last one.

        Events that cannot be used are named in `Result.notices` and change nothing, but that a quote's instrument is
        no longer believed without a second observation.
        """
        now = max(now, self.now)
        out: Emission | None = None
        if self.deadline is not None and self.deadline <= now:
            out = self._catch_up(now)
        self.now = now
        state = self.state
        if self._unsettled:
            self._unsettled = False
            out = out or self.emission(now)
            self.judge_everything(out)
        is_word = type(event) is not Quote
        try:
            state.apply(event, now)
        except DataRefused as refused:
            out = out or self.emission(now)
            out.notices.append(f"{type(event).__name__} was refused: {refused}")
            if type(event) is Quote:
                state.note_refused(event, now, str(refused))
            is_word = False
        if type(event) is InstrumentUpdate:
            self.next_schedule = None  # market hours may be others now
        if is_word:
            out = out or self.emission(now)
            out.now = now
            note_earlier(self, event)
            take_command(self, event, now, out)
        out = self.settle(now, out)
        self.schedule_next()
        return QUIET if out is None or out.is_empty else self.result(out)

    def evaluate_all(self, now: int) -> Result:
        """Judge every rule on every entity, as after a start; what fell due happens first, when it was due."""
        out = self.move_to(now)
        self.judge_everything(out)
        self.settle(self.now, out, force=True)
        self.schedule_next()
        return self.result(out)

    def move_to(self, now: int) -> Emission:
        """Process everything due up to `now`, and let the clock show it; returns what came of it."""
        now = max(now, self.now)
        is_due = self.deadline is not None and self.deadline <= now
        out = self._catch_up(now) if is_due else self.emission(now)
        self.now = now
        self.state.advance(now)
        return out

    def emission(self, now: int) -> Emission:
        """An empty collector of what is decided at the instant `now`."""
        return Emission(now, self.live, self.state.accounts.values, self._is_quiet)

    def result(self, out: Emission) -> Result:
        """What was collected, with the next deadline."""
        return Result(
            transitions=tuple(out.transitions),
            plan=tuple(out.planned),
            notices=tuple(out.notices),
            deadline=self.deadline,
            attention=tuple(out.attention),
        )

    # -- deadlines -------------------------------------------------------------------------------------------------

    def _catch_up(self, now: int) -> Emission:
        """Process every deadline up to `now`, each at its own instant."""
        out = self.emission(now)
        while self.deadline is not None and self.deadline <= now:
            due = max(self.deadline, self.now)
            self.now = out.now = due
            self._process_deadline(due, out)
            self.settle(due, out)
            before = self.deadline
            self.schedule_next()
            if self.deadline is not None and before is not None and self.deadline <= before and self.deadline <= due:
                raise InvariantBroken(f"the deadline {to_iso(due)} was processed and stands still")
        out.now = now
        return out

    def _process_deadline(self, due: int, out: Emission) -> None:
        self.state.advance(due)
        self._roll_sessions(due, out)
        for lock in self.governor.expire(due):
            out.notices.append(f"lock on {lock.account} ended: {describe(lock)}")
            out.moved = True
        expire_grants(self, due, out)
        take_due(self, due, out)
        for incident in self.live.due(due):
            self.judge(incident.rule, incident.entity, out)
        if self.next_tick is not None and self.next_tick <= due:
            self.next_tick = due - due % TICK_NS + TICK_NS
            self._judge_timed(out)
        if self.next_schedule is not None and self.next_schedule <= due:
            self._judge_scheduled(out)
            self._plan_schedules(due)
        retry_due(self, due, out)

    def schedule_next(self) -> None:
        """The earliest of: state deadlines, holds, locks, retries, rule hours, and the tick of rules that read time."""
        earliest = self.state.deadline
        if self.index.reads_time and self.next_tick is None:
            self.next_tick = self.now - self.now % TICK_NS + TICK_NS
        if self.index.scheduled and self.next_schedule is None:
            self._plan_schedules(self.now)
        for instant in (self.next_tick, self.next_schedule):
            if instant is not None and (earliest is None or instant < earliest):
                earliest = instant
        if self.live or self.arbiter.flights or self.governor.allowances or self.overrides or self.loosenings:
            earliest = self._earliest_hold(earliest)
        self.deadline = earliest

    def _earliest_hold(self, earliest: int | None) -> int | None:
        instants = [incident.timer for incident in self.live.holding.values()]
        instants += [
            self.governor.locks.next_expiry(),
            next_due(self),
            self.overrides.next_expiry(),
            self.loosenings.next_due(),
            self.gate.next_due(),
            earliest,
        ]
        return min((instant for instant in instants if instant is not None), default=None)

    def _plan_schedules(self, now: int) -> None:
        zones = {account.roll.zone for account in self.state.accounts.values()} | {"UTC"}
        schedules = [rule.schedule for rule in self.index.scheduled if rule.schedule is not None]
        changes = [schedule.next_change(now, zone) for schedule in schedules for zone in zones]
        if any(schedule.follows_session for schedule in schedules):
            changes += [view.due for view in self.state.views.values()]
        self.next_schedule = min((change for change in changes if change is not None), default=None)

    def _roll_sessions(self, now: int, out: Emission) -> None:
        """A new trading day: incidents latched to the session end, and rules may fire as often as before again."""
        for account in self.state.accounts.values():
            day = account.day.label
            if self.days.get(account.id) == day:
                continue
            self.days[account.id] = day
            for key, memory in self.memories.items():
                owner = key[1].partition("/")[0]
                if owner == account.id or owner not in self.state.accounts:
                    memory.fires = 0
            for incident in list(self.live.values()):
                if account_of(incident.entity) in (account, None) and incident.phase is Phase.BREACHED:
                    self.lifecycle.roll_session(incident, now, out)
                    self.judge(incident.rule, incident.entity, out)

    # -- from what changed to judgements ---------------------------------------------------------------------------

    def settle(self, now: int, out: Emission | None, *, force: bool = False) -> Emission | None:
        """Judge what changed until nothing moves any more; the hot path leaves after the first look."""
        state = self.state
        for _ in range(_MAX_ROUNDS):
            governed: list[Any] = []
            if state.created or state.removed:
                out = out or self.emission(now)
                take_arrivals(self, now, out)
            if state.touched:
                out = self._judge_touched(now, out, governed)
            if out is None:
                return None
            self.gate.sift(out)
            moved = out.moved or force or bool(governed and self.governor.barred)  # somebody may hold it now
            force = out.moved = False
            if self.arbiter.owed:
                out.requests.extend(self.arbiter.take_owed(now, self.still_wanted))
            if out.requests:
                self._plan(out)
                moved = True
            if moved:
                self._release_ended(out)
                out.notices.extend(self.governor.refresh())
                governed = list(self.state.accounts.values())
            self._undo(governed, out)
            if not state.touched and not out.moved:
                return out
        assert out is not None  # a round without an outbox has returned
        out.notices.append(f"rules kept changing each other's input; judging was cut off after {_MAX_ROUNDS} rounds")
        self._unsettled = True  # nothing is lost: the next step judges everything
        self.forget_changes()
        return out

    def _judge_touched(self, now: int, out: Emission | None, governed: list[Any]) -> Emission | None:
        state, index = self.state, self.index
        touched: list[Any] = state.touched
        if index.samples:
            self._sample(touched, now)
        portfolio_bits = state.portfolio.changed << PORTFOLIO_SHIFT
        screen_of = index.screen
        for entity in touched:
            key = entity.changed | portfolio_bits
            scope = entity.scope
            if scope is Scope.POSITION or scope is Scope.ORDER:
                key |= entity.account.changed << ACCOUNT_SHIFT | entity.instrument.changed << INSTRUMENT_SHIFT
            screen = screen_of(scope, key)
            if screen is not None or entity.instances:
                hits = screen(entity) if screen is not None else ()
                if hits or entity.instances:
                    out = out or self.emission(now)
                    self._judge_hits(entity, hits, out)
            if scope is Scope.ACCOUNT and entity.changed & _GOVERNED:
                governed.append(entity)
        if index.fans:
            out = self._fan_out(now, out, touched)
        if governed:
            out = out or self.emission(now)
        for entity in touched:
            entity.changed = 0
        touched.clear()
        return out

    def _sample(self, touched: list[Any], now: int) -> None:
        """One more sample in every window whose reader may have changed."""
        series = self.index.series
        for entity in touched:
            changed = entity.changed
            if entity.scope is Scope.ACCOUNT and entity.behind_until:
                continue  # what old fills pass through is no sample
            for feed in series.get(entity.scope, ()):
                if feed.changes & changed:
                    entity.windows[feed.index].add(now, feed.read(entity))

    def _fan_out(self, now: int, out: Emission | None, touched: list[Any]) -> Emission | None:
        """Entities that did not change themselves, but whose rules read an account or instrument that did."""
        portfolio_bits = self.state.portfolio.changed << PORTFOLIO_SHIFT
        for entity in list(touched):
            scope = entity.scope
            if scope is Scope.ACCOUNT:
                key = entity.changed << ACCOUNT_SHIFT | portfolio_bits
                out = self._fan_to(Scope.POSITION, key, entity.book.values(), now, out)
                out = self._fan_to(Scope.ORDER, key, entity.order_book.values(), now, out)
            elif scope is Scope.INSTRUMENT:
                key = entity.changed << INSTRUMENT_SHIFT | portfolio_bits
                out = self._fan_to(Scope.POSITION, key, entity.positions, now, out)
                out = self._fan_to(Scope.ORDER, key, orders_of(self.state, entity), now, out)
            elif scope is Scope.PORTFOLIO:
                for wide in (Scope.ACCOUNT, Scope.INSTRUMENT, Scope.POSITION, Scope.ORDER):
                    out = self._fan_to(wide, portfolio_bits, self.state.entities(wide), now, out)
        return out

    def _fan_to(
        self, scope: Scope, key: int, entities: Iterable[Any], now: int, out: Emission | None
    ) -> Emission | None:
        screen = self.index.screen(scope, key) if scope in self.index.fans else None
        if screen is None:
            return out
        for entity in list(entities):
            if entity.changed:
                continue
            hits = screen(entity)
            if hits or entity.instances:
                out = out or self.emission(now)
                self._judge_hits(entity, hits, out)
        return out

    def _judge_hits(self, entity: Any, hits: Sequence[int], out: Emission) -> None:
        rules = self.index.rules
        for number in hits:
            self.judge(rules[number], entity, out)
        if entity.instances:
            for number in [number for number in entity.instances if number not in hits]:
                self.judge(rules[number], entity, out)

    def judge(self, rule: Rule, entity: Any, out: Emission) -> None:
        """Judge one rule on one entity and move its incident."""
        self.lifecycle.update(rule, entity, self.judgement(rule, entity, out.now), out.now, out)

    def judgement(self, rule: Rule, entity: Any, now: int) -> Judgement:
        """What a rule says of an entity, overrides included."""
        override = self.overrides.of(rule, entity) if self.overrides else None
        return rule.judge(entity, now, override)

    def _judge_timed(self, out: Emission) -> None:
        """Rules that can change by the passing of time alone, on every entity of their scope."""
        for scope, screen in self.index.timed.items():
            for entity in list(self.state.entities(scope)):
                hits = screen(entity)
                if hits:
                    self._judge_hits(entity, hits, out)
                elif entity.instances:
                    self._judge_hits(entity, (), out)

    def _judge_scheduled(self, out: Emission) -> None:
        for rule in self.index.scheduled:
            for entity in list(self.state.entities(rule.each)) if rule.each is not Scope.FILL else ():
                self.judge(rule, entity, out)

    def judge_everything(self, out: Emission) -> None:
        """Judge whatever is not definitely fine, for every entity: after a start or a change of rules."""
        for scope in Scope:
            screen = self.index.screen(scope, EVERYTHING) if scope not in (Scope.INTENT, Scope.FILL) else None
            for entity in list(self.state.entities(scope)) if screen is not None else ():
                self._judge_hits(entity, screen(entity) if screen is not None else (), out)

    # -- from requests to a plan -----------------------------------------------------------------------------------

    def _plan(self, out: Emission) -> None:
        requests, out.requests = out.requests, []
        for action in self.arbiter.plan(requests, self._ranks):
            if self._handled_by(action.name) is HandledBy.KERNEL:
                if action.name == "lock" and not action.shadow:
                    self.governor.lock_for_rule(action, out.now)
            elif self._handled_by(action.name) is HandledBy.ENFORCE and not action.shadow:
                self.arbiter.launch(action, brief=not self.still_wanted(action))
            out.planned.append(action)

    def _handled_by(self, name: str) -> HandledBy:
        return self.handlers.get(name, HandledBy.ENFORCE)

    def _undo(self, accounts: list[Any], out: Emission) -> None:
        for account in accounts:
            if self.governor.allowances:
                self.governor.note_sizes(account)
            out.planned.extend(self.governor.undo(account, out.now))

    def _release_ended(self, out: Emission) -> None:
        if out.ended:
            self.governor.release_for({incident.rule.id for incident in out.ended})
            out.ended.clear()

    def is_wanted(self, flight: Flight) -> bool:
        """Whether what failed is tried again; never in an account that is in shadow by now, where nothing is sent."""
        return self._is_armed(flight.action) and (flight.insists(self.now) or self.still_wanted(flight.action))

    def still_wanted(self, action: PlannedAction) -> bool:
        """Whether a failed action is worth another try: its incident lives, the lock behind it stands, what it undoes
        is still there, or the operator who asked for it still needs it."""
        if is_of_operator(action):
            return self._is_armed(action) and is_needed(self, action)
        if is_undoing(action):
            return self._is_armed(action) and is_still_late(self, action)
        if not action.incidents:
            return self.governor.is_owed(action)
        return any(incident in self.live for incident in action.incidents)

    def _is_armed(self, action: PlannedAction) -> bool:
        account = self.state.accounts.get(action.account or "")
        return action.account is None or (account is not None and account.live)

    # -- wiring ----------------------------------------------------------------------------------------------------

    def link(self, compiled: CompiledRules) -> RuleIndex:
        """Compile a rule set for this state."""
        bindings = {"clock": self.state.clock, "portfolio": self.state.portfolio}
        rules = [Rule(number, checked, bindings) for number, checked in enumerate(compiled.rules)]
        needs = {scope: compiled.vocabulary.plan.needs(scope) for scope in Scope}
        actions = [action.action for rule in rules for action in rule.every_action()]
        # Rules that go may still ask for something with their last breath: what is known of actions is kept.
        self.handlers.update({action.name: action.handled_by for action in actions})
        self._ranks.update({action.name: action.rank for action in actions})
        self._suppressed = {name for rule in rules for name in rule.suppresses}
        return RuleIndex(rules, needs, bindings)

    def attach_windows(self, old: dict[tuple[str, WindowNeed], Any] | None = None) -> None:
        """Give every entity the windows its scope needs: old ones of equal meaning, or new ones."""
        for scope in Scope:
            if scope is not Scope.INTENT:
                for entity in self.state.entities(scope):
                    self.attach(entity, old or {})
        self.state.created.clear()

    def attach(self, entity: Any, old: dict[tuple[str, WindowNeed], Any]) -> None:
        """Give one entity the windows its scope needs: old ones of equal meaning, or new ones."""
        needs = self.index.needs.get(entity.scope, ())
        found = [old.get((entity.key, need)) for need in needs]
        entity.windows = [
            window if window is not None else new_window(need) for window, need in zip(found, needs, strict=True)
        ]
        for feed in self.index.series.get(entity.scope, ()):
            if found[feed.index] is None:
                entity.windows[feed.index].add(self.state.clock.now_ns, feed.read(entity))

    def forget_changes(self) -> None:
        """Take the present state as known: nothing is left to be looked at."""
        for entity in self.state.touched:
            entity.changed = 0
        self.state.touched.clear()
        self.state.created.clear()
        self.state.removed.clear()
        self.schedule_next()

    # -- suppression -----------------------------------------------------------------------------------------------

    def _is_suppressed(self, rule: Rule, entity: Any) -> bool:
        """Whether a rule that suppresses this one is breached on the same entity or account."""
        if rule.id not in self._suppressed:
            return False
        account = account_of(entity)
        return any(
            rule.id in incident.rule.suppresses
            and (incident.entity is entity or account_of(incident.entity) is account)
            for incident in self.live.silencing.values()
        )

    def _is_quiet(self, incident: Incident) -> bool:
        return self._is_suppressed(incident.rule, incident.entity)
