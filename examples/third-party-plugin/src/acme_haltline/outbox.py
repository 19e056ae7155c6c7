"""A channel: each message becomes a file in a folder, complete or not at all."""

import asyncio
import os
from pathlib import Path

from haltline.api import Message, NotifierKind, NotifierSetup
from haltline.errors import Refused, Transient


class Outbox:
    """Writes ``<id>.txt`` beside its final place and moves it there, so that a reader never sees half a message."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: Message) -> None:
        """Leave one message; sending it again replaces the file, so a repeat is harmless."""
        try:
            await asyncio.to_thread(self._write, message)
        except PermissionError as error:
            raise Refused(f"the folder cannot be written: {error.strerror}") from error
        except OSError as error:
            raise Transient(f"the folder cannot be written now: {error.strerror}") from error

    def _write(self, message: Message) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in message.id)
        draft = self._folder / f".{name}.part"
        draft.write_text(f"{message.title}\n\n{message.text}\n", encoding="utf-8")
        os.replace(draft, self._folder / f"{name}.txt")


def make_outbox(setup: NotifierSetup) -> Outbox:
    """The channel from its `config`, which the engine has checked; a relative folder starts beside the set-up."""
    return Outbox((setup.directory or Path()) / str(setup.config["folder"]))


OUTBOX = NotifierKind(
    name="outbox",
    make=make_outbox,
    meaning="one file a message in a folder",
    schema={
        "type": "object",
        "additionalProperties": False,
        "required": ["folder"],
        "properties": {"folder": {"type": "string", "minLength": 1, "description": "where the files go"}},
    },
)
