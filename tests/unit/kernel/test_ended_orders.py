"""An order that ends is judged once more, as it is then; what instants ask for is insisted on."""

from decimal import Decimal

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import ActionId
from haltline.model.order import OrderStatus
from haltline.model.rule import Comparison, LimitSpec, OnUnknown, RuleSpec, Scope
from haltline.rules.flight import INSTANT_NS


def on_orders(condition, *, then=(), **more):
    return RuleSpec(id="orders", each=Scope.ORDER, when=condition, then=then, **more)


@pytest.fixture
def rejected(rule):
    return on_orders('order.status == "rejected"', then=rule.actions("notify"))


class TestLastState:
    @pytest.mark.parametrize("seen_working", [True, False])
    def test_a_rejected_order_fires_whether_it_was_ever_working_or_not(self, world, rejected, seen_working):
        made = world(rejected)
        if seen_working:
            made.order("o", 1)
        made.order("o", 1, status=OrderStatus.REJECTED, reason="price band")
        assert made.phases == ["orders breached", "orders resolved"]
        assert made.actions == ["notify"]

    def test_the_same_end_told_twice_fires_once(self, world, rejected):
        made = world(rejected)
        made.order("o", 1, status=OrderStatus.REJECTED)
        made.order("o", 1, status=OrderStatus.REJECTED)
        assert made.actions == ["notify"]

    def test_each_of_several_rejections_fires(self, world, rejected):
        made = world(rejected)
        for number in range(3):
            made.order(f"o{number}", 1, status=OrderStatus.REJECTED)
        assert made.actions == ["notify"] * 3
        assert made.kernel.memories == {}

    def test_what_fired_while_it_worked_does_not_fire_again(self, world, rule):
        made = world(on_orders("order.quantity > 10", then=rule.actions("cancel_orders")))
        made.order("o", 20)
        made.order("o", 20, status=OrderStatus.CANCELLED)
        assert made.actions == ["cancel_orders"]
        assert made.phases == ["orders breached", "orders resolved"]

    def test_an_order_that_ends_well_fires_nothing(self, world, rejected):
        made = world(rejected)
        made.order("o", 1)
        made.order("o", 1, status=OrderStatus.FILLED, filled=Decimal(1))
        assert made.phases == []

    def test_a_hold_cannot_begin_at_the_end(self, world, rule):
        made = world(on_orders("not order.working", then=rule.actions("notify"), for_ns=NS_PER_S))
        made.order("o", 1, status=OrderStatus.REJECTED)
        assert made.phases == []

    def test_what_is_unknown_at_the_end_begins_nothing(self, world, rule):
        made = world(on_orders("instrument.bid > 1", then=rule.actions("notify")))
        made.order("o", 1, status=OrderStatus.REJECTED)
        assert made.phases == []

    def test_a_rule_that_acts_on_unknown_acts_at_the_end(self, world, rule):
        made = world(on_orders("instrument.bid > 1", then=rule.actions("notify"), on_unknown=OnUnknown.ACT))
        made.order("o", 1, status=OrderStatus.REJECTED)
        assert made.actions == ["notify"]

    def test_what_was_unknown_while_it_worked_ends_with_it(self, world, rule):
        made = world(on_orders("instrument.bid > 1", then=rule.actions("notify")))
        made.order("o", 1)
        made.order("o", 1, status=OrderStatus.CANCELLED)
        assert made.phases == ["orders unknown", "orders resolved"]
        assert made.mode == "ACTIVE"

    def test_a_warning_at_the_end_is_no_incident(self, world, rule):

        limit = LimitSpec(value="order.quantity", comparison=Comparison.MAX, threshold=10, warn=0.5)
        made = world(RuleSpec(id="orders", each=Scope.ORDER, limit=limit, then=rule.actions("notify")))
        made.order("o", 8, status=OrderStatus.REJECTED)
        assert made.phases == []


class TestRepeatedRejections:
    def test_rejections_are_counted_and_a_window_sees_how_fast_they_come(self, world, rule):
        spec = RuleSpec(
            id="runaway", each=Scope.ACCOUNT, when='change(account.rejected_orders, "1m") >= 3',
            then=rule.actions("notify"), on_unknown=OnUnknown.HOLD,
        )  # fmt: skip
        made = world(spec)
        for second in (0, 40, 80):
            made.at(second).order(f"slow{second}", 1, status=OrderStatus.REJECTED)
        assert made.phases == []
        for number in range(2):
            made.at(90 + number).order(f"fast{number}", 1, status=OrderStatus.REJECTED)
        assert made.phases == ["runaway breached"]

    def test_the_count_survives_a_restart(self, world):
        made = world()
        made.order("o", 1, status=OrderStatus.REJECTED)
        made.order("o", 1, status=OrderStatus.REJECTED)
        made.order("p", 1, status=OrderStatus.CANCELLED)
        made.restart()
        assert made.kernel.state.accounts["eval"].rejected_orders == 1


class TestInsisting:
    @pytest.fixture
    def filled(self, world, rule):
        made = world(RuleSpec(id="big", each=Scope.FILL, when="fill.quantity > 4", then=rule.actions("flatten")))
        made.fill(5, 21_000)
        return made

    def end(self, made):
        for key, flight in list(made.kernel.arbiter.flights.items()):
            if flight.retry_at is None:
                made.send(
                    ActionOutcome(
                        at=made.now, received_at=made.now, action_id=ActionId(key), account="eval",
                        status=OutcomeStatus.FAILED,
                    )
                )  # fmt: skip

    def test_what_a_fill_asked_for_is_tried_again_though_its_incident_is_over(self, filled):
        self.end(filled)
        filled.restart().at(2)
        assert filled.actions == ["flatten", "flatten"]

    def test_it_gets_loud_too(self, filled):
        for second in (2, 6, 14):
            self.end(filled)
            filled.at(second)
        assert filled.actions.count("notify") == 1

    def test_after_a_while_it_is_given_up_and_people_hear_of_it(self, filled):
        for second in range(INSTANT_NS // NS_PER_S + 100):
            filled.at(second)
            self.end(filled)
        assert filled.kernel.arbiter.flights == {}
        assert filled.actions.count("notify") == 2
