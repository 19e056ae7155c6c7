"""The other end of the local channel: asks the running engine of a journal."""

import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from haltline.errors import ConfigError, Problem
from haltline.runtime.frame import Answer, Ask, Knock, decode_answer, encode_ask
from haltline.runtime.whereabouts import Port, needs_port, port_file, socket_path

_ANSWER_S = 150.0
_LONGEST = 16 * 1024 * 1024


class ConsoleClient:
    """One connection to the engine of a journal. Raises ConfigError where none runs, or it does not answer."""

    def __init__(self, journal: Path, *, timeout_s: float = _ANSWER_S) -> None:
        self._journal = journal
        self._timeout_s = timeout_s
        self._connection: socket.socket | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        try:
            self._connection = self._connect()
            self._connection.settimeout(self._timeout_s)
        except (OSError, msgspec.MsgspecError) as error:
            raise self._silent(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def ask(self, ask: Ask) -> Answer:
        """The answer to one request."""
        assert self._connection is not None
        try:
            self._connection.sendall(encode_ask(ask))
            answer = decode_answer(self._line())
        except (OSError, ValueError) as error:
            raise self._silent(error) from error
        if answer.error:
            raise ConfigError([Problem(code="E909", what=f"the engine says: {answer.error}", cure="look at its log")])
        return answer

    def _connect(self) -> socket.socket:
        if not needs_port(self._journal):
            path = socket_path(self._journal)
            _require_own(path)
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(str(path))
            return connection
        file = port_file(self._journal)
        _require_own(file)
        port = msgspec.json.decode(file.read_bytes(), type=Port)
        connection = socket.create_connection(("127.0.0.1", port.port), timeout=self._timeout_s)
        connection.sendall(encode_ask(Knock(token=port.token)))
        return connection

    def _line(self) -> bytes:
        assert self._connection is not None
        received = self._rest
        while b"\n" not in received:
            piece = self._connection.recv(65_536)
            if not piece:
                raise ConnectionError("it closed the connection")
            received += piece
            if len(received) > _LONGEST:
                raise ConnectionError("its answer is too long")
        line, _, self._rest = received.partition(b"\n")
        return line

    def _silent(self, error: Exception) -> ConfigError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        what = f"no engine answers for the journal {str(self._journal)!r} ({reason})"
        return ConfigError([Problem(code="E909", what=what, cure="start it with 'haltline run', as this user")])


def _require_own(path: Path) -> None:
    """Talk only to what this user, or root, has put there. Raises OSError."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) or (hasattr(os, "getuid") and found.st_uid not in (os.getuid(), 0)):
        raise PermissionError(f"{path} belongs to somebody else")
