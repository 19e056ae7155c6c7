"""What a lock or a block allows, and what is undone when it appears all the same."""

import pytest

from haltline.clock import from_iso
from haltline.model.event import ActionOutcome, ArmRequest, LockRequest, OutcomeStatus, Release
from haltline.model.order import OrderStatus
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, OnUnknown, RuleSpec, Scope, Step


def lock(**params):
    return ActionSpec(name="lock", params=params)


@pytest.fixture
def locked(world, rule):
    """Long 2 MNQ, down 1,000, locked until the next session by a rule without a flatten."""

    def make(*then, **params):
        made = world(rule.loss(then=(lock(**params), *then), latch="session"))
        made.fill(2, 21_000)
        made.quote(20_750)
        return made

    return make


def outcome(world, action, status=OutcomeStatus.DONE):
    return world.send(
        ActionOutcome(at=world.now, received_at=world.now, action_id=action.id, account=action.account, status=status)
    )


class TestLock:
    def test_a_lock_halts_the_account(self, locked):
        made = locked()
        assert made.mode == "HALTED"
        account = made.kernel.state.accounts["eval"]
        assert account.locked
        assert "until 2025-05-07T00:00:00.000Z" in account.lock_reason

    def test_what_was_open_when_the_lock_began_is_left_to_the_rules_other_actions(self, locked):
        assert locked().actions == ["lock"]

    def test_what_is_opened_while_locked_is_closed_on_sight(self, locked):
        made = locked().forget()
        made.fill(1, 5_000, symbol="MES")
        assert [(action.name, action.symbol) for action in made.results[-1].plan] == [("close_position", "MES")]

    def test_what_is_added_while_locked_is_taken_off_again(self, locked):
        made = locked().forget()
        made.fill(3, 20_750)
        action = made.results[-1].plan[0]
        assert (action.name, action.symbol, action.params) == ("reduce_to", "MNQ", {"quantity": 2.0})

    def test_what_was_closed_under_the_lock_may_not_be_opened_again(self, locked):
        made = locked()
        made.fill(-2, 20_750)
        made.forget().fill(1, 20_750)
        assert [action.name for action in made.results[-1].plan] == ["close_position"]

    def test_turning_a_position_around_counts_as_opening_one(self, locked):
        made = locked().forget()
        made.fill(-4, 20_750)
        assert [action.name for action in made.results[-1].plan] == ["close_position"]

    def test_reducing_is_never_undone(self, locked):
        made = locked().forget()
        made.fill(-1, 20_750)
        assert made.results == []

    def test_a_close_under_way_is_not_asked_for_again(self, locked):
        made = locked().forget()
        made.fill(1, 5_000, symbol="MES")
        made.fill(1, 5_000, symbol="MES")
        assert made.actions == ["close_position"]

    def test_a_failed_close_is_tried_again_while_the_lock_stands(self, locked):
        made = locked().forget()
        made.fill(1, 5_000, symbol="MES")
        first = made.results[-1].plan[0]
        made.forget()
        outcome(made, first, OutcomeStatus.FAILED)
        made.at(5)
        again = made.results[-1].plan[0]
        assert (again.name, again.symbol) == ("close_position", "MES")
        assert again.id != first.id

    def test_it_ends_exactly_at_its_instant(self, locked):
        made = locked(**{"for": "60s"})
        made.at(59.999)
        assert made.mode == "HALTED"
        made.at(60)
        assert made.mode == "ACTIVE"

    def test_it_survives_a_restart_with_its_allowance(self, locked):
        made = locked().restart().forget()
        assert made.mode == "HALTED"
        made.fill(-1, 20_750)
        made.fill(1, 20_750)
        assert [(action.name, action.params) for action in made.results[-1].plan] == [("reduce_to", {"quantity": 1.0})]

    def test_it_outlives_the_incident(self, world, rule):
        made = world(rule.loss(then=(lock(**{"for": "1h"}),)))
        made.fill(2, 21_000)
        made.quote(20_750)
        made.quote(21_000)
        assert made.phases[-1] == "loss resolved"
        assert made.mode == "HALTED"

    def test_until_clear_ends_with_the_incident(self, world):
        rule = RuleSpec(id="auth", each=Scope.ACCOUNT, when="not account.can_trade", then=(lock(until="clear"),))
        made = world(rule)
        made.can_trade(False)
        assert made.mode == "HALTED"
        made.can_trade(True)
        assert made.mode == "ACTIVE"

    def test_one_lock_ending_leaves_the_others(self, world, rule):
        auth = RuleSpec(
            id="auth",
            each=Scope.ACCOUNT,
            when="not account.can_trade",
            then=(lock(until="clear"),),
            on_unknown=OnUnknown.HOLD,
        )
        made = world(rule.loss(then=(lock(**{"for": "1h"}),)), auth)
        made.can_trade(False)
        made.fill(2, 21_000)
        made.quote(20_750)
        made.can_trade(True)
        assert made.mode == "HALTED"

    def test_a_lock_on_a_symbol_leaves_the_others_alone(self, world):
        rule = RuleSpec(
            id="no-mes",
            each=Scope.POSITION,
            when='position.symbol == "MES"',
            then=(lock(until="released", scope="symbol"),),
        )
        made = world(rule)
        made.fill(1, 5_000, symbol="MES")
        made.forget().fill(1, 21_000)
        assert made.mode == "ACTIVE"
        assert made.actions == []
        made.fill(1, 5_000, symbol="MES")
        assert made.actions == ["reduce_to"]


