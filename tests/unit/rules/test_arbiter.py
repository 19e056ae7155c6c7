"""Who wins within one plan and against what is under way."""

from decimal import Decimal

import msgspec
import pytest

from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.order import Aim
from haltline.model.plan import PlannedAction
from haltline.rules.arbiter import Arbiter
from haltline.rules.flight import ECHO_NS, FIRST_WAIT_NS, LONGEST_WAIT_NS


def asked(name: str, key: str, symbol: str | None = "MNQ", **params: float | str | bool | None) -> PlannedAction:
    return PlannedAction(id=key, at=1, name=name, account="eval", symbol=symbol, params=dict(params), incidents=(key,))


def names(arbiter: Arbiter, *requests: PlannedAction) -> list[tuple[str, str | None]]:
    return [(action.name, action.symbol) for action in arbiter.plan(requests, {})]


def test_a_close_makes_a_reduction_of_its_own_symbol_pointless_and_no_other() -> None:
    requests = asked("close_position", "a"), asked("reduce_to", "b", quantity=1.0), asked("reduce_to", "c", "MES")
    assert names(Arbiter(), *requests) == [("reduce_to", "MES"), ("close_position", "MNQ")]


def test_a_reduction_makes_nothing_else_pointless() -> None:
    requests = asked("reduce_to", "a", quantity=1.0), asked("place_stop", "b", price=1.0)
    assert len(names(Arbiter(), *requests)) == 2


def test_a_reduction_to_the_same_size_is_covered() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("reduce_to", "a", quantity=5.0))
    assert names(arbiter, asked("reduce_to", "b", quantity=5.0)) == []


def test_of_two_reductions_in_one_plan_an_unknown_one_is_kept_so_that_its_failure_is_seen() -> None:
    requests = asked("reduce_to", "a", quantity=None), asked("reduce_to", "b", quantity=1.0)
    (action,) = Arbiter().plan(requests, {})
    assert action.params == {"quantity": None}
    assert action.incidents == ("a", "b")


def test_every_try_has_an_id_of_its_own() -> None:
    arbiter, now, ids = Arbiter(), 1, ["a"]
    arbiter.launch(asked("flatten", "a"))
    for _ in range(3):
        outcome = ActionOutcome(at=now, received_at=now, action_id=ids[-1], account="eval", status=OutcomeStatus.FAILED)
        arbiter.take_outcome(outcome, now)
        now += LONGEST_WAIT_NS
        (again,) = arbiter.due_retries(now, lambda action: True)
        ids.append(again.id)
    assert ids == ["a", "a~1", "a~2", "a~3"]


def test_only_a_flatten_or_a_close_of_that_symbol_is_closing() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("reduce_to", "r", quantity=1.0))
    arbiter.launch(asked("close_position", "c", "MES"))
    assert not arbiter.is_closing("eval", "MNQ")
    assert arbiter.is_closing("eval", "MES")
    assert not arbiter.is_closing("other", "MES")
    arbiter.launch(asked("flatten", "f", None))
    assert arbiter.is_closing("eval", "MNQ")


def ended(arbiter: Arbiter, key: str, status: OutcomeStatus, **more: object) -> None:
    outcome = ActionOutcome(at=5, received_at=5, action_id=key, account="eval", status=status, **more)  # type: ignore[arg-type]
    arbiter.take_outcome(outcome, 5)


def test_a_repeat_is_given_what_the_first_try_has_fixed() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("reduce_by", "a", quantity=2.0))
    aims = {"MNQ": Aim(held=Decimal(4), to=Decimal(2))}
    ended(arbiter, "a", OutcomeStatus.FAILED, aims=aims)
    (again,) = arbiter.due_retries(LONGEST_WAIT_NS, lambda action: True)
    assert again.aims == aims
    ended(arbiter, "a~1", OutcomeStatus.FAILED)
    (third,) = arbiter.due_retries(3 * LONGEST_WAIT_NS, lambda action: True)
    assert third.aims == aims


