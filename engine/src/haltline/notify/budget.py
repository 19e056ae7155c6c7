"""How many messages a channel may be given: a bucket that fills by the minute, with a share kept for critical ones."""

from haltline.clock import NS_PER_S
from haltline.model.rule import Severity

_MINUTE_NS = 60 * NS_PER_S


class RateBudget:
    """`per_minute` messages, of which `reserved` (a fraction) only critical ones may use; None is no limit.

    Critical messages are never held back: they draw on the bucket even below nothing, and the others wait for longer.
    """

    def __init__(self, per_minute: int | None, reserved: float, now: int) -> None:
        self._per_minute = per_minute
        self._kept = 0.0 if per_minute is None else min(per_minute * reserved, per_minute - 1.0)
        self._left = float(per_minute or 0)
        self._at = now

    def ready_at(self, severity: Severity, now: int) -> int:
        """The instant from which a message of this severity may be sent; `now` or earlier is at once."""
        if self._per_minute is None or severity is Severity.CRITICAL:
            return now
        self._fill(now)
        short = self._kept + 1 - self._left
        return now if short <= 0 else now + int(short * _MINUTE_NS / self._per_minute) + 1

    def spend(self, now: int) -> None:
        """One message was sent."""
        if self._per_minute is not None:
            self._fill(now)
            self._left = max(self._left - 1, -float(self._per_minute))

    def _fill(self, now: int) -> None:
        assert self._per_minute is not None
        gained = max(now - self._at, 0) * self._per_minute / _MINUTE_NS
        self._left = min(self._left + gained, float(self._per_minute))
        self._at = max(now, self._at)
