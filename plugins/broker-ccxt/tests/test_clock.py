"""The venue's time on our clock, while somebody sets the clock of the host."""

from types import SimpleNamespace
from typing import Any

import pytest

from haltline.clock import ManualClock
from haltline_broker_ccxt.client import Line
from haltline_broker_ccxt.failure import Codes

MS = 1_000_000
VENUE_MS = 5_000_000


class Desk:
    """A line to a venue. Three clocks: the host's, the engine's, which follows it, and one that nobody sets."""

    def __init__(self, *, apart_ms: int = 0, slow_ms: int = 0) -> None:
        self.host_ms = self.passed_ms = 0
        self.venue_at_0_ms = VENUE_MS
        self.slow_ms = slow_ms
        self.host_ms = VENUE_MS + apart_ms
        self.ours = ManualClock(self.host_ms * MS)
        self.steady = ManualClock(7 * MS)
        self.exchange: Any = SimpleNamespace(
            options={}, milliseconds=lambda: self.host_ms, fetch_time=self._fetch_time, last_response_headers={}
        )
        self.line = Line(self.exchange, venue="Venue", codes=Codes(pattern=None), clock=self.ours)  # type: ignore[arg-type]
        self.line._steady = self.steady

    @property
    def venue_ms(self) -> int:
        return self.venue_at_0_ms + self.passed_ms

    def pass_ms(self, passed: int) -> None:
        self.passed_ms += passed
        self.host_ms += passed
        self.steady.advance_to(self.steady.now() + passed * MS)
        self.ours.advance_to(self.ours.now() + passed * MS)

    def set_ms(self, by: int) -> None:
        self.host_ms += by
        self.ours.advance_to(self.ours.now() + max(0, by) * MS)

    async def _fetch_time(self) -> int:
        self.pass_ms(self.slow_ms)
        return self.venue_ms


@pytest.mark.parametrize("apart_ms", [0, 60_000, -60_000])
async def test_an_instant_of_the_venue_is_the_same_instant_on_our_clock(apart_ms: int) -> None:
    desk = Desk(apart_ms=apart_ms)
    assert (desk.line.offset_ms, desk.line.is_apart) == (0, False)
    assert await desk.line.set_clock() == apart_ms
    assert desk.line.is_apart is bool(apart_ms)
    assert desk.line.at_ns(desk.venue_ms) == desk.ours.now()
    assert desk.line.venue_ms(desk.ours.now()) == desk.venue_ms
    assert desk.line.at_ns(0) == desk.ours.now()


@pytest.mark.parametrize("by_ms", [30_000, 90_000_000])
async def test_a_clock_set_forward_is_made_up_for_before_anybody_asks_the_venue_again(by_ms: int) -> None:
    """Else everything that a venue tells with its time would look that old, and old prices are not believed."""
    desk = Desk()
    await desk.line.set_clock()
    desk.line.at_ns(desk.venue_ms)
    desk.pass_ms(1000)
    desk.set_ms(by_ms)
    assert desk.line.at_ns(desk.venue_ms) == desk.ours.now()
    assert desk.line.offset_ms == by_ms


async def test_a_clock_set_back_moves_requests_and_not_the_engine_s_time() -> None:
    desk = Desk()
    await desk.line.set_clock()
    desk.line.at_ns(desk.venue_ms)
    desk.set_ms(-90_000)
    assert desk.line.at_ns(desk.venue_ms) == desk.ours.now()
    assert desk.line.offset_ms == -90_000
    await desk.line.perform(_nothing, mutates=False)
    assert desk.exchange.options["timeDifference"] == -90_000


async def test_clocks_that_were_never_compared_are_taken_for_the_same() -> None:
    desk = Desk(apart_ms=60_000)
    await desk.line.perform(_nothing, mutates=False)
    assert desk.exchange.options == {}
    assert desk.line.at_ns(desk.venue_ms) == desk.venue_ms * MS


async def test_an_answer_that_took_long_makes_what_is_told_look_later_and_never_older() -> None:
    desk = Desk(slow_ms=400)
    await desk.line.set_clock()
    desk.exchange.fetch_time = None
    assert desk.line.at_ns(desk.venue_ms) >= desk.ours.now()


async def test_two_instants_of_the_venue_keep_their_order_though_clocks_are_never_read_at_once() -> None:
    desk = Desk()
    await desk.line.set_clock()
    first = desk.line.at_ns(VENUE_MS + 10)
    for drift in (20, -20, 49, -49):
        desk.steady.advance_to(desk.steady.now() + 100 * MS)
        desk.ours.advance_to(desk.ours.now() + (100 + drift) * MS)
        assert desk.line.at_ns(VENUE_MS + 10) == first


async def _nothing() -> None:
    return None
