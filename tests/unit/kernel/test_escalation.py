"""Enforcement that is stuck gets louder: each step once, until it succeeds or nobody asks for it."""

import msgspec
import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import ActionOutcome, LockRequest, OutcomeStatus
from haltline.model.id import ActionId
from haltline.model.rule import EscalationStep, RuleSpec, Scope, Severity
from haltline.rules.flight import Flight


def planned(made, name):
    return [action for result in made.results for action in result.plan if action.name == name]


def told(made):
    return [(action.params["severity"], action.params["channels"]) for action in planned(made, "notify")]


def end(made, status=OutcomeStatus.FAILED, detail="price band"):
    """Every try under way ends."""
    for key, flight in list(made.kernel.arbiter.flights.items()):
        if flight.retry_at is None:
            made.send(
                ActionOutcome(
                    at=made.now, received_at=made.now, action_id=ActionId(key), account="eval", status=status,
                    detail=detail,
                )
            )  # fmt: skip


def failing(made, *seconds):
    """Each try fails at once; time passes to each of the `seconds`."""
    end(made)
    for second in seconds:
        made.at(second)
        end(made)
    return made


def broken(world, spec):
    made = world(spec)
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    return made.forget()


@pytest.fixture
def stuck(world, rule):
    """A flatten of a rule without `escalate` is under way."""
    return broken(world, rule.loss(then=rule.actions("flatten")))


@pytest.fixture
def ladder(world, rule):
    """A close of a rule with steps of its own is under way."""

    def make(*steps, then="close_position"):
        spec = RuleSpec(
            id="deep", each=Scope.POSITION, when="position.mark < 20500", then=rule.actions(then), escalate=steps
        )
        return broken(world, spec)

    return make


class TestStandard:
    def test_three_failed_tries_are_told_to_everybody_once(self, stuck):
        failing(stuck, 2)
        assert told(stuck) == []
        failing(stuck.at(6), 14, 30, 62)
        assert told(stuck) == [("critical", "*")]

    def test_it_says_what_is_stuck_since_when_at_which_try_and_what_remains(self, stuck):
        failing(stuck, 2, 6)
        (message,) = planned(stuck, "notify")
        assert message.params["text"] == (
            "flatten on eval has not succeeded since 2025-05-06T14:00:00.000Z: 3 of its tries failed; the last one: "
            "price band; it is tried again at 2025-05-06T14:00:14.000Z"
        )
        assert message.incidents == ("loss/eval/1",)
        assert message.reason == planned(stuck, "flatten")[-1].reason == "loss"
        assert [text for result in stuck.results for text in result.notices if text.startswith("stuck: ")] == [
            f"stuck: {message.params['text']}"
        ]

    def test_a_failure_without_a_reason_is_told_without_one(self, stuck):
        for second in (2, 6, 14):
            end(stuck, detail="")
            stuck.at(second)
        (message,) = planned(stuck, "notify")
        assert "3 of its tries failed; it is tried again" in message.params["text"]

    def test_it_goes_on_record_as_a_critical_remark_on_the_incident(self, stuck):
        failing(stuck, 2, 6)
        (said,) = [each for result in stuck.results for each in result.transitions]
        assert (said.severity, said.phase, said.previous) == (Severity.CRITICAL, "breached", "breached")
        assert said.reason == "flatten on eval is stuck"

    def test_one_failure_and_a_minute_without_success_are_enough(self, stuck):
        end(stuck)
        stuck.at(59.9)
        assert told(stuck) == []
        stuck.at(60)
        assert told(stuck) == [("critical", "*")]

    def test_a_try_that_takes_long_is_not_stuck_yet(self, stuck):
        stuck.at(600)
        assert told(stuck) == []

    def test_a_restart_tells_nobody_twice(self, stuck):
        failing(stuck, 2, 6)
        stuck.restart().forget()
        failing(stuck.at(14), 30, 62, 122)
        assert told(stuck) == []

    def test_a_restart_before_the_step_is_due_does_not_lose_it(self, stuck):
        end(stuck)
        stuck.restart().at(60)
        assert told(stuck) == [("critical", "*")]

    def test_those_who_heard_are_told_that_it_succeeded(self, stuck):
        failing(stuck, 2, 6)
        stuck.forget().at(14)
        end(stuck, OutcomeStatus.DONE)
        (message,) = planned(stuck, "notify")
        assert message.params == {
            "channels": "*", "severity": "warning",
            "text": "flatten on eval succeeded at attempt 4, 14s after it was asked for",
        }  # fmt: skip

    def test_nobody_is_told_of_the_end_of_what_nobody_heard_of(self, stuck):
        end(stuck)
        stuck.at(2)
        end(stuck, OutcomeStatus.DONE)
        assert told(stuck) == []

    def test_those_who_heard_are_told_that_it_was_given_up(self, stuck):
        failing(stuck, 2, 6)
        stuck.forget().quote(21_000)
        stuck.at(14)
        (message,) = planned(stuck, "notify")
        assert message.params["text"] == "flatten on eval was given up: what asked for it is over"

    def test_what_undoes_a_lock_gets_loud_too(self, world):
        made = world()
        made.send(LockRequest(at=made.now, received_at=made.now, account="eval", operator="ann", reason="a"))
        made.fill(1, 21_000)
        failing(made, 2, 6)
        assert told(made) == [("critical", "*")]
        assert not made.kernel.arbiter.flights.get("notify")

    def test_a_suppressed_rule_is_heard_when_its_action_is_stuck(self, world, rule):
        quiet = rule.loss("quiet", then=rule.actions("flatten", "notify"))
        loud = rule.loss("loud", then=rule.actions("notify"), suppresses=("quiet",))
        made = world(loud, quiet)
        made.quote(21_000)
        made.fill(2, 21_000)
        made.quote(20_000)
        made.forget()
        failing(made, 2, 6)
        assert told(made) == [("critical", "*")]


