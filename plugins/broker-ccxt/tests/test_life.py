"""When a stream counts as dead: by what came on it, since ccxt's own flags stay as they were."""

from types import SimpleNamespace
from typing import Any

import pytest

from haltline.errors import Transient
from haltline_broker_ccxt.stream import _require_life

NOW_MS, SILENCE_MS = 1_000_000.0, 15_000.0


def look(*, alive_ms: float | None = None, pong_ms: float | None = None, is_connected: bool = True) -> None:
    client = SimpleNamespace(lastPong=pong_ms, isConnected=is_connected)
    line: Any = SimpleNamespace(exchange=SimpleNamespace(clients={"wss://x": client}))
    ear: Any = SimpleNamespace(
        alive_ms={} if alive_ms is None else {"wss://x": alive_ms}, now_ms=lambda: NOW_MS
    )  # fmt: skip
    _require_life(line, ear, SILENCE_MS)


def test_a_stream_that_was_silent_for_too_long_is_dead_though_the_library_calls_it_connected() -> None:
    with pytest.raises(Transient, match="silent for 15 s"):
        look(alive_ms=NOW_MS - SILENCE_MS - 1)
    with pytest.raises(Transient, match="silent"):
        look(pong_ms=NOW_MS - SILENCE_MS - 1)


def test_whatever_came_last_counts_a_message_or_a_pong() -> None:
    look(alive_ms=NOW_MS - SILENCE_MS)
    look(alive_ms=NOW_MS - 60_000, pong_ms=NOW_MS - 10)
    look(alive_ms=NOW_MS - 10, pong_ms=NOW_MS - 60_000)


def test_a_stream_on_which_nothing_has_come_yet_is_still_being_made() -> None:
    look()
