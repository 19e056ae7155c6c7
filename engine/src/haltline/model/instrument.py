"""What an instrument is worth per unit of price."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from haltline.model.id import Symbol


class AssetClass(StrEnum):
    """The kind of instrument."""

    FUTURE = "future"
    PERPETUAL = "perpetual"
    SPOT = "spot"
    EQUITY = "equity"
    OPTION = "option"
    FX = "fx"


class InstrumentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The economics of one instrument.

    Money per price unit and quantity unit is `tick_value / tick_size` and nothing else (S0-30): MNQ has
    ``tick_size 0.25, tick_value 0.50``, so one point of one lot is 2 USD. `calendar` names an exchange
    calendar. `initial_margin` is money per unit; `margin_fraction` is used where it is None. `tolerance` is the
    fraction by which two observations of its price may differ and still back each other; None is the set-up's.
    """

    symbol: Symbol
    tick_size: Decimal = Decimal("0.01")
    tick_value: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal(1)
    currency: str = "USD"
    asset_class: AssetClass = AssetClass.EQUITY
    calendar: str = "24/7"
    underlying: str = ""
    aliases: tuple[str, ...] = ()
    weight: float = 1.0
    initial_margin: Decimal | None = None
    margin_fraction: Decimal | None = None
    stale_after_ns: int | None = None
    expiry: int | None = None
    strike: float | None = None
    right: str = ""
    tolerance: float | None = None

    @property
    def multiplier(self) -> Decimal:
        """Money per unit of price and unit of quantity."""
        return self.tick_value / self.tick_size
