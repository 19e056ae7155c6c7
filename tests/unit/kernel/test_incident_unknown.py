"""An incident whose condition is not known: what is told of it, what goes on, and what starts anew."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import Acknowledge, ActionOutcome, OutcomeStatus, OverrideGrant
from haltline.model.rule import Latch, OnUnknown

GRANTED = "overridden by ann until 2025-05-06T14:10:00.000Z: news"


@pytest.fixture
def dark(world, rule):
    """A world that is long 2 MNQ (2 USD a point each), with a rule on the day's loss and prices that age in 10 s."""

    def make(*, price=21_000.0, stale_after_s=10, **more):
        made = world(rule.loss(**more), stale_after_s=stale_after_s)
        made.fill(2, 21_000)
        made.quote(21_000)
        made.quote(price)
        return made

    return make


def grant(made, extra):
    made.send(
        OverrideGrant(
            at=made.now,
            received_at=made.now,
            grant_id="g",
            rule="loss",
            entity="eval",
            until=made.now + 600 * NS_PER_S,
            operator="ann",
            reason="news",
            extra=extra,
        )
    )


def finish(made):
    """Everything that is under way is done."""
    for key in list(made.kernel.arbiter.flights):
        outcome = ActionOutcome(
            at=made.now, received_at=made.now, action_id=key, account="eval", status=OutcomeStatus.DONE
        )
        made.send(outcome)


def told(made):
    return [(each.phase.value, each.reason) for result in made.results for each in result.transitions]


class TestAct:
    def test_what_fires_because_nothing_is_known_says_so(self, dark):
        made = dark(on_unknown=OnUnknown.ACT)
        made.at(11)
        assert told(made) == [("breached", "the condition is unknown, and on_unknown is act")]

    def test_what_fires_because_nothing_is_known_names_the_grant_it_stands_under(self, dark):
        made = dark(on_unknown=OnUnknown.ACT)
        grant(made, 100.0)
        made.forget().at(11)
        assert told(made) == [("breached", GRANTED)]

    def test_an_assumed_breach_counts_as_held_from_when_it_fired_not_from_when_it_was_assumed(self, dark):
        made = dark(on_unknown=OnUnknown.ACT, for_ns=60 * NS_PER_S)
        made.at(11)
        (incident,) = made.kernel.live.values()
        assert (made.phases, incident.held) == (["loss pending"], {})
        made.at(80)
        fired = made.results[-1].transitions[-1].at
        assert made.phases == ["loss pending", "loss breached"]
        assert set(incident.held.values()) == {fired}


class TestTold:
    def test_what_is_unknown_is_told_with_its_limit_and_without_a_value(self, dark):
        made = dark(warn=0.8, price=20_780.0)
        (warned,) = made.results[-1].transitions
        assert (warned.measured, warned.threshold) == (880.0, 1000.0)
        made.at(11)
        unknown = made.results[-1].transitions[-1]
        assert (unknown.phase, unknown.measured, unknown.threshold) == ("unknown", None, 1000.0)

    def test_what_is_unknown_from_the_start_is_told_with_its_limit_too(self, dark):
        made = dark()
        made.at(11)
        (unknown,) = made.results[-1].transitions
        assert (unknown.phase, unknown.measured, unknown.threshold) == ("unknown", None, 1000.0)

    @pytest.mark.parametrize(("extra", "reason"), [(None, "the condition is unknown"), (100.0, GRANTED)])
    def test_what_is_unknown_says_that_it_blocks_and_under_which_grant(self, dark, extra, reason):
        made = dark()
        if extra:
            grant(made, extra)
        made.forget().at(11)
        assert told(made) == [("unknown", f"{reason}; new risk is blocked")]

    @pytest.mark.parametrize(("extra", "reason"), [(None, "the condition is unknown"), (100.0, GRANTED)])
    def test_a_hold_that_goes_on_in_the_dark_says_why_and_under_which_grant(self, dark, extra, reason):
        made = dark(for_ns=60 * NS_PER_S, price=20_700.0)
        if extra:
            grant(made, extra)
        made.forget().at(11)
        assert told(made) == [("pending", f"{reason}; the hold goes on, and new risk is blocked meanwhile")]

    def test_a_hold_says_how_long_it_lasts_and_until_when(self, dark):
        made = dark(for_ns=60 * NS_PER_S, price=20_700.0)
        assert told(made) == [("pending", "must hold for 1m more, until 2025-05-06T14:01:00.000Z")]

    def test_what_is_asked_for_each_time_it_becomes_unknown_has_an_id_of_its_own(self, dark, rule):
        """The second request bore the id of the first, so the executor took it for a repeat and left it out."""
        made = dark(warn=0.8, warn_then=rule.actions("cancel_orders"), price=20_780.0)
        for seconds in (11, 31):
            finish(made)
            made.at(seconds)
            finish(made)
            made.quote(20_780)
        assert made.phases == ["loss warning", "loss unknown"] * 2 + ["loss warning"]
        asked = [action.id for result in made.results for action in result.plan]
        assert len(set(asked)) == len(asked) == 3


