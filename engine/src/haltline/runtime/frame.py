"""What goes over the local channel: one line of JSON a request, one an answer."""

import msgspec

from haltline.api.control import Choice
from haltline.api.reply import Reply

LONGEST = 65_536
"""The most bytes of a request."""


class _Ask(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    pass


class Knock(_Ask, frozen=True, kw_only=True):
    """The token, where the channel is a port."""

    token: str


class Say(_Ask, frozen=True, kw_only=True):
    """A command as typed: its words as the shell has split them."""

    command: str
    words: tuple[str, ...] = ()


class Run(_Ask, frozen=True, kw_only=True):
    """A command with its arguments."""

    command: str
    arguments: dict[str, str] = {}


class Follow(_Ask, frozen=True, kw_only=True):
    """How did these actions end?"""

    actions: tuple[str, ...]


class Complete(_Ask, frozen=True, kw_only=True):
    """What may the word `text` become, which is typed after these words?"""

    command: str
    words: tuple[str, ...] = ()
    text: str = ""


type Ask = Knock | Say | Run | Follow | Complete


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, choices, or why there is neither."""

    reply: Reply | None = None
    choices: tuple[Choice, ...] = ()
    error: str = ""


_ASKS: msgspec.json.Decoder[Ask] = msgspec.json.Decoder(Knock | Say | Run | Follow | Complete)
_ANSWERS = msgspec.json.Decoder(Answer)


def decode_ask(line: bytes) -> Ask:
    """A request; raises ValueError for anything else."""
    try:
        return _ASKS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def encode_ask(ask: Ask) -> bytes:
    """A request as a line."""
    return msgspec.json.encode(ask) + b"\n"


def decode_answer(line: bytes) -> Answer:
    """An answer; raises ValueError for anything else."""
    try:
        return _ANSWERS.decode(line)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def encode_answer(answer: Answer) -> bytes:
    """An answer as a line; numbers that are not finite become null."""
    return msgspec.json.encode(answer) + b"\n"
