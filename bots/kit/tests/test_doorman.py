"""Operators are always heard; strangers are heard for the record, and cannot flood it."""

from haltline.clock import NS_PER_S, ManualClock
from haltline_bot_kit.doorman import Doorman


def test_an_operator_is_always_heard() -> None:
    doorman = Doorman(["7"], ManualClock(0))
    assert all(doorman.admits("7") for _ in range(100))


def test_a_stranger_is_heard_once_a_minute() -> None:
    clock = ManualClock(0)
    doorman = Doorman([], clock)
    assert [doorman.admits("x"), doorman.admits("x")] == [True, False]
    clock.advance_to(61 * NS_PER_S)
    assert doorman.admits("x")
    assert doorman.dropped == 1


def test_many_strangers_together_are_heard_twenty_times_a_minute() -> None:
    doorman = Doorman([], ManualClock(0))
    assert sum(doorman.admits(str(number)) for number in range(5_000)) == 20
    assert len(doorman._heard) <= 1000
