"""Limits become conditions."""

import math
from typing import Any

import pytest

from haltline.api.field import Change
from haltline.expr.combine import comparison, conjunction, disjunction, scaled
from haltline.expr.compile import compile_truth, compile_value


@pytest.mark.parametrize(
    ("op", "answers"),
    [
        ("gt", (False, False, True)),
        ("ge", (False, True, True)),
        ("lt", (True, False, False)),
        ("le", (True, True, False)),
    ],
)
def test_a_comparison_has_the_tolerance_of_the_language(world: Any, op: Any, answers: tuple[bool, ...]) -> None:
    truth = compile_truth(comparison(world.check("account.day.loss"), op, 1000.0), world.bindings)
    losses = (999.0, 1000.0 + 1e-7, 1001.0, math.nan)
    for loss, answer in zip(losses, (*answers, None), strict=True):
        world.account.day.loss = loss
        assert truth.evaluate(world.account) is answer


def test_a_threshold_may_be_an_expression(world: Any) -> None:
    condition = comparison(world.check("account.day.loss"), "gt", scaled(world.check("account.equity"), 0.05))
    assert compile_truth(condition, world.bindings).evaluate(world.account) is True
    assert condition.reads == {"account.day.loss", "account.equity"}
    assert condition.changes == {"account": Change.QUOTE | Change.FILL}


def test_conditions_are_joined(world: Any) -> None:
    yes, no = world.check("account.equity > 5"), world.check("account.locked")
    assert compile_truth(conjunction(yes, no), world.bindings).is_false(world.account)
    assert compile_truth(disjunction(yes, no), world.bindings).is_true(world.account)
    assert conjunction(yes) is yes
    assert disjunction(no) is no


def test_windows_and_cost_are_kept(world: Any) -> None:
    window = world.check("max_over(account.equity, '5m') > 5")
    joined = conjunction(window, window, world.check("account.locked"))
    assert joined.windows == window.windows
    assert joined.cost > 2 * window.cost


def test_a_scaled_constant_is_a_constant(world: Any) -> None:
    assert scaled(world.check("1000"), 0.8).constant == 800.0
    value = compile_value(scaled(world.check("account.equity"), 0.8), world.bindings)
    assert value(world.account) == 800.0


def test_a_comparison_of_constants_is_a_condition_all_the_same(world: Any) -> None:
    truth = compile_truth(comparison(world.check("5"), "gt", 4.0), world.bindings)
    assert truth.is_true(world.account)


def test_only_conditions_become_truths(world: Any) -> None:
    with pytest.raises(TypeError, match="not a condition"):
        compile_truth(world.check("account.equity"), world.bindings)
