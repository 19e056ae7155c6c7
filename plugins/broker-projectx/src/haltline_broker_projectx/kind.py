"""What the broker is called, and what it can do."""

from haltline.api import Broker, BrokerKind, BrokerSetup, Capability, RateLimit
from haltline_broker_projectx.setting import SCHEMA


def _make(setup: BrokerSetup) -> Broker:
    from haltline_broker_projectx.broker import ProjectXBroker  # noqa: PLC0415 - the client takes a second to import

    return ProjectXBroker(setup)


PROJECTX = BrokerKind(
    name="projectx",
    make=_make,
    meaning="a ProjectX gateway (TopstepX and others): REST and two SignalR hubs, through project-x-py",
    capabilities=frozenset(
        {
            Capability.MARKET_ORDERS,
            Capability.LIMIT_ORDERS,
            Capability.STOP_ORDERS,
            Capability.REDUCE_ONLY,
            Capability.CANCEL_ORDERS,
            Capability.CLIENT_ORDER_IDS,
            Capability.PUSH_POSITIONS,
            Capability.PUSH_ORDERS,
            Capability.PUSH_FILLS,
            Capability.PUSH_QUOTES,
            Capability.PULL_POSITIONS,
            Capability.PULL_ORDERS,
        }
    ),
    schema=SCHEMA,
    limit=RateLimit(calls=180, per_s=60.0),
    paired=True,
)
"""The gateway has no reduce-only flag. A reducing order at the market keeps that promise as an exact close, which can
never turn a position round; a protective stop is an ordinary order there. It takes 200 calls a minute from a login; the
rest is for logins, for pings and for contracts that are met first."""
