"""What waits, runs and is watched for one account, and who goes before whom."""

import asyncio
import heapq
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from haltline.api import Action
from haltline.enforce.cap import Reach
from haltline.enforce.confirm import Confirmation
from haltline.enforce.legs import History
from haltline.enforce.precedence import goes_before, supersedes
from haltline.enforce.share import SharingDesk
from haltline.enforce.wait import Wait
from haltline.journal.receipt import LegIntent, Remaining
from haltline.model.id import ActionId, Symbol
from haltline.model.plan import PlannedAction

_TICKETS = itertools.count()


@dataclass(slots=True, kw_only=True)
class Job:
    """One action on its way. `marks` are the prices when it was decided; `history` what is on record from before."""

    planned: PlannedAction
    action: Action
    history: History = field(default_factory=History)
    marks: Mapping[Symbol, float] = field(default_factory=dict)
    started_at: int = 0
    desk: SharingDesk | None = None
    confirmation: Confirmation | None = None
    remaining: Remaining | None = None
    reach: Reach = field(default_factory=Reach)


class Lane:
    """The actions of one account: by rank, then in order of arrival; one runs, others may be watched meanwhile.

    `parked` are those that a crash cut off, until the account is confirmed and they are carried on.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.waiting: list[tuple[int, int, Job]] = []
        self.watched: list[Job] = []
        self.parked: dict[ActionId, Job] = {}
        self.ended: list[tuple[Job, PlannedAction]] = []
        self.running: Job | None = None
        self.wake = asyncio.Event()
        self.nap = Wait()
        self.pull = Wait()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, runs, is watched or is to be carried on."""
        return self.running is None and not (self.waiting or self.watched or self.parked or self.ended)

    @property
    def jobs(self) -> list[Job]:
        """Everything that is not over, the running one first."""
        running = [] if self.running is None else [self.running]
        waiting = (job for _, _, job in sorted(self.waiting, key=lambda item: item[:2]))
        return [*running, *self.watched, *self.parked.values(), *waiting]

    def push(self, job: Job, *, peers: Collection[ActionId] = ()) -> None:
        """Let it wait for its turn, and what must make room for it end or stand back. `peers` are of the same plan:
        their order is settled by rank.
        """
        self._put(job, job.action.rank)
        for other in [other for other in self.watched if supersedes(job.planned, other.planned)]:
            self.watched.remove(other)
            self._end(other, job)
        for other in [other for other in self.parked.values() if supersedes(job.planned, other.planned)]:
            del self.parked[other.planned.id]
            self._end(other, job)
        for entry in [entry for entry in self.waiting if goes_before(job.planned, entry[2].planned)]:
            if entry[2].planned.id not in peers:
                self.waiting.remove(entry)
                heapq.heapify(self.waiting)
                self._make_way(entry[2], job)
        running = self.running
        if running is not None and running.desk is not None and goes_before(job.planned, running.planned):
            running.desk.make_way(job.planned)
        self.wake.set()
        self.nap.cut()
        self.pull.cut()

    def look_again(self) -> None:
        """The kernel's books have changed: what is watched is judged anew."""
        if self.watched:
            for confirmation in [job.confirmation for job in self.watched if job.confirmation is not None]:
                confirmation.wake_at = 0
            self.nap.cut()

    def take(self) -> Job | None:
        """The next one, from now on the running one; None if all wait for something stronger to be confirmed or carried
        on.
        """
        held = [*self.watched, *self.parked.values()]
        for entry in sorted(self.waiting, key=lambda entry: entry[:2]) if held else self.waiting[:1]:
            if not any(supersedes(other.planned, entry[2].planned) for other in held):
                self.waiting.remove(entry)
                heapq.heapify(self.waiting)
                self.running = entry[2]
                return self.running
        return None

    def stronger_than(self, job: Job) -> PlannedAction | None:
        """An action that waits and must not wait long for this one."""
        waiting = (other.planned for _, _, other in self.waiting)
        return next((planned for planned in waiting if goes_before(planned, job.planned)), None)

    def stand_back(self, job: Job, behind: PlannedAction) -> None:
        """Put an action that was cut off behind the stronger one; what it has begun it takes up again then."""
        rank = next((rank for rank, _, other in self.waiting if other.planned.id == behind.id), job.action.rank)
        job.desk = None
        self._put(job, max(rank, job.action.rank))

    def hand_over(self, orders: Mapping[str, LegIntent]) -> None:
        """Make orders that are not settled known to whatever runs next: nobody sizes a second close beside them."""
        for job in self.jobs:
            job.history.inherited |= orders

    def _make_way(self, weak: Job, strong: Job) -> None:
        if supersedes(strong.planned, weak.planned):
            self._end(weak, strong)
        else:
            self._put(weak, max(strong.action.rank, weak.action.rank))

    def _end(self, weak: Job, strong: Job) -> None:
        self.ended.append((weak, strong.planned))

    def _put(self, job: Job, rank: int) -> None:
        heapq.heappush(self.waiting, (rank, next(_TICKETS), job))
