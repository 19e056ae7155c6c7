"""The channel `jsonl`: one JSON object a line, appended to a file, for other programs to read."""

import asyncio
import os
from pathlib import Path

import msgspec

from haltline.api import Message, NotifierKind, NotifierSetup
from haltline.errors import Refused, Transient


class JsonlNotifier:
    """Appends to `path`; with `fsync` a message counts as delivered only once the disk has it.

    A line is one write to a file opened for appending, so that two writers never mix their lines.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self._path = path
        self._fsync = fsync

    async def send(self, message: Message) -> None:
        """Append one message; raises Refused where the file cannot be opened, Transient where writing fails."""
        line = msgspec.json.encode(message) + b"\n"
        try:
            await asyncio.to_thread(self._append, line)
        except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError) as error:
            raise Refused(f"{self._path.name} cannot be written: {error.strerror}") from error
        except OSError as error:
            raise Transient(f"{self._path.name} cannot be written now: {error.strerror}") from error

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            written = os.write(descriptor, line)
            if written != len(line):
                os.write(descriptor, b"\n")
                raise OSError(28, "the line was cut short")
            if self._fsync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_jsonl(setup: NotifierSetup) -> JsonlNotifier:
    """The channel from its `config`; a relative path starts in the folder of the set-up."""
    path = (setup.directory or Path()) / Path(str(setup.config["path"])).expanduser()
    return JsonlNotifier(path, fsync=setup.config.get("fsync") is True)


JSONL = NotifierKind(
    name="jsonl",
    make=make_jsonl,
    meaning="messages as JSON lines, appended to a file",
    schema={
        "type": "object",
        "additionalProperties": False,
        "required": ["path"],
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "the file to append to, relative to the set-up"},
            "fsync": {"type": "boolean", "description": "wait for the disk after each message"},
        },
    },
)
