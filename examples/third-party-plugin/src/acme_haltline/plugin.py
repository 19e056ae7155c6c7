"""The entry point: registers what this distribution brings."""

from acme_haltline.derisk import DERISK
from acme_haltline.outbox import OUTBOX
from acme_haltline.rate import FX_RATE
from acme_haltline.tally import OBSERVER
from haltline.api import Registry, hookimpl


@hookimpl
def haltline_register_functions(registry: Registry) -> None:
    """A currency rate."""
    registry.add_function(FX_RATE)


@hookimpl
def haltline_register_notifiers(registry: Registry) -> None:
    """A folder of messages."""
    registry.add_notifier(OUTBOX)


@hookimpl
def haltline_register_actions(registry: Registry) -> None:
    """Cancel entries and halve the position."""
    registry.add_action(DERISK)


@hookimpl
def haltline_register_observers(registry: Registry) -> None:
    """A tally of breaches."""
    registry.add_observer(OBSERVER)
