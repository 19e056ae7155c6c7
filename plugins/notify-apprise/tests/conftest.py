"""Servers on loopback that speak the real protocols: one for mail, one for everything over HTTP."""

import asyncio
import base64
import contextlib
import email
import email.policy
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest
from aiohttp import web
from apprise import Apprise  # noqa: F401 - seconds of loading, once, and outside of every event loop
from blockbuster import blockbuster_ctx

from haltline.api import NotifierSetup
from haltline_notify_apprise.service import make_apprise


@pytest.fixture(scope="session", autouse=True)
def loaded() -> None:
    """Apprise reads all its services when the first is made."""
    make_apprise(NotifierSetup(name="phone", config={"url": "json://127.0.0.1:9/"}))


@pytest.fixture(autouse=True)
def never_blocking(request: pytest.FixtureRequest) -> Iterator[None]:
    """In asynchronous tests of channels nothing may block the event loop; a whole engine reads files as it starts."""
    watched = request.node.get_closest_marker("asyncio") and request.path.stem != "test_engine"
    with blockbuster_ctx() if watched else contextlib.nullcontext():
        yield


class MailServer:
    """A mail server that takes one message after the other, and answers as a test wants."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.logins: list[tuple[str, str]] = []
        self.replies: dict[str, str] = {}
        self.port = 0
        self.hangs = False
        self.sessions: list[asyncio.StreamWriter] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session, as RFC 5321 has it."""
        self.sessions.append(writer)

        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        with contextlib.suppress(ConnectionError):
            if self.hangs:
                await reader.read()
            say(self.replies.get("CONNECT", "220 sink ready"))
            while line := (await reader.readline()).decode():
                verb = line.split(" ")[0].strip().upper()
                if verb in self.replies:
                    say(self.replies[verb])
                elif verb == "EHLO":
                    say("250-sink\r\n250 AUTH PLAIN")
                elif verb == "AUTH":
                    _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                    self.logins.append((user, password))
                    say("235 welcome")
                elif verb == "DATA":
                    say("354 go on")
                    raw = await reader.readuntil(b"\r\n.\r\n")
                    say(self.replies.get("END", "250 taken"))
                    if "END" not in self.replies:
                        text = raw[:-5].replace(b"\r\n..", b"\r\n.")
                        self.mails.append(email.message_from_bytes(text, policy=email.policy.default))
                else:
                    if verb == "RCPT":
                        self.recipients.append(line.strip())
                    say("221 bye" if verb == "QUIT" else "250 fine")
                await writer.drain()
        writer.close()


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    sink = MailServer()
    server = await asyncio.start_server(sink.talk, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    yield sink
    server.close()
    for writer in sink.sessions:
        writer.close()


@dataclass
class Sent:
    """One request: where to, with what."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass
class HttpServer:
    """Takes every request, and answers as a test wants."""

    port: int = 0
    status: int = 200
    text: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    hangs: bool = False
    cuts: bool = False
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """Note it, then answer."""
        body = await request.read()
        self.sent.append(Sent(request.path, dict(request.query), dict(request.headers), body))
        if self.hangs:
            await self._gone.wait()
        if self.cuts:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=self.status, text=self.text, headers=self.headers, content_type="application/json")


@pytest.fixture
async def http() -> AsyncIterator[HttpServer]:
    server = HttpServer()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = int(runner.addresses[0][1])
    yield server
    server._gone.set()
    await runner.cleanup()
