"""The world of one test: a kernel on a virtual clock, its deadlines honoured, and everything it said."""

from collections.abc import Callable, Mapping

from haltline.api import Action
from haltline.errors import InvariantBroken
from haltline.kernel.kernel import Kernel
from haltline.model.event import ActionOutcome, Event, OutcomeStatus, Tick
from haltline.model.id import ActionId
from haltline.model.plan import PlannedAction, Result
from haltline.model.verdict import Transition
from haltline.ruletest.case import Fate
from haltline.ruletest.hearing import Hall
from haltline.ruletest.outcome import is_done
from haltline.ruletest.rehearsal import excess_of

_MOST_ROUNDS = 1000
_DONE = Fate(status=OutcomeStatus.DONE)
OF_LOCKS = frozenset({"cancel_orders", "close_position", "reduce_to"})
"""What the kernel itself asks for, to undo what appears in spite of a lock."""
_NOT_ENFORCED = frozenset({"notify", "block_entries", "lock"})


class World:
    """Feeds events in order of time; keeps what the kernel said since `begin_step`.

    It begins empty, or from a saved `state`. Nothing is enforced: positions and orders change by the steps of the test
    alone. An enforcement that is planned (and not in shadow) is reported as done as soon as they agree with it, as an
    enforcer that looks would do; one with another `fate` ends like that, each time it is tried; one that would go
    beyond its caps needs consent.
    """

    def __init__(
        self, make_kernel: Callable[[], Kernel], start: int, state: bytes = b"", hall: Hall | None = None,
        action_of: Callable[[str], Action | None] = lambda name: None,
    ) -> None:  # fmt: skip
        self._make_kernel = make_kernel
        self._action_of = action_of
        self._excess: dict[ActionId, str] = {}
        self.hall = hall
        self._under_way: dict[ActionId, PlannedAction] = {}
        self._fates: dict[str, Fate] = {}
        self.now = start
        self.kernel = make_kernel()
        if state:
            self.kernel.restore(state)
        self.transitions: list[Transition] = []
        self.plan: list[PlannedAction] = []
        self.notices: list[str] = []
        self.latest: dict[tuple[str, str], Transition] = {}
        self.feed(Tick(at=start, received_at=start))
        self._note(self.kernel.evaluate_all(start))

    def decide(self, fates: Mapping[str, Fate]) -> None:
        """From now on tries of these actions end like this."""
        self._fates |= fates
        self._report_ended()

    def begin_step(self) -> None:
        """Forget what was said in the step before."""
        self.transitions = []
        self.plan = []
        self.notices = []
        if self.hall is not None:
            self.hall.begin_step(self.now)

    def feed(self, event: Event) -> None:
        """Give the kernel one event, now."""
        self._note(self.kernel.step(event, self.now))
        self._report_ended()

    def advance(self, until: int) -> None:
        """Let time pass; the kernel is stepped at each of its deadlines on the way, and at the end."""
        repeated, latest = 0, -1
        while (deadline := self.kernel.deadline) is not None and deadline <= until:
            repeated = repeated + 1 if deadline <= latest else 0
            if repeated > _MOST_ROUNDS:
                raise InvariantBroken(f"the kernel keeps asking to be stepped at {deadline}")
            latest = max(deadline, latest)
            self._tell_until(deadline)
            self.now = max(self.now, deadline)
            self.feed(Tick(at=self.now, received_at=self.now))
        self._tell_until(until)
        if until > self.now:
            self.now = until
            self.feed(Tick(at=until, received_at=until))

    def _tell_until(self, instant: int) -> None:
        if self.hall is not None:
            self.hall.until(instant)

    def restart(self) -> None:
        """End the process and start it again: snapshot, a fresh kernel, restore."""
        data = self.kernel.snapshot()
        self.kernel = self._make_kernel()
        self.kernel.restore(data)
        if self.hall is not None:
            self.hall.restart(self.now)
        self.feed(Tick(at=self.now, received_at=self.now))

    def _note(self, result: Result) -> None:
        self.transitions += result.transitions
        self.latest.update({(str(said.rule), said.entity): said for said in result.transitions})
        self.plan += result.plan
        self.notices += result.notices
        if self.hall is not None:
            self.hall.take(result, self.kernel, self.now)
        for action in result.plan:
            if action.account is not None and not action.shadow and action.name not in _NOT_ENFORCED:
                self._under_way[action.id] = action
                excess = excess_of(self._action_of(action.name), action, self.kernel.state, self.now)
                if excess:
                    self._excess[action.id] = f"{action.name} would touch {excess}"

    def _report_ended(self) -> None:
        for _ in range(_MOST_ROUNDS):
            ended = next((action for action in self._under_way.values() if self._has_ended(action)), None)
            if ended is None:
                return
            del self._under_way[ended.id]
            self._note(self.kernel.step(self._outcome(ended), self.now))
        raise InvariantBroken("an action that is done is planned again and again")

    def _has_ended(self, action: PlannedAction) -> bool:
        return self._fate(action).status is not OutcomeStatus.DONE or is_done(action, self.kernel.state)

    def _fate(self, action: PlannedAction) -> Fate:
        excess = self._excess.get(action.id)
        needs = _DONE if excess is None else Fate(status=OutcomeStatus.NEEDS_CONSENT, detail=excess)
        fate = self._fates.get(action.name, needs)
        return _DONE if fate.status is OutcomeStatus.NEEDS_CONSENT and action.consent else fate

    def _outcome(self, action: PlannedAction) -> ActionOutcome:
        fate = self._fate(action)
        assert action.account is not None
        wait = fate.retry_after_ns
        return ActionOutcome(
            at=self.now, received_at=self.now, action_id=action.id, account=action.account, status=fate.status,
            detail=fate.detail, retry_at=None if wait is None else self.now + wait,
        )  # fmt: skip