class TestEntryOrders:
    @pytest.mark.parametrize("blocking", ["block_entries", "lock"])
    def test_entry_orders_are_cancelled_whether_blocked_or_locked(self, world, rule, blocking):
        made = world(rule.loss(then=rule.actions(blocking)))
        made.fill(2, 21_000)
        made.order("resting", 1)
        made.quote(20_750)
        made.order("later", 1)
        cancelled = [action.order_id for result in made.results for action in result.plan if action.order_id]
        assert cancelled == ["resting", "later"]

    def test_exits_within_the_position_are_left_alone(self, locked):
        made = locked().forget()
        made.order("target", -2)
        assert made.actions == []

    def test_an_exit_larger_than_the_position_is_an_entry_on_the_other_side(self, locked):
        made = locked().forget()
        made.order("too-much", -3)
        assert made.actions == ["cancel_orders"]

    def test_reduce_only_orders_are_left_alone(self, locked):
        made = locked().forget()
        made.order("exit", -9, reduce_only=True)
        assert made.actions == []

    def test_an_order_that_no_longer_works_is_left_alone(self, locked):
        made = locked().forget()
        made.order("gone", 1, status=OrderStatus.CANCELLED)
        assert made.actions == []


class TestPermission:
    def test_an_entry_is_allowed_while_nothing_speaks_against_it(self, world, rule):
        made = world(rule.loss())
        made.quote(21_000)
        assert made.kernel.check(made.intent(1)).allowed

    def test_a_locked_account_may_exit_but_not_enter(self, locked):
        made = locked()
        assert not made.kernel.check(made.intent(1)).allowed
        assert made.kernel.check(made.intent(-2)).allowed

    def test_a_blocked_account_names_the_rule_that_blocks(self, world, rule):
        made = world(rule.loss(then=rule.actions("block_entries")))
        made.fill(2, 21_000)
        made.quote(20_750)
        answer = made.kernel.check(made.intent(1))
        assert not answer.allowed
        assert "blocked by loss" in answer.reasons[0]

    def test_an_unknown_account_is_denied(self, world, rule):
        made = world(rule.loss())
        intent = made.intent(1)
        answer = made.kernel.check(type(intent)(account="nobody", symbol="MNQ", side=intent.side, quantity=1.0))
        assert answer.reasons == ("there is no account 'nobody'",)

    def test_an_unknown_symbol_is_denied(self, world, rule):
        made = world(rule.loss())
        assert not made.kernel.check(made.intent(1, symbol="XYZ")).allowed

    def test_a_number_that_is_none_is_denied(self, world, rule):
        made = world(rule.loss())
        assert not made.kernel.check(made.intent(float("nan"))).allowed

    def test_an_intent_rule_denies_what_it_forbids(self, world):
        limit = LimitSpec(value="abs(intent.resulting_quantity)", comparison=Comparison.MAX, threshold=3.0)
        made = world(RuleSpec(id="max", title="At most three", each=Scope.INTENT, limit=limit))
        made.quote(21_000)
        assert made.kernel.check(made.intent(3)).allowed
        assert made.kernel.check(made.intent(4)).reasons == ("At most three",)

    @pytest.mark.parametrize(
        ("on_unknown", "allowed"), [("block", False), ("act", False), ("warn", True), ("hold", True)]
    )
    def test_an_intent_rule_that_does_not_know_denies_unless_told_otherwise(self, world, on_unknown, allowed):
        rule = RuleSpec(id="max", each=Scope.INTENT, when="intent.notional > 1e9", on_unknown=OnUnknown(on_unknown))
        made = world(rule)
        assert made.kernel.check(made.intent(1)).allowed is allowed


