"""What speaks against an instrument's prices: refused quotes, jumps that nothing backs, and silence while others move.

Glossary. *Refused*: a quote of zero, crossed or beyond all measure; it changes no price, but after it the feed is not
believed until a good one comes. *Jump*: a price that no second observation backs (`state.backing`). *Lag*: how far the
last move of an instrument lies behind the last move of any other; a feed that is connected and frozen lags.
"""

from typing import TYPE_CHECKING

from haltline.clock import NS_PER_S
from haltline.state.backing import before, is_backed
from haltline.state.entity import NAN
from haltline.state.price import MARK

if TYPE_CHECKING:
    from haltline.state.instrument import Instrument


def note_refused(instrument: "Instrument", at: int, reason: str) -> None:
    """A quote could not be used. `at` is when it was made (UTC ns)."""
    instrument.refused_quotes += 1
    if at >= instrument.refused_at:
        instrument.refused_at = at
        instrument.refused_reason = reason


def reason(instrument: "Instrument") -> str:
    """Why its prices are not to be believed as they are; empty where nothing speaks against them."""
    if instrument.was_refused:
        return f"{instrument.symbol}: the newest quote could not be used: {instrument.refused_reason}"
    if is_backed(instrument, MARK):
        return ""
    return f"{instrument.symbol}: {instrument.mark:g} follows {before(instrument, MARK):g}, and nothing else shows it"


def jump(instrument: "Instrument") -> float:
    """By which fraction the newest observation differs from the one before it; NaN where there is none."""
    if instrument.mark != instrument.mark:
        return NAN
    known = before(instrument, MARK)
    return abs(instrument.mark - known) / known if known > 0.0 else NAN


def gap(instrument: "Instrument") -> float:
    """Seconds between the newest quote and the one before; NaN before the second."""
    return (instrument.quoted_at - instrument.before_at) / NS_PER_S if instrument.before_at else NAN


def lag(instrument: "Instrument") -> float:
    """Seconds between its last move and the last move of any instrument, of those in which its market was open; NaN
    before its first."""
    if not instrument.moved_at:
        return NAN
    if not instrument.hours.open:
        return 0.0
    behind = instrument.portfolio.moved_at - max(instrument.moved_at, instrument.hours.opened_ns)
    return max(0.0, behind / NS_PER_S)


def still_since(instrument: "Instrument") -> float:
    """Seconds since the epoch of its last move, or of its opening where that is later; NaN before its first move."""
    return max(instrument.moved_at, instrument.hours.opened_ns) / NS_PER_S if instrument.moved_at else NAN
