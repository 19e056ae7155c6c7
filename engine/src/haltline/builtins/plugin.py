"""The entry point `builtins`: everything first-party, through the same hooks as everybody else's plugin."""

from haltline.api import Registry, hookimpl
from haltline.builtins.action.order import ORDER_ACTIONS
from haltline.builtins.action.size import SIZE_ACTIONS
from haltline.builtins.action.state import STATE_ACTIONS
from haltline.builtins.calendar.exchange import EXCHANGE, HOURS
from haltline.builtins.function import LABEL, MATCHES
from haltline.builtins.notifier.console import CONSOLE
from haltline.builtins.notifier.jsonl import JSONL
from haltline.builtins.paper.broker import PAPER
from haltline.builtins.replay.recording import REPLAY


@hookimpl
def haltline_register_brokers(registry: Registry) -> None:
    """The paper broker."""
    registry.add_broker(PAPER)


@hookimpl
def haltline_register_actions(registry: Registry) -> None:
    """Messages, blocks and locks; cancel and flatten; close, reduce and protect."""
    for action in (*STATE_ACTIONS, *ORDER_ACTIONS, *SIZE_ACTIONS):
        registry.add_action(action)


@hookimpl
def haltline_register_feeds(registry: Registry) -> None:
    """Recordings; calendars of exchanges, and hours written out."""
    registry.add_feed(REPLAY)
    for calendar in (EXCHANGE, HOURS):
        registry.add_calendar(calendar)


@hookimpl
def haltline_register_notifiers(registry: Registry) -> None:
    """The terminal, and a file of JSON lines."""
    for channel in (CONSOLE, JSONL):
        registry.add_notifier(channel)


@hookimpl
def haltline_register_functions(registry: Registry) -> None:
    """Functions that need no data."""
    registry.add_function(LABEL)
    registry.add_function(MATCHES)
