"""Every reason against an order is named, those that do not count are not, and what is in shadow forbids nothing."""

import pytest
from msgspec.structs import replace

from haltline.clock import NS_PER_S
from haltline.model.event import ActionOutcome, ActionRequest, ArmRequest, LockRequest, OutcomeStatus
from haltline.model.plan import TradingMode
from haltline.model.rule import Comparison, LimitSpec, RuleMode, RuleSpec, Scope

DONE = OutcomeStatus.DONE


def most(rule_id="max", quantity=3.0, **more):
    limit = LimitSpec(value="abs(intent.resulting_quantity)", comparison=Comparison.MAX, threshold=quantity)
    return RuleSpec(id=rule_id, each=Scope.INTENT, limit=limit, **more)


def dear(rule_id="dear", above=20_000.0, **more):
    """Nobody may enter an instrument above a price."""
    return RuleSpec(id=rule_id, each=Scope.INSTRUMENT, when=f"instrument.mark > {above}", **more)


def asked(made, quantity=1.0, symbol="MNQ", account="eval"):
    return made.kernel.check(replace(made.intent(quantity, symbol), account=account))


def paused(made, operator="ann", **more):
    return made.send(
        LockRequest(
            at=made.now, received_at=made.now, account="eval", operator=operator, reason="lunch",
            **{"entries_only": True, **more},
        )
    )  # fmt: skip


def disarmed(made):
    return made.send(ArmRequest(at=made.now, received_at=made.now, account="eval", operator="ann", live=False))


def test_an_unknown_account_is_denied_as_if_it_were_halted(world, rule):
    answer = asked(world(rule.loss()), account="nobody")
    assert (answer.allowed, answer.mode) == (False, TradingMode.HALTED)


def test_each_rule_that_objects_is_named_with_its_reason(world):
    made = world(most("few", 1.0, title="At most one"), most("many", 9.0), most("some", 2.0))
    made.quote(21_000)
    answer = asked(made, 3.0)
    assert (answer.allowed, answer.reasons, answer.rules) == (False, ("At most one", "some"), ("few", "some"))


def test_a_rule_in_shadow_forbids_nothing(world):
    made = world(most("tried", 1.0, mode=RuleMode.SHADOW), most("some", 2.0))
    made.quote(21_000)
    assert asked(made, 2.0).allowed
    assert asked(made, 3.0).rules == ("some",)


def test_on_an_account_in_shadow_no_rule_forbids_anything(world):
    made = world(most(), live=False)
    made.quote(21_000)
    answer = asked(made, 9.0)
    assert (answer.allowed, answer.reasons, answer.rules, answer.mode) == (True, (), (), TradingMode.ACTIVE)


def blocking(rule, *ids, **more):
    return [rule.loss(each, then=rule.actions("block_entries"), **more) for each in ids]


def lost(made, account="eval"):
    """An account has lost more than its rule lets it."""
    made.fill(2, 21_000, account=account)
    made.quote(20_000)
    return made


def test_only_the_rules_that_block_this_account_are_named(world, rule):
    bystander = rule.loss("told", then=rule.actions("notify"))
    made = lost(world(bystander, *blocking(rule, "second", "first"), *blocking(rule, "tried", mode=RuleMode.SHADOW)))
    answer = asked(made)
    assert (answer.allowed, answer.mode) == (False, TradingMode.REDUCING)
    assert answer.reasons == ("eval may only reduce: entries are blocked by first, second",)
    assert asked(made, account="live").reasons == ()


def test_what_blocks_another_account_is_no_reason_here(world, rule):
    made = lost(world(*blocking(rule, "loss")), account="live")
    paused(made)
    assert asked(made, account="live").reasons == ("live may only reduce: entries are blocked by loss",)
    (reason,) = asked(made).reasons
    assert reason.startswith("eval is paused by ann: ")


def test_a_rule_about_the_portfolio_blocks_every_account(world, rule):
    limit = LimitSpec(value="portfolio.day_loss", comparison=Comparison.AT, threshold=1000.0)
    made = lost(world(RuleSpec(id="all", each=Scope.PORTFOLIO, limit=limit, then=rule.actions("block_entries"))))
    for account in ("eval", "live"):
        assert asked(made, account=account).reasons == (f"{account} may only reduce: entries are blocked by all",)


def test_a_flatten_that_is_not_proven_is_named_where_no_rule_blocks(world, rule):
    made = lost(world(rule.loss("loss", then=rule.actions("flatten")), *blocking(rule, "tried", mode=RuleMode.SHADOW)))
    assert asked(made).reasons == ("eval may only reduce: a flatten is not proven done yet",)