class TestOperators:
    def test_an_operators_lock_stands_until_released(self, world, rule):
        made = world(rule.loss())
        request = LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="lunch")
        made.send(request)
        assert made.mode == "HALTED"
        release = Release(at=made.now, received_at=made.now, operator="ann", reason="back", lock_id="operator@eval")
        made.send(release)
        assert made.mode == "ACTIVE"

    def test_a_lock_on_nobody_is_said_and_changes_nothing(self, world, rule):
        made = world(rule.loss())
        request = LockRequest(at=made.now, received_at=made.now, account="nobody", operator="ann", reason="lunch")
        assert "no account 'nobody'" in made.send(request).notices[0]

    def test_arming_carries_out_what_was_only_recorded(self, world, rule):
        made = world(rule.loss(), live=False)
        made.fill(2, 21_000)
        made.quote(20_750)
        made.forget()
        made.send(ArmRequest(at=made.now, received_at=made.now, account="eval", operator="ann", live=True))
        flatten = next(action for result in made.results for action in result.plan if action.name == "flatten")
        assert not flatten.shadow

    def test_arming_nobody_is_said(self, world, rule):
        made = world(rule.loss())
        request = ArmRequest(at=made.now, received_at=made.now, account="nobody", operator="ann", live=True)
        assert "no account 'nobody'" in made.send(request).notices[0]


class TestArbiter:
    def test_two_flattens_are_one_and_name_both_rules(self, world, rule):
        made = world(rule.loss("one"), rule.loss("two"))
        made.fill(2, 21_000)
        made.quote(20_750)
        flattens = [action for result in made.results for action in result.plan if action.name == "flatten"]
        assert [action.rules for action in flattens] == [("one", "two")]

    def test_a_flatten_makes_a_reduction_pointless(self, world, rule):
        size = rule.size(maximum=1, then=rule.actions(("reduce_to", {"quantity": 1})))
        made = world(rule.loss(at=0.5, then=rule.actions("flatten")), size)
        made.quote(21_000)
        made.fill(2, 21_001)
        assert made.actions == ["flatten"]

    def test_of_two_reductions_the_deeper_wins(self, world, rule):
        to_three = rule.size("three", maximum=3, then=rule.actions(("reduce_to", {"quantity": 3})))
        to_two = rule.size("two", maximum=3, then=rule.actions(("reduce_to", {"quantity": 2})))
        made = world(to_three, to_two)
        made.fill(4, 21_000)
        assert [action.params["quantity"] for action in made.results[-1].plan] == [2.0]

    def test_the_same_cause_gives_the_same_action_id(self, world, rule):
        ids = []
        for _ in range(2):
            made = world(rule.size())
            made.fill(9, 21_000)
            ids.append([action.id for action in made.results[-1].plan])
        assert ids[0] == ids[1]

    def test_a_parameter_may_be_an_expression(self, world, rule):
        made = world(rule.size(then=rule.actions(("reduce_to", {"quantity": "abs(position.quantity) / 3"}))))
        made.fill(9, 21_000)
        assert made.results[-1].plan[0].params["quantity"] == pytest.approx(3.0)

    def test_an_unknown_parameter_is_handed_on_as_none(self, world, rule):
        made = world(rule.size(then=rule.actions(("reduce_to", {"quantity": "position.liquidation_price"}))))
        made.fill(9, 21_000)
        assert made.results[-1].plan[0].params["quantity"] is None


