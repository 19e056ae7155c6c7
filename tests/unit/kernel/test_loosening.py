"""What loosens waits: for the next session, or for somebody else; what tightens never does."""

from types import SimpleNamespace

import msgspec
import pytest

from haltline.clock import NS_PER_S
from haltline.kernel.loosening import LooseningBook, describe_pending, due_of, when_of
from haltline.model.event import (
    Approve,
    ArmRequest,
    CancelLoosening,
    LockRequest,
    LooseningRequest,
    OverrideGrant,
    OverrideRevoke,
    Release,
)
from haltline.model.id import AccountId
from haltline.model.loosening import LooseningPolicy, LooseningSort, Pending
from haltline.model.rule import RuleSpec, Scope

EVAL = AccountId("eval")
ROLL_S = 36_000
"""From the start of the small world to the next roll of its day."""


@pytest.fixture
def made(world, rule):
    """A world in which 1,000 were lost, with the limit at 500, so that `loss` is broken."""

    def make(policy="both", **more):
        found = world(rule.loss(**more))
        found.kernel.loosenings.policy = LooseningPolicy(policy)
        found.fill(2, 21_000)
        found.quote(20_750)
        return found

    return make


def grant(made, *, operator="ann", reason="news", until_s=ROLL_S + 600, rule="loss"):
    return made.send(
        OverrideGrant(
            at=made.now, received_at=made.now, grant_id="g", rule=rule, entity="eval",
            until=made.now + until_s * NS_PER_S, operator=operator, reason=reason,
        )
    )  # fmt: skip


def approve(made, name, operator="bob", reason="I looked"):
    return made.send(Approve(at=made.now, received_at=made.now, request_id=name, operator=operator, reason=reason))


def cancel(made, name, operator="bob"):
    return made.send(CancelLoosening(at=made.now, received_at=made.now, request_id=name, operator=operator))


def lock(made, *, until_s=None):
    until = None if until_s is None else made.now + until_s * NS_PER_S
    return made.send(
        LockRequest(at=made.now, received_at=made.now, account=EVAL, operator="ann", reason="rest", until=until)
    )


def release(made, lock_id="operator@eval", **more):
    fields = {"operator": "ann", "reason": "rested", "lock_id": lock_id} | more
    return made.send(Release(at=made.now, received_at=made.now, **fields))


def disarm(made, reason="holidays"):
    return made.send(
        ArmRequest(at=made.now, received_at=made.now, account=EVAL, operator="ann", live=False, reason=reason)
    )


def ask(made, name="rule:x:1", *, sort="rule", policy="at_once", operator="ann"):
    return made.send(
        LooseningRequest(
            at=made.now, received_at=made.now, request_id=name, sort=sort, subject="x", text="rule x changed",
            policy=policy, operator=operator,
        )
    )  # fmt: skip


def waiting(made):
    return [each.id for each in made.kernel.loosenings]


def said(result):
    return " | ".join(result.notices)


def test_without_a_policy_a_grant_counts_at_once(made):
    found = made("at_once")
    grant(found)
    assert len(list(found.kernel.overrides)) == 1
    assert waiting(found) == []


def test_a_grant_waits_for_the_next_session(made):
    found = made("next_session")
    result = grant(found)
    assert "waits: override: an exemption for loss on eval" in said(result)
    assert waiting(found) == ["grant:g"]
    found.at(ROLL_S - 0.001)
    assert list(found.kernel.overrides) == []
    found.at(ROLL_S)
    (standing,) = found.kernel.overrides
    assert standing.since == found.now
    assert waiting(found) == []


def test_a_grant_that_is_due_counts_from_its_own_instant_however_late_we_wake(made):
    found = made("next_session")
    grant(found)
    found.at(ROLL_S + 300)
    (standing,) = found.kernel.overrides
    assert standing.since == found.now - 300 * NS_PER_S


def test_a_second_operator_lets_a_grant_count_at_once(made):
    found = made("second_operator")
    grant(found)
    result = approve(found, "grant:g")
    assert "bob agrees to override" in said(result)
    assert len(list(found.kernel.overrides)) == 1


def test_a_second_operator_is_not_the_first_in_other_letters(made):
    found = made()
    grant(found)
    assert "somebody else than who asked must agree" in said(approve(found, "grant:g", operator=" ANN "))
    assert list(found.kernel.overrides) == []


