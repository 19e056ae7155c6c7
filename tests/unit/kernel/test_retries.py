"""What did not succeed is tried again: at a growing pace, with what is known now, as long as it is wanted."""

from decimal import Decimal

import pytest

from haltline.clock import NS_PER_S
from haltline.kernel.retry import situation
from haltline.model.event import ActionOutcome, ArmRequest, LockRequest, OutcomeStatus, PositionReport, Quote, Release
from haltline.model.id import ActionId
from haltline.model.order import OrderRequest, Side
from haltline.model.plan import PlannedAction
from haltline.model.rule import RuleSpec, Scope


def planned(made, name):
    return [action for result in made.results for action in result.plan if action.name == name]


def fail(made, action_id="", status=OutcomeStatus.FAILED, **more):
    """The newest try under way ended; `more` is what its outcome says besides."""
    if not action_id:
        action_id = next(key for key, flight in made.kernel.arbiter.flights.items() if flight.retry_at is None)
    return made.send(
        ActionOutcome(
            at=made.now, received_at=made.now, action_id=ActionId(action_id), account="eval", status=status, **more
        )
    )


@pytest.fixture
def stuck(world, rule):
    """A flatten of rule `loss` is under way; position +2 MNQ."""
    made = world(rule.loss(then=rule.actions("flatten")))
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    return made.forget()


def tries(made, until, step=1):
    """The seconds at which something was tried, each try failing at once."""
    seen, second = [], made.seconds
    fail(made)
    while second < until:
        second += step
        made.forget().at(second)
        if planned(made, "flatten"):
            seen.append(second)
            fail(made)
    return seen


class TestPace:
    def test_the_pauses_grow_to_a_minute_and_it_is_never_given_up(self, stuck):
        assert tries(stuck, 310) == [2, 6, 14, 30, 62, 122, 182, 242, 302]

    def test_an_unknown_outcome_is_tried_again_like_a_failed_one(self, stuck):
        fail(stuck, status=OutcomeStatus.UNKNOWN)
        stuck.forget().at(2)
        assert len(planned(stuck, "flatten")) == 1

    def test_the_instant_that_an_outcome_names_is_waited_for(self, stuck):
        fail(stuck, retry_at=stuck.now + 45 * NS_PER_S)
        stuck.at(44)
        assert not planned(stuck, "flatten")
        stuck.at(45)
        assert len(planned(stuck, "flatten")) == 1

    def test_a_try_that_made_the_position_smaller_begins_the_pauses_anew(self, world, rule):
        made = world(rule.loss(then=rule.actions("flatten")))
        made.quote(21_000)
        made.fill(9, 21_000)
        made.quote(20_000)
        seen = []
        for second in range(13):
            made.at(second)
            if any(flight.retry_at is None for flight in made.kernel.arbiter.flights.values()):
                seen.append(second)
                made.fill(-1, 20_000)
                fail(made)
        assert seen == [0, 2, 4, 6, 8, 10, 12]

    def test_a_fill_calls_for_another_try_at_once(self, stuck):
        assert tries(stuck, 30) == [2, 6, 14, 30]
        stuck.at(40).forget().fill(-1, 20_000)
        stuck.at(40)
        assert len(planned(stuck, "flatten")) == 1

    def test_a_fill_right_after_a_failure_waits_for_the_shortest_pause(self, stuck):
        tries(stuck, 14)
        stuck.at(15).forget().fill(-1, 20_000)
        stuck.at(15.9)
        assert not planned(stuck, "flatten")
        stuck.at(16)
        assert len(planned(stuck, "flatten")) == 1

    def test_a_report_that_says_what_we_know_calls_for_nothing(self, stuck):
        tries(stuck, 30)
        stuck.at(40).forget()
        report = PositionReport(
            at=stuck.now, received_at=stuck.now, account="eval", symbol="MNQ", quantity=2, average_price=21_000
        )
        stuck.send(report)
        stuck.at(61)
        assert not planned(stuck, "flatten")

    def test_a_fill_in_another_account_calls_for_nothing(self, stuck):
        tries(stuck, 30)
        stuck.at(40).forget().fill(1, 20_000, account="live")
        stuck.at(61)
        assert not planned(stuck, "flatten")

    def test_a_restart_in_between_changes_nothing(self, stuck):
        fail(stuck)
        stuck.restart().at(2)
        fail(stuck)
        stuck.restart().forget().at(5.9)
        assert not planned(stuck, "flatten")
        stuck.restart().at(6)
        assert [action.id for action in planned(stuck, "flatten")] == ["loss/eval/1:fire:flatten:eval~2"]

    def test_orders_that_a_try_has_left_are_told_to_the_next_one_and_only_to_that(self, stuck):
        left = OrderRequest(account="eval", symbol="MNQ", side=Side.SELL, quantity=Decimal(2), client_id="hl-1")
        fail(stuck, unsettled=(left,))
        stuck.restart().forget().at(2)
        assert [action.earlier for action in planned(stuck, "flatten")] == [(left,)]
        fail(stuck)
        stuck.forget().at(6)
        assert [action.earlier for action in planned(stuck, "flatten")] == [()]

    def test_a_second_word_on_a_failed_try_counts_once(self, stuck):
        fail(stuck, "loss/eval/1:fire:flatten:eval")
        assert not fail(stuck, "loss/eval/1:fire:flatten:eval").notices
        (flight,) = stuck.kernel.arbiter.flights.values()
        assert flight.failures == 1

    def test_a_late_word_that_it_was_done_after_all_ends_it(self, stuck):
        fail(stuck, "loss/eval/1:fire:flatten:eval")
        fail(stuck, "loss/eval/1:fire:flatten:eval", status=OutcomeStatus.DONE)
        assert stuck.kernel.arbiter.flights == {}

    def test_people_are_told_when_the_next_try_is(self, stuck):
        assert fail(stuck, detail="price band").notices == ("flatten on eval failed: price band; next try in 2s",)


