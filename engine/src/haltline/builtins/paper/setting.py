"""How the simulated exchange behaves: the `config` section of a broker of kind `paper`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

_MONEY: dict[str, object] = {"type": "number", "minimum": 0}
_POSITIVE: dict[str, object] = {"type": "number", "exclusiveMinimum": 0}

SCHEMA: Mapping[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "taker_fee": _MONEY | {"description": "fee of an order that takes, as a fraction of notional"},
        "maker_fee": _MONEY | {"description": "fee of an order that waited, as a fraction of notional"},
        "fee_per_unit": _MONEY | {"description": "fee per contract or unit, in money"},
        "slippage_ticks": _MONEY | {"description": "how many ticks worse market and stop orders fill"},
        "latency_ms": {"type": "integer", "minimum": 0, "description": "delay before an order reaches the market"},
        "max_fill": _POSITIVE | {"description": "the most one order fills per quote"},
        "fill_fraction": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "description": "the part of what is left of an order that one quote fills, rounded up to the lot",
        },
        "leverage": _POSITIVE | {"description": "margin is notional / leverage where an instrument states none"},
        "check_margin": {"type": "boolean", "description": "refuse orders that the margin does not cover"},
        "unquoted": {
            "enum": ["queue", "reject"],
            "description": "what becomes of a market order while there is no quote",
        },
    },
}


class PaperSetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fees, slippage, latency, depth and margin. The default is a free, instant, infinitely deep market.

    Fees are fractions of notional (`taker_fee`, `maker_fee`) plus money per unit. With neither margin on the instrument
    nor `leverage` here, no margin is required.
    """

    taker_fee: Decimal = Decimal(0)
    maker_fee: Decimal = Decimal(0)
    fee_per_unit: Decimal = Decimal(0)
    slippage_ticks: Decimal = Decimal(0)
    latency_ms: int = 0
    max_fill: Decimal | None = None
    fill_fraction: Decimal | None = None
    leverage: Decimal | None = None
    check_margin: bool = True
    unquoted: Literal["queue", "reject"] = "queue"


def read_setting(config: Mapping[str, object]) -> PaperSetting:
    """The setting of a `config` section that fits `SCHEMA`; numbers are taken as the decimals people wrote."""
    exact = {key: str(given) if isinstance(given, float) else given for key, given in config.items()}
    return msgspec.convert(exact, PaperSetting, strict=False)