def test_what_gave_way_waits_behind_what_took_over() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("close_position", "a"))
    arbiter.launch(asked("flatten", "f", None))
    ended(arbiter, "a", OutcomeStatus.SUPERSEDED, superseded_by="f")
    assert [action.id for action in arbiter.flights["f"].covered] == ["a^"]
    assert "a" not in arbiter.flights


def test_what_gave_way_to_something_that_is_over_is_owed() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("close_position", "a"))
    ended(arbiter, "a", OutcomeStatus.SUPERSEDED, superseded_by="gone")
    assert [action.id for action in arbiter.take_owed(9, lambda action: True)] == ["a^"]


def test_only_what_is_stronger_is_waited_behind() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("close_position", "a"))
    arbiter.launch(asked("close_position", "b", "MES"))
    ended(arbiter, "a", OutcomeStatus.FAILED)
    assert [action.id for action in arbiter.due_retries(LONGEST_WAIT_NS, lambda action: True)] == ["a~1"]


def done_for(arbiter: Arbiter, action: PlannedAction, state: str = "MNQ 2") -> None:
    """Launch and finish what the governor asked for: its echo stays."""
    arbiter.launch(action, state=state)
    ended(arbiter, action.id, OutcomeStatus.DONE)


def test_what_is_done_covers_nothing_that_is_asked_for_afterwards() -> None:
    arbiter = Arbiter()
    done_for(arbiter, asked("close_position", "a"))
    assert names(arbiter, asked("close_position", "b")) == [("close_position", "MNQ")]


def test_a_second_word_on_what_is_done_changes_nothing() -> None:
    arbiter = Arbiter()
    done_for(arbiter, asked("close_position", "a"))
    echo = arbiter.flights["a"].retry_at
    outcome = ActionOutcome(at=9, received_at=9, action_id="a", account="eval", status=OutcomeStatus.DONE)
    assert arbiter.take_outcome(outcome, 9) is None
    assert arbiter.flights["a"].retry_at == echo


def test_an_echo_ends_silently_and_is_never_tried_again() -> None:
    arbiter = Arbiter()
    done_for(arbiter, asked("close_position", "a"))
    assert arbiter.due_retries(5 + ECHO_NS, lambda action: True) == []
    assert (arbiter.flights, arbiter.take_given_up()) == ({}, [])


def test_nothing_waits_behind_what_is_done() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("reduce_to", "r", quantity=1.0))
    ended(arbiter, "r", OutcomeStatus.FAILED)
    done_for(arbiter, asked("close_position", "c"))
    (again,) = arbiter.due_retries(5 + FIRST_WAIT_NS, lambda action: True)
    assert again.id == "r~1"


def test_of_equal_rank_an_action_without_an_account_comes_first() -> None:
    everywhere = PlannedAction(id="n", at=1, name="notify", account=None, incidents=("n",))
    assert [action.id for action in Arbiter().plan([asked("notify", "e"), everywhere], {})] == ["n", "e"]


def test_the_governor_need_not_ask_for_what_is_under_way_whatever_has_changed_since() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("close_position", "a"), state="MNQ 2")
    assert arbiter.is_known("close_position", "eval", "MNQ", "MNQ 5")
    assert not arbiter.is_known("close_position", "eval", "MES", "MNQ 2")
    ended(arbiter, "a", OutcomeStatus.DONE)
    assert arbiter.is_known("close_position", "eval", "MNQ", "MNQ 2")
    assert not arbiter.is_known("close_position", "eval", "MNQ", "MNQ 5")


def test_what_gave_way_to_something_that_is_done_is_owed() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("reduce_to", "r", quantity=1.0))
    done_for(arbiter, asked("close_position", "c"))
    ended(arbiter, "r", OutcomeStatus.SUPERSEDED, superseded_by="c")
    assert [action.id for action in arbiter.take_owed(9, lambda action: True)] == ["r^"]


def test_of_equal_rank_and_account_an_action_without_a_symbol_comes_first() -> None:
    requests = asked("notify", "m"), asked("notify", "all", None)
    assert [action.id for action in Arbiter().plan(requests, {})] == ["all", "m"]


