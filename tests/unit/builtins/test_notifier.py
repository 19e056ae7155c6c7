"""The built-in channels."""

import asyncio
import io
import json
import threading
from pathlib import Path

import pytest

from haltline.api import Message, NotifierSetup
from haltline.builtins.notifier.console import ConsoleNotifier, make_console
from haltline.builtins.notifier.jsonl import JsonlNotifier, make_jsonl
from haltline.errors import Refused, Transient
from haltline.model.rule import Severity

FULL = Path("/dev/full")
MESSAGE = Message(
    id="m1",
    at=1_746_547_200_000_000_000,
    severity=Severity.CRITICAL,
    title="daily-loss breached",
    text="the loss is [red]1000[/red]",
    facts=(("account", "eval"), ("limit", "1000")),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Stuck(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.go.wait(10)
        return super().write(text)


async def test_a_file_gets_plain_lines() -> None:
    stream = io.StringIO()
    await ConsoleNotifier(stream).send(MESSAGE)
    assert stream.getvalue().splitlines() == [
        "2025-05-06T16:00:00.000Z CRITICAL daily-loss breached",
        "  the loss is [red]1000[/red]",
        "  account: eval · limit: 1000",
    ]


async def test_control_characters_of_others_are_not_obeyed() -> None:
    stream = io.StringIO()
    await ConsoleNotifier(stream).send(Message(id="m", at=1, severity=Severity.INFO, title="a\x1b[2Jb", text="c\x07"))
    assert "\x1b" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()


async def test_a_terminal_gets_colour_and_markup_in_the_text_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    await ConsoleNotifier(stream).send(MESSAGE)
    assert "\x1b[" in stream.getvalue()
    assert "[red]1000[/red]" in stream.getvalue()


async def test_plain_never_uses_colour() -> None:
    stream = Terminal()
    await ConsoleNotifier(stream, is_plain=True).send(MESSAGE)
    assert "\x1b[" not in stream.getvalue()


async def test_a_stuck_terminal_delays_nobody_else() -> None:
    stream = Stuck()
    channel = ConsoleNotifier(stream)
    first = asyncio.ensure_future(channel.send(MESSAGE))
    await asyncio.to_thread(stream.entered.wait, 10)
    with pytest.raises(Transient):
        await channel.send(MESSAGE)
    stream.go.set()
    await first
    await channel.send(MESSAGE)


def test_the_console_writes_where_its_config_says(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(make_console(NotifierSetup(name="c", config={"stream": "stdout"})).send(MESSAGE))
    assert "daily-loss" in capsys.readouterr().out


async def test_json_lines_are_appended(tmp_path: Path) -> None:
    channel = make_jsonl(NotifierSetup(name="j", config={"path": str(tmp_path / "out.jsonl"), "fsync": True}))
    await channel.send(MESSAGE)
    await channel.send(MESSAGE)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["m1", "m1"]


async def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        await JsonlNotifier(tmp_path / "missing" / "out.jsonl").send(MESSAGE)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
async def test_a_full_disk_is_transient() -> None:
    with pytest.raises(Transient):
        await JsonlNotifier(FULL).send(MESSAGE)


async def test_a_relative_path_starts_in_the_folder_of_the_set_up(tmp_path: Path) -> None:
    channel = make_jsonl(NotifierSetup(name="j", config={"path": "out.jsonl"}, directory=tmp_path))
    await channel.send(MESSAGE)
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 1
