"""The `config` section of each kind, as JSON Schema and as records."""

from collections.abc import Mapping

import msgspec

type Schema = Mapping[str, object]

_POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0}

_SHARED: dict[str, object] = {
    "symbols": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "our name of a market: what ccxt calls it, e.g. BTCUSDT: BTC/USDT:USDT",
    },
    "host": {"type": "string", "description": "host:port of a simulator; every address of the venue is turned to it"},
    "timeout_s": {**_POSITIVE, "description": "how long one request may take"},
    "reconcile_s": {**_POSITIVE, "description": "how often everything is read again, pushes or not"},
}
_STREAMED: dict[str, object] = {
    "silence_s": {**_POSITIVE, "description": "without a word on a connection for so long, all are made anew"},
    "quote_silence_s": {**_POSITIVE, "description": "without one price for so long, all connections are made anew"},
    "flows_s": {**_POSITIVE, "description": "how often deposits, withdrawals and funding are asked for"},
    "dead_man_s": {
        "type": "integer",
        "minimum": 10,
        "maximum": 300,
        "description": "the venue cancels open orders once it has not heard from us for so long; never positions",
    },
    "dead_man_strips_stops": {
        "type": "boolean",
        "description": "true where that may also take protective stops away; else it rests while there is one",
    },
}
_KEYS: dict[str, object] = {
    "api_key": {"type": "string", "minLength": 1, "description": "by reference, e.g. ${BYBIT_API_KEY}"},
    "api_secret": {"type": "string", "minLength": 1, "description": "by reference"},
}
_WALLET: dict[str, object] = {
    "wallet": {
        "type": "string",
        "pattern": "^0x[0-9a-fA-F]{40}$",
        "description": "the address of the ACCOUNT, also where the key is that of an agent",
    },
    "private_key": {"type": "string", "minLength": 1, "description": "of the account or of an agent, by reference"},
    "slippage": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 0.2,
        "description": "how far from the mark a market order may be filled, as a fraction; 0.05 by default",
    },
}


def _closed(required: list[str], *parts: Mapping[str, object]) -> Schema:
    properties = {name: schema for part in parts for name, schema in part.items()}
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


BYBIT: Schema = _closed(
    ["api_key", "api_secret"], _KEYS, _SHARED, _STREAMED,
    {"settle": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "USDT, USDC by default"}},
)  # fmt: skip
BINANCE: Schema = _closed(["api_key", "api_secret"], _KEYS, _SHARED, _STREAMED)
HYPERLIQUID: Schema = _closed(["wallet", "private_key"], _WALLET, _SHARED, _STREAMED)
ANY: Schema = _closed(
    ["exchange"], _KEYS, _SHARED,
    {
        "exchange": {"type": "string", "pattern": "^[a-z0-9]+$", "description": "the id of the exchange in ccxt"},
        "password": {"type": "string", "description": "where the exchange wants one, by reference"},
        "market": {"enum": ["swap", "spot"], "description": "what is traded there; swap by default"},
        "quotes_s": {**_POSITIVE, "description": "how often prices are asked for"},
    },
)  # fmt: skip


class _Shared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    symbols: dict[str, str] = {}
    host: str = ""
    timeout_s: float = 5.0
    reconcile_s: float = 5.0
    silence_s: float = 15.0
    quote_silence_s: float = 30.0
    flows_s: float = 60.0
    dead_man_s: int = 0
    dead_man_strips_stops: bool = False


class BybitSetting(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The config of a broker of kind `bybit`."""

    api_key: str
    api_secret: str
    settle: tuple[str, ...] = ("USDT", "USDC")

    def __repr__(self) -> str:
        return "BybitSetting(...)"


class BinanceSetting(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The config of a broker of kind `binance`."""

    api_key: str
    api_secret: str

    def __repr__(self) -> str:
        return "BinanceSetting(...)"


class HyperliquidSetting(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The config of a broker of kind `hyperliquid`."""

    wallet: str
    private_key: str
    slippage: float = 0.05

    def __repr__(self) -> str:
        return "HyperliquidSetting(...)"


class AnySetting(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The config of a broker of kind `ccxt`."""

    exchange: str
    api_key: str = ""
    api_secret: str = ""
    password: str = ""
    market: str = "swap"
    quotes_s: float = 2.0

    def __repr__(self) -> str:
        return f"AnySetting(exchange={self.exchange!r}, ...)"


type Setting = BybitSetting | BinanceSetting | HyperliquidSetting | AnySetting


def read_setting[T: Setting](config: Mapping[str, object], kind: type[T]) -> T:
    """The config as a record; it was checked against the schema before."""
    return msgspec.convert(dict(config), kind, strict=False)
