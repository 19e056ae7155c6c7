"""What a channel is: it delivers one message, and only classifies failures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from haltline.model.rule import Severity


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message for people. `text` is plain and complete by itself; `facts` are label and value pairs beside it."""

    id: str
    at: int
    severity: Severity
    title: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()
    account: str = ""
    rule: str = ""
    phase: str = ""


class Notifier(Protocol):
    """One channel. `send` returns once the receiver has confirmed; raises Transient or Refused."""

    async def send(self, message: Message) -> None:
        """Deliver one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierSetup:
    """What a channel is made from. Relative paths in `config` are resolved against `directory`, the set-up's folder."""

    name: str
    config: Mapping[str, object]
    directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierKind:
    """A registered kind of channel."""

    name: str
    make: Callable[[NotifierSetup], Notifier]
    meaning: str
    schema: Mapping[str, object]
