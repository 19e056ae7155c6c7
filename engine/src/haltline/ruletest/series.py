"""Prices over time as text, after promtool: ``21000 -25x4 _x2 stale 20900+5x3``.

====================  ======================================================================
``21000``             one value
``21000x3``           the value and three repeats: 4 values
``21000+5x3``         a value and three more, each 5 higher: 21000 21005 21010 21015
``-25x4``             after a value: four more, each 25 lower than the one before (also ``+5x3``)
``_`` or ``_x3``      nothing is heard at this instant (three instants)
``stale``             nothing is heard until every price of the symbol has gone stale
====================  ======================================================================
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal

_NUMBER = r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_ITEM = re.compile(rf"(?P<start>-?{_NUMBER})(?:(?P<step>[+-]{_NUMBER}))?(?:x(?P<times>\d+))?")
_RELATIVE = re.compile(rf"(?P<step>[+-]{_NUMBER})x(?P<times>\d+)")
_MISSING = re.compile(r"_(?:x(?P<times>\d+))?")
MAX_POINTS = 100_000


class Gap(Enum):
    """What may stand in a series instead of a price."""

    MISSING = "_"
    STALE = "stale"


type Point = float | Literal[Gap.MISSING, Gap.STALE]


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one symbol's price, one per interval; `text` is how it was written."""

    text: str
    points: tuple[Point, ...]

    def at(self, index: int) -> Point:
        """The point of that interval; missing where the series has ended."""
        return self.points[index] if index < len(self.points) else Gap.MISSING


def parse_series(text: str) -> Series:
    """Read a series; raises ValueError naming the word that was not understood."""
    points: list[Point] = []
    latest: float | None = None
    for word in text.split():
        points += _points(word, latest)
        if len(points) > MAX_POINTS:
            raise ValueError(f"the series is longer than {MAX_POINTS} points")
        latest = next((point for point in reversed(points) if isinstance(point, float)), latest)
    if not points:
        raise ValueError("the series is empty; write at least one price")
    return Series(text, tuple(points))


def _points(word: str, latest: float | None) -> list[Point]:
    if word == Gap.STALE.value:
        return [Gap.STALE]
    if match := _MISSING.fullmatch(word):
        return [Gap.MISSING] * _times(match["times"] or "1")
    if latest is not None and (match := _RELATIVE.fullmatch(word)):
        step = float(match["step"])
        return [_tidy(latest + step * index) for index in range(1, _times(match["times"]) + 1)]
    if match := _ITEM.fullmatch(word):
        start, step = float(match["start"]), float(match["step"] or 0)
        return [_tidy(start + step * index) for index in range(_times(match["times"] or "0") + 1)]
    raise ValueError(f"{word!r} was not understood; write a price, 21000+5x3, -25x4 after a price, _ or stale")


def _times(text: str) -> int:
    times = int(text) if len(text) < 8 else MAX_POINTS + 1
    if times > MAX_POINTS:
        raise ValueError(f"x{text} is more than {MAX_POINTS} points")
    return times


def _tidy(price: float) -> float:
    """Ten decimals: 0.1 + 0.2 is meant as 0.3."""
    return round(price, 10)
