"""The entry point `builtins`: everything first-party, through the same hooks as everybody else's plugin."""

from haltline.api import Registry, hookimpl
from haltline.builtins.action.order import ORDER_ACTIONS
from haltline.builtins.action.size import SIZE_ACTIONS
from haltline.builtins.action.state import STATE_ACTIONS
from haltline.builtins.function import MATCHES


@hookimpl
def haltline_register_actions(registry: Registry) -> None:
    """Messages, blocks and locks; cancel and flatten; close, reduce and protect."""
    for action in (*STATE_ACTIONS, *ORDER_ACTIONS, *SIZE_ACTIONS):
        registry.add_action(action)


@hookimpl
def haltline_register_functions(registry: Registry) -> None:
    """Functions that need no data."""
    registry.add_function(MATCHES)
