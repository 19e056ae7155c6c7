"""The entry point: registers the command `chart`, for every front end at once."""

from haltline.api import Registry, hookimpl
from haltline_bot_kit.chartcommand import chart_command


@hookimpl
def haltline_register_commands(registry: Registry) -> None:
    """Pictures."""
    registry.add_command(chart_command())
