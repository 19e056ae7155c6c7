"""The entry point: registers the broker kind, and imports nothing heavy."""

from haltline.api import Registry, hookimpl
from haltline_broker_projectx.kind import PROJECTX


@hookimpl
def haltline_register_brokers(registry: Registry) -> None:
    """ProjectX gateways (TopstepX and the other firms on it)."""
    registry.add_broker(PROJECTX)
