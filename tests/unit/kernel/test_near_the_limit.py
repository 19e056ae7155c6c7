"""Between fine and broken: what a warning does to a hold, and what is left of a breach that nearly ended."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import ArmRequest
from haltline.model.rule import OnUnknown


def losing(world, *rules, by=1000.0):
    """A world that is long 2 MNQ (2 USD a point each) and down by so much."""
    made = world(*rules)
    made.fill(2, 21_000)
    made.quote(21_000 - by / 4)
    return made


def test_a_warning_breaks_a_hold_off_and_the_next_breach_must_hold_anew(world, rule):
    made = losing(world, rule.loss(for_ns=60 * NS_PER_S, warn=0.5))
    made.at(30).quote(20_850)
    assert made.phases == ["loss pending", "loss warning"]
    made.at(40).quote(20_700)
    made.at(99)
    assert made.phases[-1] == "loss pending"
    made.at(100)
    assert made.phases[-1] == "loss breached"


def test_a_hold_is_broken_off_at_once_whatever_clear_for_says(world, rule):
    made = losing(world, rule.loss(for_ns=60 * NS_PER_S, clear_for_ns=30 * NS_PER_S))
    made.at(10).quote(20_900)
    assert made.phases == ["loss pending", "loss ok"]


def test_what_is_still_near_the_limit_after_a_breach_blocks_nothing(world, rule):
    made = losing(world, rule.loss(warn=0.8, then=rule.actions("block_entries", "notify")))
    assert made.mode == "REDUCING"
    made.at(5).quote(20_780)
    assert made.phases[-2:] == ["loss resolved", "loss warning"]
    assert made.mode == "ACTIVE"


def told(made):
    """Every transition so far: its phase, reason and step."""
    return [(each.phase.value, each.reason, each.step) for result in made.results for each in result.transitions]


def test_a_breach_beyond_its_number_of_firings_says_that_nothing_is_run(world, rule):
    made = losing(world, rule.loss(max_fires=1))
    made.at(5).quote(20_900)
    made.forget().quote(20_700)
    assert told(made) == [("breached", "fired 1 times in this session already, no actions are run", None)]


def test_a_hold_that_is_broken_off_says_so_and_a_warning_that_ends_does_not(world, rule):
    made = losing(world, rule.loss(for_ns=60 * NS_PER_S, warn=0.5))
    made.forget().at(5).quote(20_990)
    assert told(made) == [("ok", "the condition did not hold", None)]
    made.quote(20_850)
    made.forget().at(9).quote(20_990)
    assert told(made) == [("resolved", "", None)]


@pytest.mark.parametrize(
    ("on_unknown", "reason"),
    [
        (OnUnknown.BLOCK, "the condition is unknown; new risk is blocked"),
        (OnUnknown.WARN, "the condition is unknown"),
        (OnUnknown.ACT, "the condition is unknown, and on_unknown is act"),
    ],
)
def test_what_is_unknown_says_what_follows_from_it(world, rule, on_unknown, reason):
    made = world(rule.loss(on_unknown=on_unknown), stale_after_s=10)
    made.fill(2, 21_000)
    made.quote(21_000)
    made.forget().at(11)
    assert [each[1] for each in told(made)] == [reason]


def test_arming_fires_nothing_anew_that_is_fine_by_now(world, rule):
    made = world(rule.loss(latch="manual"), live=False)
    made.fill(2, 21_000)
    made.quote(20_700)
    made.at(5).quote(21_000)
    made.forget().send(ArmRequest(at=made.now, received_at=made.now, account="eval", operator="ann", live=True))
    assert [each[0] for each in told(made)] == ["resolved"]
