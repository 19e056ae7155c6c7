"""What a command answers: structure without formatting, which command line, bots and web pages each draw their way.

Numbers stay numbers: a `Kind` and a unit say what they are. Everything in a reply is text from people and venues:
whoever draws it escapes it for their medium.
"""

from enum import StrEnum

import msgspec

from haltline.api.field import Kind

type Cell = str | float | int | bool | None
"""One value: None is UNKNOWN. TIME is UTC nanoseconds, DURATION seconds, FRACTION 1.0 for 100 %."""


class Tone(StrEnum):
    """How something is meant: a hint for colours, never the only bearer of the meaning."""

    PLAIN = "plain"
    MUTED = "muted"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class ReplyStatus(StrEnum):
    """What became of a request.

    `done` it was carried out, or answered · `asks` it waits for a confirmation, and the buttons say how · `refused`
    it was not carried out · `expired` the confirmation came too late or was used already.
    """

    DONE = "done"
    ASKS = "asks"
    REFUSED = "refused"
    EXPIRED = "expired"


class Paragraph(msgspec.Struct, frozen=True, kw_only=True, tag="paragraph"):
    """Sentences."""

    text: str
    tone: Tone = Tone.PLAIN


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table. `unit` is a currency or a word behind the number; empty where `kind` says it all."""

    name: str
    label: str
    kind: Kind = Kind.TEXT
    unit: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True, tag="table"):
    """Rows of equal shape. `tones` has one entry a row, or none at all; `empty` is said where there are no rows."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()
    title: str = ""
    tones: tuple[Tone, ...] = ()
    empty: str = "none"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A label and its value."""

    label: str
    value: Cell
    kind: Kind = Kind.TEXT
    unit: str = ""
    tone: Tone = Tone.PLAIN


class Card(msgspec.Struct, frozen=True, kw_only=True, tag="card"):
    """One thing with its facts: an account, an incident."""

    title: str
    facts: tuple[Fact, ...] = ()
    tone: Tone = Tone.PLAIN


class Branch(msgspec.Struct, frozen=True, kw_only=True, tag="tree"):
    """A line of a tree and what it is made of."""

    text: str
    tone: Tone = Tone.PLAIN
    children: "tuple[Branch, ...]" = ()


class Picture(msgspec.Struct, frozen=True, kw_only=True, tag="picture"):
    """An image; `text` says in words what it shows."""

    image: bytes
    text: str
    media_type: str = "image/png"


type Part = Paragraph | Table | Card | Branch | Picture


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """A command with its arguments, offered. Pressing it is a request like any other, by whoever presses."""

    label: str
    command: str
    arguments: dict[str, str] = {}
    tone: Tone = Tone.PLAIN


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """What a request waits for. `text` names account, scope, cause and consequence; it holds until `expires_at`.

    `nonce` works once, for the operator and platform that asked; with `second_person` only for another operator who
    may use the command; with `code` it needs the one-time code of the operator's authenticator.
    """

    nonce: str
    text: str
    expires_at: int
    second_person: bool = False
    code: bool = False


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. `title` is one line; `code` names why it was refused (a code of `haltline explain`).

    `actions` are those that were planned: `Control.follow` tells how they ended. `private` replies are for whoever
    asked alone, not for the room.
    """

    title: str
    status: ReplyStatus = ReplyStatus.DONE
    tone: Tone = Tone.PLAIN
    parts: tuple[Part, ...] = ()
    buttons: tuple[Button, ...] = ()
    confirmation: Confirmation | None = None
    actions: tuple[str, ...] = ()
    code: str = ""
    private: bool = False
