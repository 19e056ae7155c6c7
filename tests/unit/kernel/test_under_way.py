"""What is under way: nothing asked for is lost because something else was already being done, and nothing loops."""

import pytest

from haltline.model.event import ActionOutcome, LockRequest, OutcomeStatus, Release
from haltline.model.id import ActionId
from haltline.model.order import OrderStatus
from haltline.model.plan import PlannedAction
from haltline.model.rule import ActionSpec, OnUnknown, RuleSpec, Scope
from haltline.rules.arbiter import Arbiter
from haltline.rules.flight import ECHO_NS

NO_TRADE = RuleSpec(
    id="stopped", each=Scope.ACCOUNT, when="account.can_trade == false", then=(ActionSpec(name="flatten"),),
    on_unknown=OnUnknown.HOLD,
)  # fmt: skip
CLOSE_BIG = RuleSpec(
    id="big", each=Scope.POSITION, when="abs(position.quantity) >= 3", then=(ActionSpec(name="close_position"),)
)


def ended(made, action_id, status=OutcomeStatus.FAILED, *, proven=None):
    at = made.now if proven is None else proven
    return made.send(
        ActionOutcome(at=at, received_at=made.now, action_id=ActionId(action_id), account="eval", status=status)
    )


def planned(made, *names):
    return [action for result in made.results for action in result.plan if action.name in names]


@pytest.fixture
def losing(world, rule):
    """A flatten of rule `loss` is under way; `more` rules are loaded besides."""

    def make(*more):
        made = world(rule.loss(then=rule.actions("flatten")), *more)
        made.quote(21_000)
        made.fill(2, 21_000)
        made.quote(20_000)
        return made

    return make


class TestCovered:
    def test_a_flatten_covered_by_one_that_is_given_up_is_asked_for_itself(self, losing):
        made = losing(NO_TRADE)
        made.can_trade(False)
        (first,) = planned(made, "flatten")
        made.quote(21_000)  # the first incident is over
        ended(made, first.id)
        made.forget().at(10)
        (again,) = planned(made, "flatten")
        assert again.rules == ("stopped",)

    def test_a_close_covered_by_a_flatten_that_is_given_up_is_asked_for_itself(self, losing):
        made = losing(CLOSE_BIG)
        made.fill(1, 20_000)
        (first,) = planned(made, "flatten", "close_position")
        made.quote(21_000)
        ended(made, first.id)
        made.forget().at(10)
        assert [action.rules for action in planned(made, "close_position")] == [("big",)]

    def test_a_close_left_out_of_the_same_plan_is_asked_for_if_the_flatten_is_given_up(self, world, rule):
        made = world(rule.loss(at=100, then=rule.actions("flatten")), CLOSE_BIG)
        made.quote(21_000)
        made.fill(2, 21_000)
        made.fill(1, 21_200)
        (first,) = planned(made, "flatten", "close_position")
        assert first.name == "flatten"
        made.quote(21_100)
        ended(made, first.id)
        made.forget().at(10)
        assert [action.rules for action in planned(made, "close_position")] == [("big",)]

    def test_a_failed_flatten_that_is_tried_again_still_covers_the_close(self, losing):
        made = losing(CLOSE_BIG)
        made.fill(1, 20_000)
        (first,) = planned(made, "flatten", "close_position")
        ended(made, first.id)
        made.forget().at(10)
        assert [action.name for action in planned(made, "flatten", "close_position")] == ["flatten"]

    def test_what_came_up_after_the_proof_of_a_flatten_is_asked_for(self, losing):
        made = losing(CLOSE_BIG)
        (first,) = planned(made, "flatten")
        proven = made.at(1).now
        made.at(2).fill(1, 20_000)
        ended(made, first.id, OutcomeStatus.DONE, proven=proven)
        assert [action.rules for action in planned(made, "close_position")] == [("big",)]

    def test_what_came_up_before_the_proof_of_a_flatten_is_done_with_it(self, losing):
        made = losing(CLOSE_BIG)
        (first,) = planned(made, "flatten")
        made.at(2).fill(1, 20_000)
        ended(made, first.id, OutcomeStatus.DONE, proven=made.at(3).now)
        assert planned(made, "close_position") == []

    def test_what_is_covered_survives_a_restart(self, losing):
        made = losing(NO_TRADE)
        made.can_trade(False)
        (first,) = planned(made, "flatten")
        made.quote(21_000)
        made.restart()
        ended(made, first.id)
        made.restart().forget().at(10)
        assert [action.rules for action in planned(made, "flatten")] == [("stopped",)]

    def test_requests_that_follow_their_parameters_do_not_pile_up(self):
        arbiter = Arbiter()
        flatten = PlannedAction(id="f", at=1, name="flatten", account="eval", incidents=("a",))
        arbiter.launch(flatten)
        for price in range(100):
            stop = PlannedAction(
                id=f"s{price}", at=2, name="place_stop", account="eval", symbol="MNQ", params={"price": price},
                incidents=("b",),
            )  # fmt: skip
            assert arbiter.plan([stop], {}) == []
        assert [request.params["price"] for request in arbiter.flights["f"].covered] == [99]


