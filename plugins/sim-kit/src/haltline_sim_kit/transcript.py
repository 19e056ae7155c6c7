"""Everything that was said, in order, to be printed."""

from collections.abc import Sequence
from dataclasses import dataclass

type ButtonRows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that somebody did. `verb` is empty for plain speech."""

    place: str
    who: str
    text: str
    verb: str = ""
    buttons: ButtonRows = ()

    def __str__(self) -> str:
        """As a paragraph: who, then the text, indented where it has several lines, then a row of buttons a line."""
        head = f"[{self.place}] {self.who}{' ' + self.verb if self.verb else ''}:"
        body = self.text.splitlines() or [""]
        rows = ["  ".join(f"[{label}]" for label in row) for row in self.buttons]
        if len(body) == 1 and not rows:
            return f"{head} {body[0]}".rstrip()
        return "\n".join([head, *(f"    {line}".rstrip() for line in (*body, *rows))])


class Transcript:
    """What was said so far; `str` prints it."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def add(self, place: str, who: str, text: str, *, verb: str = "", buttons: ButtonRows = ()) -> None:
        """Write down one line."""
        self.lines.append(Line(place=place, who=who, text=text, verb=verb, buttons=buttons))

    def __str__(self) -> str:
        """All of it, a paragraph a line."""
        return "\n".join(str(line) for line in self.lines)
