"""What a channel is: it delivers one message, and only classifies failures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from haltline.api.reply import Button
from haltline.model.rule import Severity


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message for people. `text` is plain and complete by itself; `facts` are label and value pairs beside it.

    `items` are its parts where it tells of several things: a text that is too long is split between them. Messages of
    one `thread` tell of the same thing as it goes on; one that is an `update` may replace the last of its thread.
    `buttons` are commands to offer and `image` a PNG to show, where the channel can. With `plain` it must be sent
    without any formatting, because the receiver refused it formatted.
    """

    id: str
    at: int
    severity: Severity
    title: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()
    account: str = ""
    rule: str = ""
    phase: str = ""
    items: tuple[str, ...] = ()
    thread: str = ""
    update: bool = False
    buttons: tuple[Button, ...] = ()
    image: bytes = b""
    plain: bool = False
    labels: dict[str, str] = {}


class Notifier(Protocol):
    """One channel. `send` returns once the receiver has confirmed; raises Transient or Refused."""

    async def send(self, message: Message) -> str | None:
        """Deliver one message; returns a handle by which it can be edited later, or None."""


@runtime_checkable
class EditingNotifier(Protocol):
    """A channel that can change what it has delivered: one message then tells of an incident from start to end."""

    async def send(self, message: Message) -> str | None:
        """Deliver one message; returns its handle, which is kept over restarts."""

    async def edit(self, handle: str, message: Message) -> str | None:
        """Replace a delivered message; returns the handle from now on. Raises Refused where it is gone or too old:
        the message is then sent anew."""


@runtime_checkable
class SizedNotifier(Protocol):
    """A channel whose limit depends on its config, as where one kind stands for many services."""

    @property
    def max_chars(self) -> int | None:
        """The longest `Message.text` it takes, as in `NotifierKind.max_chars`, and instead of it; None: any."""

    async def send(self, message: Message) -> str | None:
        """Deliver one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierSetup:
    """What a channel is made from. Relative paths in `config` are resolved against `directory`, the set-up's folder."""

    name: str
    config: Mapping[str, object]
    directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierKind:
    """A registered kind of channel.

    `max_chars` is the longest `Message.text` it takes, counted in UTF-16 units, the strictest way; longer ones are
    split. `per_minute` is how many messages it may be given in a minute; critical ones are never held back by it.
    """

    name: str
    make: Callable[[NotifierSetup], Notifier]
    meaning: str
    schema: Mapping[str, object]
    max_chars: int | None = None
    per_minute: int | None = None