class TestDeeper:
    def test_a_deeper_reduction_is_not_swallowed_by_a_shallower_one_under_way(self, world, rule):
        made = world(rule.size("a"), rule.size("b", maximum=8, then=rule.actions(("reduce_to", {"quantity": 1}))))
        made.fill(6, 21_000)
        made.fill(3, 21_000)
        assert [action.params for action in planned(made, "reduce_to")] == [{"quantity": 5.0}, {"quantity": 1.0}]

    def test_a_shallower_reduction_is_covered_by_a_deeper_one_under_way(self, world, rule):
        made = world(rule.size("b", then=rule.actions(("reduce_to", {"quantity": 1}))), rule.size("a", maximum=8))
        made.fill(6, 21_000)
        made.fill(3, 21_000)
        assert [action.params for action in planned(made, "reduce_to")] == [{"quantity": 1.0}]

    @pytest.mark.parametrize("under_way", [None, 5.0])
    def test_a_reduction_to_an_unknown_size_covers_nothing_and_is_covered_by_nothing(self, under_way):
        asked = 5.0 if under_way is None else None
        arbiter = Arbiter()

        def reduction(number, size):
            return PlannedAction(
                id=f"r{number}", at=1, name="reduce_to", account="eval", symbol="MNQ", params={"quantity": size}
            )

        arbiter.launch(reduction(1, under_way))
        assert arbiter.plan([reduction(2, asked)], {}) == [reduction(2, asked)]


class TestLocksOfSeveral:
    def test_a_lock_asked_for_in_one_step_by_two_rules_outlives_the_first_that_clears(self, world, rule):
        lock = rule.actions(("lock", {"until": "clear"}))
        made = world(rule.loss("a", at=1000, then=lock), rule.loss("b", at=900, then=lock))
        made.quote(21_000)
        made.fill(1, 21_000)
        made.quote(20_000)
        made.quote(20_525)
        assert made.phases[-1] == "a resolved"
        assert [lock.id for lock in made.kernel.governor.locks] == ["b@eval"]

    def test_a_lock_stands_while_another_position_breaks_the_same_rule(self, world, rule):
        made = world(rule.size(maximum=1, then=rule.actions(("lock", {"until": "clear"}))))
        made.fill(2, 21_000)
        made.fill(2, 5_000, "MES")
        made.fill(-1, 21_000)
        assert made.mode == "HALTED"
        made.fill(-1, 5_000, "MES")
        assert made.mode == "ACTIVE"

    def test_a_lock_whose_rule_was_changed_while_nothing_ran_ends(self, world, rule):
        lock = rule.actions(("lock", {"until": "clear"}))
        made = world(rule.loss(then=lock))
        made.quote(21_000)
        made.fill(2, 21_000)
        made.quote(20_000)
        other = made.new_kernel((rule.loss(at=5000, then=lock),))
        other.restore(made.kernel.snapshot())
        assert list(other.governor.locks) == []
        assert other.state.accounts["eval"].mode == "ACTIVE"

    def test_a_lock_whose_rule_goes_on_stands_after_a_restart(self, world, rule):
        made = world(rule.loss(then=rule.actions(("lock", {"until": "clear"}))))
        made.quote(21_000)
        made.fill(2, 21_000)
        made.quote(20_000)
        assert made.restart().mode == "HALTED"

    def test_an_operator_hears_of_the_longer_lock_that_stands(self, world):
        made = world()
        request = LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a")
        made.send(request)
        result = made.send(
            LockRequest(
                at=made.now, received_at=made.now, account="eval", operator="ann", reason="b", until=made.now + 10**9
            )
        )
        assert result.notices == ("ann locked eval: a (until an operator lifts it)",)

    @pytest.mark.parametrize("until", [1 << 63, 10**40])
    def test_an_operators_lock_beyond_all_calendars_has_no_end(self, world, until):
        made = world()
        made.send(
            LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a", until=until)
        )
        assert [lock.until for lock in made.kernel.governor.locks] == [None]
        made.restart()

    def test_a_rules_lock_beyond_all_calendars_has_no_end(self, world, rule):
        made = world(rule.loss(then=rule.actions(("lock", {"for": "account.balance * 1e15"}))))
        made.quote(21_000)
        made.fill(2, 21_000)
        made.quote(20_000)
        (lock,) = made.kernel.governor.locks
        assert (lock.until, lock.release) == (None, "released")
        made.restart()


