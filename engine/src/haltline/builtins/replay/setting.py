"""The `config` section of a feed of kind `replay`."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class BarPath(StrEnum):
    """In which order the prices of a bar are visited.

    `ohlc` and `olhc` visit each once. `close` gives one quote a bar. `pessimistic` visits the side that hurts both
    before and after the other one, so that neither a stop nor a fall from the peak is missed: O-L-H-L-C for a long book
    (`side`), O-H-L-H-C for a short one.
    """

    PESSIMISTIC = "pessimistic"
    OHLC = "ohlc"
    OLHC = "olhc"
    CLOSE = "close"


class BadRows(StrEnum):
    """What to do with a row that cannot be used."""

    ERROR = "error"
    SKIP = "skip"


class FileSetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file. What it holds (`kind`), its time unit and its columns are found out where they are not stated."""

    file: str
    kind: str = ""
    symbol: str = ""
    account: str = ""
    interval: str = ""
    time_format: str = ""
    columns: dict[str, str] = {}


class ReplaySetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files to be merged in order of time, and how their rows are read."""

    files: tuple[FileSetting, ...]
    path: BarPath = BarPath.PESSIMISTIC
    side: str = "long"
    bad_rows: BadRows = BadRows.ERROR


_TEXT: dict[str, object] = {"type": "string"}

SCHEMA: Mapping[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["files"],
    "properties": {
        "files": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "minLength": 1, "description": "CSV (also .gz), Parquet or Feather"},
                    "kind": {
                        "enum": ["bars", "ticks", "fills"],
                        "description": "found out from the columns if left out",
                    },
                    "symbol": _TEXT | {"description": "the instrument, where the file has no symbol column"},
                    "account": _TEXT | {"description": "the account of fills, where the file has no account column"},
                    "interval": _TEXT | {"description": "length of a bar: 1m; found out if left out"},
                    "time_format": _TEXT
                    | {"description": "strptime format of times that are not ISO or epoch numbers"},
                    "columns": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                        "description": "names of columns where they differ: {time: date, close: settle}",
                    },
                },
            },
        },
        "path": {"enum": [str(path) for path in BarPath], "description": "order in which a bar's prices are visited"},
        "side": {"enum": ["long", "short"], "description": "whose pessimism: that of a long or of a short book"},
        "bad_rows": {"enum": [str(choice) for choice in BadRows], "description": "refuse the file, or skip and count"},
    },
}
