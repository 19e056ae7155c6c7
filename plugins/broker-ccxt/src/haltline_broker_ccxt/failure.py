"""What a failed call means: it did not happen, it was refused, or nobody knows. The venue's own code decides.

The class of a ccxt exception is not enough: an answer cut off on its way is an ``ExchangeError`` there, like a refusal;
and which class a code of Binance gets depends on the URL.
"""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import ccxt  # type: ignore[import-untyped]  # ccxt has no stubs

from haltline.errors import EngineError, OutcomeUnknown, Refused, SessionClosed, Transient

_LONGEST = 200
_LOCAL = (
    ccxt.ArgumentsRequired, ccxt.BadRequest, ccxt.InvalidOrder, ccxt.InsufficientFunds, ccxt.AuthenticationError,
    ccxt.NotSupported, ccxt.InvalidAddress, ccxt.OperationRejected,
)  # fmt: skip
"""Refusals of a venue or of ccxt itself that are refusals whatever the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """How a venue tells why it refuses: the pattern of code and reason in its answer, and codes that are no refusal.

    `doubtful`: it may have acted all the same. `throttled`: too many calls. `clock`: our time is not its own.
    `closed`: its market is closed. `gone`: the order does not work any more. `repeated`: the client id was used before.
    """

    pattern: re.Pattern[str]
    doubtful: frozenset[str] = frozenset()
    throttled: frozenset[str] = frozenset()
    clock: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()

    def find(self, said: str) -> tuple[str, str]:
        """Code and reason in a venue's answer; empty where it holds none."""
        found = self.pattern.search(said)
        if found is None:
            return "", ""
        groups = found.groupdict()
        return groups.get("code") or groups.get("reason") or "", groups.get("reason") or ""

    def is_one(self, code: str, known: frozenset[str]) -> bool:
        """Whether a code is one of those known; a venue without numbers is known by how its reason begins."""
        return code in known or any(mark in code for mark in known if not mark.lstrip("-").isdigit())


class ClockApart(Transient):
    """The venue refused a call because our clock is not its own; nothing was done."""


class Gone(Refused):
    """The order named does not work (any more)."""


class Repeated(Refused):
    """An order under this client id was sent before."""


def judge(failure: Exception, *, venue: str, codes: Codes, mutates: bool, wait_s: Callable[[], float]) -> EngineError:
    """The engine's exception for one of ccxt. `wait_s` says how long a throttled caller is to stay away."""
    said = str(failure)
    code, reason = codes.find(said)
    told = f"{venue}: {_plain(failure)}"
    if code:
        told = f"{venue} refused: {reason or code}" + (f" ({code})" if reason not in ("", code) else "")
    if _never_left(failure):
        return Transient(f"{venue} cannot be reached")
    if isinstance(failure, ccxt.DDoSProtection | ccxt.RateLimitExceeded) or codes.is_one(code, codes.throttled):
        return Transient(f"{venue} wants fewer calls ({code or type(failure).__name__})", retry_after_s=wait_s())
    if isinstance(failure, ccxt.InvalidNonce) or codes.is_one(code, codes.clock):
        return ClockApart(f"our clock and that of {venue} are apart ({code or 'no code'})")
    if isinstance(failure, ccxt.OperationFailed) or codes.is_one(code, codes.doubtful) or _is_cut_off(failure, code):
        return OutcomeUnknown(told) if mutates else Transient(told)
    kinds: tuple[tuple[frozenset[str], type[Exception], type[Refused]], ...] = (
        (codes.gone, ccxt.OrderNotFound, Gone),
        (codes.repeated, ccxt.DuplicateOrderId, Repeated),
        (codes.closed, ccxt.MarketClosed, SessionClosed),
    )
    for known, theirs, kind in kinds:
        if codes.is_one(code, known) or isinstance(failure, theirs):
            return kind(told)
    return Refused(told)


def _never_left(failure: BaseException) -> bool:
    cause = failure.__cause__
    return isinstance(cause, aiohttp.ClientConnectorError | socket.gaierror)


def _is_cut_off(failure: Exception, code: str) -> bool:
    """Whether an answer came that is none of the venue's own: half of it, a proxy's page, nothing."""
    if code:
        return False
    return isinstance(failure.__cause__, aiohttp.ClientError) or not isinstance(failure, _LOCAL)


def _plain(failure: Exception) -> str:
    """A failure without what must not be told: signatures are part of addresses."""
    said = re.sub(r"\?\S+", "?...", " ".join(str(failure).split()))
    return f"{type(failure).__name__} {said}"[:_LONGEST]
