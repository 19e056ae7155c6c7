"""What a crash left half done: planned actions without a receipt, and receipts the kernel never heard of."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from haltline.enforce.legs import History
from haltline.journal.receipt import Goal, LegIntent, LegOutcome, Receipt
from haltline.journal.record import Record, RecordKind, planned_of
from haltline.model.id import ActionId
from haltline.model.plan import PlannedAction

KINDS = (RecordKind.PLAN, RecordKind.INTENT, RecordKind.OUTCOME)

_INTENTS: msgspec.json.Decoder[LegIntent | Goal] = msgspec.json.Decoder(LegIntent | Goal)
_OUTCOMES: msgspec.json.Decoder[LegOutcome | Receipt] = msgspec.json.Decoder(LegOutcome | Receipt)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """`actions` were planned and have no receipt, oldest first; `histories` tell which of their requests were begun.

    `receipts` are those of finished actions; `planned` the ids of everything ever planned.
    """

    actions: tuple[PlannedAction, ...]
    histories: dict[ActionId, History]
    receipts: dict[ActionId, Receipt]
    planned: frozenset[ActionId]


def is_readable(record: Record) -> bool:
    """Whether a record of `KINDS` says what it is; a damaged one does not."""
    try:
        _read(record)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _read(record: Record) -> object:
    if record.kind is RecordKind.PLAN:
        return planned_of(record)
    return (_INTENTS if record.kind is RecordKind.INTENT else _OUTCOMES).decode(record.body)


def unfinished(records: Iterable[Record]) -> Unfinished:
    """Read the `KINDS` of a journal.

    The same ids are used again, so a request that arrived is recognised and not repeated. Orders that are not
    settled, of an action that gave way, belong to the one that took over.
    """
    planned: dict[ActionId, PlannedAction] = {}
    receipts: dict[ActionId, Receipt] = {}
    histories: dict[ActionId, History] = {}
    for record in records:
        if record.kind is RecordKind.PLAN:
            action = planned_of(record)
            planned[action.id] = action
        elif record.kind is RecordKind.INTENT:
            intent = _INTENTS.decode(record.body)
            begun = histories.setdefault(intent.action, History())
            if isinstance(intent, Goal):
                begun.aims = intent.aims
            else:
                begun.begun[intent.leg] = intent
        elif record.kind is RecordKind.OUTCOME:
            outcome = _OUTCOMES.decode(record.body)
            if isinstance(outcome, Receipt):
                receipts[outcome.action] = outcome
                history = histories.pop(outcome.action, None)
                if history is not None and outcome.superseded_by is not None:
                    heir = histories.setdefault(outcome.superseded_by, History())
                    heir.inherited |= history.unsettled()
            else:
                histories.setdefault(outcome.action, History()).ended[outcome.leg] = outcome
    return Unfinished(
        actions=tuple(action for key, action in planned.items() if key not in receipts),
        histories=histories,
        receipts=receipts,
        planned=frozenset(planned),
    )
