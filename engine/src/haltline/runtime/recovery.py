"""Continue where the last run ended: the newest snapshot, then every later event, without repeating any effect."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from haltline.control.basis import InForce
from haltline.enforce.executor import outcome_of
from haltline.enforce.resume import KINDS, Unfinished, is_readable, unfinished
from haltline.journal.error import OtherSetup
from haltline.journal.mend import mend
from haltline.journal.receipt import Receipt
from haltline.journal.record import Record, RecordKind, entry_of, event_of
from haltline.journal.recover import Recovery, Store, recover
from haltline.journal.store import Journal
from haltline.kernel.kernel import Kernel
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import ActionId
from haltline.model.plan import PlannedAction, Result
from haltline.model.verdict import Transition
from haltline.runtime.publish import entries_of
from haltline.runtime.tail import lost_tail


@dataclass(frozen=True, slots=True)
class Resumed:
    """What recovery found. `late` are results that the last run decided or would have, and did not put on record;
    `outcomes` are receipts the kernel never heard of; `remarks` say what could not be carried over or differs; `alarms`
    say what people must hear at once."""

    late: list[Result] = field(default_factory=list)
    outcomes: list[ActionOutcome] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    unfinished: Unfinished = field(default_factory=lambda: unfinished(()))
    is_fresh: bool = True


def resume_kernel(kernel: Kernel, store: Store, *, enforced: Collection[str], now: int) -> Resumed:
    """Bring an empty kernel to where the journal ends. `enforced` names the actions that are carried out at brokers.

    What is found damaged behind the newest saved state is taken out of the journal, put aside and told; an end that is
    gone is told. Raises
    JournalBroken where that cannot be done, QuotesRemoved, and OtherSetup for a journal of other accounts.
    """
    _refuse_other_setup(kernel, store)
    lost = [text for text in (lost_tail(store) if isinstance(store, Journal) else "",) if text]
    alarms = [*lost, *_mend(store, now)]
    recovery = recover(store)
    if recovery.is_fresh:
        return Resumed(alarms=alarms, remarks=lost)
    remarks = [*lost, *(kernel.restore(recovery.state) if recovery.state is not None else ())]
    recorded: set[tuple[RecordKind, bytes]] = {
        _key(record.kind, record.body) for record in recovery.later if record.kind is not RecordKind.EVENT
    }
    late: list[Result] = []
    seen: set[tuple[RecordKind, bytes]] = set()
    for record in recovery.later:
        if record.kind is not RecordKind.EVENT:
            continue
        result = kernel.step(event_of(record), record.at)
        missing = _without(result, record.at, recorded, seen)
        if missing is not None:
            late.append(missing)
    decided = {key for key in recorded if key[0] in (RecordKind.TRANSITION, RecordKind.PLAN)}
    if strangers := len(decided - seen):
        remarks = [*remarks, f"{strangers} decisions on record do not come out again; the rules or the set-up changed"]
    decided_late = {action.id for result in late for action in result.plan}  # on no record yet, and none of it was sent
    flights = [ActionId(key) for key, flight in kernel.arbiter.flights.items() if flight.retry_at is None]
    waiting = [key for key in flights if key not in decided_late]
    begun = _under_way(_records_of_actions(recovery, store, enforced, waiting), store, waiting)
    lost_records = [key for key in waiting if not (key in begun.planned or key in begun.receipts)]
    for key in lost_records:
        begun.receipts[key] = _lost_receipt(kernel.arbiter.flights[key].action, now)
    alarms += [f"{key} was under way, and its record is damaged; it is asked for anew" for key in lost_records]
    unheard = [outcome_of(begun.receipts[key]) for key in waiting if key in begun.receipts]
    return Resumed(
        late=late, outcomes=unheard, remarks=list(remarks), alarms=alarms, unfinished=begun, is_fresh=False
    )  # fmt: skip


def _records_of_actions(
    recovery: Recovery, store: Store, enforced: Collection[str], waiting: Sequence[ActionId]
) -> list[Record]:
    """What `unfinished` needs: actions without a receipt, whatever happened since the saved state, and the receipts
    that the kernel waits for. How much that is does not depend on how long the journal is."""
    later = [record for record in recovery.later if record.kind in KINDS]
    found = [*store.unfinished_records(enforced), *store.receipt_records(waiting), *later]
    return sorted({record.seq: record for record in found}.values(), key=lambda record: record.seq)


def _under_way(records: Sequence[Record], store: Store, waiting: Sequence[ActionId]) -> Unfinished:
    """What was begun. The index that finds records is not part of the chain: where it leaves out what the kernel waits
    for, all are read."""
    begun = unfinished(filter(is_readable, records))
    missing = {key for key in waiting if not (key in begun.planned or key in begun.receipts)}
    if not missing:
        return begun
    every = unfinished(filter(is_readable, _actions_of(store)))
    return replace(
        begun,
        actions=(*begun.actions, *(action for action in every.actions if action.id in missing)),
        histories=begun.histories | {key: every.histories[key] for key in missing & every.histories.keys()},
        receipts=begun.receipts | {key: every.receipts[key] for key in missing & every.receipts.keys()},
        planned=begun.planned | (missing & every.planned),
    )


def _actions_of(store: Store) -> Iterator[Record]:
    """Every record of an action, whatever else is damaged."""
    records = store.raw() if isinstance(store, Journal) else store.iterate()
    return (record for record in records if record.kind in KINDS)


def _lost_receipt(action: PlannedAction, now: int) -> Receipt:
    """What was under way and cannot be told any more has failed: it is tried again for as long as it is wanted."""
    assert action.account is not None
    return Receipt(
        action=action.id, name=action.name, account=action.account, status=OutcomeStatus.FAILED, started_at=action.at,
        ended_at=now, symbol=action.symbol, reason="its record is damaged", rules=action.rules,
        drill=action.drill,
    )  # fmt: skip


def _mend(store: Store, now: int) -> list[str]:
    if not isinstance(store, Journal):
        return []
    newest = store.last_snapshot()
    mended = mend(store, now, from_seq=newest[0] + 1 if newest is not None else 1)
    return [] if mended is None else [f"{mended}. Check positions, orders and locks."]


def _refuse_other_setup(kernel: Kernel, store: Store) -> None:
    """A journal of other accounts would bring locks and positions of somebody else, and lose those of its own."""
    record = store.newest(RecordKind.CONFIG)
    if record is None:
        return
    try:
        basis = msgspec.json.decode(record.body, type=InForce).basis
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    theirs = {account.id for account in basis.accounts} if basis is not None else set()
    ours = set(kernel.state.accounts)
    if theirs and ours and not theirs & ours:
        raise OtherSetup(
            f"the journal belongs to another set-up: it guards {_listed(theirs)}, and this one {_listed(ours)}",
            "name another file under `store: path:`, or keep one of its accounts",
        )


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _without(
    result: Result, now: int, recorded: set[tuple[RecordKind, bytes]], seen: set[tuple[RecordKind, bytes]]
) -> Result | None:
    """The part of a result that is not on record yet; None if all of it is."""
    entries = entries_of(result, now)
    keys = [_key(entry.kind, entry.body) for entry in entries]
    seen.update(keys)
    moved, planned = len(result.transitions), len(result.plan)
    transitions = [item for item, key in zip(result.transitions, keys, strict=False) if key not in recorded]
    plan = [item for item, key in zip(result.plan, keys[moved:], strict=False) if key not in recorded]
    notices = [item for item, key in zip(result.notices, keys[moved + planned :], strict=False) if key not in recorded]
    if not (transitions or plan or notices or result.attention):
        return None
    return Result(
        transitions=tuple(transitions), plan=tuple(plan), notices=tuple(notices), deadline=result.deadline,
        attention=result.attention,
    )  # fmt: skip


def _key(kind: RecordKind, body: bytes) -> tuple[RecordKind, bytes]:
    """What tells decisions apart, also where an older version wrote fewer fields: what none depends on is left out."""
    if kind is RecordKind.PLAN:
        return kind, entry_of(kind, 0, msgspec.json.decode(body, type=PlannedAction)).body
    if kind is RecordKind.TRANSITION:
        said = msgspec.json.decode(body, type=Transition)
        return kind, entry_of(kind, 0, msgspec.structs.replace(said, since=None, worst=None)).body
    return kind, body
