"""What operators ask for at the broker, pauses, and acknowledgements taken back."""

import pytest
from msgspec.structs import replace

from haltline.clock import NS_PER_S
from haltline.model.event import (
    Acknowledge,
    ActionOutcome,
    ActionRequest,
    ArmRequest,
    LockRequest,
    OutcomeStatus,
    Release,
    Unacknowledge,
)
from haltline.model.order import OrderStatus


def asked(made, name="flatten", **more):
    fields = {"account": "eval", "request_id": "r1", "operator": "ann", "reason": "news"} | more
    return ActionRequest(at=made.now, received_at=made.now, name=name, **fields)


def paused(made, **more):
    return LockRequest(
        at=made.now, received_at=made.now, account="eval", operator="ann", reason="lunch", entries_only=True, **more
    )


def ended(made, action, status=OutcomeStatus.DONE):
    return ActionOutcome(at=made.now, received_at=made.now, action_id=action.id, account="eval", status=status)


def test_a_flatten_blocks_entries_first_and_until_it_is_proven(world, rule):
    made = world(rule.loss())
    made.fill(2, 21_000)
    result = made.send(asked(made))
    assert [(action.name, action.account, action.shadow) for action in result.plan] == [("flatten", "eval", False)]
    assert made.mode == "REDUCING"
    assert not made.kernel.check(made.intent(1)).allowed
    assert made.kernel.check(made.intent(-1)).allowed
    made.send(ended(made, result.plan[0]))
    assert made.mode == "ACTIVE"


def test_a_flatten_that_failed_keeps_entries_blocked(world, rule):
    made = world(rule.loss())
    result = made.send(asked(made))
    made.send(ended(made, result.plan[0], OutcomeStatus.FAILED))
    assert made.restart().mode == "REDUCING"


def test_a_drill_is_done_like_any_other_and_marked_over_tries_and_restarts(world, rule):
    made = world(rule.loss())
    made.fill(2, 21_000)
    (action,) = made.send(asked(made, drill=True)).plan
    assert action.drill
    assert made.mode == "REDUCING"
    assert [lock.reason for lock in made.kernel.governor.locks] == ["a flatten is under way, as a drill"]
    made.send(ended(made, action, OutcomeStatus.FAILED))
    made.restart()
    fail_until(made, action, 20)
    again = [each for result in made.results for each in result.plan if each.id.startswith(f"{action.id}~")]
    assert again
    assert all(each.drill for each in again)
    assert not made.send(asked(made, request_id="r2")).plan[0].drill


ASKED = [
    ("flatten", {}),
    ("close_position", {"symbol": "MNQ"}),
    ("cancel_orders", {}),
    ("cancel_orders", {"symbol": "MNQ"}),
    ("cancel_orders", {"order_id": "o1"}),
]


def failing(made, name, more):
    """A position, an order, and a request of an operator whose first try has failed."""
    made.fill(2, 21_000)
    made.order("o1", 1)
    (action,) = [each for each in made.send(asked(made, name, **more)).plan if each.id.startswith("operator@")]
    made.send(ended(made, action, OutcomeStatus.FAILED))
    return action


def plans_of(made, action):
    """The tries of a request so far."""
    every = [planned.id for result in made.results for planned in result.plan]
    return [name for name in every if name.partition("~")[0] == action.id]


def fail_until(made, action, seconds):
    """Every try fails, as soon as it is planned."""
    for second in range(1, seconds):
        made.at(second)
        for planned in [each for each in made.results[-1].plan if each.id.partition("~")[0] == action.id]:
            made.send(ended(made, planned, OutcomeStatus.FAILED))


@pytest.mark.parametrize(("name", "more"), ASKED)
def test_what_an_operator_asked_for_is_tried_again_and_gets_loud(world, rule, name, more):
    made = world(rule.loss())
    action = failing(made, name, more)
    fail_until(made, action, 100)
    assert plans_of(made, action) == [action.id, *(f"{action.id}~{number}" for number in range(1, 6))]
    told = [planned for result in made.results for planned in result.plan if planned.name == "notify"]
    assert [(each.params["severity"], each.params["channels"]) for each in told] == [("critical", "*")]
    assert "has not succeeded" in told[0].params["text"]


