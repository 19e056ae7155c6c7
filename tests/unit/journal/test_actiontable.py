"""What has no receipt yet is found without reading the journal, and it is what reading all of it would find."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.enforce.resume import KINDS, unfinished
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import LegIntent, LegOutcome, Receipt
from haltline.journal.record import Entry, RecordKind, entry_of
from haltline.journal.store import Journal
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, ActionId
from haltline.model.plan import PlannedAction

ACCOUNT = AccountId("eval")
ENFORCED = ("flatten", "close_position")


def entry(step: tuple[str, int, str, bool]) -> Entry:
    sort, number, name, shadow = step
    action = ActionId(f"a{number}")
    match sort:
        case "plan":
            return entry_of(
                RecordKind.PLAN, 1, PlannedAction(id=action, at=1, name=name, account=ACCOUNT, shadow=shadow)
            )
        case "intent":
            return entry_of(RecordKind.INTENT, 1, LegIntent(action=action, leg="reduce MNQ 0", account=ACCOUNT))
        case "leg":
            leg = LegOutcome(action=action, leg="reduce MNQ 0", status="accepted", filled=Decimal(1))
            return entry_of(RecordKind.OUTCOME, 1, leg)
        case _:
            receipt = Receipt(
                action=action, name=name, account=ACCOUNT, status=OutcomeStatus.DONE, started_at=1, ended_at=2
            )
            return entry_of(RecordKind.OUTCOME, 1, receipt)


steps = st.lists(
    st.tuples(
        st.sampled_from(["plan", "plan", "intent", "leg", "receipt"]), st.integers(1, 6),
        st.sampled_from([*ENFORCED, "notify"]), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(steps=steps)
def test_the_index_gives_what_reading_everything_gives(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str, bool]]
) -> None:
    """An action keeps its name and is shadow or not for good, as in life."""
    names = {number: (name, shadow) for _, number, name, shadow in steps}
    entries = [entry((sort, number, *names[number])) for sort, number, _, _ in steps]
    everybody = [ActionId(f"a{number}") for number in range(1, 7)]
    memory = MemoryJournal()
    memory.append(entries)
    with Journal.open(tmp_path_factory.mktemp("a") / "j.db") as journal:
        for each in entries:
            journal.append([each])
        assert journal.unfinished_records(ENFORCED) == memory.unfinished_records(ENFORCED)
        assert journal.receipt_records(everybody) == memory.receipt_records(everybody)
        full = unfinished(journal.iterate(kinds=KINDS))
        quick = unfinished(journal.unfinished_records(ENFORCED))
        wanted = [each for each in full.actions if each.name in ENFORCED and not each.shadow]
        assert sorted(quick.actions, key=lambda each: each.id) == sorted(wanted, key=lambda each: each.id)
        for action in quick.actions:
            mine, theirs = quick.histories.get(action.id), full.histories.get(action.id)
            assert (mine is None) == (theirs is None)
            if mine is not None and theirs is not None:
                assert (mine.begun.keys(), mine.ended.keys()) == (theirs.begun.keys(), theirs.ended.keys())
        assert unfinished(journal.receipt_records(everybody)).receipts == full.receipts


def test_a_finished_past_costs_a_start_nothing(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        for number in range(200):
            journal.append([entry((sort, number, "flatten", False)) for sort in ("plan", "intent", "leg", "receipt")])
        journal.append([entry(("plan", 999, "flatten", False))])
        seen: list[str] = []
        journal.connection.set_trace_callback(seen.append)
        assert len(journal.unfinished_records(["flatten"])) == 1
        assert len(seen) == 2


def test_a_body_that_says_nothing_of_an_action_is_kept_all_the_same(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append([Entry(RecordKind.PLAN, 1, b"[]")])
        assert journal.unfinished_records(["flatten"]) == []
        assert journal.verify().ok
