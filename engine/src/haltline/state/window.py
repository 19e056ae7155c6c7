"""Rolling windows: what a series did lately, and which events happened lately. Bounded, exact to restore.

A series holds its value from one sample to the next. NaN is a gap: it has no part in least, greatest and average, and
while it lasts every answer is NaN. Samples are merged into buckets of 1/300 of the window, so an answer is right to
that resolution, and exact where a bucket holds one sample. A window is (now - duration, now] plus the value held at its
start; where history is shorter, the oldest known value stands for the start.
"""

import math
from collections import deque
from collections.abc import Sequence

from haltline.clock import NS_PER_S
from haltline.state.entity import NAN

BUCKETS = 300
_STREAK_KEPT = 512
_INF = math.inf


class _Totals:
    """Time-weighted sums up to an instant: seconds known, and of (value - reference) and its square."""

    __slots__ = ("known", "linear", "square")

    def __init__(self, known: float = 0.0, linear: float = 0.0, square: float = 0.0) -> None:
        self.known = known
        self.linear = linear
        self.square = square

    def later(self, excess: float, span_s: float) -> "_Totals":
        """The sums after `excess` over the reference was held for a span; a gap adds nothing."""
        if excess != excess:
            return self
        return _Totals(self.known + span_s, self.linear + excess * span_s, self.square + excess * excess * span_s)

    def between(self, other: "_Totals", share: float) -> "_Totals":
        """The point that lies at a share of the way to `other`."""
        return _Totals(
            self.known + (other.known - self.known) * share,
            self.linear + (other.linear - self.linear) * share,
            self.square + (other.square - self.square) * share,
        )

    def moved(self, base: "_Totals", shift: float) -> "_Totals":
        """The sums counted from `base`, over a reference higher by `shift`."""
        known, linear = self.known - base.known, self.linear - base.linear
        square = self.square - base.square
        return _Totals(known, linear - shift * known, square - 2.0 * shift * linear + shift * shift * known)

    def dump(self) -> list[float]:
        return [self.known, self.linear, self.square]


class _Bucket:
    """Samples of one stretch of 1/300 of the window."""

    __slots__ = ("at_first", "at_last", "first", "first_ns", "high", "index", "known", "last", "last_ns", "low")

    def __init__(self, index: int, at_ns: int, value: float, totals: _Totals) -> None:
        self.index = index
        self.first_ns = self.last_ns = at_ns
        self.first = self.last = self.known = value
        known = value == value
        self.low = value if known else _INF
        self.high = value if known else -_INF
        self.at_first = self.at_last = totals

    def add(self, at_ns: int, value: float, totals: _Totals) -> None:
        self.last_ns = at_ns
        self.last = value
        self.at_last = totals
        if value != value:
            return
        self.known = value
        if self.first != self.first:
            self.first = value
        self.low = min(self.low, value)
        self.high = max(self.high, value)

    def dump(self) -> list[object]:
        return [
            self.index, self.first_ns, self.last_ns, self.first, self.last, self.known, self.low, self.high,
            self.at_first.dump(), self.at_last.dump(),
        ]  # fmt: skip

    @staticmethod
    def load(row: Sequence[object]) -> "_Bucket":
        index, first_ns, last_ns, first, last, known, low, high, at_first, at_last = row
        bucket = _Bucket(_whole(index), _whole(first_ns), _real(first), _Totals(*_reals(at_first)))
        bucket.last_ns, bucket.last, bucket.known = _whole(last_ns), _real(last), _real(known)
        bucket.low, bucket.high = _real(low), _real(high)
        bucket.at_last = _Totals(*_reals(at_last))
        return bucket