def test_what_is_recorded_in_shadow_makes_nothing_pointless_and_is_not_made_so() -> None:
    flatten, close = asked("flatten", "a", None), asked("close_position", "b")
    shadow = msgspec.structs.replace(flatten, shadow=True)
    assert names(Arbiter(), shadow, close) == [("flatten", None), ("close_position", "MNQ")]
    arbiter = Arbiter()
    arbiter.launch(flatten)
    assert names(arbiter, msgspec.structs.replace(close, shadow=True)) == [("close_position", "MNQ")]


def test_equal_actions_are_one_that_names_every_rule_and_incident_once() -> None:
    first = msgspec.structs.replace(asked("reduce_to", "a", quantity=2.0), rules=("r", "s"))
    same = msgspec.structs.replace(first, rules=("s", "t"), incidents=("a", "b"))
    (action,) = Arbiter().plan([first, same], {})
    assert (action.rules, action.incidents) == (("r", "s", "t"), ("a", "b"))


@pytest.mark.parametrize(("first", "second", "kept"), [(5.0, 3.0, 3.0), (3.0, 5.0, 3.0), (3.0, None, 3.0)])
def test_the_deepest_of_the_known_sizes_is_kept(first: float, second: float | None, kept: float) -> None:
    requests = asked("reduce_to", "a", quantity=first), asked("reduce_to", "b", quantity=second)
    (action,) = Arbiter().plan(requests, {})
    assert action.params == {"quantity": kept}


def test_what_is_not_due_yet_is_not_tried() -> None:
    arbiter = Arbiter()
    for key, at in (("a", 1), ("b", 2)):
        arbiter.launch(asked("flatten", key, None))
        outcome = ActionOutcome(at=at, received_at=at, action_id=key, account="eval", status=OutcomeStatus.FAILED)
        arbiter.take_outcome(outcome, at * LONGEST_WAIT_NS)
    assert [action.id for action in arbiter.due_retries(LONGEST_WAIT_NS + FIRST_WAIT_NS, lambda flight: True)] == [
        "a~1"
    ]


def test_what_is_owed_is_planned_only_while_it_is_wanted() -> None:
    arbiter = Arbiter()
    arbiter.owed = [asked("flatten", "a", None), asked("flatten", "b", None)]
    assert [action.id for action in arbiter.take_owed(9, lambda action: action.id == "b")] == ["b"]
    assert arbiter.owed == []


def test_of_a_request_that_comes_again_the_newest_is_remembered() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("close_position", "c"))
    stops = [asked("place_stop", "s", price=price) for price in (1.0, 2.0)]
    stops.append(msgspec.structs.replace(stops[0], id="other", incidents=("other",)))
    for stop in stops:
        assert arbiter.plan([stop], {}) == []
    (flight,) = arbiter.flights.values()
    assert [(action.id, action.params["price"]) for action in flight.covered] == [("s", 2.0), ("other", 1.0)]


def test_what_was_left_out_of_one_plan_is_not_put_down_to_the_next() -> None:
    arbiter = Arbiter()
    arbiter.plan([asked("flatten", "f", None), asked("close_position", "c")], {})
    arbiter.plan([], {})
    arbiter.launch(asked("flatten", "f", None))
    assert arbiter.flights["f"].covered == []


def test_what_failed_with_all_that_waited_for_it_waits_behind_what_is_stronger() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("close_position", "c"))
    arbiter.plan([asked("place_stop", "s", price=1.0)], {})
    outcome = ActionOutcome(at=1, received_at=1, action_id="c", account="eval", status=OutcomeStatus.FAILED)
    arbiter.take_outcome(outcome, 1)
    arbiter.launch(asked("flatten", "f", None))
    assert arbiter.due_retries(LONGEST_WAIT_NS, lambda flight: True) == []
    assert [action.id for action in arbiter.flights["f"].covered] == ["s", "c"]


def test_a_reduction_covers_none_of_another_symbol() -> None:
    arbiter = Arbiter()
    arbiter.launch(asked("reduce_to", "a", quantity=1.0))
    assert names(arbiter, asked("reduce_to", "b", "MES", quantity=5.0)) == [("reduce_to", "MES")]
