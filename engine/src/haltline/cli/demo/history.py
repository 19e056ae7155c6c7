"""Real daily prices of the S&P 500 and the NASDAQ Composite, 1999 to 2018, from the data in the package `arch`."""

import csv
import gzip
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from haltline.errors import EngineError

INDEXES = ("nasdaq", "sp500")
_DECAY = 0.94
_WARM_UP = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One index on one day, in index points."""

    date: date
    open: float
    close: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the generator takes from history.

    `shocks` are the standardised daily returns of both indexes, pair by pair of the same day, so that fat tails and
    their company are real. `volatility` is each index's daily volatility known at the open of the chosen day, a
    fraction. `opens` and `moves` are the real open and the real log return from open to close of that day.
    """

    day: date
    first: date
    last: date
    opens: tuple[float, ...]
    moves: tuple[float, ...]
    volatility: tuple[float, ...]
    shocks: Sequence[tuple[float, ...]]


def read_days(index: str) -> list[Day]:
    """All days of one index, oldest first; raises EngineError where the package's data cannot be found."""
    # arch itself takes seconds to import, its data files do not: only its folder is looked up
    found = find_spec("arch")
    folder = Path(next(iter(found.submodule_search_locations))) if found and found.submodule_search_locations else None
    path = folder / "data" / index / f"{index}.csv.gz" if folder else None
    if path is None or not path.is_file():
        raise EngineError(f"the data of the package 'arch' is not installed: {index}.csv.gz was not found [E908]")
    with gzip.open(path, "rb") as file:
        rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8"))
        return [_day(row) for row in rows]


def _day(row: dict[str, str]) -> Day:
    when = datetime.strptime(row["Date"], "%m/%d/%Y").date()
    return Day(date=when, open=float(row["Open"]), close=float(row["Close"]))


def calibrate(day: date) -> Calibration:
    """Everything the generator needs to know about that day and all days around it."""
    series = [read_days(index) for index in INDEXES]
    chosen = next(position for position, found in enumerate(series[0]) if found.date == day)
    scaled = [standardise(days) for days in series]
    return Calibration(
        day=day,
        first=series[0][0].date,
        last=series[0][-1].date,
        opens=tuple(days[chosen].open for days in series),
        moves=tuple(math.log(days[chosen].close / days[chosen].open) for days in series),
        volatility=tuple(volatility[chosen] for _, volatility in scaled),
        shocks=list(zip(*(shocks[_WARM_UP:] for shocks, _ in scaled), strict=True)),
    )


def standardise(days: Sequence[Day]) -> tuple[list[float], list[float]]:
    """Each day's return divided by the volatility known before it, and that volatility (RiskMetrics, decay 0.94)."""
    variance = 0.01**2
    shocks, volatility = [0.0], [math.sqrt(variance)]
    for before, after in pairwise(days):
        known = math.sqrt(variance)
        move = math.log(after.close / before.close)
        shocks.append(move / known)
        volatility.append(known)
        variance = _DECAY * variance + (1 - _DECAY) * move * move
    return shocks, volatility
