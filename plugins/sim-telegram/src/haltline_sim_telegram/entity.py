"""Formatted text: plain text with entities, whose places are counted in UTF-16 units as the platform counts them."""

import re
from dataclasses import dataclass
from typing import Any

type Json = dict[str, Any]

_FOUND = (
    ("bot_command", re.compile(r"(?<![\w/@>])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?![\w/])")),
    ("url", re.compile(r"\b(?:https?://[^\s<>\"]+|(?:[a-z0-9-]+\.)+(?:com|org|net|io|me)\b(?:/[^\s<>\"]*)?)", re.I)),
    ("mention", re.compile(r"(?<![\w@/])@[A-Za-z]\w{3,31}\b")),
    ("hashtag", re.compile(r"(?<![\w#])#\w*[^\W\d]\w*")),
    ("cashtag", re.compile(r"(?<![\w$])\$[A-Z]{1,8}\b")),
)  # fmt: skip
_CLOSED = frozenset({"code", "pre", "text_link", "url", "mention", "bot_command"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A part of a text; `offset` and `length` in UTF-16 units, `extra` its url, language or emoji."""

    kind: str
    offset: int
    length: int
    extra: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> Json:
        """As on the wire."""
        return {"type": self.kind, "offset": self.offset, "length": self.length, **dict(self.extra)}


def units(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def finish(text: str, entities: list[Entity]) -> tuple[str, tuple[Entity, ...]]:
    """Trim a text as the platform does, clip its entities, and find what clients would make clickable."""
    stripped = text.strip()
    lead = units(text[: len(text) - len(text.lstrip())])
    end = units(stripped)
    kept = []
    for each in entities:
        start, stop = max(0, each.offset - lead), min(end, each.offset - lead + each.length)
        if stop > start:
            kept.append(Entity(kind=each.kind, offset=start, length=stop - start, extra=each.extra))
    return stripped, tuple(sorted((*kept, *_clickable(stripped, kept)), key=lambda e: (e.offset, -e.length)))


def _clickable(text: str, given: list[Entity]) -> list[Entity]:
    taken = [(e.offset, e.offset + e.length) for e in given if e.kind in _CLOSED]
    found: list[Entity] = []
    for kind, pattern in _FOUND:
        for match in pattern.finditer(text):
            start, length = units(text[: match.start()]), units(match[0])
            if all(start + length <= low or start >= high for low, high in taken):
                found.append(Entity(kind=kind, offset=start, length=length))
                taken.append((start, start + length))
    return found
