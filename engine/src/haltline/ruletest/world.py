"""The world of one test: a kernel on a virtual clock, its deadlines honoured, and everything it said."""

from collections.abc import Callable

from haltline.errors import InvariantBroken
from haltline.kernel.kernel import Kernel
from haltline.model.event import ActionOutcome, Event, OutcomeStatus, Tick
from haltline.model.plan import PlannedAction, Result
from haltline.model.verdict import Transition

_MOST_STEPS_AT_ONE_INSTANT = 1000
_NOT_ENFORCED = frozenset({"notify", "block_entries", "lock"})


class World:
    """Feeds events in order of time. What the kernel said since `begin_step` is kept in `transitions`, `plan`, `notices`.

    Every enforcement that is planned (and not in shadow) is reported as done at once, so that the next one is not held
    back as already under way; positions and orders change only by the steps of the test.
    """

    def __init__(self, make_kernel: Callable[[], Kernel], start: int, *, confirm: bool = True) -> None:
        self._make_kernel = make_kernel
        self._confirm = confirm
        self.now = start
        self.kernel = make_kernel()
        self.transitions: list[Transition] = []
        self.plan: list[PlannedAction] = []
        self.notices: list[str] = []
        self.latest: dict[tuple[str, str], Transition] = {}
        self.feed(Tick(at=start, received_at=start))

    def begin_step(self) -> None:
        """Forget what was said in the step before."""
        self.transitions = []
        self.plan = []
        self.notices = []

    def feed(self, event: Event) -> None:
        """Give the kernel one event, now."""
        self._note(self.kernel.step(event, self.now))

    def advance(self, until: int) -> None:
        """Let time pass; the kernel is stepped at each of its deadlines on the way, and at the end."""
        repeated, latest = 0, -1
        while (deadline := self.kernel.deadline) is not None and deadline <= until:
            repeated = repeated + 1 if deadline <= latest else 0
            if repeated > _MOST_STEPS_AT_ONE_INSTANT:
                raise InvariantBroken(f"the kernel keeps asking to be stepped at {deadline}")
            latest = max(deadline, latest)
            self.now = max(self.now, deadline)
            self.feed(Tick(at=self.now, received_at=self.now))
        if until > self.now:
            self.now = until
            self.feed(Tick(at=until, received_at=until))

    def restart(self) -> None:
        """End the process and start it again: snapshot, a fresh kernel, restore."""
        data = self.kernel.snapshot()
        self.kernel = self._make_kernel()
        self.kernel.restore(data)
        self.feed(Tick(at=self.now, received_at=self.now))

    def _note(self, result: Result) -> None:
        self.transitions += result.transitions
        self.latest.update({(str(said.rule), said.entity): said for said in result.transitions})
        self.plan += result.plan
        self.notices += result.notices
        if not self._confirm:
            return
        for action in result.plan:
            if action.account is not None and not action.shadow and action.name not in _NOT_ENFORCED:
                outcome = ActionOutcome(
                    at=self.now,
                    received_at=self.now,
                    action_id=action.id,
                    account=action.account,
                    status=OutcomeStatus.DONE,
                )
                self._note(self.kernel.step(outcome, self.now))
