"""What the platform keeps: users, chats, messages with their history, presses of buttons, files."""

from dataclasses import dataclass, field
from typing import Any, Literal

from haltline_sim_telegram.entity import Entity

type Json = dict[str, Any]
type ChatKind = Literal["private", "group", "supergroup", "channel"]
type Keyboard = tuple[tuple[Json, ...], ...]


@dataclass(slots=True, kw_only=True)
class Person:
    """A user or a bot."""

    id: int
    name: str
    username: str = ""
    is_bot: bool = False
    language: str = "en"

    def to_json(self) -> Json:
        """As on the wire."""
        found: Json = {"id": self.id, "is_bot": self.is_bot, "first_name": self.name}
        if self.username:
            found["username"] = self.username
        if not self.is_bot:
            found["language_code"] = self.language
        return found


@dataclass(slots=True, kw_only=True)
class Chat:
    """A place to write. `members` maps user ids to `creator`, `administrator`, `member`, `left` or `kicked`."""

    id: int
    kind: ChatKind
    title: str
    members: dict[int, str] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    migrated_to: int | None = None
    is_open: bool = True
    """Whether the bot may write: a private chat opens when its user writes first."""

    def to_json(self) -> Json:
        """As on the wire."""
        named = "first_name" if self.kind == "private" else "title"
        found: Json = {"id": self.id, "type": self.kind, named: self.title}
        if self.topics:
            found["is_forum"] = True
        return found


@dataclass(slots=True, kw_only=True)
class File:
    """An uploaded file and what the platform knows of it."""

    file_id: str
    name: str
    content: bytes
    mime: str = "application/octet-stream"
    width: int = 0
    height: int = 0

    @property
    def unique_id(self) -> str:
        """The same for every bot."""
        return f"U{self.file_id[-12:]}"

    @property
    def path(self) -> str:
        """Where it can be had for an hour."""
        return f"files/{self.file_id}/{self.name}"

    def to_json(self) -> Json:
        """As a document or a size of a photo."""
        found: Json = {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": len(self.content)}
        if self.width:
            return {**found, "width": self.width, "height": self.height}
        return {**found, "file_name": self.name, "mime_type": self.mime}


@dataclass(slots=True, kw_only=True)
class Message:
    """A message as it is now. `history` holds what it was before each edit: (text, keyboard)."""

    id: int
    chat: Chat
    date: int
    sender: Person | None
    text: str = ""
    entities: tuple[Entity, ...] = ()
    keyboard: Keyboard = ()
    media: tuple[str, File] | None = None
    """(`photo` or `document`, the file); the text is its caption then."""
    sender_chat: Chat | None = None
    reply_to: "Message | None" = None
    thread: int | None = None
    silent: bool = False
    edited: int | None = None
    deleted: bool = False
    pinned: bool = False
    history: list[tuple[str, Keyboard]] = field(default_factory=list)

    @property
    def file(self) -> File | None:
        """The photo or document."""
        return self.media[1] if self.media else None

    @property
    def buttons(self) -> tuple[tuple[str, ...], ...]:
        """The labels of the inline keyboard, row by row."""
        return tuple(tuple(str(button["text"]) for button in row) for row in self.keyboard)

    def button(self, label: str) -> Json:
        """The button with this label, or whose label contains it, on the message or on an earlier version of it.

        Raises LookupError that names the labels there are.
        """
        boards = (self.keyboard, *(keyboard for _, keyboard in reversed(self.history)))
        for fits in (str.__eq__, str.__contains__):
            for board in boards:
                for button in (each for row in board for each in row):
                    if fits(str(button["text"]), label):
                        return button
        raise LookupError(f"message {self.id} has no button {label!r}; it has {self.buttons}")

    def to_json(self) -> Json:
        """As on the wire."""
        found: Json = {"message_id": self.id, "date": self.date, "chat": self.chat.to_json()}
        if self.sender is not None:
            found["from"] = self.sender.to_json()
        if self.sender_chat is not None:
            found["sender_chat"] = self.sender_chat.to_json()
        if self.thread is not None:
            found |= {"message_thread_id": self.thread, "is_topic_message": True}
        if self.edited is not None:
            found["edit_date"] = self.edited
        if self.reply_to is not None:
            answered = self.reply_to.to_json()
            answered.pop("reply_to_message", None)
            found["reply_to_message"] = answered
        return found | self._content()

    def _content(self) -> Json:
        found: Json = {}
        if self.media:
            kind, file = self.media
            found[kind] = [file.to_json()] if kind == "photo" else file.to_json()
        words, marks = ("caption", "caption_entities") if self.media else ("text", "entities")
        if self.text:
            found[words] = self.text
        if self.entities:
            found[marks] = [entity.to_json() for entity in self.entities]
        if self.keyboard:
            found["reply_markup"] = {"inline_keyboard": [list(row) for row in self.keyboard]}
        return found


@dataclass(slots=True, kw_only=True)
class Press:
    """A button pressed: a callback query, and what the bot answered."""

    id: str
    by: Person
    message: Message
    data: str
    at: float
    answered: bool = False
    answer: str = ""
    is_alert: bool = False

    def to_json(self) -> Json:
        """As on the wire."""
        return {
            "id": self.id, "from": self.by.to_json(), "chat_instance": str(-self.message.chat.id * 7919),
            "message": self.message.to_json(), "data": self.data,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the client, its parameters decoded. `at` is the time in seconds, `error` what it was answered."""

    method: str
    parameters: Json
    at: float
    files: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()
