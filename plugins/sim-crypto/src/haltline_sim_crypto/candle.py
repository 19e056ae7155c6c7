"""Bars of the past: made up, but the same each time, and those of any length agree with each other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from haltline_sim_crypto.instrument import Instrument
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import to_step

_WAVES = ((0.03, 5.1e8), (0.012, 4.3e7), (0.005, 6.1e6), (0.002, 7.7e5))
"""How far prices go, as a part of the first price, and how long that takes, in ms."""
_LOOKS = 4
"""How often a bar looks at the price to find its highest and lowest."""
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One bar."""

    at_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def length_ms(word: str) -> int:
    """How long a bar named `4h` is; raises ValueError for what is no length."""
    number, unit = word[:-1], word[-1:]
    if not number.isdigit() or unit not in _UNITS_MS:
        raise ValueError(f"{word!r} is no length of a bar")
    return int(number) * _UNITS_MS[unit]


def candles(
    market: Market, bar_ms: int, *, limit: int, now_ms: int, since_ms: int | None = None, until_ms: int | None = None
) -> Iterator[Candle]:  # fmt: skip
    """Bars by where they begin, oldest first: the first ones after `since_ms`, else the last ones before `until_ms`.

    The bar under way ends at the last price.
    """
    last = min(now_ms if until_ms is None else until_ms, now_ms) // bar_ms * bar_ms
    first = last - (limit - 1) * bar_ms if since_ms is None else -(-since_ms // bar_ms) * bar_ms
    for start in range(first, min(last, first + (limit - 1) * bar_ms) + 1, bar_ms):
        looks = [_price(market, start + bar_ms * step // _LOOKS) for step in range(_LOOKS + 1)]
        if start + bar_ms > now_ms:
            looks[-1] = market.last
        yield Candle(
            at_ms=start, open=looks[0], high=max(looks), low=min(looks), close=looks[-1],
            volume=_volume(market.instrument, bar_ms),
        )  # fmt: skip


def _price(market: Market, at_ms: int) -> Decimal:
    part = sum(height * math.sin(2 * math.pi * at_ms / period) for height, period in _WAVES)
    return to_step(market.opened * Decimal(str(round(1 + part, 9))), market.instrument.tick)


def _volume(instrument: Instrument, bar_ms: int) -> Decimal:
    return to_step(Decimal(bar_ms) / 60_000, instrument.step)
