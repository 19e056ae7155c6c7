"""The entry point: the broker kinds. ccxt takes a second to import, so a venue is only imported to be made."""

import importlib
from collections.abc import Mapping
from functools import partial

from haltline.api import Broker, BrokerKind, BrokerRole, BrokerSetup, Capability, RateLimit, Registry, hookimpl
from haltline_broker_ccxt import setting

_KNOWN = frozenset(
    {
        Capability.MARKET_ORDERS, Capability.LIMIT_ORDERS, Capability.STOP_ORDERS, Capability.REDUCE_ONLY,
        Capability.CANCEL_ORDERS, Capability.CANCEL_ALL, Capability.CLIENT_ORDER_IDS, Capability.PUSH_POSITIONS,
        Capability.PUSH_QUOTES, Capability.PUSH_FILLS,
        Capability.PUSH_ORDERS, Capability.PULL_POSITIONS, Capability.PULL_ORDERS, Capability.DEAD_MAN_SWITCH,
    }
)  # fmt: skip
_ANY = frozenset(
    {
        Capability.MARKET_ORDERS, Capability.LIMIT_ORDERS, Capability.CANCEL_ORDERS, Capability.PULL_POSITIONS,
        Capability.PULL_ORDERS,
    }
)  # fmt: skip


@hookimpl
def haltline_register_brokers(registry: Registry) -> None:
    """Bybit, Binance USD-M, Hyperliquid, and any other exchange of ccxt."""
    for kind in KINDS:
        registry.add_broker(kind)


def _make(setup: BrokerSetup, *, module: str, name: str, kind: type[setting.Setting]) -> Broker:
    broker = importlib.import_module("haltline_broker_ccxt.broker")
    stream = importlib.import_module("haltline_broker_ccxt.stream")
    venue = getattr(importlib.import_module(f"haltline_broker_ccxt.{module}"), name)
    read = setting.read_setting(_texts(setup.config), kind)
    ear = stream.Ear()
    tap = None if setup.role is BrokerRole.ACTUATOR else ear
    made = venue(read, broker.only_account(setup), setup.clock, tap)
    return broker.CcxtBroker(setup, read, made, ear, is_streamed=module != "unified")  # type: ignore[no-any-return]  # imported by name


def _texts(config: Mapping[str, object]) -> Mapping[str, object]:
    """Keys that look like numbers were read as such; they are texts."""
    named = ("api_key", "api_secret", "wallet", "private_key", "password", "host")
    return {key: str(value) if key in named else value for key, value in config.items()}


BYBIT = BrokerKind(
    name="bybit",
    make=partial(_make, module="bybit.venue", name="BybitVenue", kind=setting.BybitSetting),
    meaning="Bybit, unified trading account: linear perpetuals and futures",
    capabilities=_KNOWN,
    schema=setting.BYBIT,
    limit=RateLimit(calls=400, per_s=5.0, per_address=True),
    order_limit=RateLimit(calls=10, per_s=1.0),
    paired=True,
    always_open=True,
)
BINANCE = BrokerKind(
    name="binance",
    make=partial(_make, module="binance.venue", name="BinanceVenue", kind=setting.BinanceSetting),
    meaning="Binance USD-M futures",
    capabilities=_KNOWN,
    schema=setting.BINANCE,
    limit=RateLimit(calls=2200, per_s=60.0, per_address=True),
    order_limit=RateLimit(calls=100, per_s=10.0),
    paired=True,
    always_open=True,
)
HYPERLIQUID = BrokerKind(
    name="hyperliquid",
    make=partial(_make, module="hyperliquid.venue", name="HyperliquidVenue", kind=setting.HyperliquidSetting),
    meaning="Hyperliquid perpetuals",
    capabilities=_KNOWN,
    schema=setting.HYPERLIQUID,
    limit=RateLimit(calls=1100, per_s=60.0, per_address=True),
    paired=True,
    always_open=True,
)
ANY = BrokerKind(
    name="ccxt",
    make=partial(_make, module="unified", name="UnifiedVenue", kind=setting.AnySetting),
    meaning="any other exchange that ccxt knows, polled, with what all of them have in common",
    capabilities=_ANY,
    schema=setting.ANY,
    limit=RateLimit(calls=20, per_s=5.0),
    paired=True,
    always_open=True,
)
KINDS = (BYBIT, BINANCE, HYPERLIQUID, ANY)
