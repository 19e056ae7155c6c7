"""What a lock leaves alone and what it undoes: each account, symbol and lock for itself."""

import msgspec
import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import ActionOutcome, LockRequest, OutcomeStatus
from haltline.model.id import AccountId, Symbol
from haltline.model.rule import ActionSpec, EscalationStep, RuleSpec, Scope

EVAL, LIVE = AccountId("eval"), AccountId("live")
DAY_S = 86_400.0


def locked_by_operator(made, account=EVAL, *, symbol=None, until_s=None, entries_only=False):
    until = None if until_s is None else made.now + until_s * NS_PER_S
    return made.send(
        LockRequest(
            at=made.now, received_at=made.now, account=account, operator="ann", reason="rest", until=until,
            symbol=Symbol(symbol) if symbol else None, entries_only=entries_only,
        )
    )  # fmt: skip


def planned(made):
    return [action for result in made.results for action in result.plan]


def lock(**params):
    return (ActionSpec(name="lock", params=params),)


def test_a_lock_of_another_account_says_nothing_about_what_was_open_here(world):
    made = world()
    made.fill(2, 21_000)
    locked_by_operator(made, LIVE)
    locked_by_operator(made, EVAL)
    made.fill(-1, 21_000)
    assert made.actions == []


def test_a_lock_on_one_symbol_says_nothing_about_another(world):
    made = world()
    made.fill(2, 21_000)
    locked_by_operator(made, symbol="MES")
    locked_by_operator(made)
    made.fill(-1, 21_000)
    assert made.actions == []


def test_a_pause_closes_nothing_of_what_a_lock_besides_it_leaves_alone(world):
    made = world()
    locked_by_operator(made, entries_only=True)
    made.fill(2, 21_000)
    locked_by_operator(made)
    made.fill(-1, 21_000)
    assert made.actions == []


@pytest.fixture
def too_large(world):
    """Two were open when the lock began, one more was bought, and taking it off failed."""
    made = world()
    made.fill(2, 21_000)
    locked_by_operator(made)
    made.fill(1, 21_000)
    (reduction,) = planned(made)
    assert (reduction.name, reduction.params) == ("reduce_to", {"quantity": 2.0})
    made.send(
        ActionOutcome(
            at=made.now, received_at=made.now, action_id=reduction.id, account=EVAL, status=OutcomeStatus.FAILED
        )
    )
    return made.forget()


def test_a_reduction_under_a_lock_that_failed_is_tried_again_as_the_same(too_large):
    too_large.at(5)
    assert [(action.id, action.params) for action in planned(too_large)] == [
        ("lock@eval:reduce_to:MNQ:1~1", {"quantity": 2.0})
    ]  # fmt: skip


def test_a_reduction_under_a_lock_that_somebody_else_has_done_by_then_is_not_tried_again(too_large):
    too_large.fill(-1, 21_000)
    too_large.at(5)
    assert planned(too_large) == []


def test_what_is_opened_under_a_lock_is_closed_though_another_account_is_locked_too(world):
    made = world()
    locked_by_operator(made, LIVE)
    locked_by_operator(made)
    made.fill(1, 21_000)
    assert made.actions == ["close_position"]


def test_an_operators_locks_on_an_account_and_on_its_symbols_stand_side_by_side(world):
    made = world()
    for symbol in (None, "MNQ", "MES"):
        locked_by_operator(made, symbol=symbol)
    assert sorted(each.id for each in made.kernel.governor.locks) == [
        "operator@eval", "operator@eval/MES", "operator@eval/MNQ",
    ]  # fmt: skip


def test_an_operator_hears_of_the_longer_pause_that_stands(world):
    made = world()
    locked_by_operator(made, entries_only=True)
    assert locked_by_operator(made, entries_only=True, until_s=60).notices == (
        "ann paused eval: rest (until an operator lifts it)",
    )


@pytest.mark.parametrize("until", ["clear", "time"])
def test_a_lock_that_has_ended_and_comes_again_allows_what_is_open_then(world, until):
    params = {"until": "clear"} if until == "clear" else {"for": 3.0}
    made = world(RuleSpec(id="auth", each=Scope.ACCOUNT, when="not account.can_trade", then=lock(**params)))
    made.can_trade(False)
    assert made.mode == "HALTED"
    made.at(5).can_trade(True)
    assert made.mode == "ACTIVE"
    made.fill(2, 21_000)
    made.at(9).can_trade(False)
    assert (made.mode, made.actions) == ("HALTED", ["lock", "lock"])