def test_an_approval_needs_a_written_reason(made):
    found = made()
    grant(found)
    assert "it needs a written reason" in said(approve(found, "grant:g", reason="  "))


def test_an_approval_needs_a_name(made):
    found = made()
    grant(found)
    assert "an operator must be named" in said(approve(found, "grant:g", operator=" "))


def test_an_approval_of_nothing_is_said_to_be_one(made):
    assert "nothing waits under that name" in said(approve(made(), "grant:other"))


def test_nobody_hastens_what_waits_for_the_next_session(made):
    found = made("next_session")
    grant(found)
    assert "nobody can hasten it" in said(approve(found, "grant:g"))


def test_with_a_second_operator_alone_time_does_not_help(made):
    found = made("second_operator")
    grant(found, until_s=10 * ROLL_S)
    found.at(5 * ROLL_S)
    assert waiting(found) == ["grant:g"]


def test_a_loosening_needs_a_reason(made):
    found = made()
    assert "what loosens needs a written reason" in said(grant(found, reason=" "))
    assert waiting(found) == []


def test_a_loosening_needs_an_operator(made):
    found = made()
    assert "an operator must be named for what loosens" in said(grant(found, operator=""))


def test_asking_twice_waits_once(made):
    found = made()
    grant(found)
    assert "it waits already" in said(grant(found, operator="bob"))
    assert next(iter(found.kernel.loosenings)).operator == "ann"


def test_a_grant_that_would_end_before_it_may_begin_is_refused(made):
    found = made("next_session")
    for until_s in (60, ROLL_S):
        assert "would end before it may begin" in said(grant(found, until_s=until_s))
    assert waiting(found) == []
    grant(found, until_s=ROLL_S + 1)
    assert waiting(found) == ["grant:g"]


def test_a_short_grant_may_still_be_approved_where_that_is_a_way(made):
    found = made("both")
    grant(found, until_s=60)
    assert waiting(found) == ["grant:g"]


def test_a_grant_for_no_rule_is_refused_as_ever(made):
    found = made()
    assert "there is no rule 'other'" in said(grant(found, rule="other"))
    assert waiting(found) == []


def test_taking_a_grant_back_never_waits(made):
    found = made("second_operator")
    grant(found)
    approve(found, "grant:g")
    found.send(OverrideRevoke(at=found.now, received_at=found.now, grant_id="g", operator="ann", reason="enough"))
    assert list(found.kernel.overrides) == []


def test_what_waits_can_be_cancelled_by_anybody_at_once(made):
    found = made()
    grant(found)
    assert "bob cancelled override" in said(cancel(found, "grant:g"))
    found.at(ROLL_S)
    assert list(found.kernel.overrides) == []


def test_cancelling_what_does_not_wait_is_said(made):
    assert "nothing waits under the name 'grant:g'" in said(cancel(made(), "grant:g"))


def test_a_lock_stands_until_its_release_is_due(made):
    found = made("next_session")
    lock(found)
    release(found)
    assert found.kernel.governor.locks.get("operator@eval") is not None
    found.at(ROLL_S)
    assert found.kernel.governor.locks.get("operator@eval") is None


def test_a_release_that_waited_does_not_lift_another_lock_of_the_same_name(made):
    found = made("next_session")
    lock(found, until_s=60)
    release(found)
    found.at(120)
    lock(found, until_s=10 * ROLL_S)
    found.at(ROLL_S)
    assert found.kernel.governor.locks.get("operator@eval") is not None


def test_a_release_that_waited_does_not_lift_a_lock_that_was_made_longer(made):
    found = made("next_session")
    lock(found, until_s=2 * ROLL_S)
    release(found)
    lock(found, until_s=3 * ROLL_S)
    found.at(ROLL_S)
    assert found.kernel.governor.locks.get("operator@eval") is not None


def test_a_release_of_a_lock_that_ended_meanwhile_does_nothing(made):
    found = made("next_session")
    lock(found, until_s=60)
    release(found)
    found.at(ROLL_S)
    assert "the lock is not the one it was asked for" in " | ".join(said(each) for each in found.results)
    assert waiting(found) == []


