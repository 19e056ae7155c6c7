"""When an action that did not succeed is tried again."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.plan import PlannedAction
from haltline.rules.flight import FIRST_WAIT_NS, INSTANT_NS, LONGEST_NAMED_NS, LONGEST_WAIT_NS, Flight, next_try

NOW = 1_000 * NS_PER_S


def flight(**more: object) -> Flight:
    action = PlannedAction(id="a~2", at=7, name="flatten", account="eval")
    return Flight(action, **more)  # type: ignore[arg-type]


def failed(now: int = NOW, named: int | None = None) -> Flight:
    made = flight(since=NOW)
    made.fail(now, detail="no", situation="MNQ +2", named=named)
    return made


def test_the_pauses_double_from_two_seconds_to_a_minute() -> None:
    assert [(next_try(NOW, failures) - NOW) // NS_PER_S for failures in range(1, 9)] == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_thousand_failures_wait_no_longer_than_a_minute() -> None:
    assert next_try(NOW, 1_000) == NOW + LONGEST_WAIT_NS
    assert next_try(NOW, 0) == NOW + FIRST_WAIT_NS


@pytest.mark.parametrize(
    ("named", "waits"),
    [
        (NOW + 90 * NS_PER_S, 90 * NS_PER_S),
        (NOW - 5, FIRST_WAIT_NS),
        (NOW + 1, FIRST_WAIT_NS),
        (1 << 62, LONGEST_NAMED_NS),
    ],
)
def test_an_instant_that_is_named_is_waited_for_within_reason(named: int, waits: int) -> None:
    assert next_try(NOW, 5, named) == NOW + waits


def test_the_same_situation_hastens_nothing() -> None:
    made = failed()
    before = made.retry_at
    made.hasten("MNQ +2", NOW + 1)
    assert (made.retry_at, made.row) == (before, 1)


def test_another_situation_begins_the_pauses_anew_but_keeps_the_shortest() -> None:
    made = failed()
    for _ in range(5):
        made.fail(NOW, detail="", situation="MNQ +2", named=None)
    made.hasten("MNQ +1", NOW + NS_PER_S)
    assert made.retry_at == NOW + FIRST_WAIT_NS
    assert (made.failures, made.row) == (6, 0)
    made.hasten("flat", NOW + 30 * NS_PER_S)
    assert made.retry_at == NOW + FIRST_WAIT_NS  # it only ever comes nearer


def test_what_is_on_its_way_or_done_is_not_hastened() -> None:
    under_way, done = flight(), flight(echo=True, retry_at=NOW, failed_at=NOW)
    under_way.hasten("x", NOW)
    done.hasten("x", NOW)
    assert (under_way.retry_at, done.retry_at) == (None, NOW)


def test_a_long_word_of_a_broker_is_cut() -> None:
    made = flight()
    made.fail(NOW, detail="x" * 10_000, situation="", named=None)
    assert len(made.detail) == 500


def test_a_flight_of_an_older_version_was_asked_for_when_its_try_was() -> None:
    assert flight().asked_at == 7
    assert flight().origin == "a"


def test_what_is_done_is_not_hastened_though_something_changed_since() -> None:
    done = failed()
    done.echo = True
    done.hasten("flat", NOW + NS_PER_S)
    assert done.retry_at == NOW + FIRST_WAIT_NS
    assert done.situation == "MNQ +2"


def test_what_waits_without_having_failed_is_not_hastened() -> None:
    waits = flight(retry_at=NOW + LONGEST_WAIT_NS)
    waits.hasten("flat", NOW)
    assert (waits.retry_at, waits.situation) == (NOW + LONGEST_WAIT_NS, "")


def test_an_instant_asks_for_its_action_for_five_minutes() -> None:
    brief, other = flight(since=NOW, brief=True), flight(since=NOW)
    assert brief.insists(NOW + INSTANT_NS - 1)
    assert not brief.insists(NOW + INSTANT_NS)
    assert not other.insists(NOW)


def test_a_try_under_way_after_a_failure_is_not_hastened() -> None:
    again = flight(failed_at=NOW, situation="MNQ +2")
    again.hasten("flat", NOW + 1)
    assert (again.retry_at, again.situation) == (None, "MNQ +2")
