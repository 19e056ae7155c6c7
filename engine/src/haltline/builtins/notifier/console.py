"""The channel `console`: messages on the terminal, coloured where it is one."""

import asyncio
import sys
import threading
from typing import TextIO

from rich.console import Console
from rich.text import Text

from haltline.api import Message, NotifierKind, NotifierSetup
from haltline.clock import to_iso
from haltline.errors import Transient
from haltline.errors.inert import inert
from haltline.model.rule import Severity

_STYLE = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}
_WRITE_TIMEOUT_S = 5.0


class ConsoleNotifier:
    """Writes each message in a worker thread, so that a paused terminal delays nothing but its own messages.

    While one write hangs, the next `send` fails as Transient at once. What the terminal cannot show is a `?`.
    """

    def __init__(self, stream: TextIO | None = None, *, is_plain: bool = False) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._is_plain = is_plain
        self._free = threading.Semaphore()

    async def send(self, message: Message) -> None:
        """Write one message; raises Transient while the terminal does not take it."""
        try:
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                await asyncio.to_thread(self._write, message)
        except (TimeoutError, OSError) as error:
            raise Transient("the terminal does not take messages") from error

    def _write(self, message: Message) -> None:
        if not self._free.acquire(blocking=False):
            raise Transient("the terminal has not taken the message before")
        try:
            encoding = self._stream.encoding or "utf-8"
            shown = as_text(message).encode(encoding, "replace").decode(encoding)
            if self._is_plain or not self._stream.isatty():
                self._stream.write(shown + "\n")
            else:
                Console(file=self._stream, highlight=False, soft_wrap=True).print(_coloured(shown, message.severity))
            self._stream.flush()
        finally:
            self._free.release()


def as_text(message: Message) -> str:
    """One message as plain lines: time, severity, title, text, facts."""
    head = f"{to_iso(message.at)} {message.severity.value.upper()} {message.title}"
    body = [message.text] if message.text and message.text != message.title else []
    facts = [f"{label}: {fact}" for label, fact in message.facts]
    return inert("\n  ".join([head, *body, *([" · ".join(facts)] if facts else [])]))


def _coloured(shown: str, severity: Severity) -> Text:
    """The first line coloured by severity; the text is never read as markup."""
    head, _, rest = shown.partition("\n")
    text = Text(head, style=_STYLE[severity])
    if rest:
        text.append("\n" + rest, style="default")
    return text


def make_console(setup: NotifierSetup) -> ConsoleNotifier:
    """The channel from its `config`."""
    stream = sys.stdout if setup.config.get("stream") == "stdout" else sys.stderr
    return ConsoleNotifier(stream, is_plain=bool(setup.config.get("plain", False)))


CONSOLE = NotifierKind(
    name="console",
    make=make_console,
    meaning="messages on the terminal",
    schema={
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "stream": {"enum": ["stdout", "stderr"], "description": "where to write; stderr if left out"},
            "plain": {"type": "boolean", "description": "never use colours"},
        },
    },
)