def test_a_release_of_a_lock_and_an_incident_waits_as_one(made):
    found = made("next_session", latch="manual")
    (incident,) = found.kernel.live
    lock(found)
    release(found, incident=incident)
    assert waiting(found) == ["release:operator@eval"]
    found.at(ROLL_S)
    assert incident not in found.kernel.live
    assert found.kernel.governor.locks.get("operator@eval") is None


def test_a_grant_for_nobodys_entity_is_refused_before_it_waits(made):
    found = made("next_session")
    found.send(
        OverrideGrant(
            at=found.now, received_at=found.now, grant_id="g", rule="loss", entity="other/MNQ",
            until=found.now + 10 * ROLL_S * NS_PER_S, operator="ann", reason="news",
        )
    )  # fmt: skip
    assert waiting(found) == []


def test_an_operator_can_make_a_lock_longer_at_once_and_never_shorter(made):
    found = made()
    lock(found, until_s=600)
    lock(found, until_s=60)
    lock(found, until_s=900)
    assert found.kernel.governor.locks.get("operator@eval").until == found.now + 900 * NS_PER_S


def test_releasing_a_lock_that_does_not_stand_is_said_at_once(made):
    found = made()
    assert "does not stand" in said(release(found, "operator@other"))
    assert waiting(found) == []


def test_ending_an_incident_by_hand_waits(made):
    found = made("next_session", latch="manual")
    (incident,) = found.kernel.live
    release(found, None, incident=incident)
    assert incident in found.kernel.live
    found.at(ROLL_S)
    assert incident not in found.kernel.live


def test_disarming_waits_and_arming_does_not(made):
    found = made("next_session")
    disarm(found)
    account = found.kernel.state.accounts["eval"]
    assert account.live
    found.at(ROLL_S)
    assert not account.live
    found.send(ArmRequest(at=found.now, received_at=found.now, account=EVAL, operator="ann", live=True))
    assert account.live


def test_arming_anew_ends_a_disarming_that_waits(made):
    found = made()
    disarm(found)
    found.send(ArmRequest(at=found.now, received_at=found.now, account=EVAL, operator="ann", live=True))
    assert waiting(found) == []


def test_disarming_what_is_in_shadow_already_does_not_wait(world, rule):
    found = world(rule.loss(), live=False)
    found.kernel.loosenings.policy = LooseningPolicy.BOTH
    disarm(found)
    assert waiting(found) == []


def test_an_arming_is_kept_with_its_gaps_over_a_restart(made):
    found = made()
    result = found.send(
        ArmRequest(
            at=found.now, received_at=found.now, account=EVAL, operator="ann", live=True, reason="ready",
            gaps=("no-guardian: nobody",),
        )
    )  # fmt: skip
    assert said(result) == "ann armed eval; not covered: no-guardian"
    found.restart()
    arming = found.kernel.loosenings.armings[EVAL]
    assert (arming.operator, arming.reason, arming.gaps) == ("ann", "ready", ("no-guardian: nobody",))


def test_a_rule_may_be_stricter_than_the_set_up(made):
    found = made("at_once", loosening=LooseningPolicy.SECOND_OPERATOR)
    grant(found)
    assert waiting(found) == ["grant:g"]
    assert next(iter(found.kernel.loosenings)).due is None


def test_an_edit_nobody_signed_takes_two_operators(made):
    found = made("second_operator")
    ask(found, operator="")
    assert "somebody else must agree" in said(approve(found, "rule:x:1", operator="ann"))
    assert found.kernel.loosenings.released() == frozenset()
    assert "somebody else than who asked" in said(approve(found, "rule:x:1", operator="ann"))
    approve(found, "rule:x:1", operator="bob")
    assert found.kernel.loosenings.released() == {"rule:x:1"}


def test_an_edit_that_was_let_go_is_kept_until_it_is_applied(made):
    found = made("next_session")
    ask(found)
    found.at(ROLL_S)
    assert found.kernel.loosenings.released() == {"rule:x:1"}
    assert "it was let go already" in said(approve(found, "rule:x:1"))
    assert cancel(found, "rule:x:1", operator="").notices == ()
    assert waiting(found) == []


def test_an_edit_that_is_asked_for_again_keeps_its_due_instant(made):
    found = made("next_session")
    ask(found)
    first = found.kernel.loosenings.get("rule:x:1").due
    found.at(ROLL_S / 2)
    ask(found)
    assert found.kernel.loosenings.get("rule:x:1").due == first


