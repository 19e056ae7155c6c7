"""The entry point: registers the broker kind."""

from haltline.api import Registry, hookimpl
from haltline_sim_paper.broker import PAPER_REMOTE


@hookimpl
def haltline_register_brokers(registry: Registry) -> None:
    """The paper exchange over the network."""
    registry.add_broker(PAPER_REMOTE)
