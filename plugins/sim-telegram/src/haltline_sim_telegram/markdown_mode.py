"""Text in parse modes MarkdownV2 and Markdown (the legacy one), and the platform's words for what it refuses."""

from dataclasses import dataclass

from haltline_sim_telegram.entity import Entity, units
from haltline_sim_telegram.failure import bad_request

_RESERVED = "_*[]()~`>#+-=|{}.!"
_NAMES = {
    "bold": "Bold", "italic": "Italic", "underline": "Underline", "strikethrough": "Strikethrough", "code": "Code",
    "spoiler": "Spoiler", "pre": "Pre", "text_link": "TextUrl", "custom_emoji": "CustomEmoji",
}  # fmt: skip
_MARKS = (
    ("```", "pre"), ("__", "underline"), ("||", "spoiler"), ("![", "custom_emoji"), ("`", "code"), ("_", "italic"),
    ("*", "bold"), ("~", "strikethrough"), ("[", "text_link"),
)  # fmt: skip
_ENDS = {kind: mark for mark, kind in _MARKS} | {"text_link": "]", "custom_emoji": "]"}


@dataclass(slots=True)
class _Open:
    kind: str
    offset: int
    at: int
    """The byte offset in the source, for messages."""
    language: str = ""


class _Reader:
    """MarkdownV2: every reserved character either marks an entity or is escaped."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.place = 0
        self.text = ""
        self.entities: list[Entity] = []
        self.open: list[_Open] = []
        self.quote: int | None = None

    def read(self) -> None:
        while self.place < len(self.source):
            self._step()
        self._end_quote()
        if self.open:
            last = self.open[-1]
            raise _refusal(f"Can't find end of {_NAMES[last.kind]} entity at byte offset {last.at}")

    def _step(self) -> None:
        letter = self.source[self.place]
        following = self.source[self.place + 1 : self.place + 2]
        if letter == "\\" and following and ord(following) <= 126:
            self.text += following
            self.place += 2
        elif letter not in ("`" if self._is_verbatim() else _RESERVED):
            self._plain(letter)
        elif self.open and self._ends(self.open[-1].kind):
            self._close(self.open.pop())
        elif letter == ">" and not self.open and self.text[-1:] in ("", "\n"):
            self.quote = units(self.text) if self.quote is None else self.quote
            self.place += 1
        else:
            self._begin(letter)

    def _plain(self, letter: str) -> None:
        self.text += letter
        self.place += 1
        if letter == "\n" and not self.source.startswith(">", self.place):
            self._end_quote()

    def _end_quote(self) -> None:
        if self.quote is not None:
            length = units(self.text) - self.quote
            self.entities.append(Entity(kind="blockquote", offset=self.quote, length=length))
            self.quote = None

    def _is_verbatim(self) -> bool:
        return bool(self.open) and self.open[-1].kind in ("code", "pre")

    def _ends(self, kind: str) -> bool:
        if kind == "italic" and self.source.startswith("__", self.place):
            return False
        return self.source.startswith(_ENDS[kind], self.place)

    def _begin(self, letter: str) -> None:
        found = next((each for each in _MARKS if self.source.startswith(each[0], self.place)), None)
        if found is None:
            raise _refusal(f"Character '{letter}' is reserved and must be escaped with the preceding '\\'")
        mark, kind = found
        opened = _Open(kind, units(self.text), len(self.source[: self.place].encode()))
        self.place += len(mark)
        if kind == "pre":
            opened.language = self._language()
        self.open.append(opened)

    def _language(self) -> str:
        line = self.source[self.place :].partition("\n")[0]
        if "`" in line or any(letter.isspace() for letter in line):
            return ""
        self.place += len(line) + (self.source[self.place + len(line) : self.place + len(line) + 1] == "\n")
        return line

    def _close(self, last: _Open) -> None:
        self.place += len(_ENDS[last.kind])
        extra: tuple[tuple[str, str], ...] = (("language", last.language),) if last.language else ()
        if last.kind in ("text_link", "custom_emoji"):
            address = self._address()
            name, kept = (
                ("url", address) if last.kind == "text_link" else ("custom_emoji_id", address.partition("id=")[2])
            )
            extra = ((name, kept),) if kept else ()
            if not extra:
                return
        length = units(self.text) - last.offset
        if length:
            self.entities.append(Entity(kind=last.kind, offset=last.offset, length=length, extra=extra))

    def _address(self) -> str:
        if not self.source.startswith("(", self.place):
            return ""
        begun, found = len(self.source[: self.place].encode()), ""
        self.place += 1
        while self.place < len(self.source) and self.source[self.place] != ")":
            self.place += self.source[self.place] == "\\" and self.place + 1 < len(self.source)
            found += self.source[self.place]
            self.place += 1
        if self.place >= len(self.source):
            raise _refusal(f"Can't find end of a URL at byte offset {begun}")
        self.place += 1
        return found


def parse_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """The plain text and its entities; raises ApiError 400."""
    reader = _Reader(source)
    reader.read()
    return reader.text, reader.entities


def parse_markdown(source: str) -> tuple[str, list[Entity]]:
    """The legacy mode, in which entities do not nest; raises ApiError 400."""
    text, entities, place = "", list[Entity](), 0
    while place < len(source):
        letter = source[place]
        if letter == "\\" and source[place + 1 : place + 2] in ("_", "*", "`", "["):
            text, place = text + source[place + 1], place + 2
            continue
        if letter not in "_*`[":
            text, place = text + letter, place + 1
            continue
        mark = "```" if source.startswith("```", place) else letter
        end = source.find({"[": "]"}.get(mark, mark), place + len(mark))
        if end < 0:
            at = len(source[:place].encode())
            raise _refusal(f"Can't find end of the entity starting at byte offset {at}")
        inner, kind = source[place + len(mark) : end], {"_": "italic", "*": "bold", "`": "code", "```": "pre"}.get(mark)
        extra: tuple[tuple[str, str], ...] = ()
        place = end + len(mark)
        if mark == "[":
            url, place = _legacy_address(source, place)
            kind, extra = ("text_link", (("url", url),)) if url else (None, ())
        if kind and inner:
            entities.append(Entity(kind=kind, offset=units(text), length=units(inner), extra=extra))
        text += inner
    return text, entities


def _legacy_address(source: str, place: int) -> tuple[str, int]:
    end = source.find(")", place)
    return (source[place + 1 : end], end + 1) if source.startswith("(", place) and end > 0 else ("", place)


def _refusal(what: str) -> Exception:
    return bad_request(f"can't parse entities: {what}")