class TestUndoing:
    @pytest.fixture
    def locked(self, world):
        made = world()
        made.send(LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a"))
        return made

    def test_a_close_that_is_done_is_not_repeated_at_once_where_our_book_lags(self, locked):
        locked.fill(1, 21_000)
        (close,) = planned(locked, "close_position")
        ended(locked, close.id, OutcomeStatus.DONE)
        locked.at(1)
        assert len(planned(locked, "close_position")) == 1
        locked.restart().at(1 + ECHO_NS / 1e9)
        assert len(planned(locked, "close_position")) == 2

    def test_what_is_opened_right_after_a_close_is_closed_on_sight(self, locked):
        locked.fill(1, 21_000)
        (close,) = planned(locked, "close_position")
        ended(locked, close.id, OutcomeStatus.DONE)
        locked.fill(-1, 21_000)
        locked.at(1).fill(1, 21_000)
        assert len(planned(locked, "close_position")) == 2

    def test_a_cancel_that_is_done_is_not_repeated_at_once_where_our_book_lags(self, locked):
        locked.order("o", 1)
        (cancel,) = planned(locked, "cancel_orders")
        ended(locked, cancel.id, OutcomeStatus.DONE)
        assert len(planned(locked, "cancel_orders")) == 1
        locked.at(1).order("o", 1)  # the broker shows it working all the same
        assert len(planned(locked, "cancel_orders")) == 2

    def test_a_cancel_while_reducing_that_failed_is_asked_for_again(self, world, rule):
        made = world(rule.loss(then=rule.actions("block_entries")))
        made.quote(21_000)
        made.fill(2, 21_000)
        made.quote(20_000)
        made.order("o", 1)
        (cancel,) = planned(made, "cancel_orders")
        ended(made, cancel.id)
        made.forget().at(10)
        assert len(planned(made, "cancel_orders")) == 1

    def test_a_second_word_on_a_done_action_changes_nothing(self, locked):
        locked.fill(1, 21_000)
        (close,) = planned(locked, "close_position")
        ended(locked, close.id, OutcomeStatus.DONE)
        assert not ended(locked, close.id).notices

    def test_a_position_opened_while_a_dead_flatten_waits_is_closed_when_that_is_given_up(self, losing):
        made = losing()
        (first,) = planned(made, "flatten")
        made.quote(21_000)
        made.send(LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a"))
        ended(made, first.id)
        made.forget().fill(1, 21_000)
        assert planned(made, "close_position", "reduce_to") == []  # the flatten may still come
        made.at(10)
        assert [action.name for action in planned(made, "close_position", "reduce_to")] == ["reduce_to"]


def test_the_last_words_of_a_removed_rule_reach_who_handles_them(world, rule):
    made = world(rule.loss(then=(), on_clear=rule.actions("notify")))
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    result = made.kernel.replace_rules(made.compile((rule.size(then=rule.actions("flatten")),)), made.now)
    assert [action.name for action in result.plan] == ["notify"]
    assert made.kernel.arbiter.flights == {}


def test_nothing_is_remembered_of_fills_and_orders_that_are_over(world):
    each = [RuleSpec(id=f"r-{s}", each=s, when=f"{s}.quantity > 0") for s in (Scope.FILL, Scope.ORDER)]
    made = world(*each)
    for number in range(10):
        made.fill(1, 21_000)
        made.order(f"o{number}", 1)
        made.order(f"o{number}", 1, status=OrderStatus.CANCELLED)
    assert made.kernel.memories == {}


def test_a_lock_that_is_lifted_and_set_again_allows_what_is_open_then(world):
    made = world()
    request = LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a")
    made.send(request)
    made.send(Release(at=made.now, received_at=made.now, operator="ann", reason="b", lock_id="operator@eval"))
    made.fill(2, 21_000)
    made.send(request)
    assert planned(made, "close_position", "reduce_to") == []
