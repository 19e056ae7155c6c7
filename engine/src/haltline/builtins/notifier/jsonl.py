"""The channel `jsonl`: one JSON object a line, appended to a file, for other programs to read."""

import asyncio
import json
import threading
from pathlib import Path

import msgspec

from haltline.api import Message, NotifierKind, NotifierSetup
from haltline.builtins.notifier.linefile import LineFile
from haltline.errors import Refused, Transient

_WRITE_TIMEOUT_S = 10.0
_MOST_UNDER_WAY = 4
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


class JsonlNotifier:
    """Appends to a file in worker threads; while several writes hang, the next `send` fails as Transient at once."""

    def __init__(self, path: Path, *, fsync: bool = False, rotate_bytes: int | None = None, keep: int = 5) -> None:
        self._file = LineFile(path, fsync=fsync, rotate_bytes=rotate_bytes, keep=keep)
        self._free = threading.Semaphore(_MOST_UNDER_WAY)

    async def send(self, message: Message) -> None:
        """Append one message; raises Refused where the file cannot be opened, Transient where writing fails."""
        name = self._file.path.name
        try:
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                await asyncio.to_thread(self._append, _line(message))
        except TimeoutError as error:
            raise Transient(f"{name} does not take messages") from error
        except _LASTING as error:
            raise Refused(f"{name} cannot be written: {error.strerror}") from error
        except OSError as error:
            raise Transient(f"{name} cannot be written now: {error.strerror}") from error

    def _append(self, line: bytes) -> None:
        if not self._free.acquire(blocking=False):
            raise Transient(f"{self._file.path.name} has not taken the messages before")
        try:
            self._file.append(line)
        finally:
            self._free.release()


def _line(message: Message) -> bytes:
    try:
        return msgspec.json.encode(message) + b"\n"
    except UnicodeEncodeError:  # half a character, as broken clients of others send them
        return json.dumps(msgspec.to_builtins(message), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def make_jsonl(setup: NotifierSetup) -> JsonlNotifier:
    """The channel from its `config`; a relative path starts in the folder of the set-up."""
    config = setup.config
    path = (setup.directory or Path()) / Path(str(config["path"])).expanduser()
    megabytes = config.get("rotate_mb")
    return JsonlNotifier(
        path, fsync=config.get("fsync") is True, keep=int(str(config.get("keep", 5))),
        rotate_bytes=None if megabytes is None else int(float(str(megabytes)) * 1_000_000),
    )  # fmt: skip


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
            "rotate_mb": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "at this size, in megabytes, the file becomes `….1` and a new one begins; never if left "
                "out",
            },
            "keep": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5,
                     "description": "how many of the older files stay"},
        },
    },
)  # fmt: skip
