"""Scripted people: they write, edit, press buttons and block the bot; groups and channels speak without a name."""

from haltline_sim_telegram.entity import finish
from haltline_sim_telegram.record import Chat, Message, Person, Press
from haltline_sim_telegram.world import ANONYMOUS, World


class Human:
    """One person, known to the platform by a number."""

    def __init__(self, world: World, person: Person) -> None:
        self._world = world
        self.person = person

    @property
    def chat(self) -> Chat:
        """The private chat with the bot."""
        return self._world.chats[self.person.id]

    def says(
        self, text: str, *, to: "Room | None" = None, ago_s: float = 0, reply_to: Message | None = None
    ) -> Message:  # fmt: skip
        """Write a message, in the private chat unless told otherwise; `ago_s` as if so long ago.

        In a group the bot hears, unless it is an administrator there, only commands and replies to it.
        """
        chat = to.chat if to else self.chat
        chat.is_open = True
        chat.members.setdefault(self.person.id, "member")
        return _write(self._world, chat, text, self.person, ago_s=ago_s, reply_to=reply_to)

    def starts(self) -> None:
        """Let the bot write, without saying anything that it would hear."""
        self.chat.is_open = True

    def edits(self, message: Message, text: str) -> Message:
        """Change what was written."""
        message.text, message.entities = finish(text, [])
        message.edited = int(self._world.now())
        self._world.transcript.add(message.chat.title, self.person.name, text, verb=f"edits message {message.id}")
        kind = "edited_channel_post" if message.chat.kind == "channel" else "edited_message"
        if _is_heard(self._world, message):
            self._world.push(kind, message.to_json())
        return message

    def presses(self, message: Message, label: str) -> Press:
        """Press a button, also one that an earlier version of the message had; raises LookupError."""
        data = message.button(label).get("callback_data")
        if data is None:
            raise LookupError(f"button {label!r} of message {message.id} opens something and sends nothing")
        return self.sends_press(message, str(data))

    def sends_press(self, message: Message, data: str) -> Press:
        """Send a callback query with any data, as a modified client can."""
        press = Press(
            id=f"{self.person.id}{self._world.number():08d}", by=self.person, message=message, data=data,
            at=self._world.now(),
        )  # fmt: skip
        self._world.presses[press.id] = press
        label = next((str(b["text"]) for row in message.keyboard for b in row if b.get("callback_data") == data), data)
        self._world.transcript.add(message.chat.title, self.person.name, f"[{label}]", verb="presses")
        self._world.push("callback_query", press.to_json())
        return press

    def blocks(self) -> None:
        """Block the bot: what it sends is refused with 403."""
        self.chat.members[self.person.id] = "kicked"

    def unblocks(self) -> None:
        """Let it write again."""
        self.chat.members[self.person.id] = "member"


class Room:
    """A group, supergroup or channel."""

    def __init__(self, world: World, chat: Chat) -> None:
        self._world = world
        self.chat = chat

    def says_anonymously(self, text: str) -> Message:
        """An administrator writes in the name of the group, so that nobody can tell who it was."""
        return _write(self._world, self.chat, text, ANONYMOUS, sender_chat=self.chat)

    def posts(self, text: str) -> Message:
        """A post of a channel, which has no author."""
        return _write(self._world, self.chat, text, None, sender_chat=self.chat, kind="channel_post")

    def kicks_bot(self) -> None:
        """Throw the bot out."""
        self.chat.members[self._world.bot.id] = "kicked"

    def migrates(self, new_id: int) -> "Room":
        """Become a supergroup under another number; the old one answers `migrate_to_chat_id`."""
        chat = self._world.add_chat(new_id, "supergroup", self.chat.title)
        chat.members.update(self.chat.members)
        self.chat.migrated_to = new_id
        for where, told in (
            (self.chat, {"migrate_to_chat_id": new_id}),
            (chat, {"migrate_from_chat_id": self.chat.id}),
        ):
            message = Message(id=self._world.number(), chat=where, date=int(self._world.now()), sender=ANONYMOUS)
            self._world.push("message", {**self._world.keep(message).to_json(), **told})
        return Room(self._world, chat)


def _write(
    world: World, chat: Chat, text: str, sender: Person | None, *,
    sender_chat: Chat | None = None, kind: str = "message", ago_s: float = 0, reply_to: Message | None = None,
) -> Message:  # fmt: skip
    plain, entities = finish(text, [])
    message = Message(
        id=world.number(), chat=chat, date=int(world.now() - ago_s), sender=sender, text=plain, entities=entities,
        sender_chat=sender_chat, reply_to=reply_to,
    )  # fmt: skip
    world.keep(message)
    world.transcript.add(chat.title, sender.name if sender else chat.title, plain)
    if _is_heard(world, message):
        world.push(kind, message.to_json())
    return message


def _is_heard(world: World, message: Message) -> bool:
    """Whether privacy mode lets the bot hear a message."""
    chat, bot = message.chat, world.bot
    if chat.kind not in ("group", "supergroup") or chat.members.get(bot.id) == "administrator":
        return True
    if message.reply_to is not None and message.reply_to.sender is bot:
        return True
    command, at, addressee = message.text.partition(" ")[0].partition("@")
    return command.startswith("/") and (not at or addressee.lower() == bot.username.lower())
