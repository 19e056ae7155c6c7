"""An action that follows its parameters is asked for again when these change, and only then."""

import pytest

from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import ActionId
from haltline.model.rule import Comparison, LimitSpec, RuleSpec, Scope


@pytest.fixture
def trailing(world, rule):
    """A stop ten points below the best price, once a trade is ten points in profit."""
    limit = LimitSpec(value="position.best_price - position.average_price", comparison=Comparison.AT, threshold=10.0)
    then = rule.actions(("place_stop", {"price": "position.best_price - 10"}), "notify")
    return world(RuleSpec(id="trail", each=Scope.POSITION, limit=limit, then=then))


def stops(made):
    return [action.params["price"] for result in made.results for action in result.plan if action.name == "place_stop"]


def test_a_stop_follows_the_best_price_and_nothing_else_is_repeated(trailing):
    trailing.fill(1, 21_000)
    for price in (21_010, 21_012, 21_005, 21_011, 21_020):
        trailing.quote(price)
    assert stops(trailing) == [21_000, 21_002, 21_010]
    assert trailing.actions.count("notify") == 1


def test_a_stop_that_is_in_place_is_not_asked_for_again_while_its_price_stays(trailing):
    trailing.fill(1, 21_000)
    for price in (21_010, 21_012):
        trailing.quote(price)
    for key in list(trailing.kernel.arbiter.flights):
        now = trailing.now
        trailing.send(
            ActionOutcome(at=now, received_at=now, action_id=ActionId(key), account="eval", status=OutcomeStatus.DONE)
        )
    trailing.forget()
    for price in (21_011, 21_012, 21_008):
        trailing.quote(price)
    assert stops(trailing) == []


def test_every_request_has_an_id_of_its_own(trailing):
    trailing.fill(1, 21_000)
    for price in (21_010, 21_012, 21_020):
        trailing.quote(price)
    ids = [action.id for result in trailing.results for action in result.plan]
    assert len(set(ids)) == len(ids)


def test_what_was_asked_for_survives_a_restart(trailing):
    trailing.fill(1, 21_000)
    trailing.quote(21_010)
    trailing.restart().forget()
    trailing.quote(21_010)
    assert stops(trailing) == []
    trailing.quote(21_015)
    assert stops(trailing) == [21_005]


def test_an_action_that_does_not_follow_is_asked_for_once_though_its_parameters_change(world, rule):
    then = rule.actions(("reduce_to", {"quantity": "position.mark / 10500"}))
    made = world(RuleSpec(id="big", each=Scope.POSITION, when="position.quantity >= 3", then=then))
    made.quote(21_000)
    made.fill(3, 21_000)
    made.at(5).quote(20_000)
    assert made.actions == ["reduce_to"]


def test_an_action_that_follows_is_not_asked_for_with_parameters_that_are_unknown(world, rule):
    then = rule.actions(("place_stop", {"price": "position.mark - 10"}))
    made = world(RuleSpec(id="held", each=Scope.POSITION, when="position.quantity >= 1", then=then), stale_after_s=10)
    made.quote(21_000)
    made.fill(1, 21_000)
    made.at(5).fill(1, 21_000)
    made.forget().at(30)
    made.fill(1, 21_000)
    assert None not in stops(made)
