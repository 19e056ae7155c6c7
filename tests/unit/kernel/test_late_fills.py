"""Orders that fill although a flatten has cancelled them: what they open is closed as part of the same intent."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from haltline.clock import NS_PER_S
from haltline.kernel.late import LATE_NS
from haltline.model.event import ActionOutcome, ActionRequest, ArmRequest, Fill, LockRequest, OutcomeStatus
from haltline.model.id import AccountId, ActionId, FillId, OrderId, Symbol
from haltline.model.order import Side
from haltline.model.plan import PlannedAction

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
DONE, FAILED, SUPERSEDED = OutcomeStatus.DONE, OutcomeStatus.FAILED, OutcomeStatus.SUPERSEDED
CLOSES = ("close_position", "reduce_to")


def ended(made, action, status=DONE, *, cancelled=(), at=None, by=None):
    return made.send(
        ActionOutcome(
            at=made.now if at is None else at, received_at=made.now, action_id=ActionId(action), account=EVAL,
            status=status, cancelled=tuple(map(OrderId, cancelled)), superseded_by=by,
        )
    )  # fmt: skip


def filled(made, quantity, order=None, fill_id=""):
    made.serial += 1
    return made.send(
        Fill(
            at=made.now, received_at=made.now, account=EVAL, symbol=MNQ, fill_id=FillId(fill_id or f"f{made.serial}"),
            side=Side.BUY if quantity > 0 else Side.SELL, quantity=Decimal(abs(quantity)), price=Decimal(21_000),
            order_id=None if order is None else OrderId(order),
        )
    )  # fmt: skip


def asked_by_operator(made, name="flatten", *, request_id="r1"):
    request = ActionRequest(
        at=made.now, received_at=made.now, account=EVAL, name=name, request_id=request_id, operator="ann", reason="news"
    )
    (action,) = [each for each in made.send(request).plan if each.name == name]
    return action.id


def undone(made):
    """What was planned against late fills so far: action, symbol, size to reach."""
    every = [action for result in made.results for action in result.plan if action.id.startswith("late@")]
    assert {action.name for action in every} <= set(CLOSES)
    return [(action.name, action.symbol, action.params.get("quantity")) for action in every]


def last_undo(made):
    return next(key for key in made.kernel.arbiter.flights if key.startswith("late@"))


@pytest.fixture
def flat(world):
    """An operator's flatten has cancelled order o1 and was proven done; a minute later."""
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    made.fill(3, 21_000)
    flatten = asked_by_operator(made)
    made.at(5)
    filled(made, -3, "ours")
    made.at(6)
    ended(made, flatten, cancelled=["o1"])
    return made.at(66)


def test_a_late_fill_is_closed_and_said_so(flat):
    result = filled(flat, 1, "o1")
    (action,) = result.plan
    assert (action.name, action.account, action.symbol, action.shadow) == ("close_position", EVAL, MNQ, False)
    assert action.reason == "a cancelled order filled after operator@eval:flatten:r1 was done"
    assert f"eval MNQ: {action.reason}; what it opened is closed" in result.notices


def test_a_late_fill_is_remembered_across_a_restart(flat):
    filled(flat.restart(), 1, "o1")
    assert undone(flat) == [("close_position", MNQ, None)]


def test_a_late_fill_told_twice_is_closed_once(flat):
    filled(flat, 1, "o1", "late")
    filled(flat, 1, "o1", "late")
    assert undone(flat) == [("close_position", MNQ, None)]


@pytest.mark.parametrize("side", [1, -1])
def test_what_others_opened_since_stays(flat, side):
    filled(flat, 2 * side, "by-hand")
    filled(flat, side, "o1")
    assert undone(flat) == [("reduce_to", MNQ, 2.0)]


def test_a_late_stop_that_turns_somebodys_position_around_is_closed(flat):
    filled(flat, 2, "by-hand")
    filled(flat, -3, "o1")
    assert undone(flat) == [("close_position", MNQ, None)]


def test_a_late_fill_that_made_a_position_smaller_opens_nothing(flat):
    filled(flat, 4, "by-hand")
    result = filled(flat, -1, "o1")
    assert undone(flat) == []
    assert result.notices == ("eval MNQ: a cancelled order filled late, and made nothing larger",)


def test_a_second_late_fill_of_the_same_order_counts_from_what_was_left(flat):
    filled(flat, 2, "by-hand")
    filled(flat, 1, "o1")
    first = last_undo(flat)
    flat.at(67)
    filled(flat, -1, "ours-2")
    flat.at(68)
    ended(flat, first)
    flat.forget().at(70)
    filled(flat, 1, "o1")
    assert undone(flat) == [("reduce_to", MNQ, 2.0)]