@pytest.mark.parametrize(("name", "more"), ASKED)
def test_a_retry_of_an_operators_request_survives_a_restart_and_ends_with_success(world, rule, name, more):
    made = world(rule.loss())
    action = failing(made, name, more)
    made.restart()
    (again,) = [each for each in made.at(2).results[-1].plan if each.name == name]
    assert again.id == f"{action.id}~1"
    made.send(ended(made, again))
    fail_until(made, action, 200)
    assert len(plans_of(made, action)) == 2


@pytest.mark.parametrize(("name", "more"), ASKED)
def test_disarming_withdraws_what_an_operator_asked_for(world, rule, name, more):
    made = world(rule.loss())
    action = failing(made, name, more)
    made.send(ArmRequest(at=made.now, received_at=made.now, account="eval", operator="ann", live=False))
    fail_until(made, action, 100)
    assert plans_of(made, action) == [action.id]
    assert any("given up after 1 failed try" in notice for result in made.results for notice in result.notices)


def test_resuming_entries_withdraws_a_flatten(world, rule):
    made = world(rule.loss())
    action = failing(made, "flatten", {})
    made.send(Release(at=made.now, received_at=made.now, operator="ann", reason="no", lock_id="flatten@eval"))
    fail_until(made, action, 100)
    assert plans_of(made, action) == [action.id]


@pytest.mark.parametrize(
    ("sold", "left", "tries"), [(2, ["MNQ"], 7), (2, ["MES", "MNQ"], 7), (2, ["MES"], 1), (2, [], 1), (1, [], 7)]
)
def test_a_close_is_tried_again_until_its_position_and_the_orders_of_its_symbol_are_gone(
    world, rule, sold, left, tries
):
    made = world(rule.loss())
    action = failing(made, "close_position", {"symbol": "MNQ"})
    made.fill(-sold, 21_000)
    made.order("o1", 1, status=OrderStatus.CANCELLED)
    for symbol in left:
        made.order(f"o of {symbol}", 1, symbol)
    fail_until(made, action, 100)
    assert len(plans_of(made, action)) == tries


@pytest.mark.parametrize("more", [{}, {"symbol": "MNQ"}, {"order_id": "o1"}])
def test_a_cancel_whose_orders_are_gone_is_not_tried_again(world, rule, more):
    made = world(rule.loss())
    action = failing(made, "cancel_orders", more)
    made.order("o1", 1, status=OrderStatus.CANCELLED)
    made.order("o2", 1, "MES" if more else "MNQ", OrderStatus.CANCELLED)
    fail_until(made, action, 100)
    assert plans_of(made, action) == [action.id]


def test_a_cancel_of_one_order_is_not_tried_again_for_the_sake_of_another(world, rule):
    made = world(rule.loss())
    action = failing(made, "cancel_orders", {"order_id": "o1"})
    made.order("o2", 1)
    made.order("o1", 1, status=OrderStatus.CANCELLED)
    fail_until(made, action, 100)
    assert plans_of(made, action) == [action.id]


def test_the_same_request_is_never_planned_twice_while_it_is_under_way(world, rule):
    made = world(rule.loss())
    made.send(asked(made))
    again = made.send(asked(made))
    assert again.plan == () and "under way" in again.notices[0]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"account": "nobody"}, "no account"),
        ({"name": "place_stop"}, "nothing that can be asked"),
        ({"name": "close_position"}, "needs its symbol"),
    ],
)
def test_what_cannot_be_asked_for_is_said_and_changes_nothing(world, rule, more, word):
    made = world(rule.loss())
    result = made.send(asked(made, **more))
    assert result.plan == () and word in result.notices[0]
    assert made.mode == "ACTIVE"


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("flatten", {}, "ann asked to flatten eval: news"),
        ("close_position", {"symbol": "MNQ"}, "ann asked to close position eval/MNQ: news"),
        ("cancel_orders", {"symbol": "MNQ", "order_id": "o1"}, "ann asked to cancel orders eval/MNQ/o1: news"),
    ],
)
def test_what_was_asked_for_is_said_in_words(world, rule, name, more, said):
    made = world(rule.loss())
    assert made.send(asked(made, name, **more)).notices[0] == said
    target = said.removesuffix(": news").rpartition(" ")[2]
    assert made.send(asked(made, name, **more)).notices[0] == f"{name} of {target} is under way already"


