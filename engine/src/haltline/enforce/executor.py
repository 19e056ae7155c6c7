"""Plans become deeds: one lane per account, what is urgent first, an outcome for every action."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from haltline.api import AccountSnapshot, Action, Broker, HandledBy
from haltline.api.registry import Shelf
from haltline.clock import Clock
from haltline.enforce.budget import Budget
from haltline.enforce.cap import OverCap, ValueOf, beyond, capped_desk
from haltline.enforce.confirm import Confirmation, Step
from haltline.enforce.desk import MarkOf
from haltline.enforce.lane import Job, Lane
from haltline.enforce.ledger import Ledger
from haltline.enforce.legs import History
from haltline.enforce.naming import NamingBroker
from haltline.enforce.precedence import CONFIRMED, Superseded, supersedes
from haltline.enforce.progress import OnProgress, Progress, Stage, progress_of
from haltline.enforce.share import SharingDesk
from haltline.enforce.verify import is_half_done, remaining_of, shortfall
from haltline.enforce.wall import WalledBroker
from haltline.enforce.witness import NoWitness, Witness
from haltline.errors import InvariantBroken, OutcomeUnknown, Refused, Transient
from haltline.journal.error import JournalError
from haltline.journal.receipt import Receipt, Remaining
from haltline.journal.record import RecordKind, entry_of
from haltline.kernel.request import is_of_operator
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.plan import PlannedAction
from haltline.rules.arbiter import CANCEL

type Report = Callable[[ActionOutcome, Receipt], None]
"""Told of every outcome, after it is on record."""

_REMEMBERED = 10_000


class Executor:
    """Carries out what the kernel plans. The runtime gives every account's `run_lane` a task; here none is made.

    A lane holds at most `capacity` actions; one more is refused, and `tell_refused` reports it as failed, so that
    people hear of it.
    """

    def __init__(
        self, *, actions: Shelf[Action], brokers: Mapping[AccountId, Broker], clock: Clock, ledger: Ledger,
        report: Report, instruments: Mapping[Symbol, InstrumentSpec], mark_of: MarkOf = lambda symbol: None,
        budget: Budget | None = None, capacity: int = 1000, witness: Witness | None = None,
    ) -> None:  # fmt: skip
        self._actions = actions
        self._brokers = {
            account: NamingBroker(WalledBroker(broker), instruments) for account, broker in brokers.items()
        }
        self._clock = clock
        self._ledger = ledger
        self._report = report
        self._instruments = instruments
        self._mark_of = mark_of
        self._budget = budget or Budget()
        self._witness = witness or NoWitness()
        self.watchers: list[OnProgress] = []
        self._lanes = {account: Lane(capacity) for account in brokers}
        self._known: set[ActionId] = set()
        self._resumed: set[ActionId] = set()
        self._parked: set[ActionId] = set()
        self._refused: list[Receipt] = []
        self._order: deque[ActionId] = deque()

    @property
    def accounts(self) -> tuple[AccountId, ...]:
        """The accounts that have a lane."""
        return tuple(self._lanes)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, nothing is under way and nothing is being confirmed."""
        return all(lane.is_idle for lane in self._lanes.values())

    def progress(self) -> tuple[Progress, ...]:
        """Every action that is not over, account by account, the running one first."""
        return tuple(
            progress_of(account, job, _stage(lane, job)) for account, lane in self._lanes.items() for job in lane.jobs
        )

    def accept(self, plan: Sequence[PlannedAction], histories: Mapping[ActionId, History] | None = None) -> None:
        """Take the actions of a plan that are ours; those of shadow, kernel and notifier, and known ones, are left.

        `histories` tell, after a restart, which requests of an action were begun. Never blocks. What is stronger than
        an action of an earlier plan takes over from it; within one plan the order is that of the ranks.
        """
        jobs: list[Job] = []
        for planned in plan:
            job = self._job(planned, histories or {}) if planned.id not in self._known else None
            if job is not None:
                self._remember(planned.id)
                jobs.append(job)
        peers = {job.planned.id for job in jobs}
        for job in jobs:
            self._enqueue(job, peers)

    async def tell_refused(self) -> None:
        """What was not accepted: on record, then told. Called after each `accept` and `resume`."""
        refused, self._refused = self._refused, []
        if refused:
            entries = [entry_of(RecordKind.OUTCOME, receipt.ended_at, receipt) for receipt in refused]
            await self._ledger.record(entries, durable=False)
        for receipt in refused:
            self._report(outcome_of(receipt), receipt)

    def park(self, actions: Sequence[PlannedAction], histories: Mapping[ActionId, History]) -> None:
        """Take actions that a crash cut off, before anything new is accepted: `resume` carries them on, and what is
        stronger ends them before, and is told of their orders in doubt.
        """
        for planned in actions:
            job = self._job(planned, histories)
            lane = self._lanes.get(planned.account) if planned.account is not None else None
            self._remember(planned.id)
            if job is not None and lane is not None:
                lane.parked[planned.id] = job
                self._parked.add(planned.id)

    def resume(self, actions: Sequence[PlannedAction], histories: Mapping[ActionId, History]) -> None:
        """Carry on with actions that a crash cut off, once each."""
        for planned in actions:
            if planned.id in self._resumed:
                continue
            self._resumed.add(planned.id)
            if planned.id in self._parked:
                self._unpark(planned)
                continue
            self._known.discard(planned.id)
            self.accept([planned], histories)

    def _unpark(self, planned: PlannedAction) -> None:
        lane = self._lanes[planned.account] if planned.account is not None else None
        job = lane.parked.pop(planned.id, None) if lane is not None else None
        if job is not None:  # otherwise something stronger took over from it
            job.marks = self._marks(planned)
            self._enqueue(job, set())

    def _job(self, planned: PlannedAction, histories: Mapping[ActionId, History]) -> Job | None:
        """What is ours to carry out; None for what the kernel, the notifier or nobody does."""
        action = self._actions.get(planned.name)
        if planned.shadow or action is None or action.handled_by is not HandledBy.ENFORCE:
            return None
        job = Job(planned=planned, action=action, history=histories.get(planned.id) or History())
        job.history.aims = job.history.aims or dict(planned.aims)
        job.history.earlier = {order.client_id: order for order in planned.earlier}
        job.marks = self._marks(planned)
        return job

    def mark_finished(self, actions: Sequence[ActionId]) -> None:
        """Never carry these out again: their outcomes are on record."""
        for action in actions:
            self._remember(action)

    def look_again(self) -> None:
        """The kernel's books may have changed: what waits for its pushes is judged again. Cheap where nothing does."""
        for lane in self._lanes.values():
            lane.look_again()

    async def run_lane(self, account: AccountId) -> None:
        """Carry out the actions of one account, one at a time, until cancelled; a failure to write ends it."""
        lane = self._lanes[account]
        while True:
            if lane.ended:
                await self._end_superseded(account, lane)
            elif (job := lane.take()) is not None:
                await (self._end_moot if self._is_moot(account, job) else self._carry_out)(account, lane, job)
            elif lane.watched:
                await self._watch(account, lane)
            else:
                lane.wake.clear()
                await lane.wake.wait()

    def _enqueue(self, job: Job, peers: set[ActionId]) -> None:
        planned = job.planned
        lane = self._lanes.get(planned.account) if planned.account is not None else None
        if lane is None:
            self._refuse(planned, f"no broker serves account {planned.account!r}")
        elif len(lane.waiting) >= lane.capacity:
            self._refuse(planned, f"{lane.capacity} actions are already waiting for this account [E802]")
        else:
            lane.push(job, peers=peers)

    def _refuse(self, planned: PlannedAction, reason: str) -> None:
        now = self._clock.now()
        receipt = Receipt(
            action=planned.id, name=planned.name, account=planned.account or AccountId(""), symbol=planned.symbol,
            status=OutcomeStatus.FAILED, started_at=now, ended_at=now, reason=reason, rules=planned.rules,
            drill=planned.drill,
        )  # fmt: skip
        self._refused.append(receipt)

    def _is_moot(self, account: AccountId, job: Job) -> bool:
        """Whether the order that an engine's decision is to cancel has ended meanwhile: that takes no call to learn.
        What an operator asks for is asked of the broker.
        """
        order = job.planned.order_id if job.planned.name == CANCEL else None
        if order is None or job.history.begun or is_of_operator(job.planned):
            return False
        return self._witness.is_working(account, order) is False

    async def _end_moot(self, account: AccountId, lane: Lane, job: Job) -> None:
        lane.running = None
        job.started_at, job.remaining = self._clock.now(), self._witness.seen(account)
        receipt = self._receipt(account, job, OutcomeStatus.DONE, reason="the order had ended by itself")
        await self._ledger.record([entry_of(RecordKind.OUTCOME, receipt.ended_at, receipt)], durable=False)
        self._tell(account, job, receipt)

    async def _carry_out(self, account: AccountId, lane: Lane, job: Job) -> None:
        """One action, until it is through, or failed, or gives way."""
        desk = self._desk(account, job)
        desk.hurry(lane.stronger_than(job))
        desk.is_awaited = lambda: bool(lane.waiting)
        self._show(account, job, Stage.RUNNING)
        try:
            status, reason = await self._attempt(job, desk)
            if desk.superseded_by is None:
                await self._judge(account, lane, job, desk, status=status, reason=reason)
                return
            stronger = desk.superseded_by
        except Superseded as superseded:
            stronger = superseded.by
        finally:
            lane.running = None
        if supersedes(stronger, job.planned):
            lane.ended.append((job, stronger))
        else:
            lane.stand_back(job, stronger)

    def _desk(self, account: AccountId, job: Job) -> SharingDesk:
        if job.desk is not None:
            job.desk.renew()
            return job.desk
        job.started_at = job.started_at or self._clock.now()
        job.desk = SharingDesk(
            job.planned.id, broker=self._brokers[account], clock=self._clock, ledger=self._ledger, budget=self._budget,
            instruments=self._instruments, mark_of=self._mark_of, history=job.history, marks=job.marks,
            changed=lambda: self._show(account, job, Stage.RUNNING),
        )  # fmt: skip
        return job.desk

    async def _attempt(self, job: Job, desk: SharingDesk) -> tuple[OutcomeStatus, str]:
        try:
            await _run(job, desk, self._value_of)
        except OverCap as over:
            return OutcomeStatus.NEEDS_CONSENT, f"{over} [E804]"
        except OutcomeUnknown as failure:
            return OutcomeStatus.UNKNOWN, f"{failure} [E803]"
        except (Transient, Refused) as failure:
            return OutcomeStatus.FAILED, f"{failure} [E801]"
        except (JournalError, InvariantBroken, Superseded):
            raise
        except Exception as error:  # noqa: BLE001 - the wall around plugin code: an action may raise anything
            return OutcomeStatus.FAILED, f"the action raised {type(error).__name__}: {error} [E801]"
        return OutcomeStatus.DONE, ""

    async def _judge(
        self, account: AccountId, lane: Lane, job: Job, desk: SharingDesk, *, status: OutcomeStatus, reason: str
    ) -> None:
        """What the broker shows after an action decides how it ended; a flatten or close is watched from now on."""
        asked = self._clock.now()
        try:
            asked, present = await _present(desk, job.planned, account)
            job.remaining = self._remaining(present)
        except (JournalError, InvariantBroken, Superseded):
            raise
        except Exception as failure:  # noqa: BLE001 - the wall around plugin code: a broker may raise anything
            status = OutcomeStatus.UNKNOWN if status is OutcomeStatus.DONE else status
            job.remaining = None
            await self._finish(account, job, status, reason or str(failure), proven_at=asked)
            return
        owed = shortfall(job.planned, job.remaining)
        if status is OutcomeStatus.DONE and owed:
            status, reason = OutcomeStatus.FAILED, f"{owed} [E801]"
        if status is OutcomeStatus.DONE and job.planned.name in CONFIRMED:
            job.confirmation = Confirmation(budget=self._budget, reached_at=asked, pulled_at=asked)
            lane.watched.append(job)
            self._show(account, job, Stage.CONFIRMING)
            return
        await self._finish(account, job, status, reason, proven_at=asked)

    async def _watch(self, account: AccountId, lane: Lane) -> None:
        """Look at everything that must hold and whose time has come; sleep if there is nothing."""
        now = self._clock.now()
        watched = [(job, job.confirmation) for job in lane.watched if job.confirmation is not None]
        for job, confirmation in watched:
            if confirmation.wake_at <= now:
                await self._look(account, lane, job, confirmation)
                return
        await lane.nap.until(self._clock, min(confirmation.wake_at for _, confirmation in watched))

    async def _look(self, account: AccountId, lane: Lane, job: Job, confirmation: Confirmation) -> None:
        """One look at both witnesses, and what follows from it."""
        asked = self._clock.now()
        step = confirmation.next_step(asked, agrees=self._agrees(account, job.planned))
        if step is Step.WAIT:
            return
        if step is Step.DOUBT:
            lane.watched.remove(job)
            reason = "the broker shows it when asked, and its pushes or later answers do not confirm it [E803]"
            await self._finish(account, job, OutcomeStatus.UNKNOWN, reason, proven_at=asked)
            return
        since = self._witness.activity(account)
        snapshot = await self._glance(account, lane)
        if job not in lane.watched:
            return
        if snapshot is None:
            confirmation.failed(self._clock.now())
            return
        job.remaining = self._remaining(snapshot)
        if shortfall(job.planned, job.remaining):
            lane.watched.remove(job)
            await self._act_again(account, lane, job, proven_at=asked)
            return
        confirmation.pulled(asked)
        if step is Step.CORRECT and self._witness.correct(snapshot, since=since):
            confirmation.corrected(self._clock.now())
        if step is Step.CONCLUDE and self._agrees(account, job.planned) is not False:
            lane.watched.remove(job)
            await self._finish(account, job, OutcomeStatus.DONE, "", proven_at=asked)

    async def _act_again(self, account: AccountId, lane: Lane, job: Job, *, proven_at: int) -> None:
        """It did not stay so: somebody opened again. Do it again for as long as there is time, then say so."""
        job.confirmation = None
        if proven_at < job.started_at + self._budget.action_ns:
            lane.push(job, peers={other.planned.id for other in lane.jobs})
            return
        owed = shortfall(job.planned, job.remaining) if job.remaining is not None else ""
        reason = f"it did not stay so: {owed} [E801]"
        await self._finish(account, job, OutcomeStatus.FAILED, reason, proven_at=proven_at)

    async def _glance(self, account: AccountId, lane: Lane) -> AccountSnapshot | None:
        """One pull, cut short by whatever else there is to do; None without an answer."""
        try:
            return await lane.pull.for_(self._brokers[account].snapshot(account), longest_s=self._budget.call_s)
        except InvariantBroken:
            raise
        except Exception:  # noqa: BLE001 - the wall around plugin code: a broker may raise anything
            return None

    def _agrees(self, account: AccountId, planned: PlannedAction) -> bool | None:
        seen = self._witness.seen(account)
        return None if seen is None else not shortfall(planned, seen)

    async def _finish(
        self, account: AccountId, job: Job, status: OutcomeStatus, reason: str, *, proven_at: int
    ) -> None:
        """The receipt: on record, then told."""
        assert job.desk is not None
        await job.desk.settle()
        confirmation = job.confirmation if status is OutcomeStatus.DONE else None
        receipt = self._receipt(account, job, status, reason=reason, proven_at=proven_at)
        if confirmation is not None:
            receipt = _proven(receipt, confirmation, proven_at)
        await self._ledger.record([entry_of(RecordKind.OUTCOME, receipt.ended_at, receipt)], durable=True)
        self._tell(account, job, receipt)

    async def _end_superseded(self, account: AccountId, lane: Lane) -> None:
        """Receipts for what gave way; its orders in doubt go to what took over. Both are done before that one runs."""
        ended, lane.ended = lane.ended, []
        receipts = []
        for job, stronger in ended:
            reason = f"superseded by {stronger.name}"
            job.remaining = None
            if job.history.begun:
                self._desk(account, job)  # a restart has left it requests that nobody has taken up yet
            receipts.append(
                self._receipt(account, job, OutcomeStatus.SUPERSEDED, reason=reason, superseded_by=stronger.id)
            )
            lane.hand_over(job.history.unsettled())
        entries = [entry_of(RecordKind.OUTCOME, receipt.ended_at, receipt) for receipt in receipts]
        await self._ledger.record(entries, durable=False)  # the stronger one's first request makes it durable
        for (job, _), receipt in zip(ended, receipts, strict=True):
            self._tell(account, job, receipt)

    def _receipt(
        self, account: AccountId, job: Job, status: OutcomeStatus, *, reason: str, proven_at: int | None = None,
        superseded_by: ActionId | None = None,
    ) -> Receipt:  # fmt: skip
        planned, now = job.planned, self._clock.now()
        if job.desk is not None:
            job.desk.book.close(status)
        legs = job.desk.book.legs if job.desk is not None else ()
        return Receipt(
            action=planned.id, name=planned.name, account=account, symbol=planned.symbol, status=status,
            started_at=job.started_at or now, ended_at=now, legs=legs,
            remaining=job.remaining, reason=reason, rules=planned.rules, proven_at=proven_at,
            superseded_by=superseded_by, aims=job.history.aims, beyond=beyond(planned, job.reach, legs, self._value_of),
            retry_at=job.desk.come_back_at if job.desk is not None and status is not OutcomeStatus.DONE else None,
            unsettled=() if status is OutcomeStatus.DONE else job.history.left_at_the_market(), drill=planned.drill,
        )  # fmt: skip

    def _tell(self, account: AccountId, job: Job, receipt: Receipt) -> None:
        self._report(outcome_of(receipt), receipt)
        self._show(account, job, Stage.OVER, receipt)

    def _show(self, account: AccountId, job: Job, stage: Stage, receipt: Receipt | None = None) -> None:
        """Tell whoever watches. One that raises is told no more: nothing may hold enforcement up."""
        for watcher in tuple(self.watchers):
            try:
                watcher(progress_of(account, job, stage, receipt))
            except Exception:  # noqa: BLE001 - the wall around observers: one may raise anything
                self.watchers.remove(watcher)

    def _remaining(self, snapshot: AccountSnapshot) -> Remaining:
        return remaining_of(snapshot, self._value_of)

    def _value_of(self, symbol: Symbol) -> Decimal | None:
        """The money that one unit stands for; None without an instrument or a mark."""
        spec, mark = self._instruments.get(symbol), self._mark_of(symbol)
        return None if spec is None or mark is None else abs(Decimal(str(mark))) * spec.multiplier

    def _marks(self, planned: PlannedAction) -> dict[Symbol, float]:
        """The marks by which an action was decided, of every symbol that it may trade."""
        seen = self._witness.seen(planned.account) if planned.account is not None and planned.symbol is None else None
        symbols = [planned.symbol] if planned.symbol is not None else list(seen.positions) if seen is not None else []
        marks = {symbol: self._mark_of(symbol) for symbol in symbols}
        return {symbol: mark for symbol, mark in marks.items() if mark is not None}

    def _remember(self, action: ActionId) -> None:
        if action not in self._known:
            self._known.add(action)
            self._order.append(action)
            if len(self._order) > _REMEMBERED:
                self._known.discard(self._order.popleft())


