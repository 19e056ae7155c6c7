"""Between fine and broken: what a warning does to a hold, and what is left of a breach that nearly ended."""

from haltline.clock import NS_PER_S


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
    made = losing(world, rule.loss(warn=0.8))
    assert made.mode == "REDUCING"
    made.at(5).quote(20_780)
    assert made.phases[-2:] == ["loss resolved", "loss warning"]
    assert made.mode == "ACTIVE"