def test_an_undoing_that_failed_and_what_else_is_done_begin_no_new_count(flat):
    filled(flat, 1, "o1")
    ended(flat, last_undo(flat), FAILED)
    flat.kernel.arbiter.launch(PlannedAction(id=ActionId("own"), at=1, name="reduce_to", account=EVAL, symbol=MNQ))
    ended(flat, "own")
    assert flat.kernel.late[EVAL].settled == {}


def test_a_late_fill_that_closed_what_was_open_needs_nothing(flat):
    filled(flat, -1, "by-hand")
    filled(flat, 1, "o1")
    assert undone(flat) == []


def test_a_flatten_says_nothing_of_late_fills_where_there_are_none(flat):
    result = ended(flat, asked_by_operator(flat, request_id="r2"))
    assert [text for text in result.notices if "late" in text] == []


def test_a_reduction_is_given_up_once_the_position_is_as_small(flat):
    filled(flat, 2, "by-hand")
    filled(flat, 1, "o1")
    ended(flat, last_undo(flat), FAILED)
    flat.forget().at(69)
    assert undone(flat) == [("reduce_to", MNQ, 2.0)]
    ended(flat, last_undo(flat), FAILED)
    filled(flat, -1, "by-hand")
    flat.forget().at(400)
    assert undone(flat) == []


def test_a_fill_of_any_other_order_is_left_alone(flat):
    filled(flat, 1, "by-hand")
    filled(flat, 1)
    assert undone(flat) == []


@pytest.mark.parametrize("more_s", [-1, 1])
def test_an_order_is_watched_for_ten_minutes(flat, more_s):
    flat.at(6 + LATE_NS / NS_PER_S + more_s)
    filled(flat, 1, "o1")
    assert bool(undone(flat)) is (more_s < 0)


def test_a_late_fill_between_proof_and_outcome_is_closed(world):
    made = world()
    made.quote(21_000)
    flatten = asked_by_operator(made)
    made.at(5)
    proven = made.now
    made.at(6)
    filled(made, 1, "o1")
    assert undone(made) == []
    ended(made, flatten, cancelled=["o1"], at=proven)
    assert undone(made) == [("close_position", MNQ, None)]


def test_what_filled_before_the_proof_is_part_of_the_flatten(world):
    made = world()
    made.quote(21_000)
    flatten = asked_by_operator(made)
    made.at(5)
    filled(made, 1, "o1")
    filled(made, -1, "ours")
    made.at(6)
    ended(made, flatten, cancelled=["o1"])
    assert undone(made) == []


def test_orders_cancelled_by_a_try_that_failed_are_watched_too(world):
    made = world()
    made.quote(21_000)
    flatten = asked_by_operator(made)
    made.at(1)
    ended(made, flatten, FAILED, cancelled=["o1"])
    assert made.kernel.late[EVAL].flat_at == 0
    made.at(4)
    ended(made, f"{flatten}~1")
    made.at(5)
    filled(made, 1, "o1")
    assert undone(made) == [("close_position", MNQ, None)]


