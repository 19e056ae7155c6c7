"""An instrument: its newest prices, how fresh they are, and what one unit is worth."""

from typing import TYPE_CHECKING, ClassVar

from haltline.clock import NS_PER_S
from haltline.model.account import MarkSource
from haltline.model.event import Quote
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Side
from haltline.model.rule import Scope
from haltline.state import suspicion
from haltline.state.backing import REPEAT_NS
from haltline.state.clockview import ClockView
from haltline.state.entity import MONEY, NAN, Entity, ratio, seconds
from haltline.state.hours import SessionView
from haltline.state.price import ASK, BID, FAR

if TYPE_CHECKING:
    from haltline.state.order import Order
    from haltline.state.portfolio import Portfolio
    from haltline.state.position import Position

TOLERANCE = 0.01
"""By which fraction two observations of a price may differ and still back each other, where nothing else is said."""
_INDEX = {MarkSource.MARK: 0, MarkSource.LAST: 1, MarkSource.MID: 2}


def price_index(mark: MarkSource, side: Side) -> int:
    """Which of `Instrument.prices` values a position: long is a buy."""
    if mark is MarkSource.CLOSE_SIDE:
        return BID if side is Side.BUY else ASK
    return _INDEX[mark]


class Instrument(Entity):
    """One instrument.

    `prices` are [mark, last, mid, bid, ask] after fall-back: mark falls back to last, then mid; last to mark, then
    mid; mid to mark, then last; bid and ask to nothing. A quote that leaves a price out keeps the one before it until
    that is older than `stale_after_ns`. Once stale, all prices are UNKNOWN until the next quote.

    What backs them (`state.backing`): the observation of each sort before the present one (`*_before`; the present one
    was made at `*_told`, and a repeat at once is none), the last prices of another source (`other_prices`), and the
    last fill of ours (`traded`). What speaks against them (`state.suspicion`):
    since when none has moved (`moved_at`), when the quote before the newest one came (`before_at`), and those that
    could not be used.
    """

    __slots__ = (
        "ask", "ask_before", "ask_until", "before_at", "bid", "bid_before", "bid_until", "book_told", "clock",
        "exact_multiplier", "floating", "hours", "last", "last_before", "last_told", "last_until", "late_quotes",
        "mark_before", "mark_told", "mark_until", "mid", "moved_at", "multiplier", "other_at", "other_prices",
        "pending", "portfolio", "positions", "prices", "quoted_at", "quoted_mark", "refused_at", "refused_quotes",
        "refused_reason", "source_name", "spec", "stale", "stale_after_ns", "stale_due", "symbol", "tick_size",
        "tick_value", "tolerance", "traded", "traded_at", "volume_24h", "weight",
    )  # fmt: skip
    scope: ClassVar[Scope] = Scope.INSTRUMENT

    def __init__(
        self,
        spec: InstrumentSpec,
        *,
        hours: SessionView,
        portfolio: "Portfolio",
        clock: ClockView,
        stale_after_ns: int | None,
        tolerance: float = TOLERANCE,
    ) -> None:
        super().__init__(spec.symbol)
        self.symbol: str = spec.symbol
        self.portfolio = portfolio
        self.clock = clock
        self.positions: list[Position] = []
        self.floating: list[Order] = []
        self.bid = self.ask = self.last = self.mid = self.quoted_mark = self.volume_24h = NAN
        self.prices = [NAN] * 5
        self.bid_until = self.ask_until = self.last_until = self.mark_until = 0
        self.bid_before = self.ask_before = self.last_before = self.mark_before = NAN
        self.book_told = self.last_told = self.mark_told = 0
        self.other_prices: list[float] = []
        self.other_at = self.traded_at = 0
        self.traded = NAN
        self.quoted_at = self.before_at = self.moved_at = 0
        self.refused_at = self.refused_quotes = 0
        self.refused_reason = ""
        self.late_quotes = 0
        self.source_name = ""
        self.stale = False
        self.stale_due = FAR
        self.pending = False
        self.adopt(spec, hours=hours, stale_after_ns=stale_after_ns, tolerance=tolerance)

    def adopt(
        self, spec: InstrumentSpec, *, hours: SessionView, stale_after_ns: int | None, tolerance: float = TOLERANCE
    ) -> None:
        """Take over new economics; prices stay."""
        self.spec = spec
        self.hours = hours
        limit = spec.stale_after_ns if spec.stale_after_ns is not None else stale_after_ns
        self.stale_after_ns = FAR if limit is None else limit
        self.exact_multiplier = MONEY.divide(spec.tick_value, spec.tick_size)
        self.multiplier = float(self.exact_multiplier)
        self.tick_size = float(spec.tick_size)
        self.tick_value = float(spec.tick_value)
        self.weight = spec.weight
        self.tolerance = tolerance if spec.tolerance is None else spec.tolerance

    def set_floating(self, order: "Order") -> None:
        """Note whether a quote changes what an order is worth."""
        self.floating = [other for other in self.floating if other is not order]
        if order.floats:
            self.floating.append(order)

    def forget_prices(self) -> None:
        """Make every price UNKNOWN: the newest quote is too old."""
        self.stale = True
        self.bid = self.ask = self.last = self.mid = self.quoted_mark = NAN
        self.bid_until = self.ask_until = self.last_until = self.mark_until = 0
        self.prices[:] = [NAN] * 5

    def take(self, quote: Quote, at: int, *, repeat_ns: int = REPEAT_NS) -> bool:
        """Take over a checked quote that is as of `at`; False where it holds no price, only volume. What is told again
        unchanged within `repeat_ns` is no observation of its own.
        """
        bid, ask, last, mark = quote.bid, quote.ask, quote.last, quote.mark
        if bid is ask is last is mark is None:
            return False
        due = at + self.stale_after_ns
        if quote.source != self.source_name:
            self._change_source(quote.source)
        if bid is None or ask is None:
            bid, ask = self._complete(bid, ask, at, due, repeat_ns)
        else:
            if bid != self.bid or ask != self.ask or at - self.book_told >= repeat_ns:
                self.bid_before = self.bid
                self.ask_before = self.ask
                self.book_told = at
            self.bid_until = self.ask_until = due
        if last is None:
            last = self.last if at < self.last_until else NAN
        else:
            if last != self.last or at - self.last_told >= repeat_ns:
                self.last_before = self.last
                self.last_told = at
            self.last_until = due
        if mark is None:
            mark = self.quoted_mark if at < self.mark_until else NAN
        else:
            if mark != self.quoted_mark or at - self.mark_told >= repeat_ns:
                self.mark_before = self.quoted_mark
                self.mark_told = at
            self.mark_until = due
        self.before_at = self.quoted_at
        self.quoted_at = at
        self.stale_due = due
        self.stale = False
        known = self.prices[0] if bid == self.bid and ask == self.ask else self._unless_moved(bid, ask)
        self.set_prices(bid, ask, last, mark)
        if self.prices[0] != known:
            self.moved_at = self.portfolio.moved_at = at
        return True

    def _unless_moved(self, bid: float, ask: float) -> float:
        """The mark so far, NaN where a side has moved; a side that is not there does not move."""
        moved = (bid == bid and bid != self.bid) or (ask == ask and ask != self.ask)
        return NAN if moved else self.prices[0]

    def _change_source(self, name: str) -> None:
        """Keep what the source before said: it backs what the next one says."""
        if self.quoted_at and not self.stale:
            self.other_prices = self.prices.copy()
            self.other_at = self.quoted_at
        self.source_name = name

    def _complete(self, bid: float | None, ask: float | None, at: int, due: int, repeat_ns: int) -> tuple[float, float]:
        """Keep the side that a quote leaves out, unless it is too old or crosses the newer one."""
        kept_bid = self.bid if at < self.bid_until else NAN
        kept_ask = self.ask if at < self.ask_until else NAN
        if bid is not None:
            if bid != self.bid or at - self.book_told >= repeat_ns:
                self.bid_before = self.bid
                self.book_told = at
            self.bid_until = due
            return bid, NAN if bid > kept_ask else kept_ask
        if ask is not None:
            if ask != self.ask or at - self.book_told >= repeat_ns:
                self.ask_before = self.ask
                self.book_told = at
            self.ask_until = due
            return NAN if kept_bid > ask else kept_bid, ask
        return kept_bid, kept_ask

    def set_prices(self, bid: float, ask: float, last: float, mark: float) -> None:
        """Store the newest prices (NaN for missing) and derive the valuation prices from them."""
        self.bid = bid
        self.ask = ask
        self.last = last
        self.quoted_mark = mark
        self.mid = mid = (bid + ask) * 0.5
        has_last = last == last
        has_mark = mark == mark
        has_mid = mid == mid
        prices = self.prices
        prices[0] = mark if has_mark else last if has_last else mid
        prices[1] = last if has_last else mark if has_mark else mid
        prices[2] = mid if has_mid else mark if has_mark else last
        prices[3] = bid
        prices[4] = ask

    @property
    def mark(self) -> float:
        """The newest mark, else last, else mid."""
        return self.prices[0]

    @property
    def spread(self) -> float:
        """Ask minus bid."""
        return self.ask - self.bid

    @property
    def spread_bps(self) -> float:
        """Spread in hundredths of a percent of the mid."""
        return ratio((self.ask - self.bid) * 10_000.0, self.mid)

    @property
    def spread_ticks(self) -> float:
        """Spread in ticks."""
        return (self.ask - self.bid) / self.tick_size

    @property
    def age(self) -> float:
        """Seconds since the newest quote; NaN before the first."""
        return (self.clock.now_ns - self.quoted_at) / NS_PER_S if self.quoted_at else NAN

    @property
    def suspect_reason(self) -> str:
        """What speaks against its prices."""
        return suspicion.reason(self)

    @property
    def jump(self) -> float:
        """By which fraction the newest price differs from the one before."""
        return suspicion.jump(self)

    @property
    def gap(self) -> float:
        """Seconds between the two newest quotes."""
        return suspicion.gap(self)

    @property
    def lag(self) -> float:
        """Seconds by which its last move lies behind that of others."""
        return suspicion.lag(self)

    @property
    def still_since(self) -> float:
        """Seconds since the epoch since which no price has moved."""
        return suspicion.still_since(self)

    @property
    def was_refused(self) -> bool:
        """Whether the newest word on its price could not be used."""
        return self.refused_at > self.quoted_at

    @property
    def session_open(self) -> bool:
        """Whether the market trades now."""
        return self.hours.open

    @property
    def expiry(self) -> float:
        """Seconds since the epoch of the expiry; NaN where there is none."""
        return seconds(self.spec.expiry)

    @property
    def strike(self) -> float:
        """Strike price of an option."""
        return NAN if self.spec.strike is None else self.spec.strike

    @property
    def underlying(self) -> str:
        """What it is derived from; its own symbol where nothing is named."""
        return self.spec.underlying or self.symbol

    def as_of(self, attribute: str) -> int | None:
        """Prices are as of their quote, everything else is always current."""
        return (self.quoted_at or None) if attribute in PRICED else None

    def source(self, attribute: str) -> str:
        """The feed's own name for prices."""
        feed = f" of {self.source_name}" if self.source_name else ""
        return f"quote{feed} for {self.symbol}" if attribute in PRICED else f"instrument {self.symbol}"

    def unknown_reason(self, attribute: str) -> str:
        """Why a price is missing."""
        return self.price_reason(attribute) if attribute in PRICED else ""

    def price_reason(self, attribute: str = "mark") -> str:
        """Why prices are UNKNOWN: never quoted, stale, or left out by the feed; empty where the mark is known."""
        if not self.quoted_at:
            return f"{self.symbol}: no quote yet"
        if self.stale:
            age_s = (self.clock.now_ns - self.quoted_at) / NS_PER_S
            return f"{self.symbol}: last quote is {age_s:.6g} s old, limit {self.stale_after_ns / NS_PER_S:.6g} s"
        value = getattr(self, attribute, NAN)
        return "" if value == value else f"{self.symbol}: the feed gives no {attribute.partition('_')[0]}"


PRICED = frozenset({"bid", "ask", "last", "mark", "mid", "spread", "spread_bps", "spread_ticks", "age", "volume_24h"})
"""Attributes that come from quotes."""