def test_nobody_enters_a_symbol_that_is_being_closed_until_that_is_proven(world, rule):
    made = world(rule.loss())
    made.fill(2, 21_000)
    request = ActionRequest(
        at=made.now, received_at=made.now, name="close_position", account="eval", request_id="r1", operator="ann",
        reason="news", symbol="MNQ",
    )  # fmt: skip
    (close,) = made.send(request).plan
    assert asked(made).reasons == ("MNQ is being closed, which is not proven done yet",)
    assert asked(made, -1).allowed and asked(made, symbol="MES").allowed
    made.send(ActionOutcome(at=made.now, received_at=made.now, action_id=close.id, account="eval", status=DONE))
    assert asked(made).allowed


def test_a_pause_is_the_one_reason_unless_a_rule_blocks_as_well(world, rule):
    made = world(*blocking(rule, "loss"))
    paused(made)
    (pause,) = asked(made).reasons
    assert pause.startswith("eval is paused by ann: ")
    lost(made)
    assert asked(made).reasons == (pause, "eval may only reduce: entries are blocked by loss")


@pytest.mark.parametrize(("drill", "why"), [(False, "under way"), (True, "under way, as a drill")])
def test_an_operators_flatten_pauses_and_says_who_asked_and_whether_it_is_a_drill(world, rule, drill, why):
    made = world(rule.loss())
    made.send(
        ActionRequest(
            at=made.now, received_at=made.now, name="flatten", account="eval", request_id="r1", operator="ann",
            reason="news", drill=drill,
        )
    )  # fmt: skip
    assert asked(made).reasons == (f"eval is paused by ann: a flatten is {why} (until an operator lifts it)",)


def test_a_paused_account_in_shadow_is_told_of_its_pause_and_of_no_rule(world, rule):
    made = lost(world(*blocking(rule, "loss")))
    disarmed(made)
    paused(made)
    (reason,) = asked(made).reasons
    assert reason.startswith("eval is paused by ann: ")


def test_a_locked_account_is_told_of_its_locks_alone(world, rule):
    made = lost(world(*blocking(rule, "loss")))
    paused(made)
    paused(made, entries_only=False)
    answer = asked(made)
    assert (answer.mode, len(answer.reasons)) == (TradingMode.HALTED, 1)
    assert answer.reasons[0].startswith("eval is locked: ")


def test_a_locked_symbol_may_not_be_entered_and_others_may(world, rule):
    made = world(rule.loss())
    made.quote(21_000)
    made.quote(5_000, "MES")
    paused(made, entries_only=False, symbol="MNQ", until=made.now + 60 * NS_PER_S)
    answer = asked(made)
    assert (answer.allowed, answer.mode, len(answer.reasons)) == (False, TradingMode.ACTIVE, 1)
    assert answer.reasons[0].startswith("MNQ is locked: ")
    assert asked(made, symbol="MES").allowed
    assert asked(made, account="live").allowed
    made.at(60)
    assert asked(made).allowed


@pytest.fixture
def barred(world, rule):
    """MNQ may not be entered, by three rules, and MES by one; another account holds both."""
    then = rule.actions("block_entries")
    made = world(
        dear("second", then=then), dear("first", then=then), dear("tried", then=then, mode=RuleMode.SHADOW),
        dear("told", then=rule.actions("notify")), dear("cheap", 4_000.0, then=then),
        most("watch", 99.0),
    )  # fmt: skip
    made.fill(1, 5_000, "MES", account="live")
    made.fill(1, 21_000, account="live")
    made.quote(5_000, "MES")
    made.quote(21_000)
    return made


def test_an_instrument_that_may_not_be_entered_names_the_rules_that_bar_it(barred):
    assert asked(barred).reasons == ("MNQ may not be entered: cheap, first, second",)
    assert asked(barred, symbol="MES").reasons == ("MES may not be entered: cheap",)


def test_who_holds_a_barred_instrument_is_told_that_entries_are_blocked(barred):
    assert asked(barred, account="live").reasons == (
        "live may only reduce: entries are blocked by cheap, first, second",
    )
    barred.fill(-1, 21_000, account="live")
    barred.fill(1, 21_000)
    assert asked(barred).reasons == ("eval may only reduce: entries are blocked by cheap, first, second",)
    assert asked(barred, account="live").reasons == ("live may only reduce: entries are blocked by cheap",)


def test_an_account_in_shadow_is_barred_from_nothing(barred):
    disarmed(barred)
    assert asked(barred).allowed