def test_orders_cancelled_by_what_gave_way_to_the_flatten_are_watched_too(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    cancel = asked_by_operator(made, "cancel_orders", request_id="r0")
    flatten = asked_by_operator(made)
    ended(made, cancel, SUPERSEDED, cancelled=["o1"], by=flatten)
    made.at(2)
    ended(made, flatten)
    made.at(3)
    filled(made, 1, "o1")
    assert undone(made) == [("close_position", MNQ, None)]


def test_orders_that_were_cancelled_before_the_flatten_are_watched_too(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    flatten = asked_by_operator(made)
    (cancel,) = [key for key in made.kernel.arbiter.flights if key.startswith("lock@")]
    ended(made, cancel, cancelled=["o1"])
    made.at(2)
    ended(made, flatten)
    made.at(3)
    filled(made, 1, "o1")
    assert undone(made) == [("close_position", MNQ, None)]


def test_what_was_cancelled_long_after_a_flatten_belongs_to_no_flatten(flat):
    flat.at(6 + LATE_NS / NS_PER_S + 1)
    flat.order("o2", 1)
    cancel = asked_by_operator(flat, "cancel_orders", request_id="r0")
    ended(flat, cancel, cancelled=["o2"])
    assert list(flat.kernel.late[EVAL].orders) == ["o2"]
    filled(flat, 1, "o2")
    assert undone(flat) == []


def test_what_a_cancel_alone_has_cancelled_is_not_watched(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    cancel = asked_by_operator(made, "cancel_orders", request_id="r0")
    ended(made, cancel, cancelled=["o1"])
    made.at(3)
    filled(made, 1, "o1")
    assert undone(made) == []


def test_a_flatten_that_cancelled_nothing_leaves_nothing_to_be_watched(world):
    made = world()
    ended(made, asked_by_operator(made))
    assert made.kernel.late == {}


def test_two_late_fills_are_undone_by_two_actions_each_in_the_step_of_its_fill(flat):
    first = filled(flat, 1, "o1").plan[0].id
    flat.at(68)
    filled(flat, -1, "ours-2")
    ended(flat, first)
    flat.at(70)
    second = filled(flat, -2, "o1").plan[0].id
    assert (first, second) == ("late@eval:close_position:MNQ:1", "late@eval:close_position:MNQ:2")


@pytest.mark.parametrize(("account", "symbol"), [("live", None), ("eval", "MES")])
def test_a_lock_on_something_else_undoes_nothing_here(flat, account, symbol):
    lock = LockRequest(at=flat.now, received_at=flat.now, account=account, operator="ann", reason="x", symbol=symbol)
    flat.send(lock)
    filled(flat, 1, "o1")
    assert undone(flat) == [("close_position", MNQ, None)]


def test_a_pause_undoes_nothing(flat):
    flat.send(
        LockRequest(at=flat.now, received_at=flat.now, account=EVAL, operator="ann", reason="lunch", entries_only=True)
    )
    filled(flat, 1, "o1")
    assert undone(flat) == [("close_position", MNQ, None)]


def test_what_appears_under_a_lock_is_left_to_the_lock(flat):
    flat.send(LockRequest(at=flat.now, received_at=flat.now, account=EVAL, operator="ann", reason="enough"))
    filled(flat, 1, "o1")
    assert undone(flat) == []
    assert flat.actions[-1] == "close_position"


def test_in_shadow_a_late_fill_is_left_alone(flat):
    flat.send(ArmRequest(at=flat.now, received_at=flat.now, account=EVAL, live=False, operator="ann", reason="test"))
    filled(flat, 1, "o1")
    assert undone(flat) == []


def test_a_late_fill_whose_close_fails_is_closed_for_as_long_as_it_is_there(flat):
    filled(flat, 1, "o1")
    ended(flat, last_undo(flat), FAILED)
    flat.forget().at(69)
    assert undone(flat) == [("close_position", MNQ, None)]
    ended(flat, last_undo(flat), FAILED)
    filled(flat, -1, "by-hand")
    flat.forget().at(200)
    assert undone(flat) == []
    assert not any(key.startswith("late@") for key in flat.kernel.arbiter.flights)


def test_disarming_withdraws_the_close_of_a_late_fill(flat):
    filled(flat, 1, "o1")
    ended(flat, last_undo(flat), FAILED)
    flat.send(ArmRequest(at=flat.now, received_at=flat.now, account=EVAL, live=False, operator="ann", reason="test"))
    flat.forget().at(100)
    assert undone(flat) == []


def test_a_late_fill_under_another_flatten_is_left_to_it(flat):
    again = asked_by_operator(flat, request_id="r2")
    filled(flat, 1, "o1")
    assert undone(flat) == []
    ended(flat, again)
    assert undone(flat) == []


def test_a_late_fill_of_an_unknown_instrument_is_no_stop(flat):
    event = Fill(
        at=flat.now, received_at=flat.now, account=EVAL, symbol=Symbol("WHAT"), fill_id=FillId("x"), side=Side.BUY,
        quantity=Decimal(1), price=Decimal("NaN"), order_id=OrderId("o1"),
    )  # fmt: skip
    flat.send(event)
    assert undone(flat) == []


def test_the_close_of_a_late_fill_that_an_older_snapshot_knows_nothing_of_is_done_with(flat):
    filled(flat, 1, "o1")
    flat.kernel.late.clear()
    ended(flat, last_undo(flat))
    assert flat.kernel.late == {}


def test_an_action_of_no_account_leaves_nothing_to_be_watched(world):
    made = world()
    made.kernel.arbiter.launch(PlannedAction(id=ActionId("x"), at=made.now, name="flatten", account=None))
    ended(made, "x", cancelled=["o1"])
    assert made.kernel.late == {}


def test_what_is_under_way_in_an_account_that_is_gone_from_the_set_up_is_given_up(flat):
    filled(flat, 1, "o1")
    flight = flat.kernel.arbiter.flights[last_undo(flat)]
    flight.action = replace(flight.action, account=AccountId("gone"))
    assert not flat.kernel.is_wanted(flight)
    assert not flat.kernel.still_wanted(flight.action)
