"""Bars to quotes: each bar's prices are visited in a stated order, spread over its length."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any, NamedTuple

from haltline.builtins.paper.price import CONTINUOUS
from haltline.builtins.replay.column import instants, numbers
from haltline.builtins.replay.guard import RowGuard
from haltline.builtins.replay.setting import BarPath
from haltline.model.event import Quote
from haltline.model.id import Symbol

_OPENING = "bar"
_DEFAULT_NS = 60_000_000_000
_PRICES = ("open", "high", "low", "close")
_OPEN, _HIGH, _LOW, _CLOSE = range(4)
_POINTS = {
    BarPath.OHLC: (_OPEN, _HIGH, _LOW, _CLOSE),
    BarPath.OLHC: (_OPEN, _LOW, _HIGH, _CLOSE),
    BarPath.CLOSE: (_CLOSE,),
}


def points_of(path: BarPath, side: str) -> tuple[int, ...]:
    """Which of open, high, low and close are visited, in order."""
    if path is not BarPath.PESSIMISTIC:
        return _POINTS[path]
    worst, best = (_HIGH, _LOW) if side == "short" else (_LOW, _HIGH)
    return (_OPEN, worst, best, worst, _CLOSE)


class _Bars(NamedTuple):
    """Some rows: times, an n x 4 matrix of prices, and symbols (None where the whole file is about one)."""

    times: Any
    prices: Any
    symbols: Any

    def part(self, selection: Any) -> "_Bars":
        return _Bars(
            self.times[selection],
            self.prices[selection],
            None if self.symbols is None else self.symbols[selection],
        )


class BarReader:
    """Rows of one file of bars to quotes with `last` set; only the first of a bar may gap."""

    def __init__(
        self, columns: dict[str, str], *, symbol: str, points: tuple[int, ...], interval_ns: int | None
    ) -> None:
        self._columns = columns
        self._symbol = symbol
        self._points = points
        self._interval_ns = interval_ns

    @property
    def events_per_row(self) -> int:
        """How many quotes a row gives."""
        return len(self._points)

    def events(self, batches: Iterator[Any], guard: RowGuard, time_format: str) -> Iterator[Quote]:
        """Quotes in order of time; the newest instant waits for the next batch, which tells how long its bars last."""
        waiting: _Bars | None = None
        interval_ns = self._interval_ns
        for batch in batches:
            bars = _joined(waiting, self._usable(batch, guard, time_format))
            if not len(bars.times):
                continue
            interval_ns = interval_ns or _shortest_gap(bars.times)
            cut = int(bars.times.searchsorted(bars.times[-1]))
            yield from self._quotes(bars.part(slice(None, cut)), interval_ns or _DEFAULT_NS, int(bars.times[-1]))
            waiting = bars.part(slice(cut, None))
        if waiting is not None:
            interval_ns = interval_ns or _DEFAULT_NS
            yield from self._quotes(waiting, interval_ns, int(waiting.times[-1]) + interval_ns)

    def _usable(self, batch: Any, guard: RowGuard, time_format: str) -> _Bars:
        import numpy as np  # noqa: PLC0415 - heavy, and only recordings need it

        times = instants(batch.column(self._columns["time"]), time_format)
        prices = np.column_stack([numbers(batch.column(self._columns[name])) for name in _PRICES])
        with np.errstate(invalid="ignore"):
            not_price = ~np.isfinite(prices) | (prices <= 0)
            crossed = (prices[:, _HIGH] < prices.max(axis=1)) | (prices[:, _LOW] > prices.min(axis=1))

        def explain(index: int) -> str:
            for name, wrong in zip(_PRICES, not_price[index], strict=True):
                if wrong:
                    return f"{name} is not a price above 0"
            return "high or low does not enclose open and close"

        symbols = np.array(batch.column(self._columns["symbol"]).to_pylist()) if "symbol" in self._columns else None
        is_bad = not_price.any(axis=1) | crossed
        kept = guard.sieve(times, is_bad, explain, is_strict=symbols is None)
        return _Bars(times, prices, symbols).part(kept)

    def _quotes(self, bars: _Bars, interval_ns: int, following_ns: int) -> Iterator[Quote]:
        import numpy as np  # noqa: PLC0415

        count = len(self._points)
        after = np.append(bars.times, following_ns)[bars.times.searchsorted(bars.times, side="right")]
        length = np.minimum(interval_ns, after - bars.times)
        times = (bars.times[:, None] + length[:, None] * np.arange(count) // count).ravel()
        prices = bars.prices[:, self._points].ravel()
        if bars.symbols is None:
            symbol, sources = Symbol(self._symbol), cycle((_OPENING, *[CONTINUOUS] * (count - 1)))
            for at, price, source in zip(times.tolist(), prices.tolist(), sources, strict=False):
                yield Quote(at=at, received_at=at, symbol=symbol, last=price, source=source)
            return
        order = times.argsort(kind="stable")
        names = np.repeat(bars.symbols, count)[order].tolist()
        opens = (order % count == 0).tolist()
        for at, price, name, is_open in zip(times[order].tolist(), prices[order].tolist(), names, opens, strict=True):
            source = _OPENING if is_open else CONTINUOUS
            yield Quote(at=at, received_at=at, symbol=Symbol(name), last=price, source=source)


def _joined(first: _Bars | None, second: _Bars) -> _Bars:
    import numpy as np  # noqa: PLC0415

    if first is None:
        return second
    symbols = None if second.symbols is None else np.concatenate((first.symbols, second.symbols))
    times = np.concatenate((first.times, second.times))
    return _Bars(times, np.concatenate((first.prices, second.prices)), symbols)


def _shortest_gap(times: Any) -> int | None:
    import numpy as np  # noqa: PLC0415

    gaps = np.diff(times)
    gaps = gaps[gaps > 0]
    return int(gaps.min()) if len(gaps) else None
