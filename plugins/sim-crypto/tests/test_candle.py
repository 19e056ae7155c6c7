"""Bars of the past."""

from decimal import Decimal

import pytest

from haltline_sim_crypto.candle import candles, length_ms
from haltline_sim_crypto.instrument import contracts
from haltline_sim_crypto.market import market_of

HOUR = 3_600_000
NOW = 1_700_000_000_000
MARKET = market_of(contracts(quote="USDT", suffix="USDT")[0], Decimal(60_000))


def test_long_bars_agree_with_the_short_ones_within_them() -> None:
    [day] = candles(MARKET, 24 * HOUR, limit=1, now_ms=NOW, until_ms=NOW - 48 * HOUR)
    hours = list(candles(MARKET, HOUR, limit=24, now_ms=NOW, since_ms=day.at_ms))
    assert (hours[0].open, hours[-1].close, len(hours)) == (day.open, day.close, 24)
    assert day.high <= max(each.high for each in hours)


def test_bars_are_counted_from_the_front_or_from_the_back() -> None:
    front = [each.at_ms for each in candles(MARKET, HOUR, limit=3, now_ms=NOW, since_ms=NOW - 10 * HOUR)]
    back = [each.at_ms for each in candles(MARKET, HOUR, limit=3, now_ms=NOW)]
    assert (front[0] >= NOW - 10 * HOUR, back[-1] <= NOW, len(front), len(back)) == (True, True, 3, 3)
    assert list(candles(MARKET, HOUR, limit=3, now_ms=NOW, since_ms=NOW + HOUR)) == []


@pytest.mark.parametrize(("word", "length"), [("1m", 60_000), ("4h", 4 * HOUR), ("1d", 24 * HOUR)])
def test_lengths_are_read(word: str, length: int) -> None:
    assert length_ms(word) == length


@pytest.mark.parametrize("word", ["", "h", "4x", "-1h", "1.5h"])
def test_what_is_no_length_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="no length"):
        length_ms(word)
