"""The clock of the host, set forward and back: engine time never runs backwards and never stands still."""

import asyncio
import time

import pytest

from haltline.clock import NS_PER_S, SystemClock, source

START = 1_746_500_000 * NS_PER_S


class Host:
    """A host whose clock can be set while time passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.elapsed = START, 0
        monkeypatch.setattr(time, "time_ns", lambda: self.wall)
        monkeypatch.setattr(source, "_elapsed_ns", lambda: self.elapsed)

    def pass_s(self, seconds: float) -> None:
        self.wall += round(seconds * NS_PER_S)
        self.elapsed += round(seconds * NS_PER_S)

    def set_by(self, seconds: float) -> None:
        self.wall += round(seconds * NS_PER_S)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def seconds(clock: SystemClock) -> float:
    return (clock.now() - START) / NS_PER_S


def test_it_is_the_host_s_clock(host: Host) -> None:
    clock = SystemClock()
    assert seconds(clock) == 0
    host.pass_s(2.5)
    assert seconds(clock) == 2.5
    host.set_by(3600)
    assert seconds(clock) == 3602.5


def test_after_a_step_back_time_passes_at_half_its_speed_until_the_host_has_caught_up(host: Host) -> None:
    clock = SystemClock()
    assert seconds(clock) == 0
    host.set_by(-90)
    assert seconds(clock) == 0
    told = []
    for _ in range(182):
        host.pass_s(1)
        told.append(seconds(clock))
    assert (told[59], told[177], told[179:]) == (30, 89, [90, 91, 92])


def test_what_nobody_was_told_needs_no_making_up_for(host: Host) -> None:
    clock = SystemClock()
    assert seconds(clock) == 0
    host.set_by(-90)
    assert seconds(clock) == 0
    host.pass_s(100)
    assert seconds(clock) == 10


def test_a_step_back_while_the_one_before_is_made_up_for_takes_longer_and_no_time_is_lost(host: Host) -> None:
    clock = SystemClock()
    assert seconds(clock) == 0
    host.set_by(-10)
    assert seconds(clock) == 0
    host.pass_s(4)
    assert seconds(clock) == 2
    host.set_by(-10)
    host.pass_s(4)
    assert seconds(clock) == 4


def test_a_clock_that_begins_behind_what_was_told_before_it_was_made_goes_on_from_there(host: Host) -> None:
    clock = SystemClock()
    clock.begin_at(START - NS_PER_S)
    assert seconds(clock) == 0
    clock.begin_at(START + 90 * NS_PER_S)
    assert seconds(clock) == 90
    host.pass_s(60)
    assert seconds(clock) == 120
    host.pass_s(120)
    assert seconds(clock) == 180


def test_asking_all_the_time_makes_time_pass_no_slower(host: Host) -> None:
    clock = SystemClock()
    clock.now()
    host.set_by(-NS_PER_S)
    for _ in range(999):
        host.wall += 1
        host.elapsed += 1
        clock.now()
    assert clock.now() - START == 499


def test_time_that_is_counted_backwards_by_the_system_moves_nothing(host: Host) -> None:
    clock = SystemClock()
    clock.now()
    host.set_by(-90)
    clock.now()
    host.elapsed -= NS_PER_S
    assert seconds(clock) == 0
    host.elapsed += 3 * NS_PER_S
    assert seconds(clock) == 1


async def test_who_sleeps_through_a_step_back_of_an_hour_wakes_in_twice_the_time(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, slept = SystemClock(), 0.0
    clock.now()
    host.set_by(-3600)

    async def pass_by(given_s: float) -> None:
        nonlocal slept
        slept += given_s
        host.pass_s(given_s)

    monkeypatch.setattr(asyncio, "sleep", pass_by)
    await clock.sleep_until(START + 10 * NS_PER_S)
    assert slept == pytest.approx(20)
