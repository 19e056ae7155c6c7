"""The entry point: registers the front end. aiogram takes seconds to import: that waits until a bot is made."""

from haltline.api import Registry, Surface, SurfaceKind, SurfaceSetup, hookimpl

MAX_CHARS = 3000
"""Of the 4,096 that Telegram takes: escapes and the lines around a text need room too."""
PER_MINUTE = 20
"""What Telegram takes in a group."""
SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["token"],
    "additionalProperties": False,
    "properties": {
        "token": {"type": "string", "minLength": 1, "description": "the bot's token from BotFather; write ${NAME}"},
        "chat": {"type": "integer", "description": "the chat that alerts go to; a group's id is negative"},
        "topic": {"type": "integer", "minimum": 1, "description": "the topic of that chat, where it has topics"},
        "stale_after": {
            "type": "string",
            "default": "60s",
            "description": "what was said longer ago than this, while the bot was away, is not done any more",
        },
        "poll_s": {
            "type": "integer",
            "minimum": 1,
            "maximum": 50,
            "default": 25,
            "description": "how long one request waits for something to be said, in seconds",
        },
        "server": {"type": "string", "description": "another server of the Bot API, as http://host:port"},
    },
}


def make(setup: SurfaceSetup) -> Surface:
    """A bot; raises PluginFailed for a token that cannot be one."""
    from haltline_bot_telegram.front import TelegramFront  # noqa: PLC0415 - four seconds, see above

    return TelegramFront(setup)


@hookimpl
def haltline_register_surfaces(registry: Registry) -> None:
    """Telegram."""
    registry.add_surface(
        SurfaceKind(
            name="telegram",
            make=make,
            meaning="commands, buttons and alerts in Telegram",
            schema=SCHEMA,
            max_chars=MAX_CHARS,
            per_minute=PER_MINUTE,
        )
    )
