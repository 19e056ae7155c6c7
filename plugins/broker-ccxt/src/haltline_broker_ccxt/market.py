"""The names of instruments: ours (``BTCUSDT``), ccxt's (``BTC/USDT:USDT``) and the venue's own.

In hedge mode a venue holds two positions in one market at a time, one of them long and one of them short. They are two
positions here as well, with names of their own: ``BTCUSDT:LONG`` and ``BTCUSDT:SHORT``. Added up they would lie.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from haltline.errors import Refused
from haltline.model.id import Symbol
from haltline.model.instrument import AssetClass, InstrumentSpec
from haltline_broker_ccxt.row import Row, above_zero, child, maybe, row, text


class Leg(StrEnum):
    """Which of the positions a market has: the only one, or one side of a hedge."""

    ONE = ""
    LONG = "LONG"
    SHORT = "SHORT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One market of a venue. `ccxt` is its name there, `venue_id` the venue's own.

    `contract_size` is how much of the base one unit of quantity is.
    """

    name: Symbol
    ccxt: str
    venue_id: str
    tick: Decimal | None
    lot: Decimal | None
    contract_size: Decimal
    settle: str
    asset_class: AssetClass
    expiry: int | None = None


class Markets:
    """The markets of one venue, by every name they have."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self._by_name: dict[str, Market] = {}
        self._by_venue_id: dict[str, Market] = {}
        for market in markets:
            self._by_name.setdefault(market.name, market)
            self._by_venue_id.setdefault(market.venue_id, market)

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Market]:
        return iter(self._by_name.values())

    def find(self, symbol: str) -> tuple[Market, Leg]:
        """The market a symbol of ours names, and the side of it; raises Refused for one the venue does not have."""
        market = self._by_name.get(symbol)
        if market is not None:
            return market, Leg.ONE
        name, _, side = symbol.rpartition(":")
        market = self._by_name.get(name)
        if market is None or side not in (Leg.LONG, Leg.SHORT):
            raise Refused(f"the venue has no market that is called {symbol!r} here; name it under symbols:")
        return market, Leg(side)

    def get(self, symbol: str) -> Market | None:
        """The market a symbol of ours names, or None."""
        try:
            return self.find(symbol)[0]
        except Refused:
            return None

    def of_venue(self, venue_id: str) -> Market | None:
        """The market under the venue's own name."""
        return self._by_venue_id.get(venue_id)

    def name_of(self, venue_id: str, leg: Leg = Leg.ONE) -> Symbol:
        """Our name of what the venue speaks of; its own where the market is not known (yet)."""
        market = self._by_venue_id.get(venue_id)
        return with_leg(market.name if market is not None else Symbol(venue_id), leg)


def with_leg(name: Symbol, leg: Leg) -> Symbol:
    """The name of one side."""
    return Symbol(f"{name}:{leg.value}") if leg is not Leg.ONE else name


def leg_of(symbol: str) -> Leg:
    """Which side a symbol of ours names."""
    side = symbol.rpartition(":")[2]
    return Leg(side) if ":" in symbol and side in (Leg.LONG, Leg.SHORT) else Leg.ONE


def read_markets(raw: Mapping[str, object], names: Mapping[str, str], *, wants: frozenset[str]) -> Markets:
    """What ccxt has loaded. `names` is ours to ccxt's, where set up; `wants` holds the types that are guarded.

    What is settled in its own base (inverse) is left out: its profit is no multiple of a price.
    """
    ours = {there: name for name, there in names.items()}
    found = []
    for each in raw.values():
        market = row(each)
        is_open = market.get("active") is not False and not market.get("inverse") and not market.get("option")
        if text(market, "type") in wants and (is_open or text(market, "symbol") in ours):
            found.append(_read(market, ours))
    return Markets(found)


def _read(market: Row, ours: Mapping[str, str]) -> Market:
    precision, info = child(market, "precision"), market.get("info")
    expiry = maybe(market, "expiry")
    ccxt = text(market, "symbol")
    is_swap, is_spot = bool(market.get("swap")), bool(market.get("spot"))
    return Market(
        name=Symbol(ours.get(ccxt) or _name(market)),
        ccxt=ccxt,
        venue_id=text(market, "id") if not isinstance(info, Mapping) or not text(info, "name") else text(info, "name"),
        tick=above_zero(precision, "price"),
        lot=above_zero(precision, "amount"),
        contract_size=above_zero(market, "contractSize") or Decimal(1),
        settle=text(market, "settle", "quote"),
        asset_class=AssetClass.SPOT if is_spot else AssetClass.PERPETUAL if is_swap else AssetClass.FUTURE,
        expiry=int(expiry) * 1_000_000 if expiry is not None else None,
    )


def _name(market: Row) -> str:
    """``BTCUSDT``, or ``BTCUSDT-261225`` for what expires."""
    name = (text(market, "base") + text(market, "quote")).replace("/", "").replace(":", "")
    expiry = maybe(market, "expiry")
    if expiry is None:
        return name
    return f"{name}-{datetime.fromtimestamp(int(expiry) / 1000, UTC):%y%m%d}"


def spec_of(
    market: Market, leg: Leg, set_up: InstrumentSpec | None, *, stale_after_ns: int | None = None
) -> InstrumentSpec:
    """The economics of a market: what the venue says of tick, lot and size, over whatever else was set up."""
    name = with_leg(market.name, leg)
    base = set_up or InstrumentSpec(symbol=name)
    tick = market.tick or base.tick_size
    return msgspec.structs.replace(
        base,
        symbol=name,
        tick_size=tick,
        tick_value=tick * market.contract_size,
        lot_size=market.lot or base.lot_size,
        currency=market.settle or base.currency,
        asset_class=market.asset_class,
        underlying=base.underlying or (market.name if leg is not Leg.ONE else ""),
        aliases=() if leg is not Leg.ONE else base.aliases,
        stale_after_ns=base.stale_after_ns if base.stale_after_ns is not None else stale_after_ns,
        expiry=base.expiry if base.expiry is not None else market.expiry,
    )
