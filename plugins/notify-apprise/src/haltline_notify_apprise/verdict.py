"""Why a service did not take a message, as far as it can be told, and what that means for trying again.

Told from the HTTP status of the last request, or from the last reply of a mail server, or from that there was no
answer. Where a service answers, and Apprise does not say why it is not content, it is Transient: to try in vain
costs less than to lose a message.
"""

import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import unquote, unquote_plus

from haltline.errors import Refused, Transient
from haltline.errors.inert import inert
from haltline_notify_apprise.hear import Heard

_PASSING = frozenset({408, 421, 425, 429})
"""Of the statuses from 400 to 499, those that may be gone in a while."""
_SMTP_REPLY = re.compile(r"\((?P<code>[45]\d\d), b(?P<quote>['\"])(?P<reply>.*?)(?P=quote)")
_SMTP_REFUSAL = re.compile(r"was refused: (?P<code>[45]\d\d) b?(?P<quote>['\"]?)(?P<reply>.*?)(?P=quote)$")
_LONGEST = 160
_SHORTEST = 3
_READ = 20_000
_PIECE = re.compile(r"[\w.%+-]+")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def failure_of(service: str, heard: Heard, secrets: Sequence[str]) -> Transient | Refused:
    """What to raise for a message that Apprise could not deliver."""
    unanswered = heard.begun > len(heard.statuses)
    if not unanswered and heard.statuses and heard.statuses[-1] >= HTTPStatus.MULTIPLE_CHOICES:
        return _of_status(service, heard.statuses[-1])
    reply = _smtp_reply(heard)
    if reply is not None:
        code, text = reply
        kind = Refused if code >= HTTPStatus.INTERNAL_SERVER_ERROR else Transient
        return kind(_sentence(f"{service}: the mail server answered {code}", redacted(text, secrets)))
    everything = " ".join(text for _, text in heard.said)
    if "CERTIFICATE_VERIFY_FAILED" in everything:
        return Transient(f"{service}: the certificate of the server is not one that is trusted")
    if unanswered or "Socket Exception" in everything or "onnection error" in everything:
        return Transient(f"{service} cannot be reached, or cut the connection")
    words = next((text for level, text in reversed(heard.said) if level >= logging.WARNING), "")
    return Transient(_sentence(f"{service} did not take it", redacted(words, secrets) or "Apprise does not say why"))


def secrets_of(url: str) -> tuple[str, ...]:
    """All parts of an Apprise URL that must not be shown, longest first: whatever stands in it may be a token."""
    pieces = {url, *_PIECE.findall(url.partition("://")[2])}
    pieces |= {unquote_plus(piece) for piece in pieces} | {unquote(piece) for piece in pieces}
    return tuple(sorted((piece for piece in pieces if len(piece) >= _SHORTEST), key=lambda piece: (-len(piece), piece)))


def redacted(text: str, secrets: Sequence[str]) -> str:
    """The text on one short line, without addresses and without any of the secrets."""
    line = _ADDRESS.sub("***", " ".join(inert(text[:_READ]).split()))
    for secret in secrets:
        line = re.sub(re.escape(secret), "***", line, flags=re.IGNORECASE)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _of_status(service: str, status: int) -> Transient | Refused:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus else ""
    reason = f"{service} answered {status} {phrase}".rstrip()
    if status < HTTPStatus.BAD_REQUEST:
        return Refused(f"{reason}: redirects are not followed")
    lasting = status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING
    return Refused(reason) if lasting else Transient(reason)


def _smtp_reply(heard: Heard) -> tuple[int, str] | None:
    """The last reply with which a mail server refused something."""
    for _, text in reversed(heard.said):
        found = _SMTP_REPLY.search(text) if "Socket Exception" in text else _SMTP_REFUSAL.search(text)
        if found:
            return int(found["code"]), found["reply"]
    return None


def _sentence(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what
