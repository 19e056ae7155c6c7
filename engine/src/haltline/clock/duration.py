"""Durations and instants as people write them, and as nanoseconds."""

import re
from datetime import UTC, datetime

NS_PER_S = 1_000_000_000
_UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_MAX_DURATION_NS = 3660 * 86_400 * NS_PER_S


def parse_duration(text: str) -> int:
    """Nanoseconds of ``90s``, ``5m``, ``1h30m``, ``2d``; raises ValueError for anything else or above ten years."""
    cleaned = text.strip().lower()
    if not _DURATION.fullmatch(cleaned):
        raise ValueError(f"{text!r} is not a duration; write 90s, 5m, 1h30m or 2d")
    total = round(sum(float(number) * _UNIT_S[unit] * NS_PER_S for number, unit in _PART.findall(cleaned)))
    if total > _MAX_DURATION_NS:
        raise ValueError(f"{text!r} is longer than ten years")
    return total


def format_duration(duration_ns: int) -> str:
    """The shortest exact spelling in d, h, m, s: ``1h30m``, ``90s`` becomes ``1m30s``; parts below 1 ms are dropped."""
    remaining_ms = abs(duration_ns) // 1_000_000
    sign = "-" if duration_ns < 0 and remaining_ms else ""
    parts = []
    for unit, size_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        count, remaining_ms = divmod(remaining_ms, size_ms)
        if count:
            parts.append(f"{count}{unit}")
    if remaining_ms or not parts:
        parts.append(f"{remaining_ms / 1000:g}s")
    return sign + "".join(parts)


def to_iso(instant_ns: int) -> str:
    """ISO-8601 in UTC with milliseconds and a Z."""
    seconds, nanos = divmod(instant_ns, NS_PER_S)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{nanos // 1_000_000:03d}Z"


def from_iso(text: str) -> int:
    """Nanoseconds of an ISO-8601 instant with a zone offset; raises ValueError where the zone is missing."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone; write an offset such as -04:00, or Z")
    return from_datetime(moment)


def from_datetime(moment: datetime) -> int:
    """Nanoseconds of an aware datetime, exact to its microseconds."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * NS_PER_S + delta.microseconds * 1000


def to_datetime(instant_ns: int) -> datetime:
    """An aware UTC datetime, exact to the microsecond."""
    seconds, nanos = divmod(instant_ns, NS_PER_S)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000)
