"""Ticks to quotes: a trade price, a bid, an ask, or several of them."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

from haltline.builtins.replay.column import instants, numbers
from haltline.builtins.replay.guard import RowGuard
from haltline.model.event import Quote
from haltline.model.id import Symbol

_PRICES = ("bid", "ask", "price")


class TickReader:
    """Rows of one file of ticks to quotes; rows of one instant keep their order."""

    events_per_row = 1

    def __init__(self, columns: dict[str, str], *, symbol: str) -> None:
        self._columns = columns
        self._symbol = symbol
        self._names = [name for name in _PRICES if name in columns]

    def events(self, batches: Iterator[Any], guard: RowGuard, time_format: str) -> Iterator[Quote]:
        """Quotes in order of time."""
        for batch in batches:
            yield from self._quotes(batch, guard, time_format)

    def _quotes(self, batch: Any, guard: RowGuard, time_format: str) -> Iterator[Quote]:
        import numpy as np  # noqa: PLC0415 - heavy, and only recordings need it

        times = instants(batch.column(self._columns["time"]), time_format)
        prices = {name: numbers(batch.column(self._columns[name])) for name in self._names}
        with np.errstate(invalid="ignore"):
            wrong = {name: ~np.isfinite(found) | (found <= 0) for name, found in prices.items()}

        def explain(index: int) -> str:
            return f"{next(name for name in self._names if wrong[name][index])} is not a price above 0"

        is_bad = np.logical_or.reduce(list(wrong.values()))
        kept = guard.sieve(times, is_bad, explain, is_strict=False)
        bids, asks, lasts = (prices[name][kept].tolist() if name in prices else repeat(None) for name in _PRICES)
        symbols: Iterator[str] = repeat(self._symbol)
        if "symbol" in self._columns:
            symbols = iter(batch.column(self._columns["symbol"]).take(kept).to_pylist())
        for at, symbol, bid, ask, last in zip(times[kept].tolist(), symbols, bids, asks, lasts, strict=False):
            yield Quote(at=at, received_at=at, symbol=Symbol(symbol), bid=bid, ask=ask, last=last, source="tick")
