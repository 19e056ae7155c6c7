"""Text in parse mode HTML: the few tags the platform knows, and its words for what it refuses."""

import re
from dataclasses import dataclass

from haltline_sim_telegram.entity import Entity, units
from haltline_sim_telegram.failure import bad_request

_KINDS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler",
    "span": "spoiler", "code": "code", "pre": "pre", "a": "text_link", "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}  # fmt: skip
_TOKEN = re.compile(r"&(?:#(\d{1,8})|#[xX]([0-9a-fA-F]{1,8})|(lt|gt|amp|quot));|<")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_ATTRIBUTE = re.compile(r"\s+([a-zA-Z-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([\w.-]+)))?")


@dataclass(slots=True)
class _Open:
    tag: str
    offset: int
    extra: dict[str, str]


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.text = ""
        self.entities: list[Entity] = []
        self.open: list[_Open] = []

    def read(self) -> None:
        place = 0
        while match := _TOKEN.search(self.source, place):
            self.text += self.source[place : match.start()]
            place = self._tag(match.start()) if match[0] == "<" else self._character(match)
        self.text += self.source[place:]
        if self.open:
            raise _refusal(f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"')

    def _character(self, match: re.Match[str]) -> int:
        decimal, hexadecimal, name = match.groups()
        code = ord(_NAMED[name]) if name else int(decimal or hexadecimal, 10 if decimal else 16)
        is_real = 0 < code < 0x110000 and not 0xD800 <= code <= 0xDFFF
        self.text += chr(code) if is_real else match[0]
        return match.end()

    def _tag(self, start: int) -> int:
        at = len(self.source[:start].encode())
        if self.source.startswith("</", start):
            return self._end(start, at)
        name = re.compile(r"[^\s>]*").match(self.source, start + 1)
        tag = (name[0] if name else "").lower()
        if tag not in _KINDS:
            raise _refusal(f'Unsupported start tag "{tag}" at byte offset {at}')
        place, given = start + 1 + len(tag), dict[str, str]()
        while found := _ATTRIBUTE.match(self.source, place):
            given[found[1].lower()] = next((v for v in found.groups()[1:] if v is not None), "")
            place = found.end()
        place += len(self.source[place:]) - len(self.source[place:].lstrip())
        if not self.source.startswith(">", place):
            raise _refusal(f"Unclosed start tag at byte offset {at}")
        if tag == "span" and given.get("class") != "tg-spoiler":
            raise _refusal(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
        self.open.append(_Open(tag, units(self.text), given))
        return place + 1

    def _end(self, start: int, at: int) -> int:
        close = self.source.find(">", start)
        if not self.open:
            raise _refusal(f"Unexpected end tag at byte offset {at}")
        if close < 0:
            raise _refusal(f"Unclosed end tag at byte offset {at}")
        found, last = self.source[start + 2 : close].strip().lower(), self.open.pop()
        if found and found != last.tag:
            told = f'Unmatched end tag at byte offset {at}, expected "</{last.tag}>", found "</{found}>"'
            raise _refusal(told)
        self._keep(last)
        return close + 1

    def _keep(self, last: _Open) -> None:
        length, kind = units(self.text) - last.offset, _KINDS[last.tag]
        extra: tuple[tuple[str, str], ...] = ()
        if last.tag == "a":
            extra = (("url", last.extra.get("href", "")),)
        elif last.tag == "tg-emoji":
            extra = (("custom_emoji_id", last.extra.get("emoji-id", "")),)
        elif last.tag == "blockquote" and "expandable" in last.extra:
            kind = "expandable_blockquote"
        if length and not (last.tag == "a" and not last.extra.get("href")):
            self.entities.append(Entity(kind=kind, offset=last.offset, length=length, extra=extra))


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """The plain text and its entities; raises ApiError 400."""
    reader = _Reader(source)
    reader.read()
    return reader.text, reader.entities


def _refusal(what: str) -> Exception:
    return bad_request(f"can't parse entities: {what}")