def test_an_edit_without_any_policy_is_let_go_at_once(made):
    found = made("at_once")
    ask(found)
    assert found.kernel.loosenings.released() == {"rule:x:1"}


@pytest.mark.parametrize(("field", "value"), [("sort", "whatever"), ("policy", "never")])
def test_a_request_in_words_we_do_not_know_is_refused(made, field, value):
    found = made()
    assert "was refused" in said(ask(found, **{field: value}))
    assert waiting(found) == []


def test_what_operators_do_is_not_asked_for_by_another_door(made):
    found = made()
    assert "operators ask by what they want to do" in said(ask(found, sort="request"))


def test_a_stricter_policy_counts_at_once(made):
    found = made("at_once")
    ask(found, "policy:both", sort="policy", policy="both")
    assert found.kernel.loosenings.policy is LooseningPolicy.BOTH


def test_a_weaker_policy_waits_under_the_policy_in_force(made):
    found = made("next_session")
    ask(found, "policy:at_once", sort="policy", policy="at_once")
    assert found.kernel.loosenings.policy is LooseningPolicy.NEXT_SESSION
    assert "nobody can hasten it" in said(approve(found, "policy:at_once"))
    found.at(ROLL_S)
    assert found.kernel.loosenings.policy is LooseningPolicy.AT_ONCE


def test_time_alone_is_not_exchanged_for_a_second_operator_at_once(made):
    found = made("next_session")
    ask(found, "policy:second_operator", sort="policy", policy="second_operator")
    assert found.kernel.loosenings.policy is LooseningPolicy.NEXT_SESSION


def test_a_policy_that_is_taken_back_is_forgotten(made):
    found = made("next_session")
    ask(found, "policy:at_once", sort="policy", policy="at_once")
    ask(found, "policy:next_session", sort="policy", policy="next_session")
    assert waiting(found) == []


def test_what_waits_and_the_policy_survive_a_restart_at_any_instant(made):
    plain, broken_off = made("next_session"), made("next_session")
    for found in (plain, broken_off):
        grant(found)
        disarm(found)
    for second in (1, ROLL_S // 2, ROLL_S - 1, ROLL_S, ROLL_S + 1):
        plain.at(second)
        broken_off.at(second)
        policy = broken_off.kernel.loosenings.policy
        broken_off.restart()
        assert broken_off.kernel.loosenings.policy is policy
        assert broken_off.kernel.snapshot() == plain.kernel.snapshot()


def test_a_state_saved_by_an_older_version_keeps_the_policy_of_the_set_up(made):
    found = made("next_session")
    saved = msgspec.msgpack.decode(found.kernel.snapshot())
    for key in ("policy", "loosenings", "armings"):
        del saved[key]
    fresh = found.new_kernel(found.specs)
    fresh.loosenings.policy = LooseningPolicy.BOTH
    fresh.restore(msgspec.msgpack.encode(saved))
    assert fresh.loosenings.policy is LooseningPolicy.BOTH


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        ("at_once", "both", "both"),
        ("both", "next_session", "next_session"),
        ("second_operator", "both", "second_operator"),
        ("next_session", "second_operator", "next_session"),
        ("second_operator", "next_session", "next_session"),
    ],
)
def test_the_stricter_of_two_policies(one, other, joined):
    assert LooseningPolicy(one).joined(LooseningPolicy(other)) is LooseningPolicy(joined)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"policy": "next_session", "due": 0}, "at 1970-01-01T00:00:00.000Z"),
        ({"policy": "second_operator"}, "once a second operator agrees"),
        ({"policy": "second_operator", "operator": ""}, "once two operators agree"),
        ({"policy": "both", "due": 0}, "at 1970-01-01T00:00:00.000Z, or once a second operator agrees"),
        ({"policy": "both", "due": 0, "released_at": 0}, "let go at 1970-01-01T00:00:00.000Z"),
    ],
)
def test_what_waits_says_when_it_takes_effect(more, text):
    fields = {"policy": "both", "operator": "ann"} | more
    fields["policy"] = LooseningPolicy(fields["policy"])
    pending = Pending(id="p", sort=LooseningSort.RULE, subject="x", text="rule x changed", asked_at=0, **fields)
    assert when_of(pending) == text
    who = ", asked for by ann" if fields["operator"] else ""
    assert describe_pending(pending) == f"rule x changed{who} ({text})"


