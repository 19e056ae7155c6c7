"""The state of the simulated platform: who and what exists, and the queue of updates."""

import itertools
import time
from collections.abc import Callable

from haltline_sim_kit.transcript import Transcript
from haltline_sim_kit.watch import Watch
from haltline_sim_telegram.failure import ApiError, bad_request, forbidden
from haltline_sim_telegram.limit import Pace, Rate
from haltline_sim_telegram.record import Chat, ChatKind, File, Json, Message, Person, Press

_UNASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_KEPT_S = 24 * 3600
"""The platform forgets an update that nobody has fetched for a day."""

ANONYMOUS = Person(id=1087968824, name="Group", username="GroupAnonymousBot", is_bot=True)


class World:
    """Everything that the methods of the API and the scripted people share."""

    def __init__(self, *, token: str, bot_name: str, rate: Rate, now: Callable[[], float] = time.time) -> None:
        self.token = token
        self.now = now
        self.bot = Person(id=int(token.partition(":")[0]), name=bot_name, username=f"{bot_name}_bot", is_bot=True)
        self.people: dict[int, Person] = {self.bot.id: self.bot}
        self.chats: dict[int, Chat] = {}
        self.messages: dict[tuple[int, int], Message] = {}
        self.said: list[Message] = []
        """Each appearance of a message of the bot, new or edited, in order."""
        self.presses: dict[str, Press] = {}
        self.files: dict[str, File] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.webhook: Json = {}
        self.allowed: frozenset[str] | None = None
        self.updates: list[tuple[float, Json]] = []
        self.sent_before: list[Json] = []
        self.pace = Pace(rate, now)
        self.watch = Watch()
        self.transcript = Transcript()
        self._numbers = itertools.count(1)
        self._update_ids = itertools.count(800_000_001)

    def number(self) -> int:
        """A number that was not given out before."""
        return next(self._numbers)

    def add_chat(self, chat_id: int, kind: ChatKind, title: str) -> Chat:
        """A new chat in which nothing was said."""
        chat = Chat(id=chat_id, kind=kind, title=title, is_open=kind != "private")
        if kind != "private":
            chat.members[self.bot.id] = "administrator" if kind == "channel" else "member"
        self.chats[chat_id] = chat
        return chat

    def writable(self, chat_id: object) -> Chat:
        """The chat to which the bot wants to send; raises ApiError where it cannot."""
        chat = self.chat(chat_id)
        if chat.migrated_to is not None:
            told = "Bad Request: group chat was upgraded to a supergroup chat"
            raise ApiError(400, told, migrate_to_chat_id=chat.migrated_to)
        if not chat.is_open:
            raise forbidden("bot can't initiate conversation with a user")
        if chat.kind == "private" and chat.members.get(chat.id) == "kicked":
            raise forbidden("bot was blocked by the user")
        if chat.members.get(self.bot.id) in ("kicked", "left"):
            raise forbidden(f"bot was kicked from the {chat.kind} chat")
        return chat

    def chat(self, chat_id: object) -> Chat:
        """A chat the bot knows; raises ApiError."""
        text = str(chat_id or "")
        if not text:
            raise bad_request("chat_id is empty")
        found = self.chats.get(int(text)) if text.removeprefix("-").isdigit() else None
        if found is None:
            raise bad_request("chat not found")
        return found

    def message(self, chat: Chat, message_id: object, purpose: str) -> Message:
        """A message that exists; raises ApiError."""
        text = str(message_id or "")
        found = self.messages.get((chat.id, int(text))) if text.isdigit() else None
        if found is None or found.deleted:
            raise bad_request(f"message to {purpose} not found")
        return found

    def keep(self, message: Message) -> Message:
        """Add a message to its chat."""
        self.messages[message.chat.id, message.id] = message
        self.watch.changed()
        return message

    def show(self, message: Message, *, verb: str = "") -> None:
        """A message of the bot has appeared or was edited."""
        self.said.append(message)
        picture = f"<{message.media[0]} {message.media[1].name}>\n" if message.media else ""
        self.transcript.add(
            message.chat.title, self.bot.name, picture + message.text, verb=verb, buttons=message.buttons
        )
        self.watch.changed()

    def push(self, kind: str, content: Json) -> int:
        """Queue an update, unless the bot has not asked for its kind; returns its id."""
        update_id = next(self._update_ids)
        wanted = kind not in _UNASKED if self.allowed is None else kind in self.allowed
        if wanted:
            self.updates.append((self.now(), {"update_id": update_id, kind: content}))
            self.watch.changed()
        return update_id

    def fetch(self, *, offset: int, limit: int) -> list[Json]:
        """The next updates; those below the offset are confirmed and forgotten, and so is what is a day old."""
        if offset < 0:
            self.updates = self.updates[offset:]
        oldest = self.now() - _KEPT_S
        self.updates = [(at, each) for at, each in self.updates if each["update_id"] >= offset and at >= oldest]
        found = [each for _, each in self.updates[:limit]]
        self.sent_before += [each for each in found if each not in self.sent_before[-limit:]]
        return found
