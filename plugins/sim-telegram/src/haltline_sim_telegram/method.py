"""The methods of the Bot API that write, change and answer. Each takes decoded parameters and returns the result."""

import re
from collections.abc import Callable

from haltline_sim_telegram.entity import Entity
from haltline_sim_telegram.failure import bad_request
from haltline_sim_telegram.markup import check_document, check_photo, read_keyboard, read_text
from haltline_sim_telegram.record import Chat, File, Json, Message
from haltline_sim_telegram.world import World

_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)
_ANSWERABLE_S = 60.0
"""How long after a press it may be answered. The platform does not publish this."""
_DELETABLE_S = 48 * 3600
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")

type Files = dict[str, File]
type Method = Callable[[World, Json, Files], object]


def send_message(world: World, given: Json, files: Files) -> object:
    """Write a text."""
    chat = world.writable(given.get("chat_id"))
    text, entities = read_text(given)
    message = _new(world, chat, given)
    message.text, message.entities = text, entities
    return _sent(world, message)


def send_photo(world: World, given: Json, files: Files) -> object:
    """Write a picture with a caption."""
    return _send_media(world, given, files, "photo")


def send_document(world: World, given: Json, files: Files) -> object:
    """Write a file with a caption."""
    return _send_media(world, given, files, "document")


def _send_media(world: World, given: Json, files: Files, kind: str) -> object:
    chat = world.writable(given.get("chat_id"))
    text, entities = read_text(given, "caption")
    file = _file(world, given.get(kind), files, kind)
    message = _new(world, chat, given)
    message.text, message.entities, message.media = text, entities, (kind, file)
    return _sent(world, message)


def send_media_group(world: World, given: Json, files: Files) -> object:
    """Write two to ten files at once; all are checked before any is written."""
    chat, items = world.writable(given.get("chat_id")), given.get("media")
    if not isinstance(items, list) or not 2 <= len(items) <= 10:
        raise bad_request("wrong number of items in the album")
    made = []
    for item in items:
        kind = str(item.get("type"))
        text, entities = read_text(item, "caption")
        made.append((text, entities, (kind, _file(world, item.get("media"), files, kind))))
    sent = []
    for text, entities, media in made:
        message = _new(world, chat, given)
        message.text, message.entities, message.media = text, entities, media
        sent.append(_sent(world, message))
    return sent


def send_chat_action(world: World, given: Json, files: Files) -> object:
    """Show that the bot is typing."""
    world.writable(given.get("chat_id"))
    if not given.get("action"):
        raise bad_request("wrong parameter action in request")
    return True


def edit_text(world: World, given: Json, files: Files) -> object:
    """Change the text of a message of the bot."""
    message = _editable(world, given)
    if message.media:
        raise bad_request("there is no text in the message to edit")
    text, entities = read_text(given)
    return _edited(world, message, text, entities, given)


def edit_caption(world: World, given: Json, files: Files) -> object:
    """Change the caption of a picture or file."""
    message = _editable(world, given)
    if not message.media:
        raise bad_request("there is no caption in the message to edit")
    text, entities = read_text(given, "caption")
    return _edited(world, message, text, entities, given)


def edit_markup(world: World, given: Json, files: Files) -> object:
    """Change only the buttons."""
    message = _editable(world, given)
    return _edited(world, message, message.text, message.entities, given)


def edit_media(world: World, given: Json, files: Files) -> object:
    """Exchange the picture or file."""
    message, item = _editable(world, given), given.get("media")
    if not isinstance(item, dict):
        raise bad_request("can't parse InputMedia: object expected")
    kind = str(item.get("type"))
    text, entities = read_text(item, "caption")
    file = _file(world, item.get("media"), files, kind)
    return _edited(world, message, text, entities, given, media=(kind, file))


def delete_message(world: World, given: Json, files: Files) -> object:
    """Take a message away: the bot's own, within two days."""
    chat = world.writable(given.get("chat_id"))
    message = world.message(chat, given.get("message_id"), "delete")
    rank = chat.members.get(world.bot.id)
    if (message.sender is not world.bot and rank != "administrator") or message.date < world.now() - _DELETABLE_S:
        raise bad_request("message can't be deleted")
    message.deleted = True
    world.transcript.add(chat.title, world.bot.name, message.text, verb="deletes")
    world.watch.changed()
    return True


def pin(world: World, given: Json, files: Files) -> object:
    """Pin a message."""
    chat = world.writable(given.get("chat_id"))
    world.message(chat, given.get("message_id"), "pin").pinned = True
    return True


def unpin(world: World, given: Json, files: Files) -> object:
    """Unpin a message."""
    chat = world.writable(given.get("chat_id"))
    world.message(chat, given.get("message_id"), "unpin").pinned = False
    return True


def answer_press(world: World, given: Json, files: Files) -> object:
    """End the waiting of whoever pressed a button, with a text or without."""
    press = world.presses.get(str(given.get("callback_query_id")))
    if press is None or press.answered or press.at < world.now() - _ANSWERABLE_S:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    text = str(given.get("text", ""))
    if len(text) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    press.answered, press.answer = True, text
    press.is_alert = str(given.get("show_alert", "")).lower() in ("true", "1")
    if text:
        verb = f"tells {press.by.name} alone"
        world.transcript.add(press.message.chat.title, world.bot.name, text, verb=verb)
    world.watch.changed()
    return True


def set_commands(world: World, given: Json, files: Files) -> object:
    """Set the menu of commands for a scope and language."""
    commands = given.get("commands")
    if not isinstance(commands, list):
        raise bad_request("can't parse commands JSON object")
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for each in commands:
        if not _COMMAND.fullmatch(str(each.get("command", "")).removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(each.get("description", ""))) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    world.commands[_scope(given)] = commands
    world.watch.changed()
    return True


