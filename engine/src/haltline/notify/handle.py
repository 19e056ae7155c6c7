"""Handles of delivered messages, so that one message can be changed as an incident goes on. Kept over restarts."""

from collections.abc import Mapping

from haltline.api import EditingNotifier, Message, Notifier
from haltline.errors import Refused

_PREFIX = "handle:"
_MOST = 1000


class Handles:
    """The last handle of each thread on each channel; the oldest are forgotten beyond a thousand."""

    def __init__(self, notes: Mapping[str, bytes]) -> None:
        self._handles = {
            key.removeprefix(_PREFIX): body.decode() for key, body in notes.items() if key.startswith(_PREFIX)
        }

    async def send(self, channel: Notifier, name: str, message: Message) -> str | None:
        """Deliver: by changing the last message of the thread where that is wanted and possible, otherwise anew."""
        handle = self._handles.get(_key(name, message.thread)) if message.thread and message.update else None
        if handle is not None and isinstance(channel, EditingNotifier):
            try:
                return await channel.edit(handle, message)
            except Refused:  # gone, or too old to change
                self._handles.pop(_key(name, message.thread), None)
        return await channel.send(message)

    def keep(self, name: str, thread: str, handle: str | None) -> list[tuple[str, bytes | None]]:
        """Remember a handle; returns the notes to write."""
        if not thread or handle is None:
            return []
        key = _key(name, thread)
        self._handles.pop(key, None)
        self._handles[key] = handle
        notes: list[tuple[str, bytes | None]] = [(_PREFIX + key, handle.encode())]
        while len(self._handles) > _MOST:
            oldest = next(iter(self._handles))
            del self._handles[oldest]
            notes.append((_PREFIX + oldest, None))
        return notes


def _key(name: str, thread: str) -> str:
    return f"{name}|{thread}"
