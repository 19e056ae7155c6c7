"""What is done next about something that must hold, step by step and at the very instants."""

from decimal import Decimal

import pytest
from lane_world import EVAL, MES, MNQ

from haltline.api import AccountSnapshot
from haltline.enforce.budget import Budget
from haltline.enforce.confirm import Confirmation, Step
from haltline.enforce.verify import remaining_of, shortfall
from haltline.model.event import AccountReport, PositionReport
from haltline.model.plan import PlannedAction

BUDGET = Budget(action_ns=100, hold_ns=10, push_ns=20, look_ns=4, first_wait_ns=3, longest_wait_ns=50)


def begun() -> Confirmation:
    """Reached at 1,000."""
    return Confirmation(budget=BUDGET, reached_at=1_000, pulled_at=1_000)


def test_each_failure_to_ask_doubles_the_pause() -> None:
    made, pauses = begun(), []
    for _ in range(4):
        made.failed(1_000)
        pauses.append(made.wake_at - 1_000)
    assert pauses == [3, 6, 12, 24]
    made.pulled(1_001)
    made.failed(1_001)
    assert made.wake_at == 1_004


def test_pushes_that_were_away_begin_the_hold_anew() -> None:
    made = begun()
    assert made.next_step(1_001, agrees=True) is Step.WAIT
    assert made.next_step(1_005, agrees=None) is Step.WAIT
    assert made.next_step(1_011, agrees=True) is Step.WAIT
    assert made.next_step(1_020, agrees=True) is Step.WAIT
    assert made.next_step(1_021, agrees=True) is Step.CONCLUDE
    assert made.held_ns(1_021) == 10


def test_it_is_doubted_after_the_time_of_the_action_its_hold_and_two_waits_for_pushes() -> None:
    last = 1_000 + 100 + 10 + 2 * 20
    assert begun().next_step(last, agrees=None) is Step.CONCLUDE
    assert begun().next_step(last + 1, agrees=None) is Step.DOUBT


def test_without_pushes_it_sleeps_until_the_hold_is_over() -> None:
    made = begun()
    assert (made.next_step(1_001, agrees=None), made.wake_at) == (Step.WAIT, 1_010)
    assert made.next_step(1_010, agrees=None) is Step.CONCLUDE


def test_with_pushes_it_looks_often_but_never_later_than_the_end_of_the_hold() -> None:
    made = begun()
    assert (made.next_step(1_001, agrees=True), made.wake_at) == (Step.WAIT, 1_005)
    assert (made.next_step(1_009, agrees=True), made.wake_at) == (Step.WAIT, 1_011)


def test_pushes_are_corrected_once_they_lag_for_their_whole_time_and_then_doubted() -> None:
    made = begun()
    assert made.next_step(1_000, agrees=False) is Step.WAIT
    assert made.next_step(1_009, agrees=False) is Step.WAIT
    assert made.next_step(1_019, agrees=False) is Step.PULL
    assert made.next_step(1_020, agrees=False) is Step.CORRECT
    made.corrected(1_020)
    assert made.next_step(1_039, agrees=False) is Step.PULL
    assert made.next_step(1_040, agrees=False) is Step.DOUBT


def test_a_position_of_nothing_is_no_position() -> None:
    report = PositionReport(at=1, received_at=1, account=EVAL, symbol=MNQ, quantity=Decimal(0), average_price=None)
    account = AccountReport(at=1, received_at=1, account=EVAL, balance=Decimal(1))
    assert remaining_of(AccountSnapshot(account=account, positions=(report,), orders=())).positions == {}


@pytest.mark.parametrize(
    ("name", "params", "owed"),
    [
        ("flatten", {}, "the account is not flat"),
        ("close_position", {}, "the position is still +2 MNQ"),
        ("reduce_to", {"quantity": 1.0}, "the position is still +2 MNQ, not 1.0"),
        ("reduce_to", {"quantity": 2.0}, ""),
        ("place_stop", {}, ""),
    ],
)
def test_each_action_owes_what_it_promised_and_no_more(name: str, params: dict[str, float], owed: str) -> None:
    held = [
        PositionReport(at=1, received_at=1, account=EVAL, symbol=symbol, quantity=Decimal(size), average_price=None)
        for symbol, size in ((MNQ, 2), (MES, -7))
    ]
    account = AccountReport(at=1, received_at=1, account=EVAL, balance=Decimal(1))
    remaining = remaining_of(AccountSnapshot(account=account, positions=tuple(held), orders=()))
    planned = PlannedAction(id="a", at=1, name=name, account=EVAL, symbol=MNQ, params=params)  # type: ignore[arg-type]
    said = shortfall(planned, remaining)
    assert said.startswith(owed) and bool(said) is bool(owed)
