"""Intraday prices made from real daily ones: the real open and close of a real day, a generated path between them.

Every step draws the standardised returns of one random real day, of both indexes together, and scales them to the
time of day. The path is then tied to the day's real close, in business time, so the fall is spread as volatility is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from zoneinfo import ZoneInfo

from haltline.cli.demo.history import Calibration
from haltline.clock import NS_PER_S, from_datetime
from haltline.model.event import Quote
from haltline.model.id import Symbol

SYMBOLS = (Symbol("MNQ"), Symbol("MES"))
STRESSED_DAY = date(2018, 10, 24)
STEP_S = 5
_TICK = 0.25
_SESSION_S = 6.5 * 3600
_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """The generated session: one price of each symbol every `STEP_S` seconds from 09:30 New York."""

    seed: int
    calibration: Calibration
    start_ns: int
    prices: tuple[Sequence[float], ...]

    @property
    def label(self) -> str:
        """What a viewer must know of these prices."""
        first, last = self.calibration.first.year, self.calibration.last.year
        return f"generated intraday prices, seed {self.seed}, calibrated on NASDAQ daily returns {first}-{last} (arch)"

    def instant(self, step: int) -> int:
        """When a step happens, in nanoseconds."""
        return self.start_ns + step * STEP_S * NS_PER_S

    def quotes(self, step: int) -> tuple[Quote, ...]:
        """The prices of a step as events, one tick wide."""
        at = self.instant(step)
        return tuple(
            Quote(at=at, received_at=at, symbol=symbol, bid=path[step], ask=path[step] + _TICK, last=path[step])
            for symbol, path in zip(SYMBOLS, self.prices, strict=True)
        )


def make_market(calibration: Calibration, *, seed: int) -> Market:
    """The same session for the same seed, on every machine."""
    random = Random(seed)
    steps = int(_SESSION_S / STEP_S)
    weights = [_activity((step + 0.5) / steps) ** 2 for step in range(steps)]
    total = sum(weights)
    shares = [weight / total for weight in weights]
    drawn = [random.choice(calibration.shocks) for _ in range(steps)]
    paths = []
    for index, (opening, move, volatility) in enumerate(
        zip(calibration.opens, calibration.moves, calibration.volatility, strict=True)
    ):
        shocks = [shock[index] * math.sqrt(share) * volatility for shock, share in zip(drawn, shares, strict=True)]
        paths.append(_tie(opening, move, shocks, shares))
    opens_at = datetime(calibration.day.year, calibration.day.month, calibration.day.day, 9, 30, tzinfo=_NEW_YORK)
    return Market(seed=seed, calibration=calibration, start_ns=from_datetime(opens_at), prices=tuple(paths))


def _activity(part: float) -> float:
    """How lively trading is at a part of the session, 0 to 1: high at the open, a calm noon, high at the close."""
    return 0.6 + 1.2 * math.exp(-8 * part) + 0.6 * math.exp(-10 * (1 - part))


def _tie(opening: float, move: float, shocks: Sequence[float], shares: Sequence[float]) -> list[float]:
    end = sum(shocks)
    walked = elapsed = 0.0
    path = [_round(opening)]
    for shock, share in zip(shocks, shares, strict=True):
        walked += shock
        elapsed += share
        path.append(_round(opening * math.exp(walked + elapsed * (move - end))))
    return path


def _round(price: float) -> float:
    return round(price / _TICK) * _TICK
