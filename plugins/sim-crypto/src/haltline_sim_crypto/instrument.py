"""What can be traded, and the same three contracts on each venue for a start."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A linear perpetual contract; quantities are in the base currency."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    most: Decimal
    least_value: Decimal = Decimal(5)
    most_leverage: int = 100
    maintenance: Decimal = Decimal("0.005")
    """Maintenance margin as a part of the position's value."""

    @property
    def places(self) -> int:
        """Digits after the point of a quantity."""
        return max(0, -int(self.step.normalize().as_tuple().exponent))

    @property
    def price_places(self) -> int:
        """Digits after the point of a price."""
        return max(0, -int(self.tick.normalize().as_tuple().exponent))


def contracts(*, quote: str, suffix: str) -> tuple[Instrument, ...]:
    """Bitcoin, ether and sol; the symbol is the coin and the suffix."""
    return tuple(
        Instrument(
            symbol=base + suffix, base=base, quote=quote, tick=Decimal(tick), step=Decimal(step), most=Decimal(most),
            most_leverage=leverage,
        )
        for base, tick, step, most, leverage in (
            ("BTC", "0.1", "0.001", "500", 100),
            ("ETH", "0.01", "0.01", "5000", 100),
            ("SOL", "0.01", "0.1", "50000", 50),
        )
    )  # fmt: skip


FIRST_PRICES = {"BTC": Decimal(60_000), "ETH": Decimal(3_000), "SOL": Decimal(150)}
