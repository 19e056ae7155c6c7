"""What history an expression asks for, and how it reads it."""

import math
from typing import Any

import pytest

from haltline.api.field import Change
from haltline.expr.compile import compile_value
from haltline.model.rule import Scope

MINUTE = 60_000_000_000


class History:
    """Remembers what it was asked, and answers with a number."""

    def __init__(self, number: float) -> None:
        self.number = number
        self.asked: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        def answer(now_ns: int) -> float:
            self.asked.append((name, now_ns))
            return self.number

        return answer


@pytest.mark.parametrize("method", ["change", "max_over", "min_over", "avg_over", "stddev_over"])
def test_a_series_is_read_from_its_owner_at_this_instant(world: Any, method: str) -> None:
    history = History(5.0)
    world.account.windows = [history]
    assert world.value(f"{method}(account.equity, '5m') + 1") == 6.0
    assert set(history.asked) == {(method, 100_000_000_000)}


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("count(account.fills, '1h')", "count"),
        ("sum(account.fills.pnl, '30m')", "sum"),
        ("streak(account.fills.pnl < 0)", "streak"),
    ],
)
def test_events_are_read_from_the_owner_of_the_collection(world: Any, text: str, method: str) -> None:
    history = History(3.0)
    world.account.windows = [history]
    assert world.value(f"{text} >= 3") is True
    assert history.asked[0][0] == method


def test_an_unknown_history_is_unknown(world: Any) -> None:
    world.account.windows = [History(math.nan)]
    assert world.value("max_over(account.equity, '5m') > 5") is None
    world.account.windows = [History(math.inf)]
    assert world.value("max_over(account.equity, '5m') > 5") is None


def test_a_series_need_says_what_to_sample_and_when(world: Any) -> None:
    (need,) = world.check("change(account.equity - account.day.loss, '5m') < -10").windows
    assert (need.owner, need.root, need.kind, need.duration_ns) == (Scope.ACCOUNT, "account", "series", 5 * MINUTE)
    assert need.changes == Change.QUOTE | Change.FILL
    assert compile_value(need.reader, world.bindings)(world.account) == 900.0


def test_the_history_of_another_object_belongs_to_that_object(world: Any) -> None:
    history = History(7.0)
    world.account.windows = [history]
    checked = world.check("max_over(account.equity, '1h') - position.notional", "position")
    (need,) = checked.windows
    assert need.owner is Scope.ACCOUNT
    assert need == world.check("max_over(account.equity, '60m')").windows[0]
    assert world.value("max_over(account.equity, '1h') - position.notional", "position") == -43.0


def test_a_history_over_several_objects_belongs_to_the_entity_of_the_rule(world: Any) -> None:
    (need,) = world.check("max_over(position.notional / account.equity, '1h') > 1", "position").windows
    assert need.owner is Scope.POSITION
    assert compile_value(need.reader, world.bindings)(world.account.positions[0]) == 0.05


def test_a_history_of_each_item_of_a_collection(world: Any) -> None:
    for position in world.account.positions:
        position.windows = [History(position.notional)]
    text = "sum(max_over(p.notional, '5m') for p in account.positions)"
    assert world.value(text) == 30.0
    assert world.check(text).windows[0] == world.check("max_over(position.notional, '5m')", "position").windows[0]


def test_a_history_of_an_aggregate(world: Any) -> None:
    (need,) = world.check("max_over(sum(p.notional for p in account.positions), '5m') > 1").windows
    assert need.owner is Scope.ACCOUNT
    assert compile_value(need.reader, world.bindings)(world.account) == 30.0


def test_a_definition_may_be_followed(world: Any) -> None:
    (need,) = world.check("max_over(account.risk_used, '5m') > 1").windows
    assert compile_value(need.reader, world.bindings)(world.account) == 0.1


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("count(account.fills, '1h') > 1", 1.0),
        ("sum(account.fills.pnl - account.fills.fee, '1h') > 1", -6.0),
        ("streak(account.fills.pnl < 0) > 1", True),
    ],
)
def test_an_event_reader_works_on_one_fill(world: Any, text: str, read: object) -> None:
    class Fill:
        pnl, fee = -5.0, 1.0

    (need,) = world.check(text).windows
    assert need.kind == "events"
    assert need.reader.scope is Scope.FILL
    assert compile_value(need.reader, world.bindings)(Fill()) == read


def test_a_streak_has_no_duration_and_does_not_move_with_time(world: Any) -> None:
    checked = world.check("streak(account.fills.pnl < 0) >= 3")
    assert checked.windows[0].duration_ns is None
    assert checked.changes == {"account": Change.FILL}


def test_a_window_moves_with_time(world: Any) -> None:
    assert world.check("count(account.fills, '1h') > 1").changes == {"account": Change.FILL, "clock": Change.TIME}


def test_equal_needs_share_one_place_in_the_plan(world: Any) -> None:
    plan = world.vocabulary.plan
    world.check("max_over(account.equity, '1h') > 1 and min_over(account.equity, '60m') > 1")
    world.check("change(account.equity, '5m') > 1")
    needs = plan.needs(Scope.ACCOUNT)
    assert [need.duration_ns for need in needs] == [60 * MINUTE, 5 * MINUTE]
    assert [plan.index(need) for need in needs] == [0, 1]
    assert plan.needs(Scope.POSITION) == ()


def test_a_fill_has_no_history(world: Any) -> None:
    assert world.codes("change(fill.pnl, '5m') > 1", "fill") == ["E317"]


@pytest.mark.parametrize("length", ["1h", 3600.0])
def test_a_duration_may_be_a_template_input(world: Any, length: object) -> None:
    (need,) = world.check("max_over(account.equity, inputs.span) > 1", constants={"inputs.span": length}).windows
    assert need.duration_ns == 60 * MINUTE


def test_a_history_over_one_generator_item_and_another_object_is_refused(world: Any) -> None:
    text = "any(change(p.mark * account.equity, '5m') > 1 for p in account.positions)"
    assert world.codes(text) == ["E317"]
