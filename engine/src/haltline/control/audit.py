"""Every attempt to command goes on record: who, what, from where, and what became of it. Codes and nonces never do."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from haltline.api.control import Caller, Request
from haltline.journal.record import Entry, RecordKind, entry_of

_LONGEST = 300
_MOST = 20
_SECRET = frozenset({"nonce", "code"})


class Attempt(StrEnum):
    """What became of an attempt.

    `done` · `asked` back for confirmation · `confirmed` and about to be carried out · `declined` · `refused` ·
    `expired` · `failed` while it was carried out.
    """

    DONE = "done"
    ASKED = "asked"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"


class CommandRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. `operator` is empty for somebody who is not listed; `question` ties a press to what it confirms."""

    command: str
    attempt: Attempt
    operator: str = ""
    platform: str = ""
    user: str = ""
    name: str = ""
    place: str = ""
    arguments: Mapping[str, str] = {}
    code: str = ""
    detail: str = ""
    question: str = ""


def command_entry(
    now: int, request: Request, attempt: Attempt, *, operator: str = "", code: str = "", detail: str = "",
    question: str = "",
) -> Entry:  # fmt: skip
    """The journal's record of an attempt; what is long is cut, and what a stranger said left out."""
    caller: Caller = request.caller
    given = dict(list(request.arguments.items())[:_MOST]) if operator else {}
    record = CommandRecord(
        command=_cut(request.command), attempt=attempt, operator=operator, platform=_cut(caller.platform),
        user=_cut(caller.user), name=_cut(caller.name), place=_cut(caller.place),
        arguments={_cut(key): _cut(value) for key, value in given.items() if key not in _SECRET},
        code=code, detail=_cut(detail), question=question,
    )  # fmt: skip
    return entry_of(RecordKind.COMMAND, now, record)


def command_of(body: bytes) -> CommandRecord:
    """The attempt of a `command` record."""
    return msgspec.json.decode(body, type=CommandRecord)


def _cut(text: str) -> str:
    """Bounded, and valid as UTF-8 whatever a platform handed over."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
