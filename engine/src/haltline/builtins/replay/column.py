"""Which column is which, and times and numbers out of whatever they are written as; whole columns at once."""

from collections.abc import Mapping
from typing import Any

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "timestamp", "timestamp_utc", "date", "datetime", "ts", "t", "open_time", "index", ""),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "symbol": ("symbol", "ticker", "instrument", "market", "contract"),
    "price": ("price", "last", "trade_price", "px", "p"),
    "bid": ("bid", "bid_price", "bidprice", "best_bid"),
    "ask": ("ask", "ask_price", "askprice", "best_ask", "offer"),
    "account": ("account", "account_id"),
    "side": ("side", "direction", "action"),
    "quantity": ("quantity", "qty", "size", "amount", "volume", "sz"),
    "fee": ("fee", "fees", "commission"),
    "pnl": ("pnl", "realized_pnl", "profit"),
    "id": ("id", "fill_id", "exec_id", "trade_id", "tid"),
}
_NS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def find(names: list[str], stated: Mapping[str, str]) -> dict[str, str]:
    """The file's column for each meaning that has one: as stated, else the first that goes by a usual name."""
    lower = {name.strip().lower(): name for name in reversed(names)}
    found = {}
    for meaning, aliases in _ALIASES.items():
        known = stated[meaning] if meaning in stated else next((lower[a] for a in aliases if a in lower), None)
        if known is not None and known in names:
            found[meaning] = known
    return found


def numbers(column: Any) -> Any:
    """A column as float64; what is no number becomes NaN."""
    import numpy as np  # noqa: PLC0415 - heavy, and only recordings need it
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    try:
        plain = column.cast(pa.float64())
    except pa.ArrowInvalid:
        return np.array([_number(cell) for cell in column.to_pylist()], dtype="float64")
    return plain.to_numpy(zero_copy_only=False)


def _number(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return float("nan")


def instants(column: Any, time_format: str) -> Any:
    """A column of times as int64 UTC nanoseconds; -1 for what is no time. Times without a zone are UTC.

    Numbers count from the epoch, in seconds, ms, us or ns, whichever puts the first of them between 1973 and 5138.
    """
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _from_text(column, time_format)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ns"))
    if pa.types.is_timestamp(column.type):
        whole = pc.cast(column, pa.timestamp("ns", column.type.tz)).cast(pa.int64())
        return pc.fill_null(whole, -1).to_numpy(zero_copy_only=False)
    return _from_epoch(column)


def _from_epoch(column: Any) -> Any:
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    values = numbers(column)
    known = values[np.isfinite(values)]
    factor = _NS_PER[_unit(float(known[0]))] if len(known) else 1
    if pa.types.is_integer(column.type):
        return pc.fill_null(column.cast(pa.int64()), -1).to_numpy(zero_copy_only=False) * factor
    whole = np.floor(values)
    ok = np.isfinite(values) & (values > 0)
    whole = np.where(ok, whole, 0)
    rest = np.where(ok, values - whole, 0)
    return np.where(ok, whole.astype("int64") * factor + np.round(rest * factor).astype("int64"), -1)


def _unit(first: float) -> str:
    return "s" if first < 1e11 else "ms" if first < 1e14 else "us" if first < 1e17 else "ns"


def _from_text(column: Any, time_format: str) -> Any:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if time_format:
        stamps = pc.strptime(column, format=time_format, unit="us", error_is_null=True)
        return pc.fill_null(stamps.cast(pa.timestamp("ns")).cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    for target in (pa.int64(), pa.float64(), pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            found = column.cast(target)
        except pa.ArrowInvalid:
            continue
        return instants(found, "")
    return _one_by_one(column)


def _one_by_one(column: Any) -> Any:
    """The slow way, for a batch in which some cells are no times."""
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    found = []
    for cell in column:
        parsed = -1
        for target in (pa.int64(), pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
            try:
                parsed = int(instants(pa.array([cell.as_py()], pa.string()).cast(target), "")[0])
                break
            except pa.ArrowInvalid:
                continue
        found.append(parsed)
    return np.array(found, dtype="int64")