@pytest.mark.parametrize(
    ("until", "release"), [("next_session", "time"), ("reset", "time"), ("released", "released"), ("clear", "clear")]
)
def test_a_lock_of_a_rule_ends_as_the_rule_says(world, rule, until, release):
    made = world(rule.loss(then=lock(until=until)))
    made.fill(2, 21_000)
    made.quote(20_750)
    assert [each.release for each in made.kernel.governor.locks] == [release]


@pytest.mark.parametrize("length_s", [0.5, 1.0])
def test_a_lock_of_a_rule_may_be_short(world, rule, length_s):
    made = world(rule.loss(then=lock(**{"for": length_s})))
    made.fill(2, 21_000)
    made.quote(20_750)
    assert [each.until for each in made.kernel.governor.locks] == [made.now + round(length_s * NS_PER_S)]


@pytest.mark.parametrize(("length_s", "has_end"), [(36_600 * DAY_S - 1, True), (36_600 * DAY_S, False)])
def test_a_lock_for_a_hundred_years_has_no_end(world, rule, length_s, has_end):
    made = world(rule.loss(then=lock(**{"for": length_s})))
    made.fill(2, 21_000)
    made.quote(20_750)
    assert [each.until is not None for each in made.kernel.governor.locks] == [has_end]


def test_an_incident_that_only_holds_yet_keeps_no_lock_of_its_rule(world):
    big = RuleSpec(
        id="big", each=Scope.POSITION, when="position.quantity > 3", then=lock(until="clear"), for_ns=10 * NS_PER_S
    )
    made = world(big)
    made.fill(4, 21_000)
    made.at(11)
    assert made.mode == "HALTED"
    made.fill(4, 5_000, symbol="MES")
    assert made.phases[-1] == "big pending"
    made.at(12).fill(-2, 21_000)
    assert made.mode == "ACTIVE"


@pytest.fixture
def locked_by_warning(world, rule):
    """Locked until it clears by a warning, which is not a breach."""
    made = world(
        rule.loss(warn=0.8, warn_then=lock(until="clear") + rule.actions("notify"), then=rule.actions("notify"))
    )
    made.fill(2, 21_000)
    made.quote(20_780)
    assert (made.phases, made.mode) == (["loss warning"], "HALTED")
    return made


def test_a_lock_of_a_warning_stands_after_a_restart_and_ends_with_the_warning(locked_by_warning):
    made = locked_by_warning.restart()
    assert made.mode == "HALTED"
    made.at(5).quote(21_000)
    assert made.mode == "ACTIVE"


def test_a_lock_of_a_warning_stands_while_the_breach_that_followed_is_near_the_limit_again(locked_by_warning):
    made = locked_by_warning
    made.at(5).quote(20_740)
    made.at(9).quote(20_780)
    assert (made.phases[-1], made.mode) == ("loss warning", "HALTED")
    made.at(15).quote(21_000)
    assert made.mode == "ACTIVE"


@pytest.mark.parametrize(("warn_then", "mode"), [(("notify", "cancel_orders"), "HALTED"), (("notify",), "ACTIVE")])
def test_a_lock_that_a_stuck_warning_has_led_to_stands_as_long_as_that_warns(world, rule, warn_then, mode):
    step = EscalationStep(attempts=1, then=lock(until="clear"))
    made = world(
        rule.loss(warn=0.8, warn_then=rule.actions(*warn_then), then=rule.actions("cancel_orders"), escalate=(step,))
    )
    made.fill(2, 21_000)
    made.quote(20_740)
    for action in planned(made):
        if action.name == "cancel_orders":
            made.send(
                ActionOutcome(
                    at=made.now, received_at=made.now, action_id=action.id, account=EVAL, status=OutcomeStatus.FAILED
                )
            )  # fmt: skip
    assert made.mode == "HALTED"
    made.at(1).quote(20_780)
    assert (made.phases[-1], made.mode) == ("loss warning", mode)
    assert made.restart().mode == mode


def test_a_lock_on_an_account_stands_while_another_position_warns_of_the_same(world, rule):
    spec = rule.size(warn_then=lock(until="clear"))
    made = world(msgspec.structs.replace(spec, limit=msgspec.structs.replace(spec.limit, warn=0.5)))
    made.fill(3, 21_000)
    made.fill(3, 5_000, symbol="MES")
    made.at(5).fill(-2, 21_000)
    assert made.mode == "HALTED"
    made.at(9).fill(-2, 5_000, symbol="MES")
    assert made.mode == "ACTIVE"


def test_a_lock_on_a_symbol_stands_while_another_order_for_it_breaks_the_same_rule(world):
    spec = RuleSpec(
        id="far", each=Scope.ORDER, when="order.quantity > 3", then=lock(until="clear", scope="symbol")
    )  # fmt: skip
    made = world(spec)
    for key in ("one", "two"):
        made.order(key, -5, reduce_only=True)
    made.at(5).order("one", -2, reduce_only=True)
    assert made.phases[-1] == "far resolved"
    assert [each.id for each in made.kernel.governor.locks] == ["far@eval/MNQ"]
    made.at(9).order("two", -2, reduce_only=True)
    assert list(made.kernel.governor.locks) == []


