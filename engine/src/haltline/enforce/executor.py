"""Plans become deeds: one lane per account, least harmful action first, an outcome for every action."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from haltline.api import Action, Broker, HandledBy
from haltline.api.registry import Shelf
from haltline.clock import Clock
from haltline.enforce.budget import Budget
from haltline.enforce.desk import ActionDesk, History, MarkOf
from haltline.enforce.ledger import Ledger
from haltline.enforce.verify import remaining_of, shortfall
from haltline.errors import InvariantBroken, OutcomeUnknown, Refused, Transient
from haltline.journal.error import JournalError
from haltline.journal.receipt import Receipt, Remaining
from haltline.journal.record import RecordKind, entry_of
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.plan import PlannedAction

type Report = Callable[[ActionOutcome, Receipt], None]
"""Told of every outcome, after it is on record."""

_REMEMBERED = 10_000


class Executor:
    """Carries out what the kernel plans. The runtime gives every account's `run_lane` a task; here none is made.

    A lane holds at most `capacity` actions; one more is refused, and reported as failed, so that people hear of it.
    """

    def __init__(
        self, *, actions: Shelf[Action], brokers: Mapping[AccountId, Broker], clock: Clock, ledger: Ledger,
        report: Report, instruments: Mapping[Symbol, InstrumentSpec], mark_of: MarkOf = lambda symbol: None,
        budget: Budget | None = None, capacity: int = 1000,
    ) -> None:  # fmt: skip
        self._actions = actions
        self._brokers = brokers
        self._clock = clock
        self._ledger = ledger
        self._report = report
        self._instruments = instruments
        self._mark_of = mark_of
        self._budget = budget or Budget()
        self._lanes = {account: _Lane(capacity) for account in brokers}
        self._ticket = itertools.count()
        self._histories: dict[ActionId, History] = {}
        self._known: set[ActionId] = set()
        self._resumed: set[ActionId] = set()
        self._order: deque[ActionId] = deque()

    @property
    def accounts(self) -> tuple[AccountId, ...]:
        """The accounts that have a lane."""
        return tuple(self._lanes)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not any(lane.waiting or lane.is_busy for lane in self._lanes.values())

    def accept(self, plan: Sequence[PlannedAction], histories: Mapping[ActionId, History] | None = None) -> None:
        """Take the actions of a plan that are ours; those of shadow, kernel and notifier, and known ones, are left.

        `histories` tell, after a restart, which requests of an action were begun. Never blocks.
        """
        for planned in plan:
            action = self._actions.get(planned.name)
            if planned.shadow or action is None or action.handled_by is not HandledBy.ENFORCE:
                continue
            if planned.id in self._known:
                continue
            self._remember(planned.id)
            if histories and planned.id in histories:
                self._histories[planned.id] = histories[planned.id]
            self._enqueue(planned, action)

    def resume(self, actions: Sequence[PlannedAction], histories: Mapping[ActionId, History]) -> None:
        """Carry on with actions that a crash cut off, once each."""
        for planned in actions:
            self._known.discard(planned.id)
            if planned.id not in self._resumed:
                self._resumed.add(planned.id)
                self.accept([planned], histories)

    def mark_finished(self, actions: Sequence[ActionId]) -> None:
        """Never carry these out again: their outcomes are on record."""
        for action in actions:
            self._remember(action)

    async def run_lane(self, account: AccountId) -> None:
        """Carry out the actions of one account, one at a time, until cancelled; a failure to write ends it."""
        lane = self._lanes[account]
        while True:
            await lane.wake.wait()
            while lane.waiting:
                _, _, planned, action = heapq.heappop(lane.waiting)
                lane.is_busy = True
                try:
                    await self._execute(account, planned, action)
                finally:
                    lane.is_busy = False
            lane.wake.clear()

    def _enqueue(self, planned: PlannedAction, action: Action) -> None:
        lane = self._lanes.get(planned.account) if planned.account is not None else None
        if lane is None:
            self._refuse(planned, f"no broker serves account {planned.account!r}")
        elif len(lane.waiting) >= lane.capacity:
            self._refuse(planned, f"{lane.capacity} actions are already waiting for this account [E802]")
        else:
            heapq.heappush(lane.waiting, (action.rank, next(self._ticket), planned, action))
            lane.wake.set()

    def _refuse(self, planned: PlannedAction, reason: str) -> None:
        now = self._clock.now()
        receipt = Receipt(
            action=planned.id, name=planned.name, account=planned.account or AccountId(""), symbol=planned.symbol,
            status=OutcomeStatus.FAILED, started_at=now, ended_at=now, reason=reason, rules=planned.rules,
        )  # fmt: skip
        self._report(outcome_of(receipt), receipt)

    async def _execute(self, account: AccountId, planned: PlannedAction, action: Action) -> None:
        started = self._clock.now()
        desk = ActionDesk(
            planned.id, broker=self._brokers[account], clock=self._clock, ledger=self._ledger, budget=self._budget,
            instruments=self._instruments, mark_of=self._mark_of, history=self._histories.pop(planned.id, None),
        )  # fmt: skip
        status, reason, remaining = await self._attempt(account, planned, action, desk)
        receipt = Receipt(
            action=planned.id, name=planned.name, account=account, symbol=planned.symbol, status=status,
            started_at=started, ended_at=self._clock.now(), legs=desk.legs, remaining=remaining, reason=reason,
            rules=planned.rules, proven_at=desk.proven_at,
        )  # fmt: skip
        await self._ledger.record([entry_of(RecordKind.OUTCOME, receipt.ended_at, receipt)], durable=True)
        self._report(outcome_of(receipt), receipt)

    async def _attempt(
        self, account: AccountId, planned: PlannedAction, action: Action, desk: ActionDesk
    ) -> tuple[OutcomeStatus, str, Remaining | None]:
        status, reason = OutcomeStatus.DONE, ""
        try:
            await _run(action, planned, desk)
        except OutcomeUnknown as failure:
            status, reason = OutcomeStatus.UNKNOWN, f"{failure} [E803]"
        except (Transient, Refused) as failure:
            status, reason = OutcomeStatus.FAILED, f"{failure} [E801]"
        except (JournalError, InvariantBroken):
            raise
        except Exception as error:  # noqa: BLE001 - the wall around plugin code: an action may raise anything
            status, reason = OutcomeStatus.FAILED, f"the action raised {type(error).__name__}: {error} [E801]"
        desk.proven_at = self._clock.now()
        try:
            remaining = remaining_of(await desk.snapshot(account))
        except (JournalError, InvariantBroken):
            raise
        except Exception as failure:  # noqa: BLE001 - the wall around plugin code: a broker may raise anything
            return (OutcomeStatus.UNKNOWN if status is OutcomeStatus.DONE else status), reason or str(failure), None
        owed = shortfall(planned, remaining)
        if status is OutcomeStatus.DONE and owed:
            status, reason = OutcomeStatus.FAILED, f"{owed} [E801]"
        return status, reason, remaining

    def _remember(self, action: ActionId) -> None:
        if action not in self._known:
            self._known.add(action)
            self._order.append(action)
            if len(self._order) > _REMEMBERED:
                self._known.discard(self._order.popleft())


class _Lane:
    """The actions waiting for one account, by rank, then in order of arrival."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.waiting: list[tuple[int, int, PlannedAction, Action]] = []
        self.wake = asyncio.Event()
        self.is_busy = False


async def _run(action: Action, planned: PlannedAction, desk: ActionDesk) -> None:
    """The action, once more where it left something after all (a fill in between, say)."""
    if action.run is None:
        raise Refused(f"action {action.name!r} brings nothing to run")
    await desk.recall()
    await action.run(planned, desk)
    if planned.account is None or planned.name not in ("flatten", "close_position", "reduce_to"):
        return
    for _ in range(3):
        if not shortfall(planned, remaining_of(await desk.snapshot(planned.account))):
            return
        await action.run(planned, desk)


def outcome_of(receipt: Receipt) -> ActionOutcome:
    """The event that tells the kernel of a receipt; it is as of the instant at which the proof was asked for."""
    return ActionOutcome(
        at=receipt.ended_at if receipt.proven_at is None else receipt.proven_at, received_at=receipt.ended_at,
        action_id=receipt.action, account=receipt.account,
        status=receipt.status, detail=str(receipt), rule=receipt.rules[0] if receipt.rules else None,
    )  # fmt: skip
