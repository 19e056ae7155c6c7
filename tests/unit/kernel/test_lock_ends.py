"""Each lock ends by its own release, remembers what was open for itself alone, and says what it is."""

import pytest

from haltline.clock import NS_PER_S, from_iso
from haltline.kernel.governor import describe
from haltline.model.event import AccountReport, LockRequest
from haltline.model.id import AccountId, Symbol
from haltline.model.plan import Lock
from haltline.model.rule import ActionSpec, RuleSpec, Scope

EVAL = AccountId("eval")


def locks(then_until, **more):
    return (ActionSpec(name="lock", params={"until": then_until, **more}),)


def big(**params):
    """Locks while a position is larger than three."""
    return RuleSpec(id="big", each=Scope.POSITION, when="position.quantity > 3", then=locks("clear", **params))


def operator_lock(made, until_s=None):
    until = None if until_s is None else made.now + until_s * NS_PER_S
    return made.send(
        LockRequest(at=made.now, received_at=made.now, account=EVAL, operator="ann", reason="rest", until=until)
    )


def standing(made):
    return sorted(lock.id for lock in made.kernel.governor.locks)


def test_a_lock_until_the_reset_ends_with_the_trading_day(world, rule):
    made = world(rule.loss(then=locks("reset")))
    made.fill(2, 21_000)
    made.quote(20_750)
    (lock,) = made.kernel.governor.locks
    assert (lock.until, lock.release) == (from_iso("2025-05-07T00:00:00+00:00"), "time")


def test_a_lock_that_gets_longer_allows_no_more_than_it_did_when_it_began(world):
    made = world()
    operator_lock(made, until_s=60)
    made.fill(1, 21_000)
    operator_lock(made)
    assert made.kernel.governor.allowances == {"operator@eval": {}}


def test_a_lock_on_a_symbol_remembers_the_size_of_that_symbol_alone(world):
    made = world(big(scope="symbol"))
    made.fill(1, 5_000, symbol="MES")
    made.fill(4, 21_000)
    assert made.kernel.governor.allowances == {"big@eval/MNQ": {"MNQ": 4.0}}


def test_a_lock_on_a_symbol_ends_with_the_incident_of_that_symbol(world):
    made = world(big(scope="symbol"))
    made.fill(4, 21_000)
    made.fill(4, 5_000, symbol="MES")
    assert standing(made) == ["big@eval/MES", "big@eval/MNQ"]
    made.at(5).fill(-2, 21_000)
    assert standing(made) == ["big@eval/MES"]


def test_a_lock_on_the_account_ends_with_the_last_of_its_rules_incidents_in_that_account(world):
    made = world(big())
    made.fill(4, 21_000)
    made.fill(4, 5_000, symbol="MES")
    made.at(5).fill(-2, 21_000)
    assert standing(made) == ["big@eval"]
    made.at(9).fill(-2, 5_000, symbol="MES")
    assert standing(made) == []


def test_an_incident_of_another_account_keeps_no_lock_of_this_one(world):
    made = world(RuleSpec(id="auth", each=Scope.ACCOUNT, when="not account.can_trade", then=locks("clear")))
    for account in ("eval", "live"):
        made.send(AccountReport(at=made.now, received_at=made.now, account=AccountId(account), can_trade=False))
    made.at(5).can_trade(True)
    assert standing(made) == ["auth@live"]


def test_an_incident_of_another_rule_keeps_no_lock_of_this_one(world, rule):
    auth = RuleSpec(id="auth", each=Scope.ACCOUNT, when="not account.can_trade", then=locks("clear"))
    made = world(auth, rule.loss(then=rule.actions("notify")))
    made.can_trade(False)
    made.fill(2, 21_000)
    made.quote(20_700)
    made.at(5).can_trade(True)
    assert (standing(made), list(made.kernel.live)) == ([], ["loss/eval/1"])


def test_a_change_of_mode_is_told_with_its_reason_where_there_is_one(world, rule):
    made = world(rule.loss(then=rule.actions("block_entries")))
    made.fill(2, 21_000)
    made.quote(20_700)
    notices = [text for result in made.results for text in result.notices]
    assert notices == ["account eval: ACTIVE became REDUCING"]
    said = operator_lock(made).notices
    assert "account eval: REDUCING became HALTED: rest (until an operator lifts it)" in said


def test_nothing_is_undone_in_an_account_that_is_not_armed(world):
    made = world(live=False)
    operator_lock(made)
    made.fill(1, 21_000)
    made.order("entry", 1, symbol="MES")
    assert (made.mode, made.actions) == ("HALTED", [])


def test_a_sale_of_what_is_not_held_is_an_entry(world):
    made = world()
    operator_lock(made)
    made.order("short", -1, symbol="MES")
    assert made.actions == ["cancel_orders"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "news (until an operator lifts it)"),
        ({"symbol": Symbol("MNQ")}, "news MNQ (until an operator lifts it)"),
        ({"release": "clear"}, "news (until the incident ends)"),
        ({"until": 0, "release": "time"}, "news (until 1970-01-01T00:00:00.000Z)"),
        ({"reason": ""}, "locked (until an operator lifts it)"),
    ],
)
def test_a_lock_says_why_on_what_and_until_when(more, text):
    fields = {"id": "l", "account": EVAL, "since": 0, "reason": "news", "release": "released"} | more
    assert describe(Lock(**fields)) == text


@pytest.mark.parametrize(("until_s", "release"), [(60, "time"), (None, "released")])
def test_an_operators_lock_or_pause_ends_by_time_or_by_release(world, until_s, release):
    made = world()
    until = None if until_s is None else made.now + until_s * NS_PER_S
    for entries_only in (False, True):
        request = LockRequest(
            at=made.now, received_at=made.now, account=EVAL, operator="ann", reason="rest", until=until,
            entries_only=entries_only,
        )  # fmt: skip
        made.send(request)
    assert [lock.release for lock in made.kernel.governor.locks] == [release, release]


@pytest.mark.parametrize(("length_s", "length_ns"), [(3600.0, 3600 * NS_PER_S), (1e-9, 1)])
def test_a_lock_of_a_rule_for_a_time_ends_by_time(world, rule, length_s, length_ns):
    made = world(rule.loss(then=(ActionSpec(name="lock", params={"for": length_s}),)))
    made.fill(2, 21_000)
    made.quote(20_750)
    (lock,) = made.kernel.governor.locks
    assert (lock.release, lock.until) == ("time", made.now + length_ns)


def test_a_lock_on_a_symbol_of_another_account_closes_nothing_here(world):
    made = world()
    live = AccountId("live")
    made.send(
        LockRequest(
            at=made.now, received_at=made.now, account=live, operator="ann", reason="rest", symbol=Symbol("MNQ")
        )
    )
    made.fill(1, 21_000)
    made.order("entry", 1)
    assert made.actions == []


@pytest.mark.parametrize(
    "length", ["0", "0 - 3600", "account.day.loss - 5000", "account.balance / (account.day.loss * 0)"]
)
def test_a_lock_of_no_length_or_less_stands_until_the_next_session(world, rule, length):
    made = world(rule.loss(then=rule.actions(("lock", {"for": length})), for_ns=5 * NS_PER_S))
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    made.at(60)  # it fires at 5, in the past of this step
    (lock,) = made.kernel.governor.locks
    assert (made.mode, lock.until) == ("HALTED", made.kernel.state.accounts["eval"].roll.next_ns)
    made.restart().at(120)
    assert made.mode == "HALTED"
