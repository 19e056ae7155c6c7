"""The engine's ids of orders in the form each venue takes, and back again."""

import hashlib
import re
from collections.abc import Callable

_OURS = re.compile(r"hl-([0-9a-f]{24})")
_MARK = "68616c74"
"""The letters ``halt``, so that a number on Hyperliquid is known as one of ours."""
_MOST = 10_000


class ClientIds:
    """Both directions. What a venue takes stays as it is; else an id is made from it, and remembered to be told back.

    The same id of ours always becomes the same id of the venue.
    """

    def __init__(self, shape: "Shape") -> None:
        self._shape = shape
        self._ours: dict[str, str] = {}

    def to_venue(self, ours: str) -> str:
        """What an order is sent under; empty stays empty."""
        if not ours:
            return ""
        there = self._shape(ours)
        if there != ours:
            self._ours[there] = ours
            if len(self._ours) > _MOST:
                del self._ours[next(iter(self._ours))]
        return there

    def to_ours(self, there: str) -> str:
        """The id we know an order of the venue by."""
        known = self._ours.get(there)
        if known is not None:
            return known
        if there.startswith("0x" + _MARK) and len(there) == 34:
            return "hl-" + there[len(_MARK) + 2 :]
        return there


type Shape = Callable[[str], str]
"""Makes a venue's id of one of ours."""


def _digest(ours: str, length: int) -> str:
    return hashlib.sha256(ours.encode()).hexdigest()[:length]


def for_bybit(ours: str) -> str:
    """At most 36 letters, digits, dashes and underscores."""
    return ours if re.fullmatch(r"[A-Za-z0-9_-]{1,36}", ours) else f"hx-{_digest(ours, 32)}"


def for_binance(ours: str) -> str:
    """At most 36 letters, digits and ``. : / _ -``."""
    return ours if re.fullmatch(r"[.A-Za-z:/0-9_-]{1,36}", ours) else f"hx-{_digest(ours, 32)}"


def for_hyperliquid(ours: str) -> str:
    """``0x`` and 32 hexadecimal digits."""
    known = _OURS.fullmatch(ours)
    if known is not None:
        return f"0x{_MARK}{known.group(1)}"
    return ours if re.fullmatch(r"0x[0-9a-f]{32}", ours) else f"0x{_digest(ours, 32)}"


def as_it_is(ours: str) -> str:
    """Nothing is known of the venue."""
    return ours
