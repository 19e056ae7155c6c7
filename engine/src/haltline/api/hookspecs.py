"""The nine hooks. Each is called once per plugin, at composition time, before anything runs.

A hook registers what the plugin brings and returns nothing. It must not do I/O, start threads, or import heavy
clients (do that in `make`). What it raises undoes all of this plugin's registrations; the plugin is then shown
red if optional, or start is refused if required. Order between plugins never matters.
"""

import pluggy

from haltline.api.registry import Registry

hookspec = pluggy.HookspecMarker("haltline")
hookimpl = pluggy.HookimplMarker("haltline")


@hookspec
def haltline_register_brokers(registry: Registry) -> None:
    """Offer brokers with `registry.add_broker(BrokerKind(...))`."""


@hookspec
def haltline_register_feeds(registry: Registry) -> None:
    """Offer feeds, recordings and calendars with `registry.add_feed(...)` and `registry.add_calendar(...)`."""


@hookspec
def haltline_register_actions(registry: Registry) -> None:
    """Offer actions with `registry.add_action(Action(...))`."""


@hookspec
def haltline_register_functions(registry: Registry) -> None:
    """Offer functions and fields for expressions with `registry.add_function(...)` and `registry.add_field(...)`."""


@hookspec
def haltline_register_notifiers(registry: Registry) -> None:
    """Offer channels with `registry.add_notifier(NotifierKind(...))`."""


@hookspec
def haltline_register_surfaces(registry: Registry) -> None:
    """Offer front ends with `registry.add_surface(SurfaceKind(...))`."""


@hookspec
def haltline_register_rule_packs(registry: Registry) -> None:
    """Offer rule packs with `registry.add_rule_pack(RulePack(...))`."""


@hookspec
def haltline_register_commands(registry: Registry) -> None:
    """Offer operator commands with `registry.add_command(Command(...))`."""


@hookspec
def haltline_register_observers(registry: Registry) -> None:
    """Ask to be told of results with `registry.add_observer(Observer(...))`."""