class TestHolds:
    def test_a_warning_whose_last_verdict_is_held_does_not_fire_in_the_dark(self, dark):
        made = dark(warn=0.8, on_unknown=OnUnknown.HOLD, price=20_780.0)
        made.at(60)
        assert made.phases == ["loss warning"]

    def test_what_was_clear_long_enough_must_be_so_anew_after_the_dark_before_an_ack_ends_it(self, dark, rule):
        then = rule.actions("notify")
        made = dark(latch=Latch.ACK, clear_for_ns=30 * NS_PER_S, then=then, price=20_700.0, stale_after_s=40)
        made.at(5).quote(20_900)
        made.at(46)  # clear since 5 s, so long enough at 35 s; not known since 45 s
        made.at(50).quote(20_900)
        (incident,) = made.kernel.live
        made.at(55).send(Acknowledge(at=made.now, received_at=made.now, incident=incident, operator="ann"))
        made.at(79)
        assert made.phases == ["loss breached"]
        made.at(80)
        assert made.phases == ["loss breached", "loss resolved"]

    def test_a_warning_that_was_about_to_end_and_grew_worse_waits_for_its_hold_alone(self, dark):
        made = dark(warn=0.8, for_ns=60 * NS_PER_S, clear_for_ns=30 * NS_PER_S, price=20_780.0, stale_after_s=600)
        made.at(5).quote(20_990)
        made.at(10).quote(20_700)
        (incident,) = made.kernel.live.values()
        assert incident.timer == made.now + 60 * NS_PER_S
        made.at(69)
        assert made.phases == ["loss warning", "loss pending"]
        made.at(70)
        assert made.phases == ["loss warning", "loss pending", "loss breached"]


class TestEnds:
    def test_what_never_fired_runs_no_on_clear_when_its_position_is_gone(self, world, rule):
        made = world(rule.size(for_ns=60 * NS_PER_S, on_clear=rule.actions("notify")))
        made.fill(9, 21_000)
        made.fill(-9, 21_000)
        assert made.phases == ["size pending", "size resolved"]
        assert made.actions == []

    @pytest.mark.parametrize(
        ("latch", "phases"),
        [
            (Latch.CLEAR, ["size breached"]),
            (Latch.ACK, ["size breached"]),
            (Latch.MANUAL, ["size breached"]),
            (Latch.SESSION, ["size breached", "size resolved", "size breached"]),
        ],
    )
    def test_a_new_session_ends_only_what_is_latched_to_the_old_one_and_what_still_holds_fires_anew(
        self, world, rule, latch, phases
    ):
        made = world(rule.size(latch=latch, then=rule.actions("notify")))
        made.fill(9, 21_000)
        made.at(10 * 3600)
        assert made.phases == phases
        assert made.actions == ["notify"] * phases.count("size breached")
