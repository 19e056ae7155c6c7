"""Guarded services: started again, ever more seldom, and never given up."""

import asyncio
from itertools import pairwise

from haltline.clock import NS_PER_S, ManualClock
from haltline.runtime.supervise import Supervisor


async def test_a_service_that_fails_for_an_hour_is_degraded_and_still_comes_back() -> None:
    clock, said, up = ManualClock(NS_PER_S), [], asyncio.Event()

    async def work() -> None:
        if clock.now() < 3_600 * NS_PER_S:
            raise ConnectionError("the venue is away for the night")
        up.set()
        await asyncio.Event().wait()

    async with Supervisor(clock, lambda name, status, reason: said.append(status)) as supervisor:
        supervisor.guard("broker venue", work)
        while not up.is_set():
            for _ in range(5):
                await asyncio.sleep(0)
            if (wake := clock.next_wake_ns()) is not None:
                clock.advance_to(wake)
    assert said[:7] == ["down"] * 7
    assert set(said[7:]) == {"degraded"}
    assert len(said) < 75


async def test_a_service_that_was_cut_off_after_it_had_run_is_back_at_once_however_often_that_happens() -> None:
    clock, said, begun, over = ManualClock(NS_PER_S), [], [], asyncio.Event()

    async def work() -> None:
        begun.append(clock.now())
        if len(begun) == 20:
            over.set()
        await clock.sleep_until(clock.now() + 10 * NS_PER_S)
        raise ConnectionError("the link was cut")

    async with Supervisor(clock, lambda name, status, reason: said.append(status)) as supervisor:
        supervisor.guard("broker venue", work)
        while not over.is_set():
            for _ in range(5):
                await asyncio.sleep(0)
            if (wake := clock.next_wake_ns()) is not None:
                clock.advance_to(wake)
    assert {later - earlier for earlier, later in pairwise(begun)} == {11 * NS_PER_S}
    assert set(said) == {"down"}