def test_the_next_session_is_the_first_open_instant_after_the_roll(world, rule):
    made = world(rule.loss(then=(lock(until="next_session"),)))
    made.fill(2, 21_000)
    made.quote(20_750)
    assert next(iter(made.kernel.governor.locks)).until == from_iso("2025-05-07T00:00:00+00:00")


class TestRulesThatChangeTheirOwnInput:
    def test_a_rule_that_blocks_while_not_blocked_goes_on_and_off_once_a_second(self, world):
        rule = RuleSpec(
            id="silly",
            each=Scope.ACCOUNT,
            where='account.id == "eval"',
            when='account.mode == "ACTIVE"',
            then=(ActionSpec(name="block_entries"),),
        )
        made = world(rule)
        made.note(made.kernel.evaluate_all(made.now))
        assert made.phases == ["silly breached"]
        made.at(0.9)
        assert made.phases == ["silly breached"]
        made.at(1)
        assert made.phases == ["silly breached", "silly resolved", "silly breached"]
        assert made.mode == "REDUCING"

    def test_an_unknown_that_ends_by_its_own_block_does_so_too(self, world):
        rule = RuleSpec(
            id="silly",
            each=Scope.ACCOUNT,
            where='account.id == "eval"',
            when='account.mode == "ACTIVE" and account.can_trade',
            then=(ActionSpec(name="notify"),),
        )
        made = world(rule)
        made.note(made.kernel.evaluate_all(made.now))
        made.at(1)
        assert made.phases == ["silly unknown", "silly resolved", "silly unknown"]


def ladder_of_locks(rule, first, second):
    """One rule that locks in two ways: at a loss of 500, and at one of 1,000."""
    steps = tuple(
        Step(threshold=at, then=rule.actions(("lock", params))) for at, params in ((500.0, first), (1000.0, second))
    )
    limit = LimitSpec(value="account.day.loss", comparison=Comparison.AT, steps=steps)
    return RuleSpec(id="loss", each=Scope.ACCOUNT, limit=limit)


@pytest.mark.parametrize(
    ("first", "second"),
    [({"until": "clear"}, {"for": 3600.0}), ({"for": 3600.0}, {"until": "clear"})],
)
def test_a_lock_that_ends_with_its_incident_does_not_end_one_for_an_hour(world, rule, first, second):
    made = world(ladder_of_locks(rule, first, second))
    made.fill(2, 21_000)
    made.quote(20_750)
    made.at(1).quote(20_500)
    made.at(10).quote(21_000)
    assert made.kernel.live == {}
    assert made.mode == "HALTED"
    made.at(3599)
    assert made.mode == "HALTED"
    made.at(3601)
    assert made.mode == "ACTIVE"


def test_a_lock_for_an_hour_does_not_end_one_until_an_operator_lifts_it(world, rule):
    made = world(ladder_of_locks(rule, {"until": "released"}, {"for": 3600.0}))
    made.fill(2, 21_000)
    made.quote(20_750)
    made.at(1).quote(20_500)
    made.at(10).quote(21_000)
    made.send(Release(at=made.now, received_at=made.now, operator="ann", reason="seen", lock_id="loss@eval"))
    assert made.mode == "HALTED"
    made.at(3602)
    assert made.mode == "ACTIVE"
