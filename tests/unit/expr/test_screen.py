"""Which conditions are not definitely false."""

import math
import tracemalloc
from typing import Any

import pytest

from haltline.expr.screen import CHUNK, compile_screen
from haltline.model.rule import Scope


def _screen(world: Any, *texts: str) -> Any:
    conditions = [(number * 10, world.check(text)) for number, text in enumerate(texts)]
    return compile_screen(conditions, Scope.ACCOUNT, world.bindings)


def test_true_and_unknown_conditions_are_named_and_false_ones_are_not(world: Any) -> None:
    world.account.equity = math.nan
    screen = _screen(world, "account.day.loss >= 100", "account.day.loss > 100", "account.equity > 5")
    assert list(screen(world.account)) == [0, 20]


def test_nothing_is_allocated_when_nothing_hits(world: Any) -> None:
    screen = _screen(world, "account.day.loss > 1000", "account.equity < 10", "account.id == 'x'")
    assert not screen(world.account)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            screen(world.account)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 200
    assert screen(world.account) is screen(world.account)


def test_a_shared_field_that_raises_hides_no_condition(world: Any) -> None:
    world.account.day = None
    screen = _screen(world, "account.day.loss > 5", "account.day.loss > 6", "account.equity < 5", "account.equity > 5")
    assert list(screen(world.account)) == [0, 10, 30]
    assert list(screen(world.account)) == [0, 10, 30]


def test_a_condition_that_raises_hides_no_other(world: Any) -> None:
    world.account.positions = None
    screen = _screen(world, "account.equity > 5", "count(account.positions) > 1", "account.equity > 6")
    assert list(screen(world.account)) == [0, 10, 20]


def test_a_condition_that_raises_but_is_false_all_the_same_is_not_named(world: Any) -> None:
    world.account.positions = None
    screen = _screen(world, "count(account.positions) > 1 and account.equity < 5")
    assert not screen(world.account)


def test_shared_work_is_done_once(world: Any) -> None:
    reads = 0

    class Counting:
        key, locked, id, windows = "x", False, "x", ()

        @property
        def equity(self) -> float:
            nonlocal reads
            reads += 1
            return 5.0

    screen = _screen(world, *(f"account.equity > {limit}" for limit in range(10, 20)))
    assert not screen(Counting())
    assert reads == 1


def test_hundreds_of_conditions_are_split_and_keep_their_order(world: Any) -> None:
    count = 2 * CHUNK + 5
    screen = _screen(world, *(f"account.equity > {number * 10}" for number in range(count)))
    assert list(screen(world.account)) == [number * 10 for number in range(min(count, 100))]
    world.account.equity = -1.0
    assert not screen(world.account)


def test_no_conditions_give_nothing(world: Any) -> None:
    assert not compile_screen([], Scope.ACCOUNT, world.bindings)(world.account)


def test_a_condition_over_another_scope_is_refused(world: Any) -> None:
    with pytest.raises(ValueError, match="about each position"):
        compile_screen([(0, world.check("position.mark > 1", "position"))], Scope.ACCOUNT, world.bindings)