class SeriesWindow:
    """The last `duration_ns` of one series. Instants given to it must not go back."""

    __slots__ = ("_before", "_buckets", "_evicted", "_high", "_low", "_reference", "duration_ns", "resolution_ns")

    def __init__(self, duration_ns: int) -> None:
        self.duration_ns = duration_ns
        self.resolution_ns = max(duration_ns // BUCKETS, 1)
        self._clear()

    def _clear(self) -> None:
        self._buckets: deque[_Bucket] = deque()
        self._low: deque[_Bucket] = deque()
        self._high: deque[_Bucket] = deque()
        self._before: _Bucket | None = None
        self._evicted = 0
        self._reference = NAN

    def add(self, now_ns: int, value: float) -> None:
        """Note that the series has this value from now on; NaN for UNKNOWN."""
        self._evict(now_ns)
        if self._reference != self._reference:
            self._reference = value
        newest = self._buckets[-1] if self._buckets else self._before
        totals = self._totals_at(now_ns, newest)
        index = now_ns // self.resolution_ns
        if self._buckets and self._buckets[-1].index == index:
            bucket = self._buckets[-1]
            bucket.add(now_ns, value, totals)
        else:
            bucket = _Bucket(index, now_ns, value, totals)
            self._buckets.append(bucket)
        _rank(self._low, bucket, least=True)
        _rank(self._high, bucket, least=False)

    def _totals_at(self, now_ns: int, newest: _Bucket | None) -> _Totals:
        if newest is None:
            return _Totals()
        return newest.at_last.later(newest.last - self._reference, (now_ns - newest.last_ns) / NS_PER_S)

    def _evict(self, now_ns: int) -> None:
        start = now_ns - self.duration_ns
        buckets = self._buckets
        while buckets and buckets[0].last_ns <= start:
            gone = buckets.popleft()
            if gone.known != gone.known and self._before is not None:
                gone.known = self._before.known
            self._before = gone
            self._evicted += 1
            for ranking in (self._low, self._high):
                if ranking and ranking[0] is gone:
                    ranking.popleft()
        if self._evicted >= BUCKETS:
            self._rebase()

    def _rebase(self) -> None:
        """Count sums from the window's start and over a value near the present, so that they stay small and exact."""
        self._evicted = 0
        assert self._before is not None
        newest = self._buckets[-1] if self._buckets else self._before
        reference = newest.known
        if reference != reference:
            return
        base, shift = self._before.at_last, reference - self._reference
        for bucket in (self._before, *self._buckets):
            bucket.at_first = bucket.at_first.moved(base, shift)
            bucket.at_last = bucket.at_last.moved(base, shift)
        self._reference = reference

    def _newest(self, now_ns: int) -> float:
        """Forget what is too old; the present value, NaN in a gap or before the first sample."""
        self._evict(now_ns)
        if self._buckets:
            return self._buckets[-1].last
        return self._before.last if self._before is not None else NAN

    def _at_start(self, start_ns: int) -> float:
        buckets, before = self._buckets, self._before
        if buckets and buckets[0].first_ns <= start_ns and buckets[0].first == buckets[0].first:
            return buckets[0].first
        if before is not None and before.known == before.known:
            return before.known
        return next((bucket.first for bucket in buckets if bucket.first == bucket.first), NAN)

    def change(self, now_ns: int) -> float:
        """Present value less the value at the window's start."""
        return self._newest(now_ns) - self._at_start(now_ns - self.duration_ns)

    def min_over(self, now_ns: int) -> float:
        """Least value held in the window."""
        newest = self._newest(now_ns)
        if newest != newest:
            return NAN
        least = self._low[0].low if self._low else _INF
        held = self._before.last if self._before is not None else NAN
        return held if held < least else least

    def max_over(self, now_ns: int) -> float:
        """Greatest value held in the window."""
        newest = self._newest(now_ns)
        if newest != newest:
            return NAN
        greatest = self._high[0].high if self._high else -_INF
        held = self._before.last if self._before is not None else NAN
        return held if held > greatest else greatest

    def avg_over(self, now_ns: int) -> float:
        """Average over time of what was known; the present value where nothing lasted yet."""
        newest = self._newest(now_ns)
        known, linear, _ = self._span(now_ns)
        if newest != newest or known <= 0.0:
            return newest
        return self._reference + linear / known

    def stddev_over(self, now_ns: int) -> float:
        """Standard deviation over time of what was known; 0 where nothing lasted yet."""
        newest = self._newest(now_ns)
        known, linear, square = self._span(now_ns)
        if newest != newest or known <= 0.0:
            return newest - newest
        mean = linear / known
        return math.sqrt(max(square / known - mean * mean, 0.0))

    def _span(self, now_ns: int) -> tuple[float, float, float]:
        newest = self._buckets[-1] if self._buckets else self._before
        end = self._totals_at(now_ns, newest)
        begin = self._totals_at_start(now_ns - self.duration_ns)
        return end.known - begin.known, end.linear - begin.linear, end.square - begin.square

    def _totals_at_start(self, start_ns: int) -> _Totals:
        if not self._buckets:
            return self._totals_at(start_ns, self._before)
        oldest = self._buckets[0]
        if oldest.first_ns <= start_ns:
            share = (start_ns - oldest.first_ns) / (oldest.last_ns - oldest.first_ns)
            return oldest.at_first.between(oldest.at_last, share)
        return oldest.at_first if self._before is None else self._totals_at(start_ns, self._before)

    def expires_at(self, now_ns: int) -> int | None:
        """The next instant at which an answer can change although nothing happens; None for never."""
        self._evict(now_ns)
        if not self._buckets:
            return None
        oldest = self._buckets[0]
        if self._before is None and len(self._buckets) == 1 and oldest.first_ns == oldest.last_ns:
            return None
        leaves = oldest.first_ns + self.duration_ns
        return leaves if leaves > now_ns else oldest.last_ns + self.duration_ns

    def snapshot(self) -> dict[str, object]:
        """Everything as plain values."""
        return {
            "before": None if self._before is None else self._before.dump(),
            "buckets": [bucket.dump() for bucket in self._buckets],
            "evicted": self._evicted,
            "reference": self._reference,
        }

    def restore(self, data: dict[str, object]) -> None:
        """Become exactly what was taken."""
        self._clear()
        before = data["before"]
        self._before = None if before is None else _Bucket.load(_rows(before))
        self._evicted = _whole(data["evicted"])
        self._reference = _real(data["reference"])
        for row in _rows(data["buckets"]):
            bucket = _Bucket.load(_rows(row))
            self._buckets.append(bucket)
            _rank(self._low, bucket, least=True)
            _rank(self._high, bucket, least=False)


def _rank(ranking: deque[_Bucket], bucket: _Bucket, *, least: bool) -> None:
    """Keep only buckets that can still become the least (or greatest): the front is it."""
    if ranking and ranking[-1] is bucket:
        ranking.pop()
    while ranking and (ranking[-1].low >= bucket.low if least else ranking[-1].high <= bucket.high):
        ranking.pop()
    ranking.append(bucket)


class EventWindow:
    """Events of the last `duration_ns`, or of all time (None); an event leaves when it is exactly that old."""

    __slots__ = ("_count", "_events", "_partials", "duration_ns")

    def __init__(self, duration_ns: int | None = None) -> None:
        self.duration_ns = duration_ns
        self._events: deque[tuple[int, float]] = deque(maxlen=_STREAK_KEPT if duration_ns is None else None)
        self._count = 0
        self._partials: list[float] = []

    def add(self, now_ns: int, value: float) -> None:
        """Note an event."""
        self._evict(now_ns)
        self._events.append((now_ns, value))
        self._count += 1
        if self.duration_ns is None:
            _add_exactly(self._partials, value)

    def take_back(self, at_ns: int, value: float) -> None:
        """Forget the newest event noted at that instant with that value (a voided fill), if it is still here."""
        for place in range(len(self._events) - 1, -1, -1):
            if self._events[place] == (at_ns, value):
                del self._events[place]
                self._count -= 1
                if self.duration_ns is None:
                    _add_exactly(self._partials, -value)
                return

    def _evict(self, now_ns: int) -> None:
        if self.duration_ns is None:
            return
        start = now_ns - self.duration_ns
        while self._events and self._events[0][0] <= start:
            self._events.popleft()
            self._count -= 1

    def count(self, now_ns: int) -> float:
        """Number of events."""
        self._evict(now_ns)
        return float(self._count)

    def sum(self, now_ns: int) -> float:
        """Exact sum of the values, rounded once; NaN while one of them is."""
        self._evict(now_ns)
        return math.fsum(self._partials if self.duration_ns is None else (value for _, value in self._events))

    def streak(self, now_ns: int) -> float:
        """How many of the newest events in a row have a value other than 0; NaN where one of those is UNKNOWN."""
        self._evict(now_ns)
        length = 0.0
        for _, value in reversed(self._events):
            if value != value:
                return NAN
            if value == 0.0:
                break
            length += 1.0
        return length

    def expires_at(self, now_ns: int) -> int | None:
        """When the oldest event leaves; None for never."""
        self._evict(now_ns)
        if self.duration_ns is None or not self._events:
            return None
        return self._events[0][0] + self.duration_ns

    def snapshot(self) -> dict[str, object]:
        """Everything as plain values."""
        return {
            "events": [[at, value] for at, value in self._events],
            "count": self._count,
            "partials": list(self._partials),
        }

    def restore(self, data: dict[str, object]) -> None:
        """Become exactly what was taken."""
        self._events.clear()
        for row in _rows(data["events"]):
            at, value = _rows(row)
            self._events.append((_whole(at), _real(value)))
        self._count = _whole(data["count"])
        self._partials = list(_reals(data["partials"]))


def _add_exactly(partials: list[float], value: float) -> None:
    """Add to a sum kept as non-overlapping floats (Shewchuk): nothing is rounded away."""
    kept = 0
    for other in partials:
        large, small = (value, other) if abs(value) >= abs(other) else (other, value)
        total = large + small
        error = small - (total - large)
        if error:
            partials[kept] = error
            kept += 1
        value = total
    partials[kept:] = [value]


def _rows(value: object) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"a snapshot holds {type(value).__name__} where a list belongs")
    return value


def _reals(value: object) -> list[float]:
    return [_real(item) for item in _rows(value)]


def _real(value: object) -> float:
    if not isinstance(value, float | int):
        raise TypeError(f"a snapshot holds {type(value).__name__} where a number belongs")
    return float(value)


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a snapshot holds {type(value).__name__} where a whole number belongs")
    return value
