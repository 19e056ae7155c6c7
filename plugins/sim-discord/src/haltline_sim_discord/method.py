"""The REST operations on the guild, channels, messages and threads. Each takes a `Call` and returns status and body."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from haltline_sim_discord.content import check_content
from haltline_sim_discord.failure import ApiError, bad_form, unknown, wrong_count
from haltline_sim_discord.record import (
    LOADING,
    THREAD,
    Attachment,
    Channel,
    Interaction,
    Json,
    Message,
)
from haltline_sim_discord.world import BOT_ID, GUILD_ID, World

_LARGEST_FILE = 10 << 20
_KEPT_FLAGS = 1 << 2 | 1 << 6 | 1 << 12
"""Embeds suppressed, ephemeral, silent: what a bot may ask for."""

type Answer = tuple[int, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: the parts of its path, the decoded body, files by place, the query."""

    world: World
    parts: dict[str, str]
    body: Any
    files: dict[int, tuple[str, bytes, str]] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)

    @property
    def form(self) -> Json:
        """The body where it must be an object; raises ApiError 400."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise bad_form("", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
        return self.body


type Operation = Callable[[Call], Answer]


def get_me(call: Call) -> Answer:
    """The bot itself."""
    return 200, call.world.bot_json()


def get_user(call: Call) -> Answer:
    """Anybody."""
    found = call.world.people.get(call.parts["user"])
    if found is None:
        raise unknown("User")
    return 200, found.to_json()


def get_application(call: Call) -> Answer:
    """The application that the bot belongs to."""
    owner = next((each for each in call.world.people.values() if not each.is_bot), call.world.bot)
    return 200, {
        "id": BOT_ID, "name": call.world.bot.name, "icon": None, "description": "", "bot_public": False,
        "bot_require_code_grant": False, "verify_key": "0" * 64, "owner": owner.to_json(), "team": None, "flags": 0,
        "flags_new": "0", "eligible_oauth2_scopes": [],
        "summary": "", "type": None, "hook": True, "bot": call.world.bot.to_json(), "redirect_uris": [],
        "interactions_endpoint_url": None, "role_connections_verification_url": None,
        "approximate_guild_count": 1, "approximate_user_install_count": 0, "approximate_user_authorization_count": 0,
        "max_participants": None, "explicit_content_filter": 0, "event_webhooks_url": None,
        "event_webhooks_status": 1,
    }  # fmt: skip


def get_gateway(call: Call) -> Answer:
    """Where the gateway is."""
    limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
    url = f"{call.world.base_url.replace('http', 'ws', 1)}/gateway"
    return 200, {"url": url, "shards": 1, "session_start_limit": limit}


def get_guild(call: Call) -> Answer:
    """The guild."""
    _guild(call)
    return 200, call.world.guild_json()


def get_channels(call: Call) -> Answer:
    """The channels of the guild."""
    _guild(call)
    rooms = [each for each in call.world.channels.values() if each.guild_id and each.kind != THREAD]
    return 200, [each.to_json(BOT_ID) for each in rooms]


def get_member(call: Call) -> Answer:
    """A member of the guild."""
    _guild(call)
    found = call.world.people.get(call.parts["user"])
    if found is None:
        raise unknown("Member")
    return 200, found.member_json()


def get_roles(call: Call) -> Answer:
    """The roles of the guild."""
    _guild(call)
    return 200, call.world.role_json()


def get_threads(call: Call) -> Answer:
    """The threads that are not archived."""
    _guild(call)
    found = [each for each in call.world.channels.values() if each.kind == THREAD and not each.is_archived]
    return 200, {"threads": [each.to_json(BOT_ID) for each in found], "members": [], "has_more": False}


def get_channel(call: Call) -> Answer:
    """A channel."""
    return 200, call.world.channel(call.parts["channel"]).to_json(BOT_ID)


def edit_channel(call: Call) -> Answer:
    """Rename a channel or archive a thread."""
    channel = call.world.channel(call.parts["channel"])
    name = call.form.get("name")
    if name is not None:
        channel.name = _name(name)
    channel.is_archived = bool(call.form.get("archived", channel.is_archived))
    event = "THREAD_UPDATE" if channel.kind == THREAD else "CHANNEL_UPDATE"
    call.world.gateway.dispatch(event, channel.to_json(BOT_ID), intents=1)
    return 200, channel.to_json(BOT_ID)


def open_direct(call: Call) -> Answer:
    """The private conversation with somebody."""
    person = call.world.people.get(str(call.form.get("recipient_id")))
    if person is None or person is call.world.bot:
        raise bad_form("recipient_id", "USER_INVALID", "Invalid user")
    return 200, call.world.direct(person).to_json(BOT_ID)


def get_messages(call: Call) -> Answer:
    """The newest messages of a channel."""
    channel = call.world.channel(call.parts["channel"])
    text = call.query.get("limit", "50")
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise bad_form("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
    kept = [m for m in call.world.messages.values() if m.channel is channel and not m.deleted and not m.is_ephemeral]
    if "before" in call.query:
        kept = [m for m in kept if int(m.id) < int(call.query["before"])]
    if "after" in call.query:
        kept = [m for m in kept if int(m.id) > int(call.query["after"])]
    return 200, [message.to_json(call.world.base_url) for message in reversed(kept[-int(text) :])]


def get_message(call: Call) -> Answer:
    """One message."""
    channel = call.world.channel(call.parts["channel"])
    return 200, call.world.message(channel, call.parts["message"]).to_json(call.world.base_url)


def send(call: Call) -> Answer:
    """Write in a channel."""
    channel = call.world.writable(call.parts["channel"])
    reference = (call.form.get("message_reference") or {}).get("message_id")
    if reference is not None and str(reference) not in call.world.messages:
        raise bad_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    channel.is_archived = False
    made = write(call, channel)
    made.reference = None if reference is None else str(reference)
    call.world.keep(made, call.form.get("allowed_mentions"))
    return 200, made.to_json(call.world.base_url)


def edit(call: Call) -> Answer:
    """Change a message of the bot."""
    channel = call.world.channel(call.parts["channel"])
    found = call.world.message(channel, call.parts["message"])
    if found.author is not call.world.bot:
        raise ApiError(403, 50005, "Cannot edit a message authored by another user")
    rewrite(call, found)
    return 200, found.to_json(call.world.base_url)


def delete(call: Call) -> Answer:
    """Take a message of the bot away."""
    channel = call.world.channel(call.parts["channel"])
    found = call.world.message(channel, call.parts["message"])
    if found.author is not call.world.bot:
        raise ApiError(403, 50013, "Missing Permissions")
    call.world.remove(found)
    return 204, None


def type_on(call: Call) -> Answer:
    """Show that the bot is typing."""
    call.world.writable(call.parts["channel"])
    return 204, None


def start_thread(call: Call) -> Answer:
    """A thread, at a message or by itself."""
    channel = call.world.writable(call.parts["channel"])
    if channel.kind == THREAD:
        raise ApiError(400, 50024, "Cannot execute action on this channel type")
    name = _name(call.form.get("name"))
    if "message" not in call.parts:
        return 201, call.world.add_thread(channel, name).to_json(BOT_ID)
    message = call.world.message(channel, call.parts["message"])
    if message.thread_id is not None:
        raise ApiError(400, 160004, "A thread has already been created for this message")
    message.thread_id = message.id
    return 201, call.world.add_thread(channel, name, message.id).to_json(BOT_ID)


def _guild(call: Call) -> None:
    if call.parts["guild"] != GUILD_ID:
        raise unknown("Guild")


def _name(given: object) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= 100:
        raise wrong_count("name", 1, 100)
    return given


# -- messages ----------------------------------------------------------------------------------------------------------


def write(call: Call, channel: Channel, body: Json | None = None, interaction: Interaction | None = None) -> Message:
    """A new message of the bot, checked and not yet kept; raises ApiError."""
    given = call.form if body is None else body
    check_content(given, has_files=bool(call.files))
    flags = int(given.get("flags") or 0) & _KEPT_FLAGS
    return Message(
        id=call.world.snowflake(), channel=channel, author=call.world.bot, at=call.world.now(),
        text=(given.get("content") or "").strip(), embeds=_embeds(given), components=_numbered(given),
        attachments=_files(call, given, []), flags=flags, interaction_id=interaction.id if interaction else None,
        seen_by=interaction.by.id if interaction and flags & 64 else None,
    )  # fmt: skip


def rewrite(call: Call, message: Message, body: Json | None = None) -> None:
    """Change what a message holds: what is not given stays, null empties. Raises ApiError."""
    given = call.form if body is None else body
    after: Json = {"content": message.text, "embeds": message.embeds, "components": message.components}
    after |= {k: v for k, v in given.items() if k in after or k in ("allowed_mentions", "flags")}
    files = _files(call, given, message.attachments)
    check_content(after, has_files=bool(files), is_edit=message.is_loading)
    if not message.is_loading:
        message.history.append((message.text, message.embeds, message.components))
        message.edited = call.world.now()
    message.flags &= ~LOADING
    message.text, message.embeds = (after["content"] or "").strip(), _embeds(after)
    message.components, message.attachments = _numbered(after), files
    call.world.changed(message)


def _embeds(given: Json) -> list[Json]:
    return [{"type": "rich", **each} for each in given.get("embeds") or []]


def _numbered(given: Json) -> list[Json]:
    """Components as the platform gives them back: each with a number."""
    rows, number = [], 0
    for row in given.get("components") or []:
        number += 1
        first = number
        inner = []
        for each in row["components"]:
            number += 1
            inner.append({**each, "id": each.get("id") or number})
        rows.append({**row, "id": row.get("id") or first, "components": inner})
    return rows


def _files(call: Call, given: Json, old: list[Attachment]) -> list[Attachment]:
    """The files of a message: those named that it had, and those that come with the request."""
    named = given.get("attachments")
    kept = old if named is None else [each for each in old if each.id in {str(n.get("id")) for n in named}]
    names = {str(n.get("id")): n.get("filename") for n in named or ()}
    found = list(kept)
    for place, (name, content, mime) in sorted(call.files.items()):
        if len(content) > _LARGEST_FILE:
            raise ApiError(413, 40005, "Request entity too large")
        called = re.sub(r"[^\w.-]", "_", str(names.get(str(place)) or name))
        found.append(Attachment(id=call.world.snowflake(), name=called, content=content, mime=mime))
    if len(found) > 10:
        raise wrong_count("attachments", 0, 10)
    call.world.attachments.update({each.id: each for each in found})
    return found
