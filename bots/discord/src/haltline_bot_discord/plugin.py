"""The entry point: registers the front end. discord.py is heavy: its import waits until a bot is made."""

from haltline.api import Registry, Surface, SurfaceKind, SurfaceSetup, hookimpl

_ID: dict[str, object] = {"type": ["string", "integer"], "pattern": "^[0-9]{1,20}$"}
MAX_CHARS = 3000
"""Of the 4,096 that an embed takes: escapes and the lines around a text need room too."""
PER_MINUTE = 30
"""Discord takes five in five seconds in a channel; answers to people need some of that."""
SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["token"],
    "additionalProperties": False,
    "properties": {
        "token": {"type": "string", "minLength": 1, "description": "the bot's token; write ${NAME}"},
        "channel": {**_ID, "description": "the channel that alerts go to; put its id in quotes"},
        "threads": {"type": "boolean", "default": False, "description": "a thread for each incident"},
        "guild": {**_ID, "description": "declare the commands in this server only, where they appear at once"},
        "server": {"type": "string", "description": "another server than Discord's, as http://host:port"},
    },
}


def make(setup: SurfaceSetup) -> Surface:
    """A bot."""
    from haltline_bot_discord.front import DiscordFront  # noqa: PLC0415 - heavy, see above

    return DiscordFront(setup)


@hookimpl
def haltline_register_surfaces(registry: Registry) -> None:
    """Discord."""
    registry.add_surface(
        SurfaceKind(
            name="discord",
            make=make,
            meaning="slash commands, buttons and alerts in Discord",
            schema=SCHEMA,
            max_chars=MAX_CHARS,
            per_minute=PER_MINUTE,
        )
    )
