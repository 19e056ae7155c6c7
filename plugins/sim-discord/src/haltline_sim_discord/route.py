"""Which request is which operation, and what bucket of the rate limits it counts towards."""

from haltline_sim_discord import command, interaction, method
from haltline_sim_discord.method import Operation

_GLOBAL = "/applications/{application}/commands"
_LOCAL = "/applications/{application}/guilds/{guild}/commands"
_REPLY = "/webhooks/{application}/{token}/messages"
_MESSAGE = "/channels/{channel}/messages/{message}"

ROUTES: tuple[tuple[str, str, Operation], ...] = (
    ("GET", "/users/@me", method.get_me), ("GET", "/users/{user}", method.get_user),
    ("POST", "/users/@me/channels", method.open_direct),
    ("GET", "/oauth2/applications/@me", method.get_application), ("GET", "/applications/@me", method.get_application),
    ("GET", "/gateway", method.get_gateway), ("GET", "/gateway/bot", method.get_gateway),
    ("GET", "/guilds/{guild}", method.get_guild), ("GET", "/guilds/{guild}/channels", method.get_channels),
    ("GET", "/guilds/{guild}/members/{user}", method.get_member), ("GET", "/guilds/{guild}/roles", method.get_roles),
    ("GET", "/guilds/{guild}/threads/active", method.get_threads),
    ("GET", "/channels/{channel}", method.get_channel), ("PATCH", "/channels/{channel}", method.edit_channel),
    ("GET", "/channels/{channel}/messages", method.get_messages), ("POST", "/channels/{channel}/messages", method.send),
    ("GET", _MESSAGE, method.get_message), ("PATCH", _MESSAGE, method.edit), ("DELETE", _MESSAGE, method.delete),
    ("POST", "/channels/{channel}/typing", method.type_on),
    ("POST", f"{_MESSAGE}/threads", method.start_thread), ("POST", "/channels/{channel}/threads", method.start_thread),
    *(
        (verb, f"{place}{rest}", operation)
        for place in (_GLOBAL, _LOCAL)
        for verb, rest, operation in (
            ("GET", "", command.get_commands), ("PUT", "", command.put_commands), ("POST", "", command.post_command),
            ("GET", "/{command}", command.get_command), ("PATCH", "/{command}", command.edit_command),
            ("DELETE", "/{command}", command.delete_command),
        )
    ),
    ("POST", "/interactions/{interaction}/{token}/callback", interaction.respond),
    ("POST", "/webhooks/{application}/{token}", interaction.follow_up),
    ("GET", f"{_REPLY}/{{message}}", interaction.get_reply), ("PATCH", f"{_REPLY}/{{message}}", interaction.edit_reply),
    ("DELETE", f"{_REPLY}/{{message}}", interaction.delete_reply),
)  # fmt: skip
"""The more special path stands first where two match."""


def needs_token(path: str) -> bool:
    """Whether a request must show the bot's token: what belongs to an interaction shows that one's."""
    return not path.startswith(("/interactions/", "/webhooks/"))


def bucket_of(verb: str, template: str, parts: dict[str, str]) -> str | None:
    """The bucket: the route of a channel or guild. Interactions have none."""
    if not needs_token(template):
        return None
    return f"{verb} {template} of {parts.get('channel') or parts.get('guild') or ''}"
