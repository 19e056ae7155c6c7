"""What the platform keeps: people, channels, messages with their history, commands, interactions."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

type Json = dict[str, Any]

EPHEMERAL, LOADING = 64, 128
TEXT, DIRECT, THREAD = 0, 1, 11
DEFAULT_PERMISSIONS = 1 << 10 | 1 << 11 | 1 << 31 | 1 << 38
"""See channels, write, use commands, write in threads."""
ADMINISTRATOR = 1 << 3


def stamp(at: float) -> str:
    """A time in seconds, in the platform's spelling."""
    return datetime.fromtimestamp(at, UTC).isoformat()


@dataclass(slots=True, kw_only=True)
class Person:
    """A user or a bot. `permissions` are those in the guild; `takes_messages` whether the bot may write in private."""

    id: str
    name: str
    is_bot: bool = False
    permissions: int = DEFAULT_PERMISSIONS
    roles: tuple[str, ...] = ()
    takes_messages: bool = True

    def to_json(self) -> Json:
        """As a user on the wire."""
        found: Json = {
            "id": self.id, "username": self.name.lower(), "discriminator": "0", "global_name": self.name,
            "avatar": None, "public_flags": 0, "flags": 0, "primary_guild": None,
        }  # fmt: skip
        return {**found, "bot": True} if self.is_bot else found

    def member_json(self) -> Json:
        """As a member of the guild."""
        return {
            "user": self.to_json(), "nick": None, "avatar": None, "banner": None, "roles": list(self.roles),
            "joined_at": "2024-01-01T00:00:00+00:00", "premium_since": None, "deaf": False, "mute": False, "flags": 0,
            "pending": False, "permissions": str(self.permissions), "communication_disabled_until": None,
        }  # fmt: skip

    def may(self, permissions: int) -> bool:
        """Whether all of these bits are granted."""
        return bool(self.permissions & ADMINISTRATOR) or self.permissions & permissions == permissions


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel, thread or private conversation. `is_closed` and `is_silent` are what the bot may not do there."""

    id: str
    kind: int
    name: str
    guild_id: str | None = None
    parent_id: str | None = None
    recipient: Person | None = None
    is_closed: bool = False
    is_silent: bool = False
    is_archived: bool = False
    last_message_id: str | None = None

    def to_json(self, owner_id: str) -> Json:
        """As on the wire."""
        found: Json = {"id": self.id, "type": self.kind, "last_message_id": self.last_message_id, "flags": 0}
        if self.recipient is not None:
            return {**found, "recipients": [self.recipient.to_json()]}
        found |= {"guild_id": self.guild_id, "name": self.name, "parent_id": self.parent_id, "rate_limit_per_user": 0}
        if self.kind != THREAD:
            return {**found, "position": 0, "permission_overwrites": [], "topic": None, "nsfw": False}
        state = {
            "archived": self.is_archived, "auto_archive_duration": 1440, "locked": False,
            "archive_timestamp": stamp(0), "create_timestamp": stamp(0),
        }  # fmt: skip
        return {**found, "owner_id": owner_id, "message_count": 0, "member_count": 1, "total_message_sent": 0,
                "thread_metadata": state}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Attachment:
    """An uploaded file."""

    id: str
    name: str
    content: bytes
    mime: str

    def to_json(self, base_url: str) -> Json:
        """As on the wire."""
        url = f"{base_url}/cdn/{self.id}/{self.name}"
        return {
            "id": self.id, "filename": self.name, "size": len(self.content), "url": url, "proxy_url": url,
            "content_type": self.mime,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Message:
    """A message as it is now. `history` holds text, embeds and components before each edit."""

    id: str
    channel: Channel
    author: Person
    at: float
    text: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    pings: frozenset[str] = frozenset()
    """Who is notified: ids of users and roles, `everyone`."""
    mentions: list[Person] = field(default_factory=list)
    flags: int = 0
    seen_by: str | None = None
    """The only one who sees it, where it is ephemeral."""
    interaction_id: str | None = None
    reference: str | None = None
    thread_id: str | None = None
    edited: float | None = None
    deleted: bool = False
    history: list[tuple[str, list[Json], list[Json]]] = field(default_factory=list)

    @property
    def is_ephemeral(self) -> bool:
        """Whether only one person sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def is_loading(self) -> bool:
        """Whether it only says that the bot is thinking."""
        return bool(self.flags & LOADING)

    @property
    def shown(self) -> str:
        """The text and what stands in embeds, as one text."""
        parts = [self.text]
        for embed in self.embeds:
            parts += [embed.get("title") or "", embed.get("description") or ""]
            parts += [f"{each['name']}: {each['value']}" for each in embed.get("fields") or ()]
            parts.append((embed.get("footer") or {}).get("text") or "")
        parts += [f"<file {each.name}>" for each in self.attachments]
        return "\n".join(part for part in parts if part)

    @property
    def buttons(self) -> tuple[tuple[str, ...], ...]:
        """The labels of buttons, row by row."""
        rows = [[_label(each) for each in row.get("components", ())] for row in self.components if row.get("type") == 1]
        return tuple(tuple(row) for row in rows)

    def component(self, label: str) -> Json:
        """The button with this label, or whose label contains it, also of an earlier version; raises LookupError."""
        boards = (self.components, *(old for _, _, old in reversed(self.history)))
        for fits in (str.__eq__, str.__contains__):
            for board in boards:
                for each in (each for row in board for each in row.get("components", ())):
                    if fits(_label(each), label):
                        found: Json = each
                        return found
        raise LookupError(f"message {self.id} has no button {label!r}; it has {self.buttons}")

    def to_json(self, base_url: str) -> Json:
        """As on the wire."""
        found: Json = {
            "id": self.id, "channel_id": self.channel.id, "author": self.author.to_json(), "content": self.text,
            "timestamp": stamp(self.at), "edited_timestamp": None if self.edited is None else stamp(self.edited),
            "tts": False, "mention_everyone": "everyone" in self.pings,
            "mentions": [person.to_json() for person in self.mentions],
            "mention_roles": sorted(self.pings - {"everyone"} - {person.id for person in self.mentions}),
            "attachments": [each.to_json(base_url) for each in self.attachments], "embeds": self.embeds,
            "pinned": False, "type": 19 if self.reference else 20 if self.interaction_id else 0,
            "components": self.components, "flags": self.flags,
        }  # fmt: skip
        if self.reference:
            found["message_reference"] = {"type": 0, "channel_id": self.channel.id, "message_id": self.reference}
        return found


@dataclass(slots=True, kw_only=True)
class Interaction:
    """What somebody did with a command, button or form, and what the bot made of it."""

    id: str
    token: str
    kind: int
    by: Person
    channel: Channel
    at: float
    payload: Json
    message: Message | None = None
    """The message whose button was pressed."""
    answered: int | None = None
    """The type of the bot's response."""
    original: Message | None = None
    replies: list[Message] = field(default_factory=list)
    choices: list[Json] = field(default_factory=list)
    form: Json | None = None

    @property
    def reply(self) -> Message | None:
        """The newest message of the bot to this; None while it only thinks."""
        shown = [each for each in self.replies if not each.is_loading and not each.deleted]
        return shown[-1] if shown else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the client, its body decoded. `at` is the time in seconds."""

    verb: str
    path: str
    body: Any
    at: float
    query: dict[str, str]
    files: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()

    @property
    def call(self) -> str:
        """Verb and path, as patterns of faults see it."""
        return f"{self.verb} {self.path}"


def _label(component: Json) -> str:
    emoji = (component.get("emoji") or {}).get("name") or ""
    return str(component.get("label") or component.get("placeholder") or emoji)