def test_a_refusal_names_what_was_asked_for_and_by_whom(world, rule):
    made = world(rule.loss())
    (notice,) = made.send(asked(made, "place_stop", symbol="MNQ")).notices
    assert notice == "place_stop of eval/MNQ for ann was refused: 'place_stop' is nothing that can be asked for"


def test_only_an_operators_own_flatten_that_is_done_ends_its_pause(world, rule):
    made = world(rule.loss(then=rule.actions("flatten")))
    made.fill(2, 21_000)
    made.quote(20_000)
    (by_rule,) = [each for result in made.results for each in result.plan]
    (by_ann,) = made.send(asked(made)).plan
    close = made.send(asked(made, "close_position", symbol="MNQ", request_id="r2")).plan[0]
    for action, status in ((close, OutcomeStatus.DONE), (by_rule, OutcomeStatus.DONE), (by_ann, OutcomeStatus.FAILED)):
        made.send(ended(made, action, status))
        assert made.kernel.governor.locks.get("flatten@eval") is not None, action.id
    (again,) = [each for each in made.at(2).results[-1].plan if each.name == "flatten"]
    made.send(ended(made, again))
    assert made.kernel.governor.locks.get("flatten@eval") is None


def test_in_shadow_nothing_is_sent(world, rule):
    made = world(rule.loss(), live=False)
    result = made.send(asked(made))
    assert result.plan == () and "in shadow" in result.notices[0]
    assert made.mode == "ACTIVE"


def test_a_close_names_its_symbol_and_a_cancel_its_order(world, rule):
    made = world(rule.loss())
    close = made.send(asked(made, "close_position", symbol="MNQ", request_id="c")).plan[0]
    cancel = made.send(asked(made, "cancel_orders", order_id="o1", request_id="d")).plan[0]
    assert (close.symbol, close.order_id, cancel.order_id) == ("MNQ", None, "o1")
    assert close.id != cancel.id
    assert "ann asked for it: news" in close.reason


def test_a_pause_stops_entries_and_closes_nothing(world, rule):
    made = world(rule.loss())
    made.send(paused(made))
    made.fill(2, 21_000)
    assert made.mode == "REDUCING"
    assert made.actions == []
    permission = made.kernel.check(made.intent(1))
    assert not permission.allowed and "paused by ann" in permission.reasons[0]


def test_a_pause_cancels_entry_orders(world, rule):
    made = world(rule.loss())
    made.order("o1", 1)
    made.send(paused(made))
    assert made.actions == ["cancel_orders"]


def test_a_pause_ends_at_its_instant_and_survives_a_restart(world, rule):
    made = world(rule.loss())
    made.send(paused(made, until=made.now + 60 * NS_PER_S))
    made.restart()
    assert made.mode == "REDUCING"
    assert made.at(60).mode == "ACTIVE"


def test_a_pause_is_resumed(world, rule):
    made = world(rule.loss())
    made.send(paused(made))
    made.send(Release(at=made.now, received_at=made.now, operator="ann", reason="back", lock_id="pause@eval"))
    assert made.mode == "ACTIVE"


def test_a_lock_over_a_pause_is_the_stricter(world, rule):
    made = world(rule.loss())
    made.send(paused(made))
    made.send(replace(paused(made), entries_only=False))
    assert made.mode == "HALTED"


def test_an_acknowledgement_is_taken_back(world, rule):
    made = world(rule.loss())
    made.fill(2, 21_000)
    made.quote(20_000)
    incident = made.kernel.incidents()[0].id
    made.send(Acknowledge(at=made.now, received_at=made.now, incident=incident, operator="ann"))
    back = Unacknowledge(at=made.now, received_at=made.now, incident=incident, operator="ann")
    result = made.send(back)
    assert [live.acknowledged for live in made.kernel.incidents()] == [False]
    assert result.attention == (back,)
    assert result.notices == (f"ann took the acknowledgement of {incident} back",)


def test_an_acknowledgement_of_nothing_is_not_taken_back(world, rule):
    made = world(rule.loss())
    request = Unacknowledge(at=made.now, received_at=made.now, incident="loss/eval/9", operator="ann")
    assert "no live incident" in made.send(request).notices[0]