def test_an_action_for_an_account_that_is_gone_has_no_situation(stuck):
    nobodys = PlannedAction(id="x", at=1, name="flatten", account="gone")
    assert situation(stuck.kernel, nobodys) == ""


class TestGivenUp:
    def test_what_nobody_wants_any_more_is_given_up_and_said_so(self, stuck):
        fail(stuck)
        stuck.quote(21_000)
        stuck.forget().at(2)
        notices = [text for result in stuck.results for text in result.notices]
        assert notices == [
            "flatten on eval was given up after 1 failed try: nothing asks for it now",
            "account eval: REDUCING became ACTIVE",
        ]

    def test_a_cancel_of_an_order_counts_its_changes_as_a_new_situation(self, world):
        made = world()
        made.send(LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a"))
        made.order("o", 3)
        (cancel,) = planned(made, "cancel_orders")
        fail(made, cancel.id)
        (flight,) = made.kernel.arbiter.flights.values()
        assert flight.situation == "order 3"
        made.send(Release(at=made.now, received_at=made.now, operator="ann", reason="b", lock_id="operator@eval"))
        made.forget().at(2)
        assert not planned(made, "cancel_orders")

    def test_a_close_that_fails_waits_behind_a_flatten_under_way(self, world, rule):
        close = RuleSpec(
            id="big", each=Scope.POSITION, when="position.quantity >= 3", then=rule.actions("close_position")
        )
        made = world(close, rule.loss(then=rule.actions("flatten")))
        made.quote(21_000)
        made.fill(3, 21_000)
        fail(made)
        made.quote(20_000)
        made.forget().at(5)
        assert not planned(made, "close_position")
        fail(made, next(action for action in made.kernel.arbiter.flights), OutcomeStatus.DONE)
        made.at(60)
        assert not planned(made, "close_position")


class TestUnknownParameters:
    @pytest.fixture
    def unsized(self, world, rule):
        """A reduction whose size is an expression over a price that is not known yet."""
        then = rule.actions(("reduce_to", {"quantity": "instrument.bid / 10500"}))
        spec = RuleSpec(id="big", each=Scope.POSITION, when="position.quantity >= 3", then=then)
        made = world(spec)
        made.quote(21_000)  # only a last price
        made.fill(3, 21_000)
        return made

    def test_they_are_read_again_at_the_next_try(self, unsized):
        (first,) = planned(unsized, "reduce_to")
        assert first.params == {"quantity": None}
        fail(unsized)
        unsized.send(Quote(at=unsized.now, received_at=unsized.now, symbol="MNQ", bid=21_000.0, ask=21_000.5))
        unsized.forget().at(2)
        (second,) = planned(unsized, "reduce_to")
        assert second.params == {"quantity": 2.0}

    def test_while_they_stay_unknown_the_enforcer_goes_on_refusing(self, unsized):
        fail(unsized)
        unsized.forget().at(2)
        assert [action.params for action in planned(unsized, "reduce_to")] == [{"quantity": None}]

    def test_what_was_known_stays_as_it_was_planned(self, stuck):
        fail(stuck)
        stuck.at(2)
        assert [action.params for action in planned(stuck, "flatten")] == [{}]


class TestShown:
    def test_a_try_under_way_is_shown(self, stuck):
        (shown,) = stuck.kernel.enforcements()
        assert (shown.action, shown.account, shown.rules) == ("flatten", "eval", ("loss",))
        assert (shown.attempt, shown.failures, shown.retry_at, shown.steps) == (1, 0, None, 0)

    def test_failed_tries_their_reason_and_the_next_one_are_shown(self, stuck):
        began = stuck.now
        for second in (2, 6):
            fail(stuck, detail="price band")
            stuck.at(second)
        fail(stuck, detail="price band")
        (shown,) = stuck.restart().kernel.enforcements()
        assert (shown.attempt, shown.failures, shown.detail, shown.since) == (3, 3, "price band", began)
        assert (shown.retry_at, shown.steps) == (stuck.now + 8 * NS_PER_S, 1)

    def test_what_is_done_is_shown_no_more(self, world):
        made = world()
        made.send(LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a"))
        made.fill(1, 21_000)
        fail(made, status=OutcomeStatus.DONE)
        assert made.kernel.enforcements() == []


def test_what_gave_way_is_neither_a_failure_nor_told(stuck):
    result = fail(stuck, status=OutcomeStatus.SUPERSEDED, superseded_by="another")
    assert [text for text in result.notices if "next try" in text] == []


def test_a_failure_without_a_reason_says_so(stuck):
    assert "flatten on eval failed: no reason was given; next try in 2s" in fail(stuck).notices


def test_several_failed_tries_are_counted_in_words(stuck):
    fail(stuck)
    stuck.at(2)
    fail(stuck)
    stuck.quote(21_000)
    stuck.forget().at(6)
    notices = [text for result in stuck.results for text in result.notices]
    assert notices == [
        "flatten on eval was given up after 2 failed tries: nothing asks for it now",
        "account eval: REDUCING became ACTIVE",
    ]


def test_each_action_is_given_its_own_parameters_anew_and_known_ones_stay(world, rule):
    then = rule.actions(
        ("place_stop", {"distance": "instrument.ask - 20990"}), ("reduce_to", {"quantity": "instrument.bid / 10500"})
    )
    made = world(RuleSpec(id="big", each=Scope.POSITION, when="position.quantity >= 3", then=then))
    made.quote(21_000)
    made.fill(3, 21_000)
    for key in list(made.kernel.arbiter.flights):
        fail(made, key)
    made.send(Quote(at=made.now, received_at=made.now, symbol="MNQ", bid=21_000.0, ask=21_000.5))
    made.forget().at(2)
    tried = {action.name: action.params for result in made.results for action in result.plan}
    assert tried == {"place_stop": {"price": None, "distance": 10.5}, "reduce_to": {"quantity": 2.0}}
    for key in list(made.kernel.arbiter.flights):
        fail(made, key)
    made.send(Quote(at=made.now, received_at=made.now, symbol="MNQ", bid=20_900.0, ask=21_001.0))
    made.forget().at(6)
    assert [action.params for action in planned(made, "reduce_to")] == [{"quantity": 2.0}]


class TestHalfDone:
    def test_a_flatten_that_has_closed_something_is_finished_though_that_ended_its_incident(self, stuck):
        fail(stuck, begun=True)
        stuck.quote(21_000)
        assert not stuck.kernel.live
        stuck.restart().forget().at(2)
        assert [action.id for action in planned(stuck, "flatten")] == ["loss/eval/1:fire:flatten:eval~1"]
        fail(stuck)
        stuck.forget().at(6)
        assert len(planned(stuck, "flatten")) == 1
        fail(stuck, status=OutcomeStatus.DONE)
        assert stuck.kernel.arbiter.flights == {}

    def test_nobody_enters_from_its_first_request_until_it_is_proven(self, stuck):
        modes = [stuck.mode]
        fail(stuck, begun=True)
        stuck.quote(21_000)
        modes.append(stuck.restart().mode)
        refused = stuck.kernel.check(stuck.intent(1))
        assert refused.reasons == ("eval may only reduce: a flatten is not proven done yet",)
        assert stuck.kernel.check(stuck.intent(-1)).allowed
        stuck.order("entry", 1)
        assert [action.order_id for action in planned(stuck, "cancel_orders")] == ["entry"]
        stuck.at(2)
        modes.append(stuck.mode)
        fail(stuck, next(key for key in stuck.kernel.arbiter.flights if "flatten" in key), OutcomeStatus.DONE)
        assert [*modes, stuck.mode] == ["REDUCING", "REDUCING", "REDUCING", "ACTIVE"]

    def test_entries_wait_in_no_other_account(self, stuck):
        assert stuck.kernel.state.accounts["live"].mode == "ACTIVE"

    def test_disarming_its_account_withdraws_it_and_frees_entries(self, stuck):
        fail(stuck, begun=True)
        stuck.send(ArmRequest(at=stuck.now, received_at=stuck.now, account="eval", operator="ann", live=False))
        stuck.forget().at(2)
        assert planned(stuck, "flatten") == []
        assert (stuck.kernel.arbiter.flights, stuck.mode) == ({}, "ACTIVE")

    def test_it_gets_as_loud_as_any_other_that_is_stuck(self, stuck):
        fail(stuck, begun=True)
        stuck.quote(21_000)
        for second in (2, 6):
            stuck.at(second)
            fail(stuck)
        assert [action.params["severity"] for action in planned(stuck, "notify")] == ["critical"]

    def test_a_reduction_that_is_half_done_is_given_up_with_its_incident(self, world, rule):
        made = world(rule.size(then=rule.actions(("reduce_to", {"quantity": 1}))))
        made.fill(9, 21_000)
        fail(made, begun=True)
        made.fill(-5, 21_000)
        made.forget().at(60)
        assert planned(made, "reduce_to") == []


def test_the_situation_of_an_action_on_a_symbol_is_that_of_its_symbol(stuck):
    stuck.fill(1, 5_000, symbol="MES")
    found = []
    for symbol in ("MNQ", None):
        action = PlannedAction(id="x", at=1, name="close_position", account="eval", symbol=symbol)
        found.append(situation(stuck.kernel, action))
    assert found == ["MNQ +2", "MES +1, MNQ +2"]


def test_what_is_traded_in_one_account_hastens_nothing_in_another(world):
    made = world()
    made.send(LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a"))
    made.order("o", 3)
    fail(made)
    made.at(2)
    fail(made)
    (flight,) = made.kernel.arbiter.flights.values()
    due = flight.retry_at
    made.at(3)
    made.order("o", 2)
    made.fill(1, 21_000, account="live")
    assert (flight.situation, flight.retry_at) == ("order 3", due)
