"""What a message is made of, read from the parameters of a request: formatted text, inline keyboard, files."""

import json
import struct
from typing import Any

from haltline_sim_telegram.entity import Entity, finish, units
from haltline_sim_telegram.failure import ApiError, bad_request
from haltline_sim_telegram.html_mode import parse_html
from haltline_sim_telegram.markdown_mode import parse_markdown, parse_markdown_v2
from haltline_sim_telegram.record import File, Json, Keyboard

LONGEST_TEXT, LONGEST_CAPTION = 4096, 1024
_MODES = {"html": parse_html, "markdownv2": parse_markdown_v2, "markdown": parse_markdown}
_DOES = frozenset(
    {"url", "callback_data", "web_app", "login_url", "switch_inline_query", "switch_inline_query_current_chat",
     "switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay"}
)  # fmt: skip
_MOST_BUTTONS = 100
_MOST_PHOTO_BYTES, _MOST_FILE_BYTES = 10 << 20, 50 << 20


def read_text(given: Json, words: str = "text") -> tuple[str, tuple[Entity, ...]]:
    """The text and its entities; raises ApiError 400."""
    text, mode = str(given.get(words, "")), str(given.get("parse_mode", "")).lower()
    if mode and mode not in _MODES:
        raise bad_request("unsupported parse_mode")
    marks = given.get("entities" if words == "text" else "caption_entities") or []
    if mode:
        plain, entities = _MODES[mode](text)
    else:
        plain, entities = text, [_entity(each) for each in marks]
    found, kept = finish(plain, entities)
    if words == "text" and not found:
        raise bad_request("message text is empty")
    if units(found) > (LONGEST_TEXT if words == "text" else LONGEST_CAPTION):
        raise bad_request("message is too long" if words == "text" else "message caption is too long")
    return found, kept


def _entity(given: Any) -> Entity:
    try:
        extra = tuple((k, str(v)) for k, v in given.items() if k in ("url", "language", "custom_emoji_id"))
        return Entity(kind=given["type"], offset=given["offset"], length=given["length"], extra=extra)
    except (AttributeError, KeyError, TypeError):
        raise bad_request("can't parse MessageEntity") from None


def read_keyboard(given: Json) -> Keyboard:
    """The inline keyboard, empty where there is none or another kind of markup; raises ApiError 400."""
    markup = given.get("reply_markup")
    if not markup:
        return ()
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard", [])
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request("can't parse inline keyboard: array of arrays expected")
    found = tuple(tuple(_button(button) for button in row) for row in rows if row)
    if sum(map(len, found)) > _MOST_BUTTONS:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return found


def _button(button: Any) -> Json:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request('can\'t parse inline keyboard button: field "text" must be of type String')
    does = _DOES & set(button)
    if len(does) != 1:
        raise bad_request("text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(str(data).encode()) <= 64:
        raise bad_request("BUTTON_DATA_INVALID")
    url = button.get("url")
    if url is not None and not str(url).startswith(("http://", "https://", "tg://")):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    return dict(button)


def check_photo(file: File) -> File:
    """Measure a picture; raises ApiError where the platform could not show it."""
    if len(file.content) > _MOST_PHOTO_BYTES:
        raise ApiError(413, "Request Entity Too Large")
    size = _size(file.content)
    if size is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    file.width, file.height = size
    if sum(size) > 10_000 or min(size) == 0 or max(size) > 20 * min(size):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return file


def check_document(file: File) -> File:
    """Raise ApiError where the platform would not take the file."""
    if len(file.content) > _MOST_FILE_BYTES:
        raise ApiError(413, "Request Entity Too Large")
    if not file.content:
        raise bad_request("file must be non-empty")
    return file


def _size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    place = 2 if content.startswith(b"\xff\xd8") else len(content)
    while place + 9 <= len(content) and content[place] == 0xFF:
        if content[place + 1] in (0xC0, 0xC1, 0xC2):
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return None


_STRUCTURED = frozenset(
    {"reply_markup", "entities", "caption_entities", "allowed_updates", "commands", "media", "scope",
     "link_preview_options", "reply_parameters", "menu_button", "permissions", "message_ids", "rights"}
)  # fmt: skip


def decode(fields: dict[str, str]) -> Json:
    """Form fields as parameters: some hold JSON; raises ApiError 400."""
    found: Json = dict(fields)
    for name in _STRUCTURED & fields.keys():
        try:
            found[name] = json.loads(fields[name])
        except ValueError:
            what = "reply keyboard markup" if name == "reply_markup" else name
            raise bad_request(f"can't parse {what} JSON object") from None
    return found
