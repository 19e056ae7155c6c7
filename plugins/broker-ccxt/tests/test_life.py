"""When a stream counts as dead: by what came on it, since ccxt's own flags stay as they were."""

from types import SimpleNamespace
from typing import Any

import pytest

from haltline.clock import NS_PER_S, ManualClock
from haltline.errors import Transient
from haltline_broker_ccxt.stream import Ear, _require_life

URL, SILENCE_MS = "wss://x", 15_000.0


class Stream:
    """A connection, and a clock that passes only here; the library's stamps are by a clock that somebody may set."""

    def __init__(self) -> None:
        self.clock = ManualClock(NS_PER_S)
        self.ear = Ear()
        self.ear.steady = self.clock
        self.client = SimpleNamespace(lastPong=None, isConnected=True)

    def pass_s(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.now() + round(seconds * NS_PER_S))

    def look(self) -> None:
        line: Any = SimpleNamespace(exchange=SimpleNamespace(clients={URL: self.client}))
        _require_life(line, self.ear, SILENCE_MS)


def test_a_stream_that_was_silent_for_too_long_is_dead_though_the_library_calls_it_connected() -> None:
    stream = Stream()
    stream.ear(URL, "{}")
    stream.pass_s(15)
    stream.look()
    stream.pass_s(0.1)
    with pytest.raises(Transient, match="silent for 15 s"):
        stream.look()


def test_a_pong_is_life_in_the_instant_in_which_it_is_another_whatever_its_stamp_says() -> None:
    stream = Stream()
    for stamp in (1_000_000, 1_010_000, 400_000):  # the host's clock was set back
        stream.client.lastPong = stamp
        stream.look()
        stream.pass_s(14)
        stream.look()
    stream.pass_s(2)
    with pytest.raises(Transient, match="silent"):
        stream.look()


def test_whatever_came_last_counts_a_message_or_a_pong() -> None:
    stream = Stream()
    stream.client.lastPong = 1
    stream.look()
    stream.pass_s(14)
    stream.ear(URL, "{}")
    stream.pass_s(14)
    stream.look()
    stream.client.lastPong = 2
    stream.look()
    stream.pass_s(14)
    stream.look()


def test_a_stream_on_which_nothing_has_come_yet_is_still_being_made() -> None:
    stream = Stream()
    stream.pass_s(3600)
    stream.look()


def test_connections_that_are_made_anew_owe_nothing_to_those_before() -> None:
    stream = Stream()
    stream.ear(URL, "{}")
    stream.client.lastPong = 1
    stream.look()
    stream.pass_s(60)
    stream.client.lastPong = None
    stream.ear.begin()
    stream.look()
    assert stream.ear.quoted_ms == stream.ear.now_ms()