class TestOwnSteps:
    def test_a_rules_own_steps_replace_the_standard_one(self, ladder):
        made = ladder(EscalationStep(attempts=5))
        failing(made, 2, 6, 14)
        assert told(made) == []
        failing(made.at(30))
        assert [action.params["severity"] for action in planned(made, "notify")] == ["critical"]

    def test_time_counts_from_when_it_was_asked_for_even_while_the_first_try_runs(self, ladder):
        made = ladder(EscalationStep(after_ns=30 * NS_PER_S, severity=Severity.WARNING))
        made.at(29.9)
        assert planned(made, "notify") == []
        made.at(30)
        (message,) = planned(made, "notify")
        assert message.params["severity"] == "warning"
        assert "no try has ended yet; a try is under way" in message.params["text"]

    def test_channels_and_words_of_the_step_are_kept(self, ladder, rule):
        then = rule.actions(("notify", {"channels": "phone", "text": "call the desk"}))
        made = ladder(EscalationStep(attempts=1, then=then))
        end(made)
        (message,) = planned(made, "notify")
        assert message.params["channels"] == "phone"
        assert message.params["text"].startswith("call the desk. close position on eval MNQ has not succeeded")
        assert not message.shadow

    def test_a_step_without_words_of_its_own_says_what_is_stuck(self, ladder, rule):
        made = ladder(EscalationStep(attempts=1, then=rule.actions("notify")))
        end(made)
        (message,) = planned(made, "notify")
        assert message.params["text"].startswith("close position on eval MNQ has not succeeded")

    def test_a_step_that_does_something_else_blocks_nothing_and_says_nothing(self, ladder, rule):
        made = ladder(EscalationStep(attempts=1, then=rule.actions("cancel_orders")))
        end(made)
        (incident,) = made.kernel.incidents()
        assert not incident.blocks_entries
        assert planned(made, "notify") == []

    def test_another_action_takes_over_and_the_first_waits_behind_it(self, ladder, rule):
        made = ladder(EscalationStep(attempts=2, then=rule.actions("flatten", "notify")))
        end(made)
        made.at(2)
        close = next(iter(made.kernel.arbiter.flights))
        made.send(
            ActionOutcome(
                at=made.now, received_at=made.now, action_id=ActionId(close), account="eval",
                status=OutcomeStatus.FAILED,
            )
        )  # fmt: skip
        assert [action.symbol for action in planned(made, "flatten")] == ["MNQ"]
        made.forget().at(6)
        assert planned(made, "close_position") == []

    def test_it_may_lock_and_block(self, ladder, rule):
        step = EscalationStep(attempts=1, then=rule.actions("block_entries", ("lock", {"until": "released"})))
        made = ladder(step)
        assert made.mode == "ACTIVE"
        end(made)
        assert [lock.release for lock in made.kernel.governor.locks] == ["released"]
        assert made.mode == "HALTED"
        (incident,) = made.kernel.incidents()
        assert incident.blocks_entries

    def test_each_step_is_taken_once_whatever_their_order(self, ladder):
        made = ladder(EscalationStep(attempts=2), EscalationStep(after_ns=NS_PER_S), EscalationStep(attempts=4))
        failing(made, 1, 2)
        assert len(planned(made, "notify")) == 2
        failing(made.restart(), 6, 14, 30, 62)
        assert len(planned(made, "notify")) == 3

    def test_the_steps_of_every_rule_that_asked_are_taken_and_told_in_one_message(self, world, rule):
        made = world(
            rule.loss("a", then=rule.actions("flatten"), escalate=(EscalationStep(attempts=1),)),
            rule.loss("b", then=rule.actions("flatten"), escalate=(EscalationStep(attempts=1),)),
            rule.loss("c", then=rule.actions("flatten")),
        )
        made.quote(21_000)
        made.fill(2, 21_000)
        made.quote(20_000)
        made.forget()
        end(made)
        assert [action.rules for action in planned(made, "notify")] == [("a", "b")]

    def test_success_ends_it(self, ladder):
        made = ladder(EscalationStep(attempts=3))
        failing(made, 2)
        made.at(6)
        end(made, OutcomeStatus.DONE)
        made.at(600)
        assert planned(made, "notify") == []

    def test_an_incident_that_is_over_takes_no_steps(self, ladder):
        made = ladder(EscalationStep(after_ns=30 * NS_PER_S))
        made.quote(21_000)
        made.at(600)
        assert planned(made, "notify") == []


def test_a_snapshot_without_escalations_can_still_be_read(stuck):
    """Flights of 0.1.0 had fewer fields."""
    (flight,) = stuck.kernel.arbiter.flights.values()
    old = {
        "action": msgspec.to_builtins(flight.action), "retry_at": None, "attempt": 2, "covered": [], "state": "",
        "echo": False,
    }  # fmt: skip
    read = msgspec.convert(old, Flight)
    assert (read.failures, read.told, read.asked_at) == (0, {}, flight.action.at)