def get_commands(world: World, given: Json, files: Files) -> object:
    """The menu of commands."""
    return world.commands.get(_scope(given), [])


def delete_commands(world: World, given: Json, files: Files) -> object:
    """Take the menu away."""
    world.commands.pop(_scope(given), None)
    return True


def get_me(world: World, given: Json, files: Files) -> object:
    """The bot itself."""
    return {
        **world.bot.to_json(), "can_join_groups": True, "can_read_all_group_messages": False,
        "supports_inline_queries": False, "can_connect_to_business": False, "has_main_web_app": False,
    }  # fmt: skip


def get_chat(world: World, given: Json, files: Files) -> object:
    """A chat in full."""
    full = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(_GIFTS, False)}
    return {**world.chat(given.get("chat_id")).to_json(), **full}


_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


def get_member(world: World, given: Json, files: Files) -> object:
    """What somebody is in a chat."""
    chat = world.chat(given.get("chat_id"))
    text = str(given.get("user_id", ""))
    person = world.people.get(int(text)) if text.isdigit() else None
    if person is None:
        raise bad_request("invalid user_id specified")
    found: Json = {"status": chat.members.get(person.id, "left"), "user": person.to_json()}
    if found["status"] == "creator":
        found["is_anonymous"] = False
    if found["status"] == "kicked":
        found["until_date"] = 0
    return found


def get_file(world: World, given: Json, files: Files) -> object:
    """Where a file can be had."""
    file = world.files.get(str(given.get("file_id")))
    if file is None:
        raise bad_request("invalid file_id")
    size = len(file.content)
    return {"file_id": file.file_id, "file_unique_id": file.unique_id, "file_size": size, "file_path": file.path}


METHODS: dict[str, Method] = {
    "getme": get_me, "sendmessage": send_message, "sendphoto": send_photo, "senddocument": send_document,
    "sendmediagroup": send_media_group, "sendchataction": send_chat_action, "editmessagetext": edit_text,
    "editmessagecaption": edit_caption, "editmessagereplymarkup": edit_markup, "editmessagemedia": edit_media,
    "deletemessage": delete_message, "pinchatmessage": pin, "unpinchatmessage": unpin,
    "answercallbackquery": answer_press, "setmycommands": set_commands, "getmycommands": get_commands,
    "deletemycommands": delete_commands, "getchat": get_chat, "getchatmember": get_member, "getfile": get_file,
}  # fmt: skip
"""By name in lower case. Those that poll are in `poll`."""


def _new(world: World, chat: Chat, given: Json) -> Message:
    keyboard = read_keyboard(given)
    thread = given.get("message_thread_id")
    if thread is not None and int(thread) not in chat.topics:
        raise bad_request("message thread not found")
    return Message(
        id=0, chat=chat, date=int(world.now()), sender=world.bot, keyboard=keyboard,
        reply_to=_reply(world, chat, given), thread=None if thread is None else int(thread),
        silent=str(given.get("disable_notification", "")).lower() == "true",
    )  # fmt: skip


def _reply(world: World, chat: Chat, given: Json) -> Message | None:
    asked = given.get("reply_parameters") or {}
    wanted = asked.get("message_id", given.get("reply_to_message_id"))
    if wanted is None:
        return None
    found = world.messages.get((chat.id, int(wanted)))
    if found is None or found.deleted:
        if asked.get("allow_sending_without_reply"):
            return None
        raise bad_request("message to be replied not found")
    return found


def _sent(world: World, message: Message) -> Json:
    world.pace.spend(message.chat.id, is_group=message.chat.kind in ("group", "supergroup"))
    message.id = world.number()
    world.keep(message)
    world.show(message)
    return message.to_json()


def _editable(world: World, given: Json) -> Message:
    chat = world.writable(given.get("chat_id"))
    message = world.message(chat, given.get("message_id"), "edit")
    if message.sender is not world.bot:
        raise bad_request("message can't be edited")
    return message


def _edited(
    world: World, message: Message, text: str, entities: tuple[Entity, ...], given: Json,
    media: tuple[str, File] | None = None,
) -> Json:  # fmt: skip
    keyboard, old = read_keyboard(given), message.media
    is_new = media is not None and (old is None or media[1].content != old[1].content)
    if not is_new and (text, entities, keyboard) == (message.text, message.entities, message.keyboard):
        raise bad_request(_NOT_MODIFIED)
    world.pace.spend(message.chat.id, is_group=message.chat.kind in ("group", "supergroup"))
    message.history.append((message.text, message.keyboard))
    message.text, message.entities, message.keyboard, message.media = text, entities, keyboard, media or old
    message.edited = int(world.now())
    world.show(message, verb=f"edits message {message.id}")
    return message.to_json()


def _file(world: World, wanted: object, files: Files, kind: str) -> File:
    if isinstance(wanted, File):
        file = wanted
    else:
        name = str(wanted or "")
        attached = files.get(name.removeprefix("attach://")) if name.startswith("attach://") else None
        known = attached or files.get(kind) or world.files.get(name)
        if known is None and not name:
            raise bad_request(f"there is no {kind} in the request")
        if known is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        file = known
    file = check_photo(file) if kind == "photo" else check_document(file)
    file.file_id = file.file_id or f"AgACAgSIM{world.number():016d}"
    world.files[file.file_id] = file
    return file


def _scope(given: Json) -> tuple[str, str]:
    scope = given.get("scope") or {"type": "default"}
    return ":".join(str(value) for value in scope.values()), str(given.get("language_code") or "")
