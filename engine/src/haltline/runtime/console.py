"""The local channel: people at the engine's own machine command it through a socket beside the journal.

One line of JSON asks, one answers. Only the user that runs the engine (and root) gets through: the socket is theirs
alone, and the system says who is at the other end. Where Unix sockets cannot be, it is a port of this machine, with a
token that only that user can read. Whoever sends nonsense, too much, or does not read, loses the connection; nobody
else notices.
"""

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from haltline.api.control import Caller, Request
from haltline.api.reply import Reply
from haltline.config.operator import LOCAL
from haltline.control.service import ControlService
from haltline.errors import EngineError
from haltline.runtime.frame import LONGEST, Answer, Ask, Complete, Follow, Knock, Run, Say, decode_ask, encode_answer
from haltline.runtime.peer import peer_uid, user_name
from haltline.runtime.whereabouts import Port, needs_port, port_file, socket_path

_IDLE_S = 900.0
_SEND_S = 10.0
_MOST = 32


class Console:
    """Serves the local channel until cancelled."""

    def __init__(self, control: ControlService, journal: Path) -> None:
        self._control = control
        self._journal = journal
        self._token = ""
        self._open: set[asyncio.StreamWriter] = set()

    async def run(self) -> None:
        """Listen; raises EngineError where something that is no socket of ours is in the way."""
        start = self._listen_on_port if needs_port(self._journal) else self._listen_on_socket
        server, leave = await start()
        try:
            await asyncio.Event().wait()  # until cancelled; `serve_forever` would then wait for whoever is connected
        finally:
            server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            leave()

    async def _listen_on_socket(self) -> tuple[asyncio.Server, Callable[[], None]]:
        path = socket_path(self._journal)
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)  # from its first moment on it is its owner's alone
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        try:
            server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LONGEST)
        except BaseException:
            listener.close()
            path.unlink(missing_ok=True)
            raise
        return server, lambda: path.unlink(missing_ok=True)

    async def _listen_on_port(self) -> tuple[asyncio.Server, Callable[[], None]]:
        server = await asyncio.start_server(self._serve, host="127.0.0.1", port=0, limit=LONGEST)
        self._token = secrets.token_urlsafe(32)
        file = port_file(self._journal)
        file.unlink(missing_ok=True)
        number = int(server.sockets[0].getsockname()[1])
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            written.write(msgspec.json.encode(Port(port=number, token=self._token)))
        return server, lambda: file.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from who it is to its end."""
        self._open.add(writer)
        try:
            caller = self._caller(writer)
            if caller is None or len(self._open) > _MOST:
                await _send(writer, Answer(error="not available"))
                return
            is_known = not self._token
            while line := await _line(reader):
                ask = decode_ask(line)
                if isinstance(ask, Knock):
                    is_known = is_known or hmac.compare_digest(ask.token.encode(), self._token.encode())
                    continue
                if not is_known:
                    await _send(writer, Answer(error="not available"))
                    return
                await _send(writer, await self._answer(caller, ask))
        except ValueError as error:
            with contextlib.suppress(OSError, TimeoutError):
                await _send(writer, Answer(error=f"that is no request: {error}"[:300]))
        except EngineError as error:
            with contextlib.suppress(OSError, TimeoutError):
                await _send(writer, Answer(error=str(error)))
        except (OSError, TimeoutError, EOFError):
            pass  # whoever was there has gone, or does not read
        finally:
            self._open.discard(writer)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _answer(self, caller: Caller, ask: Ask) -> Answer:
        match ask:
            case Say(command=command, words=words):
                return Answer(reply=await self._control.say_words(caller, command, words))
            case Run(command=command, arguments=arguments):
                request = Request(caller=caller, command=command, arguments=arguments)
                return Answer(reply=await self._control.run(request))
            case Follow(actions=actions):
                return Answer(reply=await self._control.follow(Reply(title="", actions=actions)))
            case Complete():
                choices = self._control.complete_words(caller, ask.command, ask.words, ask.text)
                return Answer(choices=tuple(choices))
            case Knock():
                return Answer()

    def _caller(self, writer: asyncio.StreamWriter) -> Caller | None:
        """Who is there; None for another user of the machine."""
        if self._token:
            return Caller(platform=LOCAL, user=user_name(), place="terminal")
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid is not None and uid not in (os.getuid(), 0):
            return None
        return Caller(platform=LOCAL, user=user_name(uid), place="terminal")


async def _line(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(_IDLE_S):
        return await reader.readline()


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(encode_answer(answer))
    async with asyncio.timeout(_SEND_S):
        await writer.drain()


def _clear(path: Path) -> None:
    """Take away what an engine left that was killed: this one has the journal's lease, so nobody listens there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise EngineError(f"{path} is in the way of the local channel and is no socket; move it [E859]")
    path.unlink()
