"""The local channel under hostile hands: it answers requests, drops the rest, and holds nobody up."""

import asyncio
import contextlib
import json
import os
import random
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from operator_desk import SETUP, Desk, Open

from haltline.api import ReplyStatus
from haltline.cli.consoleclient import ConsoleClient
from haltline.errors import ConfigError, EngineError
from haltline.runtime import console, whereabouts
from haltline.runtime.console import Console
from haltline.runtime.frame import LONGEST, Answer, Complete, Follow, Knock, Run, Say, decode_answer, encode_ask
from haltline.runtime.peer import user_name

MINE = SETUP.replace("local: vic", f"local: {user_name()}").replace("role: viewer", "role: admin")


@pytest.fixture
def served(opened: Open, tmp_path: Path):  # type: ignore[no-untyped-def]
    @asynccontextmanager
    async def served() -> AsyncIterator[tuple[Desk, Path]]:
        journal = tmp_path / "j.db"
        async with opened(setup=MINE) as desk, asyncio.TaskGroup() as group:
            served = group.create_task(Console(desk.control, journal).run())
            async with asyncio.timeout(10):
                while not (whereabouts.socket_path(journal).exists() or whereabouts.port_file(journal).exists()):  # noqa: ASYNC110 - the file system tells nobody
                    await asyncio.sleep(0)
            yield desk, journal
            served.cancel()

    return served


async def asked(journal: Path, *requests: Say | Run | Complete | Follow | Knock) -> list[Answer]:
    reader, writer = await asyncio.open_unix_connection(str(whereabouts.socket_path(journal)))
    answers = []
    for request in requests:
        writer.write(encode_ask(request))
        answers.append(decode_answer(await reader.readline()))
    writer.close()
    return answers


async def thrown(journal: Path, garbage: bytes) -> bytes:
    """What comes back for anything at all, until the engine closes."""
    reader, writer = await asyncio.open_unix_connection(str(whereabouts.socket_path(journal)))
    received = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            writer.write(garbage)
            writer.write_eof()
            received = await reader.read()
    writer.close()
    return received


async def test_the_socket_is_its_owners_alone(served) -> None:  # type: ignore[no-untyped-def]
    async with served() as (_, journal):
        found = whereabouts.socket_path(journal).stat()
        assert stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == os.getuid()
    assert not whereabouts.socket_path(journal).exists()


async def test_it_answers_runs_follows_and_completes(served) -> None:  # type: ignore[no-untyped-def]
    async with served() as (desk, journal):
        said, offered, ended = await asked(
            journal, Say(command="pause", words=("eval", "a b")), Complete(command="lock", text="e"), Follow(actions=())
        )
        assert said.reply is not None and said.reply.status is ReplyStatus.DONE
        assert [choice.value for choice in offered.choices] == ["eval", "other"], "what begins so, then what holds it"
        assert ended.reply is not None
        assert desk.mode() == "REDUCING"
        (declined,) = await asked(journal, Run(command="decline", arguments={"nonce": "x"}))
        assert declined.reply is not None and declined.reply.status is ReplyStatus.EXPIRED


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n", b"{}\n", b"null\n", b"[]\n", b'{"type":"Say"}\n', b'{"type":"Say","command":5}\n',
        b'{"type":"Run","command":"status","arguments":[]}\n', b'{"type":"Nothing"}\n', b"\x00\xff\xfe\n",
        b'{"type":"Say","command":"status","extra":1}\n', b'{"type":"Say","command":"status"',
        b"GET / HTTP/1.1\r\n\r\n", b"[" * 60_000 + b"\n", b"x" * (LONGEST * 3), b'{"type":"Say","command":"\\ud800"}\n',
    ],
    ids=range(15),
)  # fmt: skip
async def test_nonsense_costs_the_connection_and_nothing_else(served, garbage: bytes) -> None:  # type: ignore[no-untyped-def]
    async with served() as (desk, journal):
        received = await thrown(journal, garbage)
        for line in received.splitlines():
            assert b"Traceback" not in line and json.loads(line)
        (answer,) = await asked(journal, Say(command="status"))
        assert answer.reply is not None and answer.reply.status is ReplyStatus.DONE
        assert desk.mode() == "ACTIVE"


async def test_no_bytes_break_it(served) -> None:  # type: ignore[no-untyped-def]
    chance = random.Random(1)
    async with served() as (_, journal):
        for _ in range(150):
            size = chance.randrange(400)
            request = encode_ask(Say(command="status", words=("eval",)))
            cut = chance.randrange(len(request))
            await thrown(journal, chance.choice([chance.randbytes(size), request[:cut] + chance.randbytes(3)]))
        (answer,) = await asked(journal, Say(command="whoami"))
        assert answer.reply is not None


async def test_somebody_who_does_not_read_holds_nobody_up(served, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(console, "_SEND_S", 0.05)
    async with served() as (_, journal):
        _, writer = await asyncio.open_unix_connection(str(whereabouts.socket_path(journal)), limit=1)
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a transport of a socket can
        for _ in range(500):
            writer.write(encode_ask(Say(command="help")))
        (answer,) = await asked(journal, Say(command="whoami"))
        assert answer.reply is not None
        writer.transport.abort()


async def test_more_connections_than_it_takes_are_turned_away(served, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(console, "_MOST", 2)
    async with served() as (_, journal):
        path = str(whereabouts.socket_path(journal))
        held = [await asyncio.open_unix_connection(path) for _ in range(2)]
        for reader, writer in held:
            writer.write(encode_ask(Say(command="whoami")))
            assert await reader.readline()
        assert b"title" not in await thrown(journal, encode_ask(Say(command="status")))
        for _, writer in held:
            writer.close()


async def test_what_is_no_socket_is_not_taken_away(opened: Open, tmp_path: Path) -> None:
    journal = tmp_path / "j.db"
    whereabouts.socket_path(journal).write_text("mine")
    async with opened() as desk:
        with pytest.raises(EngineError, match="E859"):
            await Console(desk.control, journal).run()
    assert whereabouts.socket_path(journal).read_text() == "mine"


async def test_where_there_can_be_no_socket_a_port_is_heard_with_its_token(  # type: ignore[no-untyped-def]
    served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whereabouts, "_LONGEST", 0)
    async with served() as (_, journal):
        file = whereabouts.port_file(journal)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        port = json.loads(file.read_text())
        reader, writer = await asyncio.open_connection("127.0.0.1", port["port"])
        writer.write(encode_ask(Knock(token="wrong")) + encode_ask(Say(command="status")))
        assert b"not available" in await reader.read()
        writer.close()
        with_token = await asyncio.to_thread(_ask_as_client, journal)
        assert with_token.reply is not None and with_token.reply.status is ReplyStatus.DONE
    assert not file.exists()


def _ask_as_client(journal: Path) -> Answer:
    with ConsoleClient(journal) as client:
        return client.ask(Say(command="whoami"))


def test_without_an_engine_the_client_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no engine answers"), ConsoleClient(tmp_path / "j.db"):
        pass


def test_a_link_to_somewhere_else_is_not_followed(tmp_path: Path) -> None:
    whereabouts.socket_path(tmp_path / "j.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="belongs to somebody else"), ConsoleClient(tmp_path / "j.db"):
        pass