async def _run(job: Job, desk: SharingDesk, value_of: ValueOf) -> None:
    """The action, once more where it left something after all (a fill in between, say)."""
    action, planned = job.action, job.planned
    if action.run is None:
        raise Refused(f"action {action.name!r} brings nothing to run")
    await desk.recall()
    verbs = await capped_desk(action, planned, desk, value_of, job.reach)
    await desk.run_in_rounds(action.run, planned, verbs)
    if planned.account is None or planned.name not in {*CONFIRMED, "reduce_to"}:
        return
    for _ in range(3):
        _, present = await _present(desk, planned, planned.account)
        if not shortfall(planned, remaining_of(present)):
            return
        await desk.run_in_rounds(action.run, planned, verbs)


async def _present(desk: SharingDesk, planned: PlannedAction, account: AccountId) -> tuple[int, AccountSnapshot]:
    """What the broker shows after an action, and when it was asked: what it ended with, where a later pull follows."""
    if planned.name not in CONFIRMED:
        await desk.snapshot(account)
    return await desk.newest(account)


def _stage(lane: Lane, job: Job) -> Stage:
    if job is lane.running:
        return Stage.RUNNING
    return Stage.CONFIRMING if job in lane.watched else Stage.WAITING


def _proven(receipt: Receipt, confirmation: Confirmation, at: int) -> Receipt:
    return msgspec.structs.replace(
        receipt, proof=confirmation.proof, proof_note=confirmation.note, reached_at=confirmation.reached_at,
        held_ns=confirmation.held_ns(at),
    )  # fmt: skip


def outcome_of(receipt: Receipt) -> ActionOutcome:
    """The event that tells the kernel of a receipt; it is as of the instant at which the proof was asked for."""
    return ActionOutcome(
        at=receipt.ended_at if receipt.proven_at is None else receipt.proven_at, received_at=receipt.ended_at,
        action_id=receipt.action, account=receipt.account,
        status=receipt.status, detail=str(receipt), rule=receipt.rules[0] if receipt.rules else None,
        superseded_by=receipt.superseded_by, aims=receipt.aims, retry_at=receipt.retry_at,
        begun=is_half_done(receipt), unsettled=receipt.unsettled,
        cancelled=tuple(leg.order_id for leg in receipt.legs if leg.status == "cancelled" and leg.order_id is not None),
    )  # fmt: skip
