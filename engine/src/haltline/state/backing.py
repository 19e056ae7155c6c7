"""Is a price backed by a second observation? Two that agree are believed, one that jumps is not.

A price is backed by the observation of the same sort before it, by the last word of another source, or by a fill of
ours, if they differ by no more than the instrument's tolerance (or two ticks). What has gone stale backs nothing, and
where the newest quote could not be used, nothing is backed until a good one comes. The very same price again at once,
with nothing traded in between, is the same observation told twice: streams repeat messages, and many carry no time by
which a repeat is known. The answer depends on observations alone, never on how late it is asked for.
"""

from typing import TYPE_CHECKING

from haltline.clock import NS_PER_S
from haltline.state.price import ASK, BID, FAR, LAST, MARK, MID

if TYPE_CHECKING:
    from haltline.state.instrument import Instrument

REPEAT_NS = NS_PER_S // 10
"""A price that is told again unchanged within this time is no second observation."""
RECENT_NS = 60 * NS_PER_S
"""How old another witness may be where no price ever goes stale."""


def is_backed(instrument: "Instrument", index: int) -> bool:
    """Whether a second observation agrees with one of `Instrument.prices`; an UNKNOWN price needs none."""
    price = instrument.prices[index]
    if price != price:
        return True
    if instrument.was_refused:
        return False
    if _agree(instrument, price, before(instrument, index)):
        return True
    oldest = instrument.quoted_at - (RECENT_NS if instrument.stale_after_ns >= FAR else instrument.stale_after_ns)
    others = instrument.other_prices if instrument.other_at >= oldest else ()
    if others and _agree(instrument, price, others[index]):
        return True
    return instrument.traded_at >= oldest and _agree(instrument, price, instrument.traded)


def observed_at(instrument: "Instrument", index: int) -> int:
    """When one of `Instrument.prices` was last observed; 0 for one that is UNKNOWN."""
    price = instrument.prices[index]
    if price != price:
        return 0
    sort = _sort(instrument, index)
    until = {
        MARK: instrument.mark_until,
        LAST: instrument.last_until,
        MID: max(instrument.bid_until, instrument.ask_until),
        BID: instrument.bid_until,
        ASK: instrument.ask_until,
    }[sort]
    return min(instrument.quoted_at, until - instrument.stale_after_ns)


def _agree(instrument: "Instrument", price: float, other: float) -> bool:
    """False where the other is UNKNOWN."""
    return abs(price - other) <= max(instrument.tolerance * abs(other), 2 * instrument.tick_size)


def _sort(instrument: "Instrument", index: int) -> int:
    """Which observation a price stands for, after fall-back."""
    if index in (BID, ASK):
        return index
    has_mark = instrument.quoted_mark == instrument.quoted_mark
    has_last = instrument.last == instrument.last
    has_mid = instrument.mid == instrument.mid
    known = {MARK: has_mark, LAST: has_last, MID: has_mid}
    order = {MARK: (MARK, LAST, MID), LAST: (LAST, MARK, MID), MID: (MID, MARK, LAST)}[index]
    return next(sort for sort in order if known[sort])


def before(instrument: "Instrument", index: int) -> float:
    """The observation before the present one."""
    sort = _sort(instrument, index)
    if sort == MID:
        return (instrument.bid_before + instrument.ask_before) * 0.5
    return {
        MARK: instrument.mark_before,
        LAST: instrument.last_before,
        BID: instrument.bid_before,
        ASK: instrument.ask_before,
    }[sort]
