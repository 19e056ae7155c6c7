"""The built-in channels."""

import asyncio
import fcntl
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
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


# -- what a terminal and a file are given, and what they do to us ------------------------------------------------------


@pytest.mark.parametrize("make", [io.StringIO, Terminal])
async def test_nothing_of_others_is_obeyed_by_the_terminal(make: Callable[[], io.StringIO]) -> None:
    stream = make()
    hostile = "a\x1b]0;title\x07b\x9b31mc\x08\x08\r\nd\x00\u202ee\x7f[bold]f[/bold] :warning: \x1b[6n"
    await ConsoleNotifier(stream).send(
        Message(id="m", at=1, severity=Severity.INFO, title=hostile, text=hostile, facts=((hostile, hostile),))
    )
    shown = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())  # our own colours
    assert not set(shown) & set("\x1b\x07\x08\r\x00\x7f\x9b\u202e")
    assert "[bold]f[/bold] :warning:" in shown


async def test_a_terminal_that_knows_few_characters_shows_the_rest_as_signs() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    await ConsoleNotifier(stream).send(Message(id="m", at=1, severity=Severity.INFO, title="ü \ud800 ok", text=""))
    assert raw.getvalue().endswith(b" INFO ? ? ok\n")


async def test_a_message_with_half_a_character_is_written(tmp_path: Path) -> None:
    await JsonlNotifier(tmp_path / "out.jsonl").send(msgspec.structs.replace(MESSAGE, text="a\ud800b", image=b"\x89"))
    found = msgspec.json.decode((tmp_path / "out.jsonl").read_bytes(), type=Message)
    assert (found.text, found.image) == ("a?b", b"\x89")


def files(folder: Path) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in folder.iterdir()}


async def test_a_file_becomes_an_older_one_before_it_grows_too_large(tmp_path: Path) -> None:
    size = len(msgspec.json.encode(MESSAGE)) + 1
    given = {"path": "out.jsonl", "rotate_mb": 2.5 * size / 1e6, "keep": 2}
    channel = make_jsonl(NotifierSetup(name="j", config=given, directory=tmp_path))
    for number in range(9):
        await channel.send(msgspec.structs.replace(MESSAGE, id=f"m{number % 9}"))
    kept = {name: [json.loads(line)["id"] for line in lines] for name, lines in files(tmp_path).items()}
    assert kept == {"out.jsonl": ["m8"], "out.jsonl.1": ["m6", "m7"], "out.jsonl.2": ["m4", "m5"]}


async def test_a_line_longer_than_a_file_may_be_is_written_all_the_same(tmp_path: Path) -> None:
    channel = JsonlNotifier(tmp_path / "out.jsonl", rotate_bytes=10, keep=1)
    await channel.send(MESSAGE)
    await channel.send(MESSAGE)
    assert sorted(files(tmp_path)) == ["out.jsonl", "out.jsonl.1"]


async def test_a_file_that_somebody_else_moves_away_is_begun_anew(tmp_path: Path) -> None:
    channel = JsonlNotifier(tmp_path / "out.jsonl")
    await channel.send(MESSAGE)
    (tmp_path / "out.jsonl").rename(tmp_path / "out.jsonl-20261121")
    await channel.send(MESSAGE)
    assert [len(lines) for lines in files(tmp_path).values()] == [1, 1]


async def test_a_file_that_another_program_has_locked_is_transient(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with path.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Transient, match="another program has locked it"):
            await JsonlNotifier(path).send(MESSAGE)
    await JsonlNotifier(path).send(MESSAGE)
    assert path.read_text().count("\n") == 1


async def test_two_channels_may_write_to_one_file(tmp_path: Path) -> None:
    channels = [JsonlNotifier(tmp_path / "out.jsonl", rotate_bytes=2000, keep=100) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(channels[number % 3].send(msgspec.structs.replace(MESSAGE, id=f"m{number}")))
    told = [json.loads(line)["id"] for lines in files(tmp_path).values() for line in lines]
    assert sorted(told) == sorted(f"m{number}" for number in range(12))


async def test_half_a_line_of_a_program_that_was_killed_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"id":"whole"}\n{"id":"ha')
    await JsonlNotifier(path).send(MESSAGE)
    first, torn, last = path.read_text().splitlines()
    assert (json.loads(first)["id"], torn, json.loads(last)["id"]) == ("whole", '{"id":"ha', "m1")


def test_what_did_not_fit_on_the_disk_is_taken_back(tmp_path: Path) -> None:
    """In a process of its own, whose files may be 40 bytes long."""
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from haltline.builtins.notifier.linefile import LineFile\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))\n"
        "file = LineFile(Path(sys.argv[1]))\n"
        "file.append(b'x' * 29 + b'\\n')\n"
        "try: file.append(b'y' * 29 + b'\\n')\n"
        "except OSError as error: print(error.strerror)\n"
        "file.append(b'z' * 9 + b'\\n')\n"
    )
    path = tmp_path / "out.jsonl"
    ran = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert ran.stdout == "No space left on device\n"
    assert path.read_bytes() == b"x" * 29 + b"\n" + b"z" * 9 + b"\n"


async def test_a_pipe_that_nobody_reads_delays_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Transient):
        await JsonlNotifier(tmp_path / "pipe").send(MESSAGE)