def test_what_operators_do_and_ask_for_by_another_door_does_not_wait_either(made):
    found = made()
    ask(found, sort="request")
    assert waiting(found) == []


def test_a_grant_that_waits_says_how_much_room_it_makes(made):
    found = made()
    send = OverrideGrant(
        at=found.now, received_at=found.now, grant_id="g", rule="loss", entity="eval",
        until=found.now + (ROLL_S + 600) * NS_PER_S, operator="ann", reason="news", extra=150.0,
    )  # fmt: skip
    assert "override: 150 more for loss on eval until" in said(found.send(send))
    found.kernel.loosenings.drop("grant:g")
    assert "override: an exemption for loss on eval until" in said(grant(found))


def test_a_release_that_waits_is_about_the_account_of_its_lock_or_else_of_its_incident(made):
    found = made()
    release(found, lock_id=None, incident="loss/eval/1")
    assert found.kernel.loosenings.get("release:loss/eval/1").account == "eval"
    live = LockRequest(at=found.now, received_at=found.now, account=AccountId("live"), operator="ann", reason="rest")
    found.send(live)
    release(found, lock_id="operator@live", incident="loss/eval/1")
    assert found.kernel.loosenings.get("release:operator@live").account == "live"


def test_a_change_of_policy_is_told_with_its_author(made):
    found = made("at_once")
    said_so = said(ask(found, "policy:both", sort="policy", policy="both"))
    assert "what loosens takes effect by the policy 'both' from now on by ann" in said_so


def test_what_is_kept_waiting_and_what_is_cancelled_is_told(made):
    found = made("next_session")
    assert said(ask(found)).startswith("waits: rule x changed, asked for by ann (at ")
    assert said(cancel(found, "rule:x:1")) == "bob cancelled rule x changed"
    ask(found)
    event = CancelLoosening(
        at=found.now, received_at=found.now, request_id="rule:x:1", operator="bob", reason="not now"
    )
    assert said(found.send(event)) == "bob cancelled rule x changed: not now"


def test_what_was_let_go_stays_so_when_it_is_asked_for_again(made):
    found = made("next_session")
    ask(found)
    found.at(ROLL_S)
    assert ask(found).notices == ()
    assert found.kernel.loosenings.released() == {"rule:x:1"}


def test_a_policy_that_is_asked_for_again_keeps_its_due_instant_too(made):
    found = made("next_session")
    ask(found, "policy:at_once", sort="policy", policy="at_once")
    first = found.kernel.loosenings.get("policy:at_once")
    found.at(ROLL_S / 2)
    assert ask(found, "policy:at_once", sort="policy", policy="at_once", operator="bob").notices == ()
    assert found.kernel.loosenings.get("policy:at_once") == first


def test_of_policies_only_the_last_one_asked_for_waits(made):
    found = made("next_session")
    ask(found)
    ask(found, "policy:at_once", sort="policy", policy="at_once")
    ask(found, "policy:both", sort="policy", policy="both")
    assert waiting(found) == ["rule:x:1", "policy:both"]


def test_a_policy_that_counts_at_once_ends_the_wait_of_its_own_name(made):
    found = made("both")
    ask(found, "policy", sort="policy", policy="at_once")
    ask(found, "policy", sort="policy", policy="next_session")
    assert (waiting(found), found.kernel.loosenings.policy) == ([], LooseningPolicy.NEXT_SESSION)


def test_a_policy_in_force_that_is_asked_for_again_is_not_told(made):
    found = made("both")
    assert ask(found, "policy:both", sort="policy", policy="both").notices == ()


def test_a_policy_that_nobody_signed_is_told_without_an_author(made):
    found = made("at_once")
    assert said(ask(found, "policy:both", sort="policy", policy="both", operator="")).endswith("'both' from now on")


def test_a_policy_waits_by_the_one_in_force_alone(made):
    found = made("second_operator")
    ask(found, "policy:next_session", sort="policy", policy="next_session")
    found.at(2 * ROLL_S)
    assert found.kernel.loosenings.policy is LooseningPolicy.SECOND_OPERATOR
    approve(found, "policy:next_session")
    assert found.kernel.loosenings.policy is LooseningPolicy.NEXT_SESSION


