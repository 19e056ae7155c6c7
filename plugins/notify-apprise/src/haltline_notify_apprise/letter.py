"""What a service is given of a message: a title and a text that fit, and in which nothing of others is obeyed.

Symbols, account names and titles of rules are written by others. So line breaks in a title are spaces, control
characters are visible signs, and the signs that would notify everybody or hide a link are replaced by ones that look
alike. Markup itself is escaped by Apprise, which is told that the text is plain.
"""

import re
from dataclasses import dataclass

from haltline.api import Message
from haltline.errors.inert import inert
from haltline.model.rule import Severity

_ENDLESS = 1 << 20
_BREAK = 2
_LOOKALIKES = {
    "@": "\N{FULLWIDTH COMMERCIAL AT}",
    "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
    "]": "\N{FULLWIDTH RIGHT SQUARE BRACKET}",
}
_OBEYED = re.compile(r"(?<![\w.+-])@(?=[\w&!*])|<(?=[@#!&:/]|users/|https?:)|\](?=\()", re.IGNORECASE)
_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a service takes: `body` and `title` characters (0: any length, no title), and so many `lines` (0: any; more
    would be cut off). With `shared` the title counts as part of the text."""

    body: int
    title: int
    shared: bool = False
    lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """`kind` is one of Apprise's types: info, success, warning, failure."""

    title: str
    body: str
    kind: str


def letter_of(message: Message, room: Room) -> Letter:
    """The text goes whole, the pipeline has split it; the title and the facts as far as there is room beside it."""
    text = tame(message.text) or tame(message.title)
    left = (room.body if room.body > 0 else _ENDLESS) - length(text)
    title = _line(f"{message.severity.value.upper()} {message.title}")
    in_body = room.title <= 0
    if not in_body:
        title = _cut(title, room.title)
    if in_body or room.shared:
        title = title if length(title) + _BREAK <= left else ""
        left -= length(title) + _BREAK
    facts = _fitting(message, left - _BREAK)
    paragraphs = [f"{title}\n{text}" if in_body and title else text, *(["\n".join(facts)] if facts else [])]
    body = "\n\n".join(paragraphs)
    if 0 < room.lines <= body.count("\n"):
        body = " · ".join(line.strip() for line in body.splitlines() if line.strip())
    kind = "success" if message.phase == "resolved" else _TYPES[message.severity]
    return Letter(title="" if in_body else title, body=body, kind=kind)


def tame(text: str) -> str:
    """The text without anything that a terminal, a mail header or a chat would obey."""
    clean = inert(text.replace("\r\n", "\n")).encode("utf-8", "replace").decode()
    return _OBEYED.sub(lambda found: _LOOKALIKES[found[0]], clean)


def length(text: str) -> int:
    """The length as the strictest service counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _line(text: str) -> str:
    return " ".join(tame(text).split())


def _cut(text: str, most: int) -> str:
    if length(text) <= most:
        return text
    kept = text[: most - 1]
    while length(kept) >= most:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _fitting(message: Message, left: int) -> list[str]:
    facts = []
    for label, fact in message.facts:
        line = _line(f"{label}: {fact}")
        left -= length(line) + 1
        if left < 0:
            break
        facts.append(line)
    return facts
