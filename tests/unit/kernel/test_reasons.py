"""What a planned action says of itself: the rule's title as its reason; a message is about nobody's symbol."""

import pytest


@pytest.mark.parametrize(("more", "reason"), [({"title": "No more than five"}, "No more than five"), ({}, "size")])
def test_the_title_of_a_rule_is_the_reason_of_its_actions_or_else_its_id(world, rule, more, reason):
    made = world(rule.size(maximum=5, **more))
    made.quote(21_000.0)
    plan = made.fill(6, 21_000.0).plan
    assert {action.name: action.reason for action in plan} == {"reduce_to": reason, "notify": reason}


def test_a_message_names_no_symbol_so_that_those_of_two_positions_are_told_as_one(world, rule):
    made = world(rule.size(maximum=5))
    made.quote(21_000.0)
    plan = made.fill(6, 21_000.0).plan
    assert {action.name: action.symbol for action in plan} == {"reduce_to": "MNQ", "notify": None}
