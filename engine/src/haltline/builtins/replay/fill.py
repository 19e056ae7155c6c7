"""Fill logs to fills, with the decimals as they were written."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from haltline.builtins.replay.column import instants
from haltline.builtins.replay.guard import RowGuard
from haltline.model.event import Fill
from haltline.model.id import AccountId, FillId, Symbol
from haltline.model.order import Side

_SIDES = {
    **dict.fromkeys(("buy", "b", "bot", "bought", "long", "bid"), Side.BUY),
    **dict.fromkeys(("sell", "s", "sld", "sold", "short", "ask", "a"), Side.SELL),
}


class FillReader:
    """Rows of one fill log to fills. Without a column `side` the sign of the quantity tells it; ids default to rows."""

    events_per_row = 1

    def __init__(self, columns: dict[str, str], *, symbol: str, account: str, name: str) -> None:
        self._columns = columns
        self._symbol = symbol
        self._account = account
        self._name = name
        self._row = 0

    def events(self, batches: Iterator[Any], guard: RowGuard, time_format: str) -> Iterator[Fill]:
        """Fills in order of time."""
        self._row = 0
        for batch in batches:
            times = instants(batch.column(self._columns["time"]), time_format)
            yield from self._fills(batch, times, guard)

    def _fills(self, batch: Any, times: Any, guard: RowGuard) -> Iterator[Fill]:
        import numpy as np  # noqa: PLC0415 - heavy, and only recordings need it

        cells = {
            meaning: batch.column(name).to_pylist() for meaning, name in self._columns.items() if meaning != "time"
        }
        parsed: list[Fill | str] = []
        for index, at in enumerate(times.tolist()):
            self._row += 1
            parsed.append(self._parse({meaning: column[index] for meaning, column in cells.items()}, at))
        is_bad = np.array([isinstance(item, str) for item in parsed], dtype=bool)
        kept = guard.sieve(times, is_bad, lambda index: str(parsed[index]), is_strict=False)
        for index in kept.tolist():
            fill = parsed[index]
            if isinstance(fill, Fill):
                yield fill

    def _parse(self, cells: dict[str, object], at: int) -> Fill | str:
        """A fill, or what is wrong with the row."""
        signed, price = _decimal(cells.get("quantity")), _decimal(cells.get("price"))
        if not signed:
            return "quantity is not a number other than 0"
        if price is None or price <= 0:
            return "price is not a number above 0"
        side = _SIDES.get(str(cells["side"]).strip().lower()) if "side" in cells else None
        if "side" in cells and (side is None or signed < 0):
            return "side is not buy or sell" if side is None else "quantity is below 0 although there is a side"
        fee, identity = _decimal(cells.get("fee")), cells.get("id")
        return Fill(
            at=at,
            received_at=at,
            account=AccountId(str(cells.get("account", self._account))),
            symbol=Symbol(str(cells.get("symbol", self._symbol))),
            fill_id=FillId(str(identity) if identity is not None else f"{self._name}-{self._row}"),
            side=side or (Side.BUY if signed > 0 else Side.SELL),
            quantity=abs(signed),
            price=price,
            fee=abs(fee) if fee is not None else Decimal(0),
            pnl=_decimal(cells.get("pnl")),
        )


def _decimal(cell: object) -> Decimal | None:
    if cell is None or cell == "":
        return None
    try:
        number = Decimal(str(cell).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
