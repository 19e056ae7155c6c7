"""What Apprise and its HTTP client log while one call of ours is under way.

Apprise answers only True or False; why is in its log, at DEBUG, between addresses and tokens. So a filter on its
loggers takes the records of our calls: they reach us, and no handler of anybody. Records of others pass as if the
filter were not there.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

_HTTP = "urllib3.connectionpool"
_LISTENED = ("apprise", _HTTP)
_HUSHED = (
    "urllib3.connection",
    "urllib3.poolmanager",
    "urllib3.util.retry",
    "requests",
    "requests_oauthlib",
    "oauthlib",
)
_MOST = 500
_ANSWER_ARGS = 8
"""urllib3 logs an answer with eight arguments: scheme, host, port, method, path, version, status, length."""


@dataclass(slots=True)
class Heard:
    """`begun` requests and the HTTP statuses of those that were answered; what was said, with its level."""

    begun: int = 0
    statuses: list[int] = field(default_factory=list)
    said: list[tuple[int, str]] = field(default_factory=list)

    def take(self, record: logging.LogRecord) -> None:
        """Note one record."""
        if record.name == _HTTP:
            self._request(record)
        elif len(self.said) < _MOST:
            self.said.append((record.levelno, record.getMessage()))

    def _request(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        if str(record.msg).startswith("Starting new"):
            self.begun += 1
        elif len(arguments) == _ANSWER_ARGS and isinstance(arguments[-2], int):
            self.statuses.append(arguments[-2])


_listening: ContextVar[Heard | None] = ContextVar("haltline_notify_apprise_heard", default=None)


class _Ear(logging.Filter):
    """On a logger; `own_level` is the level that its records had to have before we wanted all of them."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self._own_level = logger.level

    def filter(self, record: logging.LogRecord) -> bool:
        """Ours is taken and goes no further."""
        heard = _listening.get()
        if heard is not None:
            heard.take(record)
            return False
        parent = self._logger.parent
        return record.levelno >= (self._own_level or (parent.getEffectiveLevel() if parent else logging.WARNING))


@contextmanager
def hearing() -> Iterator[Heard]:
    """Hear what is logged by the thread or task that is inside."""
    _install()
    heard = Heard()
    token = _listening.set(heard)
    try:
        yield heard
    finally:
        _listening.reset(token)


def _install() -> None:
    for name in (*_LISTENED, *_HUSHED):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Ear) for each in logger.filters):
            logger.addFilter(_Ear(logger))
            if name in _LISTENED:
                logger.setLevel(logging.DEBUG)
