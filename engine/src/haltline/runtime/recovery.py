"""Continue where the last run ended: the newest snapshot, then every later event, without repeating any effect."""

from dataclasses import dataclass, field

import msgspec

from haltline.enforce.executor import outcome_of
from haltline.enforce.resume import KINDS, Unfinished, unfinished
from haltline.journal.record import RecordKind, entry_of, event_of
from haltline.journal.recover import Store, recover
from haltline.kernel.kernel import Kernel
from haltline.model.event import ActionOutcome
from haltline.model.id import ActionId
from haltline.model.plan import PlannedAction, Result
from haltline.model.verdict import Transition
from haltline.runtime.publish import entries_of


@dataclass(frozen=True, slots=True)
class Resumed:
    """What recovery found. `late` are results that the last run decided or would have, and did not put on record;
    `outcomes` are receipts the kernel never heard of; `remarks` say what could not be carried over or differs."""

    late: list[Result] = field(default_factory=list)
    outcomes: list[ActionOutcome] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unfinished: Unfinished = field(default_factory=lambda: unfinished(()))
    is_fresh: bool = True


def resume_kernel(kernel: Kernel, store: Store) -> Resumed:
    """Bring an empty kernel to where the journal ends; raises JournalBroken where the chain does not fit."""
    recovery = recover(store)
    if recovery.is_fresh:
        return Resumed()
    remarks = kernel.restore(recovery.state) if recovery.state is not None else []
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
    begun = unfinished(store.iterate(kinds=KINDS))
    waiting = [ActionId(key) for key, flight in kernel.arbiter.flights.items() if flight.retry_at is None]
    unheard = [outcome_of(begun.receipts[key]) for key in waiting if key in begun.receipts]
    return Resumed(late=late, outcomes=unheard, remarks=list(remarks), unfinished=begun, is_fresh=False)


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
