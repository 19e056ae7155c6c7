"""What a chat shows: items that stay whole, buttons, pictures. No markup: each bot escapes for itself."""

from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec

from haltline.api import Button, Picture, Tone


class Style(StrEnum):
    """How an item is set. `mono` keeps its columns: a table."""

    HEADING = "heading"
    TEXT = "text"
    NOTE = "note"
    MONO = "mono"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One unit of text: a heading, a sentence, a card, a table. Raw text from people and venues."""

    text: str
    style: Style = Style.TEXT


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer or message. A `private` one is for whoever asked alone."""

    items: tuple[Item, ...]
    tone: Tone = Tone.PLAIN
    buttons: tuple[Button, ...] = ()
    pictures: tuple[Picture, ...] = ()
    private: bool = False

    @property
    def text(self) -> str:
        """Everything in plain text."""
        return "\n".join(item.text for item in self.items)


type Draw = Callable[[Item], str]
"""An item in a platform's markup, escaped."""

type Measure = Callable[[str], int]
"""How long a platform takes a text to be."""


def pages(view: View, draw: Draw, *, limit: int, measure: Measure = len, between: str = "\n") -> list[str]:
    """The view in the platform's markup, cut into messages no longer than `limit`.

    Items stay whole where they fit in a message; a longer one is cut at a line, a longer line anywhere. At least one
    page, possibly empty. Raises ValueError where not even a single character fits.
    """
    found: list[str] = []
    page = ""
    for piece in _pieces(view, draw, limit, measure):
        longer = f"{page}{between}{piece}" if page else piece
        if page and measure(longer) > limit:
            found.append(page)
            page = piece
        else:
            page = longer
    return [*found, page] if page or not found else found


def _pieces(view: View, draw: Draw, limit: int, measure: Measure) -> Iterator[str]:
    for item in view.items:
        drawn = draw(item)
        if measure(drawn) <= limit:
            yield drawn
        else:
            yield from _cut(item, draw, limit, measure)


def _cut(item: Item, draw: Draw, limit: int, measure: Measure) -> Iterator[str]:
    """An item that is too long for any message, in parts that are not."""
    held = ""
    for line in _lines(item, draw, limit, measure):
        longer = f"{held}\n{line}" if held else line
        if held and measure(draw(msgspec.structs.replace(item, text=longer))) > limit:
            yield draw(msgspec.structs.replace(item, text=held))
            held = line
        else:
            held = longer
    if held:
        yield draw(msgspec.structs.replace(item, text=held))


def _lines(item: Item, draw: Draw, limit: int, measure: Measure) -> Iterator[str]:
    """Its lines, each short enough to stand in a message of its own."""
    for line in item.text.split("\n"):
        rest = line
        while measure(draw(msgspec.structs.replace(item, text=rest))) > limit:
            end = _longest(item, rest, draw, limit, measure)
            yield rest[:end]
            rest = rest[end:]
        yield rest


def _longest(item: Item, line: str, draw: Draw, limit: int, measure: Measure) -> int:
    """How many characters of a line fit, escaped as they are."""
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(draw(msgspec.structs.replace(item, text=line[:middle]))) <= limit:
            low = middle
        else:
            high = middle - 1
    if low == 0:
        raise ValueError(f"a message of {limit} characters has no room for text")
    return low
