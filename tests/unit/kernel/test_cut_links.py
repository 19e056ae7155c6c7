"""A link is cut for a while: holds (`for`, `clear_for`) neither fire on what is not known nor are lost."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import ConnectionStatus, ConnectionUpdate
from haltline.model.id import AccountId
from haltline.model.rule import OnUnknown

EVAL = AccountId("eval")
MINUTE = 60 * NS_PER_S
LOSS, FINE = 20_000, 21_000


@pytest.fixture
def held(world, rule):
    """Makes a world in which a breach of a rule with `for: 1m` has begun at 0; prices are UNKNOWN after ten seconds."""

    def make(**more):
        made = world(rule.loss(for_ns=MINUTE, **more), stale_after_s=10)
        made.quote(FINE)
        made.fill(2, FINE)
        made.quote(LOSS)
        assert made.phases == ["loss pending"]
        return made.forget()

    return make


def link(made, status):
    return made.send(ConnectionUpdate(at=made.now, received_at=made.now, account=EVAL, status=status))


def quotes(made, price, *, since, until):
    """A price every five seconds."""
    for second in range(since, until + 1, 5):
        made.at(second).quote(price)


def fired_at(made):
    return [
        (each.at - made.start_s * NS_PER_S) / NS_PER_S
        for result in made.results
        for each in result.transitions
        if each.phase.value == "breached"
    ]


def test_a_cut_shorter_than_prices_stay_known_changes_nothing_at_all(held):
    made = held()
    quotes(made, LOSS, since=5, until=20)
    link(made, ConnectionStatus.DISCONNECTED)
    made.at(29)
    link(made, ConnectionStatus.CONNECTED)
    quotes(made, LOSS, since=29, until=54)
    assert made.phases == []
    quotes(made, LOSS, since=59, until=64)
    assert fired_at(made) == [60]


def test_a_hold_goes_on_while_prices_are_unknown_and_fires_at_its_own_instant_if_they_are_back_by_then(held):
    made = held()
    quotes(made, LOSS, since=50, until=65)
    assert fired_at(made) == [60]


def test_entries_wait_from_the_first_instant_in_which_a_condition_that_holds_is_not_known(held):
    made = held()
    made.at(9.9)
    assert made.mode == "ACTIVE"
    made.at(10)
    assert (made.phases, made.mode) == (["loss pending"], "REDUCING")
    made.at(20)
    assert made.phases == ["loss pending"]
    made.restart().at(21)
    assert made.mode == "REDUCING"
    made.quote(LOSS)
    assert (made.phases, made.mode) == (["loss pending", "loss pending"], "ACTIVE")
    made.at(25).quote(LOSS)
    assert len(made.phases) == 2


@pytest.mark.parametrize("policy", [OnUnknown.HOLD, OnUnknown.WARN])
def test_entries_do_not_wait_for_what_is_not_known_where_the_rule_does_not_say_so(held, policy):
    made = held(on_unknown=policy)
    made.at(40)
    assert (made.phases, made.mode) == ([], "ACTIVE")


def test_a_hold_that_ends_while_prices_are_unknown_does_not_fire_and_blocks_entries(held):
    made = held()
    made.at(300)
    assert (made.phases, made.mode, made.actions) == (["loss pending", "loss unknown"], "REDUCING", ["notify"])


def test_after_it_a_breach_that_is_still_there_holds_anew_and_fires(held):
    made = held()
    made.at(300)
    quotes(made, LOSS, since=300, until=365)
    assert made.phases == ["loss pending", "loss unknown", "loss pending", "loss breached"]
    assert fired_at(made) == [360]


def test_after_it_a_condition_that_is_fine_again_ends_it(held):
    made = held()
    made.at(300).quote(FINE)
    assert (made.phases[1:], made.mode) == (["loss unknown", "loss resolved"], "ACTIVE")


def test_a_condition_that_is_fine_when_prices_are_back_breaks_the_hold_off(held):
    made = held()
    made.at(30).quote(FINE)
    quotes(made, FINE, since=35, until=100)
    assert (made.phases, made.mode) == (["loss pending", "loss ok"], "ACTIVE")


@pytest.mark.parametrize("policy", [OnUnknown.HOLD, OnUnknown.ACT])
def test_where_the_rule_says_so_the_last_verdict_goes_on_and_the_hold_fires_in_time(held, policy):
    made = held(on_unknown=policy)
    made.at(300)
    assert fired_at(made) == [60]


def test_a_hold_of_a_rule_that_only_warns_of_what_is_unknown_does_not_fire_either(held):
    made = held(on_unknown=OnUnknown.WARN)
    made.at(300)
    assert (made.phases, made.mode) == (["loss unknown"], "ACTIVE")


@pytest.mark.parametrize("back", [50, 300])
def test_a_restart_during_the_cut_changes_nothing(held, back):
    made, other = held(), held()
    for each in (made, other):
        each.at(30)
        if each is other:
            each.restart()
        each.at(back).quote(LOSS)
        quotes(each, LOSS, since=back + 5, until=back + 65)
    assert fired_at(made) == fired_at(other) == [60 if back == 50 else 360]


def test_the_hold_before_an_incident_ends_begins_anew_after_a_cut(world, rule):
    made = world(rule.loss(clear_for_ns=MINUTE), stale_after_s=10)
    made.quote(FINE)
    made.fill(2, FINE)
    made.quote(LOSS)
    quotes(made, FINE, since=5, until=50)
    made.at(300)
    assert "loss resolved" not in made.phases
    quotes(made, FINE, since=300, until=355)
    assert "loss resolved" not in made.phases
    made.at(360).quote(FINE)
    assert made.phases[-1] == "loss resolved"


def test_a_link_that_comes_and_goes_moves_no_incident_by_itself(held):
    made = held()
    for second in range(1, 9):
        made.at(second)
        link(made, ConnectionStatus.DISCONNECTED if second % 2 else ConnectionStatus.CONNECTED)
    assert (made.phases, made.mode) == ([], "ACTIVE")
