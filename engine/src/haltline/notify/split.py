"""Long messages in several parts: between whole items, then sentences, then words; nothing is lost."""

import re

import msgspec

from haltline.api import Message

_MARK = 12
"""Room for "(12/34) " before the text of a part."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def length(text: str) -> int:
    """The length as the strictest platform counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split_message(message: Message, most: int | None) -> list[Message]:
    """The message, or its parts, each with a text of at most `most`; buttons and image go with the last one."""
    if most is None or length(message.text) <= most:
        return [message]
    room = max(most - _MARK, 1)
    texts = _packed(message.items or (message.text,), room)
    total = len(texts)
    parts = []
    for number, text in enumerate(texts, 1):
        last = number == total
        parts.append(
            msgspec.structs.replace(
                message,
                id=f"{message.id}#{number}/{total}",
                text=f"({number}/{total}) {text}",
                items=(),
                buttons=message.buttons if last else (),
                image=message.image if last else b"",
                facts=message.facts if last else (),
                update=False,
                thread=message.thread if last else "",
            )
        )
    return parts


def _packed(items: tuple[str, ...], room: int) -> list[str]:
    """Items joined by lines into as few texts as fit; one that is too long by itself is cut."""
    texts: list[str] = []
    for item in items:
        for piece in [item] if length(item) <= room else _cut(item, room):
            if texts and length(texts[-1]) + 1 + length(piece) <= room:
                texts[-1] += "\n" + piece
            else:
                texts.append(piece)
    return texts


def _cut(text: str, room: int) -> list[str]:
    for pieces in (_SENTENCE_END.split(text), text.split(" ")):
        if len(pieces) > 1 and all(length(piece) <= room for piece in pieces):
            return _joined(pieces, room)
    return _joined([part for piece in text.split(" ") for part in _hard(piece, room)], room)


def _joined(pieces: list[str], room: int) -> list[str]:
    texts: list[str] = []
    for piece in pieces:
        if texts and length(texts[-1]) + 1 + length(piece) <= room:
            texts[-1] += " " + piece
        else:
            texts.append(piece)
    return texts


def _hard(word: str, room: int) -> list[str]:
    """A word that is longer than a whole message, cut between characters."""
    parts, current = [], ""
    for sign in word:
        if current and length(current) + length(sign) > room:
            parts.append(current)
            current = ""
        current += sign
    return [*parts, current]
