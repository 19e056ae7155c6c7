"""Where the words of a command go: JSON on standard output, or text that fits the terminal."""

import os
import sys
from functools import cached_property
from typing import TextIO

import msgspec
from rich.console import Console

from haltline.errors.inert import inert


def encode(record: object) -> str:
    """One line of JSON; unknown numbers are null, Decimals and paths are text."""
    return msgspec.json.encode(record, enc_hook=str).decode()


class Output:
    """The terminal as one command sees it.

    `json` asks for JSON and silence otherwise. `plain` is on when asked for, when standard output is not a terminal,
    or when NO_COLOR or TERM=dumb says so: then no colours and nothing that moves. `unicode` is off where bars and
    boxes cannot be shown.
    """

    def __init__(self, *, json: bool = False, plain: bool = False, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.json = json
        self.plain = plain or not self.stream.isatty() or bool(os.environ.get("NO_COLOR")) or _is_dumb()
        encoding = (getattr(self.stream, "encoding", None) or "ascii").lower().replace("-", "")
        self.unicode = encoding.startswith("utf") and not plain

    @cached_property
    def console(self) -> Console:
        """Rich's console: colours on a terminal, long lines untouched elsewhere."""
        return Console(
            file=self.stream,
            no_color=self.plain or None,
            color_system=None if self.plain else "auto",
            highlight=False,
            emoji=False,
            safe_box=True,
            width=None if self.stream.isatty() else 100,
            legacy_windows=False if self.plain else None,
        )

    def emit(self, record: object) -> None:
        """Write one record as one line of JSON."""
        self.stream.write(encode(record) + "\n")
        self.stream.flush()

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """Write a line for people, never wrapped; neither square brackets nor control characters in it do anything."""
        if not self.json:
            self.console.print(inert(text), style=style, markup=False, soft_wrap=True)

    def show(self, *renderables: object) -> None:
        """Write tables and panels."""
        if not self.json:
            self.console.print(*renderables)


def _is_dumb() -> bool:
    return os.environ.get("TERM") == "dumb"
