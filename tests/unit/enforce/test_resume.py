"""What a crash left half done, as the journal tells it."""

from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MNQ

from haltline.enforce.resume import KINDS, Unfinished, is_readable, unfinished
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import Goal, LegIntent, LegOutcome, LegState, Receipt
from haltline.journal.record import RecordKind, entry_of
from haltline.model.event import OutcomeStatus
from haltline.model.id import ActionId
from haltline.model.order import Aim, OrderRequest, Side
from haltline.model.plan import PlannedAction

WEAK, STRONG = ActionId("weak"), ActionId("strong")


def plan(key: ActionId) -> PlannedAction:
    return PlannedAction(id=key, at=1, name="close_position", account=EVAL, symbol=MNQ)


def begun(leg: str, client: str) -> LegIntent:
    order = OrderRequest(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(3), client_id=client)
    return LegIntent(action=WEAK, leg=leg, account=EVAL, order=order)


def ended(leg: str, state: LegState) -> LegOutcome:
    return LegOutcome(action=WEAK, leg=leg, status="accepted", state=state)


def receipt(status: OutcomeStatus, by: ActionId | None = None) -> Receipt:
    return Receipt(
        action=WEAK, name="close_position", account=EVAL, symbol=MNQ, status=status, started_at=1, ended_at=2,
        superseded_by=by,
    )  # fmt: skip


type Written = PlannedAction | LegIntent | Goal | LegOutcome | Receipt


def journal_of(*records: Written) -> MemoryJournal:
    journal = MemoryJournal()
    for record in records:
        kind = RecordKind.PLAN if isinstance(record, PlannedAction) else RecordKind.INTENT
        kind = RecordKind.OUTCOME if isinstance(record, LegOutcome | Receipt) else kind
        journal.append([entry_of(kind, 1, record)])
    return journal


def left_by(*records: Written) -> Unfinished:
    """What is left of a journal with these records."""
    return unfinished(journal_of(*records).iterate(kinds=KINDS))


EVERY = (
    plan(WEAK), Goal(action=WEAK, aims={MNQ: Aim(held=Decimal(3), to=Decimal(1))}), begun("reduce MNQ 0", "x"),
    ended("reduce MNQ 0", LegState.FILLED), receipt(OutcomeStatus.DONE),
)  # fmt: skip


@pytest.mark.parametrize("written", EVERY, ids=lambda each: type(each).__name__)
def test_a_record_is_readable_if_it_is_whole_and_of_its_kind(written: Written) -> None:
    (record,) = journal_of(written).iterate(kinds=KINDS)
    assert is_readable(record)
    for body in (b"", b"{", b"null", b"{}", record.body[:-1], b"\xff" + record.body):
        assert not is_readable(record._replace(body=body))
    for kind in set(KINDS) - {record.kind}:
        assert not is_readable(record._replace(kind=kind))


def test_what_was_begun_what_ended_and_what_is_to_be_reached_comes_back_as_it_was() -> None:
    aims = {MNQ: Aim(held=Decimal(3), to=Decimal(1))}
    requests = [begun("reduce MNQ 0", "x"), begun("reduce MNQ 1", "y")]
    left = left_by(plan(WEAK), Goal(action=WEAK, aims=aims), *requests, ended("reduce MNQ 0", LegState.FILLED))
    history = left.histories[WEAK]
    assert [action.id for action in left.actions] == [WEAK]
    assert history.begun == {request.leg: request for request in requests}
    assert history.ended == {"reduce MNQ 0": ended("reduce MNQ 0", LegState.FILLED)}
    assert (history.aims, history.inherited) == (aims, {})


def test_orders_in_doubt_of_what_gave_way_belong_to_what_took_over_and_those_that_ended_do_not() -> None:
    requests = [begun("reduce MNQ 0", "x"), begun("reduce MNQ 1", "y"), begun("reduce MNQ 2", "z")]
    cancel = LegIntent(action=WEAK, leg="cancel v1", account=EVAL)
    left = left_by(
        plan(WEAK), plan(STRONG), *requests, cancel, ended("reduce MNQ 0", LegState.FILLED),
        ended("reduce MNQ 2", LegState.PARTIAL), receipt(OutcomeStatus.SUPERSEDED, STRONG),
    )  # fmt: skip
    assert [action.id for action in left.actions] == [STRONG]
    assert left.histories[STRONG].inherited == {"y": requests[1], "z": requests[2]}
    assert set(left.histories) == {STRONG}


def test_what_gave_way_before_it_began_anything_hands_nothing_on() -> None:
    left = left_by(plan(WEAK), plan(STRONG), receipt(OutcomeStatus.SUPERSEDED, STRONG))
    assert ([action.id for action in left.actions], left.histories) == ([STRONG], {})


def test_what_ended_by_itself_hands_its_orders_to_nobody() -> None:
    left = left_by(plan(WEAK), begun("reduce MNQ 0", "x"), receipt(OutcomeStatus.FAILED))
    assert (left.actions, left.histories, set(left.receipts), left.planned) == ((), {}, {WEAK}, frozenset({WEAK}))


def test_an_action_without_a_receipt_that_sent_nothing_is_left_without_a_history() -> None:
    left = left_by(plan(WEAK), msgspec.structs.replace(plan(STRONG), symbol=None))
    assert ([action.id for action in left.actions], left.histories) == ([WEAK, STRONG], {})
