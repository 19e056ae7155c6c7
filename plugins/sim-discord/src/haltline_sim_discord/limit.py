"""How fast the platform lets a bot ask: buckets by route and channel, and one for everything."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from haltline_sim_discord.failure import Throttled


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Requests that a bucket takes in a span of seconds, and those of all buckets in a second. None: no limit.

    The platform names its buckets only in answers; five messages in five seconds for a channel is what it has given.
    """

    bucket: int | None = 5
    span_s: float = 5.0
    overall_per_s: int | None = 50


OFF = Rate(bucket=None, overall_per_s=None)
"""No limits."""


@dataclass(slots=True)
class _Window:
    sent: deque[float] = field(default_factory=deque)

    def wait(self, now: float, most: int, span_s: float) -> float:
        """Seconds until there is room, 0 where there is."""
        while self.sent and self.sent[0] <= now - span_s:
            self.sent.popleft()
        return 0.0 if len(self.sent) < most else self.sent[0] + span_s - now


class Pace:
    """Counts requests; raises Throttled. Returns the headers that tell a client where it stands."""

    def __init__(self, rate: Rate, now: Callable[[], float]) -> None:
        self.rate = rate
        self._now = now
        self._windows: dict[str, _Window] = {}

    def spend(self, bucket: str | None) -> dict[str, str]:
        """Count one request; `bucket` None counts towards nothing: interactions have no limits."""
        if bucket is None:
            return {}
        now, rate = self._now(), self.rate
        overall = self._windows.setdefault("", _Window())
        if rate.overall_per_s is not None and (wait := overall.wait(now, rate.overall_per_s, 1.0)) > 0:
            raise Throttled(wait, is_global=True)
        overall.sent.append(now)
        if rate.bucket is None:
            return {}
        own = self._windows.setdefault(bucket, _Window())
        wait = own.wait(now, rate.bucket, rate.span_s)
        if wait > 0:
            raise Throttled(wait, is_global=False)
        own.sent.append(now)
        return _headers(bucket, rate.bucket, rate.bucket - len(own.sent), own.sent[0] + rate.span_s, now)


def _headers(bucket: str, most: int, left: int, reset: float, now: float) -> dict[str, str]:
    route = bucket.partition(" of ")[0]
    return {
        "X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": f"{reset:.3f}",
        "X-RateLimit-Reset-After": f"{reset - now:.3f}",
        "X-RateLimit-Bucket": sha256(route.encode()).hexdigest()[:32],
    }  # fmt: skip
