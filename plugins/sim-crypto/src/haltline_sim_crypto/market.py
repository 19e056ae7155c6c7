"""The price of one contract, scripted."""

from dataclasses import dataclass
from decimal import Decimal

from haltline_sim_crypto.instrument import Instrument
from haltline_sim_crypto.number import ZERO


@dataclass(slots=True, kw_only=True)
class Market:
    """Last and mark price, a spread, and how much stands at each side of it (None: enough for everybody)."""

    instrument: Instrument
    last: Decimal
    mark: Decimal
    opened: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal = ZERO
    spread: Decimal = ZERO
    depth: Decimal | None = None
    taken: Decimal = ZERO
    """How much of the depth is gone; the next price brings it back."""
    before: tuple[Decimal, Decimal] = (ZERO, ZERO)
    """Bid and ask before the last move."""
    funding_rate: Decimal = Decimal("0.0001")
    moves: int = 0

    @property
    def bid(self) -> Decimal:
        """What a seller gets."""
        return self.last - self._half

    @property
    def ask(self) -> Decimal:
        """What a buyer pays."""
        return self.last + self._half

    @property
    def _half(self) -> Decimal:
        return self.spread / 2 if self.spread else self.instrument.tick

    def move(self, last: Decimal, mark: Decimal | None) -> None:
        """The next price; the mark price follows it unless it is given."""
        self.before, self.taken = (self.bid, self.ask), ZERO
        self.last, self.mark = last, last if mark is None else mark
        self.high, self.low = max(self.high, last), min(self.low, last)
        self.moves += 1


def market_of(instrument: Instrument, price: Decimal) -> Market:
    """A market that has traded at one price so far."""
    return Market(instrument=instrument, last=price, mark=price, opened=price, high=price, low=price)
