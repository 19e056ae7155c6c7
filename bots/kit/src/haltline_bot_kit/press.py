"""Buttons as the few bytes that platforms let them carry. They hold no rights: whoever presses one, asks."""

import hashlib

import msgspec

from haltline.api import Button, SurfaceMemory

_INLINE = "="
_KEPT = "#"


class _Pressed(msgspec.Struct, frozen=True, array_like=True):
    command: str
    arguments: dict[str, str]


class ButtonBook:
    """Payloads of at most `limit` bytes. What does not fit is kept in the memory, under a name made from its content,
    so that a button still works after a restart and the same one is never kept twice.
    """

    def __init__(self, memory: SurfaceMemory, *, limit: int) -> None:
        self._memory = memory
        self._limit = limit

    async def payload(self, button: Button) -> str:
        """What the platform is to send back when the button is pressed."""
        body = msgspec.json.encode(_Pressed(button.command, button.arguments)).decode()
        if len(body.encode()) + 1 <= self._limit:
            return _INLINE + body
        name = hashlib.blake2s(body.encode(), digest_size=16).hexdigest()
        if self._memory.get(_key(name)) is None:
            await self._memory.put(_key(name), body)
        return _KEPT + name

    def read(self, payload: str) -> tuple[str, dict[str, str]] | None:
        """Command and arguments of a payload; None for one that is not ours, or is forgotten."""
        sort, body = payload[:1], payload[1:]
        if sort == _KEPT:
            body = self._memory.get(_key(body)) or ""
        elif sort != _INLINE:
            return None
        try:
            pressed = msgspec.json.decode(body, type=_Pressed)
        except (msgspec.DecodeError, UnicodeError):
            return None
        return pressed.command, pressed.arguments


def _key(name: str) -> str:
    return f"button:{name[:64]}"
