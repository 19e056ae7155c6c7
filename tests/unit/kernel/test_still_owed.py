"""What a lock or block undoes is tried again for as long as it is there and may not be, at the pace of all else."""

import pytest

from haltline.model.event import ActionOutcome, LockRequest, OutcomeStatus, Release
from haltline.model.id import ActionId
from haltline.model.order import OrderStatus
from haltline.model.plan import PlannedAction


def lock(made, symbol=None):
    made.send(LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a", symbol=symbol))


def lift(made, lock_id):
    made.send(Release(at=made.now, received_at=made.now, operator="ann", reason="a", lock_id=lock_id))


def planned(made, name):
    return [action for result in made.results for action in result.plan if action.name == name]


def fail(made):
    """Every try under way ends badly."""
    for key in [key for key, flight in made.kernel.arbiter.flights.items() if flight.retry_at is None]:
        made.send(
            ActionOutcome(
                at=made.now, received_at=made.now, action_id=ActionId(key), account="eval", detail="no",
                status=OutcomeStatus.FAILED,
            )
        )  # fmt: skip


def test_a_close_that_a_lifted_lock_asked_for_is_not_tried_again_though_a_lock_on_another_symbol_stands(world):
    made = world()
    lock(made)
    lock(made, "MES")
    made.fill(1, 21_000)
    fail(made)
    lift(made, "operator@eval")
    made.forget().fill(2, 21_000)
    made.at(10)
    assert planned(made, "close_position") == []
    assert made.kernel.enforcements() == []


def test_a_close_under_a_lock_is_tried_again_while_the_position_is_there(world):
    made = world()
    lock(made, "MNQ")
    made.fill(1, 21_000)
    fail(made)
    made.restart().forget().at(2)
    assert len(planned(made, "close_position")) == 1
    fail(made)
    made.forget().fill(-1, 21_000)
    made.at(10)
    assert planned(made, "close_position") == []


def test_a_reduction_to_what_a_lifted_lock_allowed_becomes_one_to_what_another_allows(world):
    made = world()
    made.fill(3, 21_000)
    lock(made, "MNQ")
    made.fill(-2, 21_000)
    lock(made)  # allows 1, as the other one does by now
    made.fill(1, 21_000)
    fail(made)
    made.forget().at(2)
    assert [action.params for action in planned(made, "reduce_to")] == [{"quantity": 1.0}]
    fail(made)
    lift(made, "operator@eval")
    lift(made, "operator@eval/MNQ")
    lock(made, "MNQ")  # what is held now stays
    made.forget().fill(1, 21_000)
    made.at(10)
    assert {action.params["quantity"] for action in planned(made, "reduce_to")} == {2.0}


def test_an_entry_that_nobody_can_cancel_is_tried_at_the_usual_pace_and_gets_loud(world, rule):
    made = world(rule.loss(then=rule.actions("block_entries")))
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    made.forget().order("o", 1)
    seen = []
    for second in range(1, 70):
        fail(made)
        made.at(second)
        if len(planned(made, "cancel_orders")) > len(seen) + 1:
            seen.append(second)
    assert seen == [2, 6, 14, 30, 62]
    (told,) = planned(made, "notify")
    assert (told.params["channels"], "cancel orders on eval MNQ has not succeeded" in told.params["text"]) == (
        "*",
        True,
    )


def test_a_cancel_of_an_entry_that_may_work_again_or_is_over_is_not_tried_again(world, rule):
    made = world(rule.loss(then=rule.actions("block_entries")))
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    made.order("o", 1)
    made.order("p", 1)
    fail(made)
    made.order("p", 1, status=OrderStatus.CANCELLED)
    made.quote(21_000)  # the block is over
    made.forget().at(10)
    assert planned(made, "cancel_orders") == []
    assert made.kernel.enforcements() == []


@pytest.mark.parametrize("account", ["gone", None])
def test_nothing_is_owed_in_an_account_that_there_is_not(world, account):
    nobodys = PlannedAction(id=ActionId("x"), at=1, name="close_position", account=account, symbol="MNQ")
    assert not world().kernel.governor.is_owed(nobodys)
