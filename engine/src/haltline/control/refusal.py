"""Replies of requests that were not carried out: what is wrong and what now, never a stack trace."""

import re

from haltline.api.reply import Paragraph, Reply, ReplyStatus, Tone
from haltline.errors import ConfigError, EngineError

_CODE = re.compile(r"\s*\[(E\d{3})\]$")


def refused(code: str, what: str, *, is_late: bool = False) -> Reply:
    """A refusal in a sentence."""
    status = ReplyStatus.EXPIRED if is_late else ReplyStatus.REFUSED
    text = f"{what[:1].upper()}{what[1:]}"
    return Reply(
        title="Too late" if is_late else "Not done", status=status, tone=Tone.BAD, code=code, private=True,
        parts=(Paragraph(text=f"{text}{'' if text.endswith(('.', '!', '?')) else '.'}"),),
    )  # fmt: skip


def unknown_caller() -> Reply:
    """What somebody is told who is not listed: nothing."""
    return Reply(title="Not available", status=ReplyStatus.REFUSED, code="E851", private=True)


def from_error(error: EngineError) -> Reply:
    """The refusal that an error of the engine says, with its own code where it has one."""
    if isinstance(error, ConfigError):
        parts = tuple(Paragraph(text=str(problem), tone=Tone.BAD) for problem in error.problems[:20])
        code = error.problems[0].code if error.problems else "E854"
        return Reply(title="Not done", status=ReplyStatus.REFUSED, tone=Tone.BAD, code=code, parts=parts, private=True)
    found = _CODE.search(str(error))
    return refused(found[1] if found else "E854", _CODE.sub("", str(error)))