def test_an_edit_waits_by_the_stricter_of_the_policies_of_its_rule_and_of_the_set_up(made):
    found = made("at_once")
    ask(found, policy="second_operator")
    pending = found.kernel.loosenings.get("rule:x:1")
    assert (pending.policy, pending.due, pending.target) == (LooseningPolicy.SECOND_OPERATOR, None, "")
    assert found.kernel.loosenings.released() == frozenset()


def test_each_rule_has_a_policy_of_its_own(world, rule):
    found = world(rule.loss(), rule.loss("strict", loosening=LooseningPolicy.SECOND_OPERATOR))
    found.fill(2, 21_000)
    grant(found)
    assert ([each.rule for each in found.kernel.overrides], waiting(found)) == (["loss"], [])
    found.kernel.overrides.revoke("g")
    grant(found, rule="strict")
    assert (list(found.kernel.overrides), waiting(found)) == ([], ["grant:g"])


@pytest.mark.parametrize(
    ("field", "entity", "account"),
    [("account.balance", "eval", EVAL), ("position.quantity", "eval/MNQ", EVAL), ("instrument.last", "MNQ", None)],
)
def test_a_grant_that_waits_is_about_the_account_of_its_entity_if_that_has_one(world, field, entity, account):
    found = world(RuleSpec(id="r", each=Scope(field.partition(".")[0]), when=f"{field} < -1", then=()))
    found.kernel.loosenings.policy = LooseningPolicy.BOTH
    found.fill(2, 21_000)
    found.send(
        OverrideGrant(
            at=found.now, received_at=found.now, grant_id="g", rule="r", entity=entity,
            until=found.now + 10 * ROLL_S * NS_PER_S, operator="ann", reason="news",
        )
    )  # fmt: skip
    assert [(pending.account, pending.subject) for pending in found.kernel.loosenings] == [(account, "r")]


def test_a_release_that_waits_says_all_that_it_would_end_and_how(made):
    found = made("next_session", latch="manual")
    lock(found)
    release(found, incident="loss/eval/1")
    (pending,) = found.kernel.loosenings
    assert (pending.subject, pending.text) == (
        "operator@eval",
        "lift the lock operator@eval, rest (until an operator lifts it) and end the incident loss/eval/1",
    )


def test_ending_an_incident_of_no_account_waits_for_all_of_them(world):
    found = world(RuleSpec(id="all", each=Scope.PORTFOLIO, when="portfolio.gross_notional > 1", latch="manual"))
    found.kernel.loosenings.policy = LooseningPolicy.BOTH
    found.fill(2, 21_000)
    found.quote(21_000)
    release(found, None, incident="all/portfolio/1")
    assert [(pending.id, pending.account) for pending in found.kernel.loosenings] == [("release:all/portfolio/1", None)]


def test_disarming_nobody_is_said_under_a_policy_too(made):
    found = made()
    request = ArmRequest(
        at=found.now, received_at=found.now, account=AccountId("nobody"), operator="ann", live=False, reason="x"
    )
    assert said(found.send(request)) == "there is no account 'nobody' to arm"


def pending(name, **more):
    return Pending(id=name, sort=LooseningSort.RULE, subject="x", text="x", asked_at=0, **more)


def test_the_first_instant_is_that_of_what_still_waits_for_one():
    book = LooseningBook()
    assert book.next_due() is None
    book.replace(
        (pending("never"), pending("late", due=9), pending("early", due=5), pending("gone", due=1, released_at=2))
    )
    assert book.next_due() == 5
    assert [each.id for each in book.due(9)] == ["late", "early"]


@pytest.mark.parametrize(
    ("account", "policy", "due"),
    [
        ("one", "next_session", 50), ("two", "both", 70), (None, "next_session", 70), ("nobody", "both", 70),
        ("one", "second_operator", None),
    ],
)  # fmt: skip
def test_the_session_that_is_waited_for_is_that_of_the_account_or_the_last_one_of_all(account, policy, due):
    accounts = {
        name: SimpleNamespace(
            roll=SimpleNamespace(next_ns=roll), hours=SimpleNamespace(source=SimpleNamespace(is_open=lambda _: True))
        )
        for name, roll in (("one", 50), ("two", 70))
    }
    core = SimpleNamespace(state=SimpleNamespace(accounts=accounts))
    assert due_of(core, account, LooseningPolicy(policy), 7) == due
    accounts.clear()
    assert due_of(core, None, LooseningPolicy.NEXT_SESSION, 7) == 7
