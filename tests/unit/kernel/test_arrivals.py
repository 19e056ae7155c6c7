"""What comes is judged with its windows; what goes is judged once, as what it was, and then no more."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.order import OrderStatus
from haltline.model.rule import RuleSpec, Scope


def on_orders(condition, *, then=(), **more):
    return RuleSpec(id="orders", each=Scope.ORDER, when=condition, then=then, **more)


def reasons(made):
    return [f"{each.phase.value}: {each.reason}" for result in made.results for each in result.transitions]


def test_an_order_whose_end_locks_the_account_is_judged_once_all_the_same(world, rule):
    made = world(on_orders('order.status == "rejected"', then=rule.actions(("lock", {"for": "3600"}))))
    made.order("o", 1, status=OrderStatus.REJECTED)
    assert made.phases == ["orders breached", "orders resolved"]
    assert made.mode == "HALTED"


def test_an_order_that_ended_is_not_judged_again_for_what_changed_with_it(world, rule):
    made = world(on_orders('order.status == "rejected" and account.rejected_orders > 0', then=rule.actions("notify")))
    made.order("o", 1)
    made.order("o", 1, status=OrderStatus.REJECTED)
    made.can_trade(True)
    assert made.phases == ["orders breached", "orders resolved"]
    assert made.kernel.incidents() == []


def test_a_rule_about_orders_says_nothing_of_a_position_that_goes(world, rule):
    made = world(on_orders("order.quantity >= 0", then=rule.actions("notify")))
    made.fill(20, 21_000)
    made.fill(-20, 21_000)
    assert made.phases == []


@pytest.mark.parametrize("more", [{"cooldown_ns": 60 * NS_PER_S}, {"max_fires": 1}])
def test_a_position_that_is_opened_again_is_remembered(world, rule, more):
    made = world(rule.size(maximum=1, then=rule.actions("notify"), **more))
    for second in (0, 10):
        made.at(second).fill(2, 21_000)
        made.fill(-2, 21_000)
    assert made.actions == ["notify"]


def test_what_breaches_and_ends_is_resolved_by_its_last_state_or_because_it_is_gone(world, rule):
    made = world(on_orders("order.remaining > 10", then=rule.actions("notify")))
    made.order("big", 20)
    made.order("big", 20, status=OrderStatus.FILLED, filled=20)
    made.order("gone", 20)
    made.order("gone", 20, status=OrderStatus.CANCELLED)
    assert reasons(made)[1::2] == ["resolved: the condition is clear", "resolved: order eval/gone is gone"]
    assert made.phases == ["orders breached", "orders resolved"] * 2


def test_a_position_that_comes_has_windows_of_its_own(world, rule):
    spec = RuleSpec(
        id="drop", each=Scope.POSITION, when='max_over(position.quantity, "1h") - position.quantity >= 2',
        then=rule.actions("notify"),
    )  # fmt: skip
    made = world(spec)
    made.fill(5, 21_000)
    made.at(1).fill(-1, 21_000)
    assert made.phases == []
    made.at(2).fill(-1, 21_000)
    assert made.phases == ["drop breached"]
    made.at(3).fill(-3, 21_000)
    made.at(4).fill(1, 21_000)
    assert made.phases == ["drop breached", "drop resolved"], "the next position has a past of its own"