def test_a_lock_on_a_symbol_whose_incident_lives_stands_after_a_restart(world):
    big = RuleSpec(
        id="big", each=Scope.POSITION, when="position.quantity > 3", then=lock(until="clear", scope="symbol")
    )
    made = world(big)
    made.fill(4, 21_000)
    assert [each.id for each in made.restart().kernel.governor.locks] == ["big@eval/MNQ"]


def test_a_rule_on_everything_hears_of_a_lock_in_the_same_step(world):
    made = world(
        RuleSpec(id="any", each=Scope.PORTFOLIO, when="any(a.locked for a in portfolio.accounts)", then=())
    )  # fmt: skip
    locked_by_operator(made)
    assert made.phases == ["any breached"]


def test_an_entry_that_comes_back_after_its_cancel_gets_another_cancel_of_its_own(world):
    made = world()
    locked_by_operator(made)
    made.order("o", 1)
    (first,) = planned(made)
    made.send(
        ActionOutcome(
            at=made.now, received_at=made.now, action_id=first.id, account=EVAL, status=OutcomeStatus.DONE
        )
    )  # fmt: skip
    made.at(1).order("o", 2)
    assert [action.name for action in planned(made)] == ["cancel_orders", "cancel_orders"]
    assert len({action.id for action in planned(made)}) == 2


def test_what_is_opened_twice_under_a_lock_is_closed_by_two_actions(world):
    made = world()
    locked_by_operator(made)
    made.fill(1, 21_000)
    (first,) = planned(made)
    made.send(
        ActionOutcome(
            at=made.now, received_at=made.now, action_id=first.id, account=EVAL, status=OutcomeStatus.DONE
        )
    )  # fmt: skip
    made.fill(-1, 21_000)
    made.at(1).fill(1, 21_000)
    assert [(action.name, action.params) for action in planned(made)] == [("close_position", {})] * 2
    assert len({action.id for action in planned(made)}) == 2


def test_what_was_turned_around_under_a_lock_and_back_is_closed_whole(world):
    made = world()
    made.fill(2, 21_000)
    locked_by_operator(made)
    made.fill(-4, 21_000)
    (first,) = planned(made)
    made.send(
        ActionOutcome(at=made.now, received_at=made.now, action_id=first.id, account=EVAL, status=OutcomeStatus.DONE)
    )
    made.at(1).fill(4, 21_000)
    assert [(action.name, action.params) for action in planned(made)] == [("close_position", {})] * 2


@pytest.mark.parametrize(
    ("symbol", "why"),
    [(None, "rest (until an operator lifts it)"), ("MNQ", "")],
)
def test_what_is_undone_says_why(world, symbol, why):
    made = world()
    locked_by_operator(made, symbol=symbol)
    made.order("entry", 1)
    made.fill(1, 21_000)
    assert [action.reason for action in planned(made)] == [
        f"eval may not take new risk: {why or 'entries are blocked'}",
        f"eval MNQ was opened while locked: {why or 'symbol locked'}",
    ]


@pytest.mark.parametrize(
    ("held", "ordered", "is_left"),
    [(2, -2, True), (2, -3, False), (-2, 2, True), (-2, -1, False), (2, 1, False), (0, -1, False)],
)
def test_an_order_is_left_alone_where_it_can_only_shrink_what_is_held(world, held, ordered, is_left):
    made = world()
    if held:
        made.fill(held, 21_000)
    locked_by_operator(made)
    made.order("o", ordered)
    assert made.actions == ([] if is_left else ["cancel_orders"])


@pytest.mark.parametrize(
    ("each", "field"), [("portfolio", "portfolio.gross_notional"), ("account", "account.gross_notional")]
)
def test_who_may_only_reduce_hears_of_the_rules_that_say_so_and_of_no_others(world, each, field):
    spec = RuleSpec(id="r", each=Scope(each), when=f"{field} > 1", then=(ActionSpec(name="block_entries"),))
    elsewhere = RuleSpec(
        id="there", each=Scope.ACCOUNT, where='account.id == "live"', when="account.balance > 0",
        then=(ActionSpec(name="block_entries"),),
    )  # fmt: skip
    made = world(spec, elsewhere)
    made.note(made.kernel.evaluate_all(made.now))
    made.fill(1, 21_000)
    made.quote(21_000)
    assert made.kernel.check(made.intent(1)).reasons == ("eval may only reduce: entries are blocked by r",)
